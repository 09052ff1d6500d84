"""Random SELECTs whose result is one multiset of rows, whatever the plan."""

import random

from expressions import COLUMNS, IDENTITY, ORDERED, TYPES, Expressions, Scope

TABLES = ["moda", "moda", "modb", "modb", "freea", "lista", "rangea", "hasha", "texta", "multia", "far", "near", "nearb", "part", "loc", "pairs"]
# Tables that one statement may use so that all of it could be sent: sharded alike, on one server, or alone.
FAMILIES = [["moda", "modb"], ["moda", "modb", "freea"], ["modb", "freea", "pairs"], ["near", "nearb"], ["lista"], ["multia"], ["texta"], ["far"], ["rangea"], ["hasha"], ["moda", "modb", "loc"]]
KEYS = {"near": "id", "nearb": "id", "far": "id", "moda": "id", "modb": "id", "freea": "id", "lista": "id", "rangea": "d", "hasha": "id", "texta": "t", "multia": "id"}
BOTH = {**COLUMNS, "bu": "int", "bn": "int", "bt": "text", "bm": "numeric"}
AGGREGATES = [
    ("int8", "count({int})"), ("int8", "count({text})"), ("int8", "sum({int})"), ("numeric", "avg({int})"), ("numeric", "sum({int8})"), ("numeric", "avg({int8})"), ("numeric", "sum({numeric})"),
    ("numeric", "avg({numeric})"), ("float8", "sum({float8})"), ("float8", "avg({float8})"), ("int8", "sum({int2})"), ("numeric", "avg({int2})"), ("float8", "avg({float4})"),
    ("int", "min({int})"), ("int", "max({int})"), ("text", "min({text})"), ("text", "max({text})"), ("date", "max({date})"), ("timestamp", "min({timestamp})"), ("timestamptz", "max({timestamptz})"), ("mood", "max({mood})"), ("float8", "max({float8})"),
    ("int[]", "max({int[]})"), ("varchar", "min({varchar})"), ("interval", "sum({interval})"), ("bool", "bool_and({cond})"), ("bool", "bool_or({bool})"), ("bool", "every({cond})"), ("int", "bit_or({int})"), ("int", "bit_xor({int})"), ("int2", "bit_and({int2})"),
    ("int8", "count(DISTINCT {int})"), ("int8", "count(DISTINCT {text})"), ("int8", "sum(DISTINCT {int})"), ("int8", "count(DISTINCT {date})"), ("int", "max(DISTINCT {int})"), ("int8", "count(DISTINCT ({int}, {text}))"),
    ("text", "string_agg(DISTINCT {text}, ',')"), ("int[]", "array_agg(DISTINCT {int})"), ("text", "string_agg({text}, '/' ORDER BY {$u})"), ("int[]", "array_agg({int} ORDER BY {$u})"), ("jsonb", "jsonb_agg({int} ORDER BY {$u})"), ("text[]", "array_agg({text} ORDER BY {$u} DESC)"),
    ("int", "percentile_disc(0.5) WITHIN GROUP (ORDER BY {int})"), ("date", "percentile_disc(0.25) WITHIN GROUP (ORDER BY {date} DESC)"), ("!float8", "stddev({int})::float8"), ("!float8", "variance({numeric})::float8"), ("!float8", "var_pop({int8})::float8"), ("!float8", "stddev_samp({int2})::float8"),
    ("!float8", "regr_count({int}, {float8})::float8"), ("!float8", "corr({int}, {int2})"), ("!float8", "regr_slope({int}, {int2})"), ("int8", "count(*)"), ("int8", "count(*)"), ("jsonb", "jsonb_object_agg({$u}::text, {int} ORDER BY {$u})"),
]


class Item:
    """A relation in FROM: its SQL, alias, columns, the columns that identify a row (or None)."""

    def __init__(self, sql, alias, columns, unique):
        self.sql, self.alias, self.columns, self.unique = sql, alias, columns, unique


