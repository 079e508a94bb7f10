# SPDX-License-Identifier: GPL-2.0-or-later
"""Layers that somebody meant harm with: however they come in, they stay inside or stay out."""

import gzip
import hashlib
import io
import json
import os
import stat
import tarfile

import pytest

from tests.support.registries import HOST, BadRegistry

FILE, LINK, SYMLINK, CHAR, DIR = (tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE,
                                  tarfile.CHRTYPE, tarfile.DIRTYPE)
# cap_net_raw=ep, as setcap writes it.
CAPABILITY = b"\1\0\0\2\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
VICTIM = "victim"


def entry(name, kind=FILE, data=b"bad", **fields):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = kind, fields.pop("mode", 0o644), 1
    for key, value in fields.items():
        setattr(info, key, value)
    info.size = len(data) if kind == FILE else 0
    return info, data


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if info.type == FILE else None)
    return out.getvalue()


def sparse(name, size, data=b"1\n0\n0\n".ljust(512, b"\0")):
    """A hole of @size bytes, in the form of GNU tar 1.0."""
    return entry("x/" + name, data=data, pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name,
        "GNU.sparse.realsize": str(size)})


OUT = "../../../../../../../../.."
# What the user reads.
REFUSED = {
    "dotdot": ([entry("../" + VICTIM)], "its name leads out with '..'"),
    "middle": ([entry("a/../../" + VICTIM)], "its name leads out with '..'"),
    "hardlink": ([entry("l", LINK, linkname=f"{OUT}/etc/passwd")], "which leads out"),
    "absolute-hardlink": ([entry("l", LINK, linkname="/etc/passwd")], "a hard link to '/etc/passwd'"),
    "through-a-link": ([entry("d", SYMLINK, linkname=OUT), entry("l", LINK, linkname="d/etc/passwd")],
                       "a hard link to 'd/etc/passwd'"),
    "whiteout-dot": ([entry(".wh..", data=b"")], "a whiteout of nothing"),
    "whiteout-dotdot": ([entry(".wh...", data=b"")], "a whiteout of nothing"),
    "whiteout-empty": ([entry(".wh.", data=b"")], "a whiteout of nothing"),
    "long-path": ([entry("/".join(["d" * 99] * 60))], "its name: File name too long"),
    "long-name": ([entry("n" * 300)], "its name: File name too long"),
    "root-file": ([entry(".")], "it would replace the root directory"),
    "pax": ([entry("f", pax_headers={"comment": "c" * (70 << 20)})], "not a valid archive"),
    "endless": ([sparse("f", (1 << 63) - 1)], "set its size"),
}


