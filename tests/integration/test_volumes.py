# SPDX-License-Identifier: GPL-2.0-or-later
"""Volumes, binds, tmpfs, secrets and configs as the container sees them."""
import fcntl
import json
import os
import stat

import pytest

from tests.support.user import needs_root

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def up(berth, service, files=None, **top):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, **service}}, **top},
                             **(files or {})})
    project.run("up", "-d")
    return project


def test_new_volume_is_filled_from_the_image(berth):
    berth.image_from_binaries("filled", [], {"/data/sub/file": ("text", 0o640), "/data/x": "y",
                                            "/data2/z": "not to be copied"})
    project = up(berth, {"image": "filled", "volumes": ["volv:/data", "voln:/empty", {
        "type": "volume", "source": "nc", "target": "/data2", "volume": {"nocopy": True}}]},
        volumes={"volv": {}, "voln": {}, "nc": {}})
    assert project.exec("a", "cat", "/data/sub/file").stdout == "text"
    assert project.exec("a", "stat", "-c", "%a", "/data/sub/file").stdout == "640\n"
    assert project.exec("a", "ls", "/data2").stdout == ""
    project.exec("a", "rm", "/data/x")
    project.run("up", "-d", "--force-recreate", "-t", "0")
    assert project.exec("a", "test", "-e", "/data/x", check=False).returncode == 1


def test_bind(berth):
    project = up(berth, {"volumes": ["./here:/there", "./here/file:/single:ro", "./made:/made"]},
                 {"here/file": "content"})
    assert project.exec("a", "cat", "/there/file").stdout == "content"
    project.exec("a", "sh", "-c", "echo new > /there/new")
    with open(f"{project.path}/here/new", encoding="utf-8") as file:
        assert file.read() == "new\n"
    denied = project.exec("a", "sh", "-c", "echo x > /single", check=False)
    assert "Read-only" in denied.stderr
    assert os.path.isdir(f"{project.path}/made")


@pytest.mark.parametrize("propagation, seen", [("rslave", True), ("rprivate", False)])
def test_propagation(berth, propagation, seen):
    """Whether what is mounted on the host later shows inside."""
    project = berth.project({"here/sub/of_host": "x", "compose.yaml": {"services": {"a": {**SLEEP, "volumes": [
        {"type": "bind", "source": "./here", "target": "/there", "bind": {"propagation": propagation}}]}}}})
    here = f"{project.path}/here"
    berth.command(["sh", "-ec", f"mount --bind {here} {here}; mount --make-shared {here}"])
    project.run("up", "-d")
    berth.command(["mount", "-t", "tmpfs", "tmpfs", f"{here}/sub"])
    assert (project.exec("a", "ls", "/there/sub").stdout == "") == seen
    project.run("down", "-t", "0")
    berth.command(["umount", "-R", here])


@needs_root
def test_propagation_out_of_it(berth):
    """What a container mounts below a shared bind shows on the host, and goes again."""
    project = berth.project({"here/sub/of_host": "x", "compose.yaml": {"services": {"a": {
        **SLEEP, "privileged": True, "volumes": [{"type": "bind", "source": "./here", "target": "/there",
                                                  "bind": {"propagation": "rshared"}}]}}}})
    here = f"{project.path}/here"
    berth.command(["sh", "-ec", f"mount --bind {here} {here}; mount --make-shared {here}"])
    project.run("up", "-d")
    project.exec("a", "mount", "-t", "tmpfs", "tmpfs", "/there/sub")
    assert berth.command(["ls", f"{here}/sub"]).stdout == ""
    project.exec("a", "umount", "/there/sub")
    assert berth.command(["ls", f"{here}/sub"]).stdout == "of_host\n"
    project.run("down", "-t", "0")
    berth.command(["umount", "-R", here])


def test_missing_bind_source(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [{
        "type": "bind", "source": "./nowhere", "target": "/x",
        "bind": {"create_host_path": False}}]}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "nowhere" in failed.stderr
    assert not any(row["State"] == "running" for row in project.ps())


def test_tmpfs(berth):
    project = up(berth, {"tmpfs": ["/t:size=1m,mode=700"], "volumes": [{
        "type": "tmpfs", "target": "/u", "tmpfs": {"size": "2m", "mode": 0o755}}]})
    mounts = project.exec("a", "cat", "/proc/mounts").stdout
    assert "tmpfs /t tmpfs" in mounts and "size=1024k" in mounts
    assert project.exec("a", "stat", "-c", "%a", "/t", "/u").stdout == "700\n755\n"
    assert project.exec("a", "sh", "-c", "head -c 3m /dev/zero > /u/x", check=False).returncode


