# SPDX-License-Identifier: GPL-2.0-or-later
# What people do by hand to a stack that is a unit, and what becomes of the unit.
. /b/lib.sh
install_berth
mkdir -p "/srv/1_shop x"
cd "/srv/1_shop x" || exit 1
shop=1_shop-x
unit=berth@$shop.service
group() { echo "/sys/fs/cgroup$(property $unit ControlGroup)/berth/$shop"; }
below() { find "$(group)" -mindepth 1 -maxdepth 1 -type d | wc -l; }
running() { berth -p $shop ps -q | wc -l; }
nothing_runs() { test "$(running)" = 0 -a -z "$(pgrep -f '^sleep 10000')"; }
says() { journalctl -q --no-pager -o cat -u $unit "$@"; }
says_why() { says -p err | grep -q "$1"; }
fails() { ! systemctl "$@" 2> /dev/null; }
waits() { property $unit StatusText | grep -q "waiting for db"; }
ran() { berth -p $shop logs job 2> /dev/null | grep -q ran; }

cat > compose.yaml <<'X'
name: 1_shop-x
services:
  a: {image: busybox, init: true, command: sleep 100000}
  b: {image: busybox, init: true, command: sleep 100000, volumes: [data:/data]}
volumes: {data: {}}
X
check "up by hand" berth up -d
check "enable --now of what runs" berth systemd enable --now
check "... all is below the unit" test "$(below)" = 2
check "... no scope is left" has berth-$shop.scope ActiveState inactive

cat > compose.yaml <<'X'
name: 1_shop-x
services:
  a: {image: busybox, init: true, command: sleep 100000}
  b: {image: busybox, init: true, command: sleep 100000, volumes: [data:/data]}
  c: {image: busybox, init: true, command: sleep 100000}
volumes: {data: {}}
X
check "up by hand while the unit is active" berth up -d
check "... is below the unit" test "$(below)" = 3
check "... which says so" wait_for has $unit StatusText "3 of 3 healthy"
main=$(property $unit MainPID)
check "one is stopped by hand" berth stop a
check "... the unit goes on" has $unit MainPID "$main"
check "... and says so" wait_for has $unit StatusText "2 of 3 healthy: a exited (143)"
check "reload brings it back" systemctl reload $unit
check "... all are well" wait_for has $unit StatusText "3 of 3 healthy"
sed -i 's/a: {image: busybox, init: true, command: sleep 100000}/a: {image: busybox, init: true, command: sleep 100001}/' compose.yaml
check "reload of another command" systemctl reload $unit
says
check "... one line with the reason" test "$(says | grep -c '^1_shop-x-a-1: command changed: making it anew$')" = 1
check "... and no progress" test "$(says | grep -cE 'Creating|Recreate|Running')" = 0
before=$(ids $shop)
mv compose.yaml good
printf 'services:\n  a:\n    imag: busybox\n' > compose.yaml
check "reload with an error fails" fails reload $unit
check "... where it is, is said" says_why 'compose.yaml:3:5'
check "... what runs goes on" same_ids $shop "$before"
check "... stop needs no file" systemctl stop $unit
check "... nothing runs" nothing_runs
check "... the volume is there" test -d /var/lib/berth/volumes/${shop}_data
mv good compose.yaml
check "start" systemctl start $unit

check "disabled while it runs" berth systemd disable
systemctl daemon-reload
check "... it runs" has $unit ActiveState active
check "... its template is there" has $unit LoadState loaded
check "... also for a restart" systemctl restart $unit
check "... it runs again" has $unit ActiveState active
check "... stop" systemctl stop $unit
check "... nothing runs" nothing_runs
check "... nothing is left" test -z "$(find /etc/systemd -name '*berth*')"
check "enable once more" berth systemd enable --now
check "disable --now" berth systemd disable --now
check "disable twice" berth systemd disable
check "... nothing is left" test -z "$(find /etc/systemd -name '*berth*')"

cat > compose.yaml <<'X'
name: 1_shop-x
services:
  db: {image: busybox, init: true, command: sleep 100000, healthcheck: {test: "test -e /tmp/well", interval: 1s, retries: 3, start_period: 200s}}
  app: {image: busybox, init: true, command: sleep 100000, depends_on: {db: {condition: service_healthy}}}
X
check "enable of what starts slowly" berth systemd enable
systemctl start --no-block $unit
check "... it waits" wait_for waits
check "stop while it starts" systemctl stop $unit
check "... nothing runs" nothing_runs
check "... no failure" has $unit ActiveState inactive
systemctl start --no-block $unit
check "it waits" wait_for waits
berth -p $shop exec -T db touch /tmp/well
check "it is active" wait_for has $unit ActiveState active
sed -i 's/200s/1s/' compose.yaml
check "restart while the check fails: fails" fails restart $unit
check "... and says why" says_why 'start failed.*db'
check "... nothing runs" nothing_runs
sed -i 's/test -e .tmp.well/true/' compose.yaml
check "start of the mended file" systemctl start $unit

systemctl kill $unit
check "systemctl kill is a stop" wait_for has $unit ActiveState inactive
check "... not a failure" has $unit Result success
check "... nothing runs" nothing_runs

cat > compose.yaml <<'X'
name: 1_shop-x
services:
  a: {image: busybox, init: true, command: sleep 100000}
  job: {image: busybox, command: echo ran, x-berth: {schedule: {calendar: "yearly", persistent: true}}}
X
check "a persistent job" berth systemd enable --now
systemctl stop $unit
touch -d '2 years ago' /var/lib/systemd/timers/stamp-berth-$shop-job.timer
check "... whose time was missed" systemctl start $unit
check "... is run" wait_for ran
check "... its unit has not failed" has berth-$shop-job.service Result success
check "disable --now" berth systemd disable --now
check "nothing is left" test -z "$(find /etc/systemd -name '*berth*')"
check "... in no control group" test -z "$(find /sys/fs/cgroup -path "*berth/$shop*")"
