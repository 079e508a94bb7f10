# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine may lack for berth as an ordinary user: each is named when it is, with what to do."""

import io
import os
import shutil
import tarfile

import pytest

from tests.support.user import UID, User

STACK = "services: {a: {image: busybox, init: true, command: sleep 1000}}"


@pytest.fixture
def alice(berth):
    return User(berth)


def complaint(alice, *args, **options):
    result = alice.run(*args, check=False, **options)
    assert result.returncode == 1, result.stdout
    return result.stderr


def hide(alice, path, replacement):
    alice.berth.command(["mount", "--bind", replacement, path])


def test_ids(alice):
    """No program for them, one that is not setuid, no_new_privs, none in /etc/subuid."""
    cwd = alice.project(STACK)
    path = os.path.join(alice.berth.base, "bin")
    os.mkdir(path)
    assert "install the package uidmap" in complaint(alice, "up", "-d", cwd=cwd, path=path)
    plain = shutil.copy(shutil.which("newuidmap"), path)
    os.chmod(plain, 0o755)
    said = complaint(alice, "up", "-d", cwd=cwd, path=path)
    assert f"as root: chmod u+s {path}/newuidmap" in said
    alice.berth.command(["mount", "--bind", path, path])
    alice.berth.command(["mount", "-o", "remount,bind,nosuid", path])
    assert "mounted nosuid" in complaint(alice, "up", "-d", cwd=cwd, path=path)
    alice.berth.command(["umount", path])
    done = alice.berth.command(
        ["setpriv", "--no-new-privs", *alice.as_user([alice.program, "up", "-d"])],
        cwd=cwd, env=alice.env(), check=False)
    assert done.returncode == 1 and "no_new_privs" in done.stderr
    alice.etc("subuid", "")
    assert "usermod --add-subuids" in complaint(alice, "up", "-d", cwd=cwd)
    alice.nothing_left()


def test_a_session(alice):
    """After su or sudo there may be none."""
    cwd = alice.project(STACK)
    for value in ("/nowhere", None):
        said = complaint(alice, "up", "-d", cwd=cwd, env={"XDG_RUNTIME_DIR": value})
        assert "enable-linger" in said and "(not by su or sudo)" in said
    # Where it is by itself it is found.
    alice.berth.command(["mkdir", "-p", "/run/user"])
    alice.berth.command(["install", "-d", "-o", str(UID), f"/run/user/{UID}"])
    alice.image()
    alice.run("up", "-d", cwd=cwd, env={"XDG_RUNTIME_DIR": None})
    alice.run("down", "-t", "0", cwd=cwd, env={"XDG_RUNTIME_DIR": None})
    alice.nothing_left()


def test_user_namespaces(alice):
    """Each switch by which a machine forbids them. They are set in a user namespace of the test's,
    so that they are nobody else's."""
    cwd = alice.project(STACK)
    # By exec: who was nobody when it began has no capabilities.
    inside = ("until grep -q 4294967295 /proc/self/gid_map; do sleep 0.01; done; "
              'exec sh -c "echo 0 > /proc/sys/user/max_user_namespaces && exec \\"\\$@\\"" sh "$@"')
    forbid = ["sh", "-c", f"""unshare --user sh -c '{inside}' sh "$@" &
                              for map in uid_map gid_map; do
                                  until echo 0 0 4294967295 > /proc/$!/$map; do sleep 0.01; done
                              done 2> /dev/null
                              wait $!""", "sh"]

    def says(line):
        done = alice.berth.command([*forbid, *alice.as_user([alice.program, "up", "-d"])], cwd=cwd,
                                   env=alice.env(), check=False)
        assert done.returncode == 1 and f"sysctl -w {line}" in done.stderr, done.stderr
        return done.stderr

    says("user/max_user_namespaces=15000")
    knobs = os.path.join(alice.berth.base, "kernel")
    os.mkdir(knobs)
    for name, value, wanted in (("unprivileged_userns_clone", "0", "1"),
                                ("apparmor_restrict_unprivileged_userns", "1", "0")):
        for old in os.listdir(knobs):
            os.unlink(os.path.join(knobs, old))
        with open(os.path.join(knobs, name), "w") as file:
            file.write(f"{value}\n")
        hide(alice, "/proc/sys/kernel", knobs)
        said = says(f"kernel/{name}={wanted}")
        assert ("AppArmor profile" in said) == name.startswith("apparmor")
        alice.berth.command(["umount", "/proc/sys/kernel"])
    alice.nothing_left()


def test_few_ids(alice):
    """An image with a file of an id that the user does not have says which, and what to do."""
    alice.etc("subuid", "alice:200000:2000\n")
    alice.etc("subgid", "alice:300000:2000\n")
    path = os.path.join(alice.home, "nobody.tar")
    with tarfile.open(path, "w") as tar:
        entry = tarfile.TarInfo("spool")
        entry.uid = entry.gid = 65534
        tar.addfile(entry, io.BytesIO(b""))
    said = complaint(alice, "image", "import", path, "nobody")
    assert "65534:65534" in said and "end at 2000:2000" in said and "usermod --add-subuids" in said
    alice.image()
    cwd = alice.project(STACK.replace("init: true", 'user: "65534"'))
    said = complaint(alice, "up", "-d", cwd=cwd)
    assert "65534" in said and "end at 2000:2000" in said and "usermod --add-subuids" in said
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_pasta(alice):
    """Without it containers have each other and their ports; that they have no more is said."""
    path = os.path.join(alice.berth.base, "bin")
    os.mkdir(path)
    for name in ("newuidmap", "newgidmap", "env"):
        os.symlink(shutil.which(name), os.path.join(path, name))
    alice.image()
    cwd = alice.project("""
services:
  web: {image: busybox, init: true, command: "httpd -f -p 80 -h /etc", ports: ["18080:80"]}
  client: {image: busybox, init: true, command: sleep 1000}
""")
    done = alice.run("up", "-d", cwd=cwd, path=path)
    said = [line for line in done.stderr.splitlines() if "pasta" in line]
    assert len(said) == 1 and "install the package passt" in said[0], done.stderr
    assert "root:" in alice.berth.get("http://127.0.0.1:18080/passwd").stdout
    page = alice.run("exec", "-T", "client", "wget", "-qO-", "http://web/passwd", cwd=cwd)
    assert "root:" in page.stdout
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_a_low_port(alice):
    alice.image()
    cwd = alice.project("services: {a: {image: busybox, ports: ['80:80']}}")
    assert "ip_unprivileged_port_start" in complaint(alice, "up", "-d", cwd=cwd)
    alice.run("down", "-t", "0", cwd=cwd)
    alice.nothing_left()


def test_a_home_that_is_noexec(alice):
    """What is executed is on a mount of berth's own."""
    alice.berth.command(["mount", "--bind", alice.home, alice.home])
    alice.berth.command(["mount", "-o", "remount,bind,noexec,nosuid,nodev", alice.home])
    alice.image()
    cwd = alice.project(STACK)
    alice.run("up", "-d", cwd=cwd)
    assert alice.run("exec", "-T", "a", "echo", "well", cwd=cwd).stdout == "well\n"
    alice.run("down", "-t", "0", cwd=cwd)
    alice.berth.command(["umount", alice.home])
    alice.nothing_left()
