# SPDX-License-Identifier: GPL-2.0-or-later
# After the shutdown: all healthy, data kept. Then the power goes in the middle of `up`.
. /b/lib.sh
starts() { wc -l < /var/lib/berth/volumes/$1_data/_data/starts; }
for name in one two; do
	check "$name is active" wait_for has berth@$name ActiveState active
	check "$name is well" wait_for has berth@$name StatusText "2 of 2 healthy"
	check "$name has its data" test "$(starts $name)" = 2
done
systemctl stop berth@two
sync
systemctl --no-block start berth@two
until ls /var/lib/berth/projects/two/containers/* > /dev/null 2>&1; do :; done
echo "cut now"
sleep 600
