# SPDX-License-Identifier: GPL-2.0-or-later
"""An image store on disk, looked at without berth: is it whole, and is nothing in it unused?"""

import hashlib
import json
import os


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(
            hashlib, "file_digest") else hashlib.sha256(file.read()).hexdigest()


def _chains(diffs):
    chain = ""
    for diff in diffs:
        chain = diff[7:] if not chain else hashlib.sha256(
            f"sha256:{chain} {diff}".encode()).hexdigest()
        yield chain


class Store:
    def __init__(self, root):
        self.blob_dir, self.layer_dir = f"{root}/images/blobs/sha256", f"{root}/layers"
        self.cache_dir = f"{root}/build/cache"
        index = f"{root}/images/index.json"
        self.entries = json.loads(_read(index))["manifests"] if os.path.exists(index) else []
        self.blobs = set(os.listdir(self.blob_dir))
        names = os.listdir(self.layer_dir)
        self.layers = {name for name in names if len(name) == 64}
        self.records = {name[:-5] for name in names if name.endswith(".json")}
        self.others = [name for name in names if len(name) != 64 and not name.endswith(".json")]

    def blob(self, digest):
        return json.loads(_read(f"{self.blob_dir}/{digest[7:]}"))

    def manifests(self):
        """Of the entries, and of what their names stand for besides."""
        for entry in self.entries:
            yield entry
            index = self.index_of(entry)
            yield from self.blob(index)["manifests"] if index else ()

    @staticmethod
    def index_of(entry):
        return entry.get("annotations", {}).get("berth.index")

    def needed(self):
        """What the index and the build cache's records lead to: (blobs, layers)."""
        blobs, layers = set(), set()
        for entry in self.manifests():
            manifest = self.blob(entry["digest"])
            rows = [entry, manifest["config"], *manifest["layers"]]
            blobs |= {self.index_of(entry)[7:]} if self.index_of(entry) else set()
            blobs |= {row["digest"][7:] for row in rows}
            for row in rows[1:]:
                size = os.stat(f"{self.blob_dir}/{row['digest'][7:]}").st_size
                assert size == row["size"], (row, size)
            if entry.get("platform", {}).get("os") == "unknown":
                continue  # says something of an image, and is none
            layers |= set(_chains(self.blob(manifest["config"]["digest"])["rootfs"]["diff_ids"]))
        cached_blobs, cached_layers = self.cached()
        assert cached_layers <= self.layers, "the cache names layers that are not there"
        return blobs, layers, cached_blobs & self.blobs, cached_layers

    def cached(self):
        blobs, layers = set(), set()
        for name in os.listdir(self.cache_dir) if os.path.isdir(self.cache_dir) else []:
            try:
                record = json.loads(_read(f"{self.cache_dir}/{name}"))
            except ValueError:
                continue
            blobs |= {record["diff"]} if record.get("diff") else set()
            layers |= {record["chain"]} if record.get("chain") else set()
        return {blob.removeprefix("sha256:") for blob in blobs}, layers

    def check_whole(self):
        """Whatever is called by a digest has it, and whatever is needed is there."""
        for name in self.blobs:
            assert _digest(f"{self.blob_dir}/{name}") == name, f"blob {name} is another"
        blobs, layers, _, _ = self.needed()
        assert blobs <= self.blobs, blobs - self.blobs
        assert layers <= self.layers, layers - self.layers
        assert self.layers <= self.records, f"without a record: {self.layers - self.records}"

    def check_tight(self):
        """Nothing is there that nobody needs; once whatever was killed has been cleared up."""
        blobs, layers, cached_blobs, cached_layers = self.needed()
        assert self.blobs == blobs | cached_blobs, self.blobs ^ (blobs | cached_blobs)
        assert self.layers == layers | cached_layers, self.layers ^ (layers | cached_layers)
        assert self.records == self.layers and not self.others, (self.records, self.others)