def test_read_only_root_and_volume(berth):
    project = up(berth, {"read_only": True, "volumes": ["volv:/data:ro"], "tmpfs": "/tmp"},
                 volumes={"volv": {}})
    for path in ("/x", "/data/x"):
        assert "Read-only" in project.exec("a", "sh", "-c", f"echo > {path}", check=False).stderr
    project.exec("a", "sh", "-c", "echo > /tmp/x")


def test_secrets_and_configs(berth):
    project = berth.project({
        "compose.yaml": {
            "services": {"a": {
                **SLEEP, "user": "1000:1000", "read_only": True,
                "secrets": ["plain", {"source": "env", "target": "token", "uid": "1000",
                                      "gid": "1000", "mode": 0o400}],
                "configs": [{"source": "conf", "target": "/etc/app.conf", "mode": 0o440},
                            "inline"]}},
            "secrets": {"plain": {"file": "./plain.txt"}, "env": {"environment": "TOKEN"}},
            "configs": {"conf": {"file": "./conf.txt"}, "inline": {"content": "a ${WORD} text"}}},
        "plain.txt": "from a file", "conf.txt": "conf"})
    project.run("up", "-d", env={"TOKEN": "s3cret", "WORD": "nice"})
    assert project.exec("a", "cat", "/run/secrets/plain").stdout == "from a file"
    assert project.exec("a", "cat", "/run/secrets/token").stdout == "s3cret"
    shown = project.exec("a", "stat", "-c", "%a %u:%g", "/run/secrets/token", "/etc/app.conf",
                         "/run/secrets/plain").stdout
    assert shown == "400 1000:1000\n440 0:0\n444 0:0\n"
    assert project.exec("a", "cat", "/inline").stdout == "a nice text"
    mounts = project.exec("a", "cat", "/proc/mounts").stdout.splitlines()
    assert {line.split()[1] for line in mounts if line.startswith("tmpfs") and ",size=8k" in line} == {
        "/run/secrets/plain", "/run/secrets/token", "/etc/app.conf", "/inline"}
    assert all(line.split()[3].startswith("ro,nosuid,nodev,noexec") for line in mounts if ",size=8k" in line)


def test_anonymous_volumes_are_carried_over_and_go_with_down_v(berth):
    project = up(berth, {"volumes": ["/anon"]})
    project.exec("a", "sh", "-c", "echo kept > /anon/file")
    project.run("up", "-d", "--force-recreate", "-t", "0")
    assert project.exec("a", "cat", "/anon/file").stdout == "kept\n"
    project.run("up", "-d", "--force-recreate", "-V", "-t", "0")
    assert project.exec("a", "test", "-e", "/anon/file", check=False).returncode == 1


def test_subpath(berth):
    project = up(berth, {"volumes": ["volv:/all"]}, volumes={"volv": {}})
    project.exec("a", "mkdir", "-p", "/all/sub/deeper")
    project.exec("a", "sh", "-c", "echo deep > /all/sub/deeper/file")
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [{
        "type": "volume", "source": "volv", "target": "/x", "volume": {"subpath": "sub/deeper"}}]}},
        "volumes": {"volv": {}}}})
    project.run("up", "-d", "-t", "0")
    assert project.exec("a", "cat", "/x/file").stdout == "deep\n"


@pytest.mark.parametrize("subpath, said", (
    ("nope", "there is no such file or directory in it"), ("../..", "'..' must not be in it"),
    ("/etc", "it must be relative"), ("out", None)))
def test_subpath_that_leads_nowhere(berth, subpath, said):
    """Also by what a container made in the volume."""
    project = up(berth, {"volumes": ["volv:/v"]}, volumes={"volv": {}})
    project.exec("a", "ln", "-s", "/etc", "/v/out")
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [{
        "type": "volume", "source": "volv", "target": "/x", "volume": {"subpath": subpath}}]}},
        "volumes": {"volv": {}}}})
    failed = project.run("up", "-d", "-t", "0", check=False)
    assert failed.returncode == 1
    assert f"volume {project.name}_volv: subpath '{subpath}': {said or ''}" in failed.stderr


