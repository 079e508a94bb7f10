# SPDX-License-Identifier: GPL-2.0-or-later
"""One name for several platforms: built, pushed, pulled, saved, removed; and provenance."""
import json
import os
import subprocess
import tarfile

import pytest

from tests.support import store
from tests.support.builds import context

HOST = "127.0.0.1:5000"
NAME = f"{HOST}/team/many:1"
OWN, OTHER = (("linux/amd64", "linux/arm64") if os.uname().machine == "x86_64"
              else ("linux/arm64", "linux/amd64"))
DOCKERFILE = """\
FROM scratch
ARG TARGETARCH WHAT=plain
COPY Dockerfile /of-$TARGETARCH
ENV ARCH=$TARGETARCH WHAT=$WHAT
"""


@pytest.fixture
def registry(berth):
    with open(f"{berth.base}/registry.yml", "w", encoding="utf-8") as file:
        json.dump({"version": "0.1", "http": {"addr": HOST},
                   "storage": {"filesystem": {"rootdirectory": f"{berth.base}/registry"}}}, file)
    berth.popen_command(["docker-registry", "serve", f"{berth.base}/registry.yml"], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0, 30)
    return berth


def build(berth, *words, path=None, **options):
    return berth.run("image", "build", "--network", "none", "-q", *words,
                     path or context(berth, DOCKERFILE), **options)


def arch(berth, *words):
    return berth.run("image", "inspect", "-f", "{{.Architecture}}", *words, cwd="/").stdout.strip()


def raw(berth, name):
    return json.loads(berth.command(["skopeo", "inspect", "--raw", "--tls-verify=false",
                                     f"docker://{name}"], cwd="/").stdout)


def fail(berth, *words):
    failed = berth.run(*words, cwd="/", check=False)
    assert failed.returncode == 1
    return failed.stderr


def check_store(berth):
    berth.run("builder", "prune", "-af")
    store.Store(berth.root).check_whole()
    store.Store(berth.root).check_tight()


def test_built_pushed_and_pulled(registry):
    berth = registry
    built = build(berth, "--platform", f"{OWN},{OTHER}", "-t", NAME, "--push").stdout.split()
    assert berth.run("image", "inspect", "-f", "{{.Id}}", NAME).stdout.split() == built[-1:]
    assert arch(berth, NAME) == OWN[6:]
    assert arch(berth, "--platform", OTHER, NAME) == OTHER[6:]
    assert "does not provide the specified platform (linux/s390x)" in fail(
        berth, "image", "inspect", "--platform", "linux/s390x", NAME)
    assert OTHER[6:] in berth.run("image", "history", "--platform", OTHER, "--no-trunc", NAME).stdout
    index = raw(berth, NAME)
    assert [f"{row['platform']['os']}/{row['platform']['architecture']}"
            for row in index["manifests"]] == [OWN, OTHER]
    for platform in (OWN, OTHER):
        image = json.loads(berth.command(
            ["skopeo", f"--override-arch={platform[6:]}", "inspect", "--config",
             "--tls-verify=false", f"docker://{NAME}"], cwd="/").stdout)
        assert f"ARCH={platform[6:]}" in image["config"]["Env"]
    # Dangling ones of each platform there are none.
    assert berth.run("image", "ls", "-q", "--filter", "dangling=true").stdout == ""
    check_store(berth)

    berth.run("image", "rm", NAME)
    check_store(berth)
    berth.run("image", "pull", "-q", "--platform", OTHER, NAME, cwd="/")
    assert arch(berth, NAME) == OTHER[6:] and OWN[6:] in fail(
        berth, "image", "inspect", "--platform", OWN, NAME)
    berth.run("image", "pull", "-q", "--platform", OWN, NAME, cwd="/")
    assert arch(berth, NAME) == OWN[6:] and arch(berth, "--platform", OTHER, NAME) == OTHER[6:]
    assert berth.run("image", "ls", "-q", "--filter", "dangling=true").stdout == ""
    check_store(berth)
    # One platform goes; the other stays, and is the last.
    assert "Deleted: sha256:" in berth.run("image", "rm", "--platform", OWN, NAME).stdout
    assert arch(berth, NAME) == OTHER[6:]
    assert "is all that there is of it" in fail(berth, "image", "rm", "--platform", OTHER, NAME)
    check_store(berth)


