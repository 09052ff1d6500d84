"""A session: sends SQL, gives rows as texts, the command tag, or the error's SQLSTATE."""

import socket
import struct

FLOATS = {700: 5, 701: 9}


class Gone(Exception):
    """The connection has ended: the backend is dead."""


def rounded(text, digits):
    """Sums of floats are added in another order over several shards: the last digits do not count."""
    value = float(text)
    if value == 0 or abs(value) < 1e-9:
        return "0"
    return f"{value:.{digits}g}"


class Answer:
    def __init__(self):
        self.rows, self.tag, self.state, self.message, self.columns = [], None, None, None, []

    def __str__(self):
        if self.state:
            return f"ERROR {self.state} {self.message}"
        return f"{self.tag}, {len(self.rows)} rows"


class Client:
    def __init__(self, port, **options):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=90)
        self.input = self.socket.makefile("rb")
        options = {"user": "postgres", "database": "coord", **options}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in options.items()) + b"\0"
        self.socket.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)
        self.answer()

    def send(self, sql):
        body = sql.encode() + b"\0"
        try:
            self.socket.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
        except OSError as problem:
            raise Gone(str(problem)) from problem

    def run(self, sql):
        self.send(sql)
        return self.answer()

    def read(self, length):
        try:
            body = self.input.read(length)
        except OSError as problem:
            raise Gone(str(problem)) from problem
        if body is None or len(body) < length:
            raise Gone("connection closed")
        return body

    def answer(self):
        """Rows of all results up to ReadyForQuery; the last tag; the first error."""
        result, types = Answer(), []
        while True:
            tag, length = struct.unpack("!ci", self.read(5))
            body = self.read(length - 4)
            if tag == b"D":
                result.rows.append(values(body, types))
            elif tag == b"T":
                types = column_types(body)
                result.columns = types
            elif tag == b"C":
                result.tag = body[:-1].decode()
            elif tag == b"E" and result.state is None:
                fields = {f[:1]: f[1:].decode() for f in body.split(b"\0") if f}
                result.state, result.message = fields[b"C"], fields[b"M"]
                result.detail = " | ".join(fields.get(k, "") for k in (b"D", b"H", b"W"))
            elif tag == b"Z":
                return result


def column_types(body):
    types, at = [], 2
    for _ in range(struct.unpack("!h", body[:2])[0]):
        at = body.index(b"\0", at) + 1
        types.append(struct.unpack("!i", body[at + 6:at + 10])[0])
        at += 18
    return types


def values(body, types):
    row, at = [], 2
    for number in range(struct.unpack("!h", body[:2])[0]):
        length = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        if length < 0:
            row.append(None)
            continue
        text = body[at:at + length].decode()
        at += length
        if types[number] in FLOATS:
            text = rounded(text, FLOATS[types[number]])
        row.append(text)
    return tuple(row)
