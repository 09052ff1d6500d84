"""A client that keeps the rows it is sent as bytes; run by passing_test.sh."""

import socket
import struct
import sys

TOLD = b"rows go from the shards to the client as they come"


class Client:
    def __init__(self, port, **options):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.input = self.socket.makefile("rb")
        options = {"user": "postgres", "database": "coord", **options}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in options.items()) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)
        self.answer()

    def answer(self):
        """Everything up to ReadyForQuery: columns, rows, tags, error, and whether rows were passed on."""
        result = {"columns": [], "rows": [], "tags": [], "error": None, "passed": False}
        while True:
            tag, length = struct.unpack("!ci", self.input.read(5))
            body = self.input.read(length - 4)
            if tag == b"D":
                result["rows"].append(body)
            elif tag == b"T":
                result["columns"].append(body)
            elif tag in (b"C", b"s"):
                result["tags"].append(tag + body)
            elif tag == b"E":
                fields = {f[:1]: f[1:] for f in body.split(b"\0") if f}
                result["error"] = (fields[b"C"], fields[b"M"])
            elif tag == b"N":
                result["passed"] |= TOLD in body
            elif tag == b"Z":
                return result

    def simple(self, sql):
        self.send(b"Q", sql.encode() + b"\0")
        return self.answer()

    def extended(self, sql, formats, limits=(0,)):
        self.send(b"P", b"\0" + sql.encode() + b"\0\0\0")
        codes = b"".join(struct.pack("!h", f) for f in formats)
        self.send(b"B", b"\0\0" + struct.pack("!hhh", 0, 0, len(formats)) + codes)
        self.send(b"D", b"P\0")
        for limit in limits:
            self.send(b"E", b"\0" + struct.pack("!i", limit))
        self.send(b"S", b"")
        return self.answer()

    def send(self, tag, body):
        self.socket.sendall(tag + struct.pack("!i", len(body) + 4) + body)


def check(name, good, what=""):
    print(f"ok {name}" if good else f"FAILED {name}\n    {what}", flush=True)


port = int(sys.argv[1])
catalog = Client(port)
columns = [
    tuple(field_values)
    for field_values in (
        [row[6:6 + struct.unpack("!i", row[2:6])[0]].decode(),
         row[10 + struct.unpack("!i", row[2:6])[0]:].decode()]
        for row in catalog.simple(
            "SELECT t, attname FROM unnest('{scalars,times,others,many,users}'::text[]) t, pg_attribute"
            " WHERE attrelid = t::regclass AND attnum > 1 AND NOT attisdropped ORDER BY t, attnum")["rows"]
    )
]
settings = [
    {}, {"datestyle": "SQL, DMY"}, {"datestyle": "German"}, {"datestyle": "ISO, DMY"},
    {"intervalstyle": "iso_8601"}, {"intervalstyle": "sql_standard"},
    {"extra_float_digits": "0"}, {"extra_float_digits": "3"}, {"bytea_output": "escape"},
    {"timezone": "America/New_York"}, {"timezone": "UTC"}, {"timezone": "<+01>-1"},
    {"client_encoding": "LATIN1"}, {"client_encoding": "EUC_JP"}, {"client_encoding": "SQL_ASCII"},
    {"xmloption": "document"},
]
passed = {}
for setting in settings:
    client = Client(port, client_min_messages="debug2", **setting)
    wrong = []
    for table, column in columns:
        for form in (0, 1):
            answers = {}
            for who, prefix, switch in (("on", "s_", "on"), ("off", "s_", "off"), ("here", "", "on")):
                client.simple(f"SET shard_fdw.enable_result_passthrough = {switch}")
                sql = f"SELECT {column} FROM {prefix}{table}"
                answer = client.extended(sql, [form])
                # An error may come between any two rows.
                rows = sorted(answer["rows"]) if not answer["error"] else []
                columns_of = [c.replace(struct.pack("!ih", 0, 0), b"") for c in answer["columns"]]
                answers[who] = (rows, answer["tags"], answer["error"], len(columns_of))
                if who == "on" and answer["passed"]:
                    passed.setdefault((frozenset(setting.items()), form), set()).add(column)
                if who == "off" and answer["passed"]:
                    wrong.append((column, form, "passed on while switched off"))
            if answers["on"] != answers["off"] or answers["on"][:2] != answers["here"][:2]:
                wrong.append((column, form, {k: str(v)[:300] for k, v in answers.items()}))
    check(f"every type under {setting or 'no particular settings'}", not wrong, wrong[:3])


