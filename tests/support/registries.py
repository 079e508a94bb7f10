# SPDX-License-Identifier: GPL-2.0-or-later
"""Registries inside a test's own network."""

import json
import os
import subprocess
import sys

from tests.support import sandbox

HOST = "127.0.0.1:5000"


class BadRegistry:
    def __init__(self, berth):
        self.berth = berth
        self.log = os.path.join(berth.base, "requests")
        berth.popen_command([sys.executable, os.path.join(sandbox.HERE, "bad_registry.py"), self.log,
                             "5000"], cwd="/")
        berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0,
                         30, "the registry answers")
        self.settings = os.path.join(berth.base, "registries.json")
        with open(self.settings, "w") as file:
            json.dump({"max-download-attempts": 3}, file)

    def arguments(self, *names):
        """A project of these repositories, to be pulled."""
        services = {name: {"image": f"{HOST}/{name}:1"} for name in names}
        return self.berth.project({"compose.yaml": {"services": services}})

    def pull(self, *names, **options):
        project = self.arguments(*names)
        return project.run("pull", check=False, env={"BERTH_REGISTRIES": self.settings}, **options)

    def requests(self, repository):
        with open(self.log) as file:
            rows = [json.loads(line) for line in file]
        return [row for row in rows if f"/{repository}" in row["path"]]

    def here(self):
        result = self.berth.run("image", "ls", "--format", "{{.Repository}}", cwd="/")
        return {line.split("/")[-1] for line in result.stdout.splitlines() if HOST in line}

    def new_files(self):
        return sorted(name for folder in ("layers", "images/blobs/sha256")
                      for name in os.listdir(os.path.join(self.berth.root, folder)))

    def open(self, repository):
        """What "gated" ones wait for in the middle of their layer."""
        self.berth.get(f"http://{HOST}/open/{repository}")


CONFIG = """\
version: 0.1
storage: {{filesystem: {{rootdirectory: {0}}}}}
http: {{addr: "{1}"}}
"""


def serve(berth, directory="registry"):
    """Debian's docker-registry at HOST, with nothing in it."""
    config = os.path.join(berth.base, f"{directory}.yml")
    with open(config, "w") as file:
        file.write(CONFIG.format(os.path.join(berth.base, directory), HOST))
    berth.popen_command(["docker-registry", "serve", config], cwd="/",
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    berth.wait_until(lambda: berth.get(f"http://{HOST}/v2/", check=False).returncode == 0,
                     30, "the registry answers")
    return HOST
