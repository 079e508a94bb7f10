// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "netmgr/dns/message.h"
#include "netmgr/dns/server.h"

#include "tests/support/scratch.h"

#define WAIT_USEC (8 * USEC_PER_SEC)

/* What the resolver beyond does with a question. */
enum behaviour { ANSWERS, SILENT, REFUSES, LIES, TRUNCATES, HUGE };

struct world {
	sd_event *event;
	struct dns_server *server;
	struct dns_listener *listener;
	int client;        /* UDP, connected to the listener */
	uint16_t tcp_port; /* the listener's */
	int upstream[2];   /* UDP sockets of two resolvers */
	int upstream_tcp;  /* of the first one */
	enum behaviour behaviour[2];
	unsigned int asked[2];
	uint16_t last_port;
};

/* -1: somebody has that port. */
static int try_bound(int type, uint16_t port, uint16_t *ret_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), on = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, size) < 0) {
		close(fd);
		return -1;
	}
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int bound(int type, uint16_t port, uint16_t *ret_port)
{
	int fd = try_bound(type, port, ret_port);

	cr_assert_geq(fd, 0);
	return fd;
}

/* One port for both; who else runs beside us may have it for one of them. */
static void bound_pair(int *udp, int *tcp, uint16_t *ret_port)
{
	for (int tries = 0;; tries++) {
		*udp = bound(SOCK_DGRAM, 0, ret_port);
		*tcp = try_bound(SOCK_STREAM, *ret_port, ret_port);
		if (*tcp >= 0)
			return;
		close(*udp);
		cr_assert_lt(tries, 100);
	}
}

