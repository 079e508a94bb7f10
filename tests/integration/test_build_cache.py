# SPDX-License-Identifier: GPL-2.0-or-later
"""The build cache: what it finds, what it lets go, what survives, and how it goes elsewhere."""
import json
import os
import random
import shutil
import signal
import time

import pytest

from tests.support.builds import (build, context, image, image_config, other_machine, registry,
                                  write)
from tests.support.sandbox import wait_until

STAGES = """\
FROM busybox AS made
RUN cat /proc/sys/kernel/random/uuid > /made
FROM busybox
COPY f /f
RUN cat /proc/sys/kernel/random/uuid > /own
RUN true
COPY --from=made /made /made
WORKDIR /w
"""


def cached(result):
    return result.stderr.count("CACHED")


def test_no_change_is_known_by_the_stat_cache(berth):
    path = context(berth, {"Dockerfile": "FROM scratch\nCOPY . /all/\n", "a": "one", "d/b": "two"})
    times = [os.stat(f"{path}/{name}").st_ctime for name in ("a", "d/b", "Dockerfile")]
    # What was changed just now is not trusted.
    build(berth, path)
    assert not os.path.exists(f"{berth.root}/build/stat")
    wait_until(lambda: time.time() > max(times) + 2.1, 10)
    first = build(berth, path)
    name, = os.listdir(f"{berth.root}/build/stat")
    kept = open(f"{berth.root}/build/stat/{name}", "rb").read()
    assert cached(first) == 1 and len(kept) == 24 + 3 * 72
    # Its own bytes are believed, so that it is seen to be used.
    trace = berth.command(["strace", "-f", "-e", "trace=openat", os.environ.get("BERTH") or
                           "build/release/berth", "image", "build", "-t", "x", path]).stderr
    assert not [line for line in trace.splitlines() if '"b"' in line and "openat" in line]
    status = os.stat(f"{path}/a")
    write(path, {"a": "eno"})
    os.utime(f"{path}/a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cached(build(berth, path)) == 0
    assert image(berth)[0]["all/a"].data == b"eno"
    with open(f"{berth.root}/build/stat/{name}", "wb") as file:
        file.write(kept[:100])
    assert cached(build(berth, path)) == 1  # a broken one is none


def machines(berth, path, to, source, *args):
    """Builds here with --cache-to, and on another machine with --cache-from: their images."""
    build(berth, path, "--cache-to", to, *args)
    other = other_machine(berth)
    built = build(berth, path, "--cache-from", source, *args, env=other)
    berth.run("image", "save", "-o", f"{berth.base}/o.tar", "x", env=other)
    ours = image(berth)[0]
    berth.run("image", "load", "-i", f"{berth.base}/o.tar")
    return ours, image(berth)[0], built, other


@pytest.mark.parametrize("mode", ["min", "max"])
def test_cache_in_a_folder(berth, mode):
    path = context(berth, {"f": "F", "Dockerfile": STAGES})
    place = f"{berth.base}/cache/of/mine"
    ours, theirs, built, other = machines(berth, path, f"type=local,dest={place},mode={mode}",
                                          f"type=local,src={place}")
    assert theirs["own"] == ours["own"] and theirs["f"] == ours["f"]
    assert (theirs["made"] == ours["made"]) == (mode == "max")
    assert cached(built) == (6 if mode == "max" else 3), built.stderr
    again = build(berth, path, env=other)  # from here on it knows all by itself
    assert cached(again) == 6
    berth.command(["skopeo", "inspect", "--raw", f"oci:{place}"])
    # A damaged one is warned of, and the build goes on without.
    for name in os.listdir(f"{place}/blobs/sha256"):
        with open(f"{place}/blobs/sha256/{name}", "ab") as blob:
            blob.write(b"x")
    third = build(berth, path, "--cache-from", f"type=local,src={place}",
                  env=other_machine(berth, "third"))
    assert cached(third) == 0 and "cache_from" in third.stderr
    warned = build(berth, path, "--cache-from", "type=local,src=/no/such")
    assert "/no/such" not in warned.stderr  # all is here, nobody asked
    warned = build(berth, path, "--no-cache", "--cache-from", "type=gha")
    assert "type gha is not known here" in warned.stderr
    for text in ("type=local", "type=registry", "type=local,src=x,mode=most"):
        failed = build(berth, path, "--cache-from", text, check=False)
        assert failed.returncode == 1 and "cache_from" in failed.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_cache_in_a_registry(berth):
    address = registry(berth)
    path = context(berth, {"f": "F", "Dockerfile": STAGES})
    ref = f"{address}/team/cache:main"
    ours, theirs, built, _ = machines(berth, path, f"type=registry,ref={ref},mode=max",
                                      f"type=registry,ref={ref}")
    assert theirs["own"] == ours["own"] and theirs["made"] == ours["made"]
    assert cached(built) == 6
    assert "team/cache" not in berth.run("image", "ls").stdout
    failed = build(berth, path, "--cache-to", "type=registry,ref=127.0.0.1:1/x", check=False)
    assert failed.returncode == 1 and "cache_to 127.0.0.1:1/x" in failed.stderr
    build(berth, path, "--cache-to", "type=registry,ref=127.0.0.1:1/x,ignore-error=true")
    built = build(berth, path, "--cache-from", f"{address}/team/none",
                  env=other_machine(berth, "third"))
    assert "cache_from 127.0.0.1:5000/team/none" in built.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_cache_inside_the_image(berth):
    """As a project has it: cache_to inline, pushed with the image, cache_from the image."""
    address = registry(berth)
    name = f"{address}/team/app:1"
    project = berth.project({"compose.yaml": {"services": {"app": {"image": name, "build": {
        "context": ".", "network": "none", "cache_from": [name],
        "cache_to": ["type=inline"]}}}}, "f": "F", "Dockerfile": STAGES})
    pushed = project.run("build", "--push")
    assert f"Image {name} Pushed" in pushed.stderr
    other = other_machine(berth)
    built = project.run("build", env=other)
    assert cached(built) == 3, built.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_base_images_come_with_progress(berth):
    address = registry(berth)
    berth.run("image", "tag", "busybox", f"{address}/base:1")
    berth.run("image", "push", f"{address}/base:1")
    berth.run("image", "rm", f"{address}/base:1")
    path = context(berth, f"FROM {address}/base:1\nRUN echo x > /x\n")
    other = {"BERTH_ROOT": f"{berth.base}/empty"}
    built = build(berth, path, env=other)
    assert f"#1 [internal] pull {address}/base:1" in built.stderr
    assert "#1 DONE" in built.stderr
    project = berth.project({"compose.yaml": {"services": {"app": {"build": {
        "context": path, "network": "none"}}}}})
    terminal = project.pty("build", env={"BERTH_ROOT": f"{berth.base}/empty2"}, columns=120)
    terminal.read_until(rf"Image {address}/base:1 .*Pull")
    terminal.read_until(r"Built")
    assert terminal.wait(30) == 0
    rows = [json.loads(line) for line in berth.run(
        "--progress", "json", "image", "build", "--network", "none", path,
        env={"BERTH_ROOT": f"{berth.base}/empty3"}).stderr.splitlines()]
    assert any("pull" in row["id"] and row["status"] == "Done" for row in rows)
    assert build(berth, path, "--pull", env=other).stderr.count("pull") >= 1
