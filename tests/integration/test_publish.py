# SPDX-License-Identifier: GPL-2.0-or-later
"""berth publish: a project's files as an OCI artifact, in docker compose's form."""
import hashlib
import json
import os

import pytest

from tests.support import registries

HOST = registries.HOST
FILE = "application/vnd.docker.compose.file+yaml"
ENV = "application/vnd.docker.compose.envfile"

FILES = {
    "compose.yaml": """\
name: shop
services:
  # stays where it is
  web:
    extends: {file: 'base/common.yaml', service: base}   # as written
    image: ${HOST}/mine/web:1
    env_file: [web.env, {path: "more.env"}, {path: gone.env, required: false}]
  db: {image: busybox, profiles: [extra]}
""",
    "compose.prod.yaml": "services: {web: {restart: always}}\n",
    "base/common.yaml": "services:\n  base:\n    image: x\n    env_file: own.env\n",
    "base/own.env": "B=1\n", "web.env": "A=1\n", "more.env": "M=1\n",
    ".env": f"HOST={HOST}\n",
}


@pytest.fixture
def registry(berth):
    return registries.serve(berth)


def fetch(berth, path, *headers):
    words = [word for header in headers for word in ("-H", header)]
    return berth.netns(["curl", "-sf", *words, f"http://{HOST}/v2/{path}"]).stdout


def manifest(berth, name, tag):
    media = "application/vnd.oci.image.manifest.v1+json"
    return json.loads(fetch(berth, f"{name}/manifests/{tag}", f"Accept: {media}"))


def digest_name(path, end):
    return hashlib.sha256(path.encode()).hexdigest() + end


