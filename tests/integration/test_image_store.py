# SPDX-License-Identifier: GPL-2.0-or-later
"""Images, volumes and networks of the machine: looked at, removed when nobody uses them."""

import io
import json
import os
import re
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


def test_images_are_described_and_pruned(berth):
    berth.project({"compose.yaml": {"services": {"a": SLEEP}}}).run("up", "-d")
    image = import_text(berth, "tiny:1", changes=["LABEL kind=tiny", "CMD [\"x\"]"])
    berth.run("image", "tag", "tiny:1", "other/tiny:2")

    def inspect(template):
        return berth.run("image", "inspect", "-f", template, "tiny:1").stdout.strip()

    assert inspect("{{.Id}} {{.Config.Cmd}} {{.Config.Labels.kind}}") == f"{image} [x] tiny"
    assert sorted(inspect("{{.RepoTags}}")[1:-1].split()) == ["other/tiny:2", "tiny:1"]
    assert inspect("{{len .RootFS.Layers}}") == "1"
    steps = berth.run("image", "history", "--format", "{{.ID}} {{.Size}}", "tiny:1").stdout.split("\n")
    assert steps[0].split()[0] == image[7:19]

    # Asked and not answered: nothing happens.
    assert berth.run("image", "prune", "-a", input="n\n", check=False).returncode == 1
    assert "no such image" not in berth.run("image", "inspect", "tiny:1").stderr
    kept = berth.run("image", "prune", "-a", "-f", "--filter", "label!=kind=tiny").stdout
    assert "tiny" not in kept
    pruned = berth.run("image", "prune", "-a", "-f").stdout
    assert "untagged: tiny:1" in pruned and f"deleted: {image}" in pruned
    assert "Total reclaimed space: 4B" in pruned
    assert "busybox" in berth.run("image", "ls").stdout
    assert "invalid filter" in berth.run("image", "prune", "-f", "--filter", "x=y",
                                         check=False).stderr


def test_an_image_is_found_by_its_id_without_looking_at_others(berth):
    ids = [import_text(berth, f"tiny:{i}", text=f"number {i}") for i in range(6)]
    binary = os.environ.get("BERTH") or os.path.abspath("../../build/release/berth")
    for words in (("inspect", ids[2][7:19]), ("tag", ids[3], "other:1"), ("rm", "-f", ids[4][7:])):
        trace = berth.command(["strace", "-f", "-e", "trace=openat", binary, "image", *words],
                              cwd="/", env={"ASAN_OPTIONS": "detect_leaks=0"}).stderr
        opened = set(re.findall(r'openat\(\d+, "([0-9a-f]{64})"', trace))
        # Removing looks at what others need, once it is done.
        assert "rm" in words or len(opened) == 2, (words, opened)
    # An entry that another program has written has no note of it.
    index = f"{berth.root}/images/index.json"
    with open(index, encoding="utf-8") as file:
        text = file.read()
    assert text.count("berth.image.id") >= 6
    with open(index, "w", encoding="utf-8") as file:
        file.write(text.replace("berth.image.id", "x.image.id"))
    assert berth.run("image", "inspect", "-f", "{{.RepoTags}}", ids[5]).stdout == "[tiny:5]\n"
    assert berth.run("image", "inspect", ids[4], check=False).returncode == 1


def test_volumes_of_the_machine(berth):
    project = berth.project({"compose.yaml": {
        "services": {"a": {**SLEEP, "volumes": ["vol:/v"]}}, "volumes": {"vol": {"name": "used"}}}})
    project.run("up", "-d")
    assert berth.run("volume", "create", "--label", "k=v", "mine").stdout == "mine\n"
    anonymous = berth.run("volume", "create").stdout.strip()
    assert len(anonymous) == 64
    names = berth.run("volume", "ls", "-q", "--filter", "dangling=true").stdout.split()
    assert sorted(names) == sorted(["mine", anonymous])
    assert berth.run("volume", "inspect", "-f", "{{.Labels.k}} {{.Driver}}",
                     "mine").stdout == "v local\n"
    refused = berth.run("volume", "rm", "used", "none", check=False)
    assert refused.returncode == 1
    assert f"remove used: volume is in use - [{project.name}-a-1]" in refused.stderr
    assert "get none: no such volume" in refused.stderr
    pruned = berth.run("volume", "prune", "-f").stdout
    assert anonymous in pruned and "mine" not in pruned
    assert "mine" in berth.run("volume", "prune", "-f", "-a").stdout
    project.run("down")
    assert berth.run("volume", "rm", "used").stdout == "used\n"


