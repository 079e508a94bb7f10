# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that change the image store, two at a time, one of them ended by a SIGKILL at a random
moment. After each the store is whole; in the end nothing is in it that nobody needs.

BERTH_TEST_CHAOS_SEC=N as long as wanted, BERTH_TEST_SEED=N repeats the choices."""

import json
import os
import random
import subprocess
import time

from tests.support import store

SECONDS = float(os.environ.get("BERTH_TEST_CHAOS_SEC", "12"))
SEED = os.environ.get("BERTH_TEST_SEED")
HOST = "127.0.0.1:5000"
NAMES = ("a:1", "b:1")
DOCKERFILE = """\
FROM busybox
ARG WHAT
COPY noise /noise
RUN echo $WHAT > /made && cp /noise /copy
"""


def serve(berth):
    with open(f"{berth.base}/registry.yml", "w", encoding="utf-8") as file:
        json.dump({"version": "0.1", "http": {"addr": HOST},
                   "storage": {"filesystem": {"rootdirectory": f"{berth.base}/registry"}}}, file)
    berth.popen_command(["docker-registry", "serve", f"{berth.base}/registry.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0, 30)


def fill(berth, project):
    """Two images that share layers, in the registry and in an archive."""
    for name in NAMES:
        berth.run("image", "build", "-q", "--build-arg", f"WHAT={name}", "-t", f"{HOST}/{name}",
                  project.path, timeout=120)
        berth.run("image", "push", "-q", f"{HOST}/{name}", cwd="/")
    berth.run("image", "save", "-o", f"{berth.base}/both.tar", *(f"{HOST}/{n}" for n in NAMES))


def commands(berth, project, choose):
    name = f"{HOST}/{choose.choice(NAMES)}"
    return choose.choice((
        ["image", "pull", "-q", name], ["image", "pull", "-q", name],
        ["image", "load", "-q", "-i", f"{berth.base}/both.tar"],
        ["image", "rm", "-f", name], ["image", "prune", "-f", "-a"], ["system", "prune", "-f"],
        ["image", "tag", "busybox", name], ["image", "push", "-q", name],
        ["builder", "prune", "-f", "-a"],
        ["image", "build", "-q", "--build-arg", f"WHAT={choose.random()}", "-t", name,
         project.path]))


def test_kill_at_random_moments(berth):
    seed = int(SEED) if SEED else random.randrange(1 << 32)
    choose, history = random.Random(seed), [f"seed {seed}"]
    project = berth.project({"Dockerfile": DOCKERFILE, "noise": os.urandom(3 << 20),
                             "compose.yaml": {"services": {
                                 "kept": {"image": "kept", "command": ["sleep", "1000"]}}}})
    serve(berth)
    fill(berth, project)
    berth.run("image", "tag", f"{HOST}/{NAMES[0]}", "kept")
    project.run("up", "-d")
    end, rounds = time.monotonic() + SECONDS, 0
    while time.monotonic() < end or rounds < 5:
        rounds += 1
        pair = [commands(berth, project, choose) for _ in range(2)]
        delay = choose.choice((0.01, 0.05, 0.2, 0.6)) * choose.random()
        history.append(f"{pair[0][:2]} killed after {delay:.3f} s, beside {pair[1][:2]}")
        running = [berth.popen(*words, cwd="/") for words in pair]
        time.sleep(delay)
        try:
            berth.kill(running[0].inner_pid())
        except ProcessLookupError:
            pass  # it was quicker
        for process in running:
            _, err = process.communicate(timeout=120)
            assert "AddressSanitizer" not in err, err
        try:
            store.Store(berth.root).check_whole()
        except AssertionError as error:
            raise AssertionError("\n".join(history[-6:] + history[:1])) from error
    assert project.exec("kept", "ls", "/copy", "/made").stdout == "/copy\n/made\n"

    berth.run("builder", "prune", "-f", "-a")
    berth.run("image", "prune", "-f", "-a")
    left = store.Store(berth.root)
    left.check_whole()
    left.check_tight()
    images = {left.blob(entry["digest"])["config"]["digest"] for entry in left.entries}
    shown = berth.run("system", "df", "--format", "{{.Type}}: {{.TotalCount}} {{.Active}}").stdout
    assert f"Images: {len(images)} 1\n" in shown and "Build Cache: 0 0\n" in shown, shown
    assert berth.run("image", "inspect", "-f", "{{.RepoTags}}", "kept").returncode == 0
    project.run("down", "-t", "0")
    berth.run("image", "prune", "-f", "-a")
    left = store.Store(berth.root)
    left.check_tight()
    assert not left.blobs and not left.layers and not left.entries
