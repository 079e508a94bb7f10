# SPDX-License-Identifier: GPL-2.0-or-later
"""`build` of services: what the file says of it, and the command's flags."""
import json
import os
import re

import pytest

from tests.support.builds import image, image_config

BUILD = {"context": ".", "network": "none"}


def project(berth, services, dockerfile="FROM busybox\nRUN echo made > /made\n", **more):
    return berth.project({"compose.yaml": {"services": services, **more},
                          "Dockerfile": dockerfile})


def test_attributes(berth):
    p = project(berth, {"app": {"image": "app:1", "build": {
        **BUILD, "dockerfile": "sub/Own", "args": {"A": "file", "B": None, "C": "c"},
        "labels": ["one=1", "two=2"], "tags": ["app:2", "other/name:3"], "target": "wanted",
        "shm_size": "8m", "ulimits": {"nofile": {"soft": 100, "hard": 200}, "nproc": 50},
        "extra_hosts": ["db=10.0.0.5", "gw:host-gateway"], "network": "default",
        "no_cache_filter": ["wanted"], "secrets": ["s", {"source": "e", "target": "renamed"}],
        "privileged": True}}},
        secrets={"s": {"file": "./secret.txt"}, "e": {"environment": "SECRET"}})
    p.write({"secret.txt": "hush", "sub/Own": """\
FROM busybox AS base
RUN cat /proc/sys/kernel/random/uuid > /base-time
FROM base AS wanted
ARG A
ARG B
ARG C
RUN echo "$A $B $C" > /args; ulimit -n > /nofile; ulimit -Hn >> /nofile; cat /proc/sys/kernel/random/uuid > /time
RUN df -k /dev/shm | tail -1 | awk '{print $2}' > /shm; cat /etc/hosts > /hosts
RUN --mount=type=secret,id=s cat /run/secrets/s > /s
RUN --mount=type=secret,id=renamed cat /run/secrets/renamed > /e
RUN --security=insecure mount -t tmpfs none /mnt
FROM wanted
RUN exit 1
"""})
    env = {"B": "environment", "SECRET": "whisper"}
    p.run("build", "--build-arg", "C=flag", env=env)
    files, config = image(berth, "app:1")
    assert files["args"].data == b"file environment flag\n"
    assert files["nofile"].data == b"100\n200\n" and files["shm"].data == b"8192\n"
    assert b"10.0.0.5\tdb\n" in files["hosts"].data
    assert re.search(rb"172\.[\d.]+\tgw\n", files["hosts"].data)
    assert files["s"].data == b"hush" and files["e"].data == b"whisper"
    assert config["Labels"] == {
        "one": "1", "two": "2", "com.docker.compose.project": p.name,
        "com.docker.compose.service": "app",
        "com.docker.compose.version": config["Labels"]["com.docker.compose.version"]}
    ids = {image_config(berth, name)["Id"] for name in ("app:1", "app:2", "other/name:3")}
    assert len(ids) == 1
    p.run("build", "--build-arg", "C=flag", env=env)
    again = image(berth, "app:1")[0]
    assert again["base-time"] == files["base-time"] and again["time"] != files["time"]
    failed = p.run("build", check=False, env={"B": "x"})
    assert failed.returncode == 1 and "SECRET" in failed.stderr


def test_no_cache_and_pull(berth):
    p = project(berth, {"app": {"build": {**BUILD, "no_cache": True}}})
    assert "CACHED" not in p.run("build").stderr and "CACHED" not in p.run("build").stderr
    p.write({"compose.yaml": {"services": {"app": {"build": BUILD}}}})
    assert "CACHED" in p.run("build").stderr
    assert "CACHED" not in p.run("build", "--no-cache").stderr
    # It is here, but a newer one is asked for, where nobody answers.
    for asked in (("--pull",), ()):
        if not asked:
            p.write({"compose.yaml": {"services": {"app": {"build": {**BUILD, "pull": True}}}},
                     "Dockerfile": "FROM 127.0.0.1:1/x\n"})
        else:
            p.write({"Dockerfile": "FROM 127.0.0.1:1/x\n"})
        failed = p.run("build", *asked, check=False)
        assert failed.returncode == 1 and "127.0.0.1:1" in failed.stderr
        assert "Dockerfile:1:1" in failed.stderr


