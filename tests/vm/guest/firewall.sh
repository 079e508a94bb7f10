# SPDX-License-Identifier: GPL-2.0-or-later
# Published ports and the way out, beside other firewalls: firewall.sh CASE...
#   plain      the programs of iptables-nft and nft are there
#   nftables   no package of iptables
#   ufw        active, denies what comes in
#   firewalld  active, the default zone
#   docker     docker.io runs beside, with containers' networks of its own
. /b/lib.sh
install_berth

# A host outside, with a page of its own.
ip netns add outside
ip link add outer type veth peer name eth0 netns outside
ip addr add 198.51.100.1/24 dev outer
ip addr add 2001:db8:9::1/64 dev outer nodad
ip link set outer up
at_outside() { ip netns exec outside "$@"; }
at_outside ip addr add 198.51.100.2/24 dev eth0
at_outside ip addr add 2001:db8:9::2/64 dev eth0 nodad
at_outside ip link set eth0 up
at_outside ip link set lo up
at_outside ip route add default via 198.51.100.1
at_outside ip route add default via 2001:db8:9::1
mkdir -p /srv/outside /srv/p
echo outside > /srv/outside/index.html
at_outside busybox httpd -p 8000 -h /srv/outside
at_outside busybox httpd -p "[::]:8001" -h /srv/outside 2> /dev/null

cd /srv/p
cat > compose.yaml <<'X'
services:
  web:
    image: busybox
    init: true
    command: sh -c "echo inside > /tmp/index.html; exec httpd -f -p 80 -h /tmp"
    ports: ["8080:80"]
    networks: [front]
  other: {image: busybox, init: true, command: sleep 100000, networks: [front]}
networks: {front: {enable_ipv6: true}}
X
page() { timeout 20 busybox wget -q -O- "$1" 2>&1; }
says() {
	local answer
	answer=$("${@:2}" 2>&1)
	test "$answer" = "$1" || { echo "answer: $answer"; return 1; }
}
reach_in() {
	wait_for berth exec -T web test -e /proc/1/root/tmp/index.html
	check "$1: from 127.0.0.1" says inside page http://127.0.0.1:8080/
	check "$1: from ::1" says inside page "http://[::1]:8080/"
	check "$1: by the host's address" says inside page http://198.51.100.1:8080/
	check "$1: by the host's IPv6 address" says inside page "http://[2001:db8:9::1]:8080/"
	check "$1: from outside" says inside at_outside timeout 20 busybox wget -q -O- http://198.51.100.1:8080/
	check "$1: from outside, IPv6" says inside at_outside timeout 20 busybox wget -q -O- "http://[2001:db8:9::1]:8080/"
	check "$1: from another container, by name" says inside berth exec -T other timeout 20 wget -q -O- http://web/
	check "$1: hairpin" says inside berth exec -T other timeout 20 wget -q -O- http://198.51.100.1:8080/
}
reach() {
	reach_in "$1"
	check "$1: a container reaches out" says outside berth exec -T other timeout 20 wget -q -O- http://198.51.100.2:8000/
	check "$1: ... IPv6" berth exec -T other ping -6 -c 1 -W 10 2001:db8:9::2
}
round() {
	check "$1: up" berth up -d
	reach "$1"
	check "$1: down" berth down
	check "$1: no rule is left" test -z "$(nft list ruleset 2> /dev/null | grep -E '(container|network):')"
}

# The engines and firewalls are in the machine, and start when it is their turn.
for unit in docker.socket docker containerd ufw firewalld; do
	systemctl stop $unit 2> /dev/null
done
nft flush ruleset

for case; do
	case $case in
	plain) round plain ;;
	nftables)
		dpkg --purge --force-depends iptables > /dev/null 2>&1
		round nftables
		;;
	ufw)
		check "ufw: up before it is active" berth up -d
		ufw --force enable
		reach "ufw, active later"
		berth down
		round ufw
		ufw status verbose
		ufw --force disable > /dev/null
		;;
	firewalld)
		check "firewalld: up before it is there" berth up -d
		systemctl start firewalld
		firewall-cmd --state
		reach_in "firewalld, started later"
		# It forwards nothing that no zone of its has (README.md).
		check "firewalld: trusts bridges" firewall-cmd --permanent --zone=trusted --add-interface=br-+
		check "firewalld: reloaded" firewall-cmd --reload
		reach "firewalld, reloaded"
		berth down
		round firewalld
		systemctl stop firewalld
		;;
	docker)
		check "docker: up before it is there" berth up -d
		systemctl start docker
		check "docker: it runs" wait_for docker info > /dev/null 2>&1
		# Which it only sets where it turned forwarding on itself.
		iptables -P FORWARD DROP
		ip6tables -P FORWARD DROP
		reach "docker, started later"
		berth down
		docker network create one > /dev/null
		check "docker: up beside its networks" berth up -d
		check "docker: other subnets" sh -c "! ip -4 -o addr | awk '{print \$4}' | sort | uniq -d | grep ."
		berth down
		round docker
		check "docker: its rules are as they were" sh -c "iptables -S | grep -q DOCKER"
		;;
	esac
done
true
