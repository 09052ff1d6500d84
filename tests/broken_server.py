"""A server that breaks the protocol in the way that the database's name says. Prints its port."""
import socket
import struct
import sys
import threading


def message(tag, body=b""):
    return tag + struct.pack("!i", len(body) + 4) + body


def row(*fields, count=None):
    body = struct.pack("!H", len(fields) if count is None else count)
    for field in fields:
        body += struct.pack("!i", -1) if field is None else struct.pack("!i", len(field)) + field
    return body


def columns(*types, count=None):
    each = (b"c%d\0" % number + struct.pack("!ihihih", 0, 0, oid, -1, -1, 0) for number, oid in enumerate(types))
    return struct.pack("!H", len(types) if count is None else count) + b"".join(each)


def complaint(severity=b"ERROR", state=b"42P01", text=b"broken"):
    return b"S" + severity + b"\0V" + severity + b"\0C" + state + b"\0M" + text + b"\0\0"


ONE = row(struct.pack("!i", 7), b"seven")
READY, IN_BLOCK = message(b"Z", b"I"), message(b"Z", b"T")
DONE = message(b"C", b"SELECT 1\0")
NOTICE = message(b"N", complaint(b"NOTICE", b"00000"))
# What Execute is answered with.
ANSWERS = {
    "fine": message(b"D", ONE) + DONE,
    "close_in_message": message(b"D", ONE)[:9],
    "negative_message": b"D" + struct.pack("!i", -5),
    "short_message": b"D" + struct.pack("!i", 3),
    "huge_message": b"D" + struct.pack("!i", 0x7FFFFFFF) + b"x" * 100,
    "huge_short_message": b"Z" + struct.pack("!i", 0x3FFFFFFF),
    "negative_field": message(b"D", struct.pack("!Hii", 2, 4, 7) + struct.pack("!i", -2)),
    "long_field": message(b"D", struct.pack("!Hii", 2, 4, 7) + struct.pack("!i", 1 << 30) + b"x"),
    "more_fields": message(b"D", row(struct.pack("!i", 7), b"seven", b"more")) + DONE,
    "no_fields": message(b"D", row()) + DONE,
    "lying_count": message(b"D", row(b"1", count=65535)) + DONE,
    "short_integer": message(b"D", row(b"\0\0\7", b"seven")) + DONE,
    "not_text": message(b"D", row(struct.pack("!i", 7), b"\xff\xfe")) + DONE,
    "nul_in_text": message(b"D", row(struct.pack("!i", 7), b"a\0b")) + DONE,
    "no_end": message(b"D", ONE),
    "early_ready": IN_BLOCK,
    "copy_in": message(b"G", struct.pack("!bH", 0, 0)),
    "copy_out": message(b"H", struct.pack("!bH", 0, 0)) + message(b"d", b"x") + message(b"c") + DONE,
    "copy_both": message(b"W", struct.pack("!bH", 0, 0)),
    "unknown": message(b"x", b"?"),
    "bare_error": message(b"E", b"SERROR"),
    "empty_error": message(b"E", b"\0"),
    "error_no_text": message(b"E", complaint(text=b"\xfc\xff%s%n")),
    "error_success": message(b"E", complaint(state=b"00000")),
    "error_odd_state": message(b"E", complaint(state=b"\xff!")),
    "fatal": message(b"E", complaint(b"FATAL", b"57P01")),
    "stray_answer": message(b"1") + message(b"2") + DONE,
}
# What it is answered with again and again, without an end.
ENDLESS = {
    "notices": NOTICE,
    "parameters": message(b"S", b"a\0b\0"),
    "notifications": message(b"A", struct.pack("!i", 1) + b"c\0p\0"),
    "rows": message(b"D", ONE),
}


