# SPDX-License-Identifier: GPL-2.0-or-later
"""What a Dockerfile's instructions do, one after the other."""
import re

import pytest

from tests.support.builds import build, context, image, image_config


def lines(files, path):
    return files[path].data.decode().splitlines()


def test_target_and_unused_stages(berth):
    path = context(berth, """\
FROM busybox AS one
RUN echo one > /one
FROM one AS two
RUN echo two > /two
FROM busybox AS never
RUN exit 1
FROM two
RUN echo three > /three
""")
    built = build(berth, path)
    assert "exit 1" not in built.stderr
    assert {"one", "two", "three"} <= {*image(berth)[0]}
    build(berth, path, "--target", "two", name="second")
    files = image(berth, "second")[0]
    assert {"one", "two"} <= {*files} and "three" not in files
    build(berth, path, "--target", "0", name="first")
    assert "two" not in image(berth, "first")[0]
    failed = build(berth, path, "--target", "tow", check=False)
    assert failed.returncode == 1 and "did you mean two?" in failed.stderr


def test_onbuild(berth):
    base = context(berth, """\
FROM busybox
ONBUILD ARG WHO=nobody
ONBUILD COPY a.txt /a/
ONBUILD RUN echo "hello $WHO" > /hello
ONBUILD ENV SET=by-trigger
ONBUILD COPY <<EOF /heredoc
$WHO was here
EOF
RUN echo base > /base
""", "base")
    build(berth, base, name="base")
    config = image_config(berth, "base")["Config"]
    assert config["OnBuild"][:2] == ["ARG WHO=nobody", "COPY a.txt /a/"]
    assert "a" not in image(berth, "base")[0]
    path = context(berth, {"a.txt": "A", "Dockerfile": """\
FROM base AS middle
RUN cat /a/a.txt > /seen; echo $SET >> /seen
FROM middle
RUN test ! -e /again
"""})
    build(berth, path, "--build-arg", "WHO=world")
    files, config = image(berth)
    assert lines(files, "hello") == ["hello world"]
    assert files["seen"].data == b"Aby-trigger\n"
    assert files["heredoc"].data == b"world was here\n"
    assert not config.get("OnBuild")  # a child's child is none of theirs
    failed = build(berth, context(berth, "FROM base\n", "empty"), check=False)
    assert "a.txt" in failed.stderr and "Dockerfile:1:1" in failed.stderr
    for trigger in ("ONBUILD RUN x", "FROM x", "MAINTAINER x"):
        failed = build(berth, context(berth, f"FROM busybox\nONBUILD {trigger}\n", "bad"),
                       check=False)
        assert "is not allowed as an ONBUILD trigger" in failed.stderr


def test_configuration(berth):
    path = context(berth, """\
FROM busybox
MAINTAINER me
SHELL ["/bin/sh", "-e", "-c"]
ENV A=1 B="two words" C=$A
ENV OLD form with blanks
LABEL a=1 "b c"="d e" multi="one \\
two"
EXPOSE 80 443/udp 8000-8002
VOLUME /v1 /v2
VOLUME ["/v 3"]
STOPSIGNAL SIGQUIT
USER app:extra
WORKDIR /one
WORKDIR two
HEALTHCHECK --interval=10s --timeout=3s --start-period=1m --start-interval=1s --retries=4 CMD ["x", "y"]
ENTRYPOINT entry point
CMD ["c", "d"]
""")
    build(berth, path)
    config = image_config(berth)
    assert config["Author"] == "me"
    config = config["Config"]
    # All words of one ENV see what was before it.
    env = [row for row in config["Env"] if not row.startswith("PATH=")]
    assert env == ["A=1", "B=two words", "C=", "OLD=form with blanks"]
    assert config["Labels"] == {"a": "1", "b c": "d e", "multi": "one two"}
    assert sorted(config["ExposedPorts"]) == ["443/udp", "80/tcp", "8000/tcp", "8001/tcp",
                                              "8002/tcp"]
    assert sorted(config["Volumes"]) == ["/v 3", "/v1", "/v2"]
    assert config["StopSignal"] == "SIGQUIT"
    assert config["User"] == "app:extra" and config["WorkingDir"] == "/one/two"
    second = 10 ** 9
    assert config["Healthcheck"] == {"Test": ["CMD", "x", "y"], "Interval": 10 * second,
                                     "Timeout": 3 * second, "StartPeriod": 60 * second,
                                     "StartInterval": second, "Retries": 4}
    assert config["Entrypoint"] == ["/bin/sh", "-e", "-c", "entry point"]
    assert config["Cmd"] == ["c", "d"]
    assert config["Shell"] == ["/bin/sh", "-e", "-c"]
    build(berth, context(berth, "FROM x\nHEALTHCHECK NONE\nENTRYPOINT []\nCMD echo $A\n", "next"),
          name="y")
    config = image_config(berth, "y")["Config"]
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert not config.get("Entrypoint") and config["Cmd"] == ["/bin/sh", "-e", "-c", "echo $A"]
    build(berth, context(berth, "FROM y\nENTRYPOINT [\"/bin/true\"]\n", "third"), name="z")
    assert not image_config(berth, "z")["Config"].get("Cmd")  # an entrypoint drops the base's