def of(form, **setting):
    return passed.get((frozenset(setting.items()), form), set())


base = of(0, timezone="UTC")
stay = {"c_money", "c_xml", "c_jsonpath", "c_tsquery", "c_char", "c_mood", "c_positive", "c_pair", "c_price", "c_regclass"}
check("text of most types is passed on",
      {"c_int4", "c_text", "c_numeric", "c_bytea", "c_jsonb", "c_float8", "c_timestamptz", "c_date", "c_interval",
       "c_inet", "c_point", "c_times", "c_tstzrange", "c_uuid", "c_char_5"} <= base, sorted(base))
check("text of some never is", not (stay & base), sorted(stay & base))
check("binary forms are passed on",
      {"c_int4", "c_text", "c_numeric", "c_bytea", "c_jsonb", "c_timestamptz", "c_money"} <= of(1), sorted(of(1)))
check("time zone", base - of(0, timezone="America/New_York") >= {"c_timestamptz", "c_times", "c_tstzrange"}
      and "c_date" in of(0, timezone="America/New_York"))
check("bytea_output", base - of(0, bytea_output="escape") - of(0) == {"c_bytea"} - of(0)
      and "c_bytea" not in of(0, bytea_output="escape"))
for column, setting in (("c_date", {"datestyle": "German"}), ("c_interval", {"intervalstyle": "iso_8601"}),
                        ("c_float8", {"extra_float_digits": "0"})):
    check(f"{column} under {setting}", column not in of(0, **setting) and "c_int4" in of(0, **setting))
check("another encoding", not of(0, client_encoding="LATIN1") and not of(1, client_encoding="LATIN1"))

client = Client(port, client_min_messages="debug2")


def compare(name, sql, formats=None, limits=(0,), twin=None, expect=True, ordered=False):
    answers = []
    for switch in ("on", "off"):
        client.simple(f"SET shard_fdw.enable_result_passthrough = {switch}")
        answer = client.extended(sql, formats, limits) if formats is not None else client.simple(sql)
        if switch == "on":
            told = answer["passed"]
        arrange = list if ordered else sorted
        answers.append((arrange(answer["rows"]), answer["tags"], answer["error"], answer["columns"]))
    client.simple("SET shard_fdw.enable_result_passthrough = on")
    if twin:
        answer = client.extended(twin, formats, limits) if formats is not None else client.simple(twin)
        answers.append((arrange(answer["rows"]), answer["tags"], answer["error"], answers[0][3]))
    same = all(answer == answers[0] for answer in answers)
    check(name, same and told == expect, f"passed on: {told}; {[str(a)[:200] for a in answers]}")


all_of = "SELECT * FROM {}wide"
compare("all rows", all_of.format("s_"), twin=all_of.format(""))
compare("all rows, extended", all_of.format("s_"), [0], twin=all_of.format(""))
compare("all rows in binary", all_of.format("s_"), [1], twin=all_of.format(""))
compare("formats column by column", all_of.format("s_"), [1, 0, 1, 0, 1, 0], twin=all_of.format(""))
for shape in ("t, id, n", "n", "id, id, v", "v, c AS x, id"):
    for formats in (None, [0], [1]):
        compare(f"columns {shape} {formats}", f"SELECT {shape} FROM s_wide", formats, twin=f"SELECT {shape} FROM wide")
        compare(f"columns {shape} of one {formats}", f"SELECT {shape} FROM wide_one", formats,
                twin=f"SELECT {shape} FROM wide WHERE id % 2 = 0")
