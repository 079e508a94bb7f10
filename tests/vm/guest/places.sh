# SPDX-License-Identifier: GPL-2.0-or-later
# Where a project may be, what its unit takes from there, and what is said when it is there no more.
. /b/lib.sh
install_berth
mkdir -p "/srv/my 100% shop/more"
cd "/srv/my 100% shop"
echo 'WORD=from the environment file' > .env
cat > compose.yaml <<'X'
name: shop
services:
  a: {image: busybox, init: true, command: "sh -c 'echo ${WORD}; exec sleep 100000'"}
  b: {image: busybox, init: true, command: sleep 100000, profiles: [more]}
X
echo 'services: {c: {image: busybox, init: true, command: sleep 100000}}' > more/over.yaml
unit=berth@shop.service
services() { berth -p shop ps --format '{{.Service}}' | sort | tr '\n' ' '; }
leftovers() { find /etc/systemd /run/systemd/system /run/systemd/transient -name '*shop*'; }
COMPOSE_FILE=compose.yaml:more/over.yaml
export COMPOSE_FILE
check "enable, in a folder with blanks" berth --profile more systemd enable
check "... twice, and start" berth --profile more systemd enable --now
unset COMPOSE_FILE
cat /etc/systemd/system/$unit.d/*.conf
check "... it is one unit" test "$(ls /etc/systemd/system/multi-user.target.wants | grep -c shop)" = 1
check "all files and profiles" test "$(services)" = "a b c "
check "its environment file" sh -c "berth -p shop logs a | grep -q 'from the environment file'"
check "status" berth systemd status
check "enable without them" berth systemd enable
check "reload: they are gone" systemctl reload $unit
services
check "... but for what a profile only hides" test "$(services)" = "a b "
cd /
mv "/srv/my 100% shop" /srv/moved
check "moved: status tells" sh -c "berth systemd status shop 2>&1 | grep -q 'its folder /srv/my 100% shop'"
check "moved: reload fails" sh -c "! systemctl reload $unit 2> /dev/null"
check "... and the stack goes on" has $unit ActiveState active
check "moved: stop" systemctl stop $unit
check "... nothing runs" test -z "$(find /sys/fs/cgroup -path '*berth/shop/*')"
check "moved: start fails" sh -c "! systemctl start $unit 2> /dev/null"
systemctl status --no-pager -n 5 $unit | tee /tmp/status
check "... and systemctl status says where it is looked for" grep -q "/srv/my 100% shop" /tmp/status
check "... it is not tried again and again" has $unit NRestarts 0
check "enable where it is now" sh -c "cd /srv/moved && berth systemd enable --now"
check "... the unit has the new folder" has $unit WorkingDirectory "!/srv/moved"
check "... it runs" test "$(services)" = "a "
check "disable --now" berth systemd disable --now shop
leftovers
check "... nothing of it is left" test -z "$(leftovers)"
check "... in no control group either" test -z "$(find /sys/fs/cgroup -path '*berth/shop*')"
check "disable once more" berth systemd disable shop
