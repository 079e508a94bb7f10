# SPDX-License-Identifier: GPL-2.0-or-later
"""Where a build reads from: ignore files, named contexts, Dockerfiles from elsewhere."""
import os
import subprocess

import pytest

from tests.support.builds import build, context, image, saved, write


def listed(berth, name="x"):
    """What a `COPY . /all/` brought."""
    return sorted(path.removeprefix("all/") for path, file in image(berth, name)[0].items()
                  if path.startswith("all/") and file.kind != "folder")


@pytest.mark.parametrize("ignore, expected", [
    ("", "Dockerfile a.log a.txt d/a.log d/deep/b.log d/deep/c.txt d/x.txt e/y"),
    ("*.log\n", "Dockerfile a.txt d/a.log d/deep/b.log d/deep/c.txt d/x.txt e/y"),
    ("**/*.log\n", "Dockerfile a.txt d/deep/c.txt d/x.txt e/y"),
    ("**/*.log\n!d/deep/b.log\n", "Dockerfile a.txt d/deep/b.log d/deep/c.txt d/x.txt e/y"),
    ("*\n!d/deep\n", "d/deep/b.log d/deep/c.txt"),
    ("**\n!*.txt\n", "a.txt"),
    ("d/**/*.txt\n", "Dockerfile a.log a.txt d/a.log d/deep/b.log e/y"),
    ("# a comment\n\n  /d/  \n./e\n", "Dockerfile a.log a.txt"),
    ("d\n!d/x.txt\nd/x*\n", "Dockerfile a.log a.txt e/y"),
    ("[ab].*\nDocker?ile\n", "d/a.log d/deep/b.log d/deep/c.txt d/x.txt e/y"),
    ("d/deep/../x.txt\n", "Dockerfile a.log a.txt d/a.log d/deep/b.log d/deep/c.txt e/y"),
])
def test_dockerignore(berth, ignore, expected):
    path = context(berth, {
        "Dockerfile": "FROM scratch\nCOPY . /all/\n", "a.log": "", "a.txt": "", "d/a.log": "",
        "d/deep/b.log": "", "d/deep/c.txt": "", "d/x.txt": "", "e/y": "",
        ".dockerignore": ignore + "\n.dockerignore\n"})
    build(berth, path)
    assert " ".join(listed(berth)) == expected


def test_ignore_file_of_the_dockerfile(berth):
    path = context(berth, {
        "Dockerfile": "FROM scratch\nCOPY . /all/\n", "other.Dockerfile":
        "FROM scratch\nCOPY . /all/\n", "a": "", "b": "", ".dockerignore": "a\n*ocker*\n",
        "other.Dockerfile.dockerignore": "b\n*ocker*\n"})
    build(berth, path)
    assert listed(berth) == ["b"]
    build(berth, path, "-f", f"{path}/other.Dockerfile")
    assert listed(berth) == ["a"]
    build(berth, path, "-f", "other.Dockerfile", cwd=path)
    assert listed(berth) == ["a"]
    elsewhere = write(os.path.join(berth.base, "elsewhere"), {
        "D": "FROM scratch\nCOPY . /all/\n", "D.dockerignore": "a\nb\n*ocker*\n!b\n"})
    build(berth, path, "-f", f"{elsewhere}/D")
    assert listed(berth) == ["b"]
    write(path, {".dockerignore": "!\n"})
    failed = build(berth, path, check=False)
    assert failed.returncode == 1 and ".dockerignore:1" in failed.stderr


def git(path, *args):
    env = {"PATH": os.environ["PATH"], "HOME": path, "GIT_AUTHOR_NAME": "a",
           "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", path, *args], check=True, env=env, capture_output=True)


