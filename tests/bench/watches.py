# SPDX-License-Identifier: GPL-2.0-or-later
"""`berth watch`: from a save to the file in the container, and a burst of thousands."""
import os
import signal
import statistics
import subprocess
import time


def wait_for(found, deadline=60):
    end = time.monotonic() + deadline
    while not found():
        if time.monotonic() > end:
            raise SystemExit("watch: the file does not come")
        time.sleep(0.0002)


def save(path, text):
    """As editors do: beside it, and then in its place."""
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.rename(f"{path}.new", path)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def measure(bench, row):
    bench.project("watched", {"app": {
        "image": "busybox", "command": ["sleep", "7777"],
        "develop": {"watch": [{"path": "./src", "action": "sync", "target": "/app"}]}}})
    source = f"{bench.folder}/src"
    os.makedirs(source)
    bench.berth("up", "-d")
    with open(f"{bench.folder}/watch.log", "w+", encoding="utf-8") as log:
        watch = subprocess.Popen([bench.berth_path, "watch"], env=bench.env, cwd=bench.folder,
                                 stdout=log, stderr=log)
        wait_for(lambda: "Watch enabled" in (read(log.name) or ""))
        inside = f"/proc/{min(map(int, bench.processes('7777')))}/root/app"
        times = []
        for i in range(50):
            begin = time.monotonic()
            save(f"{source}/file", f"{i}\n")
            wait_for(lambda i=i: read(f"{inside}/file") == f"{i}\n")
            times.append((time.monotonic() - begin) * 1000)
        middle = statistics.median(times)
        row("watch: from save to the file in the container",
            f"{middle:.1f} ms (of 50 the worst {max(times):.1f} ms)", "50 ms", middle <= 50)
        begin = time.monotonic()
        for i in range(3000):
            with open(f"{source}/f{i}", "w", encoding="utf-8") as file:
                file.write("x")
        made = time.monotonic() - begin
        wait_for(lambda: len(os.listdir(inside)) == 3001)
        row("watch: 3,000 files at once",
            f"{(time.monotonic() - begin) * 1000:.0f} ms (writing them here {made * 1000:.0f} ms)",
            "-")
        watch.send_signal(signal.SIGINT)
        watch.wait(30)
    bench.berth("down", "-t", "0")
