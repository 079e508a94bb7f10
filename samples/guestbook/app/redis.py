"""The few words of the redis protocol that the guestbook speaks."""
import os
import socket


def password():
    with open("/run/secrets/redis_password", encoding="utf-8") as file:
        return file.read().strip()


class Redis:
    def __init__(self):
        host = os.environ.get("REDIS_HOST", "db")
        self.stream = socket.create_connection((host, 6379), timeout=5).makefile("rwb")
        self("AUTH", password())

    def __call__(self, *words):
        parts = [str(word).encode() for word in words]
        message = b"*%d\r\n" % len(parts)
        message += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.stream.write(message)
        self.stream.flush()
        return self.reply()

    def reply(self):
        line = self.stream.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self.stream.read(size + 2)[:-2].decode()
        if kind == b"*":
            return [self.reply() for _ in range(int(rest))]
        return rest.decode()