def test_one_platform_of_several(registry):
    berth = registry
    build(berth, "--platform", OWN, "--platform", OTHER, "-t", NAME)
    whole, part = f"{berth.home}/whole.tar", f"{berth.home}/part.tar"
    berth.run("image", "save", "-o", whole, NAME)
    berth.run("image", "save", "--platform", OTHER, "-o", part, NAME)
    assert "specified platform" in fail(berth, "image", "save", "--platform", "linux/s390x", "-o",
                                        f"{berth.home}/no.tar", NAME)
    assert not os.path.exists(f"{berth.home}/no.tar")
    pushed = berth.run("image", "push", "--platform", OTHER, NAME, cwd="/").stdout
    assert "manifests" not in raw(berth, NAME) and "digest: sha256:" in pushed
    berth.run("image", "rm", NAME)
    berth.run("image", "load", "-q", "-i", part)
    assert arch(berth, NAME) == OTHER[6:]
    berth.run("image", "load", "-q", "-i", whole)
    assert arch(berth, NAME) == OWN[6:]
    berth.run("image", "load", "-q", "--platform", OTHER, "-i", whole)
    assert arch(berth, NAME) == OTHER[6:]
    assert "it has no image for linux/s390x" in fail(
        berth, "image", "load", "--platform", "linux/s390x", "-i", whole)
    assert "does not provide the specified platform" in fail(
        berth, "image", "load", "--platform", OWN, "-i", part)
    berth.run("image", "prune", "-f")
    check_store(berth)


def provenance(berth, name):
    index = raw(berth, name)
    image, about = index["manifests"]
    assert about["platform"] == {"architecture": "unknown", "os": "unknown"}
    assert about["annotations"] == {"vnd.docker.reference.type": "attestation-manifest",
                                    "vnd.docker.reference.digest": image["digest"]}
    repository = name.rpartition(":")[0]
    layer, = raw(berth, f"{repository}@{about['digest']}")["layers"]
    assert layer["mediaType"] == "application/vnd.in-toto+json"
    text = berth.get(f"http://{HOST}/v2/{repository.partition('/')[2]}/blobs/{layer['digest']}")
    statement = json.loads(text.stdout)
    assert statement["_type"] == "https://in-toto.io/Statement/v0.1"
    assert statement["predicateType"] == layer["annotations"]["in-toto.io/predicate-type"]
    subject, = statement["subject"]
    assert subject["name"].startswith(f"pkg:docker/{repository}@1?platform=linux%2F")
    assert subject["digest"]["sha256"] == image["digest"][7:]
    return statement["predicate"]


def test_provenance(registry):
    berth = registry
    path = context(berth, "FROM busybox\nARG WHAT\nLABEL what=$WHAT\n")

    def made(*words):
        berth.run("image", "build", "--network", "none", "-q", "-t", NAME, "--build-arg",
                  "WHAT=secret-word", "--push", *words, path)
        return provenance(berth, NAME)

    least = made("--provenance", "true")
    base, = least["materials"]
    assert base["uri"].startswith("pkg:docker/busybox@latest?platform=linux%2F")
    assert len(base["digest"]["sha256"]) == 64
    assert least["invocation"]["configSource"]["entryPoint"] == "Dockerfile"
    assert least["invocation"]["environment"]["platform"] == OWN
    assert least["metadata"]["buildStartedOn"] <= least["metadata"]["buildFinishedOn"]
    assert "secret-word" not in json.dumps(least)
    most = made("--attest", "type=provenance,mode=max,builder-id=https://ci.example/7")
    assert most["invocation"]["parameters"]["args"]["build-arg:WHAT"] == "secret-word"
    assert most["builder"]["id"] == "https://ci.example/7"
    check_store(berth)
    for none in ("false", "mode=max,disabled=true"):
        berth.run("image", "build", "--network", "none", "-q", "-t", NAME, "--push",
                  "--provenance", none, "--label", "x=y", path)
        assert "manifests" not in raw(berth, NAME)
    wrong = berth.run("image", "build", "--provenance", "mode=most", path, check=False)
    assert wrong.returncode == 1 and "mode=min|max" in wrong.stderr
    told = berth.run("image", "build", "-q", "--network", "none", "--sbom", "true", path).stderr
    assert "SBOM" in told and "scanner" in told


def test_of_compose(registry):
    berth = registry
    project = berth.project({"Dockerfile": DOCKERFILE, "compose.yaml": {"services": {
        "a": {"image": NAME, "build": {"context": ".", "platforms": [OTHER, OWN],
                                       "provenance": "mode=min"}},
        "b": {"image": f"{HOST}/team/b:1", "build": "."}}}})
    project.run("build", "--push")
    rows = raw(berth, NAME)["manifests"]
    assert [row["platform"]["architecture"] for row in rows] == [OWN[6:], OTHER[6:], "unknown",
                                                                 "unknown"]
    assert "manifests" not in raw(berth, f"{HOST}/team/b:1")
    assert arch(berth, NAME) == OWN[6:]
    project.run("build", "--push", "--provenance", "true", "b")
    assert provenance(berth, f"{HOST}/team/b:1")["materials"] == []
    check_store(berth)


