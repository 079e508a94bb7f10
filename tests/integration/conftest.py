# SPDX-License-Identifier: GPL-2.0-or-later
"""The fixture `berth`: a sandbox of its own for each test (tests/support/sandbox.py).

    def test_up(berth):
        project = berth.project({"compose.yaml": "services: {a: {image: busybox, command: top}}"})
        project.run("up", "-d")
        project.wait_state("a", "running")

The program under test is $BERTH (build/release/berth unless said); with BERTH_TEST_USER=1 an
ordinary user runs it, which not all tests are made for. Afterwards every project is
taken down, and a process, mount, link, firewall rule, cgroup or file that is left is a failure.
"""

import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

from tests.support import sandbox as sandboxes  # noqa: E402
from tests.support import user as users  # noqa: E402


def pytest_configure(config):
    # Whoever runs us in the background of a script has these ignored, and so would what we start.
    # (A worker of xdist's may be another thread than its main one, which alone can change that.)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Shared by the workers of one run, removed by who made it.
    if not hasattr(config, "workerinput"):
        config.berth_shared = tempfile.mkdtemp(prefix="bt-shared-", dir=sandboxes.BASE)
        os.environ["BERTH_TEST_SHARED"] = config.berth_shared


def pytest_unconfigure(config):
    if hasattr(config, "berth_shared"):
        shutil.rmtree(config.berth_shared, ignore_errors=True)


def pytest_collection_modifyitems(items):
    if os.geteuid() != 0:
        skip = pytest.mark.skip(reason="needs root: namespaces, mounts and cgroups")
        for item in items:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared():
    return os.environ["BERTH_TEST_SHARED"]


@pytest.fixture(scope="session")
def template(shared):
    """The state folder with busybox, made by the first worker that needs it."""
    path = os.path.join(shared, "template")
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(f"{path}.done"):
            shutil.rmtree(path, ignore_errors=True)
            sandboxes.make_template(path)
            open(f"{path}.done", "w").close()
    return path


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    sandbox = getattr(item, "funcargs", {}).get("berth")
    if report.failed and sandbox is not None:
        text = sandbox.diagnostics() if report.when == "call" else sandbox.last_log
        report.sections.append(("berth's logs and records", text))


@pytest.fixture
def berth(template, shared, request):
    kind = users.UserSandbox if os.environ.get("BERTH_TEST_USER") else sandboxes.Sandbox
    sandbox = kind(template, shared)
    try:
        yield sandbox
        problems = sandbox.finish()
    finally:
        sandbox.close()
    if problems:
        pytest.fail("after the test:\n" + "\n".join(problems), pytrace=False)