def test_inline_and_other_contexts(berth):
    p = project(berth, {
        "base": {"image": "base-image", "build": BUILD},
        "inline": {"build": {**BUILD, "dockerfile_inline":
                             "FROM base\nCOPY --from=files f /f\nCOPY own /own\n",
                             "additional_contexts": ["base=service:base", "files=./files"]}}})
    p.write({"files/f": "F", "own": "O"})
    p.run("build", "inline")
    files = image(berth, f"{p.name}-inline")[0]
    assert files["made"].data == b"made\n" and files["f"].data == b"F" and files["own"].data == b"O"


def test_which_services(berth):
    p = project(berth, {
        "a": {"build": BUILD, "depends_on": ["b"]}, "b": {"build": BUILD, "depends_on": ["c"]},
        "c": {"build": BUILD}, "d": {"image": "busybox"},
        "e": {"build": BUILD, "profiles": ["extra"]}})
    built = p.run("build", "a").stderr
    assert re.findall(r"Image (\S+) Built", built) == [f"{p.name}-a"]
    built = p.run("build", "--with-dependencies", "a").stderr
    assert sorted(re.findall(r"Image (\S+) Built", built)) == [f"{p.name}-{s}" for s in "abc"]
    built = p.run("build").stderr
    assert sorted(re.findall(r"Image (\S+) Built", built)) == [f"{p.name}-{s}" for s in "abc"]
    built = p.run("--profile", "extra", "build").stderr
    assert f"Image {p.name}-e Built" in built
    assert p.run("build", "d").stderr.count("Built") == 0
    failed = p.run("build", "nosuch", check=False)
    assert failed.returncode != 0 and "nosuch" in failed.stderr


def test_what_is_printed(berth):
    p = project(berth, {"app": {"build": BUILD}})
    quiet = p.run("build", "-q")
    assert quiet.stdout.split() == [image_config(berth, f"{p.name}-app")["Id"]]
    assert quiet.stderr == ""
    plain = p.run("--progress", "plain", "build", "--no-cache")
    assert "RUN echo made > /made" in plain.stderr and plain.stdout == ""
    assert p.run("--progress", "quiet", "build", "--no-cache").stderr == ""
    rows = [json.loads(line) for line in
            p.run("--progress", "json", "build", "--no-cache").stderr.splitlines()]
    assert any("RUN echo made" in row["id"] and row["status"] == "Done" for row in rows)
    plan = json.loads(p.run("build", "--print").stdout)
    assert plan["group"]["default"]["targets"] == ["app"]
    target = plan["target"]["app"]
    assert target["context"] == p.path and target["dockerfile"] == "Dockerfile"
    assert target["tags"] == [f"{p.name}-app"] and target["network"] == "none"
    assert json.loads(p.run("--dry-run", "build").stdout) == plan
    p.write({"Dockerfile": "FROM busybox\nENV old form\nRUN exit 1\n"})
    checked = p.run("build", "--check")
    assert "Dockerfile:2:1" in checked.stderr
    p.write({"Dockerfile": "FROM busybox\nRUN exit 4\n"})
    failed = p.run("build", "-q", check=False)
    assert failed.returncode == 1 and "exit code 4" in failed.stderr


