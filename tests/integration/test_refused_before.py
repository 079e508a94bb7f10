# SPDX-License-Identifier: GPL-2.0-or-later
"""What cannot be made is told before what runs makes room for it: with its place in the file, exit
code 1, and nothing touched. And what only looks like it goes on working."""
import json
import os

import pytest

from tests.support.registries import HOST, BadRegistry

A = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
FIRST = {"services": {"a": A}}


def service(**words):
    return {"services": {"a": {**A, **words}}}


def volume(top=None, **row):
    return {**service(volumes=[row]), **(top or {})}


def refused(project, compose, *texts, word=None, command=("up", "-d")):
    """The place is that of @word, which stands once in the file."""
    before = [(row["ID"], row["State"]) for row in project.ps()]
    assert before and before[0][1] == "running"
    project.write({"compose.yaml": compose})
    failed = project.run(*command, check=False)
    assert failed.returncode == 1, (compose, failed.stderr)
    for text in texts:
        assert text.replace("{}", project.path) in failed.stderr, (text, failed.stderr)
    assert len(failed.stderr.splitlines()) == 1, failed.stderr
    if word:
        rows = json.dumps(compose, indent=1).splitlines()
        line, text = next((n, row) for n, row in enumerate(rows, 1) if word in row)
        assert failed.stderr.startswith(f"compose.yaml:{line}:{text.index(text.strip()) + 1}: "), failed.stderr
    project.write({"compose.yaml": FIRST})
    assert [(row["ID"], row["State"]) for row in project.ps()] == before, compose


