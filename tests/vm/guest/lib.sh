# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by the scripts that run in a machine: checks, and what they wait for.

check() {
	local name=$1
	shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; fi
}

# Tries for a minute.
wait_for() {
	local i
	for i in $(seq 60); do
		if "$@"; then return 0; fi
		sleep 1
	done
	return 1
}

property() { systemctl show "$1" -P "$2"; }
has() { test "$(property "$1" "$2")" = "$3"; }
ids() { berth -p "$1" ps -q | sort; }
same_ids() { test "$(ids "$1")" = "$2"; }
# memory.max of the containers of project $1, wherever they are.
limits() { cat $(find /sys/fs/cgroup -path "*berth/$1/*" -name memory.max) /dev/null | sort -u; }
supervisor() { pgrep -f "__supervisor $1\$"; }
keeper() { pgrep -f "__keeper $1\$"; }

install_berth() {
	cp /b/berth /usr/bin/berth
	berth image import -c 'CMD ["sh"]' /b/busybox.tar busybox:latest > /dev/null
}
