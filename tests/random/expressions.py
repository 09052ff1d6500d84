"""Random expressions of a given type over the columns in scope, in SQL that raises no errors."""

import random

COLUMNS = {
    "u": "int", "id": "int", "n": "int", "b": "int8", "s": "int2", "m": "numeric", "x": "numeric", "f": "float8",
    "g": "float4", "t": "text", "v": "varchar", "c": "bpchar", "flag": "bool", "d": "date", "ts": "timestamp",
    "tz": "timestamptz", "iv": "interval", "j": "jsonb", "a": "int[]", "e": "mood", "y": "bytea", "uu": "uuid",
    "ta": "text[]",
}
# Equal values of these look the same: what groups, sorts and makes distinct by them has one possible result.
IDENTITY = ("int", "int8", "int2", "text", "varchar", "bool", "date", "timestamp", "timestamptz", "int[]", "mood", "bytea", "uuid")
ORDERED = IDENTITY + ("numeric", "float8", "float4", "interval")
NUMBERS = ("int", "int8", "int2", "numeric", "float8", "float4")
TYPES = sorted(set(COLUMNS.values()))
WORDS = ("", "text 3", "text 7", "text 12", "it''s \\ %_", "Grüße", "v3", "c4", "key 8", "key 20", "key 42", "x")
UNITS = ("day", "month", "week", "hour", "year", "quarter")


class Scope:
    """Relations whose columns an expression may use: (alias, {column: type})."""

    def __init__(self, relations=(), outer=None):
        self.relations, self.outer = list(relations), outer

    def columns(self, kind):
        found = [f"{alias}.{name}" for alias, names in self.relations for name, of in names.items() if of == kind]
        if self.outer and random.random() < (0.25 if found else 0.9):
            found = self.outer.columns(kind) or found
        return found


