# SPDX-License-Identifier: GPL-2.0-or-later
"""Mistakes in files, flags and names: position, hint, exit code, and nothing changed."""
import json

import pytest

SLEEP = "image: busybox\n    command: sleep 1000\n"

FILES = {
    "broken-yaml": ("services:\n  a: [\n", "compose.yaml:", ""),
    "unknown-key": (f"services:\n  a:\n    {SLEEP}    comand: x\n", "compose.yaml:5:5",
                    "additional properties 'comand' not allowed"),
    "did-you-mean": (f"services:\n  a:\n    {SLEEP}    enviroment: {{}}\n", "", "environment"),
    "wrong-type": (f"services:\n  a:\n    {SLEEP}    ports: 80\n", "compose.yaml:5:", "ports"),
    "undefined-network": (f"services:\n  a:\n    {SLEEP}    networks: [nope]\n", "compose.yaml:5",
                          "undefined network nope"),
    "undefined-volume": (f"services:\n  a:\n    {SLEEP}    volumes: ['data:/x']\n", "compose.yaml:5",
                         "undefined volume data"),
    "undefined-secret": (f"services:\n  a:\n    {SLEEP}    secrets: [key]\n", "compose.yaml:5",
                         "undefined secret key"),
    "cycle": (f"services:\n  a:\n    {SLEEP}    depends_on: [b]\n  b:\n    {SLEEP}"
              "    depends_on: [a]\n", "", "dependency cycle detected: a -> b -> a"),
    "undefined-dependency": (f"services:\n  a:\n    {SLEEP}    depends_on: [zz]\n", "",
                             "depends on undefined service \"zz\""),
    "no-image": ("services:\n  a:\n    command: x\n", "compose.yaml:2",
                 "has neither an image nor a build context specified"),
    "required-variable": ("services:\n  a:\n    image: ${TAG:?say which}\n", "compose.yaml:3",
                          "required variable TAG is missing a value: say which"),
    "bad-interpolation": ("services:\n  a:\n    image: ${\n", "compose.yaml:3",
                          "invalid interpolation format"),
    "duplicate-key": (f"services:\n  a:\n    {SLEEP}  a:\n    {SLEEP}", "compose.yaml:5",
                      "already defined"),
    "bad-port": (f"services:\n  a:\n    {SLEEP}    ports: ['80:99999']\n", "compose.yaml:5", ""),
    "mode-and-networks": (f"services:\n  a:\n    {SLEEP}    network_mode: host\n"
                          "    networks: [default]\n", "", "network_mode"),
    "deep": ("services: " + "[" * 5000 + "]" * 5000 + "\n", "compose.yaml:1", "nested deeper than 100 levels"),
    "bomb": ("x-a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"x-{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n"
        for n in range(12)) + "services: {}\n", "compose.yaml:", "excessive aliasing"),
    "alias-of-itself": (f"services:\n  a: &a\n    {SLEEP}    labels: [*a]\n", "compose.yaml:5",
                        "anchor 'a' value contains itself"),
    "no-such-mode": (f"services:\n  a:\n    {SLEEP}    network_mode: brdige\n    ipc: weird\n",
                     "compose.yaml:5:5", "services.a.ipc must be host, private, shareable, service:NAME or"),
    "empty": ("{}\n", "", "empty compose file"),
}


@pytest.mark.parametrize("name", FILES)
def test_file(berth, name):
    text, where, message = FILES[name]
    project = berth.project({"compose.yaml": text})
    for command in (["up", "-d"], ["config"]):
        failed = project.run(*command, check=False, timeout=20)
        assert failed.returncode == 1, failed.stdout
        assert where in failed.stderr and message in failed.stderr, failed.stderr
        assert "berth:" in failed.stderr or "compose.yaml" in failed.stderr
    assert project.supervisor_pids() == []


def test_no_file(berth):
    failed = berth.run("up", check=False)
    assert failed.returncode == 1
    assert "no configuration file provided: not found" in failed.stderr


