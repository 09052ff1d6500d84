"""Random INSERT, UPDATE, DELETE and MERGE with one possible result, whatever the plan."""

import random

from expressions import COLUMNS, TYPES, Scope, constant, value_of
from queries import Item, Queries

# What a conflict can be on, and the columns that may not be NULL.
TARGETS = {
    "moda": ["id"], "lista": ["id"], "texta": ["t"], "multia": ["id", "n"], "rangea": ["u", "d"], "far": ["id"],
    "modb": [], "freea": [], "hasha": [], "part": [], "near": [], "loc": [],
}
REQUIRED = {"moda": ["id"], "modb": ["id"], "lista": ["id"], "freea": ["id"], "texta": ["t"], "multia": ["id", "n"], "far": ["id"]}
KEYS = {"moda": ["id"], "modb": ["id"], "lista": ["id"], "freea": ["id"], "texta": ["t"], "multia": ["id", "n"], "rangea": ["d"], "hasha": ["id", "n"], "part": ["n"]}
SOURCES = ["moda", "modb", "lista", "texta", "near", "loc", "hasha", "far", "part"]


class Changes(Queries):
    fresh = 1000

    def __init__(self, parameters=None):
        super().__init__(parameters)
        self.count = 9
        self.table = random.choice(list(TARGETS))

    @classmethod
    def number(cls, many=1):
        """The first of as many numbers that no row has."""
        cls.fresh += many
        return cls.fresh - many

    def columns(self):
        """The columns that an INSERT names: u, keys, some others."""
        wanted = ["u", *dict.fromkeys(REQUIRED.get(self.table, []) + KEYS.get(self.table, []))]
        wanted += random.sample([c for c in COLUMNS if c not in wanted], random.randint(0, 6))
        return list(dict.fromkeys(wanted))

    def key_value(self, column, existing):
        if column == "id":
            return str(random.randint(-49, 130)) if existing else str(self.number())
        if column == "t":
            return f"'key {random.randint(1, 60)}'" if existing else f"'new {self.number()}'"
        return value_of(COLUMNS[column])

    def returning(self, scope, alias):
        choice = random.random()
        if choice < 0.5:
            return ""
        if choice < 0.6:
            return " RETURNING *"
        if choice < 0.65:
            return f" RETURNING {alias}"
        parts = [self.of(random.choice(TYPES), scope, random.randint(0, 2)) for _ in range(random.randint(1, 3))]
        return " RETURNING " + ", ".join(f"{part} AS x{n}" for n, part in enumerate(parts))

    def insert(self, tail=True):
        columns = self.columns()
        existing = bool(TARGETS[self.table]) and random.random() < 0.6
        choice = random.random()
        if choice < 0.6:
            rows = []
            for _ in range(random.choice((1, 1, 2, 3, 6))):
                row = []
                for column in columns:
                    if column == "u":
                        row.append(str(self.number()) if self.table != "rangea" or not existing else str(random.randint(1, 45)))
                    elif column in REQUIRED.get(self.table, []) or column in KEYS.get(self.table, []) and random.random() < 0.8:
                        row.append(self.key_value(column, existing))
                    elif column in KEYS.get(self.table, []) and self.table == "rangea" and existing:
                        row.append(value_of("date"))
                    else:
                        row.append(self.of(COLUMNS[column], Scope(), 1) if random.random() < 0.8 else "DEFAULT")
                rows.append("(" + ", ".join(row) + ")")
            source = "VALUES " + ", ".join(rows)
        else:
            many = random.choice((1, 8, 8, 15, 15, 2500)) if random.random() < 0.1 else random.choice((1, 8, 15))
            base = self.number(many + 200)
            if random.random() < 0.4:
                item = Item(f"generate_series(1, {many}) r(u)", "r", {"u": "int"}, ["r.u"])
                limit = ""
            else:
                item = Item(f"{random.choice(SOURCES)} r", "r", COLUMNS, ["r.u"])
                limit = f" WHERE r.u <= {min(many, 60)} AND {self.condition(Scope([('r', COLUMNS)]), 1)}"
            scope = Scope([(item.alias, item.columns)])
            parts = []
            for column in columns:
                if column == "u":
                    parts.append(f"r.u + {base}")
                elif column in REQUIRED.get(self.table, []) and COLUMNS[column] == "int":
                    parts.append(f"r.u + {random.choice((0, 5, base)) if existing else base}")
                elif column in REQUIRED.get(self.table, []):
                    parts.append(f"'new ' || r.u + {base}")
                elif column in KEYS.get(self.table, []):
                    parts.append(value_of(COLUMNS[column]) if random.random() < 0.5 else self.of(COLUMNS[column], scope, 1))
                else:
                    parts.append(self.of(COLUMNS[column], scope, 2))
            source = f"SELECT {', '.join(parts)} FROM {item.sql}{limit}"
        sql = f"INSERT INTO {self.table} AS r0 ({', '.join(columns)}) {source}"
        target = TARGETS[self.table]
        own = Scope([("r0", COLUMNS)])
        if target and (existing or random.random() < 0.3):
            sql += f" ON CONFLICT ({', '.join(target)}) DO "
            if random.random() < 0.4:
                sql += "NOTHING"
            else:
                both = Scope([("r0", COLUMNS), ("excluded", {c: COLUMNS[c] for c in columns})])
                self.subquery, saved = None, self.subquery
                free = [c for c in COLUMNS if c not in target and c != "u"]
                sets = [f"{c} = {self.of(COLUMNS[c], both, 1)}" for c in random.sample(free, random.randint(1, 3))]
                sql += "UPDATE SET " + ", ".join(sets)
                if random.random() < 0.4:
                    sql += f" WHERE {self.condition(both, 1)}"
                self.subquery = saved
        self.subquery = None
        return sql + (self.returning(own, "r0") if tail else "")

    def others(self):
        """Other tables of an UPDATE or DELETE, such that each row is found once."""
        if random.random() < 0.6:
            return None, ""
        source = random.choice(SOURCES)
        column = random.choice(("u", "id", "n", "b"))
        if random.random() < 0.3:
            sql = f"(SELECT * FROM {source} WHERE {self.condition(Scope([(source, COLUMNS)]), 1)}) r1"
        else:
            sql = f"{source} r1"
        return Item(sql, "r1", COLUMNS, None), f"r1.{'id' if source in ('moda', 'lista', 'far') and random.random() < 0.7 else 'u'} = r0.{column}"

    def where(self, scope, join, depth=2):
        parts = [join] if join else []
        parts += [self.condition(scope, depth) for _ in range(random.choice((0, 1, 1, 1, 2)))]
        if not join and random.random() < 0.5:
            parts.append(self.key_condition(Scope(scope.relations[:1])))
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def assignment(self, column, scope):
        kind = COLUMNS[column]
        if column not in KEYS.get(self.table, []) and column not in REQUIRED.get(self.table, []):
            return f"{column} = {self.of(kind, scope, 2) if random.random() < 0.95 else 'DEFAULT'}"
        if column == "id":
            value = random.choice(("r0.id", "r0.id + 1000", "-r0.id + 5000", f"r0.u + {self.number(500)}", str(random.randint(-49, 60)), "r0.id + 1", "abs(r0.id) % 40 + 2000"))
        elif column == "t" and self.table == "texta":
            value = random.choice(("r0.t || 'x'", f"'key {random.randint(1, 60)}'", "upper(r0.t)", "r0.t"))
        elif column in REQUIRED.get(self.table, []):
            value = random.choice((f"r0.{column} + 1", f"r0.{column}", str(random.randint(0, 9))))
        else:
            value = self.of(kind, scope, 1)
        return f"{column} = {value}"

    def update(self, tail=True):
        other, join = self.others()
        relations = [("r0", COLUMNS)] + ([("r1", COLUMNS)] if other else [])
        scope = Scope(relations)
        free = [c for c in COLUMNS if c not in KEYS.get(self.table, []) and c not in REQUIRED.get(self.table, []) and c != "u"]
        chosen = random.sample(free, random.randint(0, 3))
        if not chosen or random.random() < 0.3:
            chosen.append(random.choice(KEYS.get(self.table, ["n"])))
        chosen = list(dict.fromkeys(chosen)) or ["b"]
        sets = ", ".join(self.assignment(c, scope) for c in chosen)
        sql = f"UPDATE {self.table} r0 SET {sets}" + (f" FROM {other.sql}" if other else "") + self.where(scope, join)
        self.subquery = None
        return sql + (self.returning(scope, "r0") if tail else "")

    def delete(self, tail=True):
        other, join = self.others()
        relations = [("r0", COLUMNS)] + ([("r1", COLUMNS)] if other else [])
        scope = Scope(relations)
        sql = f"DELETE FROM {self.table} r0" + (f" USING {other.sql}" if other else "") + self.where(scope, join)
        self.subquery = None
        return sql + (self.returning(scope, "r0") if tail else "")

    def merge(self):
        self.table = random.choice(("moda", "lista", "texta", "multia"))
        self.subquery = None
        keys = REQUIRED[self.table]
        source = f"(VALUES ({', '.join(self.key_value(k, random.random() < 0.7) for k in keys)}, {constant('int8')}, {constant('date')})) v({', '.join(keys)}, b, d)"
        scope = Scope([("r0", COLUMNS), ("v", {**{k: COLUMNS[k] for k in keys}, "b": "int8", "d": "date"})])
        sql = f"MERGE INTO {self.table} r0 USING {source} ON {' AND '.join(f'r0.{k} = v.{k}' for k in keys)}"
        if random.random() < 0.3:
            sql += f" WHEN MATCHED AND {self.condition(scope, 1)} THEN DELETE"
        if random.random() < 0.8:
            sql += f" WHEN MATCHED THEN UPDATE SET b = {self.of('int8', scope, 1)}, f = {self.of('float8', scope, 1)}"
        if random.random() < 0.7 or "WHEN" not in sql:
            sql += f" WHEN NOT MATCHED THEN INSERT (u, {', '.join(keys)}, d) VALUES ({self.number()}, {', '.join('v.' + k for k in keys)}, v.d)"
        return sql

    def with_change(self):
        """A change whose rows another one or a query uses."""
        inner = random.choice((self.delete, self.update))(tail=False)
        changed = self.table
        if "FROM (" in inner or "$" in inner:
            return inner, [changed]
        columns = ", ".join(f"r0.{c}" for c in COLUMNS)
        rows = f"WITH w AS ({inner} RETURNING {columns})"
        if random.random() < 0.5:
            return f"{rows} SELECT count(*), sum(n), min(t), array_agg(u ORDER BY u) FROM w", [changed]
        base = self.number(3000)
        into = random.choice([t for t in TARGETS if t != changed])
        key = {"texta": f"'new ' || u + {base}"}.get(into, "t")
        number = f"u + {base}" if into in REQUIRED else "id"
        return f"{rows} INSERT INTO {into} (u, id, n, t, d, b) SELECT u + {base}, {number}, coalesce(n, 1), {key}, d, b FROM w RETURNING u, id, n, t", [changed, into]

    def change(self):
        """A statement, and the tables that it changes."""
        choice = random.random()
        if choice < 0.3:
            return self.insert(), [self.table]
        if choice < 0.65:
            return self.update(), [self.table]
        if choice < 0.83:
            return self.delete(), [self.table]
        if choice < 0.9 and self.parameters is None:
            return self.merge(), [self.table]
        if self.parameters is None:
            return self.with_change()
        return self.update(), [self.table]
