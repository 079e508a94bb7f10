# SPDX-License-Identifier: GPL-2.0-or-later
"""Ways to a registry: proxies of the environment, and certificates that say who we are."""

import json
import os
import subprocess
import sys

import pytest

from tests.support import sandbox

ADDRESS = "198.51.100.1"
PROXY = "http://me:secret@127.0.0.1:3128"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def make_certificates(base):
    """tls.crt, signed by itself for registry.test, and ours, which ca.crt has signed."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=test", "-addext",
            f"subjectAltName=DNS:registry.test,IP:{ADDRESS}", "-keyout", f"{base}/tls.key",
            "-out", f"{base}/tls.crt")
    openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=authority", "-keyout",
            f"{base}/ca.key", "-out", f"{base}/ca.crt")
    openssl("req", *key, "-subj", "/CN=me", "-keyout", f"{base}/me.key", "-out", f"{base}/me.csr")
    openssl("x509", "-req", "-days", "2", "-in", f"{base}/me.csr", "-CA", f"{base}/ca.crt",
            "-CAkey", f"{base}/ca.key", "-CAcreateserial", "-out", f"{base}/me.crt")


def serve(berth, port, tls=None):
    """docker-registry, at an address that is not a loopback one: those need no TLS or proxy."""
    config = {"version": "0.1",
              "storage": {"filesystem": {"rootdirectory": f"{berth.base}/registry"}},
              "http": {"addr": f"{ADDRESS}:{port}", **({"tls": tls} if tls else {})}}
    with open(f"{berth.base}/registry{port}.yml", "w", encoding="utf-8") as file:
        json.dump(config, file)
    berth.popen_command(["docker-registry", "serve", f"{berth.base}/registry{port}.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    way = f"socat -u /dev/null TCP:{ADDRESS}:{port}"
    berth.wait_until(lambda: berth.command(["sh", "-c", way], check=False).returncode == 0, 30,
                     "the registry listens")


@pytest.fixture
def machine(berth):
    """Whose /etc may be written to."""
    base = berth.base
    berth.outside_host()
    make_certificates(base)
    for name in ("etc", "work"):
        os.makedirs(f"{base}/{name}")
    berth.command(["mount", "-t", "overlay", "-o",
                   f"lowerdir=/etc,upperdir={base}/etc,workdir={base}/work", "overlay", "/etc"])
    # Nobody answers there, at once.
    with open(f"{base}/resolv.conf", "w", encoding="utf-8") as file:
        file.write("nameserver 127.0.0.1\n")
    berth.command(["cp", "--remove-destination", f"{base}/resolv.conf", "/etc/resolv.conf"])
    yield berth
    berth.command(["umount", "--lazy", "/etc"])


def put(berth, folder, **files):
    """name=FILE of the test's folder, into a folder below /etc."""
    berth.command(["mkdir", "-p", f"/etc/{folder}"])
    for name, file in files.items():
        berth.command(["cp", f"{berth.base}/{file}", f"/etc/{folder}/{name.replace('_', '.')}"])