REFUSED = {
    "user": (service(user="nosuch"), '"user"', "service a: image busybox: unable to find user nosuch: no matching"),
    "group": (service(user="root:nosuch"), '"user"', "unable to find group nosuch"),
    "group-add": (service(group_add=["nosuch"]), '"group_add"', "unable to find additional group nosuch"),
    "large-uid": (service(user="99999999999"), '"user"', "unable to find user 99999999999"),
    "device": (service(devices=["/dev/nosuch"]), '"/dev/nosuch"', "devices: /dev/nosuch: No such file"),
    "no-device": (service(devices=["/etc/passwd"]), '"/etc/passwd"', "devices: /etc/passwd is not a device"),
    "cdi": (service(devices=["vendor.com/class=x"]), '"devices"', "unresolvable CDI device vendor.com/class=x"),
    "gpus": (service(gpus="all"), '"gpus"', "gpus: unresolvable CDI device"),
    "rule": (service(device_cgroup_rules=["c 1:3 mrq"]), '"device_cgroup_rules"', "'c 1:3 mrq' is not like 'c 1:3 mr'"),
    "cpuset": (service(cpuset="0-500"), '"cpuset"', "cpuset: '0-500' asks for", "this machine's cpus are"),
    "cpuset-mems": (service(**{"x-berth": {"cpuset_mems": "77"}}), '"cpuset_mems"', "memory nodes are"),
    "memory": (service(mem_limit="1m"), '"mem_limit"', "the least is 6 MB"),
    "deploy-memory": (service(deploy={"resources": {"limits": {"memory": "1m"}}}), '"memory"', "the least is 6 MB"),
    "reservation": (service(mem_limit="64m", mem_reservation="65m"), '"mem_reservation"', "is more than its memory limit"),
    "swap": (service(mem_limit="64m", memswap_limit="32m"), '"memswap_limit"', "less than its memory limit, 67108864"),
    "cpus": (service(cpus=5000), '"cpus"', "it is to have 5000 cpus, and this machine has"),
    "cpu-period": (service(cpu_period=5), '"cpu_period"', "cpu_period is from 1ms (1000) to 1s"),
    "rates": (service(blkio_config={"device_read_bps": [{"path": "/dev/nosuch", "rate": "1mb"}]}),
              '"device_read_bps"', "blkio_config: /dev/nosuch: No such file"),
    "sysctl": (service(sysctls={"net.ipv4.nosuch": "1"}), '"net.ipv4.nosuch"', "this kernel has no net.ipv4.nosuch"),
    "sysctl-value": (service(sysctls={"net.core.somaxconn": "abc"}), '"net.core.somaxconn"', "is a number, not 'abc'"),
    "seccomp": (service(security_opt=["seccomp=./nope.json"]), '"security_opt"', "nope.json: No such file"),
    "seccomp-text": (service(security_opt=["seccomp:./bad.json"]), '"security_opt"', "seccomp profile: line 1"),
    "privileges": (service(security_opt=["no-new-privileges:maybe"]), '"security_opt"', "true or false, not 'maybe'"),
    "bind": (volume(type="bind", source="./nope", target="/x", bind={"create_host_path": False}),
             None, "bind source path does not exist: {}/nope"),
    "bind-below-file": (service(volumes=["./bad.json/x:/x"]), '"./bad.json/x:/x"', "Not a directory"),
    "subpath": (volume({"volumes": {"data": {}}}, type="volume", source="data", target="/x",
                       volume={"subpath": "nope"}), None, "subpath 'nope': the volume is not there yet"),
    "image-subpath": (volume(type="image", source="busybox", target="/x", image={"subpath": "nope"}), None,
                      "subpath 'nope': there is no such file"),
    "root": (service(volumes=["./:/"]), '"./:/"', "mount target '/': nothing can be mounted over the whole"),
    "tmpfs": (service(tmpfs=["x"]), '"tmpfs"', "mount target 'x' must be an absolute path"),
    "tmpfs-size": (service(tmpfs=["/t:size=1zz"]), '"tmpfs"', "tmpfs option 'size=1zz': not a valid value"),
    "directory-on-file": (service(volumes=["./nope:/etc/passwd"]), '"./nope:/etc/passwd"',
                          "/etc/passwd: {}/nope is a directory that would be made, which cannot be mounted there"),
    "file-on-directory": (service(volumes=["./bad.json:/etc"]), '"./bad.json:/etc"', "is a file, which cannot"),
    "cwd": (service(working_dir="/etc/passwd"), '"working_dir"', "working directory /etc/passwd: image busybox: Not a dir"),
    "program": (service(command=["nosuch"]), '"command"', 'exec: "nosuch": executable file not found in $PATH'),
    "entrypoint": (service(entrypoint=["/nosuch"]), '"entrypoint"', "stat /nosuch: no such file or directory"),
    "hostname": (service(hostname="x" * 65), '"hostname"', "Linux takes 64"),
    "cgroup-parent": (service(cgroup_parent="../x"), '"cgroup_parent"', "control group '../x': not a valid name"),
    "pid": (service(pid="container:nosuch"), '"pid"', "pid: there is no container nosuch"),
    "volumes-from": (service(volumes_from=["container:nosuch"]), '"volumes_from"', "there is no container nosuch"),
    "external-links": (service(external_links=["nosuch:x"]), '"external_links"', "there is no container nosuch"),
    "secret": ({**service(secrets=["key"]), "secrets": {"key": {"file": "./nope.txt"}}}, None, "secret key: '{}/nope.txt'"),
    "external-secret": ({**service(secrets=["key"]), "secrets": {"key": {"external": True}}}, None, "is external, so"),
    "capability": (service(cap_add=["NO_SUCH"]), '"cap_add"', "cap_add: there is no capability 'NO_SUCH'"),
    "logging": (service(logging={"driver": "nosuch"}), '"logging"', "logging driver 'nosuch' is not one"),
}


def test_the_container_that_runs_stays(berth):
    project = berth.project({"compose.yaml": FIRST, "bad.json": "{ nope"})
    project.run("up", "-d")
    for compose, word, *texts in REFUSED.values():
        refused(project, compose, *texts, word=word)
        assert not os.path.exists(f"{project.path}/nope")
    refused(project, service(user="nosuch"), "unable to find user", command=("up", "-d", "--dry-run"))
    refused(project, service(user="nosuch"), "unable to find user", command=("up",))
    project.run("up", "-d")


