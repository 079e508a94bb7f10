// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/units.h"

#include "netmgr/proxy.h"

#include "tests/support/namespaces.h"

#define WAIT_USEC (10 * USEC_PER_SEC)

/* Here a check is an exit status: the code runs in a child with a network of its own. */
#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition); \
			return 1;                                                       \
		}                                                                       \
	} while (0)

static void loopback_up(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

static int bound(int family, int type, const char *text, struct sockaddr_storage *ret,
		 socklen_t *ret_size)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_storage){.ss_family = family};
	*ret_size = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	inet_pton(family, text, family == AF_INET ? (void *)&in->sin_addr : &in6->sin6_addr);
	if (bind(fd, (struct sockaddr *)ret, *ret_size) < 0 ||
	    getsockname(fd, (struct sockaddr *)ret, ret_size) < 0)
		abort();
	return fd;
}

static int connected(int type, const struct sockaddr_storage *to, socklen_t size)
{
	int fd = socket(to->ss_family, type | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)to, size) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

/* The proxy in a process of its own, until it is killed. */
static pid_t start_proxy(int fd, uint8_t protocol, const struct sockaddr_storage *to,
			 socklen_t size)
{
	struct error err = ERROR_INIT;
	struct proxy *proxy;
	sd_event *event;
	pid_t pid = fork();

	if (pid)
		return pid;
	signal(SIGPIPE, SIG_IGN);
	if (sd_event_new(&event) < 0 ||
	    proxy_new(event, fd, protocol, (const struct sockaddr *)to, size, &proxy, &err) < 0)
		_exit(1);
	_exit(sd_event_loop(event) < 0);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The listening socket becomes one in the proxy's process, a moment later. */
static int connect_patiently(const struct sockaddr_storage *to, socklen_t size)
{
	int64_t deadline = units_monotonic_usec() + WAIT_USEC;
	int fd;

	do {
		fd = connected(SOCK_STREAM, to, size);
		if (fd < 0)
			usleep(1000);
	} while (fd < 0 && units_monotonic_usec() < deadline);
	return fd;
}

/* Reads all until the other side ends, answers with the sum, and ends. */
static int serve_sums(int listener, int count)
{
	while (count--) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		uint8_t buffer[65536];
		uint64_t sum = 0;
		ssize_t n;

		while ((n = read(fd, buffer, sizeof(buffer))) > 0)
			for (ssize_t i = 0; i < n; i++)
				sum = sum * 31 + buffer[i];
		if (fd_write_all(fd, &sum, sizeof(sum)) < 0)
			return 1;
		close(fd);
	}
	return 0;
}

static int half_close(void *data)
{
	static const struct {
		int family;
		const char *front, *back;
	} ways[] = {
		{AF_INET, "127.0.0.1", "127.0.0.2"},
		{AF_INET6, "::1", "::1"},
	};

	loopback_up();
	array_foreach(way, ways) {
		struct sockaddr_storage front, back;
		socklen_t front_size, back_size;
		int held = bound(way->family, SOCK_STREAM, way->front, &front, &front_size);
		int listener = bound(way->family, SOCK_STREAM, way->back, &back, &back_size);
		size_t size = 3000017;
		_cleanup_free_ uint8_t *bytes = alloc(size);
		uint64_t sum = 0, got;
		pid_t server, proxy;

		for (size_t i = 0; i < size; i++) {
			bytes[i] = i * 7 + i / 251;
			sum = sum * 31 + bytes[i];
		}
		CHECK(!listen(listener, 8));
		server = fork();
		if (!server)
			_exit(serve_sums(listener, 3));
		close(listener);
		proxy = start_proxy(held, IPPROTO_TCP, &back, back_size);
		for (int i = 0; i < 3; i++) {
			int fd = connect_patiently(&front, front_size);

			CHECK(fd >= 0);
			CHECK(!fd_write_all(fd, bytes, size));
			CHECK(!shutdown(fd, SHUT_WR));
			CHECK(fd_read_full(fd, &got, sizeof(got)) == sizeof(got));
			CHECK(got == sum);
			CHECK(read(fd, &got, 1) == 0);
			close(fd);
		}
		CHECK(waitpid(server, NULL, 0) == server);
		/* Nobody is there any more: a connection ends in a reset. */
		int fd = connect_patiently(&front, front_size);

		CHECK(fd >= 0);
		CHECK(read(fd, &got, 1) < 0 && errno == ECONNRESET);
		close(fd);
		stop(proxy);
		close(held);
	}
	return 0;
}

