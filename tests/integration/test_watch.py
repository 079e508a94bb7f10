# SPDX-License-Identifier: GPL-2.0-or-later
"""develop.watch: files of this machine in the container as they change."""
import os
import signal
import time

import pytest

from tests.support.sandbox import binary as sandbox_binary, wait_until

APP = {"image": "busybox", "command": ["sleep", "1000"], "init": True, "stop_grace_period": "0s"}


def stack(*watch, app=APP, **services):
    return {"services": {"app": {**app, "develop": {"watch": list(watch)}}, **services}}


class Watching:
    """`berth watch`, its lines as they come."""

    def __init__(self, project, *args):
        self.project = project
        self.log = open(f"{project.sandbox.base}/watch.log", "w+b")
        self.process = project.popen("watch", *args, stdout=self.log, stderr=self.log)
        self.until("Watch enabled")

    def text(self):
        return open(self.log.name, encoding="utf-8").read()

    def until(self, text):
        def reached():
            assert self.process.poll() is None, self.text()
            return text in self.text()

        wait_until(reached, 60, f"{text!r} in {self.text()}")

    def end(self):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(60) == 130, self.text()
        self.log.close()
        return self.text()


@pytest.fixture
def watching(request):
    started = []

    def start(project, *args):
        started.append(Watching(project, *args))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()


def inside(project, path):
    """What stands at @path of app's container; None: nothing."""
    result = project.exec("app", "cat", path, check=False)
    return result.stdout if result.returncode == 0 else None


def becomes(project, path, content):
    wait_until(lambda: inside(project, path) == content, 60,
               f"{path} is {inside(project, path)!r}, not {content!r}")


def test_sync(berth, watching):
    """New, changed, replaced by rename, moved, removed; folders; and what is left out."""
    project = berth.project({
        "compose.yaml": stack({"path": "./src", "action": "sync", "target": "/app", "ignore": ["*.log"],
                               "initial_sync": True},
                              {"path": "./one.conf", "action": "sync", "target": "/etc/one.conf"},
                              {"path": "./web", "action": "sync", "target": "/web", "include": ["**/*.js"]},
                              app={**APP, "volumes": ["./fixed:/app/fixed:ro"]}),
        "src/a": "1\n", "src/x.log": "no\n", "src/.git/config": "no\n", "src/sub/b": "B\n",
        "one.conf": "1\n", "web/x": "", "secret": "secret\n", "fixed": "fixed\n"})
    path = project.path
    watch = watching(project)
    becomes(project, "/app/sub/b", "B\n")  # initial_sync
    becomes(project, "/app/a", "1\n")
    project.write({"src/a": "2\n", "src/x.log": "no\n", "src/.git/HEAD": "no\n", "src/a~": "no\n"})
    becomes(project, "/app/a", "2\n")
    # As editors save: a file beside it takes its name.
    project.write({"src/.a.swp": "no\n", "src/a.new": "3\n"})
    os.rename(f"{path}/src/a.new", f"{path}/src/a")
    becomes(project, "/app/a", "3\n")
    becomes(project, "/app/a.new", None)
    project.write({"one.new": "2\n"})
    os.rename(f"{path}/one.new", f"{path}/one.conf")
    becomes(project, "/etc/one.conf", "2\n")
    # A tree that was made elsewhere, then moved in, renamed, and moved away.
    project.write({"t/deep/er/f": "f\n", "t/g": "g\n"})
    os.symlink("g", f"{path}/t/link")
    os.chmod(f"{path}/t/g", 0o751)
    os.rename(f"{path}/t", f"{path}/src/t")
    becomes(project, "/app/t/deep/er/f", "f\n")
    becomes(project, "/app/t/link", "g\n")
    assert project.exec("app", "stat", "-c", "%a", "/app/t/g").stdout == "751\n"
    os.rename(f"{path}/src/t", f"{path}/src/u")
    becomes(project, "/app/u/deep/er/f", "f\n")
    becomes(project, "/app/t/g", None)
    project.write({"src/u/deep/new": "n\n"})
    becomes(project, "/app/u/deep/new", "n\n")
    os.rename(f"{path}/src/u", f"{path}/away")
    becomes(project, "/app/u/g", None)
    # A file becomes a folder, and the other way round.
    os.unlink(f"{path}/src/a")
    project.write({"src/a/in": "in\n"})
    becomes(project, "/app/a/in", "in\n")
    os.rename(f"{path}/src/a", f"{path}/a-away")
    project.write({"src/a": "4\n"})
    becomes(project, "/app/a", "4\n")
    project.write({"web/no.css": "no\n", "web/sub/yes.js": "js\n"})
    becomes(project, "/web/sub/yes.js", "js\n")
    # What cannot be written is told, and keeps nothing else from its place.
    project.write({"src/fixed": "no\n", "src/free": "free\n"})
    becomes(project, "/app/free", "free\n")
    watch.until("/app/fixed: ")
    assert inside(project, "/app/fixed") == "fixed\n"
    # A link in the container leads nowhere but into the container.
    project.exec("app", "sh", "-c", f"rm -r /app/sub; ln -s {path} /app/sub")
    project.write({"src/sub/secret": "evil\n"})
    becomes(project, "/app/sub/secret", "evil\n")
    assert open(f"{path}/secret").read() == "secret\n"
    for absent in ("/app/x.log", "/app/.git", "/app/a~", "/app/.a.swp", "/web/no.css", "/web/x"):
        assert project.exec("app", "ls", "-d", absent, check=False).returncode != 0, absent
    assert 'Syncing service "app" after 1 changes were detected' in watch.end()


