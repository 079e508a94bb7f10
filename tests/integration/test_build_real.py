# SPDX-License-Identifier: GPL-2.0-or-later
"""Dockerfiles as people write them: files, owners, modes and configuration are buildah's.

Left out is what buildah does otherwise than docker: it runs CMD and ENTRYPOINT with /bin/sh
whatever SHELL says, forgets a base stage's ARGs, keeps port ranges, and undoes backslashes whatever `escape` says.
"""
import io
import json
import os
import shutil
import tarfile

import pytest

from tests.support.builds import context, describe, saved

pytestmark = pytest.mark.skipif(not shutil.which("buildah"), reason="needs buildah")

APP = {"app.py": "print('hello')\n", "requirements.txt": "left==1\n", "src/main.c": "int main;\n",
       "src/lib/util.c": "int util;\n", "run.sh": ("#!/bin/sh\nexec \"$@\"\n", 0o755),
       "package.json": "{}\n", "package-lock.json": "{}\n", "conf/app.conf": ("port=80\n", 0o640),
       "conf/sites/default": "site\n", ".dockerignore": "*.log\n.git\nnode_modules\n",
       "x.log": "no\n", "node_modules/dep/index.js": "no\n", "go.mod": "module x\n", "go.sum": "",
       "cmd/server/main.go": "package main\n"}

