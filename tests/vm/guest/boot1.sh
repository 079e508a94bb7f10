# SPDX-License-Identifier: GPL-2.0-or-later
# Two stacks with volumes and dependencies are enabled; then the machine is shut down in order.
. /b/lib.sh
install_berth
for name in one two; do
	mkdir -p /etc/berth/$name
	cat > /etc/berth/$name/compose.yaml <<'X'
services:
  db:
    image: busybox
    init: true
    command: sh -c "date >> /data/starts; exec sleep 10000"
    healthcheck: {test: "test -s /data/starts", interval: 1s, retries: 60}
    volumes: [data:/data]
  web: {image: busybox, init: true, command: sleep 10000, depends_on: {db: {condition: service_healthy}}}
volumes: {data: {}}
X
	check "enable $name" berth systemd enable --now $name
done
check "both are well" test "$(property berth@one StatusText)$(property berth@two StatusText)" = "2 of 2 healthy2 of 2 healthy"
sync
echo "job ended"
systemctl --no-block poweroff