def test_what_is_published(berth, registry):
    project = berth.project(FILES)
    refused = project.run("publish", f"{HOST}/team/shop:1", check=False)
    assert refused.returncode == 1 and "--with-env" in refused.stderr
    assert 'service "web" has env_file declared' in refused.stderr
    done = project.run("-f", "compose.yaml", "-f", "compose.prod.yaml", "publish", "--with-env", "-y",
                       f"{HOST}/team/shop:1")
    assert f"{HOST}/team/shop:1 published" in done.stderr
    told = manifest(berth, "team/shop", "1")
    assert told["artifactType"] == "application/vnd.docker.compose.project"
    assert told["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert fetch(berth, f"team/shop/blobs/{told['config']['digest']}") == "{}"
    texts = {}
    for layer in told["layers"]:
        notes = layer["annotations"]
        name = notes.get("com.docker.compose.file") or notes["com.docker.compose.envfile"]
        assert layer["mediaType"] == (ENV if name.endswith(".env") else FILE)
        texts[name] = fetch(berth, f"team/shop/blobs/{layer['digest']}")
        assert len(texts[name]) == layer["size"] and notes["com.docker.compose.version"]
    base = digest_name(os.path.join(project.path, "base/common.yaml"), ".yaml")
    own, web, more = (digest_name(os.path.join(project.path, path), ".env")
                      for path in ("base/own.env", "web.env", "more.env"))
    assert [layer["annotations"].get("com.docker.compose.extends") for layer in told["layers"]
            if layer["annotations"].get("com.docker.compose.file") == base] == ["true"]
    expected = FILES["compose.yaml"].replace("'base/common.yaml'", base)
    expected = expected.replace("[web.env", f"[{web}").replace('"more.env"', more)
    assert texts == {"compose.yaml": expected, "compose.prod.yaml": FILES["compose.prod.yaml"],
                     base: FILES["base/common.yaml"].replace("own.env", own),
                     own: "B=1\n", web: "A=1\n", more: "M=1\n"}


def test_forms_and_digests(berth, registry):
    project = berth.project({"compose.yaml": "services: {a: {image: busybox}}\n"})
    project.run("publish", "--oci-version", "1.0", "--resolve-image-digests", f"{HOST}/old:1")
    told = manifest(berth, "old", "1")
    assert "artifactType" not in told
    assert told["config"]["mediaType"] == "application/vnd.docker.compose.config.empty.v1+json"
    last = told["layers"][-1]
    assert last["annotations"]["com.docker.compose.file"] == "image-digests.yaml"
    pinned = fetch(berth, f"old/blobs/{last['digest']}")
    assert "image: docker.io/library/busybox:latest@sha256:" in pinned
    refused = project.run("publish", "--oci-version", "2", f"{HOST}/old:1", check=False)
    assert refused.returncode == 1 and "there are 1.0 and 1.1" in refused.stderr
    nowhere = project.run("publish", "127.0.0.1:1/x:1", check=False, timeout=120,
                          env={"BERTH_REGISTRIES": "/dev/null"})
    assert nowhere.returncode == 1 and "127.0.0.1:1/x:1 publishing" in nowhere.stderr


def test_with_its_images(berth, registry):
    project = berth.project({
        "compose.yaml": f"services: {{a: {{image: '{HOST}/mine/a:1', build: .}}, "
                        "b: {image: busybox}}\n",
        "Dockerfile": "FROM busybox\nLABEL x=1\n"})
    project.run("build")
    shown = project.run("--dry-run", "publish", "--app", f"{HOST}/team/all").stdout
    assert f"push image {HOST}/mine/a:1" in shown and f"compose.yaml of {HOST}/team/all" in shown
    done = project.run("publish", "--app", f"{HOST}/team/all")
    assert f"Image {HOST}/mine/a:1 Pushed" in done.stderr
    root = os.path.join(berth.base, "registry/docker/registry/v2/repositories/team/all")
    found = []
    for name in os.listdir(os.path.join(root, "_manifests/revisions/sha256")):
        found.append(json.loads(fetch(
            berth, f"team/all/manifests/sha256:{name}",
            "Accept: application/vnd.oci.image.index.v1+json, "
            "application/vnd.oci.image.manifest.v1+json, "
            "application/vnd.docker.distribution.manifest.v2+json")))
    index = [row for row in found if "manifests" in row]
    assert len(found) == 4 and len(index) == 1 and len(index[0]["manifests"]) == 2
    tag = berth.netns(["curl", "-sI", "-H", "Accept: application/vnd.oci.image.manifest.v1+json",
                       f"http://{HOST}/v2/team/all/manifests/latest"]).stdout
    assert index[0]["subject"]["digest"] in tag


@pytest.mark.parametrize("text, words", [
    ("services: {a: {build: .}}\n", "it has `build`, but no `image`"),
    ("include: [other.yaml]\nservices: {a: {image: x}}\n", "compose.yaml:1:11: a project that includes"),
    ("services: {a: {image: x, extends: {file: \"o\\x74her.yaml\", service: b}}}\n",
     "compose.yaml:1:42: a file's name that is to be published"),
])
def test_refused(berth, text, words):
    project = berth.project({"compose.yaml": text, "other.yaml": "services: {b: {image: y}}\n"})
    refused = project.run("publish", f"{HOST}/x", check=False)
    assert refused.returncode == 1 and words in refused.stderr


def test_questions(berth, registry):
    token = "ghp_" + "a1B2" * 9
    project = berth.project({
        "compose.yaml": "services: {a: {image: x, volumes: [./data:/data], environment: {K: v}, "
                        "secrets: [s]}}\n"
                        "secrets: {s: {file: token}}\n", "token": f"{token}\n"})
    command = ["publish", "--with-env", f"{HOST}/asked"]
    no = project.run(*command, input="n\n")
    assert "/data" in no.stdout and "bind mount declarations? [y/N]" in no.stdout
    assert "nothing was published" in no.stderr and "GitHub" not in no.stdout
    partly = project.run(*command, input="y\ny\n")
    assert "GitHub token ghp_a1B2..." in partly.stdout and token not in partly.stdout
    assert "K=v" in partly.stdout and "nothing was published" in partly.stderr
    assert "published" in project.run(*command, input="y\nyes\nY\n").stderr.splitlines()[-1]
    assert len(manifest(berth, "asked", "latest")["layers"]) == 1