def test_the_others_are_not_begun(berth):
    project = berth.project({"compose.yaml": FIRST})
    project.run("up", "-d")
    refused(project, {"services": {"a": A, "b": {**A, "depends_on": ["a"]}, "c": {**A, "user": "nosuch"}},
                      "networks": {"default": {"labels": {"x": "y"}}}}, "service c: image busybox: unable")


def test_an_image_that_comes_meanwhile(berth):
    """What it lacks is seen once it is here, and still before what runs is stopped."""
    registry = BadRegistry(berth)
    registry.open("gated")
    project = berth.project({"compose.yaml": FIRST})
    project.run("up", "-d")
    before = project.ps()[0]["ID"]
    project.write({"compose.yaml": service(image=f"{HOST}/gated:1", user="nosuch")})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1 and "unable to find user nosuch" in failed.stderr
    project.write({"compose.yaml": FIRST})
    assert [(row["ID"], row["State"]) for row in project.ps()] == [(before, "running")]


def subnet(text="10.77.1.0/24", **more):
    return {"ipam": {"config": [{"subnet": text, **more}]}}


def on_net(options, networks, **words):
    """A service on network n, with these options there."""
    return {**service(networks={"net": options}, **words), "networks": networks}


def both(**words):
    return {"services": {name: {**A, **words} for name in "ab"}, "networks": {"net": subnet()}}


NETWORKS = {
    "outside": (on_net({"ipv4_address": "10.9.9.9"}, {"net": subnet()}), "service a: network ",
                "address 10.9.9.9 is not in subnet 10.77.1.0/24"),
    "no-subnet": (on_net({"ipv4_address": "10.9.9.9"}, {"net": {}}), "address 10.9.9.9 is not in subnet 172."),
    "gateway": (on_net({"ipv4_address": "10.77.1.1"}, {"net": subnet()}), "address 10.77.1.1 is reserved"),
    "family": (on_net({"ipv6_address": "fd00::5"}, {"net": subnet()}), "has no subnet of that family"),
    "two-services": (both(networks={"net": {"ipv4_address": "10.77.1.9"}}),
                     "10.77.1.9 is already taken by container", "-a-1"),
    "replicas": (on_net({"ipv4_address": "10.77.1.9"}, {"net": subnet()}, scale=2), "is already taken by container"),
    "mac": (service(mac_address="zz:11"), "mac_address 'zz:11' is not one, like"),
    "mac-group": (on_net({"mac_address": "01:00:5e:00:00:01"}, {"net": {}}), "'01:00:5e:00:00:01' is not one"),
    "link-local": (on_net({"link_local_ips": ["10.1.1.1"]}, {"net": {}}), "link_local_ips: '10.1.1.1' is not"),
    "interface": (on_net({"interface_name": "a/b"}, {"net": {}}), "interface_name 'a/b' cannot be"),
    "driver": ({**FIRST, "networks": {"default": {"driver": "nosuch"}}}, "there is no driver 'nosuch'"),
    "parent": ({**FIRST, "networks": {"default": {"driver": "macvlan", "driver_opts": {"parent": "nosuch0"}}}},
               "its parent interface nosuch0 is not there"),
    "option": ({**FIRST, "networks": {"default": {"driver_opts": {"com.docker.network.driver.mtu": "zz"}}}},
               "'zz' is not from 68 to 65535"),
    "range": ({**FIRST, "networks": {"default": subnet(ip_range="10.1.1.0/24")}}, "is not a part of subnet"),
    "others-network": ({**FIRST, "networks": {"default": subnet("10.88.1.0/25")}}, "10.88.1.0/25 overlaps 10.88.1.0/24"),
    "hosts-network": ({**FIRST, "networks": {"default": subnet("10.250.7.0/25")}}, "overlaps 10.250.7.0/24"),
    "own-network": ({**service(networks=["one", "two"]), "networks": {
        "one": subnet(), "two": subnet("10.77.0.0/16")}}, "subnet 10.77.0.0/16 overlaps 10.77.1.0/24"),
}