def test_on_a_terminal(berth):
    p = project(berth, {"app": {"build": BUILD}},
                "FROM busybox\nRUN echo one; echo two\nRUN echo three > /3\n")
    terminal = p.pty("build", rows=24, columns=100)
    terminal.read_until(r"Building")
    terminal.read_until(r"\[app 2/3\] RUN echo one; echo two")
    terminal.read_until(r"\[app 3/3\] RUN echo three > /3")
    terminal.read_until(rf"Image {p.name}-app .*Built")
    assert terminal.wait(30) == 0
    terminal = p.pty("--progress", "plain", "build", "--no-cache", rows=24, columns=100)
    terminal.read_until(r"#1 \[app 2/3\] RUN echo one; echo two")
    assert terminal.wait(30) == 0
    terminal = p.pty("--progress", "tty", "build", "--no-cache", rows=24, columns=100)
    terminal.read_until(r"Building")
    assert terminal.wait(30) == 0
    p.write({"Dockerfile": "FROM busybox\nRUN echo why; exit 3\n"})
    terminal = p.pty("build", rows=24, columns=100)
    terminal.read_until(r"why")
    terminal.read_until(r"Dockerfile:2:1: RUN echo why; exit 3")
    assert terminal.wait(30) == 1


def test_flags_that_change_little(berth):
    p = project(berth, {"app": {"build": {**BUILD, "isolation": "hyperv"}}})
    built = p.run("build", "--compress", "--force-rm", "--no-rm", "--builder", "default",
                  "--memory", "64m", "--parallel", "--progress", "plain")
    assert "isolation" in built.stderr and "Built" in built.stderr
    assert "SBOM" not in p.run("build", "--provenance", "false", "--sbom", "false").stderr
    assert "SBOM" in p.run("build", "--sbom", "true").stderr
    failed = p.run("build", "-m", "some", check=False)
    assert failed.returncode == 1 and "not a size" in failed.stderr
    failed = p.run("build", "--builder", "remote", check=False)
    assert failed.returncode == 1 and "remote" in failed.stderr


def test_memory_of_steps(berth):
    p = project(berth, {"app": {"build": BUILD}}, "FROM busybox\nRUN tail /dev/zero\n")
    failed = p.run("build", "-m", "16m", check=False)
    assert failed.returncode == 1 and "needs more memory" in failed.stderr


def test_platforms(berth):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    other = "arm64" if machine == "amd64" else "amd64"
    p = project(berth, {"app": {"build": {**BUILD, "platforms": [f"linux/{machine}"]}}})
    p.run("build")
    p.write({"compose.yaml": {"services": {"app": {"build": {
        **BUILD, "platforms": [f"linux/{other}"]}}}}})
    failed = p.run("build", check=False)
    assert failed.returncode == 1 and f"linux/{other}" in failed.stderr
    p.write({"Dockerfile": "FROM scratch\nARG TARGETARCH\nCOPY f /f-${TARGETARCH}\n", "f": ""})
    p.run("build")  # nothing has to run
    assert image_config(berth, f"{p.name}-app")["Architecture"] == other
    assert f"f-{other}" in image(berth, f"{p.name}-app")[0]


def test_ssh_of_the_file(berth):
    p = project(berth, {"app": {"build": {**BUILD, "ssh": ["default", "own=./nothing.sock"]}}})
    failed = p.run("build", check=False)
    assert failed.returncode == 1 and "SSH_AUTH_SOCK" in failed.stderr
    failed = p.run("build", check=False, env={"SSH_AUTH_SOCK": f"{p.path}/compose.yaml"})
    assert failed.returncode == 1 and "not an agent's socket" in failed.stderr


