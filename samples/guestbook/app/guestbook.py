"""The guestbook: shows the entries, takes new ones."""
import html
import os
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from redis import Redis

PAGE = """<!doctype html>
<title>{title}</title>
<link rel="stylesheet" href="/style.css">
<h1>{title}</h1>
<form method="post"><input name="entry" maxlength="200" autofocus> <button>Sign</button></form>
<ul>{entries}</ul>
<p>served by {host} to {client}</p>
"""


class Guestbook(BaseHTTPRequestHandler):
    def answer(self, status, text, **headers):
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            return self.answer(200, Redis()("PING"))
        entries = Redis()("LRANGE", "entries", 0, -1)
        return self.answer(200, PAGE.format(
            title=html.escape(os.environ.get("TITLE", "Guestbook")),
            entries="".join(f"<li>{html.escape(entry)}</li>" for entry in entries),
            host=os.uname().nodename,
            client=html.escape(self.headers.get("X-Real-IP", "?"))))

    def do_POST(self):
        size = min(int(self.headers.get("Content-Length", 0)), 4096)
        form = urllib.parse.parse_qs(self.rfile.read(size).decode())
        if form.get("entry"):
            Redis()("RPUSH", "entries", form["entry"][0][:200])
        return self.answer(303, "", Location="/")


print("guestbook: ready on port 8000", flush=True)
ThreadingHTTPServer(("", 8000), Guestbook).serve_forever()