static int connected(int type, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void write_resolv_conf(uint16_t first, uint16_t second)
{
	_cleanup_close_ int dir = scratch_open();
	_cleanup_free_ char *text =
		str_printf("# the host's\nsearch example.org\nnameserver 127.0.0.1:%u\n"
			   "nameserver 127.0.0.1:%u\n",
			   first, second);
	struct error err = ERROR_INIT;

	cr_assert_eq(fs_replace(dir, "resolv.conf", text, strlen(text), FS_ATOMIC, &err), 0);
}

static void add_names(struct dns_server *server)
{
	struct dns_names web = {.network = "app_default",
				.container_id = "c1",
				.has_ipv4 = true,
				.names = (const char *[]){"app-web-1", "web", NULL}};
	struct dns_names six = {.network = "app_default",
				.container_id = "c2",
				.has_ipv6 = true,
				.names = (const char *[]){"six", NULL}};

	inet_pton(AF_INET, "10.0.0.2", &web.ipv4);
	inet_pton(AF_INET6, "fd00::2", &six.ipv6);
	dns_server_add(server, &web);
	dns_server_add(server, &six);
}

static struct world open_world(bool no_forward)
{
	struct world world = {0};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = NULL;
	struct dns_options options;
	struct dns_listener_options listener = {
		.container_id = "c9",
		.networks = (const char *[]){"app_default", NULL},
		.no_forward = no_forward,
	};
	uint16_t ports[2], udp_port;
	int udp, tcp;

	bound_pair(&world.upstream[0], &world.upstream_tcp, &ports[0]);
	world.upstream[1] = bound(SOCK_DGRAM, 0, &ports[1]);
	cr_assert_eq(listen(world.upstream_tcp, 8), 0);
	write_resolv_conf(ports[0], ports[1]);
	path = str_printf("%s/resolv.conf", scratch_path());
	options.resolv_conf = path;
	inet_pton(AF_INET, "10.0.0.1", &listener.gateway4);
	cr_assert_geq(sd_event_new(&world.event), 0);
	cr_assert_eq(dns_server_new(world.event, &options, &world.server, &err), 0);
	add_names(world.server);
	udp = bound(SOCK_DGRAM, 0, &udp_port);
	tcp = bound(SOCK_STREAM, 0, &world.tcp_port);
	cr_assert_eq(dns_server_listen(world.server, udp, tcp, &listener, &world.listener, &err), 0,
		     "%s", err.message);
	world.client = connected(SOCK_DGRAM, udp_port);
	return world;
}

static void close_world(struct world *world)
{
	dns_listener_free(world->listener);
	dns_server_free(world->server);
	sd_event_unref(world->event);
	close(world->client);
	close(world->upstream[0]);
	close(world->upstream[1]);
	close(world->upstream_tcp);
	scratch_remove();
}

static size_t make_query(uint8_t *data, uint16_t id, const char *name, unsigned int type)
{
	size_t at = DNS_HEADER;

	memset(data, 0, DNS_HEADER);
	dns_put16(data, id);
	dns_put16(data + 2, 0x0100);
	dns_put16(data + 4, 1);
	while (*name) {
		size_t length = strcspn(name, ".");

		data[at++] = length;
		memcpy(data + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	data[at++] = 0;
	dns_put16(data + at, type);
	dns_put16(data + at + 2, 1);
	return at + 4;
}

/* The resolver beyond answers each A question with 192.0.2.N. */
static size_t resolver_says(enum behaviour behaviour, uint8_t *data, size_t size, uint8_t n)
{
	static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2};
	unsigned int count = behaviour == HUGE ? 100 : 1;

	data[2] |= 0x80;
	if (behaviour == REFUSES) {
		data[3] = (data[3] & 0xf0) | DNS_SERVFAIL;
		return size;
	}
	if (behaviour == TRUNCATES) {
		data[2] |= 2;
		return size;
	}
	if (behaviour == LIES)
		data[1] ^= 1;
	for (unsigned int i = 0; i < count; i++) {
		memcpy(data + size, record, sizeof(record));
		data[size + sizeof(record)] = n;
		size += sizeof(record) + 1;
	}
	dns_put16(data + 6, count);
	return size;
}

static void serve_udp(struct world *world, int which)
{
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	uint8_t data[4096];
	ssize_t n = recvfrom(world->upstream[which], data, 1024, MSG_DONTWAIT,
			     (struct sockaddr *)&from, &from_size);

	if (n < 0)
		return;
	world->asked[which]++;
	world->last_port = ntohs(from.sin_port);
	if (world->behaviour[which] == SILENT)
		return;
	n = resolver_says(world->behaviour[which], data, n, which + 1);
	cr_assert_eq(
		sendto(world->upstream[which], data, n, 0, (struct sockaddr *)&from, from_size), n);
}

static void serve_tcp(struct world *world)
{
	_cleanup_close_ int fd = accept4(world->upstream_tcp, NULL, NULL, SOCK_CLOEXEC);
	uint8_t data[4096];
	size_t size;

	/* Small and on loopback: the query comes as a whole, soon. */
	cr_assert_eq(fd_read_full(fd, data, 2), 2);
	size = dns_get16(data);
	cr_assert_eq(fd_read_full(fd, data + 2, size), size);
	size = resolver_says(HUGE, data + 2, size, 9);
	dns_put16(data, size);
	cr_assert_eq(fd_write_all(fd, data, size + 2), 0);
}

/* Runs server and resolvers until @fd is readable. False: it took too long. */
static bool run_until_readable(struct world *world, int fd)
{
	int64_t deadline = units_monotonic_usec() + WAIT_USEC;

	while (units_monotonic_usec() < deadline) {
		struct pollfd fds[] = {
			{.fd = fd, .events = POLLIN},
			{.fd = sd_event_get_fd(world->event), .events = POLLIN},
			{.fd = world->upstream[0], .events = POLLIN},
			{.fd = world->upstream[1], .events = POLLIN},
			{.fd = world->upstream_tcp, .events = POLLIN},
		};

		while (sd_event_run(world->event, 0) > 0)
			;
		if (poll(fds, 1, 0) == 1)
			return true;
		(void)poll(fds, ARRAY_SIZE(fds), 20);
		serve_udp(world, 0);
		serve_udp(world, 1);
		if (fds[4].revents)
			serve_tcp(world);
	}
	return false;
}

/* "RCODE[TC] address address ..." or "timeout". */
static char *describe(const uint8_t *data, size_t size, const struct dns_query *query)
{
	struct strbuf text = {0};
	size_t at = query->question_end;

	strbuf_addf(&text, "%u%s", data[3] & 0xf, data[2] & 2 ? "TC" : "");
	for (unsigned int i = 0; i < dns_get16(data + 6) && i < 3; i++) {
		char address[INET6_ADDRSTRLEN];
		unsigned int type = dns_get16(data + at + 2), length = dns_get16(data + at + 10);

		cr_assert_leq(at + 12 + length, size);
		if (type == DNS_PTR)
			strbuf_addf(&text, " ptr");
		else
			strbuf_addf(&text, " %s",
				    inet_ntop(type == DNS_A ? AF_INET : AF_INET6, data + at + 12,
					      address, sizeof(address)));
		at += 12 + length;
	}
	return strbuf_take(&text);
}

static char *ask(struct world *world, const char *name, unsigned int type)
{
	static uint16_t id = 100;
	uint8_t data[4096];
	struct dns_query query;
	size_t size = make_query(data, ++id, name, type);
	ssize_t n;

	cr_assert_eq(dns_parse_query(data, size, &query), 0);
	cr_assert_eq(send(world->client, data, size, 0), (ssize_t)size);
	if (!run_until_readable(world, world->client))
		return alloc_string("timeout");
	n = recv(world->client, data, sizeof(data), 0);
	cr_assert_geq(n, DNS_HEADER);
	cr_assert_eq(dns_get16(data), id);
	return describe(data, n, &query);
}

static void expect(struct world *world, const char *name, unsigned int type, const char *expected)
{
	_cleanup_free_ char *reply = ask(world, name, type);

	cr_expect_str_eq(reply, expected, "%s: %s", name, reply);
}

Test(dns_server, own_names)
{
	struct world world = open_world(false);

	expect(&world, "web", DNS_A, "0 10.0.0.2");
	expect(&world, "WEB", DNS_A, "0 10.0.0.2");
	expect(&world, "web.app_default", DNS_A, "0 10.0.0.2");
	expect(&world, "web", DNS_AAAA, "0");
	expect(&world, "web", 65, "0");
	expect(&world, "six", DNS_A, "0");
	expect(&world, "six", DNS_AAAA, "0 fd00::2");
	expect(&world, "2.0.0.10.in-addr.arpa", DNS_PTR, "0 ptr");
	expect(&world, "host.docker.internal", DNS_A, "0 10.0.0.1");
	expect(&world, "gateway.docker.internal", DNS_AAAA, "0");
	cr_expect_eq(world.asked[0] + world.asked[1], 0);
	dns_server_remove(world.server, NULL, "c1");
	expect(&world, "web", DNS_A, "0 192.0.2.1");
	close_world(&world);
}

Test(dns_server, forwards_and_tries_the_next_resolver, .timeout = 60)
{
	struct world world = open_world(false);
	uint16_t port, other;
	int dead;
	int64_t start;

	expect(&world, "example.org", DNS_A, "0 192.0.2.1");
	port = world.last_port;
	/* The kernel draws them, and may draw the same one twice. */
	for (int i = 0; i < 4 && (!i || port == world.last_port); i++)
		expect(&world, "unqualified", DNS_A, "0 192.0.2.1");
	cr_expect_neq(port, world.last_port, "the port stays the same");
	cr_expect_eq(world.asked[1], 0);
	/* Refused: the next one at once. Silent: after a second. A lie is no answer. */
	world.behaviour[0] = REFUSES;
	start = units_monotonic_usec();
	expect(&world, "example.org", DNS_A, "0 192.0.2.2");
	cr_expect_lt(units_monotonic_usec() - start, 500 * 1000);
	world.behaviour[1] = REFUSES;
	expect(&world, "example.org", DNS_A, "2");
	world.behaviour[0] = SILENT;
	world.behaviour[1] = ANSWERS;
	start = units_monotonic_usec();
	expect(&world, "example.org", DNS_A, "0 192.0.2.2");
	cr_expect_geq(units_monotonic_usec() - start, 900 * 1000);
	world.behaviour[0] = world.behaviour[1] = LIES;
	start = units_monotonic_usec();
	expect(&world, "example.org", DNS_A, "2");
	cr_expect_geq(units_monotonic_usec() - start, 3900 * 1000);
	cr_expect_lt(units_monotonic_usec() - start, 5000 * 1000);
	/* Nobody listens there: the kernel says so, and the next one is asked at once. */
	dead = bound(SOCK_DGRAM, 0, &port);
	close(dead);
	other = 0;
	close(world.upstream[1]);
	world.upstream[1] = bound(SOCK_DGRAM, 0, &other);
	world.behaviour[1] = ANSWERS;
	write_resolv_conf(port, other);
	start = units_monotonic_usec();
	expect(&world, "example.org", DNS_A, "0 192.0.2.2");
	cr_expect_lt(units_monotonic_usec() - start, 500 * 1000);
	close_world(&world);
}

static char *ask_tcp(struct world *world, int fd, const uint8_t *data, size_t size,
		     const struct dns_query *query)
{
	uint8_t reply[8192];

	if (size)
		cr_assert_eq(fd_write_all(fd, data, size), 0);
	cr_assert(run_until_readable(world, fd));
	cr_assert_eq(fd_read_full(fd, reply, 2), 2);
	size = dns_get16(reply);
	cr_assert_eq(fd_read_full(fd, reply + 2, size), (ssize_t)size);
	return describe(reply + 2, size, query);
}

Test(dns_server, large_answers_come_by_tcp)
{
	struct world world = open_world(false);
	_cleanup_free_ char *first = NULL, *second = NULL, *third = NULL;
	uint8_t data[2048];
	struct dns_query query;
	size_t size;
	int fd;

	world.behaviour[0] = HUGE;
	expect(&world, "example.org", DNS_A, "0TC");
	world.behaviour[0] = TRUNCATES;
	expect(&world, "example.org", DNS_A, "0TC");

	/* Three questions in two pieces, the third cut in half. */
	fd = connected(SOCK_STREAM, world.tcp_port);
	size = make_query(data + 2, 7, "web", DNS_A);
	dns_put16(data, size);
	cr_assert_eq(dns_parse_query(data + 2, size, &query), 0);
	memcpy(data + 2 + size, data, 2 + size);
	memcpy(data + 2 * (2 + size), data, 2 + size);
	first = ask_tcp(&world, fd, data, 2 * (2 + size) + 5, &query);
	cr_expect_str_eq(first, "0 10.0.0.2");
	second = ask_tcp(&world, fd, NULL, 0, &query);
	cr_expect_str_eq(second, "0 10.0.0.2");
	third = ask_tcp(&world, fd, data + 5, size + 2 - 5, &query);
	cr_expect_str_eq(third, "0 10.0.0.2");

	/* Forwarded by TCP as well; the client has shut down its side and still gets its answer. */
	size = make_query(data + 2, 8, "example.org", DNS_A);
	dns_put16(data, size);
	cr_assert_eq(dns_parse_query(data + 2, size, &query), 0);
	cr_assert_eq(fd_write_all(fd, data, size + 2), 0);
	shutdown(fd, SHUT_WR);
	free(first);
	first = ask_tcp(&world, fd, NULL, 0, &query);
	cr_expect_str_eq(first, "0 192.0.2.9 192.0.2.9 192.0.2.9");
	cr_expect(run_until_readable(&world, fd));
	cr_expect_eq(read(fd, data, 1), 0);
	close(fd);
	close_world(&world);
}

Test(dns_server, clients_that_misbehave_are_bounded, .timeout = 60)
{
	struct world world = open_world(false);
	uint8_t data[512];
	int fds[40], refused = 0, answered = 0;
	ssize_t n;

	/* More questions at a time than are forwarded: the rest is refused, at once. */
	world.behaviour[0] = world.behaviour[1] = SILENT;
	for (int i = 0; i < 120; i++) {
		size_t size = make_query(data, 1000 + i, "slow.example.org", DNS_A);

		cr_assert_eq(send(world.client, data, size, 0), (ssize_t)size);
		while (sd_event_run(world.event, 0) > 0)
			;
	}
	while ((n = recv(world.client, data, sizeof(data), MSG_DONTWAIT)) > 0)
		refused += (data[3] & 0xf) == DNS_REFUSED;
	cr_expect_eq(refused, 20, "%d", refused);
	/* More connections than there may be: the oldest idle ones go. */
	for (int i = 0; i < 40; i++) {
		fds[i] = connected(SOCK_STREAM, world.tcp_port);
		while (sd_event_run(world.event, 0) > 0)
			;
	}
	for (int i = 0; i < 40; i++)
		answered += recv(fds[i], data, 1, MSG_DONTWAIT) < 0;
	cr_expect_eq(answered, 16, "%d", answered);
	/* A message of no sensible length. */
	dns_put16(data, 5000);
	cr_assert_eq(fd_write_all(fds[39], data, 2), 0);
	cr_expect(run_until_readable(&world, fds[39]));
	cr_expect_leq(recv(fds[39], data, 1, 0), 0);
	/* A listener that goes takes with it all that is under way. */
	for (int i = 0; i < 40; i++)
		close(fds[i]);
	close_world(&world);
}

/* Names carry data: who is on internal networks only cannot ask outside. */
Test(dns_server, internal_networks_forward_nothing)
{
	struct world world = open_world(true);

	expect(&world, "web", DNS_A, "0 10.0.0.2");
	expect(&world, "secret.example.org", DNS_A, "3");
	cr_expect_eq(world.asked[0], 0);
	close_world(&world);
}
