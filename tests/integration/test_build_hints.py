# SPDX-License-Identifier: GPL-2.0-or-later
"""A step that fails: its log, the Dockerfile's lines around it with a mark, and what to do."""
import os
import struct

import pytest

from tests.support.builds import build, context


@pytest.mark.parametrize("text, expected", [
    ("FROM busybox AS build\nENV A=1\n\nRUN true && \\\n    nosuch all\n\nCMD x\n",
     ["sh: nosuch: not found\n------\n", "Dockerfile:4:1: RUN true && ", "exit code 127",
      "     2 | ENV A=1\n     3 | \n>    4 | RUN true && \\\n>    5 |     nosuch all\n     6 | \n"
      "     7 | CMD x\n",
      "hint: 'nosuch' is not in stage build (from busybox): install it"]),
    ("FROM busybox\nRUN printf '#!/no/such' > /x && chmod 755 /x && /x\n",
     ["hint: '/x' was not found in the stage from busybox: if the file is there"]),
    ("FROM busybox\nRUN /data/seed\n", ["exit code 126", "hint: it is no program"]),
    ("FROM busybox\nUSER app\nRUN touch /etc/x\n", ["hint: the step runs as USER app"]),
    ("FROM busybox\nRUN wget http://example.org/\n", ["hint: this step has no network"]),
    ("FROM busybox\nRUN echo 'E: Unable to locate package x'; exit 100\n",
     ["exit code 100", "hint: the package lists"]),
    ("FROM busybox\nRUN echo 'write: No space left on device'; exit 1\n",
     ["berth builder prune"]),
    ('FROM busybox\nRUN ["/nope"]\n', ["hint: there is no /nope in the stage from busybox"]),
    ('FROM busybox\nRUN ["/data/seed"]\n', ["hint: is it executable"]),
    ("FROM scratch\nCOPY Dockerfile /\nRUN x\n",
     ["hint: there is no /bin/sh in the stage from scratch"]),
    ("FROM busybox\nRUN <<EOF\n" + "true\n" * 20 + "false\nEOF\n",
     [">    2 | RUN <<EOF\n", "... | and 11 lines more"]),
    ("FROM busybox\nRUN --mount=type=cach,target=/x true\n", ["did you mean cache?"]),
    ("FROM busybox\nRUN --mount=type=cache,targt=/x true\n", ["did you mean target?"]),
    ("FROM busybox\nRUN --moutn=type=cache true\n", ["did you mean --mount?"]),
    ("FROM busybox\nCOPYY a b\n", ["did you mean COPY?"]),
    ("FROM busybox AS build\nFROM busybox\nCOPY --from=biuld /a /b\n",
     ["did you mean stage build?"]),
])
def test_hints(berth, text, expected):
    failed = build(berth, context(berth, text), check=False)
    assert failed.returncode == 1
    for words in expected:
        assert words in failed.stderr, failed.stderr


@pytest.mark.parametrize("text, expected", [
    ("FROM busybox AS a\nCOPY --from=b /x /y\nFROM a AS b\n", "Dockerfile:2:1: --from=b: image b: "),
    ("FROM b AS a\nRUN true\nFROM a AS b\n", "Dockerfile:1:1: image b: "),
])
def test_a_stage_that_comes_later(berth, text, expected):
    failed = build(berth, context(berth, text), check=False)
    assert failed.returncode == 1 and expected in failed.stderr
    assert "the stage b comes later in the Dockerfile: only those above can be taken from" in failed.stderr


def test_what_was_given_is_looked_at_first(berth):
    """Names, files and secrets that cannot be right: said of themselves, and before a step runs."""
    path = context(berth, "FROM busybox\nRUN --mount=type=secret,id=s,required=true true\n")
    failed = build(berth, path, name="X Y", check=False)
    assert failed.returncode == 1 and failed.stderr == \
        "image 'X Y': invalid reference format: repository name must be lowercase\n"
    failed = build(berth, path, check=False)
    assert "Dockerfile:2:1: secret s is required and not given: --secret id=s,src=FILE" in failed.stderr
    assert failed.returncode == 1 and "hint" not in failed.stderr
    failed = build(berth, path, "-f", f"{path}/nosuch", check=False)
    assert (failed.returncode, failed.stderr) == (1, f"there is no Dockerfile {path}/nosuch\n")
    os.mkdir(f"{path}/folder")
    failed = build(berth, path, "-f", f"{path}/folder", check=False)
    assert (failed.returncode, failed.stderr) == (
        1, f"{path}/folder is a folder, a Dockerfile is needed: -f FILE\n")
    assert berth.run("image", "ls", "--format", "{{.Repository}}").stdout == "busybox\n"


def test_no_hint_where_nothing_is_known(berth):
    failed = build(berth, context(berth, "FROM busybox\nRUN exit 3\n"), check=False)
    assert "exit code 3" in failed.stderr and "hint:" not in failed.stderr


def test_another_platform(berth):
    """A machine that no handler of binfmt_misc can be there for."""
    machine, other = ("amd64", "riscv64") if os.uname().machine == "x86_64" else ("arm64", "s390x")
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 2, 0xfeed) + bytes(44)
    path = context(berth, {"Dockerfile": "FROM scratch\nCOPY --chmod=755 sh /bin/sh\n", "sh": elf})
    build(berth, path, "--platform", f"linux/{other}", name="foreign")
    path = context(berth, f"FROM --platform=linux/{other} foreign\nRUN ls\n", "again")
    failed = build(berth, path, check=False)
    assert failed.returncode == 1
    assert f"hint: the stage from foreign is for linux/{other}: its programs run here only with a " \
        "handler of binfmt_misc" in failed.stderr, failed.stderr
    # Where nothing has to run it is built.
    path = context(berth, f"FROM --platform=linux/{other} foreign\nCOPY Dockerfile /d\n", "again")
    build(berth, path)
    failed = build(berth, path, "--platform", f"linux/{machine}", check=False)
    assert failed.returncode == 0, failed.stderr