CASES = {
    "python": """\
FROM busybox AS wheels
WORKDIR /wheels
COPY requirements.txt .
RUN mkdir -p /wheels/out && sed 's/==.*//' requirements.txt > out/list
FROM busybox
ENV PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY --from=wheels /wheels/out /wheels
COPY requirements.txt ./
RUN mkdir -p /usr/lib/site && cp /wheels/list /usr/lib/site/ && rm -rf /wheels
COPY . .
RUN echo 'web:x:1500:1500::/app:/bin/sh' >> /etc/passwd && echo 'web:x:1500:' >> /etc/group \\
    && chown -R web:web /app
USER web
EXPOSE 8000
CMD ["python", "app.py"]
""",
    "node": """\
FROM busybox AS deps
WORKDIR /usr/src/app
COPY package*.json ./
RUN mkdir node_modules && echo dep > node_modules/dep.js
FROM deps AS build
COPY . .
RUN mkdir dist && cat app.py node_modules/dep.js > dist/bundle.js
FROM busybox AS production
ENV NODE_ENV=production
WORKDIR /usr/src/app
COPY --from=deps /usr/src/app/node_modules ./node_modules
COPY --from=build --chown=app:app /usr/src/app/dist ./dist
COPY package.json .
USER app
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 \\
  CMD wget -q -O - http://localhost:3000/health || exit 1
ENTRYPOINT ["node"]
CMD ["dist/bundle.js"]
""",
    "go": """\
ARG GO_BASE=busybox
FROM ${GO_BASE} AS builder
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN cat go.mod > /tmp/downloaded
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build \\
    CGO_ENABLED=0 sh -c 'echo "binary $VERSION $CGO_ENABLED" > /bin-server' && chmod 755 /bin-server
FROM scratch
COPY --from=builder /etc/passwd /etc/passwd
COPY --from=builder /bin-server /server
USER nobody
EXPOSE 8080/tcp
ENTRYPOINT ["/server"]
""",
    "nginx": """\
FROM busybox
LABEL maintainer="web@example.org" \\
      org.opencontainers.image.title="a site" \\
      multi.line="one \\
two"
RUN rm -f /etc/nginx/conf.d/* ; mkdir -p /etc/nginx/conf.d /var/cache/nginx /usr/share/nginx/html
COPY conf/app.conf /etc/nginx/conf.d/default.conf
COPY --chown=33:33 src /usr/share/nginx/html
RUN ln -sf /dev/stdout /var/log/access.log && ln -sf /dev/stderr /var/log/error.log \\
    && chown -R www-data:www-data /var/cache/nginx
VOLUME ["/var/cache/nginx", "/usr/share/nginx/html"]
STOPSIGNAL SIGQUIT
EXPOSE 80 443
CMD ["nginx", "-g", "daemon off;"]
""",
    "useradd": """\
FROM busybox
ARG UID=1234
ARG GID=1235
RUN echo "svc:x:$UID:$GID::/srv:/bin/sh" >> /etc/passwd && echo svc:x:${GID}: >> /etc/group \\
 && mkdir -p /srv/data /var/run/svc && chown svc:svc /srv/data && chmod 2770 /srv/data
WORKDIR /srv/data
USER svc:svc
RUN touch mine && mkdir sub && id > /tmp/id
COPY --chown=svc:svc app.py /srv/app.py
USER ${UID}
RUN id -u > /tmp/uid
WORKDIR sub/deeper
RUN touch here
""",
    "scopes": """\
ARG TAG=latest
ARG NAME=busybox
FROM ${NAME}:${TAG} AS first
ARG TAG
ARG LOCAL=local-${TAG}
ENV FROM_ARG=$LOCAL EMPTY="" QUOTED="a b  c" SINGLE='$LOCAL' ESC=\\$LOCAL
RUN echo "$TAG $LOCAL $NAME" > /args
FROM first
ENV THIRD=${FROM_ARG:+set} FOURTH=${NONE:-$FROM_ARG} PATH=/opt/bin:$PATH
RUN echo "$THIRD|$FOURTH|$PATH" > /args2
ENV A=1
ENV A=2 B=$A
RUN echo "$A $B" > /ab
""",
    "shell": """\
FROM busybox
RUN echo one > /one; \\
    # a comment in the middle
    echo two > /two

# and one between

RUN ["/bin/sh", "-c", "echo \\"exec form\\" > /exec"]
CMD echo "shell form $HOME"
ENTRYPOINT exec top -b
HEALTHCHECK CMD test -e /one
""",
    "onbuild": """\
FROM busybox
ONBUILD COPY package.json /usr/src/
ONBUILD RUN cat /usr/src/package.json
ONBUILD ENV FROM_BASE=1
WORKDIR /usr/src
CMD ["npm", "start"]
""",
    "archives": """\
FROM busybox
ADD dist.tar.gz /opt/
ADD dist.tar.gz app.py /both/
COPY dist.tar.gz /kept.tar.gz
RUN test -e /opt/dist/bin/tool && cp -a /opt/dist /opt/copy
""",
    "layers": """\
FROM busybox
RUN mkdir -p /a/b/c && echo 1 > /a/b/c/f && echo 2 > /a/g
RUN rm -rf /a/b && mkdir /a/b && echo 3 > /a/b/n
RUN mv /a/g /a/h && ln /a/h /a/hard && ln -s ../a/h /a/soft && chmod 4711 /a/h
RUN chown 1000:1001 /a/b
RUN rm /data/seed /data/link && rmdir /data/sub
RUN cp -a /data /data2 && rm -rf /data && mkfifo /fifo
RUN mv /a /moved && touch /a
""",
    "workdirs": """\
FROM busybox
WORKDIR relative
WORKDIR to/here
RUN pwd > /where
WORKDIR /abs//double/../up
RUN pwd >> /where
ENV DIR=/from/env
WORKDIR $DIR/x
COPY app.py .
COPY app.py conf/ ./sub/
WORKDIR /
""",
    "copies": """\
FROM busybox
COPY app.py /one
COPY app.py /two/
COPY app.py run.sh /three/
COPY src /four
COPY src/ /five/
COPY src/* /six/
COPY conf/sites/default conf/app.conf /seven/
COPY . /all
COPY ["app.py", "/eight/with blank"]
COPY --chmod=600 run.sh /nine
COPY --chown=1000 run.sh /ten
COPY --chown=app run.sh /eleven/
COPY [ar]*.?? /twelve/
ADD src /thirteen/deep/er
COPY --from=busybox /data /fourteen
""",
    "quoting": """\
FROM busybox
ENV ONE one two   three
ENV TWO="a\\"b" THREE=c\\ d FOUR='e"f'
LABEL "with blank"="v 1" plain=v$ONE other='$ONE'
LABEL old form label
EXPOSE 1000 53/udp 80/tcp
VOLUME /v1 /v2
USER 0
CMD []
ENTRYPOINT []
""",
    "overrides": """\
FROM busybox AS base
ENTRYPOINT ["/base"]
CMD ["base-arg"]
USER app
ENV KEEP=1 CHANGE=old
LABEL keep=1 change=old
EXPOSE 1
VOLUME /base
HEALTHCHECK --retries=7 CMD ["true"]
STOPSIGNAL SIGTERM
WORKDIR /home/app
FROM base
ENTRYPOINT ["/child"]
ENV CHANGE=new
LABEL change=new
EXPOSE 2
VOLUME /child
HEALTHCHECK NONE
STOPSIGNAL 9
""",
    "mounts": """\
FROM busybox AS tools
RUN mkdir /tools && echo tool > /tools/t
FROM busybox
RUN mkdir -p /var/cache/apt
RUN --mount=type=bind,source=src,target=/mnt/src cat /mnt/src/main.c > /main
RUN --mount=type=bind,from=tools,source=/tools,target=/mnt/tools cp /mnt/tools/t /tool
RUN --mount=type=cache,target=/var/cache/apt echo x > /var/cache/apt/pkg
RUN --mount=type=tmpfs,target=/scratch echo y > /scratch/y && cp /scratch/y /y
""",
    "debian-like": """\
FROM busybox
ENV DEBIAN_FRONTEND=noninteractive LANG=C.UTF-8
RUN set -eux; \\
	mkdir -p /var/lib/apt/lists /etc/apt/apt.conf.d; \\
	echo list > /var/lib/apt/lists/x; \\
	mkdir -p /usr/share/doc/pkg; echo doc > /usr/share/doc/pkg/copyright; \\
	rm -rf /var/lib/apt/lists/*
COPY --chown=root:root conf/ /etc/app/
RUN set -eux; \\
	echo pg:x:999: >> /etc/group; echo pg:x:999:999::/var/lib/pg:/bin/sh >> /etc/passwd; \\
	mkdir -m 3777 -p /var/run/pg && chown 999:999 /var/run/pg; \\
	mkdir -p /var/lib/pg/data && chown -R pg:pg /var/lib/pg && chmod 1777 /var/lib/pg/data
ENV PGDATA /var/lib/pg/data
VOLUME /var/lib/pg/data
COPY run.sh /usr/local/bin/docker-entrypoint.sh
RUN ln -sT usr/local/bin/docker-entrypoint.sh /docker-entrypoint.sh || \\
    ln -s usr/local/bin/docker-entrypoint.sh /docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
STOPSIGNAL SIGINT
EXPOSE 5432
CMD ["postgres"]
""",
    "many-stages": """\
FROM busybox AS one
RUN echo 1 > /f
FROM busybox AS two
COPY --from=one /f /f1
RUN echo 2 >> /f1
FROM busybox AS unused
RUN exit 1
FROM two AS three
COPY --from=0 /f /f0
COPY --from=1 /f1 /again
FROM three
RUN cat /f0 /f1 /again > /all
""",
    "old": """\
FROM busybox
MAINTAINER Some One <some@example.org>
env lower=case
run echo lower > /lower
add app.py /added/
cmd ["x"]
""",
    "escape": """\
# escape=`
FROM busybox
RUN echo a > /a && `
    echo b > /b
COPY app.py /c`
opied
""",
    "platform": """\
FROM --platform=linux/amd64 busybox AS x
ARG TARGETOS
ARG TARGETARCH
ARG TARGETPLATFORM
ARG BUILDPLATFORM
RUN echo "$TARGETOS $TARGETARCH $TARGETPLATFORM $BUILDPLATFORM" > /platform
""",
    "scratch": """\
FROM scratch
COPY src /src
COPY app.py /
ENV X=1
CMD ["/app.py"]
""",
    "links": """\
FROM busybox
RUN mkdir -p /real/dir && ln -s /real/dir /link && ln -s real /rel && echo t > /real/t
COPY app.py /link/
COPY src /rel/src
COPY conf /link
WORKDIR /link/made
RUN echo x > /rel/x
""",
    "volumes": """\
FROM busybox
RUN mkdir /vol && echo before > /vol/before && chown app /vol
VOLUME /vol
ENV AFTER=1
""",
    "entry-forms": """\
FROM busybox
ENTRYPOINT ["/run.sh", "a b", "c\\"d"]
CMD one two "three four" $HOME
""",
    "times": """\
FROM busybox
RUN touch -d '2001-02-03 04:05:06' /old && mkdir /d && touch /d/new && cp -p /old /d/
COPY app.py /app.py
""",
    "deletes": """\
FROM busybox AS a
RUN mkdir -p /x/y && touch /x/y/z /x/w
FROM a
RUN rm -r /x/y && touch /x/y
RUN rm /x/y && mkdir /x/y && touch /x/y/new
RUN rm -r /x && mkdir /x && touch /x/last
RUN rm /usr/bin/vi && ln -s busybox /usr/bin/newvi
""",
    "hard-links": """\
FROM busybox AS made
RUN mkdir /h && echo one > /h/a && ln /h/a /h/b && ln /h/a /c && chmod 4711 /h/a
FROM busybox
COPY --from=made /h /h
COPY --from=made /h/a /c /alone/
COPY linked /linked
RUN stat -c '%n %h' /h/a /h/b /alone/a /alone/c > /counts; rm /h/b; echo more >> /h/a
""",
    "sparse": """\
FROM busybox AS made
RUN truncate -s 3M /hole && dd if=/dev/zero of=/tail bs=1 count=1 seek=1048575 && echo x >> /tail
FROM busybox
COPY --from=made /hole /tail /
RUN echo end >> /hole
""",
    "through-links": """\
FROM busybox
RUN mkdir -p /real/deep && ln -s /real /absolute && ln -s real/deep /relative && ln -s ../../etc /out
COPY app.py /absolute/
COPY app.py run.sh /relative/
COPY conf /absolute/deep/conf
COPY inside/link /file-of-link
COPY inside /inside
COPY app.py /out/app.py
WORKDIR /relative
COPY package.json .
RUN pwd > /where
""",
    "ignored": """\
FROM busybox
COPY . /all/
COPY logs /logs/
""",
    "arguments": """\
ARG BASE=busybox
ARG SHARED=global
FROM $BASE AS one
ARG SHARED
ARG OWN=${SHARED}-own
RUN echo "$SHARED $OWN $BASE" > /one
FROM ${BASE:-nothing}
ARG SHARED=again
ARG OWN
ENV OWN=${OWN:-unset} KEPT=${SHARED:+set}
COPY --from=one /one /one
RUN echo "$SHARED $OWN $KEPT" > /two
""",
    "special-names": """\
FROM busybox
RUN touch "/with blank" "/ünï" '/quote"s' /-dash && mkdir "/dir with blank" && touch "/dir with blank/.hidden"
COPY ["src", "/dir with blank/src"]
""",
    "caps": """\
FROM busybox
RUN chmod 6755 /usr/bin/busybox; mkdir -m 1777 /sticky; mkdir -m 0700 /priv; touch /priv/f; chmod 000 /priv/f
COPY --chown=1000:1001 --chmod=0750 conf /conf
USER 1000:1001
RUN touch /sticky/mine; id -G > /tmp/groups
""",
}