def test_services_that_are_contexts_come_first(berth):
    """A chain against the order of names, and one that two stand upon."""
    p = project(berth, {
        "a": {"build": {**BUILD, "dockerfile_inline": "FROM b\nRUN cat /c >> /all; echo a >> /all\n",
                        "additional_contexts": {"b": "service:b"}}},
        "b": {"build": {**BUILD, "dockerfile_inline": "FROM c\nRUN echo b >> /all\n",
                        "additional_contexts": {"c": "service:c"}}},
        "c": {"build": {**BUILD, "dockerfile_inline":
                        "FROM busybox\nRUN sleep 0.3; echo c > /c; echo c > /all\n"}},
        "d": {"build": {**BUILD, "dockerfile_inline": "FROM scratch\nCOPY --from=x /c /c\n",
                        "additional_contexts": {"x": "service:c"}}}})
    p.run("build")
    assert image(berth, f"{p.name}-a")[0]["all"].data == b"c\nb\nc\na\n"
    assert image(berth, f"{p.name}-d")[0]["c"].data == b"c\n"
    # What it stands upon failed: it is not begun.
    p.write({"compose.yaml": {"services": {
        "a": {"build": {**BUILD, "dockerfile_inline": "FROM b\nRUN echo begun\n",
                        "additional_contexts": {"b": "service:b"}}},
        "b": {"build": {**BUILD, "dockerfile_inline": "FROM busybox\nRUN exit 9\n"}}}}})
    failed = p.run("build", "--no-cache", check=False)
    assert failed.returncode == 1 and "exit code 9" in failed.stderr
    assert "begun" not in failed.stderr
    p.write({"compose.yaml": {"services": {
        "a": {"build": {**BUILD, "additional_contexts": {"b": "service:b"}}},
        "b": {"build": {**BUILD, "additional_contexts": {"a": "service:a"}}}}}})
    for words in (["build"], ["build", "--print"], ["up", "-d"]):
        failed = p.run(*words, check=False)
        assert failed.returncode == 1 and "cycle detected: a -> b -> a" in failed.stderr, failed


def test_entitlements_and_networks(berth):
    insecure = "FROM busybox\nRUN --security=insecure mount -t tmpfs none /mnt && echo yes > /yes\n"
    p = project(berth, {
        "allowed": {"build": {**BUILD, "entitlements": ["security.insecure"]}},
        "privileged": {"build": {**BUILD, "privileged": True}},
        "refused": {"build": BUILD},
        "host": {"build": {"context": ".", "network": "host", "dockerfile_inline":
                           "FROM busybox\nRUN ip -o link | wc -l > /links\n"}}}, insecure)
    p.run("build", "allowed", "privileged", "host")
    assert "yes" in image(berth, f"{p.name}-allowed")[0]
    links = berth.command(["ip", "-o", "link"]).stdout.count("\n")
    assert int(image(berth, f"{p.name}-host")[0]["links"].data) == links
    failed = p.run("build", "refused", check=False)
    assert failed.returncode == 1 and "security" in failed.stderr, failed.stderr


def test_up_builds_what_is_missing(berth):
    p = project(berth, {"app": {"build": BUILD, "command": "sleep 1000", "init": True},
                        "always": {"build": BUILD, "pull_policy": "build", "init": True,
                                   "command": "sleep 1000"}})
    failed = p.run("up", "-d", "--no-build", check=False)
    assert failed.returncode == 1
    first = p.run("up", "-d").stderr
    assert f"Image {p.name}-app Built" in first and f"Image {p.name}-always Built" in first
    again = p.run("up", "-d").stderr
    assert f"Image {p.name}-app Built" not in again and f"Image {p.name}-always Built" in again
    p.write({"Dockerfile": "FROM busybox\nRUN echo other > /made\n"})
    p.run("up", "-d", "--build", "-t", "0", "app")
    assert p.exec("app", "cat", "/made").stdout == "other\n"
    p.run("create", "--build", "--force-recreate", "always")
    run = p.run("run", "--rm", "--build", "app", "cat", "/made")
    assert run.stdout == "other\n"


@pytest.mark.parametrize("build, error", [
    ({"context": "./none"}, "there is no folder"),
    ({"context": ".", "dockerfile": "None"}, "there is no None"),
    ({"context": ".", "target": "none"}, 'there is no stage "none"'),
    ({"context": ".", "secrets": ["nosuch"]}, "nosuch"),
    ({"context": ".", "additional_contexts": {"x": "service:nosuch"}}, "nosuch"),
    ({"context": ".", "ulimits": {"nosuch": 1}}, "nosuch"),
])
def test_mistakes(berth, build, error):
    p = project(berth, {"app": {"build": build}}, "FROM busybox\nRUN --network=none true\n")
    failed = p.run("build", check=False)
    assert failed.returncode != 0 and error in failed.stderr, failed.stderr
    assert re.search(r'services?[ .]"?app|Dockerfile', failed.stderr), failed.stderr
