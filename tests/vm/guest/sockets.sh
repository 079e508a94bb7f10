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

# Datagrams, an abstract socket, and two services that each have their own.
mkdir -p /etc/berth/gram
cat > /etc/berth/gram/compose.yaml <<'X'
services:
  echo:
    image: busybox
    command: [perl, -e, 'open(S, "+<&=3"); while ($$p = recv(S, $$b, 100, 0)) { send(S, "echo $$b", 0, $$p); }']
    volumes: [/usr:/usr:ro]
    stop_grace_period: 0s
    x-berth: {socket: 8090/udp}
  local:
    image: busybox
    command: [perl, -e, 'open(S, "+<&=3"); while (accept(C, S)) { $$l = <C>; syswrite C, "local $$l"; close C; }']
    volumes: [/usr:/usr:ro]
    stop_grace_period: 0s
    x-berth: {socket: "@gram"}
X
datagram() {
	perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); alarm 100;
		send(S, "one", 0, sockaddr_in(8090, inet_aton("127.0.0.1"))); recv(S, $b, 100, 0); print $b'
}
abstract() {
	perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); alarm 100; $p = pack("Sa*", PF_UNIX, "\0gram");
		connect(S, $p) or die; syswrite S, "two\n"; sysread S, $b, 100; print $b'
}
check "datagrams: enable" berth systemd enable --now gram
check "datagrams: the first is answered" test "$(datagram)" = "echo one"
check "datagrams: and the next" test "$(datagram)" = "echo one"
state() { berth -p gram ps -a --format '{{.State}}' "$1"; }
check "the other service still waits" test "$(state local)" = created
check "an abstract socket" test "$(abstract)" = "local two"
check "datagrams: stop" berth systemd disable --now gram

# One that cannot be brought up: who connects is turned away, and systemd goes on listening.
mkdir -p /etc/berth/broken
echo 'services: {web: {image: "nowhere/none", pull_policy: never, x-berth: {socket: 8091}}}' > /etc/berth/broken/compose.yaml
check "broken: enable" berth systemd enable --now broken
try() { echo hello | timeout 60 busybox nc 127.0.0.1 8091; }
try
check "broken: who connects does not wait" test $? != 124
check "broken: the unit has failed" wait_for has berth@broken.service ActiveState failed
check "broken: and says why" sh -c "systemctl show berth@broken -P StatusText | grep -q none"
settled() { has berth@broken.socket SubState listening && has berth@broken.service ActiveState failed; }
sleep 5
check "broken: systemd listens, and tries no more" wait_for settled
check "broken: once is enough" test "$(journalctl -q -o cat MESSAGE_ID=a6519e3f0d8b4c27b4e1c7f2d5a0836b BERTH_PROJECT=broken | wc -l)" = 1
cat > /etc/berth/broken/compose.yaml <<'X'
services:
  web:
    image: busybox
    command: [perl, -e, 'open(S, "+<&=3"); while (accept(C, S)) { $$l = <C>; syswrite C, "mended $$l"; close C; }']
    volumes: [/usr:/usr:ro]
    stop_grace_period: 0s
    x-berth: {socket: 8091}
X
check "broken: mended, the next connection is served" test "$(try)" = "mended hello"
check "broken: disable" berth systemd disable --now broken
check "... nothing is left" test -z "$(find /etc/systemd -name '*broken*' -o -name '*gram*'; ss -Hltnu 'sport = 8090 or sport = 8091')"
