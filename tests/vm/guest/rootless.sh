# SPDX-License-Identifier: GPL-2.0-or-later
# An ordinary user on a machine with systemd and control groups of version 2: limits, networks, the
# end of a session.
. /b/lib.sh
install_berth
useradd -m alice
loginctl enable-linger alice
uid=$(id -u alice)
mkdir -p /home/alice/r
cp /b/busybox.tar /home/alice
cat > /home/alice/r/compose.yaml <<'X'
services:
  web:
    image: busybox
    init: true
    command: sh -c 'echo hello > /www/index.html; exec httpd -f -v -p 80 -h /www'
    ports: ["18080:80"]
    volumes: [www:/www]
    mem_limit: 64m
    cpus: 0.5
    pids_limit: 50
  client:
    image: busybox
    depends_on: [web]
    command: sh -c 'until wget -qO- http://web/; do sleep 1; done; exec sleep 10000'
volumes: {www: {}}
X
chown -R alice: /home/alice
as_alice() {
	runuser -u alice -- env -C /home/alice/r HOME=/home/alice XDG_RUNTIME_DIR=/run/user/$uid "$@"
}
session_is_there() { test -S /run/user/$uid/systemd/private; }
group() {
	find /sys/fs/cgroup/user.slice/user-$uid.slice -type d -path "*/r/$(as_alice berth ps -q --no-trunc "$1")"
}
log() { cat /run/user/$uid/berth/projects/r/supervisor.log; }
got() { as_alice berth logs --no-log-prefix client | grep -qx hello; }
fetched() { test "$(timeout 20 busybox wget -qO- http://127.0.0.1:18080/)" = hello; }
nobody_left() { ! pgrep -u alice -f 'berth|pasta|httpd'; }

check "session" wait_for session_is_there
as_alice berth image import -c 'CMD ["sh"]' /home/alice/busybox.tar busybox:latest
check "up" as_alice berth up -d
check "web by name" wait_for got
check "its port" fetched
web=$(group web)
test -n "$web" || { log; cat /proc/$(supervisor r)/cgroup; }
check "a group of the user's manager" test -n "$web"
check "memory limit" test "$(cat "$web/memory.max")" = $((64 << 20))
check "processor limit" test "$(cat "$web/cpu.max")" = "50000 100000"
check "processes limit" test "$(cat "$web/pids.max")" = 50
as_alice berth logs
as_alice berth stats --no-stream
as_alice berth pause web
check "pause" grep -q 'frozen 1' "$web/cgroup.events"
check "unpause" as_alice berth unpause web
check "nothing of it for root" test "$(berth ls -q)" = ""
check "exec" as_alice berth exec -T web true
pkill -9 -u alice -f __rootless
pkill -9 -u alice -f '__supervisor r'
check "after kills" wait_for fetched
log
check "exec after kills" as_alice berth exec -T web true
check "down" as_alice berth down -v -t 1
check "nothing is left" wait_for nobody_left
check "no group is left" test "$(find /sys/fs/cgroup/user.slice -name 'berth*')" = ""
