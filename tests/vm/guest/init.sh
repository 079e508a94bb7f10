# SPDX-License-Identifier: GPL-2.0-or-later
# A container of Debian with systemd as its first process: /b/machine.tar.
. /b/lib.sh
install_berth
berth image import -c 'CMD ["/sbin/init"]' /b/machine.tar machine:latest > /dev/null
mkdir -p /srv/m
cd /srv/m
cat > compose.yaml <<'X'
services:
  a:
    image: machine
    mem_limit: 512m
    stop_grace_period: 120s
    healthcheck: {test: "systemctl is-system-running | grep -Eq 'running|degraded'", interval: 5s, timeout: 60s, retries: 60}
    volumes: [data:/data]
volumes: {data: {}}
X
inside() { berth exec -T a "$@"; }
group() { dirname "$(find /sys/fs/cgroup -path '*/berth/m/*/init.scope' | head -1)"; }

check "up --wait: it boots" berth up -d --wait --wait-timeout 500
state=$(inside systemctl is-system-running)
echo "state: $state"
inside systemctl --failed --no-legend --plain
check "running" test "$state" = running
check "it is systemd" test "$(inside cat /proc/1/comm)" = systemd
check "it knows that it is in a container" test "$(inside systemd-detect-virt -c)" = container-other
check "it has a group of its own for each unit" test -d "$(group)/system.slice/dbus.service"
check "its group has controllers" grep -q memory "$(group)/cgroup.subtree_control"
check "limit" test "$(cat "$(group)/memory.max")" = 536870912
check "it cannot lift its own limit" sh -c "! berth exec -T a sh -c 'echo max > /sys/fs/cgroup/memory.max' 2> /dev/null"
check "a transient unit" inside systemd-run --quiet --wait -p MemoryMax=20M -p CPUQuota=50% /bin/true
check "top shows its daemons" sh -c "berth top | grep -q dbus-daemon"
check "stats" sh -c "berth stats --no-stream --format '{{.PIDs}}' | grep -Eq '^[1-9]'"
inside sh -c "printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/touch /data/stopped\n' > /etc/systemd/system/last.service"
check "a unit of its own" inside systemctl start last
pkill -KILL -f "__supervisor m\$"
check "supervisor killed: it goes on" wait_for inside systemctl is-active -q last
check "stop" berth stop
check "it shut its units down" test -e /var/lib/berth/volumes/m_data/_data/stopped
status=$(berth ps -a --format '{{.Status}}')
echo "status: $status"
check "it was not killed" test "${status#*137}" = "$status"
check "start again" berth up -d --wait --wait-timeout 500
check "down" berth down -v
check "no control group is left" test -z "$(find /sys/fs/cgroup -path '*berth/m*')"