def test_bursts(berth, watching):
    """Thousands of files at once, also in folders that came and went meanwhile; how long one takes."""
    project = berth.project({"compose.yaml": stack({"path": "./src", "action": "sync", "target": "/app"}),
                             "src/first": ""})
    watch = watching(project)
    project.write({f"src/d{i % 50}/f{i}": f"{i}\n" for i in range(3000)})
    count = ["app", "sh", "-c", "find /app -type f | wc -l"]
    wait_until(lambda: project.exec(*count).stdout == "3000\n", 60)
    for i in range(0, 50, 2):
        os.rename(f"{project.path}/src/d{i}", f"{project.path}/src/e{i}")
    becomes(project, "/app/e48/f2948", "2948\n")
    becomes(project, "/app/d48/f2948", None)
    wait_until(lambda: project.exec(*count).stdout == "3000\n", 60, "what was renamed is all there")
    # The container's own view of the file, without a process in between.
    pid = berth.pids_of("sleep", "1000")[0]
    there, times = f"/proc/{pid}/root/app/first", []

    def read():
        return os.path.exists(there) and open(there).read()

    for i in range(20):
        begin = time.monotonic()
        project.write({"src/first": f"{i}\n"})
        wait_until(lambda: read() == f"{i}\n", 60, interval=0.0005)
        times.append((time.monotonic() - begin) * 1000)
    times.sort()
    print(f"from save to file in the container: median {times[10]:.1f} ms, worst {times[-1]:.1f} ms")
    assert times[0] < 5000
    watch.end()


def test_nobody_meets_half_of_a_file(berth, watching):
    """A reader has the old one or the new one; owner and mode stay, and so does a mount."""
    sizes = [200_000, 3_000_000]
    project = berth.project({
        "compose.yaml": stack({"path": "./src", "action": "sync", "target": "/app"},
                              app={**APP, "volumes": ["./mounted:/app/mounted"]}),
        "src/.keep": "", "mounted": "here\n"})
    watch = watching(project)
    project.write({"src/big": "0" * sizes[0], "src/mounted": "there\n"})
    becomes(project, "/app/mounted", "there\n")
    wait_until(lambda: len(inside(project, "/app/big") or "") == sizes[0], 60)
    project.exec("app", "chown", "12:34", "/app/big")
    reader = project.popen("exec", "-T", "app", "sh", "-c",
                           "while [ ! -e /stop ]; do wc -c </app/big; done")
    for i in range(1, 21):
        project.write({"new": str(i % 10) * sizes[i % 2]})
        os.rename(f"{project.path}/new", f"{project.path}/src/big")
        wait_until(lambda i=i: len(inside(project, "/app/big")) == sizes[i % 2], 60)
    project.exec("app", "touch", "/stop")
    out, _ = reader.communicate(timeout=60)
    assert {int(line) for line in out.split()} == set(sizes)
    assert project.exec("app", "stat", "-c", "%u:%g", "/app/big").stdout == "12:34\n"
    # The file that is mounted is written into; taking it away here takes no mount away there.
    assert open(f"{project.path}/mounted").read() == "there\n"
    os.unlink(f"{project.path}/src/mounted")
    watch.until("it stays, for it is mounted there")
    assert inside(project, "/app/mounted") == "there\n"
    assert project.exec("app", "ls", "-A", "/app").stdout.split() == ["big", "mounted"]
    watch.end()