compare("one column in two formats", "SELECT id, id FROM s_wide", [0, 1], twin="SELECT id, id FROM wide", expect=False)
compare("one row", "SELECT * FROM s_wide WHERE id = 5", twin="SELECT * FROM wide WHERE id = 5")
compare("no row", "SELECT * FROM s_wide WHERE id = 100001", twin="SELECT * FROM wide WHERE id = 100001")
compare("a transaction of its own, larger than expected", "SELECT n FROM s_wide WHERE id % 2 = n % 2")
compare("grouped on the shards", "SELECT id, count(*), sum(n) FROM wide_one GROUP BY id",
        twin="SELECT id, count(*), sum(n) FROM wide WHERE id % 2 = 0 GROUP BY id")
for by in ("id", "id DESC", "n, id", "v COLLATE \"C\" DESC, id", "d DESC, id DESC", "c COLLATE \"C\", id"):
    for shape in ("*", "t, n", "d", "id"):
        for formats in (None, [0], [1]):
            sql = f"SELECT {shape} FROM {{}}wide ORDER BY {by}"
            compare(f"{shape} in the order of {by} {formats}", sql.format("s_"), formats, twin=sql.format(""), ordered=True)
compare("in order, one shard does not fit", "SELECT * FROM mixed ORDER BY n DESC", twin="SELECT id, n FROM wide ORDER BY n DESC", ordered=True)
compare("in order, one shard does not fit, binary", "SELECT * FROM mixed ORDER BY n, id", [1], twin="SELECT id, n FROM wide ORDER BY n", ordered=True)
compare("in order, with NULLs", "SELECT c_date, id FROM s_times ORDER BY c_date, id", twin="SELECT c_date, id FROM times ORDER BY c_date, id", ordered=True)
compare("in order, with NULLs first", "SELECT id, c_interval FROM s_times ORDER BY c_timestamptz DESC, id",
        twin="SELECT id, c_interval FROM times ORDER BY c_timestamptz DESC, id", ordered=True)
compare("in order, executed again", "SELECT * FROM s_wide ORDER BY id", [0], limits=(0, 0), ordered=True)
compare("a condition that is evaluated here", "SELECT * FROM s_wide WHERE random() >= 0", expect=False)
compare("an expression", "SELECT id + random() * 0 FROM s_wide", expect=False)
compare("no columns", "SELECT FROM s_wide", expect=False, twin="SELECT FROM wide")
compare("whole rows", "SELECT s_wide FROM s_wide", expect=False)
compare("tableoid", "SELECT tableoid, id FROM s_wide")
compare("several statements", "SELECT * FROM s_wide; SELECT 1; SELECT n, id FROM s_wide")
compare("a row limit", "SELECT * FROM s_wide ORDER BY id", [0], limits=(3, 7, 0), expect=False, ordered=True)
compare("executed again", "SELECT * FROM s_wide", [0], limits=(0, 0))
compare("in a transaction block", "BEGIN; SELECT * FROM s_wide; SELECT * FROM s_wide; COMMIT")
compare("a cursor", "BEGIN; DECLARE c CURSOR FOR SELECT * FROM wide_one; FETCH 10 FROM c; FETCH ALL FROM c; COMMIT", expect=False)
compare("a function", "DO $$BEGIN PERFORM * FROM s_wide; END$$", expect=False)
compare("EXPLAIN ANALYZE", "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM s_wide", expect=False)
compare("COPY of a query", "CREATE TEMP TABLE got AS SELECT * FROM s_wide; SELECT count(*), sum(n) FROM got; DROP TABLE got", expect=False)
compare("a type that does not fit", "SELECT n FROM fit")
compare("a modifier that does not fit", "SELECT m FROM fit")
compare("varchar as text", "SELECT v FROM fit", [1])
compare("an enum", "SELECT e FROM fit", expect=False)
compare("one shard does not fit", "SELECT * FROM mixed", twin="SELECT id, n FROM wide")
compare("one shard does not fit, binary", "SELECT * FROM mixed", [1], twin="SELECT id, n FROM wide")
client.simple("SET enable_seqscan = on; SET statement_timeout = '20s'")
answer = client.simple("SELECT count(*) FROM s_wide")
check("the session goes on", answer["rows"] != [] and answer["error"] is None, answer)