def test_shell(berth):
    path = context(berth, """\
FROM busybox
RUN printf '#!/bin/sh\\necho "shell: $*" > /said\\n' > /myshell && chmod +x /myshell
SHELL ["/myshell", "-x"]
RUN what is  this
RUN ["/bin/sh", "-c", "echo list > /list"]
""")
    build(berth, path)
    files = image(berth)[0]
    assert files["said"].data == b"shell: -x what is  this\n"
    assert files["list"].data == b"list\n"


HEREDOCS = r"""FROM busybox
ENV V=value
COPY <<one <<"two" <<-three /files/
plain $V ${V:-x} \$V
one
quoted $V
two
	tabs $V
		more
	three
COPY --chmod=755 --chown=app <<EOF /script.sh
#!/bin/sh
echo run
EOF
RUN <<A cat > /a && cat <<B > /b
from a $V
A
from b
B
RUN <<EOF
set -e
x=$(echo sub)
echo "$V $x" > /ran
cat <<INNER > /inner
inner $V
INNER
EOF
RUN <<-EOF
	echo tabs > /tabs
	EOF
RUN cat <<'EOF' > /quoted
$V not expanded
EOF
RUN 3<<EOF cat <&3 > /three
third
EOF
RUN <<EOF /bin/sh -x
echo fed > /fed
EOF
"""


def test_heredocs(berth):
    built = build(berth, context(berth, HEREDOCS))
    files = image(berth)[0]
    expected = {
        "files/one": "plain value value $V\n", "files/two": "quoted $V\n",
        "files/three": "tabs value\nmore\n", "script.sh": "#!/bin/sh\necho run\n",
        "a": "from a value\n", "b": "from b\n", "ran": "value sub\n", "inner": "inner value\n",
        "tabs": "tabs\n", "quoted": "$V not expanded\n", "three": "third\n", "fed": "fed\n",
    }
    seen = {name: files[name].data.decode() if name in files else None for name in expected}
    assert seen == expected, built.stderr
    assert files["script.sh"][1:4] == ("0o755", 1000, 1000)
    failed = build(berth, context(berth, "FROM busybox\nRUN <<EOF\nx\n", "bad"), check=False)
    assert "Dockerfile:2: heredoc <<EOF is not ended" in failed.stderr


