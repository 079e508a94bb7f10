# SPDX-License-Identifier: GPL-2.0-or-later
"""Files in and out of containers: cp by docker's rules, confined, and export."""
import io
import json
import os
import tarfile

import pytest

from tests.support.user import needs_root

APP = {"image": "busybox", "command": ["sleep", "1000"], "init": True,
       "volumes": ["data:/data", "./bind:/bind"], "tmpfs": ["/scratch"]}


def base_tar():
    """busybox and a file that is going to be removed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add("/bin/busybox", "bin/busybox")
        for name in ("sh", "cat", "sleep", "rm", "ls", "id"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        tar.addfile(tarfile.TarInfo("gone"))
    return buffer.getvalue()


@pytest.fixture
def project(berth):
    project = berth.project({
        "compose.yaml": {"services": {"app": APP, "many": {**APP, "scale": 2}},
                         "volumes": {"data": {}}},
        "file": "one\n", "tree/a": "A\n", "tree/sub/b": "B\n", "bind/keep": ""})
    os.chmod(f"{project.path}/tree/a", 0o751)
    os.symlink("a", f"{project.path}/tree/link")
    project.run("up", "-d", "-t", "0")
    return project


def inside(project, *argv):
    return project.exec("app", *argv).stdout


@needs_root
def test_the_rules(project):
    """File and directory, to what is there and what is not, with and without /."""
    assert "app-1 Copied" in project.run("cp", "file", "app:/tmp/new").stderr
    project.run("cp", "./file", "app:/tmp/")
    project.run("cp", "file", "app:scratch/on-tmpfs")
    assert inside(project, "cat", "/tmp/new", "/tmp/file", "/scratch/on-tmpfs") == "one\n" * 3
    project.run("cp", "tree", "app:/made")
    project.run("cp", "tree", "app:/tmp")
    project.run("cp", "tree/.", "app:/data")
    for place in ("/made", "/tmp/tree", "/data"):
        assert inside(project, "cat", f"{place}/a", f"{place}/sub/b", f"{place}/link") == "A\nB\nA\n"
    assert inside(project, "stat", "-c", "%a %u %F", "/made/a", "/made/link") == \
        "751 0 regular file\n777 0 symbolic link\n"
    for source, target, text in (("file", "app:/none/x", "no such file"),
                                 ("file", "app:/tmp/nodir/", "not a directory"),
                                 ("tree", "app:/tmp/new", "cannot copy a directory over"),
                                 ("missing", "app:/tmp", "missing: No such file"),
                                 ("app:/missing", ".", "/missing: No such file"),
                                 ("file", "file2", "unknown copy direction"),
                                 ("app:/a", "many:/a", "between services"),
                                 ("file", "none:/a", "no such service: none")):
        refused = project.run("cp", source, target, check=False)
        assert refused.returncode == 1 and text.lower() in refused.stderr.lower(), refused.stderr
    project.run("cp", "app:/made", "back")
    project.run("cp", "app:/made/link", "plain-link")
    project.run("cp", "-L", "app:/made/link", "followed")
    read = lambda name: open(f"{project.path}/{name}").read()
    assert (read("back/a"), read("back/sub/b"), read("followed")) == ("A\n", "B\n", "A\n")
    assert os.readlink(f"{project.path}/plain-link") == "a"
    os.chown(f"{project.path}/file", 1234, 5678)
    project.run("cp", "-a", "file", "app:/owned")
    project.run("cp", "file", "app:/disowned")
    assert inside(project, "stat", "-c", "%u:%g", "/owned", "/disowned") == "1234:5678\n0:0\n"
    assert project.run("--dry-run", "cp", "file", "app:/dry").stdout.startswith("copy file to ")
    assert "No such file" in project.exec("app", "ls", "/dry", check=False).stderr


def test_which_containers(project):
    project.run("cp", "file", "many:/tmp/both")
    project.run("cp", "--index", "2", "file", "many:/tmp/second")
    shown = [project.run("exec", "-T", "--index", str(n), "many", "ls", "/tmp").stdout.split()
             for n in (1, 2)]
    assert shown == [["both"], ["both", "second"]]
    absent = project.run("cp", "--index", "7", "file", "many:/x", check=False)
    assert absent.returncode == 1 and "container #7" in absent.stderr
    project.run("run", "-d", "--name", "beside", "app", "sleep", "1000")
    assert "beside Copied" in project.run("cp", "--all", "file", "app:/tmp/all").stderr
    project.run("kill", "many")
    # Stopped ones have files too, also on their volumes.
    project.run("cp", "file", "many:/etc/late")
    project.run("cp", "file", "many:/data/late")
    project.run("cp", "many:/etc/late", "late")
    assert open(f"{project.path}/late").read() == "one\n"
    assert inside(project, "cat", "/data/late") == "one\n"
    project.run("start", "many")
    assert project.exec("many", "cat", "/etc/late").stdout == "one\n"


def test_tar_streams(project):
    project.run("cp", "tree", "app:/made")
    data = project.run("cp", "app:/made", "-", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {"made", "made/a", "made/sub/b", "made/link"} <= {name.rstrip("/")
                                                                 for name in tar.getnames()}
    project.run("cp", "-", "app:/tmp", input=data, text=False)
    assert inside(project, "cat", "/tmp/made/sub/b", "/tmp/made/link") == "B\nA\n"
    # What comes once is for all replicas.
    project.run("cp", "-", "many:/tmp", input=data, text=False)
    for number in ("1", "2"):
        assert project.run("exec", "-T", "--index", number, "many", "cat", "/tmp/made/a").stdout == "A\n"
    for target, bad, text in (("app:/tmp/made/a", data, "must be a directory"),
                              ("app:/tmp", b"x" * 2000, "archive")):
        refused = project.run("cp", "-", target, input=bad, text=False, check=False)
        assert refused.returncode == 1 and text in refused.stderr.decode()


def test_no_way_out(project, berth):
    """Links of the container lead nowhere but into the container; nor do names of an archive."""
    secret = f"{berth.home}/secret"
    open(secret, "w").write("secret\n")
    project.exec("app", "sh", "-c", f"ln -s {secret} /out; ln -s / /tmp/up; ln -s ../../.. /tmp/far;"
                 "mkdir /tmp/t; ln -s /etc /tmp/t/dir")
    refused = project.run("cp", "-L", "app:/out", "got", check=False)
    assert refused.returncode == 1 and not os.path.exists(f"{project.path}/got")
    project.run("cp", "file", "app:/tmp/far/evil")
    assert inside(project, "cat", "/evil") == "one\n" and not os.path.exists("/evil")
    # A tree copied over a link replaces the link's place with nothing outside it.
    os.makedirs(f"{project.path}/t/dir")
    open(f"{project.path}/t/dir/passwd", "w").write("evil\n")
    over = project.run("cp", "t", "app:/tmp", check=False)
    assert over.returncode == 1 and "evil" not in inside(project, "cat", "/etc/passwd")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("../../escaped", "/absolute", "up/through"):
            info = tarfile.TarInfo(name)
            info.size = 2
            tar.addfile(info, io.BytesIO(b"x\n"))
    project.run("cp", "-", "app:/tmp", input=buffer.getvalue(), text=False)
    assert inside(project, "sh", "-c", "cat /tmp/escaped /tmp/absolute /tmp/through "
                  "2>/dev/null || ls -R /tmp").count("x") >= 2
    for name in ("/escaped", "/absolute", "/through"):
        assert not os.path.exists(name)


def test_export(project):
    project.exec("app", "sh", "-c", "echo layer > /new; echo volume > /data/v; rm -f /bin/false")
    project.run("export", "-o", "app.tar", "app")
    with tarfile.open(f"{project.path}/app.tar") as tar:
        names = {name.removeprefix("./").rstrip("/") for name in tar.getnames()}
        assert all(entry.size == 0 for entry in tar if entry.name.endswith("etc/hosts"))
    assert "new" in names and "data" in names and "data/v" not in names
    assert "bind/keep" not in names and "proc" in names and "proc/self" not in names
    project.run("stop", "-t", "0", "app")
    data = project.run("export", "app", text=False).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert any(name.endswith("new") for name in tar.getnames())
    refused = project.run("export", "-o", "/nonexistent/x", "app", check=False)
    assert refused.returncode == 1 and "/nonexistent/x" in refused.stderr
    assert project.run("export", "--index", "3", "app", check=False).returncode == 1
    assert "export container" in project.run("--dry-run", "export", "app").stdout


@needs_root
def test_commit(berth):
    """An image of the files and of how they are run; nothing of what was mounted is in it."""
    berth.run("image", "import", "-c", 'ENV A="b c"', "-c", 'CMD ["sh", "-c", "cat /new; echo $A"]',
              "-c", "WORKDIR /srv", "-c", "EXPOSE 80", "-", "small", input=base_tar(), text=False)
    project = berth.project({"compose.yaml": {
        "services": {"app": {"image": "small", "command": ["sleep", "1000"], "init": True,
                             "configs": [{"source": "secret", "target": "/plain"}]}},
        "configs": {"secret": {"content": "hidden"}}}})
    project.run("up", "-d")
    project.exec("app", "sh", "-c", "echo fresh > /new; rm /gone")
    plan = project.run("--dry-run", "commit", "app", "made:1")
    assert plan.stdout.startswith("commit container ")
    done = project.run("commit", "-m", "more", "-a", "me", "-c", "USER 65534", "app", "made:1")
    assert "Committed as sha256:" in done.stderr
    frozen = ["pause", "unpause"]
    told = project.run("events", "--json", "--since", "1h", "--until", "0s").stdout.splitlines()
    assert [json.loads(line)["action"] for line in told][-2:] == frozen
    assert project.container("app")["State"] == "running"
    project.run("commit", "--index", "1", "--pause=false", "app")
    told = project.run("events", "--json", "--since", "1h", "--until", "0s").stdout.splitlines()
    assert [json.loads(line)["action"] for line in told].count("pause") == 1
    project.write({"compose.yaml": {"services": {"app": {"image": "made:1"}}}})
    ran = project.run("run", "--rm", "--name", "of-made", "app")
    assert ran.stdout == "fresh\nb c\n"
    seen = project.run("run", "--rm", "app", "sh", "-c", "id -u; pwd; ls /gone; cat /plain",
                       check=False)
    assert seen.stdout == "65534\n/srv\n" and "hidden" not in seen.stdout