def files_of(berth, name):
    files = dict(APP, Dockerfile=CASES[name])
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for path, mode, kind in (("dist", 0o755, tarfile.DIRTYPE), ("dist/bin", 0o2755, tarfile.DIRTYPE),
                                 ("dist/bin/tool", 0o4755, tarfile.REGTYPE)):
            info = tarfile.TarInfo(path)
            info.mode, info.type, info.uid, info.gid, info.mtime = mode, kind, 7, 8, 1000000000
            info.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"tool"))
        info = tarfile.TarInfo("dist/link")
        info.type, info.linkname = tarfile.SYMTYPE, "bin/tool"
        tar.addfile(info)
    files["dist.tar.gz"] = data.getvalue()
    if name == "ignored":
        files.update({"logs/a.log": "a", "logs/keep.log": "k", "logs/deep/b.log": "b",
                      "logs/deep/c.txt": "c", "docs/x.md": "x", "docs/README.md": "r", "#odd": "o",
                      ".dockerignore": "# words\n**/*.log\n!logs/keep.log\ndocs\n!docs/README.md\n"
                                       "/node_modules/\n  cmd/*/main.go  \nsr?/lib\n"})
    return files


def add_links(path):
    """What a context has beside plain files."""
    os.mkdir(f"{path}/linked")
    os.link(f"{path}/app.py", f"{path}/linked/a")
    os.link(f"{path}/app.py", f"{path}/linked/b")
    os.mkdir(f"{path}/inside")
    os.symlink("../app.py", f"{path}/inside/link")
    os.symlink("nowhere", f"{path}/inside/dangling")
    os.symlink("/etc/passwd", f"{path}/inside/absolute")


