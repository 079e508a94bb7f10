# SPDX-License-Identifier: GPL-2.0-or-later
"""The build cache: what it finds, what it lets go, what survives, and how it goes elsewhere."""
import json
import os
import random
import shutil
import signal
import time

import pytest

from tests.support.builds import (build, context, image, image_config, other_machine, registry,
                                  write)
from tests.support.sandbox import wait_until

STAGES = """\
FROM busybox AS made
RUN cat /proc/sys/kernel/random/uuid > /made
FROM busybox
COPY f /f
RUN cat /proc/sys/kernel/random/uuid > /own
RUN true
COPY --from=made /made /made
WORKDIR /w
"""


def cached(result):
    return result.stderr.count("CACHED")


def test_no_change_is_known_by_the_stat_cache(berth):
    path = context(berth, {"Dockerfile": "FROM scratch\nCOPY . /all/\n", "a": "one", "d/b": "two"})
    times = [os.stat(f"{path}/{name}").st_ctime for name in ("a", "d/b", "Dockerfile")]
    # What was changed just now is not trusted.
    build(berth, path)
    assert not os.path.exists(f"{berth.root}/build/stat")
    wait_until(lambda: time.time() > max(times) + 2.1, 10)
    first = build(berth, path)
    name, = os.listdir(f"{berth.root}/build/stat")
    kept = open(f"{berth.root}/build/stat/{name}", "rb").read()
    assert cached(first) == 1 and len(kept) == 24 + 3 * 72
    # Its own bytes are believed, so that it is seen to be used.
    trace = berth.command(["strace", "-f", "-e", "trace=openat", os.environ.get("BERTH") or
                           "build/release/berth", "image", "build", "-t", "x", path],
                          env={"ASAN_OPTIONS": "detect_leaks=0"}).stderr  # it cannot when traced
    assert not [line for line in trace.splitlines() if '"b"' in line and "openat" in line]
    status = os.stat(f"{path}/a")
    write(path, {"a": "eno"})
    os.utime(f"{path}/a", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cached(build(berth, path)) == 0
    assert image(berth)[0]["all/a"].data == b"eno"
    with open(f"{berth.root}/build/stat/{name}", "wb") as file:
        file.write(kept[:100])
    assert cached(build(berth, path)) == 1  # a broken one is none


def machines(berth, path, to, source, *args):
    """Builds here with --cache-to, and on another machine with --cache-from: their images."""
    build(berth, path, "--cache-to", to, *args)
    other = other_machine(berth)
    built = build(berth, path, "--cache-from", source, *args, env=other)
    berth.run("image", "save", "-o", f"{berth.base}/o.tar", "x", env=other)
    ours = image(berth)[0]
    berth.run("image", "load", "-i", f"{berth.base}/o.tar")
    return ours, image(berth)[0], built, other


def test_cache_on_another_kind_of_file_system(berth):
    path = context(berth, {"f": "F", "Dockerfile": "FROM scratch\nCOPY f /f\n"})
    place = f"{berth.base}/tmpfs"
    os.mkdir(place)
    berth.command(["mount", "-t", "tmpfs", "tmpfs", place])
    try:
        machines(berth, path, f"type=local,dest={place}/cache", f"type=local,src={place}/cache")
    finally:
        berth.command(["umount", place])


@pytest.mark.parametrize("mode", ["min", "max"])
def test_cache_in_a_folder(berth, mode):
    path = context(berth, {"f": "F", "Dockerfile": STAGES})
    place = f"{berth.base}/cache/of/mine"
    ours, theirs, built, other = machines(berth, path, f"type=local,dest={place},mode={mode}",
                                          f"type=local,src={place}")
    assert theirs["own"] == ours["own"] and theirs["f"] == ours["f"]
    assert (theirs["made"] == ours["made"]) == (mode == "max")
    assert cached(built) == (6 if mode == "max" else 3), built.stderr
    again = build(berth, path, env=other)  # from here on it knows all by itself
    assert cached(again) == 6
    berth.command(["skopeo", "inspect", "--raw", f"oci:{place}"])
    # A damaged one is warned of, and the build goes on without.
    for name in os.listdir(f"{place}/blobs/sha256"):
        with open(f"{place}/blobs/sha256/{name}", "ab") as blob:
            blob.write(b"x")
    third = build(berth, path, "--cache-from", f"type=local,src={place}",
                  env=other_machine(berth, "third"))
    assert cached(third) == 0 and "cache_from" in third.stderr
    warned = build(berth, path, "--cache-from", "type=local,src=/no/such")
    assert "/no/such" not in warned.stderr  # all is here, nobody asked
    warned = build(berth, path, "--no-cache", "--cache-from", "type=gha")
    assert "type gha is not known here" in warned.stderr
    for text in ("type=local", "type=registry", "type=local,src=x,mode=most"):
        failed = build(berth, path, "--cache-from", text, check=False)
        assert failed.returncode == 1 and "cache_from" in failed.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_cache_in_a_registry(berth):
    address = registry(berth)
    path = context(berth, {"f": "F", "Dockerfile": STAGES})
    ref = f"{address}/team/cache:main"
    ours, theirs, built, _ = machines(berth, path, f"type=registry,ref={ref},mode=max",
                                      f"type=registry,ref={ref}")
    assert theirs["own"] == ours["own"] and theirs["made"] == ours["made"]
    assert cached(built) == 6
    assert "team/cache" not in berth.run("image", "ls").stdout
    failed = build(berth, path, "--cache-to", "type=registry,ref=127.0.0.1:1/x", check=False)
    assert failed.returncode == 1 and "cache_to 127.0.0.1:1/x" in failed.stderr
    build(berth, path, "--cache-to", "type=registry,ref=127.0.0.1:1/x,ignore-error=true")
    built = build(berth, path, "--cache-from", f"{address}/team/none",
                  env=other_machine(berth, "third"))
    assert "cache_from 127.0.0.1:5000/team/none" in built.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_cache_inside_the_image(berth):
    """As a project has it: cache_to inline, pushed with the image, cache_from the image."""
    address = registry(berth)
    name = f"{address}/team/app:1"
    project = berth.project({"compose.yaml": {"services": {"app": {"image": name, "build": {
        "context": ".", "network": "none", "cache_from": [name],
        "cache_to": ["type=inline"]}}}}, "f": "F", "Dockerfile": STAGES})
    pushed = project.run("build", "--push")
    assert f"Image {name} Pushed" in pushed.stderr
    other = other_machine(berth)
    built = project.run("build", env=other)
    assert cached(built) == 3, built.stderr


@pytest.mark.skipif(not shutil.which("docker-registry"), reason="needs docker-registry")
def test_base_images_come_with_progress(berth):
    address = registry(berth)
    berth.run("image", "tag", "busybox", f"{address}/base:1")
    berth.run("image", "push", f"{address}/base:1")
    berth.run("image", "rm", f"{address}/base:1")
    path = context(berth, f"FROM {address}/base:1\nRUN echo x > /x\n")
    other = {"BERTH_ROOT": f"{berth.base}/empty"}
    built = build(berth, path, env=other)
    assert f"#1 [internal] pull {address}/base:1" in built.stderr
    assert "#1 DONE" in built.stderr
    project = berth.project({"compose.yaml": {"services": {"app": {"build": {
        "context": path, "network": "none"}}}}})
    terminal = project.pty("build", env={"BERTH_ROOT": f"{berth.base}/empty2"}, columns=120)
    terminal.read_until(rf"Image {address}/base:1 .*Pull")
    terminal.read_until(r"Built")
    assert terminal.wait(30) == 0
    rows = [json.loads(line) for line in berth.run(
        "--progress", "json", "image", "build", "--network", "none", path,
        env={"BERTH_ROOT": f"{berth.base}/empty3"}).stderr.splitlines()]
    assert any("pull" in row["id"] and row["status"] == "Done" for row in rows)
    assert build(berth, path, "--pull", env=other).stderr.count("pull") >= 1


def test_limits_by_size_and_age(berth):
    settings = f"{berth.base}/builder.json"
    env = {"BERTH_BUILDER": settings}

    def limit(**gc):
        write(berth.base, {"builder.json": json.dumps({"builder": {"gc": gc}})})
        if os.path.exists(f"{berth.root}/build/limited"):
            os.unlink(f"{berth.root}/build/limited")

    def records():
        return len(os.listdir(f"{berth.root}/build/cache"))

    def age(hours):
        then = time.time() - hours * 3600
        for name in os.listdir(f"{berth.root}/build/cache"):
            os.utime(f"{berth.root}/build/cache/{name}", (then, then))

    def make(number):
        path = context(berth, f"FROM busybox\nRUN dd if=/dev/zero of=/{number} bs=1M count=1\n",
                       f"c{number}")
        return build(berth, path, name=f"n{number}", env=env)

    limit(defaultKeepStorage="2500k")
    for number in range(4):
        make(number)
        berth.run("image", "rm", f"n{number}")
        if os.path.exists(f"{berth.root}/build/limited"):
            os.unlink(f"{berth.root}/build/limited")
    assert records() == 2  # those that were used last
    assert cached(make(3)) == 1 and cached(make(0)) == 0
    # Once an hour only.
    for number in range(5, 8):
        make(number)
    assert records() >= 5
    limit(defaultKeepStorage="1gb", keepDuration="24h")
    age(25)
    make(9)
    assert records() == 1
    limit(enabled=False)
    age(2000)
    make(10)
    assert records() == 2
    limit(defaultKeepStorage="much")
    assert "defaultKeepStorage" in make(11).stderr
    limit()
    make(12)
    assert records() == 3  # one is older than sixty days


def test_prune_and_du(berth):
    path = context(berth, """\
FROM busybox
RUN dd if=/dev/zero of=/one bs=1M count=1
RUN --mount=type=cache,target=/c,id=mine dd if=/dev/zero of=/c/two bs=1M count=2
""")
    build(berth, path)
    listed = berth.run("builder", "du").stdout
    assert "RUN dd if=/dev/zero of=/one" in listed and "cache mount mine" in listed
    assert "1.05MB" in listed and "2.1MB" in listed
    kept = berth.run("builder", "prune", "-f", "--keep-storage", "1gb").stdout
    assert "Deleted 0 entries" in kept
    assert "Deleted 0 entries" in berth.run("builder", "prune", "-f", "--filter", "until=1h").stdout
    assert cached(build(berth, path)) == 2
    for args, error in ((("--filter", "label=x"), "until=DURATION"),
                        (("--keep-storage", "x"), "not a size"),
                        (("--filter", "until=yesterday"), "until=DURATION")):
        failed = berth.run("builder", "prune", *args, check=False)
        assert failed.returncode == 1 and error in failed.stderr
    berth.run("image", "rm", "x")
    # Whoever does not say -f is asked, and on no terminal says no.
    refused = berth.run("builder", "prune", check=False, input="")
    assert refused.returncode == 1 and "dangling build cache" in refused.stdout
    for limit in (("--min-free-space", "1"), ("--reserved-space", "1gb"),
                  ("--max-used-space", "1gb"), ("--keep-storage", "1", "--reserved-space", "1gb")):
        assert "Deleted 0 entries" in berth.run("builder", "prune", "-f", *limit).stdout
    assert cached(build(berth, path)) == 2
    berth.run("image", "rm", "x")
    pruned = berth.run("builder", "prune", input="y\n").stdout
    assert "Deleted 2 entries" in pruned and "1.05MB" in pruned
    assert os.listdir(f"{berth.root}/build/mounts")
    assert "Deleted 1 entries" in berth.run("builder", "prune", "-af").stdout
    assert not os.listdir(f"{berth.root}/build/mounts")
    assert len([n for n in os.listdir(f"{berth.root}/layers") if ".json" not in n]) == 1


DETERMINED = """\
FROM busybox AS made
RUN mkdir -p /d/e && echo a > /d/e/a && ln -s a /d/e/l && ln /d/e/a /d/hard && chmod 4711 /d/e/a
FROM busybox
WORKDIR /new/folder
COPY --chown=app . /copied/
COPY --from=made /d /d
COPY <<EOF /heredoc
text
EOF
ADD archive.tar /unpacked/
RUN rm /d/hard && touch -d @5 /old && mkfifo /fifo && chown app /d/e
ENV A=1
"""


def test_two_machines_make_the_same_image(berth):
    path = context(berth, {"Dockerfile": DETERMINED, "a": "1", "b/c": ("2", 0o600)})
    berth.command(["tar", "-C", path, "-cf", f"{path}/archive.tar", "a", "b"])
    args = ("--build-arg", "SOURCE_DATE_EPOCH=1000000000")
    here = build(berth, path, *args).stdout
    for name in ("a", "b/c", "b"):
        os.utime(f"{path}/{name}", (2000000000, 2000000000))
    other = other_machine(berth)
    there = build(berth, path, *args, env=other).stdout
    assert here == there
    manifests = [json.load(open(f"{root}/images/index.json"))["manifests"]
                 for root in (berth.root, other["BERTH_ROOT"])]
    digests = [{m["digest"] for m in rows} for rows in manifests]
    assert digests[0] == digests[1]
    config = image_config(berth)
    assert config["Created"].startswith("2001-09-09T01:46:40")
    files = image(berth)[0]
    assert files["copied/b/c"].mode == "0o600" and "d/hard" not in files


KILLED = """\
FROM busybox AS one
RUN i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo $i > /$i; done; sleep 0.05
FROM busybox AS two
RUN --mount=type=cache,target=/c touch /c/x; sleep 0.05; dd if=/dev/zero of=/big bs=1M count=3
FROM busybox
RUN --network=default true
COPY --from=one / /one/
COPY --from=two /big /big
COPY . /all/
RUN rm -r /all && sleep 0.05
"""


def left_behind(berth):
    """What a build may not leave once another one ran: processes, mounts, cgroups, files."""
    problems = [line for line in berth.command(["ps", "-eo", "args"]).stdout.splitlines()
                if "berth-build" in line or "sleep" in line or "dd if" in line]
    problems += [line for line in berth.command(["cat", "/proc/self/mountinfo"]).stdout.splitlines()
                 if berth.root in line]
    problems += [f"layers/{name}" for name in os.listdir(f"{berth.root}/layers")
                 if name.startswith(".")]
    problems += [f"build/{name}" for name in os.listdir(f"{berth.root}/build")
                 if name.startswith((".", "git-", "gone-"))]
    problems += [f"runs/{name}" for name in os.listdir(f"{berth.root}/build/runs")]
    problems += [f"cache/{name}" for name in os.listdir(f"{berth.root}/build/cache")
                 if not name.endswith(".json")]
    problems += [f"networks/{name}" for name in os.listdir(f"{berth.root}/networks")
                 if "berth-build" in name]
    return problems


def test_kill_at_any_moment(berth):
    """SIGKILL of the client or its builder; then the build works, and nothing is left."""
    path = context(berth, {"Dockerfile": KILLED, **{f"f{i}": "x" * 1000 for i in range(50)}})
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for turn in range(10):
        process = berth.popen("image", "build", "--no-cache" if turn % 2 else "--pull=false",
                              "-t", "x", path)
        deadline = time.monotonic() + chance.uniform(0, 0.9)
        wait_until(lambda: time.monotonic() > deadline or process.poll() is not None, 10,
                   interval=0.005)
        if turn % 3 == 2:
            for pid in berth.pids_of("berth-builder"):
                berth.kill(pid)
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        wait_until(lambda: not berth.pids_of("sleep") and not berth.pids_of("dd"), 30,
                   f"seed {seed}: the steps end with the build")
    build(berth, path, network="default")
    assert image(berth)[0]["big"].data == bytes(3 << 20), f"seed {seed}"
    build(berth, path, "--no-cache", network="default")
    assert not left_behind(berth), f"seed {seed}"


@pytest.mark.parametrize("command", ["build", "builder prune -f", "system prune -f", "down"])
def test_the_network_of_a_killed_build(berth, command):
    """Whatever comes next takes its bridge and rules away."""
    project = berth.project({"Dockerfile": "FROM busybox\nRUN touch /x; sleep 1234\n",
                             "compose.yaml": {"services": {"a": {"image": "busybox"}}}})
    process = berth.popen("image", "build", "-t", "x", project.path)
    wait_until(lambda: berth.pids_of("sleep", "1234"), 30, "it runs its step")
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    wait_until(lambda: not berth.pids_of("sleep"), 30, "the step ends with the build")
    assert any(line.startswith("link: br-") for line in berth.leftovers())
    if command == "build":
        project.write({"Dockerfile": "FROM busybox\nENV a=b\n"})
        build(berth, project.path)
    else:
        project.run(*command.split())
    assert not berth.leftovers()


def test_stages_built_anew(berth):
    """What follows is made anew where it finds other content, and is from the cache elsewhere."""
    path = context(berth, """\
FROM busybox AS other
RUN cat /proc/sys/kernel/random/uuid > /id
FROM busybox AS same
RUN echo same > /same
FROM busybox
COPY --from=same /same /
COPY --from=other /id /
""")
    build(berth, path)
    assert cached(build(berth, path)) == 4
    assert cached(build(berth, path, "--no-cache-filter", "same")) == 3
    first = image_config(berth)["Id"]
    assert cached(build(berth, path, "--no-cache-filter", "other")) == 2
    assert image_config(berth)["Id"] != first
