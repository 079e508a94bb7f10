# SPDX-License-Identifier: GPL-2.0-or-later
# What is said of a unit that waits, and of one that fails: one message, and a status.
. /b/lib.sh
install_berth
id=a6519e3f0d8b4c27b4e1c7f2d5a0836b
unit=berth@shop.service
mkdir -p /etc/berth/shop
echo 'services: {web: {image: busybox}}' > /etc/berth/shop/compose.yaml
check "enable" berth systemd enable shop
messages() { journalctl -q --no-pager -o cat MESSAGE_ID=$id BERTH_PROJECT=shop "$@"; }
# fails CASE SERVICE REASON: the project as it is in standard input
fails() {
	cat > /etc/berth/shop/compose.yaml
	local before
	before=$(messages | grep -c .)
	check "$1: fails the unit" sh -c "! systemctl start $unit 2> /tmp/start"
	check "$1: as a failure" has $unit ActiveState failed
	check "$1: at once" has $unit NRestarts 0
	messages | tail -n +$((before + 1)) | tee /tmp/message
	check "$1: one message" test "$(grep -c 'start failed' /tmp/message)" = 1
	check "$1: with the reason" grep -q -- "$3" /tmp/message
	check "$1: of priority err" test -n "$(messages PRIORITY=3 | tail -n +$((before + 1)))"
	test -z "$2" || check "$1: with the service" test -n "$(messages BERTH_SERVICE="$2")"
	property $unit StatusText
	check "$1: the status has the reason" sh -c "systemctl show $unit -P StatusText | grep -q -- '$3'"
	systemctl status --no-pager -n 12 $unit
	systemctl reset-failed $unit
}

fails "image" web "none" <<'X'
services:
  web: {image: "nowhere/none", pull_policy: never}
  other: {image: busybox, command: sleep 1000, init: true}
X
fails "unhealthy" db "no disk" <<'X'
services:
  db: {image: busybox, command: sleep 1000, init: true, healthcheck: {test: "echo no disk; false", interval: 1s, retries: 2}}
  app: {image: busybox, command: sleep 1000, init: true, depends_on: {db: {condition: service_healthy}}}
X
busybox nc -l -p 8080 > /dev/null &
fails "port" front "8080/tcp is already taken" <<'X'
services:
  front: {image: busybox, command: sleep 1000, init: true, ports: ["8080:80"]}
X
kill $!
fails "file" "" "compose.yaml:2:" <<'X'
services:
  - web
X
fails "empty" "" "empty compose file" < /dev/null

cat > /etc/berth/shop/compose.yaml <<'X'
services:
  db: {image: busybox, command: sleep 1000, init: true, healthcheck: {test: "test -e /tmp/well", interval: 1s, retries: 100, start_period: 100s}}
  app: {image: busybox, command: sleep 1000, init: true, depends_on: {db: {condition: service_healthy}}}
X
systemctl start --no-block $unit
check "the status while it waits" wait_for has $unit StatusText "0 of 2 healthy, waiting for db"
systemctl status --no-pager -n 3 $unit
berth -p shop exec -T db touch /tmp/well
check "the status when it is well" wait_for has $unit StatusText "2 of 2 healthy"
check "... active" wait_for has $unit ActiveState active
echo 'services: {db: {image: busybox, comand: x}}' > /etc/berth/shop/compose.yaml
check "reload of a bad file fails" sh -c "! systemctl reload $unit 2> /dev/null"
check "... the message says why" sh -c "journalctl -q -o cat -u $unit -p err | grep -q 'reload failed: .*compose.yaml:1:'"
check "... and the status" sh -c "systemctl show $unit -P StatusText | grep -q 'reload failed: .*compose.yaml:1:'"
check "stop" systemctl stop $unit
