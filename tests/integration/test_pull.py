# SPDX-License-Identifier: GPL-2.0-or-later
"""Pulling from a real registry (Debian's docker-registry) inside the test's own network."""

import json
import os
import subprocess

import pytest

CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {0}}}}}
http: {{addr: "127.0.0.1:5000"}}
"""


@pytest.fixture
def registry(berth):
    config = os.path.join(berth.base, "registry.yml")
    with open(config, "w") as file:
        file.write(CONFIG.format(os.path.join(berth.base, "registry")))
    berth.popen_command(["docker-registry", "serve", config], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get("http://127.0.0.1:5000/v2/", check=False).returncode == 0,
                     30, "the registry answers")
    tar = os.path.join(berth.base, "image.tar")
    berth.run("image", "save", "-o", tar, "busybox:latest", cwd="/")
    for tag, form in (("1", []), ("zstd", ["--format", "oci", "--dest-compress",
                                           "--dest-compress-format", "zstd"])):
        berth.command(["skopeo", "copy", "--dest-tls-verify=false", *form,
                       f"docker-archive:{tar}:busybox:latest",
                       f"docker://127.0.0.1:5000/team/app:{tag}"], cwd="/")
    berth.run("image", "rm", "busybox:latest", cwd="/")


def test_pull_and_run(berth, registry):
    project = berth.project({"compose.yaml": """
services:
  a: {image: "127.0.0.1:5000/team/app:1", command: top}
  z: {image: "localhost:5000/team/app:zstd", command: top}
"""})
    assert " Pulled" in project.run("pull").stderr
    assert "Already exists" not in project.run("pull").stderr
    skipped = project.run("pull", "--policy", "missing").stderr
    assert skipped.count("Skipped - Image is already present locally") == 2
    project.run("up", "-d")
    for service in ("a", "z"):
        project.wait_state(service, "running", 30)


def test_up_pulls_what_is_mounted(berth, registry):
    berth.project({"compose.yaml": {"services": {"a": {
        "image": "127.0.0.1:5000/team/app:1"}}}}).run("pull")
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": "127.0.0.1:5000/team/app:1", "command": ["ls", "/tree/bin/busybox"],
        "volumes": [{"type": "image", "source": "127.0.0.1:5000/team/app:zstd",
                     "target": "/tree"}]}}}})
    plan = project.run("plan", check=False).stdout
    assert plan.startswith("pull image 127.0.0.1:5000/team/app:zstd (no image yet)\n")
    assert "/tree/bin/busybox" in project.run("up").stdout


def test_config_pins_what_the_registry_has(berth, registry):
    """Without pulling it; init containers as well."""
    name = "127.0.0.1:5000/team/app:1"
    project = berth.project({"compose.yaml": {"services": {"a": {
        "image": name, "pre_start": [{"image": name, "command": ["true"]}]}}}})
    digest = berth.command(["skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}",
                            f"docker://{name}"], cwd="/").stdout.strip()
    pinned = project.run("config", "--resolve-image-digests", "--format", "json").stdout
    service = json.loads(pinned)["services"]["a"]
    assert service["image"] == f"{name}@{digest}"
    assert service["pre_start"][0]["image"] == f"{name}@{digest}"


def test_pull_of_what_is_not_there(berth, registry):
    project = berth.project({"compose.yaml":
                             'services: {a: {image: "127.0.0.1:5000/team/none:1"}}'})
    result = project.run("pull", check=False)
    assert result.returncode == 1
    assert "127.0.0.1:5000 has it not" in result.stderr
    assert not [name for name in os.listdir(os.path.join(berth.root, "layers"))
                if name.startswith(".new-")]


def test_a_build_pulls_what_it_is_built_on(berth, registry):
    project = berth.project({
        "compose.yaml": "services: {a: {build: ., command: top, pull_policy: build}}",
        "Dockerfile": "FROM 127.0.0.1:5000/team/app:1\nRUN echo made > /made\n",
    })
    project.run("up", "-d", timeout=120)
    project.wait_state("a", "running", 30)
    assert project.exec("a", "cat", "/made").stdout == "made\n"
    project.write({"Dockerfile": "FROM 127.0.0.1:5000/team/none:1\n"})
    result = project.run("build", check=False)
    assert result.returncode != 0 and "127.0.0.1:5000 has it not" in result.stderr


def test_push_and_what_others_read_of_it(berth, registry):
    name = "127.0.0.1:5000/team/app:1"
    project = berth.project({
        "compose.yaml": """
