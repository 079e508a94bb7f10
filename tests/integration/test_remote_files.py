# SPDX-License-Identifier: GPL-2.0-or-later
"""Compose files of other places: git repositories and OCI artifacts, with -f, include, extends."""

import hashlib
import json
import os
import subprocess

from tests.support.builds import registry


def git(path, *args):
    env = {"PATH": os.environ["PATH"], "HOME": path, "GIT_AUTHOR_NAME": "a",
           "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    return subprocess.run(["git", "-C", path, *args], check=True, env=env, capture_output=True,
                          text=True).stdout.strip()


def write(path, files):
    for name, text in files.items():
        file = os.path.join(path, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as stream:
            stream.write(text)
    return path


def repository(berth):
    """A bare one, and the working copy that pushes to it."""
    work = write(os.path.join(berth.base, "work"), {
        "compose.yaml": """\
include: [sub/compose.yml]
services:
  a: {image: "x:${V:-none}", volumes: ["./d:/d"], extends: {file: base/b.yaml, service: b}}
""",
        "sub/compose.yml": 'services: {s: {image: "s:$V", volumes: ["./x:/x", "../top:/t"]}}\n',
        "sub/.env": "V=3\n",
        "base/b.yaml": "services: {b: {env_file: e.env}}\n",
        "base/e.env": "E=1\n",
    })
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    git(berth.base, "clone", "-q", "--bare", work, "r.git")
    git(work, "remote", "add", "there", f"{berth.base}/r.git")
    return work, f"file://{berth.base}/r.git"


def test_git(berth):
    """Paths are the repository's; the project's name and variables are of where it is used."""
    work, url = repository(berth)
    commit = git(work, "rev-parse", "HEAD")
    project = berth.project({".env": "V=7\n"})

    def config(*args, file=url, **options):
        return project.run("-f", file, "config", "--format", "json", *args, **options)

    model = json.loads(config().stdout)
    assert model["name"] == project.name
    service = model["services"]["a"]
    root = os.path.dirname(service["volumes"][0]["source"])
    assert root.startswith(f"{berth.home}/.cache/berth/git/{commit}-")
    assert service["image"] == "x:7" and service["environment"] == {"E": "1"}
    assert sorted(m["source"] for m in model["services"]["s"]["volumes"]) == [
        f"{root}/sub/x", f"{root}/top"]
    assert model["services"]["s"]["image"] == "s:7"  # the including project's variables win

    # A branch is looked up anew; a commit is what it was, and needs nobody's answer.
    write(work, {"compose.yaml": "services: {n: {image: new}}\n"})
    git(work, "commit", "-qam", "two")
    git(work, "push", "-q", "there", "main")
    assert list(json.loads(config().stdout)["services"]) == ["n"]
    os.rename(f"{berth.base}/r.git", f"{berth.base}/gone.git")
    assert sorted(json.loads(config(file=f"{url}#{commit}").stdout)["services"]) == ["a", "s"]
    failed = config(check=False)
    assert failed.returncode == 1 and f"{url}: git ls-remote failed" in failed.stderr
    os.rename(f"{berth.base}/gone.git", f"{berth.base}/r.git")
    assert sorted(json.loads(config(file=f"{url}#main:sub/compose.yml").stdout)["services"]) == [
        "s"]
    for file, message in ((f"{url}#nope", 'the repository has no "nope"'),
                          (f"{url}#main:nope", "it has no nope"),
                          (f"{url}#main:base", "there is no compose.yaml in base"),
                          ("https://example.com/x.yaml", "it is neither a git repository")):
        failed = config(file=file, check=False)
        assert failed.returncode == 1 and f"{file}: {message}" in failed.stderr
    off = config(check=False, env={"COMPOSE_EXPERIMENTAL_GIT_REMOTE": "false"})
    assert off.returncode == 1 and "git remote resource is disabled" in off.stderr


def test_git_includes(berth):
    """A file that lies here may include and extend what lies there; a mistake has its place."""
    work, url = repository(berth)
    os.symlink("/etc/passwd", f"{work}/link.yaml")
    git(work, "add", ".")
    git(work, "commit", "-qm", "two")
    git(work, "push", "-q", "there", "main")
    project = berth.project({"compose.yaml": f"""\
include: ["{url}#main:sub"]
services:
  mine: {{extends: {{file: "{url}", service: a}}, image: busybox}}
"""})
    model = json.loads(project.run("config", "--format", "json").stdout)
    assert model["services"]["s"]["image"] == "s:3"  # its own .env
    assert model["services"]["mine"]["image"] == "busybox"
    assert model["services"]["mine"]["environment"] == {"E": "1"}
    project.write({"compose.yaml": f'include:\n  - "{url}#main:link.yaml"\n'})
    failed = project.run("config", check=False)
    assert failed.returncode == 1
    assert "compose.yaml:2:5: include: " in failed.stderr
    assert "its file is a link that leads out of it" in failed.stderr


def push(berth, address, files, artifact="application/vnd.docker.compose.project"):
    """As `docker compose publish` does: a layer a file."""
    def upload(data):
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        where = berth.command(["curl", "-sSf", "-X", "POST", "-D", "-", "-o", "/dev/null",
                               f"http://{address}/v2/team/app/blobs/uploads/"]).stdout
        where = next(line.split(": ", 1)[1].strip() for line in where.splitlines()
                     if line.lower().startswith("location:"))
        with open(f"{berth.base}/blob", "wb") as file:
            file.write(data)
        berth.command(["curl", "-sSf", "-X", "PUT", "--data-binary", f"@{berth.base}/blob",
                       "-H", "Content-Type: application/octet-stream",
                       f"{where}&digest={digest}"])
        return {"digest": digest, "size": len(data)}

    layers = [{**upload(text.encode()), "mediaType": kind, "annotations": notes}
              for text, kind, notes in files]
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "artifactType": artifact, "layers": layers,
                "config": {**upload(b"{}"), "mediaType": "application/vnd.oci.empty.v1+json"}}
    with open(f"{berth.base}/blob", "w") as file:
        json.dump(manifest, file)
    berth.command(["curl", "-sSf", "-X", "PUT", "--data-binary", f"@{berth.base}/blob",
                   "-H", f"Content-Type: {manifest['mediaType']}",
                   f"http://{address}/v2/team/app/manifests/1"])


