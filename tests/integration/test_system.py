# SPDX-License-Identifier: GPL-2.0-or-later
"""`berth system info` and `system events`: the machine, and all its projects."""
import json
import os
import select
import signal

from tests.support.user import needs_root

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True, "stop_grace_period": "0s"}


@needs_root
def test_info(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "b": SLEEP, "c": SLEEP}}})
    project.run("up", "-d")
    project.run("stop", "b")
    project.run("pause", "c")
    info = json.loads(berth.run("system", "info", "--format", "json").stdout)
    assert [info[key] for key in ("Containers", "ContainersRunning", "ContainersPaused",
                                  "ContainersStopped", "Images")] == [3, 1, 1, 1, 1]
    name = os.uname()
    assert (info["KernelVersion"], info["Architecture"]) == (name.release, name.machine)
    assert (info["Driver"], info["CgroupVersion"], info["CgroupDriver"]) == (
        "overlay2", "2", "cgroupfs")
    assert info["DockerRootDir"] == str(berth.root) and info["NCPU"] == os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert abs(info["MemTotal"] - memory) < 1 << 20
    version = berth.run("version", "--short").stdout.strip()
    assert berth.run("system", "info", "-f", "{{.ServerVersion}} {{.Name}}").stdout.startswith(
        f"{version} ")
    text = berth.run("system", "info").stdout
    assert "Containers: 3\n Running: 1\n Paused: 1\n Stopped: 1\nImages: 1\n" in text
    assert f"Docker Root Dir: {berth.root}\n" in text and info["OperatingSystem"] in text
    project.run("down")


def events(berth, *args):
    lines = berth.run("system", "events", "--format", "json", *args).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_events_of_all_projects(berth):
    projects = [berth.project({"compose.yaml": {"services": {"a": SLEEP}}}) for _ in range(2)]
    one, two = [f"{project.name}-a-1" for project in projects]
    for words in (("up", "-d"), ("stop",), ("start",)):
        for project in projects:
            project.run(*words)
    told = events(berth, "--since", "1h", "--until", "0s")
    assert [event["timeNano"] for event in told] == sorted(event["timeNano"] for event in told)
    starts = [event["Actor"]["Attributes"]["name"] for event in told if event["Action"] == "start"]
    assert starts == [one, two] * 2
    first = told[0]
    assert (first["Type"], first["Action"], first["status"], first["from"], first["scope"]) == (
        "container", "create", "create", "busybox", "local")
    assert first["id"] == first["Actor"]["ID"] and first["time"] == first["timeNano"] // 10 ** 9
    chosen = events(berth, "--since", "1h", "--until", "0s", "--filter", f"container={two}", "-f",
                    f"container={first['id'][:12]}", "-f", "event=start", "-f", "event=create")
    assert [event["Action"] for event in chosen] == [
        "create", "start", "create", "start", "start", "start"]
    assert events(berth, "--since", "1h", "--until", "0s", "-f", "type=network") == []
    text = berth.run("system", "events", "--since", "1h", "--until", "0s", "-f", "event=create",
                     "-f", f"container={one}").stdout
    assert f" container create {first['id']} (" in text and f"name={one}" in text
    for words, said in ((["--filter", "x=y"], "invalid filter 'x=y'"),
                        (["--since", "x"], "failed to parse --since")):
        bad = berth.run("system", "events", *words, check=False)
        assert bad.returncode == 1 and said in bad.stderr


def test_events_of_what_is_no_container(berth):
    """Images, volumes and networks, while somebody listens."""
    listener = berth.popen("system", "events", "--format",
                           "{{.Type}} {{.Action}} {{.Actor.ID}} {{json .Actor.Attributes}}")
    pid = listener.inner_pid()

    def told(kind, action, *words):
        while True:
            line = listener.stdout.readline()
            assert line, listener.stderr.read()
            if line.startswith(f"{kind} {action} ") and all(word in line for word in words):
                return line

    # Until it has had its first look.
    while True:
        berth.run("volume", "create", "data")
        if select.select([listener.stdout], [], [], 1)[0]:
            break
        berth.run("volume", "rm", "data")
    told("volume", "create", "data", '"driver":"local"')
    berth.run("volume", "rm", "data")
    told("volume", "destroy", "data")
    berth.run("network", "create", "net")
    told("network", "create", '"name":"net"', '"type":"bridge"')
    berth.run("network", "rm", "net")
    told("network", "destroy", '"name":"net"')
    berth.run("image", "tag", "busybox", "other:1")
    number = json.loads(berth.run("image", "inspect", "busybox").stdout)[0]["Id"]
    told("image", "tag", number, '"name":"other:1"')
    berth.run("image", "rm", "other:1")
    told("image", "untag", number)
    berth.kill(pid, signal.SIGTERM)
    listener.wait(30)


def test_events_are_followed(berth):
    one = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    one.run("up", "-d")
    listener = berth.popen("system", "events", "--format", "{{.Action}} {{.Actor.Attributes.name}}",
                           "-f", "event=start", "-f", "event=die")
    inside = listener.inner_pid()
    berth.wait_until(lambda: any("socket:" in target for target in links(inside)), 10)
    one.run("stop")
    # One that comes after it has begun to listen is heard as well.
    two = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    two.run("up", "-d")
    lines = [listener.stdout.readline().strip() for _ in range(2)]
    assert lines == [f"die {one.name}-a-1", f"start {two.name}-a-1"]
    # It holds no project's supervisor, and goes on without.
    one.run("down")
    berth.wait_until(lambda: not one.supervisor_pids(), 30)
    two.run("stop")
    assert listener.stdout.readline() == f"die {two.name}-a-1\n"
    one.run("up", "-d")
    assert listener.stdout.readline() == f"start {one.name}-a-1\n"
    listener.send_signal(signal.SIGINT)
    listener.communicate(timeout=10)


def links(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            pass