def test_the_network_that_is_there_stays(berth):
    for line in ("link add br-mine type bridge", "addr add 10.250.7.1/24 dev br-mine", "link set br-mine up"):
        berth.netns(["ip", *line.split()])
    other = berth.project({"compose.yaml": {"services": {"o": A}, "networks": {"default": subnet("10.88.1.0/24")}}})
    other.run("up", "-d")
    project = berth.project({"compose.yaml": FIRST})
    project.run("up", "-d")
    networks = berth.run("network", "ls", "-q", cwd="/").stdout
    for compose, *texts in NETWORKS.values():
        refused(project, compose, "compose.yaml:", *texts)
        assert berth.run("network", "ls", "-q", cwd="/").stdout == networks
    berth.netns(["ip", "link", "delete", "br-mine"])


def test_addresses_of_what_makes_room(berth):
    """A static address passes to the successor, and a subnet to the network that is made anew."""
    compose = on_net({"ipv4_address": "10.77.1.9", "mac_address": "02:42:0a:4d:01:09"}, {"net": subnet()})
    project = berth.project({"compose.yaml": compose})
    project.run("up", "-d")
    for words in ({"labels": {"x": "y"}}, {"user": "nobody"}):
        compose["services"]["a"].update(words)
        project.write({"compose.yaml": compose})
        project.run("up", "-d")
        assert "10.77.1.9/24" in project.exec("a", "ip", "-4", "addr", "show", "eth0").stdout
    for text in ("10.77.1.0/25", "10.77.0.0/16"):
        compose["networks"]["net"] = subnet(text)
        project.write({"compose.yaml": compose})
        project.run("up", "-d")
        assert f"10.77.1.9/{text[-2:]}" in project.exec("a", "ip", "-4", "addr", "show", "eth0").stdout
    taken = {"services": {"b": {**A, "networks": {"net": {"ipv4_address": "10.77.1.9"}}}},
             "networks": {"net": {"external": True, "name": f"{project.name}_net"}}}
    second = berth.project({"compose.yaml": taken})
    failed = second.run("up", "-d", check=False)
    assert failed.returncode == 1 and "10.77.1.9 is already taken by container" in failed.stderr
    assert second.ps() == []


def test_two_with_one_hardware_address_are_told(berth):
    project = berth.project({"compose.yaml": both(mac_address="02:42:0a:4d:01:09", networks={"net": {}})})
    told = project.run("up", "-d").stderr
    assert f"{project.name}-a-1 and {project.name}-b-1 have the same mac_address, 02:42:0a:4d:01:09" in told


def test_what_is_external_and_not_there(berth):
    project = berth.project({"compose.yaml": FIRST})
    project.run("up", "-d")
    refused(project, {**service(volumes=["data:/x"]), "volumes": {"data": {"external": True}}},
            'external volume "data" not found')
    refused(project, {**service(networks=["net"]), "networks": {"net": {"external": True}}},
            "network net declared as external, but could not be found")


def test_a_port_that_is_taken(berth):
    other = berth.project({"compose.yaml": service(ports=["8080:80"])})
    other.run("up", "-d")
    project = berth.project({"compose.yaml": FIRST})
    project.run("up", "-d")
    refused(project, service(ports=["8080:80"]), "service a: port 8080/tcp is already taken", word='"ports"')


