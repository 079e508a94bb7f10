# SPDX-License-Identifier: GPL-2.0-or-later
"""What a container's process gets: Docker's defaults, and what the file changes of them."""
import pytest

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
DOCKER_CAPABILITIES = "00000000a80425fb"


def up(berth, check=True, **service):
    project = berth.project({"compose.yaml": {"services": {"a": {**SLEEP, **service}}}})
    project.result = project.run("up", "-d", check=check)
    return project


def status(project, field):
    lines = project.exec("a", "cat", "/proc/1/status").stdout.splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith(field + ":"))


def test_defaults(berth):
    project = up(berth)
    assert status(project, "CapEff") == status(project, "CapBnd") == DOCKER_CAPABILITIES
    assert status(project, "CapInh") == status(project, "CapAmb") == "0000000000000000"
    assert status(project, "Seccomp") == "2"
    assert status(project, "NoNewPrivs") == "0"
    mounts = project.exec("a", "cat", "/proc/mounts").stdout
    for line in ("proc /proc proc rw,nosuid,nodev,noexec", "sysfs /sys sysfs ro",
                 "mqueue /dev/mqueue mqueue", "devpts /dev/pts devpts", "/dev/shm tmpfs"):
        assert line in mounts, line
    assert "size=65536k" in [line for line in mounts.splitlines() if "/dev/shm" in line][0]
    assert project.exec("a", "ls", "/sys/firmware").stdout == ""
    assert project.exec("a", "sh", "-c", "cat /proc/kcore | wc -c").stdout == "0\n"
    assert "Read-only" in project.exec(
        "a", "sh", "-c", "echo 1 > /proc/sys/kernel/panic", check=False).stderr
    devices = project.exec("a", "ls", "/dev").stdout.split()
    assert set(devices) == {"core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm",
                            "stderr", "stdin", "stdout", "tty", "urandom", "zero"} \
        or "console" in devices
    assert project.exec("a", "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start").stdout == "0\n"
    assert project.exec("a", "hostname").stdout.strip() == project.container("a")["ID"][:12]
    assert project.exec("a", "ps").stdout.count("\n") < 6  # its own processes only


def test_environment(berth):
    project = up(berth, environment={"A": "1", "PATH_LIKE": "x:y"})
    lines = project.exec("a", "env").stdout.splitlines()
    assert "A=1" in lines and "HOME=/root" in lines
    assert any(line.startswith("HOSTNAME=") for line in lines)
    assert any(line.startswith("PATH=/usr/local/sbin:") for line in lines)


@pytest.mark.parametrize("user,expected", [
    ("1000", "uid=1000(app) gid=1000(app)"), ("1000:1001", "uid=1000(app) gid=1001(extra)"),
    ("4321", "uid=4321 gid=0(root)"), ("app:extra", "uid=1000(app) gid=1001(extra)"),
    ("root", "uid=0(root) gid=0(root)")])
def test_user(berth, user, expected):
    project = up(berth, user=user)
    assert project.exec("a", "id").stdout.startswith(expected)
    if user.startswith("1000"):
        assert status(project, "CapEff") == "0000000000000000"
        assert status(project, "CapBnd") == DOCKER_CAPABILITIES


def test_group_add_and_working_dir(berth):
    project = up(berth, group_add=["1234"], working_dir="/made/here", user="1000")
    assert "1234" in status(project, "Groups").split()
    assert project.exec("a", "pwd").stdout == "/made/here\n"


def test_capabilities(berth):
    project = up(berth, cap_drop=["ALL"], cap_add=["NET_ADMIN", "CAP_SYS_TIME"])
    assert int(status(project, "CapEff"), 16) == 1 << 12 | 1 << 25


def test_privileged(berth):
    project = up(berth, privileged=True)
    assert status(project, "Seccomp") == "0"
    with open("/proc/self/status", encoding="utf-8") as file:
        ours = next(line.split()[1] for line in file if line.startswith("CapBnd"))
    assert int(status(project, "CapEff"), 16) == int(ours, 16)
    assert "sysfs /sys sysfs rw" in project.exec("a", "cat", "/proc/mounts").stdout


