// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "netmgr/firewall/firewall.h"

#include "tests/support/namespaces.h"
#include "tests/unit/netmgr/lab.h"

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS)

/* A host whose rules drop what they do not know: each way of writing that. */
static const struct hostile {
	const char *setup;   /* run by sh in the test's own namespace */
	const char *backend; /* that berth is to choose */
	const char *left;    /* must still be there at the end */
	const char *check;   /* shows @left */
} hosts[] = {
	{"iptables-legacy -P FORWARD DROP; iptables-legacy -A FORWARD -i wg0 -j ACCEPT", "iptables",
	 "-A FORWARD -i wg0 -j ACCEPT", "iptables-legacy-save"},
	{"iptables-nft -P FORWARD DROP; iptables-nft -A FORWARD -i wg0 -j ACCEPT", "nftables",
	 "-A FORWARD -i wg0 -j ACCEPT", "iptables-nft-save"},
	{"nft add table inet mine; nft add chain inet mine c '{ type filter hook input priority 0; "
	 "}'",
	 "nftables", "chain c", "nft list ruleset"},
	{"true", "nftables", "", "true"},
};

static bool output_has(const char *command, const char *text)
{
	_cleanup_strbuf_ struct strbuf output = {0};
	char buffer[4096];
	FILE *pipe = popen(command, "r");
	size_t size;

	while (pipe && (size = fread(buffer, 1, sizeof(buffer), pipe)) > 0)
		strbuf_add_n(&output, buffer, size);
	if (pipe)
		pclose(pipe);
	return !text[0] || (output.data && strstr(output.data, text));
}

static struct publish publish_of(struct network_store *store, const struct box *box)
{
	struct publish port = {.host_port = 8080,
			       .container_port = 80,
			       .protocol = IPPROTO_TCP,
			       .ipv4 = box->ends[0].ipv4,
			       .has_ipv4 = true};
	struct network_info *info = NULL;
	struct error err = ERROR_INIT;

	CHECK_OK(network_inspect(store, "n", &info, &err), &err);
	snprintf(port.bridge, sizeof(port.bridge), "%s", info->bridge);
	network_info_free(info);
	return port;
}

static int beside_other_rules(void *data)
{
	const struct hostile *host = data;
	const struct network_options options = {0};
	struct network_store *store;
	struct error err = ERROR_INIT;
	struct publish port;
	struct firewall_change change = {.owner = "container:c", .ports = &port, .port_count = 1};
	struct box box;
	int outside, world, listener, r;

	store = lab_open();
	outside = lab_outside();
	CHECK(system(host->setup) == 0, "%s", host->setup);
	CHECK(str_equal(firewall_backend(), host->backend), "%s: %s", host->setup,
	      firewall_backend());
	CHECK_OK(network_create(store, "n", &options, &err), &err);
	CHECK_OK(network_ensure(store, "n", &err), &err);
	CHECK_OK(network_ensure(store, "n", &err), &err);
	box = lab_box(store, "c", (const char *const[]){"n", NULL});
	if (lab_failures)
		return 1;
	port = publish_of(store, &box);
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	listener = lab_listen(box.netns, "0.0.0.0", 80);
	world = lab_listen(outside, "0.0.0.0", 80);
	r = lab_connect(box.netns, "203.0.113.2", 80, world, NULL);
	CHECK(r == 0, "%s: out: %d", host->setup, r);
	r = lab_connect(outside, "203.0.113.1", 8080, listener, NULL);
	CHECK(r == 0, "%s: in: %d", host->setup, r);
	change.port_count = 0;
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	r = lab_connect(outside, "203.0.113.1", 8080, listener, NULL);
	CHECK(r == -ECONNREFUSED, "%s: after: %d", host->setup, r);
	lab_unbox(store, &box);
	CHECK_OK(network_remove(store, "n", &err), &err);
	CHECK(output_has(host->check, host->left), "%s: lost", host->left);
	CHECK(!output_has("nft list ruleset; iptables-legacy-save; ip6tables-legacy-save", "berth"),
	      "%s: left behind", host->setup);
	CHECK(!output_has("nft list ruleset; iptables-legacy-save; ip6tables-legacy-save", "BERTH"),
	      "%s: chains left behind", host->setup);
	network_store_close(store);
	return lab_failures;
}