def test_arguments_and_their_scopes(berth):
    path = context(berth, """\
ARG TAG=latest
ARG BOTH=global
FROM busybox:${TAG} AS one
ARG BOTH
ARG LOCAL=local
ARG MADE=${LOCAL}-made
RUN echo "$BOTH $LOCAL $MADE ${TAG:-none}" > /one
ENV LOCAL=env
RUN echo "$LOCAL" >> /one
FROM busybox
RUN echo "${LOCAL:-none} ${BOTH:-none}" > /two
ARG BOTH=default
ARG UNSET
RUN echo "$BOTH ${UNSET-unset} ${UNSET:+set}" >> /two
RUN echo "$HTTP_PROXY" > /proxy
COPY --from=one /one /one
ARG TARGETPLATFORM
ARG TARGETOS
ARG TARGETARCH
ARG BUILDPLATFORM
RUN echo "$TARGETPLATFORM $TARGETOS/$TARGETARCH $BUILDPLATFORM" > /platform
""")
    args = ("--build-arg", "HTTP_PROXY=http://p:1")
    build(berth, path, *args)
    files, config = image(berth)
    assert lines(files, "one") == ["global local local-made none", "env"]
    assert lines(files, "two") == ["none none", "default unset "]
    assert lines(files, "proxy") == ["http://p:1"]
    target, parts, here = lines(files, "platform")[0].split()
    assert target == parts == here and here.startswith("linux/")
    assert not [row for row in config["Env"] if "PROXY" in row or "BOTH" in row]
    changed = build(berth, path, "--build-arg", "HTTP_PROXY=http://q:2")
    assert changed.stderr.count("DONE") == 0  # a proxy changes nothing
    build(berth, path, *args, "--build-arg", "BOTH=given", "--build-arg", "UNSET=",
          "--build-arg", "LOCAL", env={"LOCAL": "from-env"})
    files = image(berth)[0]
    assert lines(files, "one") == ["given from-env from-env-made none", "env"]
    assert lines(files, "two") == ["none none", "given  "]
    warned = build(berth, path, "--build-arg", "NOBODY=1")
    assert "NOBODY" in warned.stderr
    failed = build(berth, path, "--build-arg", "TAG=no-such", check=False)
    assert "Dockerfile:3:1" in failed.stderr and "no-such" in failed.stderr


def test_expansion_everywhere(berth):
    path = context(berth, {"file.txt": "x", "Dockerfile": """\
FROM busybox
ARG NAME=file VERSION=1.2.3 EMPTY=
ENV DIR=/dir
COPY ${NAME}.txt $DIR/${VERSION%.*}/
WORKDIR ${DIR}/w
USER ${NOBODY:-app}
LABEL v="${VERSION#*.}" s='$VERSION' e="\\$VERSION" r=${VERSION//./-}
EXPOSE ${PORT:-80}
VOLUME $DIR/v
STOPSIGNAL ${SIG:-SIGINT}
"""})
    build(berth, path)
    files, config = image(berth)
    assert files["dir/1.2/file.txt"].data == b"x"
    assert config["WorkingDir"] == "/dir/w" and config["User"] == "app"
    assert config["Labels"] == {"v": "2.3", "s": "$VERSION", "e": "$VERSION", "r": "1-2-3"}
    assert [*config["ExposedPorts"]] == ["80/tcp"] and [*config["Volumes"]] == ["/dir/v"]
    assert config["StopSignal"] == "SIGINT"
    failed = build(berth, context(berth, "FROM busybox\nENV A=${B:?it is needed}\n", "bad"),
                   check=False)
    assert "Dockerfile:2:1" in failed.stderr and "it is needed" in failed.stderr


def test_directives(berth):
    path = context(berth, """\
# syntax=docker/dockerfile:1
# escape=`
# check=skip=all
FROM busybox
RUN echo a`
 b \\n > /x
""")
    build(berth, path)
    assert image(berth)[0]["x"].data == b"a b n\n"
    for text, error in (("# escape=x\nFROM busybox\n", "it must be a backslash or a backtick"),
                        ("# escape=`\n# escape=`\nFROM busybox\n", "only one escape")):
        failed = build(berth, context(berth, text, "bad"), check=False)
        assert failed.returncode == 1 and error in failed.stderr
    # After a comment or a blank line it is a comment itself.
    build(berth, context(berth, "#\n# escape=`\nFROM busybox\nRUN echo \\\n  x > /x\n", "late"))
    assert image(berth)[0]["x"].data == b"x\n"