services:
  a: {image: "127.0.0.1:5000/mine/app:2", build: {context: ., tags: ["localhost:5000/mine/x"]}}
  b: {image: "127.0.0.1:5000/team/app:1"}
""",
        "Dockerfile": f"FROM {name}\nCOPY big /big\n",
        # More than goes in one piece.
        "big": os.urandom(35 << 20),
    })
    project.run("build", timeout=120)
    result = project.run("push", timeout=120)
    assert "Mounted from another repository" in result.stderr
    assert "Image 127.0.0.1:5000/mine/app:2 Pushed" in result.stderr
    assert " b Skipped" in result.stderr
    again = project.run("push")
    assert again.stderr.count("Layer already exists") >= 2
    copied = berth.run("image", "push", "127.0.0.1:5000/mine/app:2", cwd="/").stdout
    digest = copied.split("digest: ")[1].split()[0]
    inspected = berth.command(["skopeo", "inspect", "--tls-verify=false", "--format",
                               "{{.Digest}}", "docker://127.0.0.1:5000/mine/app:2"], cwd="/")
    assert inspected.stdout.strip() == digest
    berth.run("image", "rm", "127.0.0.1:5000/mine/app:2", "localhost:5000/mine/x", cwd="/")
    berth.run("image", "pull", "127.0.0.1:5000/mine/app:2", cwd="/", timeout=120)
    pulled = berth.run("image", "inspect", "127.0.0.1:5000/mine/app:2", cwd="/")
    assert digest in pulled.stdout
    missing = berth.run("image", "push", "127.0.0.1:5000/no/such:1", cwd="/", check=False)
    assert missing.returncode == 1 and "no such image" in missing.stderr


def test_search_in_the_catalogue(berth, registry):
    berth.run("image", "load", "-i", os.path.join(berth.base, "image.tar"), cwd="/")
    for name in ("team/web", "other"):
        berth.run("image", "tag", "busybox", f"127.0.0.1:5000/{name}:1", cwd="/")
        berth.run("image", "push", "-q", f"127.0.0.1:5000/{name}:1", cwd="/")

    def search(term, *arguments):
        return berth.run("search", "--format", "{{.Name}}", *arguments, f"127.0.0.1:5000/{term}",
                         cwd="/").stdout.split()

    assert search("team/") == ["team/app", "team/web"]
    assert search("e") == ["other", "team/app", "team/web"]
    assert search("e", "--limit", "2") == ["other", "team/app"]
    assert search("none") == []
    failed = berth.run("search", "127.0.0.2:1/x", cwd="/", check=False)
    assert failed.returncode == 1 and "search for '127.0.0.2:1/x': registry" in failed.stderr


def test_a_damaged_blob_is_pulled_again(berth, registry):
    name = "127.0.0.1:5000/team/app:1"
    berth.run("image", "pull", name, cwd="/")
    folder = f"{berth.root}/images/blobs/sha256"
    with open(f"{berth.root}/images/index.json", encoding="utf-8") as file:
        manifest = json.load(file)["manifests"][0]["digest"]
    with open(f"{folder}/{manifest[7:]}", encoding="utf-8") as file:
        config = json.load(file)["config"]["digest"]
    for digest in (manifest, config):
        with open(f"{folder}/{digest[7:]}", "r+b") as file:
            file.truncate(20)
        bad = berth.run("image", "inspect", name, cwd="/", check=False)
        assert bad.returncode == 1
        assert f"{digest[7:]} is damaged: pull or load the image again" in bad.stderr
        os.unlink(f"{folder}/{digest[7:]}")
        bad = berth.run("image", "inspect", name, cwd="/", check=False)
        assert f"{digest[7:]} is missing: pull or load the image again" in bad.stderr
        with open(f"{folder}/{digest[7:]}", "wb") as file:
            file.write(b"{}")
        berth.run("image", "pull", name, cwd="/")
        assert berth.run("image", "inspect", "-f", "{{.Id}}", name, cwd="/").stdout == f"{config}\n"
