# SPDX-License-Identifier: GPL-2.0-or-later
# After the power cut.
. /b/lib.sh
starts() { wc -l < /var/lib/berth/volumes/$1_data/_data/starts; }
for name in one two; do
	check "$name is active" wait_for has berth@$name ActiveState active
	check "$name is well" wait_for has berth@$name StatusText "2 of 2 healthy"
	check "$name has two containers" test "$(berth -p $name ps -aq | wc -l)" = 2
	check "$name has its data" test "$(starts $name)" -ge 3
	check "$name goes down" systemctl stop berth@$name
done
check "no link is left" test -z "$(ip -br link | grep veth)"
check "no control group is left" test -z "$(find /sys/fs/cgroup -path '*berth/one*' -o -path '*berth/two*')"
echo "job ended"
systemctl --no-block poweroff