def test_networks_of_the_machine(berth):
    project = berth.project({"compose.yaml": {"services": {"a": SLEEP}}})
    project.run("up", "-d")
    made = berth.run("network", "create", "--subnet", "10.77.0.0/24", "--label", "k=v",
                     "mine").stdout.strip()
    assert berth.run("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}",
                     made[:8]).stdout == "10.77.0.0/24\n"
    assert "network with name mine already exists" in berth.run(
        "network", "create", "mine", check=False).stderr
    assert berth.run("network", "rm", f"{project.name}_default", check=False).returncode == 1
    project.run("stop")
    assert berth.run("network", "prune", "-f").stdout == "Deleted Networks:\nmine\n\n"
    assert "network mine not found" in berth.run("network", "rm", "mine", check=False).stderr
    assert berth.run("network", "ls", "--format", "{{.Name}}").stdout == f"{project.name}_default\n"


def test_the_disk(berth):
    project = berth.project({"compose.yaml": {"services": {
        "a": {**SLEEP, "volumes": ["vol:/v"],
              "command": ["sleep", "infinity"]}},
        "volumes": {"vol": {}}}})
    import_text(berth, "tiny")
    anonymous = berth.run("volume", "create").stdout.strip()
    project.run("up", "-d")
    table = berth.run("system", "df", "--format",
                      "{{.Type}}: {{.TotalCount}} {{.Active}} {{.Reclaimable}}").stdout
    assert "Images: 2 1 4B (0%)" in table
    assert "Containers: 1 1 0B" in table
    assert "Local Volumes: 2 1 0B" in table
    assert f"{project.name}-a-1" in berth.run("system", "df", "-v").stdout
    assert berth.run("system", "prune", input="", check=False).returncode == 1
    pruned = berth.run("system", "prune", "-f", "-a", "--volumes").stdout
    assert anonymous in pruned and "untagged: tiny:latest" in pruned
    assert project.container("a")["State"] == "running"


def image_blobs(berth, name):
    """The files of its manifest and of its config."""
    with open(f"{berth.root}/images/index.json", encoding="utf-8") as file:
        digest = next(row["digest"] for row in json.load(file)["manifests"]
                      if name in str(row.get("annotations")))
    folder = f"{berth.root}/images/blobs/sha256"
    with open(f"{folder}/{digest[7:]}", encoding="utf-8") as file:
        config = json.load(file)["config"]["digest"]
    return [f"{folder}/{digest[7:]}", f"{folder}/{config[7:]}"]


def damages(whole):
    """Cut to nothing, cut in half, and with one byte that is another."""
    yield b""
    yield whole[:len(whole) // 2]
    for place in range(0, len(whole), len(whole) // 5):
        yield whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1:]


def test_a_damaged_blob_is_named_and_loaded_again(berth):
    import_text(berth, "tiny")
    archive = os.path.join(berth.home, "saved.tar")
    berth.run("image", "save", "-o", archive, "tiny")
    image = berth.run("image", "inspect", "-f", "{{.Id}}", "tiny").stdout
    for path in image_blobs(berth, "tiny"):
        with open(path, "rb") as file:
            whole = file.read()
        for data in damages(whole):
            with open(path, "wb") as file:
                file.write(data)
            for words, status in ((("image", "inspect", "tiny"), 1),
                                  (("container", "create", "tiny", "/x"), 125)):
                bad = berth.run(*words, check=False)
                assert bad.returncode == status
                assert (f"images/blobs/sha256/{os.path.basename(path)} is damaged: "
                        "pull or load the image again") in bad.stderr, bad.stderr
            assert berth.run("image", "ls").returncode == 0
            berth.run("image", "load", "-i", archive)
            assert berth.run("image", "inspect", "-f", "{{.Id}}", "tiny").stdout == image


def test_a_damaged_index_is_named_and_made_anew(berth):
    import_text(berth, "tiny")
    archive = os.path.join(berth.home, "saved.tar")
    berth.run("image", "save", "-o", archive, "tiny")
    index = f"{berth.root}/images/index.json"
    with open(index, "rb") as file:
        whole = file.read()
    refused = 0
    for data in damages(whole):
        with open(index, "wb") as file:
            file.write(data)
        for words in (("ls",), ("inspect", "tiny"), ("load", "-i", archive)):
            done = berth.run("image", *words, check=False)
            assert done.returncode in (0, 1), done
            if "index.json" in done.stderr:
                assert done.returncode == 1
                assert "images/index.json is damaged (" in done.stderr
                assert "move it away, then pull or load the images again" in done.stderr
                refused += 1
    assert refused >= 6
    os.unlink(index)
    berth.run("image", "load", "-i", archive)
    assert berth.run("image", "inspect", "-f", "{{.RepoTags}}", "tiny").stdout == "[tiny:latest]\n"
