# SPDX-License-Identifier: GPL-2.0-or-later
"""Limits, weights and device rules: what the kernel holds of what the file says."""
import glob
import os

import pytest

from tests.support.sandbox import binary

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def groups(berth, row):
    found = berth.command(["sh", "-c", f"find /sys/fs/cgroup -type d -path '*{row['ID']}*' 2>/dev/null; true"])
    return found.stdout.split()


def value(berth, folders, *names):
    """The first file of one of these names, v1's and v2's, that is there."""
    for folder in folders:
        for name in names:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return berth.command(["cat", path]).stdout.strip()
    return None


def up(berth, **more):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, **more}}}})
    project.run("up", "-d")
    return project, groups(berth, project.container("a"))


def test_processor_and_memory(berth):
    project, folders = up(
        berth, cpu_shares=512, cpu_period=50000, cpu_quota=25000, cpuset="0", pids_limit=77,
        mem_limit="64m", memswap_limit="96m", mem_reservation="32m", mem_swappiness=0,
        oom_score_adj=321)
    assert value(berth, folders, "cpu.shares", "cpu.weight") in ("512", "20")
    assert value(berth, folders, "cpu.cfs_quota_us", "cpu.max") in ("25000", "25000 50000")
    assert value(berth, folders, "cpu.cfs_period_us") in ("50000", None)
    assert value(berth, folders, "cpuset.cpus") == "0"
    assert value(berth, folders, "pids.max") == "77"
    assert value(berth, folders, "memory.limit_in_bytes", "memory.max") == str(64 << 20)
    assert value(berth, folders, "memory.soft_limit_in_bytes", "memory.low") == str(32 << 20)
    swap = value(berth, folders, "memory.memsw.limit_in_bytes", "memory.swap.max")
    assert swap in (str(96 << 20), str(32 << 20), None)
    assert value(berth, folders, "memory.swappiness") in ("0", None)
    assert project.exec("a", "cat", "/proc/1/oom_score_adj").stdout == "321\n"
    allowed = project.exec("a", "grep", "Cpus_allowed_list", "/proc/1/status").stdout
    assert allowed.split()[1] == "0"


def test_reservations_and_parent(berth):
    parent = f"berth/{os.path.basename(berth.base)}-parent"
    project, folders = up(
        berth, cgroup_parent=parent,
        deploy={"resources": {"limits": {"cpus": 0.5, "memory": "50M"},
                              "reservations": {"memory": "20M"}}})
    assert value(berth, folders, "memory.soft_limit_in_bytes", "memory.low") == str(20 << 20)
    assert value(berth, folders, "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000")
    assert all(f"/{parent}/" in folder or ".devices" in folder for folder in folders)
    project.run("down", "-t", "0")
    berth.command(["sh", "-c", f"find /sys/fs/cgroup -depth -type d -path '*{parent}*' "
                               "-exec rmdir {} +"], check=False)


def block_device():
    for path in sorted(glob.glob("/sys/block/*/dev")):
        name = os.path.basename(os.path.dirname(path))
        if not name.startswith(("loop", "ram", "zram")) and os.path.exists(f"/dev/{name}"):
            with open(path, encoding="ascii") as file:
                return f"/dev/{name}", file.read().strip()
    return pytest.skip("no block device here")


def test_block_devices(berth):
    path, number = block_device()
    _, folders = up(berth, blkio_config={
        "weight": 300,
        "device_read_bps": [{"path": path, "rate": "12mb"}],
        "device_write_iops": [{"path": path, "rate": 30}]})
    v2 = value(berth, folders, "io.max")
    if v2 is not None:
        assert v2.startswith(f"{number} ") and "rbps=12582912" in v2 and "wiops=30" in v2
        return
    assert value(berth, folders, "blkio.throttle.read_bps_device") == f"{number} 12582912"
    assert value(berth, folders, "blkio.throttle.write_iops_device") == f"{number} 30"


def test_what_is_no_block_device(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {
        **SLEEP, "blkio_config": {"device_read_bps": [{"path": "/dev/null", "rate": 1}]}}}}})
    up = project.run("up", "-d", check=False)
    assert up.returncode == 1
    assert "blkio_config: /dev/null is not a block device" in up.stderr


def test_device_rules(berth):
    project, folders = up(berth, device_cgroup_rules=["c 10:200 rwm"])
    listed = value(berth, folders, "devices.list")
    assert listed is None or "c 10:200 rwm" in listed
    made = project.run("exec", "-T", "--privileged", "a", "sh", "-c",
                       "mknod /tmp/t c 10 200 && mknod /tmp/m c 1 1", check=False)
    # /dev/mem (1:1) may be made, but not opened; 10:200 is one more that may.
    assert made.returncode == 0
    assert project.exec("a", "sh", "-c", ": < /tmp/m", check=False).returncode != 0


def test_what_berth_itself_may_not_is_said_once(berth):
    """A limit above berth's own, where it may not raise it: the container has as much as can be."""
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "ulimits": {"nofile": {"soft": 1024, "hard": 900000}}}}}})
    up = berth.command(["setpriv", "--bounding-set", "-sys_resource", "sh", "-c",
                        f"ulimit -n 5000; exec {binary()} up -d"], cwd=project.path)
    lacks = "ulimit nofile is 5000, the most that berth itself has"
    assert up.stderr.count(lacks) == 1
    assert f"container {project.name}-a-1: {lacks}" in up.stderr
    limits = project.exec("a", "grep", "open files", "/proc/1/limits").stdout
    assert limits.split()[3:5] == ["1024", "5000"]
    # Nothing is started anew: nothing is said again.
    assert lacks not in project.run("up", "-d").stderr
    logs = glob.glob(f"{project.runtime_dir}/*.log")
    assert any(lacks in open(path).read() for path in logs), logs


def test_a_unit_that_was_forgotten(berth):
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "command": ["sleep", "1000"], "mem_limit": 512}}}})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1
    assert "its memory limit is 512 bytes, and the least is 6 MB" in failed.stderr
    assert failed.stderr.startswith("compose.yaml:") and project.ps() == []
