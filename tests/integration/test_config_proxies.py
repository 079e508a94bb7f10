# SPDX-License-Identifier: GPL-2.0-or-later
"""`proxies` of docker's config.json: for containers and builds, in no image."""
import json
import os

import pytest

from tests.support import builds

PROXIES = {"httpProxy": "http://me:secret-word@proxy.test:3128", "httpsProxy": "http://p.test:1",
           "noProxy": "*.test,127.0.0.0/8", "ftpProxy": "", "allProxy": "socks5://p.test:2"}
NAMES = {"HTTP_PROXY": "httpProxy", "HTTPS_PROXY": "httpsProxy", "NO_PROXY": "noProxy",
         "ALL_PROXY": "allProxy"}
WANTED = {name: PROXIES[key] for upper, key in NAMES.items() for name in (upper, upper.lower())}


@pytest.fixture
def configured(berth):
    """Gives a function that writes the file, and what it needs to be found."""
    folder = f"{berth.base}/docker"
    os.makedirs(folder)

    def write(proxies):
        with open(f"{folder}/config.json", "w", encoding="utf-8") as file:
            file.write(proxies if isinstance(proxies, str) else json.dumps({"proxies": proxies}))
        return {"DOCKER_CONFIG": folder}

    yield write
    names = berth.run("container", "ls", "-aq").stdout.split()
    if names:
        berth.run("container", "rm", "-fv", *names)


def proxies_of(text):
    rows = dict(row.partition("=")[::2] for row in text.splitlines())
    return {key: value for key, value in rows.items() if key.lower().endswith("_proxy")}


def test_of_containers(berth, configured):
    env = configured({"default": PROXIES, "tcp://far:1": {"httpProxy": "http://far"}})
    model = {"services": {"a": {"image": "busybox", "network_mode": "none",
                                "command": ["sleep", "1000"]},
                          "b": {"image": "busybox", "network_mode": "none",
                                "environment": {"HTTP_PROXY": "own", "no_proxy": ""},
                                "command": ["sleep", "1000"]}}}
    project = berth.project({"compose.yaml": model})
    project.run("up", "-d", env=env)
    assert proxies_of(project.exec("a", "env").stdout) == WANTED
    assert proxies_of(project.exec("b", "env").stdout) == {**WANTED, "HTTP_PROXY": "own",
                                                           "no_proxy": ""}
    ident = project.container("a")["ID"]
    shown = json.loads(berth.run("container", "inspect", ident, cwd="/").stdout)[0]
    assert proxies_of("\n".join(shown["Config"]["Env"])) == WANTED
    # It is no part of the file: nothing is made anew, and what was made keeps it.
    assert "PROXY" not in project.run("config", env=env).stdout.replace("HTTP_PROXY: own", "")
    project.run("up", "-d")
    assert project.container("a")["ID"] == ident
    project.run("restart", "-t", "0", "a")
    assert proxies_of(project.exec("a", "env").stdout) == WANTED
    ran = project.run("run", "--rm", "-T", "a", "env", env=env)
    assert proxies_of(ran.stdout) == WANTED
    far = project.run("run", "--rm", "-T", "a", "env", env={**env, "DOCKER_HOST": "tcp://far:1"})
    assert proxies_of(far.stdout) == {"HTTP_PROXY": "http://far", "http_proxy": "http://far"}
    project.run("down", "-t", "0")


def test_of_docker_words(berth, configured):
    env = configured({"default": PROXIES})
    words = ["run", "--network", "none", "--name"]
    ran = berth.run(*words, "one", "busybox", "env", cwd="/", env=env)
    assert proxies_of(ran.stdout) == WANTED
    ran = berth.run(*words, "two", "-e", "https_proxy=", "busybox", "env", cwd="/", env=env)
    assert proxies_of(ran.stdout) == {**WANTED, "https_proxy": ""}
    # Damaged, it is told, and stands in no way.
    ran = berth.run(*words, "three", "busybox", "env", cwd="/", env=configured("{"))
    assert proxies_of(ran.stdout) == {} and "config.json" in ran.stderr


def test_of_builds(berth, configured):
    env = configured({"default": PROXIES})
    path = builds.context(berth, "FROM busybox\nRUN env > /env\n")
    builds.build(berth, path, env=env)
    tree, config = builds.describe(builds.saved(berth))
    assert proxies_of(tree["env"].data.decode()) == WANTED
    assert "proxy" not in json.dumps(config).lower(), config
    # Where the proxy stands changes nothing that was built.
    again = builds.build(berth, path, "--progress", "plain")
    assert "CACHED" in again.stderr
    builds.build(berth, path, "--no-cache", "--build-arg", "HTTP_PROXY=given", env=env)
    assert proxies_of(builds.image(berth)[0]["env"].data.decode()) == {**WANTED,
                                                                       "HTTP_PROXY": "given"}
    # Asked for by ARG it is an argument as others are.
    builds.build(berth, builds.context(berth, "FROM busybox\nARG HTTP_PROXY\nRUN true\n"), env=env)
    assert "secret-word" in json.dumps(builds.describe(builds.saved(berth))[1]["history"])
    project = berth.project({"Dockerfile": "FROM busybox\nRUN env > /env\n", "compose.yaml": {
        "services": {"a": {"image": "x", "build": {"context": ".", "network": "none",
                                                   "args": {"NO_PROXY": "mine"}}}}}})
    project.run("build", "--no-cache", env=env)
    assert proxies_of(builds.image(berth)[0]["env"].data.decode()) == {**WANTED,
                                                                       "NO_PROXY": "mine"}