class Client:
    def __init__(self, connection):
        self.connection, self.input, self.bound = connection, b"", 0

    def take(self, count):
        while len(self.input) < count:
            more = self.connection.recv(65536)
            if not more:
                raise EOFError
            self.input += more
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def send(self, data):
        self.connection.sendall(data)

    def start(self):
        while True:
            (length,) = struct.unpack("!i", self.take(4))
            body = self.take(length - 4)
            (code,) = struct.unpack("!i", body[:4])
            if code == 80877103:
                self.send(b"N")
            elif code == 80877102:
                raise EOFError
            else:
                words = body[4:].split(b"\0")
                self.mode = dict(zip(words[::2], words[1::2]))[b"database"].decode()
                return

    def log_in(self):
        if self.mode == "close_at_login":
            raise EOFError
        while self.mode == "notices_at_login":
            self.send(NOTICE * 100)
        while self.mode == "passwords_at_login":
            self.send(message(b"R", struct.pack("!i", 3)) * 100)
        if self.mode == "nonsense_at_login":
            self.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise EOFError
        if self.mode == "short_key":
            self.send(message(b"R", struct.pack("!i", 0)) + message(b"K", b"\0"))
        self.send(message(b"R", struct.pack("!i", 0)))
        for name, value in ((b"server_version", b"15.0"), (b"client_encoding", b"UTF8")):
            self.send(message(b"S", name + b"\0" + value + b"\0"))
        self.send(message(b"K", struct.pack("!ii", 1, 1)) + READY)

    def serve(self):
        block = READY
        while True:
            tag = self.take(1)
            (length,) = struct.unpack("!i", self.take(4))
            body = self.take(length - 4)
            if tag == b"X":
                raise EOFError
            if tag == b"Q":
                for part in body.rstrip(b"\0").split(b";"):
                    word = part.split()[0].upper() if part.split() else b""
                    block = {b"START": IN_BLOCK, b"COMMIT": READY, b"ROLLBACK": READY}.get(word, block)
                    self.send(message(b"C", word + b"\0"))
                self.send(block)
            elif tag == b"P":
                self.query = body.split(b"\0")[1]
                self.send(message(b"1"))
            elif tag == b"D":
                self.describe()
            elif tag == b"B":
                self.send(message(b"2"))
            elif tag == b"C":
                self.send(message(b"3"))
            elif tag == b"E":
                if self.query.startswith(b"START"):
                    block = IN_BLOCK
                    self.send(message(b"C", b"START TRANSACTION\0"))
                elif self.query.startswith(b"COMMIT"):
                    block = READY
                    self.send(message(b"C", b"COMMIT\0"))
                else:
                    self.execute()
            elif tag == b"S":
                self.send(block)

    def describe(self):
        if self.mode == "row_first":
            return
        self.send(message(b"t", struct.pack("!H", 0)))
        if self.mode == "lying_columns":
            self.send(message(b"T", columns(23, count=65535)))
        elif self.mode == "more_columns":
            self.send(message(b"T", columns(23, 25, 25)))
        elif self.mode == "many_columns":
            self.send(message(b"T", columns(*[23] * 60000)))
        elif self.mode == "unknown_types":
            self.send(message(b"T", columns(4000000000 - (1 << 32), 25)))
        elif self.mode == "no_data":
            self.send(message(b"n"))
        else:
            self.send(message(b"T", columns(23, 25)))

    def execute(self):
        while self.mode in ENDLESS:
            self.send(ENDLESS[self.mode] * 100)
        if self.mode == "suspended":
            self.send(message(b"s"))
        elif self.mode in ("unknown_types", "many_columns", "more_columns", "no_data"):
            self.send(message(b"D", ONE) + DONE)
        else:
            self.send(ANSWERS.get(self.mode, ANSWERS["fine"]))
        if self.mode in ("close_in_message", "fatal"):
            raise EOFError


def attend(connection):
    try:
        client = Client(connection)
        client.start()
        client.log_in()
        client.serve()
    except (EOFError, OSError):
        pass
    connection.close()


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(50)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=attend, args=(listener.accept()[0],), daemon=True).start()
