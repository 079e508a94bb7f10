# SPDX-License-Identifier: GPL-2.0-or-later
"""provider, models, use_api_socket: what stands beside containers, and what they learn of it."""

import json

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
PROVIDER = """#!/bin/sh
case "$*" in *" metadata") exit 1;; esac
echo "$@" >> "$(dirname "$0")/said"
case "$*" in
*" up "*)
    echo '{"type": "info", "message": "working"}'
    echo '{"type": "setenv", "message": "URL=https://cloud/x=1"}'
    echo '{"type": "rawsetenv", "message": "PLAIN=yes"}'
    ;;
esac
case "$*" in *fail*) echo '{"type": "error", "message": "no quota"}'; exit 1;; esac
"""


def programs(berth, project, name="cloud"):
    project.write({f"bin/{name}": PROVIDER})
    berth.command(["chmod", "+x", f"{project.path}/bin/{name}"])
    return {"PATH": f"{project.path}/bin:{berth.env['PATH']}"}


def test_provider(berth):
    project = berth.project({"compose.yaml": {"services": {
        "my-db": {"provider": {"type": "cloud", "options": {"size": 3, "tag": ["a", "b"]}}},
        "app": {**SLEEP, "depends_on": ["my-db"]}, "other": SLEEP}}})
    env = programs(berth, project)
    up = project.run("up", "-d", env=env)
    assert "working" in up.stderr
    shown = project.exec("app", "env").stdout.splitlines()
    assert "MY_DB_URL=https://cloud/x=1" in shown and "PLAIN=yes" in shown
    assert "MY_DB_URL" not in project.exec("other", "env").stdout
    assert {row["Service"] for row in project.ps()} == {"app", "other"}
    project.run("up", "-d", env=env)
    project.run("down", "-t", "0", env=env)
    with open(f"{project.path}/bin/said", encoding="utf-8") as file:
        said = file.read().splitlines()
    head = f"compose --project-name {project.name}"
    assert said == [f"{head} up --size=3 --tag=a --tag=b my-db"] * 2 + [
        f"{head} down --size=3 --tag=a --tag=b my-db"]


def test_provider_that_fails(berth):
    project = berth.project({"compose.yaml": {"services": {
        "db": {"provider": {"type": "cloud", "options": {"fail": True}}},
        "app": {**SLEEP, "depends_on": ["db"]}}}})
    up = project.run("up", "-d", env=programs(berth, project), check=False)
    assert up.returncode == 1
    assert "service db: provider cloud: no quota" in up.stderr
    assert project.ps() == []
    missing = project.run("up", "-d", check=False)
    assert "there is no provider cloud" in missing.stderr


KNOWING = """#!/bin/sh
case "$*" in
"compose metadata")
    cat <<END
{"description": "x", "up": {"parameters": [{"name": "size", "required": true}, {"name": "tag"}]},
 "down": {"parameters": [{"name": "tag"}]}, "stop": {"parameters": [{"name": "tag"}]}}
END
    exit;;
esac
echo "$@" "$OWN" >> "$(dirname "$0")/said"
case "$*" in
*" up "*)
    echo '{"type": "get-service-config"}'
    read -r answer
    echo "$answer" > "$(dirname "$0")/config"
    echo '{"type": "rawsetenv", "message": "PLAIN=yes"}'
    ;;
*" stop "*) echo '{"type": "setenv", "message": "A=b"}';;
esac
"""


