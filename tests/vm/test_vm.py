# SPDX-License-Identifier: GPL-2.0-or-later
"""What needs systemd as process 1: see README.md."""

import pytest

from tests.vm import machine


@pytest.mark.parametrize("suite", machine.SUITES)
@pytest.mark.parametrize("script", ["units.sh", "scopes.sh", "limits.sh", "features.sh",
                                    "slices.sh", "sockets.sh", "admin.sh", "messages.sh",
                                    "places.sh", "hands.sh"])
def test_units(suite, script, tmp_path):
    machine.run(suite, script, str(tmp_path))


@pytest.mark.parametrize("suite", machine.SUITES)
@pytest.mark.parametrize("script", ["rootless.sh", "users.sh"])
def test_an_ordinary_user(suite, script, tmp_path):
    machine.run(suite, script, str(tmp_path), 1150, more="uidmap passt")


@pytest.mark.parametrize("suite", machine.SUITES)
def test_systemd_in_a_container(suite, tmp_path):
    machine.vm_command()
    machine.debian_tar(suite, str(tmp_path / "machine.tar"))
    machine.run(suite, "init.sh", str(tmp_path), 1500)


@pytest.mark.parametrize("suite", machine.SUITES)
def test_package(suite, tmp_path):
    machine.vm_command()
    (tmp_path / "b").mkdir()
    machine.packages(str(tmp_path / "b"))
    machine.run(suite, "deb.sh", str(tmp_path / "b"), 1500, machine.DEPENDS[suite])


@pytest.mark.parametrize("suite", machine.SUITES)
@pytest.mark.parametrize("cases,more", [("plain nftables", ""), ("ufw docker", "ufw docker.io"),
                                        ("firewalld", "firewalld")])
def test_firewalls(suite, cases, more, tmp_path):
    machine.run(suite, f"firewall.sh {cases}", str(tmp_path), 1500, more)


@pytest.mark.parametrize("suite", machine.SUITES)
def test_boots(suite, tmp_path):
    disk = machine.Disk(suite, str(tmp_path))
    output = disk.boot("boot1")
    machine.verdict(output, "job ended" in output)
    output = disk.boot("boot2", cut=True, until=r"^cut now")
    machine.verdict(output, "cut now" in output)
    output = disk.boot("boot3")
    machine.verdict(output, "job ended" in output)
    if suite != "bookworm":  # `systemctl soft-reboot` is of systemd 254
        output = disk.boot("soft")
        machine.verdict(output, "job ended" in output)