class Expressions:
    # Whether everything is such that a shard could compute it.
    shippable = False
    tiny = False

    def __init__(self, parameters=None):
        # A list collects the types of parameters; None has literals only.
        self.parameters = parameters
        self.subquery = None

    def literal(self, kind):
        if self.parameters is not None and random.random() < 0.4 and len(self.parameters) < 8:
            self.parameters.append(kind)
            return f"${len(self.parameters)}"
        return constant(kind)

    def of(self, kind, scope, depth=2):
        """An expression of this type."""
        if depth <= 0 or random.random() < (0.7 if self.tiny else 0.35):
            found = scope.columns(kind)
            if found and random.random() < 0.8:
                return random.choice(found)
            return self.literal(kind)
        choice = random.random()
        if choice < 0.06:
            return f"coalesce({self.of(kind, scope, depth - 1)}, {self.of(kind, scope, depth - 1)})"
        if choice < 0.12:
            default = f" ELSE {self.of(kind, scope, depth - 1)}" if random.random() < 0.6 else ""
            return f"CASE WHEN {self.condition(scope, depth - 1)} THEN {self.of(kind, scope, depth - 1)}{default} END"
        if choice < 0.15 and kind != "jsonb":
            return f"nullif({self.of(kind, scope, depth - 1)}, {self.of(kind, scope, depth - 1)})"
        if choice < 0.18 and kind in IDENTITY and kind != "bool":
            return f"{random.choice(('greatest', 'least'))}({self.of(kind, scope, depth - 1)}, {self.of(kind, scope, depth - 1)})"
        if choice < 0.24 and self.subquery and depth > 1:
            return self.subquery("scalar", scope, kind)
        return self.form(self.choose(FORMS[kind], kind), scope, depth - 1)

    def choose(self, forms, kind=None):
        if self.shippable:
            forms = [f for f in forms if not any(part in f for part in NOT_IMMUTABLE)] or [f"{{{kind}}}"]
        return random.choice(forms)

    def form(self, form, scope, depth):
        """Fills the places of a template such as ({int} + {int})."""
        out, at = [], 0
        while True:
            begin = form.find("{", at)
            if begin < 0:
                return "".join(out) + form[at:]
            end = form.index("}", begin)
            out.append(form[at:begin])
            name = form[begin + 1:end]
            if name == "unit":
                out.append(random.choice(UNITS))
            elif name == "small":
                out.append(str(random.randint(1, 9)))
            elif name == "cond":
                out.append(self.condition(scope, depth))
            elif name.startswith("const "):
                out.append(constant(name[6:]))
            elif name.startswith("literal "):
                out.append(self.literal(name[8:]))
            else:
                out.append(self.of(name, scope, depth))
            at = end + 1

    def condition(self, scope, depth=2):
        choice = random.random()
        if depth <= 0:
            return self.simple(scope, 0)
        if choice < 0.18:
            word = random.choice((" AND ", " OR "))
            return "(" + word.join(self.condition(scope, depth - 1) for _ in range(random.randint(2, 3))) + ")"
        if choice < 0.24:
            return f"(NOT {self.condition(scope, depth - 1)})"
        if choice < 0.28:
            return f"({self.condition(scope, depth - 1)} IS {random.choice(('', 'NOT '))}{random.choice(('TRUE', 'FALSE', 'UNKNOWN'))})"
        if choice < 0.38 and self.subquery and depth > 1:
            return self.subquery(random.choice(("exists", "in", "any")), scope, None)
        return self.simple(scope, depth - 1)

    def simple(self, scope, depth):
        """A comparison or another form of a truth value."""
        choice = random.random()
        if choice < 0.2:
            # What prunes: a column that keys are made of and constants.
            return self.key_condition(scope)
        if choice < 0.35:
            left, right = random.choice(NUMBERS), random.choice(NUMBERS)
            return f"({self.of(left, scope, depth)} {compare()} {self.of(right, scope, depth)})"
        if choice < 0.5 or self.shippable and choice < 0.7:
            kind = random.choice(("int", "int8", "text", "date", "numeric") if self.shippable else ORDERED)
            return f"({self.of(kind, scope, depth)} {compare()} {self.of(kind, scope, depth)})"
        return self.form(self.choose(CONDITIONS), scope, depth)

    def key_condition(self, scope):
        keys = [f"{alias}.{name}" for alias, names in scope.relations for name in ("id", "n", "d", "t", "id", "flag") if name in names]
        if not keys:
            return self.form(self.choose(CONDITIONS), scope, 0)
        key = random.choice(keys)
        kind = COLUMNS[key.split(".")[1]]
        if kind == "bool":
            return random.choice((key, f"(NOT {key})", f"({key} IS NOT TRUE)", f"({key} IS NULL)"))
        value = lambda: self.literal(kind)  # noqa: E731
        forms = [
            lambda: f"({key} = {value()})", lambda: f"({key} = {value()})", lambda: f"({value()} = {key})",
            lambda: f"({key} IN ({value()}, {value()}, {value()}))", lambda: f"({key} NOT IN ({value()}, {value()}))",
            lambda: f"({key} = ANY (ARRAY[{value()}, {value()}]))", lambda: f"({key} IS NULL)", lambda: f"({key} IS NOT NULL)",
            lambda: f"({key} <> ALL (ARRAY[{value()}, {value()}]))", lambda: f"({key} {compare()} {value()})",
            lambda: f"({key} BETWEEN {value()} AND {value()})", lambda: f"({key} IS {random.choice(('', 'NOT '))}DISTINCT FROM {value()})",
            lambda: f"({key} = {value()} OR {key} = {value()})", lambda: f"({key} = ANY ({self.literal(kind + '[]')}))" if kind in ("int", "text") else f"({key} = {value()})",
        ]
        if kind == "int":
            forms += [
                lambda: f"({key} = {self.literal('int8')})", lambda: f"({key} = {self.literal('numeric')})",
                lambda: f"(abs(mod({key}, 4)) = {random.randint(0, 3)})", lambda: f"({key} = {self.literal('float8')})",
                lambda: f"({key} = {value()} AND abs(mod({key}, 4)) = {random.randint(0, 3)})", lambda: f"({key} + 1 = {value()})",
                lambda: f"({key} IN ({value()}, {self.literal('int8')}))",
            ]
        if kind == "date":
            forms += [lambda: f"({key} {compare()} {self.literal('timestamp')})", lambda: f"({key} {compare()} {self.literal('timestamptz')})"]
        return random.choice(forms)()