@pytest.mark.parametrize("command", (
    ["unshare", "-U", "true"], ["mount", "-t", "tmpfs", "x", "/mnt"], ["chroot", "/", "unshare", "-m", "true"]))
def test_seccomp_and_capabilities_refuse(berth, command):
    """To what the service starts and to an exec alike."""
    project = up(berth, command=["sh", "-c", f"{' '.join(command)}; echo $$?; exec sleep 1000"])
    berth.wait_until(lambda: project.run("logs", "--no-log-prefix", "a").stdout in ("1\n", "255\n"))
    refused = project.exec("a", *command, check=False)
    assert refused.returncode in (1, 255)
    assert "not permitted" in refused.stderr or "permission denied" in refused.stderr


def test_security_options(berth):
    project = up(berth, security_opt=["no-new-privileges:true", "seccomp:unconfined"])
    assert status(project, "NoNewPrivs") == "1"
    assert status(project, "Seccomp") == "0"


def test_sysctls_ulimits_shm(berth):
    project = up(berth, sysctls={"net.ipv4.ip_forward": "1", "net.core.somaxconn": "99"},
                 ulimits={"nofile": {"soft": 512, "hard": 1024}, "nproc": 777}, shm_size="8m")
    assert project.exec("a", "cat", "/proc/sys/net/core/somaxconn").stdout == "99\n"
    limits = project.exec("a", "cat", "/proc/1/limits").stdout
    assert any(line.split()[3:5] == ["512", "1024"] for line in limits.splitlines()
               if line.startswith("Max open files"))
    assert any(line.split()[2:4] == ["777", "777"] for line in limits.splitlines()
               if line.startswith("Max processes"))
    inside = project.exec("a", "cat", "/proc/self/limits").stdout
    assert inside == limits  # an exec has those of its container
    assert project.exec("a", "cat", "/proc/sys/net/ipv4/ip_forward").stdout == "1\n"
    mounts = project.exec("a", "cat", "/proc/mounts").stdout
    assert "size=8192k" in [line for line in mounts.splitlines() if "/dev/shm" in line][0]


def test_sysctls_of_the_host_are_refused(berth):
    """As runc does: what a container has not for itself is not its to set."""
    project = berth.project({"compose.yaml": {"services": {"a": {
        **SLEEP, "sysctls": {"vm.max_map_count": "262144"}}}}})
    refused = project.run("up", "-d", check=False)
    assert refused.returncode == 1
    assert "vm.max_map_count is not in a separate kernel namespace" in refused.stderr
    shared = berth.run("container", "run", "--rm", "--network", "host", "--sysctl",
                       "net.ipv4.ip_forward=1", "busybox", "true", cwd="/", check=False)
    assert shared.returncode != 0
    assert "net.ipv4.ip_forward is the host's" in shared.stderr
    berth.wait_until(lambda: not berth.run("supervisor", "ls", "-q", cwd="/").stdout, 30,
                     "nobody looks after what is gone")


def test_mac_address_is_for_the_first_network(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "mac_address": "02:42:00:00:00:77",
                           "networks": {"x": {}, "y": {"priority": 10}}},
                     "b": {**SLEEP, "network_mode": "bridge",
                           "mac_address": "02:42:00:00:00:78"}},
        "networks": {"x": {}, "y": {}}}})
    project.run("up", "-d")
    shown = project.exec("a", "cat", "/sys/class/net/eth0/address", "/sys/class/net/eth1/address")
    assert shown.stdout.split().count("02:42:00:00:00:77") == 1
    assert shown.stdout.splitlines()[0] == "02:42:00:00:00:77"
    assert project.exec("b", "cat", "/sys/class/net/eth0/address").stdout.strip().endswith(":78")


