# SPDX-License-Identifier: GPL-2.0-or-later
# Userspace is started anew under the same kernel (systemctl soft-reboot): the stacks go down in order,
# and come up once more.
. /b/lib.sh
starts() { wc -l < /var/lib/berth/volumes/$1_data/_data/starts; }
well() {
	check "$1: $2 is active" wait_for has berth@$2 ActiveState active
	check "$1: $2 is well" wait_for has berth@$2 StatusText "2 of 2 healthy"
}
if test ! -e /run/soft; then
	for name in one two; do
		well before $name
	done
	for name in one two; do
		starts $name
	done > /run/soft
	systemctl --no-block soft-reboot
	exit
fi
for name in one two; do
	well after $name
done
check "their data is there, and was used once more" test "$(starts one) $(starts two)" = \
	"$(echo $(awk '{print $1 + 1}' /run/soft))"
check "nothing of before is left" test "$(ip -br link | grep -c veth)" = 4
echo "job ended"
systemctl --no-block poweroff
