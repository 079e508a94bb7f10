# SPDX-License-Identifier: GPL-2.0-or-later
"""What tells a user how to go on: help, completion, man pages."""
import os
import re
import shutil
import subprocess

import pytest

from tests.support import sandbox as sandboxes

STACK = {"compose.yaml": "services:\n  alpha: {image: busybox, command: sleep 1000, init: true}\n"
                         "  beta: {image: busybox}\n"}


def candidates(project, *words):
    lines = project.run("__complete", *words).stdout.splitlines()
    assert lines[-1] in (":0", ":1")
    return [line.split("\t")[0] for line in lines[:-1]], lines[-1] == ":1"


@pytest.mark.parametrize("words, expect, files", [
    (["st"], {"start", "stats", "stop"}, False),
    (["logs", "-f", "a"], {"alpha"}, False),
    (["up", "alpha", ""], {"alpha", "beta"}, False),
    (["up", "--wait-t"], {"--wait-timeout"}, False),
    (["up", "--pull", ""], {"always", "missing", "never"}, False),
    (["up", "--pull=al"], {"--pull=always"}, False),
    (["up", "--scale=b"], {"--scale=beta="}, False),
    (["--project-directory=x"], set(), True),
    (["cp", "alpha:/e"], set(), False),
    (["--progress", "pl"], {"plain"}, False),
    (["up", "--scale", "b"], {"beta="}, False),
    (["scale", ""], {"alpha=", "beta="}, False),
    (["cp", "al"], {"alpha:"}, True),
    (["exec", "alpha", ""], set(), True),
    (["-f", ""], set(), True),
    (["help", "wa"], {"wait"}, False),
    (["image", "lo"], {"load"}, False),
    (["nosuch", ""], set(), False),
])
def test_complete(berth, words, expect, files):
    found, more = candidates(berth.project(STACK), *words)
    assert (expect <= set(found)) and more == files and (found or not expect)


def test_complete_what_there_is(berth):
    """Without a file, what runs; and whose -f or -p was given."""
    project = berth.project(STACK)
    project.run("up", "-d", "alpha")
    other = berth.project({"other.yaml": "services: {gamma: {image: x}}\n"})
    assert candidates(other, "-p", project.name, "stop", "")[0] == ["alpha"]
    assert candidates(other, "-f", "other.yaml", "logs", "")[0] == ["gamma"]
    assert project.name in candidates(other, "-p", "")[0]
    # Without a project it is the containers of the machine that a command is about.
    assert candidates(other, "logs", "")[0] == [f"{project.name}-alpha-1"]


def test_complete_names(berth):
    """Networks, volumes, images and profiles, where one is meant."""
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "profiles": ["tools"]}}}})
    for kind in ("network", "volume"):
        project.run(kind, "create", f"my-{kind}")
    for words, expect in ((["network", "rm", "my"], ["my-network"]), (["network", "connect", "my"], ["my-network"]),
                          (["container", "run", "--network", "my"], ["my-network"]),
                          (["volume", "inspect", "my"], ["my-volume"]), (["volume", "rm", "x", "my"], ["my-volume"]),
                          (["image", "rm", "b"], ["busybox:latest"]), (["container", "run", "b"], ["busybox:latest"]),
                          (["container", "run", "--restart", "a"], ["always"]), (["--profile", "t"], ["tools"])):
        assert candidates(project, *words) == (expect, False), words
    for kind in ("network", "volume"):
        project.run(kind, "rm", f"my-{kind}")


# What is typed before the tabulator, and what then stands there.
TYPED = [
    ("berth restart b", "berth restart beta"),
    ("berth up --pull=al", "berth up --pull=always"),
    ("berth up --pull a", "berth up --pull always"),
    ("berth cp al", "berth cp alpha:"),
    ("berth up --scale=be", "berth up --scale=beta="),
    ("berth -f comp", "berth -f compose.yaml"),
    ("berth container renam", "berth container rename"),
]
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
START = {
    "bash": "PS1='ready> '; bind 'set enable-bracketed-paste off'; source <(berth completion bash)",
    "zsh": "PS1='ready> '; unset zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; "
           "source <(berth completion zsh)",
}


def with_berth(berth):
    folder = os.path.join(berth.base, "bin")
    os.makedirs(folder, exist_ok=True)
    os.symlink(sandboxes.binary(), os.path.join(folder, "berth"))
    return {"PATH": f"{folder}:{berth.env['PATH']}", "TERM": "dumb", "HOME": berth.base}


