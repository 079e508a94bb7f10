# SPDX-License-Identifier: GPL-2.0-or-later
"""Root file systems out of this machine's own programs: no registry is needed for a test."""

import io
import os
import re
import shutil
import stat
import subprocess
import tarfile

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
app:x:1000:1000:An application:/home/app:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
"""
GROUP = """\
root:x:0:
daemon:x:1:
tty:x:5:
www-data:x:33:
app:x:1000:
extra:x:1001:app
nogroup:x:65534:
"""

# Paths of the merged /usr, as on Debian.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
DIRECTORIES = {
    "usr": 0o755, "usr/bin": 0o755, "usr/sbin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755,
    "etc": 0o755, "root": 0o700, "home": 0o755, "var": 0o755, "var/log": 0o755,
    "var/lib": 0o755, "var/tmp": 0o1777, "tmp": 0o1777, "run": 0o755, "srv": 0o755,
    "proc": 0o755, "sys": 0o755, "dev": 0o755, "mnt": 0o755,
}


class Tree:
    """A root file system on its way into a tar."""

    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)
        self.seen = set()
        for name, mode in DIRECTORIES.items():
            self.directory(name, mode)
        for name, target in LINKS.items():
            self.link(name, target)

    def close(self):
        self.tar.close()

    def _new(self, name):
        name = name.strip("/")
        if name in self.seen:
            return None
        self.seen.add(name)
        parent = os.path.dirname(name)
        if parent and parent not in self.seen:
            self.directory(parent)
        return tarfile.TarInfo(name)

    def directory(self, name, mode=0o755, uid=0, gid=0):
        info = self._new(name)
        if info:
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, gid
            self.tar.addfile(info)

    def link(self, name, target):
        info = self._new(name)
        if info:
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
            self.tar.addfile(info)

    def text(self, name, text, mode=0o644, uid=0, gid=0):
        data = text.encode() if isinstance(text, str) else text
        info = self._new(name)
        if info:
            info.size, info.mode, info.uid, info.gid = len(data), mode, uid, gid
            self.tar.addfile(info, io.BytesIO(data))

    def file(self, path, name=None):
        """One file of this machine, at its real place (behind the merged /usr's links)."""
        if name is None:
            name = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        info = self._new(name)
        if not info:
            return
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
            self.tar.addfile(info)
            target = os.path.realpath(path)
            if os.path.isfile(target):
                self.file(target)
        elif stat.S_ISREG(status.st_mode):
            info.size, info.mode = status.st_size, stat.S_IMODE(status.st_mode)
            info.mtime = int(status.st_mtime)
            with open(path, "rb") as data:
                self.tar.addfile(info, data)

    def folder(self, path):
        self.directory(path)
        for parent, folders, files in os.walk(path):
            folders[:] = sorted(f for f in folders if f not in ("__pycache__", "test", "idlelib"))
            for name in folders:
                if not os.path.islink(os.path.join(parent, name)):
                    self.directory(os.path.join(parent, name))
            for name in sorted(files):
                self.file(os.path.join(parent, name))

    def program(self, path):
        """A program and the shared libraries that it names."""
        self.file(path)
        self.libraries(path)

    def libraries(self, path):
        result = subprocess.run(["ldd", os.path.realpath(path)], capture_output=True, text=True)
        for library in re.findall(r"(/\S+) \(0x", result.stdout):
            self.file(library)

    def busybox(self):
        program = shutil.which("busybox")
        if not program:
            raise RuntimeError("busybox is missing: apt-get install busybox-static")
        self.file(os.path.realpath(program), "usr/bin/busybox")
        applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
        for applet in applets.stdout.split():
            self.link(f"usr/bin/{applet}", "busybox")

    def users(self):
        self.text("etc/passwd", PASSWD)
        self.text("etc/group", GROUP)
        self.directory("home/app", 0o755, 1000, 1000)


def busybox_tar(path):
    """Everything that busybox can do, users to run it as, and a folder that volumes copy up."""
    tree = Tree(path)
    tree.users()
    tree.busybox()
    tree.directory("data", 0o750, 1000, 1001)
    tree.text("data/seed", "seed\n", 0o640, 1000, 1001)
    tree.directory("data/sub", 0o755)
    tree.link("data/link", "seed")
    tree.close()


def binaries_tar(path, paths, files):
    """Programs of this machine with their libraries; folders are taken whole."""
    tree = Tree(path)
    tree.users()
    for name, content in files.items():
        mode = 0o644
        if isinstance(content, tuple):
            content, mode = content
        tree.text(name, content, mode)
    for item in paths:
        if os.path.isdir(item):
            tree.folder(item)
            for parent, _, names in os.walk(item):
                for name in names:
                    if re.search(r"\.so(\.|$)", name):
                        tree.libraries(os.path.join(parent, name))
        else:
            found = item if item.startswith("/") else shutil.which(item)
            if not found or not os.path.exists(found):
                raise FileNotFoundError(item)
            tree.program(found)
    tree.busybox()
    tree.close()


def python_paths():
    """What Debian's python3 of this machine needs to run."""
    program = os.path.realpath("/usr/bin/python3")
    return ["/usr/bin/python3", program, f"/usr/lib/{os.path.basename(program)}"]
