# SPDX-License-Identifier: GPL-2.0-or-later
# A stack that no unit started: it has a scope, and does not end with who started it.
. /b/lib.sh
install_berth
mkdir -p /srv/shop
cd /srv/shop
echo 'services: {a: {image: busybox, init: true, command: sleep 1000, mem_limit: 64m}}' > compose.yaml
own_group() { cut -d: -f3 "/proc/$(keeper shop)/cgroup"; }

check "up in a session" systemd-run --quiet --unit=session --scope berth up -d
check "has a scope" test "$(own_group)" = /system.slice/berth-shop.scope/supervisor
check "which holds the containers" test -d /sys/fs/cgroup/system.slice/berth-shop.scope/berth/shop
check "limit" test "$(limits shop | head -1)" = 67108864
systemctl stop session.scope 2> /dev/null
check "outlives the session" wait_for keeper shop
before=$(ids shop)
pkill -KILL -f "__keeper shop"
check "keeper killed: no container lost" same_ids shop "$before"
check "... the scope has the next one" test "$(own_group)" = /system.slice/berth-shop.scope/supervisor
check "... limit" test "$(limits shop | head -1)" = 67108864
pkill -KILL -f "__keeper shop"
check "a unit of one's own is as good" systemd-run --quiet --unit=own --wait -p Delegate=yes \
	-p KillMode=process -p WorkingDirectory=/srv/shop berth up -d
check "... no container lost" same_ids shop "$before"
check "enable takes it over" berth systemd enable --now
check "... into the unit" test -d "/sys/fs/cgroup$(property berth@shop ControlGroup)/berth/shop"
check "stop" systemctl stop berth@shop
check "nothing is left" test -z "$(find /sys/fs/cgroup -path '*berth/shop*')"