def test_proxies_of_the_environment(machine):
    """Names that only the proxy can resolve."""
    base, log = machine.base, f"{machine.base}/proxy.log"
    serve(machine, 5443, {"certificate": f"{base}/tls.crt", "key": f"{base}/tls.key"})
    serve(machine, 5000)
    machine.popen_command([sys.executable, os.path.join(sandbox.HERE, "proxy.py"), log, "3128",
                           f"registry.test={ADDRESS}", f"plain.test={ADDRESS}"], cwd="/")
    way = "socat -u /dev/null TCP:127.0.0.1:3128"
    machine.wait_until(lambda: machine.command(["sh", "-c", way], check=False).returncode == 0, 30)
    put(machine, "berth/certs.d/registry.test:5443", ca_crt="tls.crt")
    with open(f"{base}/registries.json", "w", encoding="utf-8") as file:
        json.dump({"insecure-registries": ["plain.test:5000"], "max-download-attempts": 1}, file)

    def berth(*words, **env):
        return machine.run(*words, cwd="/", check=False,
                           env={"BERTH_REGISTRIES": f"{base}/registries.json", **env})

    ways = {"registry.test:5443/a:1": {"HTTPS_PROXY": PROXY},
            "plain.test:5000/b:1": {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}}
    for name, env in ways.items():
        machine.run("image", "tag", "busybox", name)
        pushed = berth("image", "push", name, **env)
        assert pushed.returncode == 0, pushed.stderr
        machine.run("image", "rm", name)
        pulled = berth("image", "pull", "-q", name, **env)
        assert pulled.returncode == 0, pulled.stderr
        machine.run("image", "rm", name)
    with open(log, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert "CONNECT registry.test:5443" in lines
    assert any(line.startswith("GET http://plain.test:5000/v2/b/") for line in lines)
    assert "refused" not in " ".join(lines)

    name = "registry.test:5443/a:1"
    for env in ({}, {"HTTPS_PROXY": PROXY, "NO_PROXY": "x.test,registry.test"},
                {"HTTPS_PROXY": PROXY, "no_proxy": ".test"}):
        failed = berth("image", "pull", name, **env)
        assert "resolve host name" in failed.stderr and "proxy" not in failed.stderr
    failed = berth("image", "pull", name, HTTPS_PROXY="http://me:wrong@127.0.0.1:3128")
    assert "proxy 127.0.0.1:3128 wants (other) credentials" in failed.stderr
    failed = berth("image", "pull", name.replace("registry", "other"), HTTPS_PROXY=PROXY)
    assert "proxy 127.0.0.1:3128 refuses, with status 502" in failed.stderr
    failed = berth("image", "pull", name, HTTPS_PROXY="http://me:secret@127.0.0.1:3129")
    assert "registry registry.test:5443: proxy 127.0.0.1:3129: Connection refused" in failed.stderr
    assert "secret" not in failed.stderr
    failed = berth("image", "pull", name, HTTPS_PROXY="http://proxy.test:1")
    assert "proxy proxy.test:1: its name cannot be resolved" in failed.stderr
    failed = berth("image", "pull", "plain.test:5000/b:1", HTTP_PROXY="http://127.0.0.1:3128",
                   HTTPS_PROXY=PROXY)
    assert "the proxy in between wants (other) credentials" in failed.stderr


def test_a_registry_that_wants_a_certificate(machine):
    base, name = machine.base, f"{ADDRESS}:5443/a:1"
    serve(machine, 5443, {"certificate": f"{base}/tls.crt", "key": f"{base}/tls.key",
                          "clientcas": [f"{base}/ca.crt"]})
    machine.run("image", "tag", "busybox", name)

    def push():
        return machine.run("image", "push", name, cwd="/", check=False)

    folder = f"docker/certs.d/{ADDRESS}:5443"
    assert "/etc/berth/certs.d/" in push().stderr
    put(machine, folder, ca_crt="tls.crt")
    failed = push()
    assert failed.returncode == 1
    assert f"client.cert and client.key of /etc/berth/certs.d/{ADDRESS}:5443" in failed.stderr
    put(machine, folder, client_cert="me.crt")
    assert f"/etc/{folder}: there is no client.key beside client.cert" in push().stderr
    put(machine, folder, client_key="me.key")
    pushed = push()
    assert pushed.returncode == 0, pushed.stderr
    # Its own folder goes first, and stands for itself.
    own = f"berth/certs.d/{ADDRESS}:5443"
    put(machine, own, ca_crt="tls.crt", client_key="me.key")
    assert f"/etc/{own}: there is no client.cert beside client.key" in push().stderr
    put(machine, own, client_cert="me.crt")
    machine.run("image", "rm", name)
    machine.run("image", "pull", name, cwd="/")
    # One that the registry's authority did not sign.
    put(machine, own, client_cert="tls.crt", client_key="tls.key")
    failed = machine.run("image", "pull", name, cwd="/", check=False)
    assert failed.returncode == 1 and "does not take our certificate" in failed.stderr