def compare():
    return random.choice(("=", "=", "=", "<>", "<", "<=", ">", ">="))


def constant(kind):
    """A literal, sometimes NULL."""
    if random.random() < 0.04:
        return f"NULL::{kind}"
    return value_of(kind)


def value_of(kind):
    number = random.randint
    return {
        "int": lambda: f"{n}" if (n := number(-20, 60)) >= 0 else f"({n})",
        "int8": lambda: f"'{number(-30, 100)}'::int8",
        "int2": lambda: f"'{number(-5, 15)}'::int2",
        "numeric": lambda: random.choice((f"({number(-10, 60)}.0)", f"({number(-100, 600)}.{number(0, 3) * 25:02})", f"{number(0, 50)}::numeric", "'NaN'::numeric")),
        "float8": lambda: random.choice((f"'{number(-40, 400) / 8}'::float8", f"{number(0, 50)}::float8", "'NaN'::float8", "'Infinity'::float8")),
        "float4": lambda: f"'{number(-40, 400) / 8}'::float4",
        "text": lambda: f"'{random.choice(WORDS)}'::text" if random.random() < 0.7 else f"'text {number(0, 14)}'::text",
        "varchar": lambda: f"'v{number(0, 8)}'::varchar",
        "bpchar": lambda: f"'c{number(0, 8)}'::char(6)",
        "bool": lambda: random.choice(("true", "false")),
        "date": lambda: f"(date '2020-01-01' + {number(-10, 520)})",
        "timestamp": lambda: random.choice((f"(timestamp '2020-02-01 12:00' + {number(0, 500)} * interval '7 hours')", f"timestamp '2020-0{number(1, 9)}-01'")),
        "timestamptz": lambda: f"(timestamptz '2020-03-01 12:00+00' + {number(0, 500)} * interval '5 hours')",
        "interval": lambda: f"({number(-2, 30)} * interval '1 day 13 hours')",
        "jsonb": lambda: random.choice((f"""'{{"k": {number(0, 4)}}}'::jsonb""", "'[1, null]'::jsonb", "'null'::jsonb", """'"a"'::jsonb""")),
        "int[]": lambda: random.choice((f"ARRAY[{number(0, 8)}, {number(0, 40)}]", f"ARRAY[{number(-9, 40)}, NULL, {number(0, 40)}, {number(0, 60)}]", "'{}'::int[]")),
        "mood": lambda: f"'{random.choice(('sad', 'ok', 'happy'))}'::mood",
        "bytea": lambda: f"decode(md5('{number(0, 8)}'), 'hex')",
        "uuid": lambda: f"md5('{number(0, 19)}')::uuid",
        "text[]": lambda: random.choice((f"ARRAY['t{number(0, 4)}', 'x,y']", "ARRAY['text 3', 'key 8', NULL]", f"ARRAY['key {number(1, 60)}']")),
    }[kind]()