/* Both ways at once, and a reader that takes its time: nothing is lost to full buffers. */
static int both_ways(void *data)
{
	struct sockaddr_storage front, back;
	socklen_t front_size, back_size;
	int held, listener, fd, peer;
	const size_t size = 8 << 20;
	_cleanup_free_ char *buffer = alloc_zero(1, 65536);
	int64_t start;
	size_t got = 0;
	pid_t proxy, writers[2];
	ssize_t n;

	loopback_up();
	held = bound(AF_INET, SOCK_STREAM, "127.0.0.1", &front, &front_size);
	listener = bound(AF_INET, SOCK_STREAM, "127.0.0.2", &back, &back_size);
	CHECK(!listen(listener, 8));
	proxy = start_proxy(held, IPPROTO_TCP, &back, back_size);
	fd = connect_patiently(&front, front_size);
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(fd >= 0 && peer >= 0);
	start = units_monotonic_usec();
	for (int i = 0; i < 2; i++) {
		writers[i] = fork();
		if (writers[i])
			continue;
		for (size_t sent = 0; sent < size; sent += 65536)
			if (fd_write_all(i ? fd : peer, buffer, 65536) < 0)
				_exit(1);
		shutdown(i ? fd : peer, SHUT_WR);
		_exit(0);
	}
	usleep(50000);
	while ((n = read(fd, buffer, 65536)) > 0)
		got += n;
	CHECK(n == 0 && got == size);
	for (got = 0; (n = read(peer, buffer, 65536)) > 0;)
		got += n;
	CHECK(n == 0 && got == size);
	start = units_monotonic_usec() - start;
	fprintf(stderr, "2 x 8 MiB through the proxy in %lld ms\n", (long long)start / 1000);
	waitpid(writers[0], NULL, 0);
	waitpid(writers[1], NULL, 0);
	stop(proxy);
	return 0;
}

static bool answers(int fd, const char *text)
{
	char buffer[2048];
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&poll_fd, 1, 5000) != 1)
		return false;
	n = recv(fd, buffer, sizeof(buffer), 0);
	return n == (ssize_t)strlen(text) && !memcmp(buffer, text, n);
}

static int datagrams(void *data)
{
	struct sockaddr_storage front, back, from;
	socklen_t front_size, back_size, from_size = sizeof(from);
	char buffer[2048];
	int held, server, clients[2];
	pid_t proxy;

	loopback_up();
	/* Held on all addresses, asked on 127.0.0.3: it must be 127.0.0.3 that answers. */
	held = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", &front, &front_size);
	server = bound(AF_INET, SOCK_DGRAM, "127.0.0.2", &back, &back_size);
	inet_pton(AF_INET, "127.0.0.3", &((struct sockaddr_in *)&front)->sin_addr);
	proxy = start_proxy(held, IPPROTO_UDP, &back, back_size);
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 2; i++) {
			const char *text = i ? "second" : "first";
			ssize_t n;

			if (!round)
				clients[i] = connected(SOCK_DGRAM, &front, front_size);
			CHECK(send(clients[i], text, strlen(text), 0) > 0);
			n = recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr *)&from,
				     &from_size);
			CHECK(n == (ssize_t)strlen(text) && !memcmp(buffer, text, n));
			CHECK(sendto(server, buffer, n, 0, (struct sockaddr *)&from, from_size) ==
			      n);
			CHECK(answers(clients[i], text));
		}
	/* An empty datagram is one, too. */
	CHECK(send(clients[0], "", 0, 0) == 0);
	CHECK(recvfrom(server, buffer, sizeof(buffer), 0, NULL, NULL) == 0);
	stop(proxy);
	close(held);

	/* IPv6, and a server that is not there at first: what comes later arrives. */
	held = bound(AF_INET6, SOCK_DGRAM, "::", &front, &front_size);
	server = bound(AF_INET6, SOCK_DGRAM, "::1", &back, &back_size);
	close(server);
	((struct sockaddr_in6 *)&front)->sin6_addr = in6addr_loopback;
	proxy = start_proxy(held, IPPROTO_UDP, &back, back_size);
	clients[0] = connected(SOCK_DGRAM, &front, front_size);
	CHECK(send(clients[0], "lost", 4, 0) == 4);
	usleep(50000);
	server = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CHECK(!bind(server, (struct sockaddr *)&back, back_size));
	CHECK(send(clients[0], "kept", 4, 0) == 4);
	from_size = sizeof(from);
	CHECK(recvfrom(server, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_size) ==
	      4);
	CHECK(sendto(server, "reply", 5, 0, (struct sockaddr *)&from, from_size) == 5);
	CHECK(answers(clients[0], "reply"));
	stop(proxy);
	return 0;
}

