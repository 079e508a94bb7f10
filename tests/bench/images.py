# SPDX-License-Identifier: GPL-2.0-or-later
"""Loading and pulling an image of 300 MB in 10,000 files, beside `tar -x` and podman."""
import hashlib
import http.client
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import time

LAYERS, FILES = 4, 10000
ADDRESS = "127.0.0.1:5055"
NAME = f"{ADDRESS}/big:1"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def make_files(root):
    """Words as programs' texts and tables have them, a quarter of it noise: gzip takes 40 % off."""
    chance = random.Random(1)
    words = [bytes(chance.choices(b"abcdefghijklmnopqrstuvwxyz_(){};=\n\t ", k=chance.randint(2, 9)))
             for _ in range(4000)]
    text, noise = b" ".join(chance.choices(words, k=400000)), chance.randbytes(1 << 20)
    for i in range(FILES):
        folder = f"{root}/{i * LAYERS // FILES}/usr/lib/part{i // 50}"
        os.makedirs(folder, exist_ok=True)
        left = min(int(chance.paretovariate(1.16) * 6200), 4 << 20)
        with open(f"{folder}/file{i}", "wb") as file:
            while left > 0:
                size, of = min(left, 65536), noise if chance.random() < 0.25 else text
                start = chance.randrange(len(of) - size)
                file.write(of[start:start + size])
                left -= size


class Image:
    """As layers (tar), as an archive of docker save (plain layers), and as an OCI layout (gzip)."""

    def __init__(self, work):
        self.work = work
        self.layout, self.oci, self.docker = f"{work}/layout", f"{work}/oci.tar", f"{work}/docker.tar"
        os.makedirs(f"{self.layout}/blobs/sha256")
        make_files(f"{work}/files")
        self.layers = [f"{work}/layer{i}.tar" for i in range(LAYERS)]
        for i, layer in enumerate(self.layers):
            subprocess.run(["tar", "-C", f"{work}/files/{i}", "--owner=0", "--group=0", "-cf",
                            layer, "."], check=True)
        shutil.rmtree(f"{work}/files")
        self.pack()

    def blob(self, data, media):
        name = hashlib.sha256(data).hexdigest()
        with open(f"{self.layout}/blobs/sha256/{name}", "wb") as file:
            file.write(data)
        return {"mediaType": media, "digest": f"sha256:{name}", "size": len(data)}

    def write(self, path, value):
        with open(f"{self.work}/{path}", "w", encoding="utf-8") as file:
            json.dump(value, file)

    def pack(self):
        diffs, rows = [], []
        for layer in self.layers:
            with open(layer, "rb") as file:
                diffs.append("sha256:" + hashlib.sha256(file.read()).hexdigest())
            packed = subprocess.run(["gzip", "-6", "-n", "-c", layer], check=True,
                                    stdout=subprocess.PIPE).stdout
            rows.append(self.blob(packed, LAYER))
        self.packed = [row["digest"].split(":")[1] for row in rows]
        config = {"architecture": "amd64", "os": "linux", "config": {"Cmd": ["true"]},
                  "rootfs": {"type": "layers", "diff_ids": diffs}}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": rows,
                    "config": self.blob(json.dumps(config).encode(), CONFIG)}
        top = self.blob(json.dumps(manifest).encode(), MANIFEST)
        top["annotations"] = {"org.opencontainers.image.ref.name": NAME}
        self.write("layout/index.json", {"schemaVersion": 2, "manifests": [top]})
        self.write("layout/oci-layout", {"imageLayoutVersion": "1.0.0"})
        subprocess.run(["tar", "-C", self.layout, "-cf", self.oci, "."], check=True)
        self.write("config.json", config)
        self.write("manifest.json", [{"Config": "config.json", "RepoTags": [NAME],
                                      "Layers": [os.path.basename(l) for l in self.layers]}])
        subprocess.run(["tar", "-C", self.work, "-cf", self.docker, "manifest.json", "config.json",
                        *map(os.path.basename, self.layers)], check=True)