def test_check(berth):
    path = context(berth, "FROM busybox AS Upper\nENV old form\nMAINTAINER me\nRUN exit 1\n")
    checked = berth.run("image", "build", "--check", path)
    assert "Dockerfile:2:1" in checked.stderr and "exit 1" not in checked.stdout
    failed = berth.run("image", "build", "--check", context(berth, "FROM busybox\nRNU\n", "bad"),
                       check=False)
    assert failed.returncode == 1 and "did you mean RUN?" in failed.stderr


LINT = """\
ARG DB_PASSWORD
FROM busybox as Upper
MAINTAINER me
WORKDIR app
env LOWER=1
ENV API_KEY=x PUBLIC_KEY=y KEYBOARD=z
EXPOSE 80/TCP 127.0.0.1:81:81
CMD one
CMD ["two"]
FROM --platform=$TARGETPLATFORM busybox AS scratch
SHELL ["/bin/sh", "-c"]
WORKDIR /a
WORKDIR b
ENTRYPOINT top
"""
FINDINGS = [
    ("1:1", "SecretsUsedInArgOrEnv"), ("2:1", "FromAsCasing"), ("2:1", "StageNameCasing"),
    ("3:1", "MaintainerDeprecated"), ("4:1", "WorkdirRelativePath"),
    ("5:1", "ConsistentInstructionCasing"), ("6:1", "SecretsUsedInArgOrEnv"),
    ("7:1", "ExposeProtoCasing"), ("7:1", "ExposeInvalidFormat"), ("8:1", "JSONArgsRecommended"),
    ("8:1", "MultipleInstructionsDisallowed"), ("10:1", "RedundantTargetPlatform"),
    ("10:1", "ReservedStageName"),
]


def found(text):
    # Line breaks are told as such in a log line.
    lines = text.replace("\\n", "\n")
    return sorted(re.findall(r"Dockerfile:(\d+:\d+): [^\n]*\(([A-Z]\w+)\)\n", lines))


def test_what_is_mostly_not_meant(berth):
    checked = berth.run("image", "build", "--check", context(berth, LINT))
    assert found(checked.stderr) == sorted(FINDINGS), checked.stderr
    assert checked.stdout == ""
    good = "FROM busybox AS one\nWORKDIR /a\nCMD [\"x\"]\n"
    checked = berth.run("image", "build", "--call", "check", context(berth, good))
    assert checked.stdout == "Check complete, no warnings found.\n" and not checked.stderr
    # Some are not wanted; and a file may ask for an error.
    skip = "# check=skip=JSONArgsRecommended,StageNameCasing;error=true\n"
    failed = build(berth, context(berth, skip + LINT), check=False)
    assert failed.returncode == 1 and "11 findings, which its check=error=true" in failed.stderr
    assert not {"JSONArgsRecommended", "StageNameCasing"} & {rule for _, rule in found(failed.stderr)}
    build(berth, context(berth, "# check=skip=all;error=true\nFROM busybox as Upper\n"))
    build(berth, context(berth, "FROM busybox as Upper\n"))


def test_workdir_and_user(berth):
    path = context(berth, """\
FROM busybox
WORKDIR /a/b
RUN pwd > /pwd
USER app
WORKDIR /home/app/x
RUN id -u > who; id -g >> who; echo "$HOME" >> who
USER 33:1001
RUN id -u > /tmp/n; id -g >> /tmp/n
USER nosuch
RUN true
""")
    failed = build(berth, path, check=False)
    assert "Dockerfile:10:1" in failed.stderr and "nosuch" in failed.stderr
    context(berth, {"Dockerfile": open(f"{path}/Dockerfile").read().split("USER nosuch")[0]})
    build(berth, path)
    files = image(berth)[0]
    assert files["pwd"].data == b"/a/b\n"
    assert lines(files, "home/app/x/who") == ["1000", "1000", "/home/app"]
    assert files["home/app/x"].uid == 1000
    assert lines(files, "tmp/n") == ["33", "1001"]