def test_actions(berth, watching):
    """restart, sync+restart, sync+exec and rebuild; a failure is told and watching goes on."""
    project = berth.project({
        "compose.yaml": stack(
            {"path": "./conf", "action": "sync+restart", "target": "/conf"},
            {"path": "./plain", "action": "restart"},
            {"path": "./run", "action": "sync+exec", "target": "/run/in",
             "exec": {"command": ["sh", "-c", "cat /run/in/* > /ran; echo $$WORD; test ! -e /run/in/bad"],
                      "environment": {"WORD": "executed"}}},
            built={**APP, "image": "built", "build": {"context": "./ctx", "network": "none"},
                   "develop": {"watch": [{"path": "./ctx", "action": "rebuild"}]}}),
        "conf/c": "", "plain": "", "run/r": "",
        "ctx/Dockerfile": "FROM busybox\nCOPY . /ctx\n", "ctx/.dockerignore": "*.tmp\n", "ctx/f": "1\n"})
    watch = watching(project)
    pids = lambda: set(berth.pids_of("sleep", "1000"))
    before = pids()
    project.write({"conf/c": "2\n"})
    watch.until('service(s) ["app"] restarted')
    assert inside(project, "/conf/c") == "2\n" and pids() != before
    before = pids()
    project.write({"plain": "2\n"})
    wait_until(lambda: watch.text().count('service(s) ["app"] restarted') == 2, 60)
    assert pids() != before
    project.write({"run/r": "3\n"})
    watch.until("executed")
    becomes(project, "/ran", "3\n")
    project.write({"run/bad": "4\n"})
    watch.until("exit code 1")
    os.unlink(f"{project.path}/run/bad")
    project.write({"ctx/x.tmp": "", "ctx/f": "2\n"})
    watch.until('service(s) ["built"] successfully built')
    wait_until(lambda: project.exec("built", "cat", "/ctx/f", check=False).stdout == "2\n", 60)
    project.write({"ctx/Dockerfile": "FROM busybox\nRUN false\n"})
    watch.until('Failed to rebuild service(s) ["built"]')
    project.write({"ctx/Dockerfile": "FROM busybox\nCOPY f /fine\n"})
    wait_until(lambda: project.exec("built", "cat", "/fine", check=False).stdout == "2\n", 60)
    wait_until(lambda: "<none>" not in berth.run("image", "ls").stdout, 60, "no <none> image")
    text = watch.end()
    assert text.count("Rebuilding service(s)") == 3 and text.count("after 1 changes") >= 3


def test_refused(berth):
    for watch, text in ((None, "none of the selected services is configured for watch"),
                        ({"path": "./none", "action": "restart"}, "develop.watch[0]: "),
                        ({"path": ".", "action": "rebuild"}, "action rebuild needs a build"),
                        ({"path": ".", "action": "restart", "ignore": ["[z-a"]}, "app: develop.watch[0]")):
        project = berth.project({"compose.yaml": stack(*([watch] if watch else []))})
        for command in (["watch"], ["watch", "--no-up", "--quiet", "--prune=false"],
                        ["up", "--watch"]):
            refused = project.run(*command, check=False)
            assert refused.returncode == 1 and text in refused.stderr, (command, refused.stderr)
            assert project.ps() == []


def test_beside_the_logs(berth):
    """up --watch, and the key w."""
    project = berth.project({"compose.yaml": stack({"path": "./src", "action": "sync+restart", "target": "/app"},
                                                   {"path": "./busy", "action": "sync+exec", "target": "/busy",
                                                    "exec": {"command": ["sh", "-c", "echo at work; sleep 1000"]}}),
                             "src/a": "", "busy/a": ""})
    terminal = project.pty("up", "--watch", "-t", "0")
    terminal.read_until("watch \\| Watch enabled", 60)
    project.write({"src/a": "1\n"})
    terminal.read_until("watch \\| Syncing service", 60)
    terminal.read_until("watch \\| service.*restarted", 60)
    # Also in the middle of something; the keys stay ours.
    project.write({"busy/a": "1\n"})
    terminal.read_until("at work", 60)
    terminal.write("w")
    terminal.read_until("watch \\| Watch disabled", 60)
    terminal.write("w")
    terminal.read_until("watch \\| Watch enabled", 60)
    project.write({"src/a": "2\n"})
    terminal.read_until("watch \\| service.*restarted", 60)
    assert inside(project, "/app/a") == "2\n"
    terminal.write("\x03")
    assert terminal.wait(60) == 130


def in_all(project, path, content, count):
    for number in range(1, count + 1):
        wait_until(lambda: project.run("exec", "-T", "--index", str(number), "app", "cat", path,
                                       check=False).stdout == content, 60, f"{path} in {number}")


