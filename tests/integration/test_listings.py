# SPDX-License-Identifier: GPL-2.0-or-later
"""Filters of the listings, as scripts write them that make what is not there."""
import json
import os

import pytest


def names(berth, *words):
    return berth.run(*words, "--format", "{{.Name}}", cwd="/").stdout.split()


def test_networks(berth):
    for name, flags in (("proxy", ["--label", "a=1", "--label", "b"]), ("proxy-two", []),
                        ("other", ["--label", "a=1"])):
        berth.run("network", "create", *flags, name, cwd="/")
    berth.run("container", "run", "-d", "--init", "--name", "box", "--network", "other", "busybox",
              "sleep", "1000", cwd="/")

    def found(*filters):
        return names(berth, "network", "ls", *[w for f in filters for w in ("--filter", f)])

    assert found("name=proxy") == ["proxy", "proxy-two"]
    assert found("name=^proxy$") == ["proxy"] and found("name=^prox$") == []
    # Any of one key, each key, of labels every one.
    assert found("name=^proxy$", "name=^other$") == ["other", "proxy"]
    assert found("name=proxy", "label=a=1") == ["proxy"] and found("label=a", "label=b") == ["proxy"]
    assert found("dangling=true") == ["proxy", "proxy-two"] and found("dangling=false") == ["other"]
    assert found("driver=bridge", "scope=local", "type=custom") == ["other", "proxy", "proxy-two"]
    assert found("type=builtin") == [] and found("scope=swarm") == []
    bad = berth.run("network", "ls", "--filter", "nosuch=1", cwd="/", check=False)
    assert bad.returncode == 1 and "invalid filter 'nosuch=1'" in bad.stderr
    assert '"Name": "proxy"' in berth.run("network", "inspect", "-v", "proxy", cwd="/").stdout
    for flags, why in ((["--config-only"], "of Swarm"), (["--config-from", "x"], "of Swarm"),
                       (["--ingress"], "of Swarm"), (["--ipam-opt", "a=b"], "no others than"),
                       (["--scope", "swarm"], "no others than")):
        bad = berth.run("network", "create", *flags, "x", cwd="/", check=False)
        assert bad.returncode == 1 and why in bad.stderr, flags
    berth.run("container", "rm", "-f", "box", cwd="/")
    berth.run("network", "rm", "proxy", "proxy-two", "other", cwd="/")


def test_volumes_and_projects(berth):
    for name, flags in (("data", ["--label", "a=1"]), ("data-two", [])):
        berth.run("volume", "create", *flags, name, cwd="/")
    berth.run("container", "create", "--name", "box", "-v", "data:/data", "busybox", cwd="/")

    def found(*filters):
        return names(berth, "volume", "ls", *[w for f in filters for w in ("--filter", f)])

    assert found("name=data") == ["data", "data-two"] and found("name=^data$") == ["data"]
    assert found("name=two$", "name=^data$") == ["data", "data-two"]
    assert found("dangling=true") == ["data-two"] and found("dangling=0") == ["data"]
    assert found("label=a=1", "driver=local") == ["data"] and found("driver=x") == []
    bad = berth.run("volume", "ls", "--filter", "nosuch=1", cwd="/", check=False)
    assert bad.returncode == 1 and "invalid filter 'nosuch=1'" in bad.stderr
    assert berth.run("ps", "-aq", "--filter", "name=^/box$", cwd="/").stdout.strip()
    assert not berth.run("ps", "-aq", "--filter", "name=^/bo$", cwd="/").stdout
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "busybox", "command": ["sleep", "1000"], "init": True}}}})
    project.run("up", "-d")
    assert project.run("ls", "-q", "--filter", f"name=^{project.name}$").stdout
    assert not project.run("ls", "-q", "--filter", f"name=^{project.name[1:]}$").stdout
    berth.run("container", "rm", "box", cwd="/")
    berth.run("volume", "rm", "data", "data-two", cwd="/")


def test_formats_of_the_users_own(berth):
    """psFormat and others of config.json are what --format is where it is not given."""
    folder = f"{berth.home}/settings"
    os.mkdir(folder)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
        json.dump({"psFormat": "{{.Names}}:{{.State}}", "imagesFormat": "table {{.Tag}}\\t{{.Repository}}",
                   "statsFormat": "{{.Name}} uses", "networksFormat": "net {{.Name}}",
                   "volumesFormat": "vol {{.Name}}"}, file)
    env = {"DOCKER_CONFIG": folder}
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "busybox", "command": ["sleep", "1000"], "init": True, "volumes": ["data:/data"]}},
        "volumes": {"data": {}}}})
    project.run("up", "-d")

    def lines(*words, **options):
        return berth.run(*words, cwd="/", env=env, **options).stdout.splitlines()

    name = f"{project.name}-a-1"
    assert lines("container", "ls") == [f"{name}:running"]
    assert lines("container", "ls", "--format", "{{.State}}") == ["running"]
    assert lines("container", "ls", "-q") != [f"{name}:running"]
    assert [line.split() for line in lines("image", "ls")] == [["TAG", "REPOSITORY"], ["latest", "busybox"]]
    assert lines("container", "stats", "--no-stream") == [f"{name} uses"]
    assert lines("network", "ls") == [f"net {project.name}_default"]
    assert lines("volume", "ls") == [f"vol {project.name}_data"]
    # docker compose has a table of its own.
    assert project.run("ps", env=env).stdout.startswith("NAME ")
    assert project.run("images", env=env).stdout.startswith("CONTAINER ")
    project.run("down", "-v", "-t", "0")
