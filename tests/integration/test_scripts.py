# SPDX-License-Identifier: GPL-2.0-or-later
"""Scripts as people have them in CI, with `docker` and `docker-compose` being links to berth."""
import os

import pytest

from tests.support import sandbox as sandboxes

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}
WEB = {**SLEEP, "command": ["sh", "-c", "echo web is up; mkdir -p /www; echo hello > /www/index.html; "
                            "exec httpd -f -p 80 -h /www"],
       "ports": ["18380:80"], "healthcheck": {"test": "wget -qO- localhost", "interval": "1s"}}


@pytest.fixture
def project(berth):
    folder = os.path.join(berth.base, "bin")
    os.mkdir(folder)
    for name in ("docker", "docker-compose"):
        os.symlink(sandboxes.binary(), os.path.join(folder, name))
    berth.env["PATH"] = f"{folder}:{berth.env['PATH']}"
    return berth.project({
        "compose.yaml": {"services": {
            "web": {**WEB, "depends_on": {"db": {"condition": "service_healthy"}}},
            "db": {**SLEEP, "healthcheck": {"test": "true", "interval": "1s"}, "volumes": ["data:/data"],
                   "environment": {"PGUSER": "${DB_USER:-postgres}"}},
            "app": {"image": "built-app", "build": ".", "profiles": ["tools"]}},
            "volumes": {"data": {}}},
        "Dockerfile": "FROM busybox\nCMD [\"echo\", \"made\"]\n"})


def script(project, text, code=0, **options):
    """What it says on stdout; a line that fails ends it."""
    done = project.sandbox.command(["bash", "-euo", "pipefail", "-c", text], cwd=project.path, check=False,
                                   **options)
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def test_a_workflow(project):
    """Up, wait, look, test, take down; as steps of a CI job have it."""
    name = project.name
    done = script(project, """
        docker --version | grep -E '^Docker version [0-9]+\\.' >/dev/null
        docker compose version --short | grep -E '^[0-9]+\\.'  >/dev/null
        docker version --format '{{.Server.Version}}' | grep -E '^2[0-9]' >/dev/null
        docker info >/dev/null 2>&1 || { echo "no docker" >&2; exit 1; }
        docker compose config --quiet
        docker compose --progress plain --ansi never up -d --wait || (docker compose logs; exit 1)
        docker compose ps -q web | xargs docker inspect -f '{{.State.Health.Status}}'
        docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' $(docker compose ps -q db) |
            grep -E '^[0-9.]+$' >/dev/null
        curl -fsS http://$(docker compose port web 80)
        docker compose exec -T db sh -c 'echo dump of $PGUSER' > dump.sql && cat dump.sql
        docker compose exec -T db sh -c 'cat > /data/restored' < dump.sql
        docker run --rm -v "$(docker volume ls -q --filter name=data)":/v busybox cat /v/restored
        docker compose cp db:/data/restored ./copied && cmp copied dump.sql
        docker compose top web | grep -c httpd  # and its init
        docker compose logs --no-color --no-log-prefix web | tail -1
        docker ps --filter label=com.docker.compose.project=$(docker compose config --format json |
            sed -n 's/^  "name": "\\(.*\\)",$/\\1/p') --format '{{.Names}}' | sort
        docker compose down -v --rmi local --remove-orphans --timeout 0
        test -z "$(docker ps -aq)"
        test -z "$(docker volume ls -q)"
        """)
    assert done.stdout.splitlines() == [
        "healthy", "hello", "dump of postgres", "dump of postgres", "2", "web is up", f"{name}-db-1",
        f"{name}-web-1"]


def test_a_failure_shows_logs(project):
    project.write({"compose.yaml": {"services": {"bad": {
        "image": "busybox", "command": ["sh", "-c", "echo cannot connect; exit 3"]}}}})
    done = script(project, "trap 'docker compose down -t 0 2>/dev/null' EXIT; "
                           "docker compose up -d --wait || { docker compose logs; exit 1; }", 1)
    assert "cannot connect" in done.stdout and project.ps() == []
    done = script(project, "docker compose up --exit-code-from bad; echo not here", 3)
    assert "cannot connect" in done.stdout
    project.run("down")


