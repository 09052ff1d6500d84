"""Sends random statements to the tables on shards and to their local copies; their results must be the same.

    compare.py PORT queries|changes SEED COUNT

RANDOM_DEBUG=1 also shows statements that are no SQL, so that the generator can be mended.
"""

import os
import random
import sys
from collections import Counter

import settings
from changes import Changes
from client import Client, Gone
from expressions import value_of
from queries import Queries

# Errors that depend on which of two expressions is evaluated first, or on the plan that is chosen.
SOFT = ("22", "57014", "0A000", "54")


class Pair:
    """The two sessions."""

    def __init__(self, port):
        self.port = port
        self.connect()
        self.settings = []
        self.version = int(self.sides[1].run("SHOW server_version_num").rows[0][0])

    def connect(self):
        self.sides = [Client(self.port), Client(self.port)]
        for schema, client in zip("sl", self.sides):
            client.run(f"SET search_path = {schema}, public")

    def set(self, said, servers):
        self.settings = [*servers, *said]
        self.sides[0].run("ROLLBACK")
        for sql in servers:
            self.sides[0].run(sql)
        for schema, client in zip("sl", self.sides):
            client.run("ROLLBACK")
            for sql in [*said, f"SET search_path = {schema}, public"]:
                client.run(sql)

    def run(self, sql):
        return [client.run(sql) for client in self.sides]


def soft(state):
    return state is not None and state.startswith(SOFT)


def differ(answers, statement):
    """What is different, or None."""
    there, here = answers
    if there.state or here.state:
        # Said in docs/40_limitations.md.
        if there.state and "violates the constraints that tell which rows are there" in there.message:
            return None
        if there.state == here.state or soft(there.state) or soft(here.state):
            return None
        if there.state and here.state and there.state[:2] == here.state[:2] == "23":
            return None
        # Keys are looked at row by row: in which order decides.
        if "23505" in (there.state, here.state) and statement.startswith(("UPDATE", "WITH", "EXECUTE")):
            return None
        return f"there: {there}\n  here: {here}"
    missing, more = Counter(here.rows), Counter(there.rows)
    missing, more = missing - more, more - missing
    if missing or more:
        return f"there: {there}\n  here: {here}\n  only there: {list(more.elements())[:4]}\n  only here: {list(missing.elements())[:4]}"
    if there.tag != here.tag:
        return f"tags: {there.tag} {here.tag}"
    return None


class Report:
    def __init__(self, seed):
        self.seed, self.found, self.done, self.errors, self.rows = seed, 0, 0, Counter(), 0
        self.debug = "RANDOM_DEBUG" in os.environ

    def add(self, pair, what, statements):
        self.found += 1
        print(f"DIFFERENT seed {self.seed} statement {self.done}\n  {what}", flush=True)
        print("  " + "; ".join(pair.settings) + ";")
        for sql in statements:
            print(f"  {sql};")
        last = statements[-1]
        if last.startswith(("SELECT", "WITH", "(", "INSERT", "UPDATE", "DELETE", "EXECUTE")):
            try:
                for row in pair.sides[0].run(f"EXPLAIN (VERBOSE, COSTS OFF) {last}").rows:
                    print(f"    {row[0]}")
            except Gone:
                pair.connect()
        print(flush=True)


def forms(sql, parameters):
    """Ways to ask a query: lists of statements, and which of them give rows to compare."""
    if parameters:
        types = ", ".join(parameters)
        calls = []
        for _ in range(random.randint(2, 3)):
            calls.append("EXECUTE q(" + ", ".join(value_of(k) if random.random() > 0.08 else f"NULL::{k}" for k in parameters) + ")")
        return [f"PREPARE q({types}) AS {sql}", *calls, "DEALLOCATE q"]
    choice = random.random()
    if choice < 0.15:
        fetches = [f"FETCH {random.randint(1, 40)} FROM k" for _ in range(random.randint(1, 4))]
        return ["BEGIN", f"DECLARE k CURSOR FOR {sql}", "; ".join([*fetches, "FETCH ALL FROM k"]), "CLOSE k", "COMMIT"]
    return [sql]


