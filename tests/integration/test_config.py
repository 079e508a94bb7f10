# SPDX-License-Identifier: GPL-2.0-or-later
"""`config` with its flags, and the ways in which files, variables and profiles reach it."""

import json

FILES = {
    "compose.yaml": """\
name: shop
services:
  web:
    image: "nginx:${TAG:-1.25}"
    ports: ["${PORT:?which port}:80"]
    environment: {DB_HOST: db, DBNAME: shop}
    env_file: web.env
    depends_on: [db]
    volumes: ["./html:/html"]
    x-note: {b: 1, a: 2}
  db: {image: postgres, volumes: ["data:/d"], networks: [back]}
  debug: {image: busybox, profiles: [dev, test]}
networks: {back: {}, unused: {}}
volumes: {data: {}}
x-top: 1
""",
    "compose.override.yaml": "services: {web: {labels: [a=b]}}\n",
    ".env": "PORT=8080\nCOMPOSE_PROFILES=\n",
    "web.env": "FROM_FILE='$x'\n",
    "other.env": "PORT=9\nTAG=2\n",
    "later.env": "TAG=3\n",
}


def lines(result):
    return result.stdout.split()


def test_where_the_file_is_found(berth):
    """Beside us or above, by -f, or by COMPOSE_FILE; the folder of the first one counts."""
    project = berth.project({**FILES, "deep/down/x": "", "third.yaml": "services: {third: {image: x}}\n"})
    services = ["config", "--services"]
    for options in ({"cwd": f"{project.path}/deep/down"},
                    {"cwd": "/", "env": {"COMPOSE_FILE": f"{project.path}/compose.yaml"}}):
        assert sorted(lines(berth.run(*services, **options))) == ["db", "web"], options
    assert sorted(lines(berth.run("-f", "../compose.yaml", "-f", "../third.yaml", *services,
                                  cwd=f"{project.path}/deep"))) == ["db", "third", "web"]
    env = {"COMPOSE_FILE": "compose.yaml:third.yaml"}
    assert sorted(lines(project.run(*services, env=env))) == ["db", "third", "web"]
    nowhere = berth.run(*services, cwd="/", check=False)
    assert nowhere.returncode == 1 and "no configuration file provided" in nowhere.stderr


def test_lists(berth):
    project = berth.project(FILES)

    def config(*args, **options):
        return project.run("config", *args, **options)

    assert lines(config("--services")) == ["db", "web"]
    assert lines(config("--services", "db")) == ["db", "web"]
    assert lines(project.run("--profile", "dev", "config", "--services")) == ["db", "debug", "web"]
    assert lines(config("--volumes")) == ["data"]
    assert lines(config("--networks")) == ["back", "default"]
    assert lines(config("--images")) == ["postgres", "nginx:1.25"]
    assert lines(config("--images", "db")) == ["postgres"]
    assert lines(config("--profiles")) == ["dev", "test"]
    assert lines(config("--models")) == []
    hashes = dict(line.split() for line in config("--hash", "*").stdout.splitlines())
    assert sorted(hashes) == ["db", "web"] and all(len(h) == 64 for h in hashes.values())
    assert config("--hash", "db").stdout == f"db {hashes['db']}\n"
    unknown = config("--hash", "nope", check=False)
    assert (unknown.returncode, unknown.stderr) == (1, "no such service: nope\n")
    environment = config("--environment").stdout.splitlines()
    assert "COMPOSE_PROJECT_NAME=shop" in environment and "PORT=8080" in environment
    assert environment == sorted(environment)
    table = config("--variables").stdout.splitlines()
    assert [row.split() for row in table[1:]] == [["PORT", "true"], ["TAG", "false", "1.25"]]
    assert json.loads(config("--variables", "--format", "json").stdout)["TAG"] == {
        "Name": "TAG", "DefaultValue": "1.25", "PresenceValue": "", "Required": False}


def test_forms(berth):
    project = berth.project(FILES)

    def model(*args, before=(), **options):
        return json.loads(project.run(*before, "config", "--format", "json", *args,
                                      **options).stdout)

    whole = model()
    web = whole["services"]["web"]
    assert list(whole) == ["name", "networks", "services", "volumes", "x-top"]
    assert web["ports"] == [{"mode": "ingress", "target": 80, "published": "8080",
                             "protocol": "tcp"}]
    assert web["environment"] == {"DBNAME": "shop", "DB_HOST": "db", "FROM_FILE": "$$x"}
    assert web["labels"] == {"a": "b"} and "x-note" not in web and "env_file" not in web
    assert web["volumes"][0]["source"] == f"{project.path}/html"
    text = project.run("config").stdout
    assert text.index("DB_HOST") < text.index("DBNAME") and "    x-note:\n      a: 2\n" in text
    assert list(model("db")["services"]) == ["db"]
    assert list(model("web")["services"]) == ["db", "web"]
    assert "networks" not in model("--no-normalize")["services"]["web"]
    assert model("--no-path-resolution")["services"]["web"]["volumes"][0]["source"] == "./html"
    assert "env_file" in model("--no-env-resolution")["services"]["web"]
    assert model("--no-interpolate")["services"]["web"]["image"] == "nginx:${TAG:-1.25}"
    images = [("--env-file", "other.env"), ("--env-file", "other.env", "--env-file", "later.env")]
    assert [model(before=flags)["services"]["web"]["image"] for flags in images] == [
        "nginx:2", "nginx:3"]
    assert model(env={"PORT": "1"})["services"]["web"]["ports"][0]["published"] == "1"
    assert list(model(env={"COMPOSE_PROFILES": "x,test"})["services"]) == ["db", "debug", "web"]
    bare = project.run("config", check=False, env={"COMPOSE_DISABLE_ENV_FILE": "1"})
    assert "required variable PORT is missing a value: which port" in bare.stderr
    stdin = project.run("-f", "-", "config", "--images", input="services: {a: {image: piped}}")
    assert stdin.stdout == "piped\n"
    project.run("config", "-o", "out.yaml")
    assert project.run("-f", "out.yaml", "config").stdout == text
    assert project.run("config", "-q").stdout == ""


