# SPDX-License-Identifier: GPL-2.0-or-later
"""Pulling from a registry that misbehaves: errors that say why, and a store that keeps nothing."""

import base64
import json
import os
import signal

import pytest

from tests.support.registries import HOST, BadRegistry

@pytest.fixture
def registry(berth):
    return BadRegistry(berth)


# Repository: what the user must read.
REFUSED = {
    "flip": "what registry 127.0.0.1:5000 sends is another one",
    "garbage": "what registry 127.0.0.1:5000 sends is another one",
    "long": "where the manifest says",
    "stream": "sends more than the",
    "short": "where the manifest says",
    "loop": "more than 10 redirects",
    "file": "is not a valid address",
    "lying": "asked for bytes from 600000 on",
    "down": "status 503",
    "later": "too many requests; wait 86400 seconds",
    "denied": "denies access to denied",
    "m-nothing": "manifest: ",
    "m-no-json": "manifest: ",
    "m-deep": "manifest: ",
    "m-huge": "larger than",
    "m-list": "manifest: it is not an object",
    "m-types": "manifest: its config",
    "m-layer-types": "manifest: layer 1: '' is not a sha256 digest",
    "m-size": "has no valid size",
    "m-digest": "is not a sha256 digest",
    "m-many": "no list of at most 256 layers",
    "m-count": "the manifest names 2 layers, the config 1",
    "m-artifact": "an artifact of type 'application/vnd.cncf.helm.config.v1+json'",
    "m-schema1": "schema 1",
    "m-empty-index": "there is none for linux/",
    "m-other-platform": "there are linux/s390x",
}


def test_what_is_wrong_is_refused_and_leaves_nothing(berth, registry):
    before = registry.new_files()
    project = registry.arguments(*REFUSED)
    # All at once, and each by what is its own.
    result = project.run("--progress", "json", "pull", check=False, timeout=120,
                         env={"BERTH_REGISTRIES": registry.settings})
    assert result.returncode == 1, result.stderr
    told = {}
    for line in result.stderr.splitlines():
        row = json.loads(line)
        if row.get("status") == "Error":
            told[row.get("id", "").split("/")[-1].removesuffix(":1")] = row["details"]
    for name, words in REFUSED.items():
        assert words in told.get(name, ""), f"{name}: {told.get(name)}"
    assert "\x1b" not in told["denied"]
    assert registry.new_files() == before
    assert not registry.here()


TOKENS = {
    "t-loop": "denies access to t-loop",
    "t-down": "its token server http://127.0.0.1:9/bad-token/t-down: Connection refused",
    "t-file": "is not a valid address",
    "t-error": "500",
    "t-forbidden": "denies access",
    "t-loop-away": "answers with status 307",
    "t-huge": "larger than",
    "t-html": "token",
    "t-empty": "token",
    "t-types": "token",
    "t-header": "token",
    "basic-loop": "denies access to basic-loop",
    "unknown-scheme": "Negotiate",
    "no-scheme": "no WWW-Authenticate header",
}


def test_those_who_give_no_token(berth, registry):
    """Whatever the token's server does it ends, and soon, and says which server it was."""
    before = registry.new_files()
    project = registry.arguments(*TOKENS)
    result = project.run("--progress", "json", "pull", check=False, timeout=120,
                         env={"BERTH_REGISTRIES": registry.settings})
    assert result.returncode == 1, result.stderr
    told = {}
    for line in result.stderr.splitlines():
        row = json.loads(line)
        if row.get("status") == "Error":
            told[row.get("id", "").split("/")[-1].removesuffix(":1")] = row["details"]
    wrong = {name: told.get(name) for name, words in TOKENS.items()
             if words not in told.get(name, "") or "\x1b" in told.get(name, "")}
    assert not wrong, json.dumps(wrong, indent=1)
    for name in TOKENS:
        assert len(registry.requests(f"{name}/manifests")) <= 6, name
    assert registry.new_files() == before
    assert not registry.here()


def test_what_breaks_is_tried_again(berth, registry):
    """Cut connections go on where they broke; 429 and 503 are waited out."""
    names = ("cut", "flaky", "patience", "whole")
    settings = {"max-download-attempts": 5}
    with open(registry.settings, "w") as file:
        json.dump(settings, file)
    result = registry.pull(*names, timeout=120)
    assert result.returncode == 0, result.stderr
    assert registry.here() == set(names)
    ranges = [row["range"] for row in registry.requests("cut/blobs") if row["range"]]
    assert "bytes=600000-" in ranges


def test_a_layer_that_one_has_broken_comes_from_the_other(berth, registry):
    result = registry.pull("shared-bad", "shared-good")
    assert result.returncode == 0, result.stderr
    assert registry.here() == {"shared-bad", "shared-good"}


