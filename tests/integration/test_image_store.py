# SPDX-License-Identifier: GPL-2.0-or-later
"""Images, volumes and networks of the machine: looked at, removed when nobody uses them."""

import io
import os
import tarfile

SLEEP = {"image": "busybox", "command": ["sleep", "infinity"], "stop_grace_period": "0s"}


def import_text(berth, name, text="text", changes=()):
    """A tiny image: it has one file and runs nothing."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text.encode()))
    path = os.path.join(berth.home, "tiny.tar")
    with open(path, "wb") as file:
        file.write(data.getvalue())
    arguments = [word for change in changes for word in ("-c", change)]
    return berth.run("image", "import", *arguments, path, name).stdout.strip()


def test_an_image_is_used_or_removed_but_not_both(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {"image": "tiny", "command": ["/none"]}}}})
    outcomes = set()
    for _ in range(12):
        import_text(berth, "tiny")
        create = project.popen("create")
        remove = berth.run("image", "rm", "tiny", check=False)
        create.communicate(timeout=60)
        here = berth.run("image", "inspect", "tiny", check=False).returncode == 0
        used = bool(project.ps())
        assert here == (remove.returncode != 0)
        assert used == (create.returncode == 0)
        assert here or not used, "a container's image was removed"
        outcomes.add(used)
        if used:
            assert "is using its referenced image" in berth.run("image", "rm", "tiny",
                                                                check=False).stderr
            project.run("down")
