# SPDX-License-Identifier: GPL-2.0-or-later
"""`alpha generate`: a compose file from containers, which gives the same containers again."""
import json

SLEEP = {"image": "busybox", "command": ["sleep", "1000"], "init": True}


def test_a_file_from_containers(berth):
    source = berth.project({"compose.yaml": {
        "services": {
            "web": {**SLEEP, "scale": 2, "volumes": ["data:/data", "./conf:/conf:ro"],
                    "environment": {"A": "$$x"}, "labels": {"l": "v"},
                    "depends_on": ["db", "other"]},
            "db": {**SLEEP, "expose": ["5432"]},
            "other": SLEEP},
        "volumes": {"data": {"labels": {"of": "web"}}, "unused": {}}}, "conf/x": "1"})
    source.run("up", "-d")
    words = [f"{source.name}-{part}" for part in ("web-1", "web-2", "db-1")]
    made = source.run("alpha", "generate", "--name", "again", "--format", "json", *words)
    file = json.loads(made.stdout)
    assert file["name"] == "again" and set(file["services"]) == {"web", "db"}
    web = file["services"]["web"]
    assert web["scale"] == 2 and set(web["depends_on"]) == {"db"} and web["labels"] == {"l": "v"}
    assert set(file["volumes"]) == {"data"} and set(file["networks"]) == {"default"}
    # Read again it is the same, but for what is not in it.
    text = source.run("alpha", "generate", "--name", source.name, *words).stdout
    again = berth.project({"compose.yaml": text}, name="again")
    hashes = {p: p.run("config", "--hash", "web,db").stdout for p in (source, again)}
    assert hashes[source] == hashes[again]


def test_single_containers_and_what_is_refused(berth):
    berth.run("container", "run", "-d", "--init", "--name", "box", "-e", "A=1", "-p", "18311:80",
              "busybox", "sleep", "1000", cwd="/")
    text = berth.run("alpha", "generate", "box", cwd="/").stdout
    assert text.startswith("services:\n  box:\n") and "A: \"1\"" in text
    for words, why in (([], "at least one container must be specified"),
                       (["--format", "toml", "box"], 'unsupported format "toml"'),
                       (["nosuch"], "No such container: nosuch")):
        refused = berth.run("alpha", "generate", *words, cwd="/", check=False)
        assert refused.returncode == 1 and why in refused.stderr and refused.stdout == ""
    berth.run("container", "rm", "-f", "box", cwd="/")
