# SPDX-License-Identifier: GPL-2.0-or-later
# What a unit has of systemd: its journal, credentials, timers.
. /b/lib.sh
install_berth
mkdir -p /etc/berth/shop /etc/credstore /etc/credstore.encrypted /usr/lib/systemd/catalog
cp /b/berth.catalog /usr/lib/systemd/catalog/
journalctl --update-catalog
printf 'plain' > /etc/credstore/token
printf 'sealed' | systemd-creds encrypt --name=password - /etc/credstore.encrypted/password
cat > /etc/berth/shop/compose.yaml <<'X'
services:
  web:
    image: busybox
    init: true
    command: sh -c "echo hello from web; cat /run/secrets/token /run/secrets/password; echo; exec sleep 1000"
    logging: {driver: journald}
    secrets: [token, password]
  job:
    image: busybox
    command: echo the job ran
    x-berth: {schedule: "*-*-* *:*:0/10"}
secrets:
  token: {x-berth: {credential: token}}
  password: {x-berth: {credential: password}}
X
unit=berth@shop.service
entries() { journalctl -q --no-pager -o cat "$@"; }
said() { local text=$1; shift; entries "$@" | grep -q -- "$text"; }

check "enable --now" berth systemd enable --now shop
check "is active" has $unit ActiveState active
check "credentials, plain and encrypted" wait_for said plainsealed BERTH_SERVICE=web
check "berth logs reads the journal" sh -c "berth -p shop logs --no-log-prefix web | grep -q 'hello from web'"
check "journalctl -u has what berth says" wait_for said "shop-web-1: started" -u $unit
check "... by the service's name" said "shop-web-1: started" BERTH_SERVICE=web
check "... explained" sh -c "journalctl -q --no-pager -x BERTH_CONTAINER=shop-web-1 | grep -q 'Container shop-web-1 was started'"
check "the timer is active" has berth-shop-job.timer ActiveState active
ran() { berth -p shop logs job | grep -q "the job ran"; }
check "... and runs the job" wait_for ran
check "... by its service" test -n "$(property berth-shop-job.service ExecMainStartTimestamp)"
check "stop" systemctl stop $unit
check "stop: the timer as well" has berth-shop-job.timer ActiveState inactive
check "disable" berth systemd disable shop
check "disable: no timer is left" test ! -e /etc/systemd/system/berth-shop-job.timer