class Queries(Expressions):
    def __init__(self, parameters=None):
        super().__init__(parameters)
        self.count = 0
        self.subquery = self.sub
        self.ctes = []
        self.weight = 0
        self.shippable = random.random() < 0.5
        self.tables = random.choice(FAMILIES) if self.shippable else TABLES
        # Few parts, so that nothing hinders a shard from doing all of it.
        self.tiny = self.shippable and random.random() < 0.5
        if self.tiny:
            self.subquery = None

    def alias(self):
        self.count += 1
        return f"r{self.count}"

    # Relations

    def item(self, depth, lateral):
        choice = random.random()
        if self.shippable and random.random() < 0.8:
            choice = 1
        alias = self.alias()
        if depth > 0 and choice < 0.16:
            sql, columns = self.select(depth - 1, lateral if random.random() < 0.6 else None)
            word = "LATERAL " if lateral else ""
            return Item(f"{word}({sql}) {alias}", alias, columns, None)
        if self.ctes and choice < 0.24:
            name, columns = random.choice(self.ctes)
            return Item(f"{name} {alias}", alias, columns, None)
        if choice < 0.28:
            return Item(f"generate_series({random.randint(-3, 3)}, {random.randint(4, 20)}) {alias}(id)", alias, {"id": "int"}, [f"{alias}.id"])
        if choice < 0.32:
            rows = ", ".join(f"({self.literal('int')}, {self.literal('text')})" for _ in range(random.randint(1, 4)))
            return Item(f"(VALUES {rows}) {alias}(id, t)", alias, {"id": "int", "t": "text"}, None)
        table = random.choice(self.tables)
        columns = BOTH if table == "pairs" else COLUMNS
        unique = [f"{alias}.u", f"{alias}.bu"] if table == "pairs" else [f"{alias}.u"]
        item = Item(f"{table} {alias}", alias, columns, unique)
        item.table = table
        return item

    def equality(self, left, right):
        """An equality between a column of each side, mostly of keys."""
        one, other = random.choice(left), random.choice(right)
        if random.random() < (0.95 if self.shippable else 0.7):
            a, b = KEYS.get(getattr(one, "table", ""), "id"), KEYS.get(getattr(other, "table", ""), "id")
            if a in one.columns and b in other.columns and one.columns[a] == other.columns[b]:
                return f"{one.alias}.{a} = {other.alias}.{b}"
        pairs = [(a, b) for a, kind in one.columns.items() for b, of in other.columns.items() if kind == of and kind in ("int", "text", "int8", "int2", "date", "uuid")]
        pairs = [p for p in pairs if p[0] in ("u", "id", "t", "d", "b", "uu") or p[0].startswith("o")] or pairs
        if not pairs:
            return None
        a, b = random.choice(pairs)
        return f"{one.alias}.{a} = {other.alias}.{b}"

    def join(self, count, depth, outer):
        """A join tree: SQL and its items."""
        if count == 1:
            item = self.item(depth, outer)
            return item.sql, [item]
        left_count = random.randint(1, count - 1)
        left, left_items = self.join(left_count, depth, outer)
        right, right_items = self.join(count - left_count, depth, outer)
        kind = random.choice(("JOIN", "JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"))
        equality = self.equality(left_items, right_items)
        if kind == "CROSS JOIN" or equality is None:
            if equality is None or random.random() < 0.15:
                return f"({left} CROSS JOIN {right})", left_items + right_items
            kind = "JOIN"
        parts = [equality]
        if random.random() < 0.2 and (second := self.equality(left_items, right_items)):
            parts.append(second)
        if kind != "FULL JOIN" and random.random() < (0.2 if self.tiny else 0.45):
            side = random.choice((left_items, right_items, left_items + right_items))
            parts.append(self.condition(Scope([(i.alias, i.columns) for i in side], outer if random.random() < 0.3 else None), 2))
        return f"({left} {kind} {right} ON {' AND '.join(parts)})", left_items + right_items

    def from_clause(self, depth, outer):
        count = random.choice((1, 1, 2) if self.tiny else (1, 1, 2, 2, 3, 4) if depth >= 2 else (1, 1, 1, 2))
        sql, items = self.join(count, depth, outer)
        quals = []
        if depth > 0 and random.random() < 0.12:
            scope = Scope([(i.alias, i.columns) for i in items], outer)
            alias = self.alias()
            sub, columns = self.select(depth - 1, scope)
            word = random.choice((", LATERAL ({}) {}", " CROSS JOIN LATERAL ({}) {}", " LEFT JOIN LATERAL ({}) {} ON true"))
            sql += word.format(sub, alias)
            items.append(Item(None, alias, columns, None))
        elif random.random() < 0.2:
            # A join whose condition is in WHERE.
            more = self.item(depth, None)
            if equality := self.equality(items, [more]):
                sql += f", {more.sql}"
                quals.append(equality)
                items = items + [more]
        return sql, items, quals

    # Sub-queries in expressions

    def sub(self, form, scope, kind):
        if self.weight > 5:
            return self.simple(scope, 0) if form != "scalar" else self.literal(kind)
        self.weight += 1
        item = self.item(0, None)
        inner = Scope([(item.alias, item.columns)], scope)
        quals = [self.condition(inner, 1)] if random.random() < 0.6 else []
        outer = [c for c in scope.columns("int")]
        ints = [f"{item.alias}.{c}" for c, k in item.columns.items() if k == "int"]
        keys = [f"{alias}.{KEYS[item.table]}" for alias, names in scope.relations if getattr(item, "table", "") in KEYS and names.get(KEYS[item.table]) == item.columns[KEYS[item.table]]]
        if self.shippable and keys and random.random() < 0.8:
            quals.append(f"{item.alias}.{KEYS[item.table]} = {random.choice(keys)}")
        elif ints and outer and random.random() < 0.75:
            quals.append(f"{random.choice(ints[:2])} = {random.choice(outer)}")
        where = f" WHERE {' AND '.join(quals)}" if quals else ""
        if form == "scalar":
            if random.random() < 0.25 and kind in ORDERED and kind in IDENTITY:
                value = self.of(kind, inner, 1)
                return f"(SELECT {value} FROM {item.sql}{where} ORDER BY 1 {random.choice(('', 'DESC '))}LIMIT 1)"
            found = [a for a in AGGREGATES if a[0] == kind and (item.unique and len(item.unique) == 1 or "$u" not in a[1])]
            if not found:
                return self.literal(kind)
            return f"(SELECT {self.aggregate(random.choice(found)[1], inner, [item], 1)} FROM {item.sql}{where})"
        if form == "exists":
            return f"({random.choice(('', 'NOT '))}EXISTS (SELECT {random.choice(('1', '*'))} FROM {item.sql}{where}))"
        if form == "in":
            kind = random.choice(("int", "int", "text", "date"))
            return f"({self.of(kind, scope, 1)} {random.choice(('IN', 'IN', 'NOT IN'))} (SELECT {self.of(kind, inner, 1)} FROM {item.sql}{where}))"
        return f"({self.of('int', scope, 1)} {random.choice(('= ANY', '<> ALL', '> ANY', '<= ALL'))} (SELECT {self.of('int', inner, 1)} FROM {item.sql}{where}))"

    def aggregate(self, form, scope, items, depth):
        unique = [u for i in items for u in i.unique] if all(i.unique for i in items) else None
        if "$u" in form:
            key = unique[0] if unique and len(unique) == 1 else None
            if key is None:
                form = "count(*)"
            form = form.replace("{$u}", key or "")
        sql = self.form(form, Scope(scope.relations), depth)
        if random.random() < 0.2 and not sql.endswith("::float8"):
            sql += f" FILTER (WHERE {self.condition(Scope(scope.relations), 1)})"
        return sql

    # SELECT

    def where(self, scope, quals, depth):
        quals = list(quals)
        if self.tiny:
            quals += [self.key_condition(scope)] if random.random() < 0.5 else []
            return f" WHERE {' AND '.join(quals)}" if quals else ""
        for _ in range(random.choice((0, 0, 1, 1) if self.shippable else (0, 1, 1, 2))):
            quals.append(self.condition(scope, 3 if depth else 2))
        return f" WHERE {' AND '.join(quals)}" if quals else ""

    def select(self, depth, outer=None):
        """A query: SQL and its columns."""
        choice = random.choice((0.2, 0.2, 0.45, 0.6)) if self.tiny else random.random()
        if depth > 0 and choice < 0.08:
            return self.set_operation(depth, outer)
        source, items, quals = self.from_clause(depth, outer)
        scope = Scope([(i.alias, i.columns) for i in items], outer)
        where = self.where(scope, quals, depth)
        if choice < 0.4:
            return self.grouped(source, items, scope, where, depth)
        if choice < 0.5 and all(i.unique for i in items):
            return self.windowed(source, items, scope, where)
        return self.plain(source, items, scope, where)

    def plain(self, source, items, scope, where):
        form = random.random()
        safe = form < 0.45
        names, parts = {}, []
        prefix = f"o{self.alias()}_"
        for number in range(random.randint(1, 5)):
            kind = random.choice(IDENTITY if safe else TYPES)
            name = f"{prefix}{number}"
            names[name] = kind
            parts.append(f"{self.of(kind, scope, random.randint(0, 3))} AS {name}")
        if form > 0.93:
            item = random.choice(items)
            parts.append(f"{item.alias} AS {prefix}whole")
        tail = where
        if form < 0.12:
            return f"SELECT DISTINCT {', '.join(parts)} FROM {source}{tail}{self.limit(names) if form < 0.06 else ''}", names
        if form < 0.18 and all(i.unique for i in items):
            order = ", ".join(["1" + random.choice(("", " DESC")), *[u + random.choice(("", " DESC")) for i in items for u in i.unique]])
            expression = parts[0].rsplit(" AS ", 1)[0]
            if "$" not in expression and any(alias + "." in expression for alias, _ in scope.relations):
                return f"SELECT DISTINCT ON ({expression}) {', '.join(parts)} FROM {source}{tail} ORDER BY {order}", names
        if safe:
            return f"SELECT {', '.join(parts)} FROM {source}{tail}{self.limit(names)}", names
        return f"SELECT {', '.join(parts)} FROM {source}{tail}", names

    def limit(self, names):
        """ORDER BY everything that is shown, so that LIMIT has one result."""
        columns = [str(i + 1) + random.choice(("", " DESC", " NULLS FIRST", " DESC NULLS LAST")) for i in range(len(names))]
        if random.random() < 0.7:
            random.shuffle(columns)
        sql = f" ORDER BY {', '.join(columns)}"
        choice = random.random()
        if choice < 0.1:
            return sql + f" FETCH FIRST {random.randint(1, 9)} ROWS WITH TIES"
        if choice < 0.8:
            sql += f" LIMIT {self.count_of(20)}"
        if choice < 0.3:
            sql += f" OFFSET {self.count_of(6)}"
        return sql

    def count_of(self, most):
        return str(random.randint(0, most)) if random.random() < 0.9 else f"(SELECT {random.randint(0, most)})"

    def grouped(self, source, items, scope, where, depth):
        names, keys, parts = {}, [], []
        prefix = f"o{self.alias()}_"
        own = Scope(scope.relations)
        saved, self.subquery = self.subquery, None
        parameters, self.parameters = self.parameters, None
        for number in range(random.choice((0, 0, 1, 1, 2, 3))):
            kind = random.choice(IDENTITY)
            columns = own.columns(kind)
            if self.shippable and random.random() < 0.6:
                # Few groups.
                few = [(f"{alias}.{c}", of) for alias, of_all in own.relations for c, of in of_all.items() if c in ("n", "s", "flag", "v", "id", "bn")]
                key, kind = random.choice(few or [("1 + 0", "int")])
                if not few:
                    continue
            elif columns and random.random() < (0.8 if self.shippable else 0.6):
                key = random.choice(columns)
            elif random.random() < 0.6 and (found := [f"{i.alias}.{KEYS[i.table]}" for i in items if getattr(i, "table", "") in KEYS]):
                key = random.choice(found)
                kind = COLUMNS[key.split(".")[1]]
            else:
                key = self.of(kind, own, 2)
                if not any(alias + "." in key for alias, _ in own.relations):
                    continue
            if key in keys:
                continue
            keys.append(key)
            names[f"{prefix}{number}"] = kind
            parts.append(f"{key} AS {prefix}{number}")
        self.subquery, self.parameters = saved, parameters
        safe = True
        for number in range(random.randint(1, 4)):
            plain = self.shippable and random.random() < 0.9
            kind, form = random.choice([a for a in AGGREGATES if not plain or not any(w in a[1] for w in ("ORDER BY", "_agg", "text}))", "sum({interval})"))])
            name = f"{prefix}a{number}"
            parts.append(f"{self.aggregate(form, scope, items, 1)} AS {name}")
            if "$u" in form and not (all(i.unique for i in items) and len([u for i in items for u in i.unique]) == 1):
                kind = "int8"
            if not kind.startswith("!"):
                names[name] = kind
            safe = safe and kind in IDENTITY
        group = ""
        if keys:
            choice = random.random()
            if choice < 0.75 or len(keys) == 1:
                group = " GROUP BY " + ", ".join(keys)
            elif choice < 0.83:
                group = f" GROUP BY ROLLUP ({', '.join(keys)})"
            elif choice < 0.9:
                group = f" GROUP BY CUBE ({', '.join(keys)})"
            else:
                group = f" GROUP BY GROUPING SETS ({', '.join(f'({k})' for k in keys)}, ())"
        having = ""
        if random.random() < 0.25:
            form = random.choice(("count(*) > {small}", "max({int}) > {const int}", "count({text}) < {small}", "sum({int}) > {small}",
                                  "count(*) % 2 = 0", "min({date}) < {const date}", "bool_or({cond})", "avg({int8}) > {small}"))
            saved, self.subquery = self.subquery, None
            having = f" HAVING {self.form(form, own, 0)}"
            self.subquery = saved
        sql = f"SELECT {', '.join(parts)} FROM {source}{where}{group}{having}"
        if safe and random.random() < 0.4:
            sql += self.limit(parts)
        return sql, names

    def windowed(self, source, items, scope, where):
        names, parts = {}, []
        prefix = f"o{self.alias()}_"
        unique = ", ".join(u + random.choice(("", " DESC")) for i in items for u in i.unique)
        own = Scope(scope.relations)
        for number in range(random.randint(1, 3)):
            kind = random.choice(("int", "int8", "text", "date", "numeric"))
            function, of = random.choice((
                ("row_number()", "int8"), ("rank()", "int8"), ("dense_rank()", "int8"), ("ntile(3)", "int"), ("lag({k})", kind), ("lead({k}, 2)", kind), ("first_value({k})", kind), ("last_value({k})", kind), ("nth_value({k}, 2)", kind),
                ("count(*)", "int8"), ("sum({int})", "int8"), ("max({k})", kind), ("min({text})", "text"), ("count({k})", "int8"), ("avg({int})", "numeric"), ("array_agg({int})", "int[]"), ("string_agg({text}, ',')", "text")))
            function = self.form(function.replace("{k}", "{" + kind + "}"), scope, 1)
            keys = [f"{i.alias}.{KEYS[i.table]}" for i in items if getattr(i, "table", "") in KEYS] + own.columns("bool") + own.columns("mood")
            keys = keys[:1] if keys and self.shippable and random.random() < 0.6 else keys
            partition = f"PARTITION BY {', '.join(random.sample(keys, min(len(keys), random.randint(1, 2))))} " if keys and random.random() < 0.7 else ""
            order = f"{self.of(random.choice(IDENTITY), own, 1)}, " if random.random() < (0.2 if self.shippable else 0.5) else ""
            order = "" if order.strip(", ").isdigit() else order
            frame = random.choice(("", "", " ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING", " RANGE UNBOUNDED PRECEDING", " ROWS UNBOUNDED PRECEDING EXCLUDE CURRENT ROW", " GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW"))
            name = f"{prefix}{number}"
            names[name] = of
            parts.append(f"{function} OVER ({partition}ORDER BY {order}{unique}{frame}) AS {name}")
        kind = random.choice(IDENTITY)
        names[f"{prefix}k"] = kind
        parts.append(f"{self.of(kind, scope, 1)} AS {prefix}k")
        return f"SELECT {', '.join(parts)} FROM {source}{where}", names

    def set_operation(self, depth, outer):
        kinds = [random.choice(IDENTITY) for _ in range(random.randint(1, 3))]
        prefix = f"o{self.alias()}_"
        sides = []
        for _ in range(random.choice((2, 2, 3))):
            source, items, quals = self.from_clause(0, None)
            scope = Scope([(i.alias, i.columns) for i in items], outer)
            parts = [f"{self.of(kind, scope, 2)}{'::' + kind} AS {prefix}{n}" for n, kind in enumerate(kinds)]
            sides.append(f"SELECT {', '.join(parts)} FROM {source}{self.where(scope, quals, 0)}")
        sql = sides[0]
        for side in sides[1:]:
            word = random.choice(("UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL", "UNION ALL"))
            sql = f"({sql}) {word} ({side})"
        names = {f"{prefix}{n}": kind for n, kind in enumerate(kinds)}
        if random.random() < 0.4:
            sql += self.limit(names)
        return sql, names

    def query(self):
        ctes = []
        for number in range(0 if self.tiny else random.choice((0, 0, 0, 0, 1, 2))):
            sql, columns = self.select(1)
            word = random.choice(("", "", "MATERIALIZED ", "NOT MATERIALIZED "))
            ctes.append(f"c{number} AS {word}({sql})")
            self.ctes.append((f"c{number}", columns))
        sql, _ = self.select(0 if self.tiny else random.choice((1, 2, 2)))
        if random.random() < 0.04:
            sql = f"WITH RECURSIVE w(k, step) AS (SELECT 1, 0 UNION ALL SELECT x.id, step + 1 FROM w JOIN moda x ON x.id = w.k + 3 WHERE step < 5) SELECT w.k, q.* FROM w, ({sql}) q"
            return sql if not ctes else sql.replace("WITH RECURSIVE ", "WITH RECURSIVE " + ", ".join(ctes) + ", ")
        return (f"WITH {', '.join(ctes)} " if ctes else "") + sql