def test_oci(berth):
    """Several files are merged in order; those that are extended, and env files, have names."""
    address = registry(berth)
    yaml, env = ("application/vnd.docker.compose.file+yaml",
                 "application/vnd.docker.compose.envfile")
    key = "com.docker.compose."
    push(berth, address, [
        ("services: {a: {image: one, extends: {file: b.yaml, service: b}}}\n", yaml,
         {f"{key}file": "compose.yaml"}),
        ("services: {a: {image: two, env_file: e.env}}\n", yaml,
         {f"{key}file": "compose.override.yaml"}),
        ("services: {b: {user: '5'}}\n", yaml, {f"{key}file": "b.yaml", f"{key}extends": "true"}),
        ("E=1\n", env, {f"{key}envfile": "e.env"}),
    ])
    project = berth.project({})
    reference = f"oci://{address}/team/app:1"
    model = json.loads(project.run("-f", reference, "config", "--format", "json").stdout)
    assert model["services"]["a"]["image"] == "two"
    assert model["services"]["a"]["user"] == "5"
    assert model["services"]["a"]["environment"] == {"E": "1"}
    missing = project.run("-f", f"oci://{address}/team/app:9", "config", check=False)
    assert missing.returncode == 1 and f"oci://{address}/team/app:9: " in missing.stderr
    push(berth, address, [("a: 1\n", yaml, {})], artifact="application/vnd.other")
    other = project.run("-f", reference, "config", check=False)
    assert "it is no Compose project, but application/vnd.other" in other.stderr
    push(berth, address, [("a: 1\n", yaml, {f"{key}file": "../../x", f"{key}extends": "1"}),
                           ("A=1\n", env, {f"{key}envfile": "/a/b"})])
    hostile = project.run("-f", reference, "config", check=False)
    assert hostile.returncode == 1 and "which is no plain name" in hostile.stderr


def test_remote_stacks_ask_first(berth):
    """What others wrote, with variables of ours in it, runs once somebody has agreed."""
    work = write(os.path.join(berth.base, "work"), {
        "compose.yaml": 'services: {a: {image: "${IMAGE:-busybox}", environment: ["T=${TOKEN}"]}}\n'})
    git(work, "init", "-q", "-b", "main")
    git(work, "add", ".")
    git(work, "commit", "-qm", "one")
    url = f"file://{work}/.git"
    project = berth.project({".env": "TOKEN=secret\n"})

    def create(*args, **options):
        return project.run("-f", url, "create", "--pull", "never", *args, check=False, **options)

    for answer in ("n\n", "", "\n"):
        refused = create(input=answer)
        assert refused.returncode == 1, answer
        assert f'Your compose stack "{url}" is stored in "' in refused.stderr
        assert [line.split() for line in refused.stderr.splitlines()
                if line.startswith(("IMAGE", "TOKEN"))] == [
            ["IMAGE", "busybox", "compose", "file", "no", "busybox"],
            ["TOKEN", "secret", "environment", "no"]]
        assert "operation cancelled by user" in refused.stderr
        assert not refused.stdout
    for agreed in (create("-y"), create(input="y\n")):
        assert agreed.returncode == 0, agreed.stderr
    assert "Do you want" not in create("-y").stderr
    mine = berth.project({"compose.yaml": "services: {a: {image: busybox}}\n"})
    assert "is stored in" not in mine.run("create", "--pull", "never", check=False).stderr
