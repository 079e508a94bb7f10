# SPDX-License-Identifier: GPL-2.0-or-later
# A stack as a unit of an ordinary user's systemd: enabled, started, reloaded, stopped; what may die
# without it; its limits, timers, sockets and journal; the end of the user's systemd.
. /b/lib.sh
install_berth
useradd -m alice
uid=$(id -u alice)
home=/home/alice
as_alice() { runuser -u alice -- env -C $home HOME=$home XDG_RUNTIME_DIR=/run/user/$uid "$@"; }
manager() { as_alice systemctl --user "$@"; }
property() { manager show "$1" -P "$2"; }
ids() { as_alice berth -p "$1" ps -q | sort; }
limits() { cat $(find /sys/fs/cgroup/user.slice -path "*/$1/*" -name memory.max) /dev/null | sort -u; }
session_is_there() { test -S /run/user/$uid/systemd/private; }
keeper() { pgrep -u alice -f "__keeper $1\$"; }
supervisor() { pgrep -u alice -f "__supervisor $1\$"; }
holder() { pgrep -u alice -f 'berth __rootless'; }
says() { grep -q -- "$1" /tmp/out || { cat /tmp/out; return 1; }; }
mkdir -p $home/.config/berth/shop $home/here
cp /b/busybox.tar $home
cat > $home/.config/berth/shop/compose.yaml <<'X'
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
cat > $home/here/compose.yaml <<'X'
services:
  web:
    image: busybox
    command: [perl, -e, 'open(S, "+<&=3"); while (accept(C, S)) { $$l = <C>; syswrite C, "hello $$l"; close C; }']
    volumes: [/usr:/usr:ro]
    stop_grace_period: 0s
    x-berth: {socket: "127.0.0.1:18099"}
X
chown -R alice: $home
unit=berth@shop.service

as_alice env -u XDG_RUNTIME_DIR berth systemd enable --user shop > /tmp/out 2>&1
check "without a session it says what to do" says "enable-linger $uid"
as_alice berth systemd enable shop > /tmp/out 2>&1
check "without --user it says so" says "berth systemd enable --user"
berth systemd enable --user > /tmp/out 2>&1
check "root has none" says "as that user"
loginctl enable-linger alice
check "session" wait_for session_is_there
as_alice berth image import -c 'CMD ["sh"]' $home/busybox.tar busybox:latest
check "enable --now" as_alice berth systemd enable --user --now shop
check "is active" has $unit ActiveState active
has $unit ActiveState active || {
	as_alice berth systemd status --user shop
	journalctl -q --no-pager _UID=$uid | tail -40
	cat /proc/$(holder)/cgroup
	exit 1
}
check "is enabled" has $unit UnitFileState enabled
check "status text" wait_for has $unit StatusText "2 of 2 healthy"
check "berth systemd status" as_alice berth systemd status --user shop
check "main process is the keeper" test "$(property $unit MainPID)" = "$(keeper shop)"
group=/sys/fs/cgroup$(property $unit ControlGroup)
check "containers are below the unit" test -n "$(find $group -type d -path '*/shop/*')"
check "limit" test "$(limits shop | head -1)" = 67108864
manager set-property --runtime $unit MemoryMax=200M
check "the unit's own limit" test "$(cat $group/memory.max)" = 209715200
check "who holds the namespaces is in no unit" grep -q berth-namespaces.scope /proc/$(holder)/cgroup
check "the journal" sh -c "journalctl _UID=$uid USER_UNIT=$unit + _SYSTEMD_USER_UNIT=$unit | grep -q ."
as_alice journalctl --user -u $unit > /tmp/out 2>&1
check "the user's journal" says berth
as_alice journalctl --user BERTH_SERVICE=db > /tmp/out 2>&1
check "... by service" says shop-db-1
before=$(ids shop)

pkill -KILL -u alice -f "__keeper shop\$"
check "keeper killed: another one" wait_for has $unit NRestarts 1
check "keeper killed: active" wait_for has $unit ActiveState active
check "keeper killed: no container lost" same_ids shop "$before"
check "keeper killed: limit" test "$(limits shop | head -1)" = 67108864
pkill -KILL -u alice -f "__supervisor shop\$"
check "supervisor killed: another one" wait_for supervisor shop
check "supervisor killed: no container lost" same_ids shop "$before"
pkill -KILL -u alice -f "berth __rootless"
check "holder killed: no container lost" same_ids shop "$before"
check "holder killed: another one" wait_for holder
check "holder killed: in its scope" grep -q berth-namespaces.scope /proc/$(holder)/cgroup

sed -i 's/64m/32m/' $home/.config/berth/shop/compose.yaml
check "reload" manager reload $unit
check "reload: the new limit" test "$(limits shop | head -1)" = 33554432
check "restart is down and up" manager restart $unit
check "restart: other containers" test "$(ids shop)" != "$before"
check "stop" manager stop $unit
check "stop: no container" test -z "$(as_alice berth -p shop ps -aq)"
check "stop: the volume is kept" test "$(as_alice berth volume ls -q)" = shop_data
check "stop: no control group" test -z "$(find /sys/fs/cgroup/user.slice -path '*shop*')"

echo '  job: {image: busybox, command: echo ran, x-berth: {schedule: "*:*:0/10"}}' > /tmp/job
sed -i '/^services:/r /tmp/job' $home/.config/berth/shop/compose.yaml
check "a job: enable" as_alice berth systemd enable --user shop
check "a job: start" manager start $unit
check "a job: its timer" has berth-shop-job.timer ActiveState active
ran() { as_alice berth -p shop logs job | grep -q ran; }
check "a job: it runs" wait_for ran

check "a socket: enable --now" as_alice env -C $home/here berth systemd enable --user --now
check "a socket: listens" has berth@here.socket ActiveState active
check "a socket: no project yet" has berth@here.service ActiveState inactive
check "a socket: the connection starts it" test "$(echo one | timeout 100 busybox nc 127.0.0.1 18099)" = "hello one"

systemctl stop user@$uid.service
gone() { ! pgrep -u alice; }
check "the user's systemd ends: nothing is left" wait_for gone
check "... no link" test -z "$(ip -br link | grep -E 'veth|br-')"
systemctl start user@$uid.service
check "... and starts it again" wait_for has $unit ActiveState active
check "disable" as_alice berth systemd disable --user --now shop
check "disable of the socket" as_alice env -C $home/here berth systemd disable --user --now
is_enabled() { manager is-enabled -q $unit; }
not_enabled() { ! is_enabled; }
check "is not enabled" not_enabled
check "no file is left" test -z "$(find $home/.config/systemd ! -type d)"
left() { pgrep -u alice -f 'berth|pasta|sleep'; }
none_left() { ! left; }
check "no process is left" wait_for none_left
