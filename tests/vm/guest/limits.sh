# SPDX-License-Identifier: GPL-2.0-or-later
# Limits on control groups of version 2: not only written, but felt, and told of.
. /b/lib.sh
install_berth
mkdir -p /srv/l
cd /srv/l
cat > compose.yaml <<'X'
services:
  oom:
    image: busybox
    command: sh -c "exec tail -c 200m /dev/zero"
    mem_limit: 32m
    memswap_limit: 32m
  cpu: {image: busybox, init: true, cpus: 0.2, command: "sh -c 'while :; do :; done'"}
  pids: {image: busybox, init: true, pids_limit: 5, command: sleep 10000}
  rest:
    image: busybox
    init: true
    command: sleep 10000
    cpuset: "0"
    cpu_shares: 512
    mem_limit: 64m
    memswap_limit: 96m
    mem_reservation: 32m
    blkio_config:
      weight: 300
      device_read_bps: [{path: /dev/vda, rate: 2mb}]
      device_write_bps: [{path: /dev/vda, rate: 1mb}]
      device_write_iops: [{path: /dev/vda, rate: 50}]
    volumes: [data:/data]
volumes: {data: {}}
X
group() { find /sys/fs/cgroup -type d -path "*/berth/l/$(berth ps -aq --no-trunc "$1")"; }
value() { cat "$(group "$1")/$2" 2> /dev/null; }
number() { sed -n "s/^$2 //p" "$cpu/$1"; }

check "up" berth up -d
ended() { test "$(berth ps -a --format '{{.State}}' oom)" = exited; }
check "out of memory: killed" wait_for ended
check "ps says so" sh -c "berth ps -a --format '{{.Status}}' oom | grep -q 137"
berth ps -a --format '{{.Service}} {{.Status}}'
check "inspect says so" sh -c "berth inspect l-oom-1 | grep -q '\"OOMKilled\": true'"
berth events --json > events.log &
events=$!
sleep 3
check "once more" berth up -d oom
check "events say so" wait_for grep -q '"oom"' events.log
kill $events
# The processor: a fifth of one, whatever there is.
cpu=$(group cpu)
before=$(number cpu.stat usage_usec)
sleep 10
after=$(number cpu.stat usage_usec)
echo "cpus 0.2: $((after - before)) us in 10 s"
check "processor: not more" test $((after - before)) -lt 3500000
check "processor: throttled" test "$(number cpu.stat nr_throttled)" -gt 10
berth stop -t 0 cpu
check "processes: refused" sh -c "berth exec -T pids sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 5 & done' 2>&1 | grep -qi 'fork'"
check "processes: counted" test "$(sed -n 's/^max //p' "$(group pids)/pids.events")" -ge 1
rest=$(group rest)
check "cpuset" test "$(cat "$rest/cpuset.cpus.effective")" = 0
check "... of its processes" sh -c "berth exec -T rest grep -q 'Cpus_allowed_list:.0$' /proc/self/status"
check "shares" test "$(cat "$rest/cpu.weight")" = 20
check "memory" test "$(cat "$rest/memory.max")" = 67108864
check "reservation" test "$(cat "$rest/memory.low")" = 33554432
check "swap" test "$(cat "$rest/memory.swap.max" 2> /dev/null || echo 33554432)" = 33554432
cat "$rest/io.max"
check "rates" grep -q 'rbps=2097152 wbps=1048576 riops=max wiops=50' "$rest/io.max"
check "weight" grep -q "default [1-9]" "$(ls "$rest/io.weight" "$rest/io.bfq.weight" 2> /dev/null | head -1)"
start=$(date +%s)
check "written" berth exec -T rest dd if=/dev/zero of=/data/x bs=64k count=80 oflag=direct
took=$(($(date +%s) - start))
echo "5 MiB at 1 MiB a second: $took s"
check "... by the rate" test $took -ge 4
sed -i 's/mem_limit: 64m/mem_limit: 80m/' compose.yaml
check "update in place" berth up -d rest
check "... is felt" test "$(cat "$rest/memory.max")" = 83886080
check "down" berth down -v -t 0
check "no control group is left" test -z "$(find /sys/fs/cgroup -path '*berth/l*')"
