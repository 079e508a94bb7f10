# SPDX-License-Identifier: GPL-2.0-or-later
"""A Dockerfile of two stages built without and with a cache, beside buildah."""
import os
import random
import shutil
import statistics
import subprocess
import time

FILES = 10000
BASE = "bench"

DOCKERFILE = f"""\
FROM {BASE} AS build
WORKDIR /src
COPY . .
RUN mkdir /out && cat src0/*.c > /out/all && echo built
RUN wc -c < /out/all > /out/size
FROM {BASE} AS assets
RUN mkdir /assets && for i in 1 2 3 4 5; do head -c 200000 /dev/zero > /assets/$i; done
FROM {BASE}
ENV MODE=production
COPY --from=build /out /out
COPY --from=assets /assets /assets
RUN echo app:x:1000:1000::/: >> /etc/passwd && chown -R 1000:1000 /out
USER 1000
CMD ["true"]
"""


def make_context(path):
    chance = random.Random(1)
    for i in range(FILES):
        folder = f"{path}/src{i // 100}"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/file{i}.c", "wb") as file:
            file.write(chance.randbytes(chance.randrange(200, 6000)))
    with open(f"{path}/Dockerfile", "w", encoding="utf-8") as file:
        file.write(DOCKERFILE)
    # Files of this moment are read again by whoever looks at their times.
    for parent, _, names in os.walk(path):
        for name in names:
            os.utime(os.path.join(parent, name), (1e9, 1e9))


def make_base(bench, work):
    root = f"{work}/base"
    os.makedirs(f"{root}/bin")
    shutil.copy(shutil.which("busybox"), f"{root}/bin/busybox")
    for applet in subprocess.run(["busybox", "--list"], check=True, capture_output=True,
                                 text=True).stdout.split():
        if applet != "busybox":
            os.symlink("busybox", f"{root}/bin/{applet}")
    for folder in ("etc", "proc", "sys", "dev", "tmp"):
        os.makedirs(f"{root}/{folder}")
    with open(f"{root}/etc/passwd", "w", encoding="utf-8") as file:
        file.write("root:x:0:0::/:/bin/sh\n")
    bench.berth("image", "import", root, BASE)
    bench.berth("image", "save", "-o", f"{work}/base.tar", BASE)


class Buildah:
    """A store of its own, with overlay as berth's."""

    def __init__(self, work):
        self.words = ["buildah", "--root", f"{work}/buildah", "--runroot", f"{work}/buildah.run",
                      "--storage-driver", "overlay"]
        self.run("pull", "-q", f"docker-archive:{work}/base.tar")

    def run(self, *args):
        return subprocess.run([*self.words, *args], check=True, capture_output=True, text=True)

    def build(self, context):
        begin = time.monotonic()
        self.run("bud", "--layers", "--isolation", "chroot", "--pull=never", "-q", "-t", "theirs",
                 context)
        return time.monotonic() - begin

    def forget(self):
        for line in self.run("images", "-a", "--format", "{{.ID}} {{.Name}}").stdout.splitlines():
            if f"/{BASE}" not in line:
                subprocess.run([*self.words, "rmi", "-f", line.split()[0]], check=False,
                               capture_output=True)


def ours(bench, context):
    begin = time.monotonic()
    bench.berth("image", "build", "-q", "--network", "none", "-t", "ours", context)
    return time.monotonic() - begin


def measure(bench, row):
    work = f"{bench.work}/builds"
    context = f"{work}/context"
    os.makedirs(context)
    bench.folder = work
    make_context(context)
    make_base(bench, work)
    buildah = Buildah(work) if shutil.which("buildah") else None
    cold, warm, their_cold, their_warm = [], [], [], []
    time.sleep(2.1)  # what was changed just now is not known by its times
    for i in range(bench.rounds):
        cold.append(ours(bench, context))
        warm += [ours(bench, context) for _ in range(3)]
        bench.berth("image", "rm", "-f", "ours")
        bench.berth("builder", "prune", "-a", "-f")
        if buildah and i < 2:
            their_cold.append(buildah.build(context))
            their_warm.append(buildah.build(context))
            buildah.forget()
    shutil.rmtree(work)
    show(row, "build of 7 steps, 10,000 files, no cache", cold, their_cold, "0.5 x", None)
    show(row, "the same with nothing changed", warm, their_warm, "50 ms", 0.05)


def show(row, name, mine, theirs, target, limit):
    seconds = statistics.median(mine)
    text = f"{1000 * seconds:.0f} ms"
    if not theirs:
        row(name, f"{text}; buildah is left out, it is not installed", target,
            seconds <= limit if limit else None)
        return
    other = statistics.median(theirs)
    row(name, f"{text} = {seconds / other:.3f} x buildah {1000 * other:.0f} ms", target,
        seconds <= limit if limit else seconds <= 0.5 * other)