def parts():
    return [platform.replace("/", "_") for platform in (OWN, OTHER)]


def test_files_of_several(berth):
    """A folder for each platform, in a folder and in an archive; the archive keeps owners."""
    path = context(berth, {"Dockerfile": DOCKERFILE + "COPY --chown=7:8 data /data/\n",
                           "data/zeros": b"\0" * 4096, "data/one": "1"})
    os.link(f"{path}/data/one", f"{path}/data/same")
    before = berth.run("image", "ls", "-aq").stdout
    out = f"{berth.home}/out"
    both = ("--platform", f"{OWN},{OTHER}")
    build(berth, *both, "-o", out, path=path)
    assert sorted(os.listdir(out)) == sorted(parts())
    for platform in (OWN, OTHER):
        folder = f"{out}/{platform.replace('/', '_')}"
        assert sorted(os.listdir(folder)) == ["data", f"of-{platform[6:]}"]
        assert os.path.getsize(f"{folder}/data/zeros") == 4096
    build(berth, *both, "-o", f"type=tar,dest={out}.tar", path=path)
    piped = build(berth, *both, "-o", "-", path=path, text=False).stdout
    with open(f"{out}.tar", "rb") as file:
        assert file.read() == piped
    with tarfile.open(f"{out}.tar") as tar:
        for platform, part in zip((OWN, OTHER), parts()):
            assert f"{part}/of-{platform[6:]}" in tar.getnames()
            zeros, one, same = (tar.getmember(f"{part}/data/{name}")
                                for name in ("zeros", "one", "same"))
            assert (zeros.uid, zeros.gid, zeros.size) == (7, 8, 4096)
            assert one.isreg() and tar.extractfile(same).read() == b"1"
        assert tar.getnames()[0] == parts()[0] and parts()[1] in tar.getnames()
    unpacked = f"{berth.home}/unpacked"
    os.mkdir(unpacked)
    subprocess.run(["tar", "-C", unpacked, "-xf", f"{out}.tar"], check=True)
    assert sorted(os.listdir(unpacked)) == sorted(parts())
    # One is as it ever was, unless it is asked for.
    build(berth, "--platform", OTHER, "-o", f"{out}-one", path=path)
    assert sorted(os.listdir(f"{out}-one")) == ["data", f"of-{OTHER[6:]}"]
    build(berth, "--platform", OTHER, "-o", f"type=local,dest={out}-split,platform-split=true",
          path=path)
    assert os.listdir(f"{out}-split") == parts()[1:]
    assert berth.run("image", "ls", "-aq").stdout == before


def test_archive_of_several(berth):
    """type=oci: an index of all, which skopeo reads."""
    archive = f"{berth.home}/many.tar"
    build(berth, "--platform", f"{OWN},{OTHER}", "-t", "many:1", "-o", f"type=oci,dest={archive}")
    for platform in (OWN, OTHER):
        image = json.loads(subprocess.run(
            ["skopeo", f"--override-arch={platform[6:]}", "inspect", "--config",
             f"oci-archive:{archive}"], check=True, capture_output=True).stdout)
        assert f"ARCH={platform[6:]}" in image["config"]["Env"]
    berth.run("image", "rm", "many:1")
    berth.run("image", "load", "-i", archive)
    assert arch(berth, "many:1") == OWN[6:]


def test_what_is_not_possible(berth):
    path = context(berth, "FROM busybox\nRUN true\n")
    both = ("image", "build", "--platform", f"{OWN},{OTHER}")
    refused = fail(berth, *both, "-o", f"type=docker,dest={berth.home}/x.tar", path)
    assert "holds one platform; type=oci holds several" in refused
    assert not os.path.exists(f"{berth.home}/x.tar")
    assert "standard input" in fail(berth, *both, "-")
    assert "is there twice" in fail(berth, "image", "build", "--platform",
                                    "linux/arm64,linux/arm64/v8", "-o", f"{berth.home}/out", path)
    # There is none of the base image for it, and nowhere to get one.
    failed = fail(berth, "image", "build", "--network", "none", "--platform", OTHER, path)
    assert f"busybox is here for {OWN}, not for {OTHER}" in failed
    assert not [name for name in os.listdir(f"{berth.root}/layers") if name.startswith(".new-")]
