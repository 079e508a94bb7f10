# SPDX-License-Identifier: GPL-2.0-or-later
# The package: installed, upgraded under a stack that runs as a unit, removed, purged.
. /b/lib.sh
export DEBIAN_FRONTEND=noninteractive
quietly() { "$@" > /tmp/out 2>&1 || { cat /tmp/out; return 1; }; }
apt_get() { quietly apt-get -q -y -o Dpkg::Use-Pty=0 "$@"; }
check "install" apt_get install --no-install-recommends /b/old.deb
check "there" berth version
check "... with its template unit" test -e /usr/lib/systemd/system/berth@.service
check "... and the one of users" test -e /usr/lib/systemd/user/berth@.service
check "... its manual" sh -c "dpkg -L berth | grep -q man1/berth.1.gz"
check "... its folder for projects" test -d /etc/berth
check "... new libraries restart no stack" grep -q "berth@" /etc/needrestart/conf.d/berth.conf
check "... what explains its messages" sh -c "journalctl --list-catalog | grep -q 'Container @BERTH_CONTAINER@ was started'"
berth image import -c 'CMD ["sh"]' /b/busybox.tar busybox:latest > /dev/null
mkdir -p /etc/berth/shop /srv/loose
cat > /etc/berth/shop/compose.yaml <<'X'
services:
  a: {image: busybox, init: true, command: sleep 100000, volumes: [data:/data]}
  b: {image: busybox, init: true, command: sleep 100000, restart: always}
  job: {image: busybox, command: "true", x-berth: {schedule: yearly}}
  later: {image: busybox, command: "true", x-berth: {socket: "127.0.0.1:18098"}}
volumes: {data: {}}
X
echo 'services: {a: {image: busybox, init: true, command: sleep 100000}}' > /srv/loose/compose.yaml
check "a stack as a unit" berth systemd enable --now shop
check "... its socket" has berth@shop.socket ActiveState active
check "... its timer" has berth-shop-job.timer ActiveState active
check "a stack without" sh -c "cd /srv/loose && berth up -d"
running() { cat $(find /sys/fs/cgroup -path "*berth/$1/*" -name cgroup.procs) | sort -n; }
exe_is_there() { ! readlink "/proc/$(supervisor "$1")/exe" | grep -q deleted; }
shop=$(running shop)
loose=$(running loose)
main=$(property berth@shop MainPID)
check "they run" test -n "$shop" -a -n "$loose"
check "upgrade" apt_get install --no-install-recommends /b/new.deb
check "... to the new version" test "$(dpkg-query -W -f '${Version}' berth)" = "$(dpkg-deb -f /b/new.deb Version)"
check "... no process of a container is another one" test "$(running shop)" = "$shop"
check "... nor without a unit" test "$(running loose)" = "$loose"
check "... the unit goes on" has berth@shop ActiveState active
check "... with the same main process" has berth@shop MainPID "$main"
check "... and was not restarted" has berth@shop NRestarts 0
check "... systemd has read the new template" has berth@shop NeedDaemonReload no
check "... the supervisor is the new program" wait_for exe_is_there shop
check "... the other one, too" wait_for exe_is_there loose
check "... reload" systemctl reload berth@shop
check "... nothing is done anew" test "$(running shop)" = "$shop"
check "remove" apt_get remove berth
check "... no container runs" test -z "$(running shop)$(running loose)"
check "... no keeper" test -z "$(pgrep -f '__keeper|__supervisor')"
check "... no unit" sh -c "! systemctl is-active -q berth@shop"
check "... nobody listens" sh -c "! systemctl is-active -q berth@shop.socket"
check "... no timer" sh -c "! systemctl is-active -q berth-shop-job.timer"
check "... systemd knows no template any more" test "$(property berth@other LoadState)" = not-found
check "... no link" test -z "$(ip -br link | grep -E 'veth|br-')"
check "... no rule" test -z "$(nft list ruleset | grep -i berth)"
check "... no mount" test -z "$(grep berth /proc/self/mountinfo)"
check "... the volume is kept" test -d /var/lib/berth/volumes/shop_data
check "... what was configured, too" test -e /etc/berth/shop/compose.yaml
check "again" apt_get install --no-install-recommends /b/new.deb
check "... it starts" systemctl start berth@shop
check "purge" apt_get purge berth
check "... no container runs" test -z "$(running shop)"
check "... no unit is enabled" test -z "$(find /etc/systemd /run/systemd -name 'berth*')"
check "... systemd knows none" test -z "$(systemctl list-units --all --plain --no-legend 'berth*' | grep -v failed)"
check "... the data is kept" test -d /var/lib/berth/volumes/shop_data
check "... no rule" test -z "$(nft list ruleset | grep -i berth)"
# The slice of the template's instances is systemd's own, which keeps it.
check "... no control group" test -z "$(find /sys/fs/cgroup -name '*berth*' ! -name system-berth.slice)"
check "... no file of the package" test -z "$(find /usr /lib/systemd /etc -name '*berth*' ! -path '/etc/berth*')"
