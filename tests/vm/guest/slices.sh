# SPDX-License-Identifier: GPL-2.0-or-later
# cgroup_parent: slices of systemd's, whose limits hold for the containers in them.
. /b/lib.sh
install_berth
mkdir -p /srv/sl
cd /srv/sl
cat > compose.yaml <<'X'
services:
  a: {image: busybox, init: true, command: sleep 100000, cgroup_parent: shop-front.slice, mem_limit: 64m}
  b: {image: busybox, init: true, command: sleep 100000, cgroup_parent: shop-front.slice}
  c: {image: busybox, init: true, command: sleep 100000}
X
slice=/sys/fs/cgroup/shop.slice/shop-front.slice
scope=$slice/berth-sl-shop-front.scope
id() { berth ps -q --no-trunc "$1"; }
in_slice() { test -d "$scope/$(id "$1")"; }

check "up" berth up -d
check "in a scope of the slice" in_slice a
check "... both in one" in_slice b
check "... the others are not" sh -c "! test -d $scope/$(id c)"
check "limit" test "$(cat "$scope/$(id a)/memory.max")" = 67108864
check "nobody is there but containers" sh -c "! grep . $scope/cgroup.procs"
check "systemctl status shows them" sh -c "systemctl status shop-front.slice --no-pager | grep -q 'sleep 100000'"
systemctl set-property --runtime shop-front.slice MemoryMax=80M MemorySwapMax=0
check "the slice's limit" test "$(cat $slice/memory.max)" = 83886080
berth exec -T b sh -c 'tail -c 150m /dev/zero' > /dev/null 2>&1
code=$?
check "... is felt" test $code = 137
before=$(ids sl)
pkill -KILL -f "__supervisor sl\$"
check "supervisor killed: it knows where they are" sh -c "berth stats --no-stream --format '{{.PIDs}}' a | grep -Eq '^[1-9]'"
check "... nobody is lost" same_ids sl "$before"
check "restart" berth restart b
check "... in the slice again" in_slice b
check "stop" berth stop
gone() { ! test -d $scope; }
check "... the scope ends" wait_for gone
check "start" berth start
check "... it is there again" in_slice a
check "a single container" berth container run -d --name single --cgroup-parent other.slice busybox sleep 100000
check "... is in its slice" sh -c "ls -d /sys/fs/cgroup/other.slice/berth-*.scope/*/cgroup.procs > /dev/null"
check "... goes" berth container rm -f single
check "stopping the slice stops them" systemctl stop shop-front.slice
ended() { test "$(berth ps -a --format '{{.State}}' b)" = exited; }
check "... and that is known" wait_for ended
check "down" berth down
check "the scope ends with the last" wait_for gone

# A manager that takes calls and never answers: what is in no slice goes on meanwhile.
mute() {
	perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/run/mute")) or die;
		listen(S, 100); sleep 1000' &
	mute=$!
	wait_for test -S /run/mute
	mount --bind /run/mute /run/systemd/private
}
unmute() {
	umount /run/systemd/private
	kill $mute
	rm -f /run/mute
}
cat > compose.yaml <<'X'
services:
  a: {image: busybox, init: true, command: sleep 100000, cgroup_parent: shop-front.slice, restart: always}
  b: {image: busybox, init: true, command: sleep 100000, cgroup_parent: shop-front.slice}
  c: {image: busybox, init: true, command: sleep 100000}
  d: {image: busybox, init: true, command: sleep 100000}
X
state() { berth ps -a --format '{{.State}}' "$1"; }
is() { test "$(state "$1")" = "$2"; }
running() { is "$1" running; }
check "with one that is in no slice" berth up -d d
mute
berth up -d a b c > /tmp/up 2>&1 &
up=$!
check "systemd does not answer: what is in no slice starts" wait_for running c
check "... the others wait" is a created
start=$(date +%s)
check "... exec" berth exec -T d true
check "... stop waits for nobody" berth stop -t 0
took=$(($(date +%s) - start))
wait $up
check "... up says what came between" grep -q "interrupted by" /tmp/up
echo "exec and stop: $took s"
check "... in good time" test $took -lt 25
check "what systemd does not answer fails" sh -c "! berth up -d a > /tmp/up 2>&1"
cat /tmp/up
check "... and says why" grep -q "cgroup_parent shop-front.slice: systemd does not answer" /tmp/up
unmute
check "systemd answers again" berth up -d
check "... in the slice" in_slice a
mute
kill -KILL "$(cat "$scope/$(id a)/cgroup.procs" | head -1)"
waits() { pgrep -f __helper-job; }
check "restarted: it waits for systemd" wait_for waits
pkill -KILL -f "__supervisor sl\$"
unmute
check "... supervisor killed: it is started again" wait_for running a
check "... in the slice" in_slice a
check "down" berth down -t 0
check "nothing is left" wait_for gone
