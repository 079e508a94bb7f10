# SPDX-License-Identifier: GPL-2.0-or-later
"""What is another in each replica: Swarm's placeholders in names, variables, labels and mounts."""

import json

FILE = {"services": {"web": {
    "image": "busybox", "command": ["sleep", "1000"], "init": True, "scale": 2,
    "hostname": "web-{{.Task.Slot}}",
    "environment": {"INDEX": "{{.Task.Slot}}", "NAME": "{{ .Task.Name }}", "OTHER": "{{.Names}}"},
    "labels": {"slot": "{{.Service.Name}}.{{.Task.Slot}}"},
    "volumes": ["./data/{{.Task.Slot}}:/data"],
}}}


def test_placeholders(berth):
    project = berth.project({"compose.yaml": FILE, "data/1/f": "one\n", "data/2/f": "two\n"})
    # `config` prints what the file says.
    model = json.loads(project.run("config", "--format", "json").stdout)
    assert model["services"]["web"]["hostname"] == "web-{{.Task.Slot}}"
    project.run("up", "-d")
    for number, text in ((1, "one"), (2, "two")):
        said = project.run("exec", "-T", f"--index={number}", "web", "sh", "-c",
                           "hostname; cat /data/f /etc/hostname; env; grep web- /etc/hosts").stdout
        assert said.startswith(f"web-{number}\n{text}\nweb-{number}\n")
        assert f"\nINDEX={number}\n" in said
        assert f"\nNAME={project.name}-web-{number}\n" in said
        assert "\nOTHER={{.Names}}\n" in said  # nobody's business
        assert f"\tweb-{number}\n" in said
        inspected = json.loads(berth.run("inspect", f"{project.name}-web-{number}").stdout)[0]
        assert inspected["Config"]["Hostname"] == f"web-{number}"
        assert f"INDEX={number}" in inspected["Config"]["Env"]
        assert inspected["Config"]["Labels"]["slot"] == f"web.{number}"
        assert inspected["Mounts"][0]["Source"] == f"{project.path}/data/{number}"
    # Replicas are of one service: nothing differs, and one more is like the others.
    assert project.run("plan").stdout == "Nothing to do: all is as the files say.\n"
    project.run("up", "-d", "--scale", "web=3")
    assert project.run("exec", "-T", "--index=3", "web", "hostname").stdout == "web-3\n"
    third = project.run("exec", "-T", "--index=3", "web", "sh", "-c", "echo $INDEX").stdout
    assert third == "3\n"
    project.run("down", "-t", "0")
