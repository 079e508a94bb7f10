# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates that are not to be trusted: each says what is wrong with it, and what to do."""
import os
import subprocess
import sys

import pytest

HOST = "198.51.100.1:5443"
SERVER = """\
import http.server, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server = http.server.ThreadingHTTPServer(("0.0.0.0", 5443), http.server.SimpleHTTPRequestHandler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def certify(base, name, days="2", address="IP:198.51.100.1"):
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    extensions = f"{base}/{name}.ext"
    with open(extensions, "w", encoding="utf-8") as file:
        file.write(f"subjectAltName={address}\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=test", "-keyout", f"{base}/{name}.key", "-out", f"{base}/{name}.csr")
    openssl("x509", "-req", "-in", f"{base}/{name}.csr", "-signkey", f"{base}/{name}.key",
            "-extfile", extensions, "-days", days, "-out", f"{base}/{name}.crt")


@pytest.mark.parametrize("name, days, address, trusted, said", [
    ("unknown", "2", "IP:198.51.100.1", False, "certs.d/198.51.100.1:5443/ca.crt"),
    ("expired", "-1", "IP:198.51.100.1", True, "must renew it"),
    ("other", "2", "DNS:registry.test", True, "made for another name"),
])
def test_not_to_be_trusted(berth, name, days, address, trusted, said):
    berth.outside_host()
    certify(berth.base, name, days, address)
    path = f"{berth.base}/{name}"
    berth.popen_command([sys.executable, "-c", SERVER, f"{path}.crt", f"{path}.key"],
                        cwd=berth.base, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.command(["curl", "-sk", f"https://{HOST}/v2/"],
                                           check=False).returncode == 0, 30, "it answers")
    blobs = f"{berth.root}/images/blobs/sha256"
    before = sorted(os.listdir(blobs))
    env = {"SSL_CERT_FILE": f"{path}.crt"} if trusted else {}
    failed = berth.run("image", "pull", f"{HOST}/app:1", cwd="/", check=False, env=env)
    assert failed.returncode == 1
    assert said in failed.stderr and "certificate" in failed.stderr.lower(), failed.stderr
    assert sorted(os.listdir(blobs)) == before