def test_missing_file(berth):
    failed = berth.run("-f", "/nowhere.yaml", "up", check=False)
    assert failed.returncode == 1
    assert "/nowhere.yaml" in failed.stderr and "no such file or directory" in failed.stderr


@pytest.mark.parametrize("args,text", [
    (["upp"], "unknown command"), (["up", "--detatch"], "unknown flag: --detatch"),
    (["up", "nobody"], "no such service: nobody"),
    (["up", "-d", "--abort-on-container-exit"], ""), (["up", "-t", "x"], ""),
    (["exec", "-T", "a", "true"], "service \"a\" is not running"),
    (["logs", "nobody"], "no such service: nobody"),
    (["-p", "Bad Name", "up"], "invalid project name"),
    (["kill", "-s", "NOPE", "a"], "")])
def test_arguments(berth, args, text):
    project = berth.project({"compose.yaml": f"services:\n  a:\n    {SLEEP}"})
    failed = project.run(*args, check=False)
    assert failed.returncode == 1
    assert text in failed.stderr


def test_missing_images_are_all_named(berth):
    project = berth.project({"compose.yaml": "services: {a: {image: nope}, b: {image: 'x:1'}}"})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "nope" in failed.stderr and "x:1" in failed.stderr
    assert project.supervisor_pids() == []


def test_help(berth):
    assert "up" in berth.run().stdout
    assert "--wait" in berth.run("help", "up").stdout
    assert "--wait" in berth.run("up", "--help").stdout
    assert "version" in berth.run("version").stdout.lower()