Test(firewall, beside_other_rules)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	array_foreach(host, hosts)
		cr_expect_eq(in_namespaces(NAMESPACES, beside_other_rules, (void *)host), 0, "%s",
			     host->setup);
}

static const char *const backends[] = {"iptables", "nftables"};

/* The user's chain comes first, outlives us, and DOCKER-USER is heard by iptables. */
static int user_chain(void *data)
{
	const struct network_options options = {0};
	bool nft = str_equal(data, "nftables");
	struct network_store *store;
	struct error err = ERROR_INIT;
	struct box box;
	int outside, world, r;

	setenv("BERTH_FIREWALL", data, 1);
	store = lab_open();
	outside = lab_outside();
	if (!nft)
		CHECK(system("iptables-legacy -N DOCKER-USER") == 0, "DOCKER-USER");
	CHECK_OK(network_create(store, "n", &options, &err), &err);
	CHECK_OK(network_ensure(store, "n", &err), &err);
	box = lab_box(store, "c", (const char *const[]){"n", NULL});
	if (lab_failures)
		return 1;
	world = lab_listen(outside, "0.0.0.0", 80);
	r = lab_connect(box.netns, "203.0.113.2", 80, world, NULL);
	CHECK(r == 0, "before: %d", r);
	CHECK(system(nft ? "nft add rule inet berth user tcp dport 80 drop"
			 : "iptables-legacy -A DOCKER-USER -p tcp --dport 80 -j DROP") == 0,
	      "a rule of the user's");
	r = lab_connect(box.netns, "203.0.113.2", 80, world, NULL);
	CHECK(r == -ETIMEDOUT, "the user's rule: %d", r);
	if (!nft)
		CHECK(system("iptables-legacy -F DOCKER-USER;"
			     "iptables-legacy -A BERTH-USER -p tcp --dport 80 -j DROP") == 0,
		      "a rule of the user's");
	CHECK_OK(network_ensure(store, "n", &err), &err);
	r = lab_connect(box.netns, "203.0.113.2", 80, world, NULL);
	CHECK(r == -ETIMEDOUT, "the user's rule, in ours: %d", r);
	lab_unbox(store, &box);
	CHECK_OK(network_remove(store, "n", &err), &err);
	CHECK(output_has(nft ? "nft list ruleset" : "iptables-legacy-save",
			 nft ? "dport 80 drop" : "-A BERTH-USER -p tcp"),
	      "the user's rule is lost");
	network_store_close(store);
	return lab_failures;
}

Test(firewall, user_chain)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	array_foreach(backend, backends)
		cr_expect_eq(in_namespaces(NAMESPACES, user_chain, (void *)*backend), 0, "%s",
			     *backend);
}

/* Rules on one address, one protocol; icc=false; somebody flushed everything. */
static int details(void *data)
{
	_cleanup_json_ json_t *opts =
		json_pack("{s:s}", "com.docker.network.bridge.enable_icc", "false");
	const struct network_options options = {.driver_opts = opts};
	struct network_store *store;
	struct error err = ERROR_INIT;
	struct publish port;
	struct firewall_change change = {.owner = "container:c", .ports = &port, .port_count = 1};
	struct box box, other;
	int outside, listener, r;

	setenv("BERTH_FIREWALL", data, 1);
	store = lab_open();
	outside = lab_outside();
	CHECK_OK(network_create(store, "n", &options, &err), &err);
	CHECK_OK(network_ensure(store, "n", &err), &err);
	box = lab_box(store, "c", (const char *const[]){"n", NULL});
	other = lab_box(store, "d", (const char *const[]){"n", NULL});
	if (lab_failures)
		return 1;
	port = publish_of(store, &box);
	strcpy(port.host_ip, "127.0.0.1");
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	listener = lab_listen(box.netns, "0.0.0.0", 80);
	r = lab_connect(other.netns, lab_ip4(&box, 0), 80, listener, NULL);
	CHECK(r == -EHOSTUNREACH || r == -ETIMEDOUT, "icc=false: %d", r);
	r = lab_connect(-1, "127.0.0.1", 8080, listener, NULL);
	CHECK(r == 0, "127.0.0.1: %d", r);
	r = lab_connect(outside, "203.0.113.1", 8080, listener, NULL);
	CHECK(r == -ECONNREFUSED, "outside, published on 127.0.0.1: %d", r);
	CHECK(system("nft flush ruleset; for t in raw nat filter; do"
		     "  iptables-legacy -t $t -F; iptables-legacy -t $t -X; done") == 0,
	      "flush");
	CHECK_OK(network_ensure(store, "n", &err), &err);
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	r = lab_connect(-1, "127.0.0.1", 8080, listener, NULL);
	CHECK(r == 0, "127.0.0.1 after a flush: %d", r);
	change.owner = "bad\" owner";
	CHECK(firewall_publish(&change, 1, &err) == -EINVAL, "%s", err.message);
	lab_unbox(store, &box);
	lab_unbox(store, &other);
	network_store_close(store);
	return lab_failures;
}