def test_volume_options(berth):
    project = up(berth, {"volumes": ["volt:/t", "volb:/b"]}, {"data/f": "bound"}, volumes={
        "volt": {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=750"}},
        "volb": {"driver_opts": {"type": "none", "device": "./data", "o": "bind"}}})
    assert project.exec("a", "stat", "-c", "%a", "/t").stdout == "750\n"
    assert project.exec("a", "cat", "/b/f").stdout == "bound"


def test_external_volume(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": ["volv:/v"]}},
                                              "volumes": {"volv": {"external": True}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "external volume \"volv\" not found" in failed.stderr


def test_shared_by_two_services(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "volumes": ["volv:/v"]},
                     "b": {**SLEEP, "volumes": ["volv:/v:ro"]},
                     "c": {**SLEEP, "volumes_from": ["a:ro"]}}, "volumes": {"volv": {}}}})
    project.run("up", "-d")
    project.exec("a", "sh", "-c", "echo hi > /v/f")
    assert project.exec("b", "cat", "/v/f").stdout == "hi\n"
    assert project.exec("c", "cat", "/v/f").stdout == "hi\n"
    mount = json.loads(project.run("inspect", f"{project.name}-c-1").stdout)[0]["Mounts"]
    assert [(m["Type"], m["Name"], m["Destination"], m["RW"]) for m in mount] == [
        ("volume", f"{project.name}_volv", "/v", False)]


def test_links_in_a_volume_lead_nowhere(berth):
    """What a container puts into its root or volume cannot lead a later mount out of it."""
    target = os.path.join(berth.base, "host-folder")
    os.mkdir(target)
    project = up(berth, {"volumes": ["volv:/v"]}, volumes={"volv": {}})
    project.exec("a", "ln", "-s", f"../../../../../../../../{target}", "/v/out")
    project.write({"compose.yaml": {"services": {"a": {**SLEEP, "volumes": [
        "volv:/v", {"type": "tmpfs", "target": "/v/out"}]}}, "volumes": {"volv": {}}}})
    project.run("up", "-d", "-t", "0", check=False)
    assert stat.S_ISDIR(os.stat(target).st_mode) and os.listdir(target) == []
    assert not any(target in line for line in open(f"/proc/{berth.pid}/mountinfo"))


def filled_from_image(berth):
    berth.image_from_binaries("many", [], {f"/data/{n}": str(n) * 500 for n in range(2000)})
    return berth.project({"compose.yaml": {"services": {"a": {
        "image": "many", "command": ["sleep", "1000"], "init": True, "volumes": ["data:/data"]}},
        "volumes": {"data": {}}}})


def has_all(project):
    return project.exec("a", "sh", "-c", "ls /data | wc -l").stdout.strip() == "2000"


def test_a_volume_is_whole_after_a_kill_while_it_was_filled(berth):
    project = filled_from_image(berth)
    folder = f"{berth.root}/volumes/{project.name}_data/_data"
    client = project.popen("up", "-d")
    berth.wait_until(lambda: os.path.isdir(folder) and len(os.listdir(folder)) > 10, 30,
                     interval=0.001)
    berth.kill(project.supervisor_pids()[0])
    _, err = client.communicate(timeout=60)
    assert client.returncode == 0, err
    assert has_all(project)


def test_down_does_not_wait_for_a_volume_to_be_filled(berth):
    project = filled_from_image(berth)
    os.makedirs(f"{berth.root}/volumes", exist_ok=True)
    berth.give(f"{berth.root}/volumes")
    with open(f"{berth.root}/volumes/.populate", "w", encoding="utf-8") as lock:
        berth.give(lock.name)
        for command in (["stop", "-t", "0"], ["down", "-v"]):
            # Whoever is to fill a volume waits for this lock.
            fcntl.flock(lock, fcntl.LOCK_EX)
            client = project.popen("up", "-d")
            berth.wait_until(lambda: project.container("a"), 30)
            project.run(*command)
            _, err = client.communicate(timeout=60)
            assert client.returncode == 1 and f'interrupted by "berth {command[0]}"' in err, err
            fcntl.flock(lock, fcntl.LOCK_UN)
            if command[0] == "stop":
                assert project.container("a")["State"] == "created"
                project.run("up", "-d")
                assert has_all(project)
                project.run("down", "-v", "-t", "0")
    assert not os.path.exists(f"{berth.root}/volumes/{project.name}_data")