def test_one_offs(project):
    """`run` with its streams in pipes, in loops, with its exit code."""
    done = script(project, """
        printf 'b\\na\\n' > in
        docker compose run --rm -T --no-deps db sort < in > out; cat out
        docker compose run --rm --build app 2>/dev/null
        docker compose run --rm -T --entrypoint sh app -c 'exit 7' 2>/dev/null || echo "failed with $?"
        for i in 1 2 3; do docker compose run --rm -T --no-deps -e I=$i db sh -c 'echo $I' 2>/dev/null; done
        printf 'x\\ny\\n' | while read -r line; do
            docker compose run --rm -T --no-deps db echo "$line" </dev/null 2>/dev/null; done
        test -z "$(docker compose ps -aq)"
        docker compose --profile '*' down -v --rmi all 2>/dev/null
        docker image inspect built-app >/dev/null 2>&1 || echo no image
        """)
    assert done.stdout.split("\n") == ["a", "b", "made", "failed with 7", "1", "2", "3", "x", "y", "no image", ""]


def test_what_config_lists(project):
    done = script(project, """
        docker compose config --services | sort
        docker compose --profile tools config --services | sort | tr '\\n' ' '; echo
        COMPOSE_PROFILES=tools docker-compose config --images | sort -u
        docker compose config --volumes
        docker compose config --hash db | awk '{print $1, length($2)}'
        echo DB_USER=one > a.env; echo DB_USER=two > b.env
        docker compose --env-file a.env --env-file b.env config | grep PGUSER
        echo 'services: {db: {environment: {MORE: "1"}}}' > more.yaml
        COMPOSE_FILE=compose.yaml:more.yaml docker compose config | grep MORE
        COMPOSE_PATH_SEPARATOR=, COMPOSE_FILE=compose.yaml,more.yaml docker compose config | grep MORE
        COMPOSE_PROJECT_NAME=other docker compose config | grep ^name
        docker compose -p third config | grep ^name
        mkdir -p sub && cd sub && docker compose ls -q && docker compose config --services | sed -n 1p
        cd / && docker compose --project-directory "$OLDPWD/.." config --services | wc -l
        """)
    assert [line.strip() for line in done.stdout.splitlines()] == [
        "db", "web", "app db web", "built-app", "busybox", "data", "db 64", "PGUSER: two", 'MORE: "1"',
        'MORE: "1"', "name: other", "name: third", "db", "2"]


def test_waiting_in_loops(project):
    """A Makefile's, before --wait was there; and one that hears of events."""
    project.write({"Makefile": """
up:
	docker-compose up -d
	@until [ "$$(docker inspect -f '{{.State.Health.Status}}' $$(docker-compose ps -q web))" = healthy ]; \\
		do sleep 0.1; done; echo it is healthy
ps:
	@docker compose ps --format json | sed -n 's/.*"Service":"\\([^"]*\\)".*/\\1/p' | sort
	@docker compose ps --status running --services | wc -l
clean:
	-docker rm -f nobody
	-docker network rm nothing
	docker compose down -v -t 0
"""})
    done = script(project, """
        docker compose events --json > events & trap "kill $!" EXIT
        make up ps
        until grep -q '"action":"health_status: healthy"' events; do sleep 0.1; done
        docker stop $(docker ps -q) | wc -l
        docker ps -a --format '{{.Names}} {{.Status}}' --filter status=exited | grep -c Exited
        docker start $(docker ps -aq) >/dev/null
        docker compose restart -t 0 web 2>/dev/null
        docker wait $(docker run -d busybox sh -c 'exit 4')
        docker rm $(docker ps -aq --filter status=exited) | wc -l
        make clean
        """)
    assert [line for line in done.stdout.splitlines() if not line.startswith("docker")] == [
        "it is healthy", "db", "web", "2", "2", "2", "4", "1"]