def test_devices(berth):
    project = up(berth, devices=["/dev/zero:/dev/nought:r"])
    assert project.exec("a", "head", "-c", "1", "/dev/nought").stdout == "\0"


def test_namespaces_shared(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": SLEEP, "b": {**SLEEP, "pid": "service:a", "ipc": "shareable"},
        "c": {**SLEEP, "ipc": "service:b", "pid": "host", "uts": "host"}}}})
    project.run("up", "-d")
    assert project.exec("b", "ps").stdout.count("sleep 1000") >= 2
    project.exec("b", "sh", "-c", "echo x > /dev/shm/file")
    assert project.exec("c", "cat", "/dev/shm/file").stdout == "x\n"
    assert project.exec("c", "hostname").stdout == berth.command(["hostname"]).stdout


def test_control_groups_of_its_own(berth):
    """It sees itself at the root of them, unless it is to see the host's."""
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP, "b": {**SLEEP, "cgroup": "host"}}}})
    project.run("up", "-d")
    own, host = (project.exec(service, "cat", "/proc/self/cgroup").stdout.split() for service in "ab")
    assert all(line.endswith(":/") for line in own), own
    assert not all(line.endswith(":/") for line in host), host


def test_init_reaps(berth):
    project = up(berth, command=["sh", "-c", "while :; do sh -c 'sleep 0.05 & '; sleep 0.05; done"])
    assert "Z" not in project.exec("a", "sh", "-c", "sleep 0.5; ps -o stat").stdout


def test_entrypoint_and_command(berth):
    berth.command(["true"])
    project = berth.project({"compose.yaml": {"services": {
        "words": {"image": "busybox", "entrypoint": "echo one 'two three'", "command": "four"},
        "cleared": {"image": "busybox", "entrypoint": ["echo"], "command": []}}}})
    project.run("up", "-d")
    project.wait_state("words", "exited")
    project.wait_state("cleared", "exited")
    assert project.run("logs", "--no-log-prefix", "words").stdout == "one two three four\n"
    assert project.run("logs", "--no-log-prefix", "cleared").stdout == "\n"


@pytest.mark.parametrize("command,code,text", [
    (["no-such-program"], 127, "executable file not found in $PATH"),
    (["/etc/passwd"], 126, "permission denied"),
    (["/etc"], 126, "is a directory")])
def test_what_cannot_be_executed(berth, command, code, text):
    project = up(berth, check=False, command=command, init=False)
    assert project.result.returncode == 1
    assert text in project.result.stderr.lower() or text in project.result.stderr
    assert project.container("a")["ExitCode"] == code


def test_unknown_user(berth):
    project = up(berth, check=False, user="nobody-here")
    assert project.result.returncode == 1
    assert "nobody-here" in project.result.stderr


def test_the_berth_binary_is_not_seen(berth):
    project = up(berth)
    for pid in ("1", "self"):
        exe = project.exec("a", "readlink", f"/proc/{pid}/exe", check=False).stdout
        assert "berth" not in exe
    seen = project.exec("a", "sh", "-c", "cat /proc/1/maps; ls -l /proc/1/fd").stdout
    assert "/berth" not in seen


def test_limits_are_set(berth):
    project = up(berth, mem_limit="64m", cpus=0.5, pids_limit=99)
    row = project.container("a")
    groups = berth.command(["sh", "-c", f"find /sys/fs/cgroup -type d -path '*{row['ID']}*' 2>/dev/null; true"]).stdout
    found = {}
    for group in groups.split():
        for name in ("memory.limit_in_bytes", "memory.max", "pids.max", "cpu.max",
                     "cpu.cfs_quota_us"):
            try:
                with open(f"{group}/{name}", encoding="utf-8") as file:
                    found[name] = file.read().split()[0]
            except OSError:
                pass
    assert str(64 << 20) in (found.get("memory.max"), found.get("memory.limit_in_bytes"))
    assert found["pids.max"] == "99"
    assert "50000" in (found.get("cpu.max"), found.get("cpu.cfs_quota_us"))