def test_anonymous_volumes_have_the_labels_of_their_mount(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "command": ["sleep", "1000"], "stop_grace_period": "0s",
        "volumes": [{"type": "volume", "target": "/d", "volume": {"labels": {"own": "yes"}}}]}}}})
    project.run("up", "-d")
    shown = berth.run("volume", "ls", "-q", "--filter", "label=own=yes", cwd="/").stdout.split()
    assert len(shown) == 1 and len(shown[0]) == 64


def test_owner_and_mode_of_a_volume(berth):
    """x-berth: for programs that are not root, also where the image has something there."""
    project = berth.project({"compose.yaml": {
        "services": {"a": {"image": "busybox", "user": "1000:1001", "stop_grace_period": "0s",
                           "command": ["sleep", "1000"], "volumes": ["new:/new", "etc:/etc/x",
                                                                     "full:/bin"]}},
        "volumes": {"new": {"x-berth": {"owner": "1000:1001", "mode": "0770"}},
                    "etc": {"x-berth": {"owner": 1000}},
                    "full": {"x-berth": {"owner": "1000:1001", "mode": "0711"}}}}})
    project.run("up", "-d")
    shown = project.exec("a", "stat", "-L", "-c", "%u:%g %a", "/new", "/etc/x", "/bin").stdout
    assert shown.splitlines() == ["1000:1001 770", "1000:0 755", "1000:1001 711"]
    assert project.exec("a", "touch", "/new/x").returncode == 0
    assert project.exec("a", "test", "-x", "/bin/busybox").returncode == 0


def test_a_volume_is_taken_into_use_or_removed_never_both(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "volumes": ["vol:/v"]}},
        "volumes": {"vol": {"name": "kept", "external": True}}}})
    for name in ("kept", "other"):
        berth.run("volume", "create", name)
    # As one that makes a container does, until its record says what it uses.
    with open(f"{berth.root}/volumes/.users.lock", "w", encoding="utf-8") as lock:
        berth.give(lock.name)
        for words in (["rm", "kept", "other"], ["prune", "-f", "-a"]):
            fcntl.flock(lock, fcntl.LOCK_SH)
            remover = berth.popen("volume", *words)
            berth.wait_until(lambda pid=remover.inner_pid(): waits_for_lock(pid), 10)
            project.run("up", "-d")
            fcntl.flock(lock, fcntl.LOCK_UN)
            out, err = remover.communicate(timeout=60)
            assert "other" in out and "kept" not in out
            if words[0] == "rm":
                assert remover.returncode == 1 and "remove kept: volume is in use" in err
                project.run("down", "-t", "0")
                berth.run("volume", "create", "other")
            else:
                assert (remover.returncode, err) == (0, "")
    project.exec("a", "touch", "/v/file")
    assert os.path.exists(f"{berth.root}/volumes/kept/_data/file")
    project.run("down", "-t", "0")
    assert berth.run("volume", "rm", "kept").stdout == "kept\n"


def test_down_leaves_a_volume_that_another_project_uses(berth):
    owner = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "volumes": ["shared:/v", "own:/o"]}},
        "volumes": {"shared": {}, "own": {}}}})
    owner.run("up", "-d")
    owner.exec("a", "touch", "/v/file")
    shared = f"{owner.name}_shared"
    other = berth.project({"compose.yaml": {
        "services": {"b": {**SLEEP, "volumes": ["theirs:/w"]}},
        "volumes": {"theirs": {"name": shared, "external": True}}}})
    other.run("up", "-d")
    other.run("stop", "-t", "0")
    down = owner.run("down", "-v", "-t", "0")
    assert (f"Volume {shared} Resource is still in use (remove {shared}: volume is in use - "
            f"[{other.name}-b-1])") in down.stderr
    assert berth.run("volume", "ls", "-q").stdout.split() == [shared]
    other.run("start")
    assert other.exec("b", "ls", "/w").stdout == "file\n"
    other.run("down", "-v", "-t", "0")  # external: not its own to remove
    assert berth.run("volume", "rm", shared).stdout == f"{shared}\n"


def waits_for_lock(pid):
    with open(f"/proc/{pid}/syscall", encoding="utf-8") as file:
        number = file.read().split()[0]
    return number == {"x86_64": "73", "aarch64": "32"}[os.uname().machine]