def test_an_image_that_cannot_be_one_names_its_service(berth):
    project = berth.project({"compose.yaml": {"services": {"web": {"image": "Busybox"}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith("service web: image 'Busybox': invalid reference format")
    assert project.ps() == []


REFUSED = {
    "secret": ({"secrets": ["s"]}, "secret s: '{}/nope.txt': No such file or directory"),
    "config": ({"configs": ["s"]}, "config s: '{}/nope.txt': No such file or directory"),
    "bind": ({"volumes": [{"type": "bind", "source": "./nope", "target": "/x", "bind": {
        "create_host_path": False}}]}, "bind source path does not exist: {}/nope"),
    "tmpfs": ({"tmpfs": ["/t:sise=1m"]}, "tmpfs /t: tmpfs option 'sise=1m': there is none of this name"),
    "capability": ({"cap_add": ["NO_SUCH"]}, "cap_add: there is no capability 'NO_SUCH'"),
    "directory": ({"working_dir": "there"}, "working directory 'there': must be an absolute path"),
    "driver": ({"logging": {"driver": "nosuch"}}, "logging: logging driver 'nosuch' is not one that berth has"),
    "option": ({"logging": {"options": {"max-size": "1zz"}}},
               "logging: logging option max-size: '1zz' is not a size such as"),
}


def test_what_cannot_be_made_leaves_what_runs(berth):
    """Neither is the container that is to be replaced stopped, nor are others made first."""
    first = {"services": {"a": {"image": "busybox", "command": ["sleep", "1000"], "init": True}}}
    project = berth.project({"compose.yaml": first})
    project.run("up", "-d")
    before = project.ps()
    for name, (words, text) in REFUSED.items():
        project.write({"compose.yaml": {
            "services": {"a": {**first["services"]["a"], **words}, "b": first["services"]["a"]},
            "secrets": {"s": {"file": "./nope.txt"}}, "configs": {"s": {"file": "./nope.txt"}}}})
        for command in (["up", "-d"], ["up", "-d", "--dry-run"], ["run", "--rm", "a", "true"]):
            failed = project.run(*command, check=False)
            assert failed.returncode in (1, 125), name
            assert f"service a: {text.format(project.path)}" in failed.stderr
        assert [(row["ID"], row["State"]) for row in project.ps()] == [
            (row["ID"], "running") for row in before], name
    project.write({"compose.yaml": first})
    project.run("up", "-d")
    assert project.ps()[0]["ID"] == before[0]["ID"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-8"])
def test_files_as_windows_writes_them(berth, encoding):
    """With a mark of their encoding in front, and both characters at the ends of lines."""
    def text(lines):
        return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode(encoding)

    project = berth.project({})
    for name, lines in (("compose.yaml", ["services:", "  a:", "    image: busybox",
                                          "    hostname: ${NAME}", "    labels: {x: 'grün 🚢'}",
                                          "    env_file: more.env"]),
                        (".env", ["# ours", "NAME=häs", "export TAG=1"]),
                        ("more.env", ["QUOTED='a b'", "PLAIN=c d"])):
        with open(f"{project.path}/{name}", "wb") as file:
            file.write(text(lines))
    shown = json.loads(project.run("config", "--format", "json").stdout)["services"]["a"]
    assert shown["hostname"] == "häs" and shown["labels"] == {"x": "grün 🚢"}
    assert shown["environment"] == {"QUOTED": "a b", "PLAIN": "c d"}
    project.write({"x": ""})
    with open(f"{project.path}/compose.yaml", "wb") as file:
        file.write(text(["services:", "  a:", "    imag: busybox"]))
    failed = project.run("config", check=False)
    assert failed.returncode == 1 and failed.stderr.startswith("compose.yaml:3:5: ")


def test_names_that_are_too_long(berth):
    long = "x" * 300
    project = berth.project({"compose.yaml": f"services:\n  a:\n    {SLEEP}    hostname: {long}\n",
                             "b.yaml": f"services:\n  {long}:\n    {SLEEP}"})
    for args, text in ((["up", "-d"], 'has 300 characters; Linux takes 64'),
                       (["-p", long, "up", "-d"], "has 300 characters; 200 is the most"),
                       (["-f", "b.yaml", "up", "-d"], "a name of 300 characters; 255 is the most")):
        failed = project.run(*args, check=False)
        assert failed.returncode == 1 and text in failed.stderr
    assert project.ps() == []


def test_a_folder_that_is_gone(berth):
    project = berth.project({"gone/x": ""})
    done = berth.command(["bash", "-c", f'cd gone; rm -r ../gone; "{berth.program[0]}" up'],
                         check=False, cwd=project.path)
    assert done.returncode == 1
    assert done.stderr == "the current directory is not there any more: change to one that is\n"


def test_a_service_that_is_nearly_there(berth):
    project = berth.project({"compose.yaml": f"services:\n  worker:\n    {SLEEP}"})
    for command in (["up", "-d"], ["logs"], ["restart"], ["run"], ["config"]):
        failed = project.run(*command, "wroker", check=False)
        assert failed.returncode == 1
        assert failed.stderr == 'no such service: wroker (did you mean "worker"?)\n', command


def test_a_store_that_cannot_be_written(berth):
    project = berth.project({"compose.yaml": f"services:\n  a:\n    {SLEEP}"})
    failed = project.run("up", "-d", env={"BERTH_ROOT": "/proc/berth"}, check=False)
    assert failed.returncode == 1 and "/proc/berth" in failed.stderr


def test_two_services_with_one_port(berth):
    def project_of(b, **more):
        return berth.project({"compose.yaml": {"services": {
            "a": {"image": "busybox", "ports": ["8080:80"], **more},
            "b": {"image": "busybox", "ports": [b]}}}})

    for project, text in (
            (project_of("8080:90"), "service b: port 8080/tcp is already taken by service a\n"),
            (project_of("90", scale=2), "service a: port 8080/tcp is already taken by another container of it\n")):
        failed = project.run("up", "-d", check=False)
        assert failed.returncode == 1
        assert failed.stderr.startswith("compose.yaml:") and failed.stderr.endswith(f": {text}")
        assert project.ps() == []