def listing(project, path):
    # A file that goes while find looks is an error of its, and no matter.
    return set(project.exec("app", "find", path, "!", "-type", "d", check=False).stdout.split())


def test_how_editors_save(berth, watching):
    """Each its own dance of renames: at the end there is the new text, and nothing besides."""
    project = berth.project({
        "compose.yaml": stack({"path": "./src", "action": "sync", "target": "/app",
                               "ignore": ["*~", "*.swp", "*.tmp", "4913", "*___jb_*"]}),
        "src/a": "0\n"})
    source = os.path.join(project.path, "src")
    file, backup = os.path.join(source, "a"), os.path.join(source, "a~")
    project.run("up", "-d")
    watching(project, "--no-up")

    def write(path, text):
        with open(path, "w") as out:
            out.write(text)

    def vim(text):
        """'backupcopy' no: a test file, the old one renamed, a new one, the old one removed."""
        write(os.path.join(source, "4913"), "")
        os.unlink(os.path.join(source, "4913"))
        os.rename(file, backup)
        write(file, text)
        os.unlink(backup)

    def jetbrains(text):
        """Safe write: all in a temporary file, the old one aside, the new one in its place."""
        write(f"{file}___jb_tmp___", text)
        os.rename(file, f"{file}___jb_old___")
        os.rename(f"{file}___jb_tmp___", file)
        os.unlink(f"{file}___jb_old___")

    def code(text):
        """In place: shortened, and written anew."""
        with open(file, "r+") as out:
            out.truncate(0)
            out.flush()
            out.write(text)

    def atomic(text):
        write(f"{file}.tmp", text)
        os.replace(f"{file}.tmp", file)

    for number, save in enumerate((vim, jetbrains, code, atomic, vim, code)):
        save(f"{save.__name__} {number}\n")
        becomes(project, "/app/a", f"{save.__name__} {number}\n")
        assert listing(project, "/app") == {"/app/a"}


