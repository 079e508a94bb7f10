# SPDX-License-Identifier: GPL-2.0-or-later
"""What needs systemd as process 1: see README.md."""

import pytest

from tests.vm import machine


@pytest.mark.parametrize("suite", machine.SUITES)
@pytest.mark.parametrize("script", ["units.sh", "scopes.sh"])
def test_units(suite, script, tmp_path):
    machine.run(suite, script, str(tmp_path))


@pytest.mark.parametrize("suite", machine.SUITES)
def test_boots(suite, tmp_path):
    disk = machine.Disk(suite, str(tmp_path))
    output = disk.boot("boot1")
    machine.verdict(output, "job ended" in output)
    output = disk.boot("boot2", cut=True, until=r"^cut now")
    machine.verdict(output, "cut now" in output)
    output = disk.boot("boot3")
    machine.verdict(output, "job ended" in output)