@pytest.mark.parametrize("text, expected", [
    ("FROM busybox\nRUN echo one\nCOPY --form=x a b\n", "COPY has no flag --form; did you mean --from?"),
    ("FROM busybox AS a\nFROM busybox AS a\n", 'there is a stage "a" already'),
    ("RUN x\nFROM busybox\n", "RUN comes before the first FROM"),
    ("", "there is no FROM"),
    ("FROM busybox\nCOPY --from=5 a b\n", "there is no such stage above"),
    ("FROM busybox\nHEALTHCHECK CDM x\n", "must be CMD and a command, or NONE"),
    ("FROM busybox\nRUN --network=bridge x\n", "it must be one of default, none, host"),
    ("FROM busybox\nRUN --mount=type=cahce,target=/x x\n", "it must be bind, cache, tmpfs, secret or ssh"),
    ("FROM busybox\nWORKDIR\n", "WORKDIR requires an argument"),
    ("FROM busybox\nSHELL sh -c\n", "SHELL takes a JSON list"),
    ("FROM busybox\nSTOPSIGNAL NOSUCH\n", "NOSUCH"),
    ("FROM busybox\nEXPOSE 99999\n", "99999"),
])
def test_mistakes(berth, text, expected):
    failed = build(berth, context(berth, text), check=False)
    assert failed.returncode == 1
    assert expected in failed.stderr and "Dockerfile:" in failed.stderr


@pytest.mark.parametrize("text, expected", [
    ("ARG A0=aaaaaaaaaa\n" + "".join(f"ARG A{i + 1}=$A{i}$A{i}\n" for i in range(60)) +
     "FROM scratch\n", "when it is expanded"),
    ("FROM scratch\nENV A0=aaaaaaaaaa\n" +
     "".join(f"ENV A{i + 1}=$A{i}$A{i}\n" for i in range(60)), "Dockerfile:21:1: longer than"),
    ("FROM scratch\nENV X=" + "${A:-" * 20000 + "}" * 20000 + "\n", "deep"),
    ("FROM busybox\nRUN <<EOF\n" + "echo x\n" * 200000 + "EOF\n", "Argument list too long"),
    ("FROM busybox\nRUN <<EOF\n" + "echo x\n" * 1000, "heredoc <<EOF is not ended"),
    ("FROM scratch\nLABEL " + " ".join(f"a{i}={i}" for i in range(300000)) + "\n",
     "LABEL has more than 10000 arguments"),
    ("FROM scratch\nCOPY [" + ",".join('"a"' for i in range(300000)) + "]\n",
     "COPY has more than 10000 arguments"),
    ("FROM scratch\n" + "ENV A=1\n" * 200000, "more than 10000 instructions"),
    ("FROM scratch\nONBUILD ONBUILD RUN x\n", "ONBUILD is not allowed as an ONBUILD trigger"),
    ("FROM scratch\nCOPY " + "*" * 3000 + "a /\n", "Dockerfile:2:1"),
    ("FROM scratch\n#" + "x" * (17 << 20), "at most 16 MB"),
], ids=range(11))
def test_hostile(berth, text, expected):
    """Bounded in time and memory: each is refused at once."""
    failed = build(berth, "-", input=text, check=False, timeout=30)
    assert failed.returncode == 1 and expected in failed.stderr, failed.stderr[-2000:]


def test_many_lines_of_one_instruction(berth):
    build(berth, "-", input="FROM scratch\nLABEL a=b" + " \\\n" * 100000 + "\n", timeout=30)
    assert image_config(berth)["Config"]["Labels"] == {"a": "b"}


MEETING = "touch /c/{0}; i=0; until [ -e /c/{1} ]; do i=$((i+1)); [ $i -lt 600 ] || exit 9; " \
          "sleep 0.1; done"


def test_stages_go_on_side_by_side(berth):
    """Each waits for what the other does: one after the other would never end."""
    build(berth, "-", input=f"""\
FROM busybox AS a
RUN --mount=type=cache,id=meet,target=/c {MEETING.format("a", "b")}; echo a > /a
FROM busybox AS b
RUN --mount=type=cache,id=meet,target=/c {MEETING.format("b", "a")}; echo b > /b
FROM busybox
COPY --from=a /a /
COPY --from=b /b /
""", timeout=120)
    files = image(berth)[0]
    assert files["a"].data == b"a\n" and files["b"].data == b"b\n"