FORMS = {
    "int": ["({int} + {int})", "({int} - {int})", "({int} % {small})", "abs({int} % 50)", "length({text})", "cardinality({int[]})", "{int2}::int",
            "extract(year from {date})::int", "extract(dow from {timestamp})::int", "strpos({text}, {const text})", "({int[]})[{small}]",
            "({bool})::int", "({date} - {date})", "({int} & {small})", "({int} / {small})", "ascii({text})", "octet_length({bytea})",
            "array_position({int[]}, {int})", "mod({int}, {small})", "(({int})::int8)::int", "width_bucket({int}, 0, 50, {small})"],
    "int8": ["({int8} + {int8})", "({int8} - {int})", "{int}::int8", "({int8} % {small})", "abs({int8})", "({int} * {int8} % 1000)", "hashtext({text})::int8", "(-{int8})"],
    "int2": ["{int2}", "({small})::int2", "abs({int2})", "({int2} % {small}::int2)"],
    "numeric": ["({numeric} + {numeric})", "({numeric} - {numeric})", "({numeric} * {int})", "round({numeric}, 1)", "trunc({numeric})", "abs({numeric})", "{int}::numeric", "{int8}::numeric",
                "extract(epoch from {timestamp})", "({numeric} / {small})", "ceil({numeric})", "{int}::numeric(12,2)", "(-{numeric})"],
    "float8": ["({float8} + {float8})", "({float8} - {int})", "({float8} * {small})", "{int}::float8", "abs({float8})", "{float4}::float8", "floor({float8})", "({float8} / {small})"],
    "float4": ["({float4} + {float4})", "abs({float4})", "{float4}", "{int2}::float4"],
    "text": ["({text} || {text})", "upper({text})", "lower({text})", "substr({text}, {small}, {small})", "left({text}, {small})", "right({text}, {small})", "replace({text}, {const text}, {text})",
             "md5({text})", "{int}::text", "{varchar}::text", "{bpchar}::text", "{date}::text", "{timestamptz}::text", "{interval}::text", "{bytea}::text", "{mood}::text", "({jsonb} ->> 'k')", "{jsonb}::text", "{int[]}::text", "concat({text}, {int})", "concat_ws('-', {text}, {varchar}, {date})",
             "to_char({timestamp}, 'YYYY-MM-DD HH24')", "to_char({timestamptz}, 'DD HH24')", "to_char({int}, '999')", "lpad({text}, {small})", "btrim({text})", "reverse({text})", "split_part({text}, ' ', 1)", "initcap({text})", "quote_literal({text})",
             "repeat({text}, 2)", "array_to_string({int[]}, ',', '*')", "({text[]})[1]", "{bool}::text", "{uuid}::text", "{numeric}::numeric(30,3)::text", "regexp_replace({text}, '[a-e]', '#', 'g')", "encode({bytea}, 'base64')", "translate({text}, 'tex', 'abc')", "format('%s/%s', {text}, {int})", "chr(65 + abs({int} % 20))", "substring({text} from 2 for {small})", "overlay({text} placing 'zz' from {small})", "({text} COLLATE \"C\")"],
    "varchar": ["{varchar}", "{text}::varchar", "({varchar} || {varchar})::varchar", "{text}::varchar(3)"],
    "bpchar": ["{bpchar}"],
    "bool": ["{cond}"],
    "date": ["({date} + {small})", "{timestamp}::date", "{timestamptz}::date", "date_trunc('{unit}', {timestamp})::date", "make_date(2020, {small}, {small})", "({date} - abs({int} % 20))"],
    "timestamp": ["({timestamp} + {interval})", "date_trunc('{unit}', {timestamp})", "{date}::timestamp", "({timestamptz} AT TIME ZONE 'America/New_York')", "{timestamptz}::timestamp", "({date} + {interval})"],
    "timestamptz": ["({timestamptz} + {interval})", "({timestamp} AT TIME ZONE 'Europe/Berlin')", "{timestamp}::timestamptz", "date_trunc('{unit}', {timestamptz})", "{date}::timestamptz"],
    "interval": ["({timestamp} - {timestamp})", "({timestamptz} - {timestamptz})", "({interval} * 2)", "make_interval(days => {int})", "({interval} + {interval})", "age({timestamp}, {timestamp})", "justify_hours({interval})"],
    "jsonb": ["({jsonb} -> 'k')", "({jsonb} -> 'w')", "jsonb_build_object('q', {int}, 'p', {text})", "to_jsonb({int})", "to_jsonb({text})", "jsonb_build_array({timestamp}, {numeric}, {bool})", "({jsonb} #> ARRAY['w', '0'])", "to_jsonb({date})"],
    "int[]": ["ARRAY[{int}, {int}]", "({int[]} || {int[]})", "array_append({int[]}, {int})", "({int[]} || {int})", "array_remove({int[]}, {int})", "({int[]})[1:2]"],
    "mood": ["{mood}"],
    "bytea": ["({bytea} || {bytea})", "convert_to({text}, 'UTF8')", "substr({bytea}, 1, {small})", "sha256({bytea})"],
    "uuid": ["md5({text})::uuid", "{uuid}"],
    "text[]": ["ARRAY[{text}, {text}]", "({text[]} || {text})", "string_to_array({text}, ' ')", "array_cat({text[]}, {text[]})"],
}
# Parts of forms whose result settings decide.
NOT_IMMUTABLE = ("timestamptz", "to_char", "concat", "format(", "{date}::text", "{interval}::text", "{bytea}::text", "jsonb_build", "to_jsonb", "{date} < {timestamp}",
                 "{mood}", "{jsonb}::text", "{int[]}::text", "array_to_string", "OVERLAPS", "convert_to", "quote_literal", "num_nulls", "COLLATE")
