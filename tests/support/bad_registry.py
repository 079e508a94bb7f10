# SPDX-License-Identifier: GPL-2.0-or-later
"""A registry that misbehaves as the repository's name says. Run as a program:

    bad_registry.py LOG PORT

Each request is a line of JSON in LOG. Every image has one layer, of 3 MB that do not shrink."""

import gzip
import hashlib
import http.server
import io
import json
import random
import sys
import tarfile
import threading

LOG = open(sys.argv[1], "a", buffering=1)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
SEARCH = [{"name": "nginx", "description": "Official build of Nginx." + " More of it." * 9,
           "star_count": 20000, "is_official": True, "is_automated": False},
          {"name": "evil\x1b[31m/nginx", "description": 7, "star_count": "many"},
          {"name": "team/nginx", "description": "Ours", "star_count": 3, "is_automated": True}]
lock = threading.Lock()
seen, images, gates = {}, {}, {}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def image(name):
    """(layer, config, manifest) of a repository; those whose name begins alike share a layer."""
    seed = name.split("-")[0]
    with lock:
        if seed not in images:
            images[seed] = make_image(seed)
        return images[seed]


def gate(name):
    with lock:
        return gates.setdefault(name, threading.Event())


def own_layer(seed):
    """LOG.layers/SEED.tar, where a test has put one."""
    try:
        with open(f"{sys.argv[1]}.layers/{seed}.tar", "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def make_image(seed):
    data = own_layer(seed) or noise(seed)
    blob = gzip.compress(data, 1, mtime=0)
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["x"]},
                         "rootfs": {"type": "layers", "diff_ids": [digest(data)]}}).encode()
    return blob, config, {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": LAYER, "digest": digest(blob), "size": len(blob)}]}


def noise(seed):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("noise")
        info.size = 3 << 20
        tar.addfile(info, io.BytesIO(random.Random(seed).randbytes(info.size)))
    return out.getvalue()


def bad_manifest(name, good):
    """None: it is a good one."""
    def changed(**fields):
        return json.dumps({**good, **fields}).encode()

    index = {"mediaType": INDEX, "schemaVersion": 2}
    size = good["layers"][0]["size"]
    return {
        "m-nothing": b"",
        "m-no-json": b"<html>Welcome to the hotel's network</html>",
        "m-deep": b"[" * 100000,
        "m-huge": b" " * (9 << 20),
        "m-list": b"[1, 2]",
        "m-types": changed(layers="none", config=7),
        "m-layer-types": changed(layers=[{"mediaType": 3, "digest": [], "size": "big"}]),
        "m-size": changed(layers=[{"mediaType": LAYER, "digest": digest(b""), "size": -5}]),
        "m-digest": changed(layers=[{"mediaType": LAYER, "digest": "sha256:../../../etc/passwd",
                                     "size": size}]),
        "m-many": changed(layers=good["layers"] * 5000),
        "m-count": changed(layers=good["layers"] * 2),
        "m-artifact": changed(config={"mediaType": "application/vnd.cncf.helm.config.v1+json",
                                      "digest": digest(b"{}"), "size": 2}),
        "m-schema1": json.dumps({"schemaVersion": 1, "fsLayers": []}).encode(),
        "m-empty-index": json.dumps({**index, "manifests": []}).encode(),
        "m-other-platform": json.dumps({**index, "manifests": [
            {"mediaType": MANIFEST, "digest": digest(b"x"), "size": 1,
             "platform": {"os": "linux", "architecture": "s390x"}}]}).encode(),
    }.get(name)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def count(self, what):
        seen[what] = seen.get(what, 0) + 1
        return seen[what]

    def answer(self, status, body=b"", length=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def cut(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.close()

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        LOG.write(json.dumps({"method": self.command, "path": self.path,
                              "host": self.headers.get("Host"),
                              "authorization": self.headers.get("Authorization"),
                              "range": self.headers.get("Range")}) + "\n")
        try:
            self.serve()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def serve(self):
        if self.path.startswith("/elsewhere"):
            self.answer(200, image("private")[0])
            return
        if self.path.startswith("/v1/search"):
            self.answer(200, json.dumps({"results": SEARCH}).encode())
            return
        if self.path.startswith("/bad-token/"):
            self.bad_token(self.path.split("/")[2].partition("?")[0])
            return
        if self.path.startswith("/token"):
            # The first is good for the manifest only, as if it were soon too old.
            self.answer(200, json.dumps({"token": f"t{self.count('token')}"}).encode())
            return
        parts = self.path.replace("/library/", "/").split("/")
        if len(parts) < 5:
            self.answer(200, b"{}")
            if parts[1] == "open":
                gate(parts[2]).set()
            return
        name, kind, what = parts[2], parts[3], parts[4]
        if name == "private" and not self.headers.get("Authorization"):
            self.answer(401, WWW_Authenticate='Basic realm="r"')
        elif name == "expiring" and not self.token_is_good(kind):
            self.answer(401, WWW_Authenticate=f'Bearer realm="http://{self.headers["Host"]}/token",'
                                              'service="r",scope="repository:expiring:pull"')
        elif name.startswith("t-"):
            # Whatever is brought: who has no use for the token asks again and again.
            host = "127.0.0.1:9" if name == "t-down" else self.headers["Host"]
            realm = "file:///etc/passwd" if name == "t-file" else f"http://{host}/bad-token/{name}"
            self.answer(401, WWW_Authenticate=f'Bearer realm="{realm}",service="r"')
        elif name == "basic-loop":
            self.answer(401, WWW_Authenticate='Basic realm="r"')
        elif name == "unknown-scheme":
            self.answer(401, WWW_Authenticate='Negotiate')
        elif name == "no-scheme":
            self.answer(401)
        elif name == "denied":
            self.answer(403, json.dumps({"errors": [{"code": "DENIED", "message":
                                                     "no\x1b[31m such team"}]}).encode())
        elif name == "down":
            self.answer(503)
        elif name == "patience" and self.count("patience") == 1:
            self.answer(429, Retry_After=1)
        elif name == "later":
            self.answer(429, Retry_After=86400)
        elif kind == "manifests":
            self.manifest(name)
        elif what == digest(image(name)[1]):
            self.answer(200, image(name)[1])
        else:
            self.blob(name)

    def bad_token(self, name):
        if name == "t-error":
            self.answer(500)
        elif name == "t-forbidden":
            self.answer(403, json.dumps({"details": "no\x1b[31m such user"}).encode())
        elif name == "t-loop-away":
            self.answer(307, Location=self.path)
        elif name == "t-huge":
            self.answer(200, b" " * (9 << 20))
        else:
            self.answer(200, {"t-html": b"<html>hotel</html>", "t-empty": b"{}",
                              "t-types": b'{"token": 7}',
                              "t-header": b'{"token": "a\\r\\nHost: evil"}'}.get(
                                  name, b'{"token": "t"}'))

    def token_is_good(self, kind):
        token = self.headers.get("Authorization", "")
        return token.startswith("Bearer t") and (kind == "manifests" or token != "Bearer t1")

    def manifest(self, name):
        good = image(name)[2]
        data = bad_manifest(name, good)
        media = MANIFEST if data is None else "text/plain"
        data = json.dumps(good).encode() if data is None else data
        self.answer(200, data, Content_Type=media, Docker_Content_Digest=digest(data))

    def blob(self, name):
        blob, start = image(name)[0], 0
        if self.headers.get("Range") and name != "whole":
            start = int(self.headers["Range"].split("=")[1].rstrip("-"))
        if name == "loop":
            self.answer(307, Location=f"{self.path}?{self.count('loop')}")
        elif name == "private":
            self.answer(307, Location=f"http://127.0.0.2:{self.server.server_port}/elsewhere")
        elif name == "file":
            self.answer(307, Location="file:///etc/passwd")
        elif name in ("flip", "shared-bad"):
            self.answer(200, blob[:-1] + bytes([blob[-1] ^ 1]))
        elif name == "garbage":
            self.answer(200, b"x" * len(blob))
        elif name == "long":
            self.answer(200, blob + b"more")
        elif name == "stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for data in (blob, b"x" * 65536):
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif name == "short":
            self.answer(200, blob[:1000])
        elif name == "flaky" and self.count("flaky") <= 2:
            self.answer(503)
        elif name == "slow":
            self.send_response(200)
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob[:1 << 20])
            self.wfile.flush()
            threading.Event().wait()
        elif name.startswith("gated"):
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(blob) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(blob) - 1}/{len(blob)}")
            self.end_headers()
            self.wfile.write(blob[start:1 << 20])
            self.wfile.flush()
            gate(name).wait()
            self.wfile.write(blob[max(start, 1 << 20):])
        elif name in ("cut", "whole") and self.count(name) <= 3:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(blob) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(blob) - 1}/{len(blob)}")
            self.end_headers()
            self.wfile.write(blob[start:start + 600000])
            self.cut()
        elif name == "lying" and not start:
            self.send_response(200)
            self.send_header("Content-Length", str(len(blob)))
            self.end_headers()
            self.wfile.write(blob[:600000])
            self.cut()
        elif name == "lying":
            self.answer(206, blob[5:], Content_Range=f"bytes 5-{len(blob) - 1}/{len(blob)}")
        elif start:
            self.answer(206, blob[start:],
                        Content_Range=f"bytes {start}-{len(blob) - 1}/{len(blob)}")
        else:
            self.answer(200, blob)


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64


if __name__ == "__main__":
    Server(("0.0.0.0", int(sys.argv[2])), Handler).serve_forever()