def docker_archive(data):
    """As docker save writes it."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {
        "type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["hostile:1"],
                            "Layers": ["l.tar"]}]).encode()
    return layer(entry("c.json", data=config), entry("manifest.json", data=manifest),
                 entry("l.tar", data=data))


def load(berth, data, env=None):
    path = os.path.join(berth.base, "hostile.tar")
    with open(path, "wb") as file:
        file.write(docker_archive(data))
    return berth.run("image", "load", "-q", "-i", path, cwd="/", check=False, env=env)


def bring_in(berth, data, env=None):
    path = os.path.join(berth.base, "layer.tar")
    with open(path, "wb") as file:
        file.write(data)
    return berth.run("image", "import", path, "hostile:1", cwd="/", check=False, env=env)


def files_of(berth):
    """All there is but what the layers hold."""
    found = []
    for folder, names, files in os.walk(berth.base):
        if os.path.basename(os.path.dirname(folder)) == "layers" and folder.startswith(berth.root):
            names.clear()
            continue
        found += [os.path.join(folder, name) for name in names + files]
    # Locks are made with their first use.
    return sorted(path for path in found if "hostile.tar" not in path and "layer.tar" not in path and
                  not path.endswith("lock"))


@pytest.mark.parametrize("way", [load, bring_in])
def test_what_leads_out_is_refused_and_leaves_nothing(berth, way):
    with open(os.path.join(berth.root, VICTIM), "w") as file:
        file.write("whole")
    berth.run("image", "ls", cwd="/")
    before, passwd = files_of(berth), os.stat("/etc/passwd").st_nlink
    for name, (entries, words) in REFUSED.items():
        result = way(berth, layer(*entries))
        assert result.returncode == 1, name
        assert words in result.stderr, f"{name}: {result.stderr}"
        assert len(result.stderr) < 2000
        assert files_of(berth) == before, name
    with open(os.path.join(berth.root, VICTIM)) as file:
        assert file.read() == "whole"
    assert os.stat("/etc/passwd").st_nlink == passwd
    os.unlink(os.path.join(berth.root, VICTIM))


def test_pulled_as_well(berth):
    os.makedirs(os.path.join(berth.base, "requests.layers"))
    for name, (entries, _) in REFUSED.items():
        with open(os.path.join(berth.base, "requests.layers", name.replace("-", "")) + ".tar", "wb") as file:
            file.write(layer(*entries))
    registry = BadRegistry(berth)
    before = registry.new_files()
    names = [name.replace("-", "") for name in REFUSED]
    project = registry.arguments(*names)
    result = project.run("--progress", "json", "pull", check=False, timeout=120)
    assert result.returncode == 1
    told = {row["id"].split("/")[-1].removesuffix(":1"): row.get("details", "")
            for row in map(json.loads, result.stderr.splitlines()) if row.get("status") == "Error"}
    for name, (_, words) in REFUSED.items():
        assert words in told.get(name.replace("-", ""), ""), f"{name}: {told}"
    assert registry.new_files() == before
    assert HOST not in berth.run("image", "ls", cwd="/").stdout


def test_what_looks_bad_but_is_not_stays_inside(berth):
    known = set(os.listdir(os.path.join(berth.root, "layers")))
    data = layer(
        entry("/absolute"), entry("etc", DIR, mode=0o755), entry("out", SYMLINK, linkname="/etc"),
        entry("out/through", data=b"inside"), entry("up", SYMLINK, linkname=OUT),
        entry("up/top", data=b"inside"), entry(b"\xff\xfe".decode("utf-8", "surrogateescape")),
        entry("twice", data=b"first"), entry("twice", data=b"second"),
        entry("became", DIR, mode=0o755), entry("became/x"), entry("became", data=b"a file"),
        entry("null", CHAR, mode=0o666, devmajor=1, devminor=3), sparse("hole", 1 << 40),
        entry("capable", mode=0o755, pax_headers={
            "SCHILY.xattr.security.capability": CAPABILITY.decode(),
            "SCHILY.xattr.trusted.overlay.redirect": "/etc"}),
        entry("hidden/.wh..wh..opq", data=b""), entry("hidden/.wh.gone", data=b""))
    assert bring_in(berth, data).returncode == 0
    new = set(os.listdir(os.path.join(berth.root, "layers"))) - known
    tree, = (os.path.join(berth.root, "layers", name) for name in new if len(name) == 64)

    def content(name):
        with open(os.path.join(tree, name), "rb") as file:
            return file.read()

    assert content("absolute") == b"bad" and content("etc/through") == b"inside"
    assert content("top") == b"inside" and content("twice") == b"second"
    assert content("became") == b"a file"
    assert os.path.exists(os.path.join(os.fsencode(tree), b"\xff\xfe"))
    hole = os.stat(os.path.join(tree, "hole"))
    assert hole.st_size == 1 << 40 and hole.st_blocks < 64
    assert os.getxattr(os.path.join(tree, "capable"), "security.capability") == CAPABILITY
    assert "trusted.overlay.redirect" not in os.listxattr(os.path.join(tree, "capable"))
    assert os.getxattr(os.path.join(tree, "hidden"), "trusted.overlay.opaque") == b"y"
    gone = os.stat(os.path.join(tree, "hidden/gone"))
    assert stat.S_ISCHR(gone.st_mode) and gone.st_rdev == 0


@pytest.mark.parametrize("way", [load, bring_in])
def test_bombs(berth, way):
    """What would fill the disk, in bytes or in files, ends with the disk as it was."""
    root = os.path.join(berth.base, "small")
    os.makedirs(root)
    berth.command(["mount", "-t", "tmpfs", "-o", "size=96m,nr_inodes=2000", "small", root], cwd="/")
    env = {"BERTH_ROOT": root}
    berth.run("image", "ls", cwd="/", env=env)

    def used():
        free = berth.command(["stat", "-f", "-c", "%f %d", root], cwd="/").stdout
        return free

    way(berth, b"no archive", env)  # the locks stay
    before = used()
    zeros = layer(entry("zeros", data=bytes(1 << 30)))
    bombs = {"bytes": gzip.compress(zeros, 1), "plain": zeros[:300 << 20],
             "files": layer(*[entry(f"f{i}", data=b"") for i in range(5000)]),
             "sizes": layer(*[entry(f"f{i}", data=bytes(1 << 20)) for i in range(200)])}
    for name, data in bombs.items():
        result = way(berth, data, env)
        assert result.returncode == 1, name
        assert any(words in result.stderr for words in (
            "larger than what is free", "the disk cannot take", "MB that are free", "No space",
            "takes more")), f"{name}: {result.stderr}"
        berth.run("image", "ls", cwd="/", env=env)
        assert used() == before, name
    berth.command(["umount", root], cwd="/")