class Buildah:
    def __init__(self, berth):
        self.berth = berth
        self.words = ["buildah", "--storage-driver", "vfs", "--root", f"{berth.base}/b-root",
                      "--runroot", f"{berth.base}/b-run"]
        berth.command([*self.words, "pull", "-q", f"docker-archive:{saved(berth, 'busybox')}"],
                      timeout=300)

    def build(self, path):
        self.berth.command([*self.words, "bud", "--format", "docker", "--isolation", "chroot",
                            "--pull=never", "--layers=false", "-q", "-t", "theirs", path],
                           timeout=300)
        archive = f"{self.berth.base}/theirs.tar"
        if os.path.exists(archive):
            os.unlink(archive)
        self.berth.command([*self.words, "push", "-q", "theirs", f"docker-archive:{archive}"],
                           timeout=300)
        return describe(archive)


KEYS = ("Env", "Cmd", "Entrypoint", "User", "WorkingDir", "ExposedPorts", "Volumes", "StopSignal",
        "Healthcheck", "OnBuild")


def differences(ours, theirs):
    (ours, our_config), (theirs, their_config) = ours, theirs
    # Whoever runs a step leaves the places it mounted upon.
    for name in ("etc/hosts", "etc/resolv.conf", "etc/hostname", "run/.containerenv", "run/secrets"):
        ours.pop(name, None)
        theirs.pop(name, None)
    # buildah takes away what it mounted upon, docker the same with what it made for that.
    for name in ("mnt/src", "mnt/tools", "scratch"):
        ours.pop(name, None)
        theirs.pop(name, None)
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            yield f"{name}: {ours.get(name)} is not {theirs.get(name)}"
    for key in KEYS:
        mine, other = our_config["config"].get(key), their_config["config"].get(key)
        if key == "Env":
            mine, other = sorted(mine), sorted(other)
        if (mine or None) != (other or None):
            yield f"{key}: {mine} is not {other}"
    mine = our_config["config"].get("Labels") or {}
    other = dict(their_config["config"].get("Labels") or {})
    other.pop("io.buildah.version", None)
    if mine != other:
        yield f"Labels: {mine} is not {other}"
    for key in ("architecture", "os", "author"):
        if (our_config.get(key) or None) != (their_config.get(key) or None):
            yield f"{key}: {our_config.get(key)} is not {their_config.get(key)}"


@pytest.mark.parametrize("part", range(4))
def test_as_buildah(berth, part):
    buildah, wrong = Buildah(berth), {}
    only = os.environ.get("BERTH_TEST_CASES", "").split()
    for name in only[part::4] if only else list(CASES)[part::4]:
        path = context(berth, files_of(berth, name), name=name)
        if name in ("hard-links", "through-links"):
            add_links(path)
        berth.run("image", "build", "--network", "none", "-t", name, path)
        found = list(differences(describe(saved(berth, name)), buildah.build(path)))
        if found:
            wrong[name] = found
    assert not wrong, json.dumps(wrong, indent=1)
