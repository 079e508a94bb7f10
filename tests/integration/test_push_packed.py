# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers that are plain in the store go to a registry in gzip; by ISA-L, and without it."""

import gzip
import json
import os
import subprocess

import pytest

from tests.support import store

HOST = "127.0.0.1:5000"


@pytest.fixture
def registry(berth):
    with open(f"{berth.base}/registry.yml", "w", encoding="utf-8") as file:
        json.dump({"version": "0.1", "http": {"addr": HOST},
                   "storage": {"filesystem": {"rootdirectory": f"{berth.base}/registry"}}}, file)
    berth.popen_command(["docker-registry", "serve", f"{berth.base}/registry.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0, 30)
    return berth


def raw(berth, name, *more):
    return json.loads(berth.command(["skopeo", "inspect", "--tls-verify=false", *more,
                                     f"docker://{HOST}/{name}"], cwd="/").stdout)


def without_isal(berth):
    """As where it is not installed."""
    libraries = berth.command(["sh", "-c", "ls /usr/lib/*/libisal.so.2"]).stdout.split()
    for path in libraries:
        berth.command(["mount", "--bind", "/dev/null", os.path.realpath(path)])
    return [os.path.realpath(path) for path in libraries]


@pytest.mark.parametrize("library", ("isal", "libarchive"))
def test_a_built_image(registry, library):
    berth, name = registry, f"{HOST}/mine/app:1"
    text = "".join(f"line {i} of a text that packs well\n" for i in range(60000))
    project = berth.project({
        "compose.yaml": f'services: {{a: {{image: "{name}", build: ., command: top}}}}',
        "Dockerfile": "FROM busybox\nCOPY text /text\nRUN echo made > /made\n", "text": text})
    masked = without_isal(berth) if library == "libarchive" else []
    project.run("up", "-d", timeout=120)
    inspect = ("image", "inspect", "-f", "{{.Id}}", name)
    image = berth.run(*inspect).stdout
    project.run("push", timeout=120)

    manifest = raw(berth, "mine/app:1", "--raw")
    assert [row["mediaType"].rsplit("+")[-1] for row in manifest["layers"]] == ["gzip"] * 3
    config = raw(berth, "mine/app:1", "--raw", "--config")
    for row, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
        with open(f"{berth.root}/images/blobs/sha256/{row['digest'][7:]}", "rb") as file:
            data = file.read()
        assert len(data) == row["size"]
        assert "sha256:" + store.hashlib.sha256(gzip.decompress(data)).hexdigest() == diff
        assert data[4:8] == bytes(4), "it has a time in its header"
    assert manifest["layers"][1]["size"] < len(text) / 4

    # It is the same image, here as there, and nobody has to make its container anew.
    digest = raw(berth, "mine/app:1")["Digest"]
    assert berth.run(*inspect).stdout == image
    assert digest in berth.run("image", "inspect", "-f", "{{.RepoDigests}}", name).stdout
    assert " Running" in project.run("up", "-d").stderr
    again = berth.run("image", "push", name, cwd="/")
    assert f"digest: {digest}" in again.stdout
    assert "Pushed" not in again.stderr.replace(f"{name} Pushed", "")
    assert "CACHED" in project.run("--progress", "plain", "build").stderr
    project.run("down")
    berth.run("image", "rm", name)
    berth.run("image", "pull", "-q", name, cwd="/")
    assert berth.run(*inspect).stdout == image
    assert project.run("run", "--rm", "a", "cat", "/made").stdout == "made\n"
    assert berth.run("image", "rm", "-f", name).returncode == 0
    berth.run("builder", "prune", "-f", "-a")
    berth.run("system", "prune", "-f")
    store.Store(berth.root).check_whole()
    store.Store(berth.root).check_tight()
    for path in masked:
        berth.command(["umount", path])


def packers(berth):
    found = []
    for pid in berth.inside_processes():
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
                found += [pid] if file.read() == "berth-pack\n" else []
        except OSError:
            pass
    return found


def test_interrupted_while_it_packs(registry):
    berth, name = registry, f"{HOST}/mine/large:1"
    project = berth.project({"Dockerfile": "FROM scratch\nCOPY large /\n",
                             "large": os.urandom(1 << 20).hex() * 64})
    project.run("image", "build", "-q", "-t", name, ".", timeout=120)
    pushing = project.popen("image", "push", name)
    packer, = berth.wait_until(lambda: packers(berth), 60, "it packs")
    os.kill(packer, 19)  # SIGSTOP: it is not through before it is interrupted
    pushing.send_signal(2)
    assert pushing.wait(30) == 130
    berth.wait_until(lambda: not packers(berth), 30, "nobody packs")
    assert not [name for name in os.listdir(f"{berth.root}/layers") if name.startswith(".new-")]
    project.run("image", "push", name, timeout=120)
    assert [row["mediaType"].rsplit("+")[-1]
            for row in raw(berth, "mine/large:1", "--raw")["layers"]] == ["gzip"]
