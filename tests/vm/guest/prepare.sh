# SPDX-License-Identifier: GPL-2.0-or-later
# The first boot of a disk that stays: from now on /srv/job of the second disk runs at each boot.
cat > /etc/systemd/system/vm-job.service <<'X'
[Unit]
Description=The job of the test
After=network.target

[Service]
ExecStart=/bin/sh -c 'rm -rf /b; mkdir /b; tar xf /dev/vdb -C /b; exec bash /b/job'
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
X
ln -s ../vm-job.service /etc/systemd/system/multi-user.target.wants/
rm -f /etc/systemd/system/multi-user.target.wants/vm-agent.service
sync