def test_credentials_stay_with_their_host(berth, registry):
    os.makedirs(os.path.join(berth.home, ".docker"))
    with open(os.path.join(berth.home, ".docker/config.json"), "w") as file:
        json.dump({"auths": {HOST: {"auth": base64.b64encode(b"me:secret").decode()}}}, file)
    result = registry.pull("private")
    assert result.returncode == 0, result.stderr
    own = registry.requests("private/manifests")
    assert own[-1]["authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
    away = registry.requests("elsewhere")
    assert away and away[0]["host"] == "127.0.0.2:5000"
    assert away[0]["authorization"] is None


def test_a_token_that_is_too_old_in_the_middle_of_a_pull(berth, registry):
    os.makedirs(os.path.join(berth.home, ".docker"))
    with open(os.path.join(berth.home, ".docker/config.json"), "w") as file:
        json.dump({"auths": {HOST: {"auth": base64.b64encode(b"me:secret").decode()}}}, file)
    result = registry.pull("expiring")
    assert result.returncode == 0, result.stderr
    asked = registry.requests("token")
    assert len(asked) >= 2
    for request in asked:
        assert "service=r" in request["path"]
        assert "scope=repository%3Aexpiring%3Apull" in request["path"]
        assert request["authorization"] == "Basic " + base64.b64encode(b"me:secret").decode()
    blobs = registry.requests("expiring/blobs")
    assert blobs[-1]["authorization"].startswith("Bearer t")
    assert not any("secret" in (row["authorization"] or "") for row in blobs)


def test_a_mirror_is_asked_first(berth, registry):
    """And passed over where it has not got the image."""
    with open(registry.settings, "w") as file:
        json.dump({"registry-mirrors": [f"http://{HOST}"], "max-download-attempts": 1}, file)
    env = {"BERTH_REGISTRIES": registry.settings}
    berth.run("image", "pull", "-q", "good", cwd="/", env=env)
    assert "good" in berth.run("image", "ls", "--format", "{{.Repository}}", cwd="/").stdout
    assert registry.requests("library/good/manifests")
    result = berth.run("image", "pull", "-q", "denied", cwd="/", env=env, check=False)
    assert result.returncode == 1 and "registry docker.io: " in result.stderr


def test_a_pull_that_is_killed_or_interrupted_leaves_nothing(berth, registry):
    before = registry.new_files()
    for number in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        asked = len(registry.requests("slow/blobs"))
        process = registry.arguments("slow").popen("pull")
        berth.wait_until(lambda: len(registry.requests("slow/blobs")) > asked, 30,
                         "the layer is asked for")
        process.send_signal(number)
        process.communicate(timeout=30)
        if number != signal.SIGKILL:
            assert process.returncode == 130
        # What was killed is swept by the next that opens the store.
        berth.run("image", "ls", cwd="/")
        assert registry.new_files() == before
    berth.wait_until(lambda: not berth.pids_of("pull"), 30, "no child is left")


def test_two_pulls_of_the_same_image_at_once(berth, registry):
    processes = [registry.arguments("good").popen("pull") for _ in range(3)]
    for process in processes:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    assert registry.here() == {"good"}
    assert not [name for name in registry.new_files() if name.startswith(".new-")]


def test_search(berth, registry):
    """As the Hub answers."""
    def search(*arguments, **options):
        return berth.run("search", *arguments, f"{HOST}/nginx", cwd="/", **options)

    lines = search().stdout.splitlines()
    assert lines[0].split() == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    assert lines[1].split()[0] == "nginx" and lines[1].split()[-2:] == ["20000", "[OK]"]
    assert "Official build of Nginx. More of it. More of…" in lines[1]
    assert "\x1b" not in lines[2] and "evil" in lines[2]
    assert "More of it." * 2 not in lines[1] and " More of it." * 9 in search("--no-trunc").stdout
    names = ("--format", "{{.Name}} {{.StarCount}}")
    assert search(*names, "--filter", "stars=3").stdout == "nginx 20000\nteam/nginx 3\n"
    assert search(*names, "-f", "is-official=true").stdout == "nginx 20000\n"
    assert search(*names, "-f", "is-automated=1").stdout == "team/nginx 3\n"
    assert search(*names, "--limit", "1").stdout == "nginx 20000\n"
    assert json.loads(search("--format", "json", "--limit", "1").stdout)["IsOfficial"] == "true"
    for wrong in (("--limit", "101"), ("-f", "x=1"), ("-f", "stars=x"), ("-f", "is-official=2")):
        assert search(*wrong, check=False).returncode == 1
    asked = registry.requests("v1/search")[0]["path"]
    assert asked == "/v1/search?q=nginx&n=25"
