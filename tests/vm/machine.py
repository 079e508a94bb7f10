# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines with systemd, of whoever BERTH_VM names (README.md), and a disk that is booted again."""

import glob
import os
import re
import shutil
import subprocess
import tarfile
import time

import pytest

from tests.support import images, sandbox

HERE = os.path.dirname(os.path.abspath(__file__))
SUITES = os.environ.get("BERTH_VM_SUITES", "bookworm trixie").split()
PACKAGES = {
    "bookworm": "busybox-static iproute2 libarchive13 libip4tc2 libip6tc2 libjansson4 "
                "libseccomp2 libyaml-0-2 nftables",
    "trixie": "busybox-static iproute2 libarchive13t64 libip4tc2 libip6tc2 libjansson4 "
              "libseccomp2 libyaml-0-2 nftables",
}
# What berth's package depends on besides.
DEPENDS = {"bookworm": "libcurl4 libisal2", "trixie": "libcurl4t64 libisal2"}
RUN_SECONDS = 900
BOOT_SECONDS = 600


def vm_command():
    command = os.environ.get("BERTH_VM")
    if not command:
        pytest.skip("no virtual machine: BERTH_VM names no command that has one (tests/vm/README.md)")
    return command.split()


def fill(folder):
    """What a guest gets: berth, an image, the scripts."""
    shutil.copy(sandbox.binary(), os.path.join(folder, "berth"))
    images.busybox_tar(os.path.join(folder, "busybox.tar"))
    shutil.copy(os.path.join(HERE, "..", "..", "compose", "berth.catalog"), folder)
    for name in os.listdir(os.path.join(HERE, "guest")):
        shutil.copy(os.path.join(HERE, "guest", name), folder)


def verdict(output, complete):
    """Fails with the lines that say so, or where the script did not get to its end."""
    failed = re.findall(r"^not ok .*", output, re.M)
    assert not failed and complete, "\n".join(failed) + "\n--- all of it\n" + output[-20000:]
    assert re.search(r"^ok ", output, re.M), output


def run(suite, script, folder, seconds=RUN_SECONDS, more=""):
    """@script, which may have arguments, with what @folder has and fill() adds. @more: packages."""
    fill(folder)
    done = subprocess.run(
        [*vm_command(), "run", "--suite", suite, "--packages", f"{PACKAGES[suite]} {more}",
         "--copy", f"{folder}:/b", "--timeout", str(seconds), "--", f"bash /b/{script}"],
        capture_output=True, text=True, timeout=seconds + 600)
    verdict(done.stdout + done.stderr, done.returncode == 0)


def debian_tar(suite, path):
    """A small Debian whose init is systemd."""
    if not shutil.which("mmdebstrap"):
        pytest.skip("no Debian to boot in a container: mmdebstrap is not installed")
    subprocess.run(["mmdebstrap", "-q", "--variant=minbase", "--include=systemd-sysv,dbus",
                    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*"
                      for name in ("doc", "locale", "man")), suite, path], check=True)