def test_branches_are_switched(berth, watching):
    """git checkout: hundreds of files at once removed, made, moved, and turned into folders."""
    project = berth.project({"compose.yaml": stack({"path": "./src", "action": "sync",
                                                    "target": "/app", "initial_sync": True})})
    source = os.path.join(project.path, "src")
    os.mkdir(source)

    def git(*args):
        berth.command(["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c",
                       "safe.directory=*", *args], cwd=source)

    def tree(names, text):
        for name in names:
            path = os.path.join(source, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(f"{text} {name}\n")

    def wanted():
        return {os.path.join("/app", os.path.relpath(os.path.join(parent, name), source))
                for parent, folders, names in os.walk(source) if not (".git" in folders and folders.remove(".git"))
                for name in names}

    git("init", "-q", "-b", "one")
    tree([f"d{i % 20}/f{i}" for i in range(300)] + ["kind", "both/x"], "one")
    os.symlink("f0", os.path.join(source, "d0/link"))
    git("add", "-A"), git("commit", "-qm", "one"), git("checkout", "-qb", "two")
    git("mv", "d1", "moved"), git("rm", "-q", "kind", "both/x")
    for i in range(5, 15):
        git("rm", "-qr", f"d{i}")
    tree([f"new/deep/er/f{i}" for i in range(200)] + ["kind/inside", "both"], "two")
    git("add", "-A"), git("commit", "-qm", "two")
    watching(project)
    for branch in ("one", "two", "one"):
        git("checkout", "-q", branch)
        wait_until(lambda: listing(project, "/app") == wanted(), 60,
                   f"{listing(project, '/app') ^ wanted()}")
        kind = "/app/kind" if branch == "one" else "/app/kind/inside"
        becomes(project, kind, f"{branch} {kind.removeprefix('/app/')}\n")
    assert project.exec("app", "readlink", "/app/d0/link").stdout == "f0\n"


def test_folders_come_and_go(berth, watching):
    """In and out of the tree, of another kind, of another mode; and what is ignored is not seen."""
    project = berth.project({
        "compose.yaml": stack({"path": "./src", "action": "sync", "target": "/app",
                               "ignore": ["node_modules/"]}),
        "src/a/b/c": "c\n", "src/x": "x\n", "outside/new/deep/file": "new\n"})
    path = project.path
    project.run("up", "-d")
    watching(project, "--no-up")
    os.rename(f"{path}/outside/new", f"{path}/src/new")
    becomes(project, "/app/new/deep/file", "new\n")
    with open(f"{path}/src/new/deep/later", "w") as file:
        file.write("later\n")
    becomes(project, "/app/new/deep/later", "later\n")
    os.rename(f"{path}/src/new", f"{path}/src/renamed")
    becomes(project, "/app/renamed/deep/file", "new\n")
    assert inside(project, "/app/new/deep/file") is None
    os.rename(f"{path}/src/renamed", f"{path}/outside/new")
    becomes(project, "/app/renamed/deep/file", None)
    # What went on living outside is nobody's business any more.
    with open(f"{path}/outside/new/deep/file", "w") as file:
        file.write("outside\n")
    os.unlink(f"{path}/src/x")
    os.mkdir(f"{path}/src/x")
    with open(f"{path}/src/x/in", "w") as file:
        file.write("in\n")
    becomes(project, "/app/x/in", "in\n")
    os.unlink(f"{path}/src/x/in")
    os.rmdir(f"{path}/src/x")
    with open(f"{path}/src/x", "w") as file:
        file.write("again\n")
    becomes(project, "/app/x", "again\n")
    os.chmod(f"{path}/src/x", 0o751)
    wait_until(lambda: project.exec("app", "stat", "-c", "%a", "/app/x").stdout == "751\n", 20, "mode")
    for i in range(300):
        os.makedirs(f"{path}/src/node_modules/p{i}/lib")
        open(f"{path}/src/node_modules/p{i}/lib/index.js", "w").close()
    with open(f"{path}/src/last", "w") as file:
        file.write("last\n")
    becomes(project, "/app/last", "last\n")
    assert project.exec("app", "test", "-e", "/app/node_modules", check=False).returncode == 1
    assert inside(project, "/app/renamed/deep/file") is None


def test_where_containers_change_meanwhile(berth, watching):
    """Replicas, volumes, restarts, new containers: each change reaches whoever runs then."""
    project = berth.project({
        "compose.yaml": {**stack({"path": "./src", "action": "sync", "target": "/app"},
                                 {"path": "./data", "action": "sync", "target": "/data"},
                                 app={**APP, "scale": 2, "volumes": ["kept:/data"]}), "volumes": {"kept": {}}},
        "src/a": "0\n", "data/d": "0\n"})
    path = project.path

    def save(name, text):
        with open(f"{path}/{name}", "w") as file:
            file.write(text)

    project.run("up", "-d")
    watch = watching(project, "--no-up")
    save("src/a", "1\n"), save("data/d", "1\n")
    in_all(project, "/app/a", "1\n", 2)
    in_all(project, "/data/d", "1\n", 2)
    project.run("restart", "app")
    save("src/a", "2\n")
    in_all(project, "/app/a", "2\n", 2)
    project.run("scale", "app=3")
    save("src/a", "3\n")
    in_all(project, "/app/a", "3\n", 3)
    project.run("up", "-d", "--force-recreate", "--scale", "app=1")
    save("src/a", "4\n")
    in_all(project, "/app/a", "4\n", 1)
    # Nothing runs: that is no failure.
    project.run("stop")
    save("src/a", "5\n"), save("data/d", "5\n")
    project.run("start")
    save("src/a", "6\n")
    in_all(project, "/app/a", "6\n", 1)
    assert "rror" not in watch.end()


def test_a_build_that_is_mended(berth, watching):
    project = berth.project({
        "compose.yaml": stack({"path": "./src", "action": "rebuild"},
                              app={**APP, "image": "app-image", "build": "."}),
        "Dockerfile": "FROM busybox\nCOPY src /src\nRUN sh /src/step\n", "src/step": "true\n"})
    watch = watching(project)
    before = project.container("app")["ID"]
    with open(f"{project.path}/src/step", "w") as file:
        file.write("false\n")
    watch.until("Failed to rebuild")
    assert project.container("app")["ID"] == before
    with open(f"{project.path}/src/step", "w") as file:
        file.write("echo mended > /mended\n")
    becomes(project, "/mended", "mended\n")
    assert project.container("app")["ID"] != before


def test_limits_of_the_kernel(berth):
    """Each names the sysctl that raises it."""
    project = berth.project({"compose.yaml": stack({"path": "./src", "action": "sync",
                                                    "target": "/app"}), "src/a": ""})
    project.run("up", "-d")
    for call, code, sysctl in (("inotify_init1", "EMFILE", "fs.inotify.max_user_instances"),
                               ("inotify_add_watch", "ENOSPC", "fs.inotify.max_user_watches")):
        refused = berth.command(["strace", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                 f"inject={call}:error={code}", sandbox_binary(), "watch", "--no-up"],
                                cwd=project.path, check=False,
                                env={"ASAN_OPTIONS": "detect_leaks=0"})  # it cannot when traced
        assert refused.returncode == 1 and sysctl in refused.stderr, refused.stderr