def test_build_and_run(project):
    done = script(project, """
        docker build -t tool:1 --build-arg X=1 . >/dev/null 2>&1
        docker buildx build --load -q -t tool:2 . | grep -c ^sha256:
        docker images --format '{{.Repository}}:{{.Tag}}' --filter reference='tool' | sort
        docker image inspect -f '{{json .Config.Cmd}}' tool:1
        id=$(docker run -d --name srv -p 127.0.0.1:18381:80 -v "$PWD":/www:ro --restart unless-stopped busybox \\
            httpd -f -p 80 -h /www)
        until curl -fsS http://127.0.0.1:18381/Dockerfile 2>/dev/null | sed -n 1p; do sleep 0.1; done
        test "${id:0:12}" = "$(docker ps -q --filter name=srv)"
        docker exec -i srv cat < Dockerfile | wc -l
        docker port srv 80
        docker logs srv
        docker container inspect --format '{{ .HostConfig.RestartPolicy.Name }}' srv
        docker stop -t 0 srv && docker rm srv
        docker save tool:1 tool:2 | docker load | wc -l
        docker rmi tool:1 tool:2 >/dev/null
        docker system prune -af --volumes >/dev/null
        """)
    assert done.stdout.splitlines() == [
        "1", "tool:1", "tool:2", '["echo","made"]', "FROM busybox", "2", "127.0.0.1:18381", "unless-stopped",
        "srv", "srv", "2"]


def test_words_of_docker(project):
    """Each means docker's own, although there is a project; elsewhere is not here."""
    name = f"{project.name}-db-1"
    done = script(project, f"""
        docker compose up -d db 2>/dev/null
        docker ps --format '{{{{.Names}}}}'
        docker top {name} >/dev/null; docker stats --no-stream {name} | wc -l
        docker help run | sed -n 1p; docker --help | grep -cE '^  (compose|run|events|volume) '
        docker pause {name}; docker unpause {name}
        """)
    assert done.stdout.splitlines() == [name, "2", "Usage:  docker run [OPTIONS] IMAGE [COMMAND] [ARG...]",
                                        "4", name, name]
    for words, text in (("docker nosuch", "unknown command: docker nosuch"),
                        ("docker -H tcp://10.0.0.1:2375 ps", "this machine only"),
                        ("docker --context far ps", "this machine only"),
                        ("DOCKER_HOST=ssh://far docker compose down", "this machine only"),
                        ("docker compose nosuch", 'unknown command "nosuch"')):
        refused = script(project, words, 1)
        assert text in refused.stderr and refused.stdout == "", words
    script(project, "docker -H unix:///var/run/docker.sock -l debug -D ps >/dev/null")
    script(project, "berth() { docker-compose \"$@\"; }; berth compose ps -q | grep . >/dev/null")


def test_usage_as_typed(project):
    """Who called it docker reads docker's words, which are those to type."""
    for words, typed in (("docker run", "docker run"), ("docker image rm", "docker image rm"),
                         ("docker buildx build", "docker buildx build"),
                         ("docker compose exec", "docker compose exec"), ("docker-compose exec", "docker-compose exec"),
                         ("docker-compose up --nosuch", "docker-compose up"), ("docker rmi", "docker rmi")):
        refused = script(project, words, 1).stderr
        assert f"\nUsage:  {typed} [OPTIONS] " in refused, refused
        assert f"Run '{typed} --help' for more information" in refused and "berth" not in refused
    for words, first in (("docker compose --help", "Usage:  docker compose [OPTIONS] COMMAND"),
                         ("docker help ps", "Usage:  docker ps [OPTIONS]"),
                         ("docker-compose help exec", "Usage:  docker-compose exec [OPTIONS] SERVICE COMMAND [ARGS...]")):
        assert script(project, words).stdout.splitlines()[0] == first


def test_events_of_a_project_that_comes_again(project):
    """Its supervisor and keeper may be killed, or gone with all of it: whoever listens hears of what is next."""
    path = f"{project.path}/events"
    with open(path, "w", encoding="utf-8") as file:
        listening = project.popen("events", "--json", stdout=file)

    def told(value, key="action"):
        with open(path, encoding="utf-8") as lines:
            return sum(f'"{key}":"{value}"' in line for line in lines)

    def wait_for(value, times, key="action"):
        project.sandbox.wait_until(lambda: told(value, key) >= times, 10, f"{value} for the {times}. time")

    for times in range(1, 8):
        project.run("up", "-d", "db")
        wait_for("start", times)
        if times == 3:
            project.run("kill", "-s", "HUP", "db")
            wait_for("1", 1, "signal")
        for pid in project.keeper_pids() + project.supervisor_pids():
            project.sandbox.kill(pid)
        project.run("down", "-t", "0")
        assert listening.poll() is None
    wait_for("destroy", 7)
    assert told("start") == 7 and told("1", "signal") == 1
    listening.send_signal(2)
    assert listening.wait(10) == 130
