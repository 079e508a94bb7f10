# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary user in a sandbox, who runs berth without root."""

import os
import shutil

import pytest

from tests.support import sandbox as sandboxes
from tests.support.sandbox import wait_until

UID = 12345
FILES = {"passwd": f"alice:x:{UID}:{UID}::{{home}}:/bin/sh\n", "group": f"alice:x:{UID}:\n",
         "subuid": "alice:200000:65536\n", "subgid": "alice:300000:65536\n"}

# With BERTH_TEST_USER=1, for what no ordinary user can do, or see the result of.
needs_root = pytest.mark.skipif(bool(os.environ.get("BERTH_TEST_USER")), reason="needs root")


class User:
    """Alice, in a sandbox: /etc knows her there, and she has a home and a session's folder."""

    def __init__(self, berth):
        self.berth = berth
        self.home = os.path.join(berth.base, "alice")
        self.session = os.path.join(berth.base, "alice-session")
        self.runtime_dir = os.path.join(self.session, "berth")
        os.chmod(berth.base, 0o777)  # for the sanitizers' reports
        # The checkout may be in a folder that only root may enter.
        self.program = os.path.join(berth.base, "berth")
        shutil.copy(sandboxes.binary(), self.program)
        for path in (self.home, self.session):
            os.mkdir(path)
            os.chown(path, UID, UID)
        for name, line in FILES.items():
            self.etc(name, line.format(home=self.home))
        # Here only root may open it; elsewhere everybody may.
        tun = os.path.join(berth.base, "tun")
        os.mknod(tun, 0o20666, os.makedev(10, 200))
        os.chmod(tun, 0o666)
        berth.command(["mount", "--bind", tun, "/dev/net/tun"])
        berth.baseline = berth._snapshot()

    def etc(self, name, text):
        path = os.path.join(self.berth.base, f"etc-{name}")
        known = open(f"/etc/{name}").read() if name in ("passwd", "group") else ""
        with open(path, "w") as file:
            file.write(known + text)
        self.berth.command(["mount", "--bind", path, f"/etc/{name}"])

    def as_user(self, argv):
        return ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups", *argv]

    def env(self, env=None):
        return {"HOME": self.home, "XDG_RUNTIME_DIR": self.session, "BERTH_ROOT": None,
                "BERTH_RUNTIME_DIR": None, **(env or {})}

    def run(self, *args, cwd=None, env=None, path=os.environ["PATH"], **options):
        return self.berth.command(self.as_user(["env", f"PATH={path}", self.program, *args]),
                                  cwd=cwd or self.home, env=self.env(env), **options)

    def popen(self, *args, cwd=None, env=None, **options):
        return self.berth.popen_command(self.as_user([self.program, *args]),
                                        cwd=cwd or self.home, env=self.env(env), **options)

    def project(self, text, name="stack"):
        path = os.path.join(self.home, name)
        os.mkdir(path)
        os.chown(path, UID, UID)
        with open(os.path.join(path, "compose.yaml"), "w") as file:
            file.write(text)
        return path

    def image(self, tar=None, name="busybox"):
        mine = os.path.join(self.home, "image.tar")
        shutil.copy(tar or f"{self.berth.template}.tar", mine)
        self.run("image", "import", "-c", 'CMD ["sh"]', mine, name)

    def holders(self):
        return self.berth.own_pids_of("__rootless")

    def nothing_left(self):
        """No process, and of the session's folder only what is locked."""
        wait_until(lambda: not self.berth.inside_processes(), 10, "all processes have ended")
        left = [os.path.join(parent, name) for parent, _, names in os.walk(self.runtime_dir)
                for name in names]
        assert [path for path in left if os.path.basename(path) != "lock"] == []
        assert self.berth.leftovers() == []


class UserSandbox(sandboxes.Sandbox):
    """A sandbox in which `berth.run` and the like are an ordinary user's: see conftest.py."""

    def __init__(self, template, shared):
        super().__init__(template, shared)
        self.user = User(self)
        self.program = self.user.as_user([self.user.program])
        os.chmod(shared, 0o755)
        # Layers are the user's own.
        shutil.rmtree(self.root)
        os.mkdir(self.root)
        for path in (self.root, self.runtime_dir, self.home):
            self.give(path)
        self.run("image", "import", "-c", 'CMD ["sh"]', f"{template}.tar", "busybox:latest",
                 cwd=self.home)

    def give(self, path):
        if os.stat(path).st_uid != UID:
            os.chown(path, UID, UID)
