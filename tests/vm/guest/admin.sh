# SPDX-License-Identifier: GPL-2.0-or-later
# What an administrator does to a unit and sees of it: systemctl status, limits of the unit, and the
# end of the session that brought a stack up.
. /b/lib.sh
install_berth
mkdir -p /etc/berth/shop /srv/loose
cat > /etc/berth/shop/compose.yaml <<'X'
services:
  hog: {image: busybox, init: true, command: sleep 100001}
  calm: {image: busybox, init: true, command: sleep 100002}
X
unit=berth@shop.service
group() { echo "/sys/fs/cgroup$(property $unit ControlGroup)"; }
inside() { berth -p shop exec -T "$@"; }
number() { sed -n "s/^$2 //p" "$(group)/$1"; }

check "enable --now" berth systemd enable --now shop
systemctl status --no-pager $unit | tee /tmp/status
check "systemctl status shows the containers" grep -q "sleep 100002" /tmp/status
check "systemd-cgls shows them" sh -c "systemd-cgls --no-pager -u $unit | grep -q 'sleep 100001'"
before=$(ids shop)

systemctl set-property --runtime $unit MemoryMax=120M MemorySwapMax=0
inside hog sh -c 'tail -c 200m /dev/zero' > /dev/null 2>&1
code=$?
check "MemoryMax= is felt" test $code = 137
check "... and nobody else is" same_ids shop "$before"
check "... the unit goes on" has $unit ActiveState active
systemctl set-property --runtime $unit CPUQuota=20%
inside hog timeout 30 sh -c 'while :; do :; done' > /dev/null 2>&1 &
sleep 8
used=$(number cpu.stat usage_usec)
sleep 5
used=$(($(number cpu.stat usage_usec) - used))
echo "CPUQuota=20%: $used us in 5 s"
check "CPUQuota= is felt" test $used -gt 300000 -a $used -lt 1700000
systemctl set-property --runtime $unit CPUQuota=
wait $!
systemctl set-property --runtime $unit TasksMax=25
check "TasksMax= is felt" sh -c "berth -p shop exec -T hog sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do sleep 5 & done' 2>&1 | grep -qi fork"
# Until Linux 6.10 in the group of who forked, since then in the one whose limit it is.
refused() { find "$(group)" -name pids.events -exec cat {} + | awk '{ n += $2 } END { print n }'; }
check "... and counted" test "$(refused)" -ge 1
systemctl set-property --runtime $unit TasksMax=infinity
check "stop" systemctl stop $unit
check "disable" berth systemd disable shop

# Logging out ends all that the session started, and not the stack.
mkdir -p /etc/systemd/logind.conf.d
printf '[Login]\nKillUserProcesses=yes\nKillExcludeUsers=nobody\n' > /etc/systemd/logind.conf.d/kill.conf
systemctl restart systemd-logind
echo 'services: {a: {image: busybox, init: true, command: sleep 100003}}' > /srv/loose/compose.yaml
su -l root -c 'cd /srv/loose; setsid sleep 100004 & cat /proc/self/cgroup; cd /srv/loose; berth up -d' > /tmp/session 2>&1
cat /tmp/session
check "a session" grep -q 'session-.*\.scope' /tmp/session
gone() { ! pgrep -f "^sleep 100004" > /dev/null; }
check "logged out: what was left of it is killed" wait_for gone
check "... the stack is not" pgrep -f "^sleep 100003"
check "... and answers" sh -c "cd /srv/loose && berth exec -T a true"
check "... its scope is there" has berth-loose.scope ActiveState active
check "down" sh -c "cd /srv/loose && berth down -t 0"
