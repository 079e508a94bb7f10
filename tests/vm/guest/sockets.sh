# SPDX-License-Identifier: GPL-2.0-or-later
# Sockets that systemd listens at: the first connection starts the whole project.
. /b/lib.sh
install_berth
mkdir -p /etc/berth/door
cat > /etc/berth/door/compose.yaml <<'X'
services:
  db: {image: busybox, init: true, command: sleep 100000}
  web:
    image: busybox
    depends_on: [db]
    command: [perl, -e, 'open(S, "+<&=3"); while (accept(C, S)) { $$l = <C>; syswrite C, "hello $$l"; close C; exit if $$l =~ /last/; }']
    volumes: [/usr:/usr:ro]
    stop_grace_period: 0s
    x-berth: {socket: [8088, {listen: /run/door.sock, name: local}]}
X
ask() { echo "$1" | timeout 100 busybox nc 127.0.0.1 8088; }
says() { test "$(ask "$1")" = "hello $1"; }
check "enable --now: a project of sockets" berth systemd enable --now door
check "systemd listens" has berth@door.socket SubState listening
check "... and the project is not started" has berth@door.service ActiveState inactive
check "... nor at boot" has berth@door.service UnitFileState disabled
check "the first connection is served" says one
check "... by the unit" wait_for has berth@door.service ActiveState active
check "... which says that it is well" wait_for has berth@door.service StatusText "2 of 2 healthy"
pkill -KILL -f "__supervisor door\$"
check "supervisor killed: served" says two
systemctl kill -s KILL --kill-whom=main berth@door.service
check "keeper killed: served" says three
check "keeper killed: the unit is there again" wait_for has berth@door.service ActiveState active
check "it ends by itself" says last
ended() { test "$(berth -p door ps -a --format '{{.State}}' web)" = exited; }
check "... it has ended" wait_for ended
check "... and is started again" says four
check "status has nothing to complain of" test -z "$(berth systemd status door 2>&1 > /dev/null)"
sed -i 's/8088/8089/' /etc/berth/door/compose.yaml
check "status tells of units that are stale" sh -c "berth systemd status door 2>&1 | grep -q 'berth@door.socket: not as the project has it now'"
check "stop" systemctl stop berth@door.socket berth@door.service
check "disable" berth systemd disable door
check "... no socket is left" test -z "$(find /etc/systemd -name '*door*'; ss -Hltn 'sport = 8088')"
rm -r /etc/berth/door
check "status tells of a folder that is gone" sh -c "berth systemd status door 2>&1 | grep -q 'the unit would not start the project'"