@pytest.mark.parametrize("shell", SHELLS)
def test_typed_in_a_shell(berth, shell):
    """A real one, at a terminal, with its own way to part words."""
    project = berth.project(STACK)
    terminal = sandboxes.Terminal(berth, SHELLS[shell], cwd=project.path, env=with_berth(berth))
    terminal.write(START[shell] + "; echo is $((40 + 2))\n")
    terminal.read_until("is 42\r?\n", 30)
    for typed, expect in TYPED:
        terminal.read_until("ready> ", 30)
        terminal.write(typed + "\t")
        # As the line's last word: what stands there is echoed, then run by another program.
        terminal.read_until(r"[:=]$|[^ ] $" if expect[-1] in ":=" else r"[^ ] $", 30)
        terminal.write("\001echo '[\005]'\n")
        terminal.read_until(rf"\[{re.escape(expect)} ?\]\r?\n", 30)
    terminal.write("exit\n")
    assert terminal.wait(30) == 0
    terminal.close()


def test_fish(berth):
    project = berth.project(STACK)
    script = "berth completion fish | source\n" + "".join(
        f"complete -C '{typed}'\n" for typed, _ in TYPED)
    done = berth.command(["fish", "-c", script], cwd=project.path, env=with_berth(berth))
    found = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert found == [expect.split()[-1] for _, expect in TYPED]


def test_the_scripts(berth):
    project = berth.project(STACK)
    assert "bash" in project.run("completion").stdout
    assert project.run("completion", "ksh", check=False).returncode == 1


def test_every_command_has_help_and_a_page(berth, tmp_path):
    os.chmod(tmp_path, 0o755)
    pages = f"{berth.home}/pages"
    os.mkdir(pages)
    berth.run("__manual", pages)
    names = [line.split()[0] for line in berth.run("help").stdout.split("Commands:\n")[1]
             .splitlines() if line.startswith("  ")]
    assert {"up", "run", "cp", "stats"} <= set(names) and "__complete" not in names
    for name in names:
        assert berth.run("help", name).stdout.startswith(f"Usage:  berth {name}")
        assert berth.run(name, "--help").stdout == berth.run("help", name).stdout
        assert os.path.exists(f"{pages}/berth-{name}.1")
    assert os.path.exists(f"{pages}/berth-image-load.1")
    if shutil.which("groff"):
        for page in sorted(os.listdir(pages)):
            done = subprocess.run(["groff", "-man", "-Tascii", "-ww", f"{pages}/{page}"],
                                  capture_output=True, text=True)
            assert done.returncode == 0 and done.stderr == "", page
    assert "Examples:" in berth.run("help", "run").stdout


def test_no_project(berth):
    assert berth.run(cwd="/").stdout.startswith("Usage:  berth [OPTIONS] COMMAND")
    terminal = berth.pty("up", cwd="/")
    assert terminal.wait(30) == 1
    assert "no configuration file provided: not found" in terminal.output
    assert 'Go to a folder with a compose.yaml' in terminal.output and "ls -a" in terminal.output


def test_viz(berth):
    project = berth.project({"compose.yaml": {"services": {
        "web": {"image": "nginx", "ports": ["8080:80"], "depends_on": ["db"]},
        "db": {"image": "redis"}}}})
    dot = project.run("alpha", "viz", "--image", "--networks", "--ports", "--spaces",
                      "--indentation-size", "2").stdout
    assert dot.startswith(f'digraph "{project.name}" {{\n  layout=dot;\n')
    assert '  "web" -> "db";\n' in dot and "<b>Image:</b><br/>nginx" in dot
    assert "<br/>8080:80 (tcp, ingress)" in dot and "<b>Networks:</b><br/>default" in dot
    plain = project.run("alpha", "viz").stdout
    assert '\t"db" [style="filled" label=<<font point-size="15">db</font>>];\n' in plain


def leaves(path=()):
    """(path, help text) of every command that does something."""
    text = subprocess.run([sandboxes.binary(), *path, "--help"], capture_output=True, text=True,
                          check=True).stdout
    children = re.findall(r"^  ([a-z-]+) ", text.partition("\nCommands:\n")[2], re.M)
    for child in children:
        yield from leaves((*path, child))
    if not children:
        yield path, text


def test_every_command_shows_how_it_is_used():
    """An example each, with flags that there are."""
    wrong = []
    for path, text in leaves():
        _, found, examples = text.partition("\nExamples:\n")
        if not found:
            wrong.append(f"{path}: no example")
        for line in examples.partition("\n\n")[0].splitlines():
            words = line.split("   ")[0].split()
            if words[1:len(path) + 1] != list(path):
                continue
            for word in words[len(path) + 1:]:
                flag = re.match(r"--[a-z0-9-]+", word)
                if flag and flag.group() not in text:
                    wrong.append(f"{path}: {word}")
    assert not wrong
