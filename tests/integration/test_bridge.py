# SPDX-License-Identifier: GPL-2.0-or-later
"""berth bridge: a project made into something else by images that do so."""
import glob
import json
import os
import re

TRANSFORMER = """\
FROM busybox
LABEL com.docker.compose.bridge=transformation
COPY t /templates
RUN mkdir -p /in /out
CMD ["sh", "-c", "cp /in/compose.yaml /out/; cat /templates/* >/out/made; id -u >>/out/made"]
"""
FILES = {
    "compose.yaml": """\
name: shop
services:
  web: {image: "exposing", ports: ["80"], expose: ["7000"], secrets: [s], configs: [c]}
secrets: {s: {file: ./secret}}
configs: {c: {environment: FROM_HERE}}
""",
    "secret": "hidden\n",
    "t/a.tmpl": "template\n", "own/b.tmpl": "own\n", "Dockerfile": TRANSFORMER,
    "exposing.Dockerfile": "FROM busybox\nEXPOSE 8080/tcp\n",
}


def until_gone(berth):
    """The transformers' supervisors go when they do."""
    assert berth.run("container", "ls", "-aq", cwd="/").stdout == ""
    berth.wait_until(lambda: not glob.glob(f"{berth.runtime_dir}/projects/container.*"), 30,
                     "their supervisors are gone")


def read(project, path):
    with open(os.path.join(project.path, path)) as file:
        return file.read()


def test_convert(berth):
    project = berth.project(FILES)
    project.run("image", "build", "-q", "-t", "mine:1", ".")
    project.run("image", "build", "-q", "-f", "exposing.Dockerfile", "-t", "exposing", ".")
    env = {"FROM_HERE": "value"}
    shown = project.run("--dry-run", "bridge", "convert", env=env).stdout
    assert shown == f"convert project shop into {project.path}/out\n" and not os.path.exists(
        f"{project.path}/out")
    project.run("bridge", "convert", "-t", "mine:1", env=env)
    written = read(project, "out/compose.yaml")
    assert set(re.findall(r'^      - "(\d+)"$', written, re.M)) == {"7000", "8080", "80"}
    assert re.search(r"content: \|\s+hidden$", written, re.M) and "content: value" in written
    assert read(project, "out/made") == "template\n0\n"
    # Another transformer's templates, and a folder that is not empty.
    project.write({"out/old": "old\n"})
    kept = project.run("bridge", "convert", "-t", "mine:1", "--templates", "own", env=env,
                       check=False, input="n\n")
    assert kept.returncode == 1 and "[y/N]" in kept.stdout and read(project, "out/old") == "old\n"
    project.run("bridge", "convert", "--transformation", "mine:1", "--templates", "own", "--yes",
                env=env)
    assert read(project, "out/made") == "own\n0\n" and not os.path.exists(f"{project.path}/out/old")
    project.run("bridge", "convert", "-t", "mine:1", "-o", "else/where", env=env)
    assert read(project, "else/where/made") == "template\n0\n"
    until_gone(berth)


def test_transformations(berth):
    project = berth.project(FILES)
    assert project.run("bridge", "transformations", "ls", "-q").stdout == ""
    project.run("image", "build", "-q", "-t", "mine:1", ".")
    assert project.run("bridge", "transformations", "list", "-q").stdout == "mine:1\n"
    lines = project.run("bridge", "transformations", "list").stdout.splitlines()
    assert lines[0].split() == ["IMAGE", "ID", "REPO", "TAGS", "SIZE"] and "mine" in lines[1]
    rows = json.loads(project.run("bridge", "transformations", "list", "--format", "json").stdout)
    assert [row["Repository"] for row in rows] == ["mine"]
    made = project.run("bridge", "transformations", "create", "--from", "mine:1", "new")
    assert made.stdout == f'Transformer created in "{project.path}/new"\n'
    assert read(project, "new/templates/a.tmpl") == "template\n"
    assert "LABEL com.docker.compose.bridge=transformation\n" in read(project, "new/Dockerfile")
    again = project.run("bridge", "transformations", "create", "-f", "mine:1", "new", check=False)
    assert again.returncode == 1 and "already exists" in again.stderr
    until_gone(berth)