def packages(folder):
    """berth as Debian has it: old.deb, and new.deb, which is the same by a later version."""
    if not shutil.which("dpkg-buildpackage"):
        pytest.skip("no package: dpkg-dev is not installed")
    top = os.path.dirname(os.path.dirname(HERE))
    made = subprocess.run(["make", "-s", "deb"], cwd=top, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout[-5000:] + made.stderr[-5000:]
    [old] = glob.glob(f"{top}/build/deb/berth_*.deb")
    shutil.copy(old, f"{folder}/old.deb")
    tree = f"{folder}/../later"
    subprocess.run(["dpkg-deb", "-R", old, tree], check=True)
    with open(f"{tree}/DEBIAN/control") as file:
        control = re.sub(r"^(Version: .*)", r"\1+later", file.read(), flags=re.M)
    with open(f"{tree}/DEBIAN/control", "w") as file:
        file.write(control)
    with open(f"{tree}/usr/lib/systemd/system/berth@.service", "a") as file:
        file.write("# Another one.\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, f"{folder}/new.deb"], check=True,
                   stdout=subprocess.DEVNULL)


class Disk:
    """A machine whose disk stays: booted once to prepare it, then once for each job."""

    KERNEL = "console=ttyS0 root=/dev/vda rw quiet panic=-1 net.ifnames=0"

    def __init__(self, suite, folder):
        for program in ("qemu-system-x86_64", "qemu-img"):
            if not shutil.which(program):
                pytest.skip(f"no virtual machine that boots twice: {program} is not installed")
        image = subprocess.run([*vm_command(), "image", suite, "--with", PACKAGES[suite]],
                               capture_output=True, text=True)
        if image.returncode != 0:
            pytest.skip(f"no virtual machine that boots twice: {image.stderr.strip()[-200:]}")
        self.image = image.stdout.splitlines()[-1]
        self.folder = folder
        self.disk = os.path.join(folder, "disk.qcow2")
        self.share = os.path.join(folder, "share")
        os.mkdir(self.share)
        fill(self.share)
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b",
                        os.path.join(self.image, "root.qcow2"), "-F", "qcow2", self.disk],
                       check=True)
        first = "tar xf /dev/vdb -C /srv; exec sh /srv/prepare.sh"
        self.boot("prepare", f'systemd.run="/bin/sh -c \'{first}\'" '
                             "systemd.run_success_action=poweroff")

    def boot(self, job, kernel="", until=r"^job ended", cut=False):
        """Boots with @job for /srv/job, and gives what the console said. @cut: as soon as @until
        is there, the power goes."""
        share, console = os.path.join(self.folder, "share.tar"), os.path.join(self.folder, "console")
        if os.path.exists(os.path.join(self.share, f"{job}.sh")):
            shutil.copy(os.path.join(self.share, f"{job}.sh"), os.path.join(self.share, "job"))
        with tarfile.open(share, "w") as tar:
            tar.add(self.share, ".")
        open(console, "w").close()
        process = subprocess.Popen([
            "qemu-system-x86_64", *self._accelerator(), "-machine", "q35,usb=off", "-m", "2048",
            "-nodefaults", "-display", "none", "-no-reboot",
            "-drive", f"if=none,id=root,file={self.disk},format=qcow2,cache=unsafe",
            "-device", "virtio-blk-pci,drive=root",
            "-drive", f"if=none,id=share,file={share},format=raw,readonly=on",
            "-device", "virtio-blk-pci,drive=share", "-device", "virtio-rng-pci",
            "-serial", f"file:{console}", "-kernel", f"{self.image}/vmlinuz", "-initrd",
            f"{self.image}/initrd", "-append", f"{self.KERNEL} {kernel}"],
            stdin=subprocess.DEVNULL)
        try:
            return self._watch(process, console, until, cut)
        finally:
            process.kill()
            process.wait()

    @staticmethod
    def _accelerator():
        with open("/proc/cpuinfo") as file:
            able = re.search(r"^flags.*\b(vmx|svm)\b", file.read(), re.M)
        if able and os.access("/dev/kvm", os.W_OK):
            return ["-accel", "kvm", "-cpu", "host", "-smp", "2"]
        # With a second processor the emulator now and then has the kernel trip over code that it is
        # just patching (int3, a panic within the first seconds).
        return ["-accel", "tcg", "-cpu", "max,la57=off", "-smp", "1"]

    @staticmethod
    def _watch(process, console, until, cut):
        end = time.monotonic() + BOOT_SECONDS
        while True:
            with open(console, errors="replace") as file:
                output = file.read().replace("\r", "")
            reached = re.search(until, output, re.M)
            if process.poll() is not None or (cut and reached):
                break
            assert time.monotonic() < end, f"still up after {BOOT_SECONDS} s:\n{output[-20000:]}"
            time.sleep(0.05)
        return output
