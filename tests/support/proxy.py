# SPDX-License-Identifier: GPL-2.0-or-later
"""A proxy that lets in whoever gives "me:secret". Run as a program:

    proxy.py LOG PORT NAME=ADDRESS...

It knows the addresses of these names, and nobody else does. Each request is a line in LOG."""

import base64
import http.client
import http.server
import select
import socket
import sys
import urllib.parse

LOG = open(sys.argv[1], "a", buffering=1)
NAMES = dict(word.split("=") for word in sys.argv[3:])
SECRET = "Basic " + base64.b64encode(b"me:secret").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def welcome(self):
        if self.headers.get("Proxy-Authorization") == SECRET:
            LOG.write(f"{self.command} {self.path}\n")
            return True
        LOG.write(f"refused {self.command}\n")
        self.send_response(407)
        self.send_header("Content-Length", "0")
        self.send_header("Proxy-Authenticate", 'Basic realm="test"')
        self.end_headers()
        return False

    def do_CONNECT(self):
        host, port = self.path.split(":")
        if not self.welcome():
            return
        if host not in NAMES:
            self.send_error(502)
            return
        far = socket.create_connection((NAMES[host], int(port)))
        self.send_response(200)
        self.end_headers()
        near = self.connection
        while True:
            for ready in select.select([near, far], [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    self.close_connection = True
                    return
                (far if ready is near else near).sendall(data)

    def forward(self):
        url = urllib.parse.urlsplit(self.path)
        if not self.welcome():
            return
        far = http.client.HTTPConnection(NAMES[url.hostname], url.port)
        size = int(self.headers.get("Content-Length") or 0)
        headers = {k: v for k, v in self.headers.items() if not k.startswith("Proxy-")}
        far.request(self.command, f"{url.path}?{url.query}".rstrip("?"), self.rfile.read(size),
                    headers)
        answer = far.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(answer.read())
        far.close()
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = forward


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