def test_explain(berth):
    project = berth.project(FILES)
    project.write({"last.yaml": "services: {web: {image: !override \"x:${TAG-9}\"}}\n"})
    said = project.run("-f", "compose.yaml", "-f", "last.yaml", "config", "--explain",
                       "services.web.image").stdout
    assert said == """\
services.web.image = "x:9"
set by last.yaml:1:18 (!override)
      | services: {web: {image: !override "x:${TAG-9}"}}
        ${TAG} is not set, so "9"
overrides compose.yaml:4:5
      |     image: "nginx:${TAG:-1.25}"
        ${TAG} is not set, so "1.25"
"""
    typo = project.run("config", "--explain", "services.web.imge", check=False)
    assert typo.returncode == 1 and "did you mean 'image'?" in typo.stderr


def test_digests(berth):
    project = berth.project({"compose.yaml": "services: {a: {image: busybox, user: nobody}}\n"})
    pinned = project.run("config", "--resolve-image-digests", "--format", "json")
    image = json.loads(pinned.stdout)["services"]["a"]["image"]
    assert image.startswith("docker.io/library/busybox:latest@sha256:") and len(image) == 104
    lock = project.run("config", "--lock-image-digests")
    assert lock.stdout == f"services:\n  a:\n    image: {image}\n"
    draft = project.run("config", "--lock-image-digests", "--no-interpolate")
    assert draft.stdout == f"services:\n  a:\n    image: {image}\n"
    project.write({"compose.yaml": "services: {a: {image: absent}}\n"})
    missing = project.run("config", "--resolve-image-digests", check=False)
    assert missing.returncode == 1 and "service a: image absent" in missing.stderr


def test_a_secret_of_a_variable_that_is_not_set(berth):
    """`config` warns; what would need the secret fails at its place, before anything is made."""
    project = berth.project({"compose.yaml": (
        "services:\n  a:\n    image: busybox\n    secrets: [token]\n"
        "secrets:\n  token:\n    environment: NO_SUCH_VARIABLE\n")})
    says = 'environment variable \\"NO_SUCH_VARIABLE\\" required by secret \\"token\\" is not set'
    assert says in project.run("config").stderr
    for command in (["up", "-d"], ["create"], ["run", "a", "true"]):
        failed = project.run(*command, check=False)
        assert failed.returncode == 1
        assert f"compose.yaml:7:5: {says}".replace("\\", "") in failed.stderr
    assert project.ps() == []
    env = {"NO_SUCH_VARIABLE": "x y"}
    assert project.run("run", "--rm", "a", "cat", "/run/secrets/token", env=env).stdout == "x y"


def test_json_has_the_forms_of_gos_encoder(berth):
    """Where docker compose's JSON differs from its YAML: capitals, zeros of a pair, inner x- keys."""
    project = berth.project({"compose.yaml": """\
services:
  a:
    image: x
    ulimits: {core: 0, nofile: {soft: 0, hard: 5}}
    blkio_config: {weight_device: [{path: /dev/sda, weight: 200}], device_read_bps: [{path: /dev/sda, rate: 1k}]}
    x-note: dropped
x-top: kept
"""})
    model = json.loads(project.run("config", "--format", "json").stdout)
    service = model["services"]["a"]
    assert service["ulimits"] == {"core": {}, "nofile": {"hard": 5}}
    assert service["blkio_config"] == {"weight_device": [{"Path": "/dev/sda", "Weight": 200}],
                                       "device_read_bps": [{"Path": "/dev/sda", "Rate": "1024"}]}
    assert "x-note" not in service and model["x-top"] == "kept"
    text = project.run("config").stdout
    assert "null" not in text.replace("default: null", "") and "ipam" not in text
    assert "core:\n        soft: 0\n        hard: 0\n" in text and "path: /dev/sda" in text


def test_compatibility_leaves_out_what_follows(berth):
    """--compatibility, or its variable: `config` is that of --no-normalize."""
    project = berth.project({"compose.yaml": "services: {a: {image: x}}\n"})
    plain = project.run("config", "--no-normalize").stdout
    assert "networks" not in plain
    assert project.run("--compatibility", "config").stdout == plain
    assert project.run("config", env={"COMPOSE_COMPATIBILITY": "1"}).stdout == plain