def queries(pair, report, count):
    block = 0
    while report.done < count:
        if block == 0:
            pair.set(settings.some(pair.version), settings.of_servers())
            block = 15
        block -= 1
        parameters = [] if random.random() < 0.3 else None
        maker = Queries(parameters)
        sql = maker.query()
        statements = forms(sql, parameters)
        said = []
        for statement in statements:
            said.append(statement)
            report.done += 1
            answers = run_watched(pair, report, said, statement)
            report.rows += len(answers[1].rows)
            if answers[0].state:
                report.errors[answers[0].state, answers[0].message[:60]] += 1
            if answers[1].state and answers[1].state[:2] == "42" and report.debug:
                print(f"GENERATOR {answers[1].state} {answers[1].message}\n  {statement}")
            if what := differ(answers, statement):
                report.add(pair, what, said)
                break
            if answers[0].state or answers[1].state:
                break
        if len(statements) > 1:
            pair.run("ROLLBACK")
            pair.run("DEALLOCATE ALL")


def change(pair, report, said):
    """One change on both sides; the tables that it concerned, or None when the sides went apart."""
    parameters = [] if random.random() < 0.25 else None
    maker = Changes(parameters)
    sql, tables = maker.change()
    statements = [sql]
    if parameters:
        calls = ", ".join(value_of(k) for k in parameters)
        statements = [f"PREPARE q({', '.join(parameters)}) AS {sql}", f"EXECUTE q({calls})"]
    for statement in statements:
        if not run_change(pair, report, said, statement, parameters):
            return None
    if parameters:
        pair.run("DEALLOCATE ALL")
    for table in tables:
        look = f"SELECT * FROM {table}"
        if random.random() < 0.6 and not same(pair, report, [*said, look], pair.run(look)):
            return None
    return tables


def run_change(pair, report, said, statement, parameters):
    pair.run("SAVEPOINT p")
    said += ["SAVEPOINT p", statement]
    report.done += 1
    answers = run_watched(pair, report, said, statement)
    report.rows += len(answers[1].rows)
    if answers[1].state and answers[1].state[:2] == "42" and report.debug:
        print(f"GENERATOR {answers[1].state} {answers[1].message}\n  {statement}")
    if answers[0].state:
        report.errors[answers[0].state, answers[0].message[:60]] += 1
    if not same(pair, report, said, answers):
        return False
    if answers[0].state or answers[1].state:
        pair.run("ROLLBACK TO p")
        said.append("ROLLBACK TO p")
        if parameters:
            pair.run("DEALLOCATE ALL")
    return True


def run_watched(pair, report, said, statement):
    try:
        return pair.run(statement)
    except Gone as problem:
        report.found += 1
        print(f"GONE seed {report.seed}: {problem}\n  {'; '.join(pair.settings)};\n  " + ";\n  ".join(said), flush=True)
        raise


def same(pair, report, said, answers):
    what = differ(answers, said[-1])
    if what:
        report.add(pair, what, said)
    return what is None


def changes(pair, report, count):
    while report.done < count:
        pair.set(settings.some(pair.version), settings.of_servers())
        pair.run("BEGIN")
        said, touched = ["BEGIN"], set()
        good = True
        for _ in range(random.randint(1, 8)):
            tables = change(pair, report, said)
            if tables is None:
                good = False
                break
            touched.update(tables)
            if random.random() < 0.15:
                said.append("ROLLBACK TO p")
                pair.run("ROLLBACK TO p")
        end = "COMMIT" if good and random.random() < 0.35 else "ROLLBACK"
        said.append(end)
        answers = pair.run(end)
        if good and not same(pair, report, said, answers):
            good = False
        for table in sorted(touched):
            look = f"SELECT * FROM {table}"
            if good and not same(pair, report, [*said, look], pair.run(look)):
                good = False
        if not good and end == "COMMIT":
            return  # from here on they would differ in everything


def main():
    port, kind, seed, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    random.seed(f"{kind}{seed}")
    report = Report(seed)
    pair = Pair(port)
    if kind == "queries":
        queries(pair, report, count)
    else:
        changes(pair, report, count)
    print(f"{kind} seed {seed}: {report.done} statements, {report.rows} rows, {report.found} differences", flush=True)
    for (state, message), times in report.errors.most_common(12):
        print(f"    {times} times {state} {message}")
    return 1 if report.found else 0


if __name__ == "__main__":
    sys.exit(main())
