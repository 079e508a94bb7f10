# SPDX-License-Identifier: GPL-2.0-or-later
"""Dockerfiles for a test, and what is in the image that came of one."""

import collections
import hashlib
import json
import os
import subprocess
import tarfile

File = collections.namedtuple("File", "kind mode uid gid link data")
KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder",
         tarfile.SYMTYPE: "link", tarfile.CHRTYPE: "device", tarfile.BLKTYPE: "device",
         tarfile.FIFOTYPE: "fifo"}


def write(path, files):
    """{"Dockerfile": text, "sub/file": text or (text, mode)} below the folder @path."""
    for name, content in files.items():
        name = os.path.join(path, name)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        content, mode = content if isinstance(content, tuple) else (content, None)
        with open(name, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        if mode is not None:
            os.chmod(name, mode)
    return path


def context(berth, files, name="ctx"):
    """A build context; gives its path. A text alone is its Dockerfile."""
    if isinstance(files, str):
        files = {"Dockerfile": files}
    path = os.path.join(berth.base, name)
    os.makedirs(path, exist_ok=True)
    return write(path, files)


def build(berth, path, *args, name="x", network="none", **options):
    """`berth image build`, of the context @path and into the image @name."""
    return berth.run("image", "build", "--network", network, "-t", name, *args, path, **options)


def saved(berth, name="x"):
    archive = os.path.join(berth.base, f"{name}.tar")
    berth.run("image", "save", "-o", archive, name)
    return archive


def describe(archive):
    """An archive of `docker save`: its files after all layers, and its config."""
    tree = {}
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))[0]
        config = json.load(tar.extractfile(manifest["Config"]))
        for layer in manifest["Layers"]:
            _apply(tree, tar.extractfile(layer))
    return tree, config


def image(berth, name="x"):
    """Its files, as path to File, and its config."""
    tree, config = describe(saved(berth, name))
    return tree, config["config"]


def image_config(berth, name="x"):
    return json.loads(berth.run("image", "inspect", name).stdout)[0]


def other_machine(berth, name="other"):
    """The environment of another installation, with the same base images."""
    root = os.path.join(berth.base, name)
    subprocess.run(["cp", "-al", berth.template, root], check=True)
    return {"BERTH_ROOT": root}


REGISTRY = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {0}}}}}
http: {{addr: "127.0.0.1:5000"}}
"""


def registry(berth):
    """Debian's docker-registry in the sandbox's network; gives its address."""
    config = os.path.join(berth.base, "registry.yml")
    with open(config, "w") as file:
        file.write(REGISTRY.format(os.path.join(berth.base, "registry")))
    berth.popen_command(["docker-registry", "serve", config], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get("http://127.0.0.1:5000/v2/", check=False).returncode == 0,
                     30, "the registry answers")
    return "127.0.0.1:5000"


def digest(data):
    return hashlib.sha256(data).hexdigest()


def _remove(tree, path):
    for name in [n for n in tree if n == path or n.startswith(path + "/")]:
        del tree[name]


def _apply(tree, stream):
    with tarfile.open(fileobj=stream) as layer:
        added = {}
        for info in layer:
            name = info.name.removeprefix("./").strip("/")
            folder, base = os.path.split(name)
            if base == ".wh..wh..opq":
                _remove(tree, folder)
            elif base.startswith(".wh."):
                _remove(tree, os.path.join(folder, base[4:]))
            elif name:
                data = layer.extractfile(info).read() if info.isreg() else b""
                link = added[info.linkname.removeprefix("./")] if info.islnk() else None
                if not info.isdir():
                    _remove(tree, name)  # what replaces a folder replaces all of it
                added[name] = link or File(KINDS[info.type], oct(info.mode & 0o7777), info.uid,
                                           info.gid, info.linkname, data)
        tree.update(added)