class Registry:
    def __init__(self, work):
        config = f"{work}/registry.yml"
        with open(config, "w", encoding="utf-8") as file:
            json.dump({"version": "0.1", "log": {"level": "error"}, "http": {"addr": ADDRESS},
                       "storage": {"filesystem": {"rootdirectory": f"{work}/registry"}}}, file)
        self.process = subprocess.Popen(["docker-registry", "serve", config],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not self.answers():
            if time.monotonic() > end:
                raise TimeoutError("docker-registry does not answer")
            time.sleep(0.05)

    @staticmethod
    def answers():
        try:
            http.client.HTTPConnection(ADDRESS, timeout=1).request("GET", "/v2/")
            return True
        except OSError:
            return False

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            ticks = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.kill()
        self.process.wait()


class Podman:
    """A store of its own, with overlay as berth's."""

    def __init__(self, work):
        self.command = ["podman", "--root", f"{work}/podman", "--runroot", f"{work}/podman.run",
                        "--storage-driver", "overlay"]

    def run(self, *args):
        subprocess.run([*self.command, *args], check=True, capture_output=True)

    def timed(self, rounds, *args):
        times = []
        for _ in range(rounds):
            begin = time.monotonic()
            self.run(*args)
            times.append(time.monotonic() - begin)
            self.run("rmi", "-af")
        return statistics.median(times)


def unpack(image, work):
    """The seconds, and those of the processors."""
    target = f"{work}/plain"
    os.makedirs(target)
    begin, cpu = time.monotonic(), children_cpu()
    for layer in image.layers:
        subprocess.run(["tar", "-C", target, "-xf", layer], check=True)
    seconds, cpu = time.monotonic() - begin, children_cpu() - cpu
    shutil.rmtree(target)
    return seconds, cpu


def children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Floor:
    """
    The least that the processors of this machine can do it in, side by side without a gap: what
    `tar -x` costs them, and what inflating and hashing costs (of gzip), and what curl and the
    registry cost (of a pull).
    """

    def __init__(self, inflate, image, registry):
        self.processors = len(os.sched_getaffinity(0))
        blobs = [f"{image.layout}/blobs/sha256/{digest}" for digest in image.packed]
        self.inflate = min(float(subprocess.run([inflate, *blobs], check=True,
                                                capture_output=True).stdout)
                           for _ in range(3)) / 1000
        self.fetch = self.measure_fetch(image, registry) if registry else 0

    @staticmethod
    def measure_fetch(image, registry):
        repository = NAME.split("/")[1].split(":")[0]
        urls = [f"http://{ADDRESS}/v2/{repository}/blobs/sha256:{digest}"
                for digest in image.packed]
        begin = children_cpu() + registry.cpu()
        for url in urls:
            subprocess.run(["curl", "-sfo", f"{image.work}/fetched", url], check=True)
        os.unlink(f"{image.work}/fetched")
        return children_cpu() + registry.cpu() - begin

    def seconds(self, words, tar_cpu):
        fetch = self.fetch if words[0] == "pull" else 0
        return (tar_cpu + self.inflate + fetch) / self.processors


def ours(bench, *args):
    begin = time.monotonic()
    bench.berth("image", *args)
    seconds = time.monotonic() - begin
    bench.berth("image", "rm", "-f", NAME)
    return seconds


def podman_words(words, work):
    if words[0] == "pull":
        return ["pull", "-q", "--tls-verify=false", NAME]
    return ["load", "-q", "-i", f"{work}/{words[-1]}"]


def compare(bench, row, name, words, image, floor):
    """Where inflating alone takes few processors longer than `tar -x` takes, that is the measure."""
    pairs = [(ours(bench, *words), *unpack(image, image.work)) for _ in range(bench.rounds)]
    seconds, plain, tar_cpu = (statistics.median(column) for column in zip(*pairs))
    limit = plain
    figure = f"{1000 * seconds:.0f} ms = {seconds / plain:.2f} x tar -x {1000 * plain:.0f} ms"
    if words[-1] != "docker.tar":
        least = floor.seconds(words, tar_cpu)
        figure += f" ({seconds / least:.2f} x floor {1000 * least:.0f} ms)"
        limit = max(limit, least)
    row(name, figure, "1.3 x", seconds <= 1.3 * limit)
    return seconds


def measure(bench, row):
    work = f"{bench.work}/images"
    os.makedirs(work)
    bench.folder = work
    image, ways = Image(work), {"load of 300 MB, docker save's": ("load", "-q", "-i", "docker.tar"),
                                "load of 300 MB, gzip in OCI": ("load", "-q", "-i", "oci.tar")}
    podman = Podman(work) if shutil.which("podman") else None
    registry = None
    if shutil.which("docker-registry"):
        registry = Registry(work)
        bench.berth("image", "load", "-q", "-i", "oci.tar")
        bench.berth("image", "push", "-q", NAME)
        bench.berth("image", "rm", "-f", NAME)
        ways["pull of 300 MB, local registry"] = ("pull", "-q", NAME)
    else:
        print("pull of 300 MB: left out, there is no docker-registry")
    try:
        floor = Floor(bench.inflate_path, image, registry)
        for name, words in ways.items():
            seconds = compare(bench, row, name, words, image, floor)
            if not podman:
                print(f"{name}: podman is left out, it is not installed")
                continue
            theirs = podman.timed(2, *podman_words(words, work))
            row("  beside podman", f"{seconds / theirs:.2f} x {1000 * theirs:.0f} ms", "0.5 x",
                seconds <= 0.5 * theirs)
    finally:
        if registry:
            registry.end()
        shutil.rmtree(work)
