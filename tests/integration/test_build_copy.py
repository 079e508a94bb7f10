# SPDX-License-Identifier: GPL-2.0-or-later
"""COPY and ADD: what goes where, whose it is, and where it may come from."""
import hashlib
import io
import os
import subprocess
import sys
import tarfile

import pytest

from tests.support.builds import build, context, image, write


def tree(files, below):
    return {name.removeprefix(below).strip("/"): file for name, file in files.items()
            if name.startswith(below + "/")}


def names(files, below):
    return sorted(name for name, file in tree(files, below).items() if file.kind != "folder")


def test_sources_and_destinations(berth):
    path = context(berth, {
        "a.txt": "a", "b.txt": "b", "c.md": "c", "dir/one": "1", "dir/deep/two": "2", "[x]": "x",
        "with blank": "w", "run.sh": ("#!/bin/sh\n", 0o750),
        "Dockerfile": """\
FROM busybox
COPY a.txt /file
COPY a.txt b.txt /into/
COPY *.txt c.?d /glob/
COPY dir /content
COPY dir/ /content2/
COPY d*/deep /content3/
COPY [[]x] /odd/
COPY ["with blank", "run.sh", "/words/"]
WORKDIR /w
COPY a.txt relative/new
COPY a.txt .
COPY . /all/
COPY nothing* a.txt /some/
""", ".dockerignore": "Dockerfile\n.dockerignore\n"})
    os.symlink("a.txt", f"{path}/link")
    os.symlink("deep", f"{path}/dir/folder-link")
    build(berth, path)
    files = image(berth)[0]
    assert files["file"].data == b"a" and files["file"].uid == 0
    assert names(files, "into") == ["a.txt", "b.txt"]
    assert names(files, "glob") == ["a.txt", "b.txt", "c.md"]
    for name in ("content", "content2"):
        assert names(files, name) == ["deep/two", "folder-link", "one"]
        assert files[f"{name}/folder-link"].link == "deep"
    assert names(files, "content3") == ["two"]
    assert names(files, "odd") == ["[x]"]
    assert files["words/with blank"].data == b"w" and files["words/run.sh"].mode == "0o750"
    assert files["w/relative/new"].data == b"a" and files["w/a.txt"].data == b"a"
    assert files["all/link"].kind == "link" and "all/Dockerfile" not in files
    assert names(files, "some") == ["a.txt"]
    for text, error in (
            ("COPY a.txt b.txt /x", "with more than one source the destination must be a folder"),
            ("COPY a.tx /x", "a.tx: no such file in the build context; did you mean a.txt?"),
            ("COPY dir/oen /x", "did you mean one?"),
            ("COPY z* /x", "nothing in the build context matches that"),
            ("COPY Dockerfile /x", 'left out of the build context by the rule "Dockerfile" (.dockerignore:1)'),
            ("COPY ../outside /x", "no such file")):
        write(path, {"Dockerfile.bad": f"FROM busybox\nRUN true\n{text}\n"})
        failed = build(berth, path, "-f", f"{path}/Dockerfile.bad", check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr
        assert "Dockerfile.bad:3:1" in failed.stderr and f"3 | {text}" in failed.stderr


def test_owners_and_modes(berth):
    path = context(berth, {"f": ("f", 0o644), "d/x": ("x", 0o640), "d/e/y": ("y", 0o755),
                           "Dockerfile": """\
FROM busybox
RUN echo 'new:x:77:88::/:/bin/sh' >> /etc/passwd; echo 'newer:x:99:' >> /etc/group
COPY --chown=app:extra f /1
COPY --chown=new f /2
COPY --chown=:newer f /3
COPY --chown=5 f /4
COPY --chown=5:newer --chmod=0600 f /5
COPY --chmod=u=rwX,go=rX d /6
COPY --chmod=700 d /7
ARG OWNER=app
COPY --chown=$OWNER --chmod=${MODE:-4755} f /8/sub/
COPY --link --chown=app f /9
USER app
COPY f /10
"""})
    build(berth, path)
    files = image(berth)[0]
    seen = [(files[f"{i}"].uid, files[f"{i}"].gid, files[f"{i}"].mode) for i in range(1, 6)]
    assert seen == [(1000, 1001, "0o644"), (77, 88, "0o644"), (0, 99, "0o644"), (5, 5, "0o644"),
                    (5, 99, "0o600")]
    assert files["6/x"].mode == "0o644" and files["6/e/y"].mode == "0o755"
    assert files["6/e"].mode == "0o755"
    assert {files[f"7/{n}"].mode for n in ("x", "e", "e/y")} == {"0o700"}
    assert files["8/sub/f"][1:4] == ("0o4755", 1000, 1000) and files["8/sub"].uid == 1000
    assert files["9"].uid == 1000
    assert files["10"].uid == 0  # USER does not matter
    for flag, error in (("--chown=nosuch", "nosuch"), ("--chmod=u+z", "--chmod=u+z"),
                        ("--chown=app:nosuch", "nosuch")):
        failed = build(berth, context(berth, {"f": "", "Dockerfile":
                                              f"FROM busybox\nCOPY {flag} f /\n"}, "bad"), check=False)
        assert failed.returncode == 1 and error in failed.stderr
        assert "Dockerfile:2:1" in failed.stderr


def test_parents_exclude_link(berth):
    path = context(berth, {
        "a/b/one.txt": "1", "a/b/two.md": "2", "a/c/one.txt": "3", "top.txt": "t",
        "x/y/z/deep.txt": "z", "Dockerfile": """\
FROM busybox AS made
RUN mkdir -p /r/s/t && echo made > /r/s/t/file && echo no > /r/s/t/skip
FROM busybox
COPY --parents a/b/one.txt a/c top.txt /p/
COPY --parents */*/*.md /pm/
COPY --parents x/./y/z/deep.txt /pivot/
COPY --parents **/one.txt /all/
COPY --exclude=**/*.md --exclude=c a /ex/
COPY --exclude=**/*.txt --exclude=!a/b/one.txt . /neg/
COPY --from=made --parents --exclude=**/skip /r/s /from/
RUN mkdir /folder && ln -s /folder /linked
COPY top.txt /linked/
COPY --link top.txt /linked2/
ADD --link top.txt /linked3/new
"""})
    build(berth, path)
    files = image(berth)[0]
    assert names(files, "p") == ["a/b/one.txt", "a/c/one.txt", "top.txt"]
    assert names(files, "pm") == ["a/b/two.md"]
    assert names(files, "pivot") == ["y/z/deep.txt"]
    assert names(files, "all") == ["a/b/one.txt", "a/c/one.txt"]
    assert names(files, "ex") == ["b/one.txt"]
    assert "a/b/two.md" in names(files, "neg") and "x/y/z/deep.txt" not in names(files, "neg")
    assert "a/b/one.txt" in names(files, "neg")
    assert names(files, "from") == ["r/s/t/file"]
    assert files["folder/top.txt"].data == b"t" and files["linked"].kind == "link"
    assert files["linked2/top.txt"].data == b"t" and files["linked3/new"].data == b"t"


def test_link_does_not_depend_on_what_is_below(berth):
    path = context(berth, {"f": "f", "Dockerfile": "FROM busybox\nRUN echo 1 > /one\n"
                                                  "COPY --link f /f\n"})
    build(berth, path)
    write(path, {"Dockerfile": "FROM busybox\nRUN echo 2 > /one\nCOPY --link f /f\n"})
    build(berth, path, name="y")
    assert image(berth, "y")[0]["f"].data == b"f"


def test_between_stages_and_images(berth):
    build(berth, context(berth, "FROM busybox\nRUN echo other > /other\n", "o"), name="other")
    path = context(berth, """\
FROM busybox AS one
RUN mkdir /d && echo 1 > /d/1 && chown -R app:extra /d && chmod 2750 /d && ln -s 1 /d/l \\
    && ln /d/1 /d/hard && mkfifo /d/fifo && mknod /d/null c 1 3
FROM scratch AS two
COPY --from=one /d /made
COPY --from=0 /d/1 /number
COPY --from=other /other /o/
FROM busybox
COPY --from=two / /two/
COPY --from=one --chown=0:0 /d/l /link
COPY --from=one d/1 relative
""")
    build(berth, path)
    files = image(berth)[0]
    assert files["two/made/1"][1:4] == ("0o644", 1000, 1001)
    assert files["two/made/l"].kind == "link" and files["two/made/fifo"].kind == "fifo"
    assert files["two/made/null"].kind == "device"
    assert files["two/o/other"].data == b"other\n" and files["two/number"].data == b"1\n"
    assert files["link"].data == b"1\n"  # a link that is named itself is followed
    assert files["relative"].data == b"1\n"
    for source in ("--from=tow", "--from=nosuch/image"):
        failed = build(berth, context(berth, "FROM busybox AS two\nFROM busybox\n"
                                             f"COPY {source} /a /b\n", "bad"), check=False)
        assert failed.returncode == 1 and "Dockerfile:3:1" in failed.stderr, failed.stderr


def archive(mode):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{mode}") as tar:
        info = tarfile.TarInfo("in/side")
        info.size, info.uid, info.gid, info.mode = 4, 7, 8, 0o604
        tar.addfile(info, io.BytesIO(b"data"))
    return data.getvalue()


def test_add_archives(berth):
    path = context(berth, {
        "t.tar": archive(""), "t.tgz": archive("gz"), "t.bz2": archive("bz2"),
        "t.xz": archive("xz"), "broken.tar.gz": b"\x1f\x8b\x08 no archive",
        "text.tar": "not a tar", "Dockerfile": """\
FROM busybox
ADD t.tar /tar/
ADD t.tgz /tgz
ADD t.bz2 /bz2/
ADD t.xz /xz/
ADD --chown=app t.tar /owned/
ADD broken.tar.gz text.tar /kept/
ADD --unpack=false t.tgz /packed/
COPY t.tgz /copied/
"""})
    with open(f"{path}/t.zst", "wb") as out:
        subprocess.run(["zstd", "-c"], input=archive(""), stdout=out, check=False) \
            if os.path.exists("/usr/bin/zstd") else out.write(archive(""))
    with open(f"{path}/Dockerfile", "a") as out:
        out.write("ADD t.zst /zst/\n")
    build(berth, path)
    files = image(berth)[0]
    for name in ("tar", "tgz", "bz2", "xz", "zst"):
        assert files[f"{name}/in/side"] == ("file", "0o604", 7, 8, "", b"data"), name
    assert files["owned/in/side"].uid == 1000
    assert names(files, "kept") == ["broken.tar.gz", "text.tar"]
    assert names(files, "packed") == names(files, "copied") == ["t.tgz"]


SERVER = """
import http.server, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        with open('requests', 'a') as log:
            log.write(self.path + chr(10))
    def do_GET(self):
        if self.path == '/moved':
            self.send_response(302)
            self.send_header('Location', '/file.txt')
            self.end_headers()
        else:
            super().do_GET()
http.server.ThreadingHTTPServer(('127.0.0.1', 8000), Handler).serve_forever()
"""


@pytest.fixture
def web(berth):
    """A folder that is served as http://127.0.0.1:8000/."""
    path = os.path.join(berth.base, "web")
    write(path, {"file.txt": "from the web\n", "a.tar.gz": archive("gz")})
    os.utime(f"{path}/file.txt", (1000000, 1000000))
    berth.popen_command([sys.executable, "-c", SERVER], cwd=path, stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get("http://127.0.0.1:8000/", check=False).returncode == 0, 30,
                     "the web server answers")
    return path


def test_add_from_the_web(berth, web):
    good = hashlib.sha256(b"from the web\n").hexdigest()
    url = "http://127.0.0.1:8000"
    path = context(berth, f"""\
FROM busybox
ARG URL={url}
ADD $URL/file.txt /plain
ADD $URL/file.txt?x=1 /dir/
ADD --chown=app --chmod=640 --checksum=sha256:{good} {url}/file.txt /checked
ADD {url}/moved /moved
ADD {url}/a.tar.gz /packed/
ADD --unpack=true {url}/a.tar.gz /unpacked/
""")
    build(berth, path)
    files = image(berth)[0]
    assert files["plain"] == ("file", "0o600", 0, 0, "", b"from the web\n")
    assert files["dir/file.txt"].data == files["moved"].data == b"from the web\n"
    assert files["checked"][1:4] == ("0o640", 1000, 1000)
    assert names(files, "packed") == ["a.tar.gz"] and names(files, "unpacked") == ["in/side"]
    again = build(berth, path)
    assert again.stderr.count("CACHED") == 6
    write(web, {"file.txt": "changed\n"})
    failed = build(berth, path, "--no-cache", check=False)
    assert failed.returncode == 1 and "Dockerfile:5:1" in failed.stderr
    assert f"--checksum says sha256:{good}" in failed.stderr
    write(path, {"Dockerfile": f"FROM busybox\nADD {url}/file.txt /plain\n"})
    build(berth, path)
    assert image(berth)[0]["plain"].data == b"changed\n"
    for where, error in ((f"{url}/nothing", "the server says 404"),
                         ("http://127.0.0.1:1/x", "127.0.0.1:1")):
        write(path, {"Dockerfile": f"FROM busybox\nADD {where} /x\n"})
        failed = build(berth, path, check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr


def git(path, *args):
    env = {"PATH": os.environ["PATH"], "HOME": path, "GIT_AUTHOR_NAME": "a",
           "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    return subprocess.run(["git", "-C", path, *args], check=True, env=env, text=True,
                          capture_output=True).stdout.strip()


@pytest.fixture
def repository(berth):
    """repo.git with a branch `next`, a tag v1, and the commit of v1."""
    path = write(os.path.join(berth.base, "work"), {
        "Dockerfile": "FROM busybox\nCOPY f /f\n", "f": "one", "sub/Dockerfile":
        "FROM busybox\nCOPY inner /inner\n", "sub/inner": "inner"})
    git(path, "init", "-q", "-b", "main")
    git(path, "add", ".")
    git(path, "commit", "-qm", "one")
    git(path, "tag", "v1")
    first = git(path, "rev-parse", "HEAD")
    git(path, "checkout", "-q", "-b", "next")
    write(path, {"f": "two"})
    git(path, "commit", "-qam", "two")
    git(path, "checkout", "-q", "main")
    bare = os.path.join(berth.base, "web", "repo.git")
    os.makedirs(os.path.dirname(bare), exist_ok=True)
    git(path, "clone", "-q", "--bare", path, bare)
    git(bare, "update-server-info")
    git(bare, "config", "uploadpack.allowAnySHA1InWant", "true")
    return bare, first


@pytest.fixture
def git_daemon(berth, repository):
    bare, first = repository
    programs = subprocess.run(["git", "--exec-path"], check=True, text=True,
                              capture_output=True).stdout.strip()
    berth.popen_command([f"{programs}/git-daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1",
                         f"--base-path={os.path.dirname(bare)}", os.path.dirname(bare)],
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                        env={"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory",
                             "GIT_CONFIG_VALUE_0": "*"})
    berth.wait_until(lambda: berth.command(
        ["git", "ls-remote", "git://127.0.0.1/repo.git"], check=False).returncode == 0, 30,
        "the git daemon answers")
    return "git://127.0.0.1/repo.git", first


def test_add_from_git(berth, git_daemon):
    url, first = git_daemon
    path = context(berth, f"""\
FROM busybox
ADD {url} /main/
ADD {url}#next /next
ADD {url}#v1:sub /sub
ADD {url}#{first} /commit
ADD --keep-git-dir=true --chown=app {url}#next:/ /kept
ADD --checksum={first} {url}#v1 /checked
""")
    build(berth, path)
    files = image(berth)[0]
    assert names(files, "main") == ["Dockerfile", "f", "sub/Dockerfile", "sub/inner"]
    assert files["main/f"].data == b"one" and files["next/f"].data == b"two"
    assert names(files, "sub") == ["Dockerfile", "inner"]
    assert files["commit/f"].data == files["checked/f"].data == b"one"
    assert "kept/.git/HEAD" in files and files["kept/f"][2:4] == (1000, 1000)
    for source, error in ((f"{url}#nosuch", "nosuch"), (f"{url}#v1:nosuch", "nosuch"),
                          (f"--checksum={'0' * 40} {url}#v1", "0" * 40),
                          ("git://127.0.0.1/none.git", "none.git")):
        write(path, {"Dockerfile": f"FROM busybox\nADD {source} /x\n"})
        failed = build(berth, path, check=False)
        assert failed.returncode == 1 and error in failed.stderr, failed.stderr
        assert "Dockerfile:2:1" in failed.stderr


def test_context_from_git(berth, git_daemon):
    url, first = git_daemon
    build(berth, url)
    assert image(berth)[0]["f"].data == b"one"
    build(berth, f"{url}#next", name="y")
    assert image(berth, "y")[0]["f"].data == b"two"
    build(berth, f"{url}#v1:sub", name="z")
    assert image(berth, "z")[0]["inner"].data == b"inner"
    failed = build(berth, f"{url}#v1:none", check=False)
    assert failed.returncode == 1 and "none" in failed.stderr
