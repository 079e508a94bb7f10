# SPDX-License-Identifier: GPL-2.0-or-later
# A stack as a unit: enabled, started, reloaded, stopped; and what may die without it.
. /b/lib.sh
install_berth
mkdir -p /etc/berth/shop
cat > /etc/berth/shop/compose.yaml <<'X'
services:
  db:
    image: busybox
    init: true
    command: sh -c "touch /tmp/ok; exec sleep 1000"
    healthcheck: {test: "test -f /tmp/ok", interval: 1s, retries: 60}
    mem_limit: 64m
    volumes: [data:/data]
  web: {image: busybox, init: true, command: sleep 1000, depends_on: {db: {condition: service_healthy}}}
volumes: {data: {}}
X
unit=berth@shop.service

check "enable --now" berth systemd enable --now shop
check "is active" has $unit ActiveState active
check "is enabled" has $unit UnitFileState enabled
check "status text" wait_for has $unit StatusText "2 of 2 healthy"
check "berth systemd status" berth systemd status shop
check "main process is the keeper" test "$(property $unit MainPID)" = "$(keeper shop)"
check "containers are below the unit" test -d /sys/fs/cgroup$(property $unit ControlGroup)/berth/shop
# The folders of the containers' control groups, and what systemd's own tools show of them.
groups() { find /sys/fs/cgroup$(property $unit ControlGroup)/berth/shop -mindepth 1 -maxdepth 1 -type d; }
in_cgls() {
	local group tree
	tree=$(systemd-cgls --no-pager -l $(property $unit ControlGroup))
	for group in $(groups); do
		case $tree in *"${group##*/}"*) ;; *) return 1 ;; esac
	done
	test "$(groups | wc -l)" = 2 && test "$(echo "$tree" | grep -c 'sleep 1000$')" -ge 2
}
# Rows: path, tasks, %CPU, memory, in, out.
tasks_in_cgtop() { systemd-cgtop -b -n 1 --depth=10 | awk -v group="$1" '{ sub("^/", "", $1) } $1 == group { print $2 }'; }
in_cgtop() {
	local group
	for group in $(groups); do
		test "$(tasks_in_cgtop "${group#/sys/fs/cgroup/}")" -ge 1 || return 1
	done
	group=$(property $unit ControlGroup)
	test "$(tasks_in_cgtop "${group#/}")" -ge 4
}
check "systemd-cgls shows them there" in_cgls
check "systemd-cgtop has rows of the unit and of them" in_cgtop
check "limit" test "$(limits shop | head -1)" = 67108864
systemctl set-property --runtime $unit MemoryMax=200M
check "the unit's own limit" test "$(cat /sys/fs/cgroup$(property $unit ControlGroup)/memory.max)" = 209715200
before=$(ids shop)

systemctl kill -s KILL --kill-whom=main $unit
check "keeper killed: another one" wait_for has $unit NRestarts 1
check "keeper killed: active" wait_for has $unit ActiveState active
check "keeper killed: no container lost" same_ids shop "$before"
check "keeper killed: limit" test "$(limits shop | head -1)" = 67108864

# Who looks at the project while it has no keeper starts one; then that is not what the unit is ended for.
look() { until test -e /tmp/enough; do berth -p shop ps > /dev/null 2>&1; sleep 0.05; done; }
look &
look &
systemctl kill -s KILL --kill-whom=main $unit
check "keeper killed while others look: another one" wait_for has $unit NRestarts 2
check "keeper killed while others look: active" wait_for has $unit ActiveState active
check "keeper killed while others look: no container lost" same_ids shop "$before"
check "keeper killed while others look: it is the unit's" wait_for test "$(property $unit MainPID)" = "$(keeper shop)"
check "restart while others look" systemctl restart $unit
check "restart while others look: active" has $unit ActiveState active
touch /tmp/enough
wait
before=$(ids shop)

pkill -KILL -f "__supervisor shop"
check "supervisor killed: another one" wait_for supervisor shop
check "supervisor killed: no container lost" same_ids shop "$before"

check "supervisor reexec" berth supervisor reexec shop
systemctl daemon-reexec
check "daemon-reexec: no container lost" same_ids shop "$before"
check "daemon-reexec: active" has $unit ActiveState active

mkdir -p /run/systemd/system/$unit.d
printf '[Service]\nWatchdogSec=40\n' > /run/systemd/system/$unit.d/watchdog.conf
systemctl daemon-reload
check "restart is down and up" systemctl restart $unit
check "restart: other containers" test "$(ids shop)" != "$before"
before=$(ids shop)
main=$(property $unit MainPID)
hung=$(supervisor shop)
kill -STOP $hung
replaced() { local now; now=$(supervisor shop) && test "$now" != "$hung"; }
check "watchdog: the supervisor is replaced" wait_for replaced
check "watchdog: the keeper is not" has $unit MainPID "$main"
check "watchdog: no container lost" same_ids shop "$before"

sed -i 's/64m/32m/' /etc/berth/shop/compose.yaml
check "reload" systemctl reload $unit
check "reload: the new limit" test "$(limits shop | head -1)" = 33554432
cp /etc/berth/shop/compose.yaml /etc/berth/good
echo 'services: {a: {imag: x}}' > /etc/berth/shop/compose.yaml
check "reload of a bad file fails" test "$(systemctl reload $unit 2> /dev/null; echo $?)" != 0
check "... and changes nothing" has $unit ActiveState active
mv /etc/berth/good /etc/berth/shop/compose.yaml

check "down by hand" berth -p shop down
check "... is an end, not a failure" wait_for has $unit ActiveState inactive
check "start" systemctl start $unit
berth -p shop events > /tmp/events &
follower=$!
check "stop while another one follows" systemctl stop $unit
check "... is no failure" has $unit Result success
check "start" systemctl start $unit
check "... is followed" wait_for grep -q 'container start' /tmp/events
kill $follower
check "stop" systemctl stop $unit
check "stop: no container" test -z "$(berth -p shop ps -aq)"
check "stop: the volume is kept" test "$(berth volume ls -q)" = shop_data
check "stop: no control group" test -z "$(find /sys/fs/cgroup -path '*berth/shop*')"

echo 'services: {bad: {image: busybox, command: "false"}, b: {image: busybox, depends_on: {bad: {condition: service_completed_successfully}}}}' \
	> /etc/berth/shop/compose.yaml
check "a project that fails fails its unit" test "$(systemctl start $unit 2> /dev/null; echo $?)" != 0
check "... at once" has $unit NRestarts 0
case $(property $unit StatusText) in *bad*"exit 1"*) echo "ok the status says which service" ;; *) echo "not ok the status says which service" ;; esac
check "... the journal says which and why" sh -c "journalctl -u $unit | grep -q 'service \"bad\".*exit 1'"
check "disable" berth systemd disable --now shop
check "is not enabled" sh -c "! systemctl is-enabled -q $unit"