/* More clients than there may be: the oldest give way, and the proxy's descriptors are bounded. */
static int many_clients(void *data)
{
	struct sockaddr_storage front, back;
	socklen_t front_size, back_size;
	struct error err = ERROR_INIT;
	struct proxy *proxy;
	sd_event *event;
	const struct rlimit few = {300, 300}, many = {2000, 2000};
	int held, server, top;
	struct pollfd arrival;
	char text[16];

	loopback_up();
	held = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", &front, &front_size);
	server = bound(AF_INET, SOCK_DGRAM, "127.0.0.2", &back, &back_size);
	CHECK(!setrlimit(RLIMIT_NOFILE, data ? &few : &many));
	CHECK(sd_event_new(&event) >= 0);
	CHECK(!proxy_new(event, held, IPPROTO_UDP, (struct sockaddr *)&back, back_size, &proxy,
			 &err));
	arrival = (struct pollfd){.fd = server, .events = POLLIN};
	for (int i = 0; i < 1500; i++) {
		int fd = connected(SOCK_DGRAM, &front, front_size);

		CHECK(fd >= 0);
		CHECK(send(fd, "x", 1, 0) == 1);
		/* On a busy machine even loopback delivers later than send() returns. */
		for (int turn = 0; turn < 100 && poll(&arrival, 1, 0) == 0; turn++)
			(void)sd_event_run(event, 100000);
		CHECK(recv(server, text, sizeof(text), MSG_DONTWAIT) == 1);
		close(fd);
	}
	top = fd_dup(held);
	CHECK(top >= 0 && top < (data ? 300 : 1100));
	close(top);
	proxy_free(proxy);
	top = fd_dup(held);
	CHECK(top < 20);
	sd_event_unref(event);
	return 0;
}

static int few_descriptors(void *data)
{
	return many_clients("few");
}

static int refused_protocol(void *data)
{
	struct sockaddr_storage front;
	socklen_t size;
	struct error err = ERROR_INIT;
	struct proxy *proxy;
	sd_event *event;
	int held;

	loopback_up();
	held = bound(AF_INET, SOCK_STREAM, "127.0.0.1", &front, &size);
	CHECK(sd_event_new(&event) >= 0);
	CHECK(proxy_new(event, held, IPPROTO_SCTP, (struct sockaddr *)&front, size, &proxy, &err) ==
	      -EPROTONOSUPPORT);
	CHECK(!strcmp(err.message, "proxy: protocol 132 is neither TCP nor UDP"));
	sd_event_unref(event);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(void *data);
} cases[] = {
	{"half close", half_close},
	{"both ways", both_ways},
	{"datagrams", datagrams},
	{"many clients", many_clients},
	{"few descriptors", few_descriptors},
	{"protocol", refused_protocol},
};

Test(proxy, in_a_network_of_its_own, .timeout = 60)
{
	if (!can_have_namespaces(CLONE_NEWNET))
		cr_skip_test("needs a network namespace");
	array_foreach(c, cases)
		cr_expect_eq(in_namespaces(CLONE_NEWNET, c->run, NULL), 0, "%s", c->name);
}