Test(firewall, details)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	array_foreach(backend, backends)
		cr_expect_eq(in_namespaces(NAMESPACES, details, (void *)*backend), 0, "%s",
			     *backend);
}

static int udp_socket(int netns, const char *address, uint16_t port)
{
	struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = lab_socket(netns, AF_INET, SOCK_DGRAM);

	CHECK(inet_pton(AF_INET, address, &where.sin_addr) == 1, "%s", address);
	CHECK(bind(fd, (struct sockaddr *)&where, sizeof(where)) == 0, "%s:%u: %m", address, port);
	return fd;
}

/* A datagram from @client to the published port arrives at @server, and its answer comes back. */
static bool answered(int client, int server)
{
	const struct sockaddr_in host = {.sin_family = AF_INET,
					 .sin_port = htons(5353),
					 .sin_addr.s_addr = inet_addr("203.0.113.1")};
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	struct pollfd wait = {.fd = server, .events = POLLIN};
	char byte;

	(void)sendto(client, "?", 1, 0, (const struct sockaddr *)&host, sizeof(host));
	if (poll(&wait, 1, 300) != 1 ||
	    recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &size) != 1)
		return false;
	(void)sendto(server, "!", 1, 0, (struct sockaddr *)&from, size);
	wait.fd = client;
	return poll(&wait, 1, 1000) == 1 &&
	       recvfrom(client, &byte, 1, 0, (struct sockaddr *)&from, &size) == 1 && byte == '!' &&
	       from.sin_addr.s_addr == host.sin_addr.s_addr && from.sin_port == host.sin_port;
}

/* One client socket, whose flow the kernel remembers, while the container comes and changes. */
static int datagrams(void *data)
{
	const struct network_options options = {0};
	const char *const networks[] = {"n", NULL};
	struct network_store *store;
	struct error err = ERROR_INIT;
	struct publish port;
	struct firewall_change change = {.owner = "container:c", .ports = &port, .port_count = 1};
	struct box box, next;
	int outside, client, server, next_server;

	setenv("BERTH_FIREWALL", data, 1);
	store = lab_open();
	outside = lab_outside();
	CHECK_OK(network_create(store, "n", &options, &err), &err);
	CHECK_OK(network_ensure(store, "n", &err), &err);
	box = lab_box(store, "c", networks);
	next = lab_box(store, "d", networks);
	if (lab_failures)
		return 1;
	client = udp_socket(outside, "203.0.113.2", 4000);
	server = udp_socket(box.netns, "0.0.0.0", 53);
	next_server = udp_socket(next.netns, "0.0.0.0", 53);
	CHECK(!answered(client, server), "before it is published");
	port = publish_of(store, &box);
	port.protocol = IPPROTO_UDP;
	port.host_port = 5353;
	port.container_port = 53;
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	CHECK(answered(client, server), "%s: published", (const char *)data);
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	CHECK(answered(client, server), "%s: published anew", (const char *)data);
	port.ipv4 = next.ends[0].ipv4;
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	CHECK(answered(client, next_server), "%s: leads to another container", (const char *)data);
	CHECK(!answered(client, server), "%s: leads to the former one", (const char *)data);
	close(client);
	close(server);
	close(next_server);
	lab_unbox(store, &box);
	lab_unbox(store, &next);
	network_store_close(store);
	return lab_failures;
}

Test(firewall, datagrams)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	array_foreach(backend, backends)
		cr_expect_eq(in_namespaces(NAMESPACES, datagrams, (void *)*backend), 0, "%s",
			     *backend);
}