CONDITIONS = [
    "({text} LIKE 'text 1%')", "({text} NOT LIKE '%\\_%')", "({text} ILIKE '%T%')", "({text} ~ '^t.*[0-4]$')", "({text} !~* 'X')", "({text} SIMILAR TO '(t|k)%')", "({varchar} LIKE 'v%')", "({bpchar} LIKE 'c3%')",
    "({text} LIKE {text})", "({int} IS NULL)", "({text} IS NULL)", "({numeric} IS NOT NULL)", "({text} IS DISTINCT FROM {text})", "({int} IS NOT DISTINCT FROM {int})", "({int} BETWEEN {int} AND {int})", "({date} NOT BETWEEN {date} AND {date})",
    "({int} BETWEEN SYMMETRIC {int} AND {int8})", "({int} IN ({int}, {int}, {const int}))", "({text} IN ({const text}, {const text}))", "({text} NOT IN ({const text}, {text}))", "({int} = ANY ({int[]}::int[]))", "({int} <> ALL ({int[]}::int[]))", "({text} = ANY ({text[]}::text[]))", "({int} > ANY ({int[]}::int[]))",
    "(({int}, {text}) = ({int}, {text}))", "(({int}, {date}) < ({int}, {date}))", "(({int}, {int}) IN (({int}, {int}), ({const int}, {const int})))", "(({int}, {int8}, {text}) >= ({int}, {int8}, {text}))", "(({int}, {text}) IS DISTINCT FROM ({int}, {text}))", "(ROW({int}, {text}) IS NOT NULL)",
    "({jsonb} @> {const jsonb})", "({jsonb} ? 'k')", "({jsonb} = {jsonb})", "({int[]} @> {int[]})", "({int[]} && {int[]})", "({int[]} = {int[]})", "({date} < {timestamp})", "({timestamp} >= {timestamptz})", "({date} = {timestamptz})", "(({date}, {interval}) OVERLAPS ({date}, {interval}))",
    "({varchar} = {text})", "({bpchar} = {bpchar})", "({bpchar} = {text}::bpchar)", "({text} = {bpchar})", "({mood} >= {mood})", "({mood} = {const mood})", "({bytea} < {bytea})", "({uuid} = {uuid})", "({bool} = {bool})", "({bool} IS NOT TRUE)", "({float8} = 'NaN')", "({float4} < {float8})", "({interval} > {interval})",
    "starts_with({text}, {const text})", "({text} COLLATE \"C\" < {text})", "({text} ^@ 'te')", "num_nulls({int}, {text}) = 1", "({text} > {varchar})", "(({int[]})[1] = {int})", "({int}::text = {text})", "(extract(month from {date}) = {small})", "isfinite({date})", "({date} = {date})", "(length({text}) = {small})",
]