def test_provider_that_says_what_it_takes(berth):
    """metadata: only options that a command takes; stop; the service as it asked for it."""
    project = berth.project({"compose.yaml": {"services": {
        "a-db": {"provider": {"type": "cloud", "options": {"size": 3, "tag": "t", "more": "x"}},
                 "environment": {"OWN": "own"}, "depends_on": ["z-net"]},
        "z-net": {"provider": {"type": "cloud", "options": {"size": 1}}},
        "app": {**SLEEP, "depends_on": ["a-db"], "environment": {"PLAIN": "no"}}}}})
    env = programs(berth, project)
    project.write({"bin/cloud": KNOWING})
    up = project.run("up", "-d", env=env)
    assert "sets PLAIN, which has another value" in up.stderr
    stop = project.run("stop", "-t", "0", env=env)
    assert "Service a-db Stopped" in stop.stderr
    project.run("down", env=env)
    with open(f"{project.path}/bin/said", encoding="utf-8") as file:
        said = [line.rstrip() for line in file]
    head = f"compose --project-name {project.name}"
    assert said == [f"{head} up --size=1 z-net", f"{head} up --size=3 --tag=t a-db own",
                    f"{head} stop --tag=t a-db own", f"{head} stop z-net",
                    f"{head} down --tag=t a-db own", f"{head} down z-net"]
    with open(f"{project.path}/bin/config", encoding="utf-8") as file:
        config = json.loads(file.read())
    assert config["environment"] == {"OWN": "own", "PLAIN": "yes"}
    assert config["provider"]["type"] == "cloud"
    project.write({"compose.yaml": {"services": {"db": {"provider": {"type": "cloud"}}}}})
    lacks = project.run("up", "-d", env=env, check=False)
    assert lacks.returncode == 1
    assert 'required parameter "size" is missing from provider "cloud" definition' in lacks.stderr


def test_models(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "models": ["big-llm"]},
                     "b": {**SLEEP, "models": {"big-llm": {"endpoint_var": "AI",
                                                           "model_var": "NAME"}}}},
        "models": {"big-llm": {"model": "ai/smol"}}}})
    refused = project.run("up", "-d", check=False)
    assert refused.returncode == 1
    assert "models.big-llm: there is no model runner" in refused.stderr
    project.run("up", "-d", env={"BERTH_MODEL_RUNNER": "http://runner/v1/"})
    shown = project.exec("a", "env").stdout.splitlines()
    assert "BIG_LLM_URL=http://runner/v1/" in shown and "BIG_LLM_MODEL=ai/smol" in shown
    shown = project.exec("b", "env").stdout.splitlines()
    assert "AI=http://runner/v1/" in shown and "NAME=ai/smol" in shown


def test_api_socket(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "use_api_socket": True}}}, "config/config.json": '{"auths": {}}'})
    refused = project.run("up", "-d", check=False)
    assert "services.a.use_api_socket: there is no engine's socket at" in refused.stderr
    listener = berth.popen_command(
        ["socat", f"UNIX-LISTEN:{project.path}/engine.sock,fork", "EXEC:echo engine"])
    berth.wait_until(lambda: berth.command(
        ["test", "-S", f"{project.path}/engine.sock"], check=False).returncode == 0, 30)
    project.run("up", "-d", env={"DOCKER_HOST": f"unix://{project.path}/engine.sock",
                                 "DOCKER_CONFIG": f"{project.path}/config"})
    assert project.exec("a", "test", "-S", "/var/run/docker.sock").returncode == 0
    shown = project.exec("a", "sh", "-c", "cat $DOCKER_CONFIG/config.json").stdout
    assert shown == '{"auths": {}}'
    project.run("down", "-t", "0")
    listener.kill()


def test_a_bind_of_an_engine_s_socket_that_is_not_there(berth):
    """It would be made as a directory, in the way of an engine that is installed later."""
    project = berth.project({"compose.yaml": {"services": {"a": {
        **SLEEP, "volumes": ["/var/run/docker.sock:/var/run/docker.sock:ro", "./x:/x"]}}}})
    up = project.run("up", "-d")
    assert "service a: /var/run/docker.sock is left out: there is no engine's socket" in up.stderr
    assert berth.command(["test", "-e", "/var/run/docker.sock"], check=False).returncode == 1
    assert project.exec("a", "test", "-e", "/var/run/docker.sock", check=False).returncode == 1
    assert project.exec("a", "test", "-d", "/x").returncode == 0
    assert project.run("plan", check=False).returncode == 0
    assert "/var/run/docker.sock" in project.run("config").stdout