def test_named_contexts(berth):
    build(berth, context(berth, "FROM busybox\nRUN echo img > /from-image\n", "i"), name="img")
    folder = write(os.path.join(berth.base, "folder"), {
        "f": "folder", "hidden": "", ".dockerignore": "hidden\n"})
    repository = write(os.path.join(berth.base, "src"), {"g": "git", "sub/s": "sub"})
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "one")
    git(berth.base, "clone", "-q", "--bare", repository, "r.git")
    url = f"file://{berth.base}/r.git"
    layout = os.path.join(berth.base, "layout")
    berth.command(["skopeo", "copy", f"docker-archive:{saved(berth, 'img')}",
                   f"oci:{layout}:tagged"])
    path = context(berth, """\
FROM alias AS one
RUN cat /from-image > /one
FROM laid AS two
RUN cat /from-image > /two
FROM busybox
COPY --from=dir . /dir/
COPY --from=repo . /repo/
COPY --from=part . /part/
COPY --from=alias /from-image /alias
COPY --from=laid /from-image /laid
COPY --from=one /one /one
COPY --from=two /two /two
RUN --mount=from=dir,target=/m cat /m/f > /mounted; ls /m >> /mounted
""")
    contexts = {"alias": "docker-image://img:latest", "laid": f"oci-layout://{layout}",
                "dir": folder, "repo": url, "part": f"{url}#main:sub"}
    build(berth, path, *(f"--build-context={name}={value}" for name, value in contexts.items()))
    files = image(berth)[0]
    assert files["dir/f"].data == b"folder" and "dir/hidden" not in files
    assert files["repo/g"].data == b"git" and files["part/s"].data == b"sub"
    for name in ("alias", "laid", "one", "two"):
        assert files[name].data == b"img\n"
    assert files["mounted"].data == b"folderf\n"
    # A context stands before a stage and before an image of its name.
    write(path, {"Dockerfile": "FROM busybox AS dir\nFROM busybox\nCOPY --from=dir f /f\n"})
    build(berth, path, f"--build-context=dir={folder}")
    assert image(berth)[0]["f"].data == b"folder"
    write(path, {"Dockerfile": "FROM busybox\nRUN test -e /from-image\n"})
    build(berth, path, "--build-context", "busybox=docker-image://img:latest")
    for value, error in (("x=/no/such/folder", "/no/such/folder"), ("x", "must be given as NAME="),
                         ("x=docker-image://no/such", "no/such"),
                         ("x=oci-layout:///no/layout", "/no/layout"), ("x=" + folder, "is a folder")):
        write(path, {"Dockerfile": "FROM x\n"})
        failed = build(berth, path, "--build-context", value, check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr


def test_context_that_is_none(berth):
    failed = build(berth, "/no/such/folder", check=False)
    assert failed.returncode == 1 and "/no/such/folder" in failed.stderr
    path = context(berth, {"a": ""})
    failed = build(berth, path, check=False)
    assert failed.returncode == 1 and f"there is no Dockerfile in {path}" in failed.stderr
    failed = build(berth, f"{path}/a", check=False)
    assert failed.returncode == 1 and "a folder is needed" in failed.stderr


def test_dockerfile_from_stdin(berth):
    path = context(berth, {"a": "A"})
    build(berth, path, "-f", "-", input="FROM busybox\nCOPY a /a\n")
    assert image(berth)[0]["a"].data == b"A"
    build(berth, "-", input="FROM busybox\nRUN echo alone > /alone\n")
    assert image(berth)[0]["alone"].data == b"alone\n"
    failed = build(berth, "-", input="FROM busybox\nCOPY a /a\n", check=False)
    assert failed.returncode == 1 and "there is no build context" in failed.stderr
    for args, text, error in (((), "", "it is empty"), ((), "a\0b", "neither a tar archive nor"),
                              (("-f", "other"), "FROM busybox\n", "nothing that other could be in"),
                              (("-f", "-"), "x", "both build context and dockerfile")):
        failed = build(berth, "-", *args, input=text, check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr


FILES = {"Dockerfile": "FROM busybox\nCOPY . /all/\nCOPY a /top\n", "a": "A", "hidden": "",
         "sub/Other": "FROM busybox\nCOPY a /other\n", ".dockerignore": "hidden\n"}


@pytest.mark.parametrize("flag", ["", "--gzip", "--xz", "--bzip2", "--zstd"])
def test_tar_on_stdin(berth, flag):
    path, archive = context(berth, FILES), os.path.join(berth.base, "c.tar")
    berth.command(["tar", "-C", path, *flag.split(), "--owner=7", "-cf", archive, "."])
    with open(archive, "rb") as file:
        build(berth, "-", stdin=file)
    files = image(berth)[0]
    assert files["top"].data == b"A" and "all/hidden" not in files
    assert (files["all/sub/Other"].uid, files["all/a"].uid) == (0, 0)
    # As it comes out of a pipe, and with a Dockerfile that is not at its top.
    tar = subprocess.Popen(["cat", archive], stdout=subprocess.PIPE)
    build(berth, "-", "-f", "sub/Other", stdin=tar.stdout)
    tar.stdout.close()
    assert tar.wait() == 0 and image(berth)[0]["other"].data == b"A"
    with open(archive, "rb+") as file:
        file.truncate(os.path.getsize(archive) // 2)
    with open(archive, "rb") as file:
        failed = build(berth, "-", "--no-cache", "-t", "half", stdin=file, check=False)
    assert failed.returncode == 1 and "the build context" in failed.stderr, failed.stderr
    assert not [n for n in os.listdir(f"{berth.root}/layers") if n.startswith(".new")]


def test_context_from_the_web(berth):
    path = context(berth, FILES)
    served = os.path.join(berth.base, "served")
    os.makedirs(served)
    berth.command(["tar", "-C", path, "-czf", f"{served}/c.tar.gz", "."])
    write(served, {"Dockerfile": "FROM busybox\nRUN echo text > /text\n", "odd": "\0"})
    berth.popen_command(["python3", "-m", "http.server", "--bind", "127.0.0.1", "8901"], cwd=served,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get("http://127.0.0.1:8901/", check=False).returncode == 0, 30)
    build(berth, "http://127.0.0.1:8901/c.tar.gz")
    assert image(berth)[0]["top"].data == b"A"
    build(berth, "http://127.0.0.1:8901/c.tar.gz", "-f", "sub/Other", name="other")
    assert image(berth, "other")[0]["other"].data == b"A"
    build(berth, "http://127.0.0.1:8901/Dockerfile", name="text")
    assert image(berth, "text")[0]["text"].data == b"text\n"
    write(path, {"Dockerfile": "FROM busybox\nCOPY --from=web a /web\n"})
    build(berth, path, "--build-context", "web=http://127.0.0.1:8901/c.tar.gz")
    assert image(berth)[0]["web"].data == b"A"
    for url, error in (("nosuch", "the server says 404"), ("odd", "neither a tar archive nor")):
        failed = build(berth, f"http://127.0.0.1:8901/{url}", check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr
    failed = build(berth, "http://127.0.0.1:1/x", check=False)
    assert failed.returncode == 1 and "127.0.0.1:1" in failed.stderr