ACCEPTED = {
    "numbers": service(user="12345:999", group_add=["77"]),
    "name": service(user="nobody:daemon", group_add=["root"]),
    "passwd-mounted": service(user="mine:ours", volumes=["./passwd:/etc/passwd", "./group:/etc/group"]),
    "swap": service(mem_limit="64m", memswap_limit="-1", mem_reservation="64m"),
    "rule": service(device_cgroup_rules=["a *:* rwm"]),
    "device-folder": service(devices=["/dev/null:/dev/mine:r"]),
    "sysctl": service(sysctls={"net.ipv4.ip_local_port_range": "2000 3000", "kernel.shmmax": "4096",
                               "net.ipv4.tcp_fastopen_key": "abcdef00-12345678-9abcdef0-12345678"}),
    "no-apparmor": service(security_opt=["no-new-privileges", "label:type:x"]),
    "file-below-volume": {**service(volumes=["data:/etc/data", "./bad.json:/etc/data/x"]), "volumes": {"data": {}}},
    "program-mounted": service(command=["/opt/run"], volumes=["./opt:/opt"]),
    "program-on-path": service(command=["run"], volumes=["./opt:/opt"], environment={"PATH": "/opt:/bin"}),
    "directory-made": service(working_dir="/nosuch/yet", volumes=["./made:/made"]),
    "memory-mounts": service(tmpfs=["/x", "/x:size=1m"], command=["sleep", "999"]),
}


def test_what_is_no_mistake(berth):
    project = berth.project({
        "compose.yaml": FIRST, "bad.json": "{ nope", "passwd": "mine:x:5:6::/:/bin/sh\n", "group": "ours:x:7:\n",
        "opt/run": "#!/bin/sh\nexec sleep 1000\n"})
    os.chmod(f"{project.path}/opt/run", 0o755)
    for name, compose in ACCEPTED.items():
        project.write({"compose.yaml": compose})
        project.run("up", "-d")
        assert project.ps()[0]["State"] == "running", name


def test_what_a_dependency_brings(berth):
    """A part of a volume, a file of the host and a directory that another service makes first."""
    maker = {**A, "init": False, "volumes": ["data:/data", "./shared:/shared"],
             "command": ["sh", "-c", "mkdir -p /data/part; echo x > /shared/file"]}
    user = {**A, "depends_on": {"m": {"condition": "service_completed_successfully"}}, "volumes": [
        {"type": "volume", "source": "data", "target": "/part", "volume": {"subpath": "part"}},
        {"type": "bind", "source": "./shared/file", "target": "/etc/hosts.made"}]}
    project = berth.project({"compose.yaml": {"services": {"m": maker, "a": user}, "volumes": {"data": {}}}})
    project.run("up", "-d")
    assert project.exec("a", "cat", "/etc/hosts.made").stdout == "x\n"


def test_without_a_start_only_what_a_creation_needs(berth):
    """As docker create has it: the machine it starts on may be another by then."""
    project = berth.project({"compose.yaml": service(user="nosuch", devices=["/dev/nosuch"])})
    project.run("create")
    assert project.ps()[0]["State"] == "created"
    for words in ({"sysctls": {"net.ipv4.nosuch": "1"}}, {"volumes": ["./:/etc/passwd"]}):
        project.write({"compose.yaml": service(**words)})
        project.run("create")
    project.write({"compose.yaml": service(mem_limit="1m")})
    failed = project.run("create", check=False)
    assert failed.returncode == 1 and "the least is 6 MB" in failed.stderr


def test_a_first_container_fails_at_its_start(berth):
    """With the words and the container that Docker has then."""
    project = berth.project({"compose.yaml": service(command=["nosuch"])})
    failed = project.run("up", "-d", check=False)
    assert failed.returncode == 1 and "executable file not found in $PATH" in failed.stderr
    assert project.ps()[0]["State"] == "created"
    assert project.run("run", "--rm", "a", "nosuch", check=False).returncode == 127


@pytest.mark.parametrize("files", [["compose.yaml", "more.yaml"]])
def test_the_place_is_that_of_the_last_file(berth, files):
    project = berth.project({"compose.yaml": service(user="root"), "more.yaml": {"services": {"a": {
        "user": "nosuch"}}}})
    failed = project.run(*[word for name in files for word in ("-f", name)], "up", "-d", check=False)
    assert failed.stderr.startswith("more.yaml:4:4: service a: image busybox: unable to find user nosuch")
