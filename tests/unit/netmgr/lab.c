// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/netmgr/lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"

#include "netmgr/ip.h"
#include "netmgr/netlink/link.h"

int lab_failures;

void lab_complain(const char *file, int line, const char *condition, const char *format, ...)
{
	va_list list;

	fprintf(stderr, "%s:%d: %s: ", file, line, condition);
	va_start(list, format);
	vfprintf(stderr, format, list);
	va_end(list);
	fputc('\n', stderr);
}

static void send_batch(int fd, struct batch *batch)
{
	struct error err = ERROR_INIT;

	CHECK_OK(batch_send(batch, fd, 0, &err), &err);
	batch_done(batch);
}

struct network_store *lab_open(void)
{
	struct network_store *store = NULL;
	struct error err = ERROR_INIT;
	struct batch batch = {0};
	int fd;

	setenv("XTABLES_LOCKFILE", "/run/xtables.lock", 1);
	CHECK(mount("lab", "/run", "tmpfs", 0, NULL) == 0, "%m");
	fd = netlink_open(NETLINK_ROUTE, &err);
	link_set_up(&batch, 1);
	send_batch(fd, &batch);
	close(fd);
	CHECK_OK(network_store_open("/run/berth", &store, &err), &err);
	return store;
}

static int go_to(int netns)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (netns >= 0 && setns(netns, CLONE_NEWNET) < 0)
		CHECK(false, "setns: %m");
	return home;
}

static void go_home(int home)
{
	CHECK(setns(home, CLONE_NEWNET) == 0, "%m");
	close(home);
}

static int new_netns(void)
{
	int home = go_to(-1), netns;

	CHECK(unshare(CLONE_NEWNET) == 0, "%m");
	netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	go_home(home);
	return netns;
}

static void add_addresses(int fd, const char *interface, const char *ip4, const char *ip6)
{
	struct batch batch = {0};
	struct ipaddr ip;
	int index = link_index(fd, interface);

	link_set_up(&batch, 1);
	link_set_up(&batch, index);
	(void)ip_parse(ip4, &ip);
	link_add_address(&batch, index, &ip, 24);
	(void)ip_parse(ip6, &ip);
	link_add_address(&batch, index, &ip, 64);
	send_batch(fd, &batch);
}

int lab_outside(void)
{
	int netns = new_netns(), home, fd;
	struct error err = ERROR_INIT;
	struct batch batch = {0};
	struct ipaddr gateway;
	struct link_veth veth = {.name = "up0", .peer_name = "eth0", .netns_fd = netns};

	fd = netlink_open(NETLINK_ROUTE, &err);
	link_add_veth(&batch, &veth);
	link_set_up_by_name(&batch, "up0");
	send_batch(fd, &batch);
	add_addresses(fd, "up0", "203.0.113.1", "2001:db8::1");
	close(fd);
	home = go_to(netns);
	fd = netlink_open(NETLINK_ROUTE, &err);
	add_addresses(fd, "eth0", "203.0.113.2", "2001:db8::2");
	/* The worst neighbour: one that sends the host packets for any address. */
	(void)ip_parse("203.0.113.1", &gateway);
	link_add_default_route(&batch, link_index(fd, "eth0"), &gateway, false);
	(void)ip_parse("2001:db8::1", &gateway);
	link_add_default_route(&batch, link_index(fd, "eth0"), &gateway, false);
	send_batch(fd, &batch);
	close(fd);
	go_home(home);
	return netns;
}

/* The child plays the container between clone3 and execve. */
static int birth(const struct attachment *attachment, int socket)
{
	struct error err = ERROR_INIT;
	int fds[3];
	size_t count = 0;

	if (unshare(CLONE_NEWNET) < 0)
		return 1;
	if (attachment_hook(attachment, fds, &count, &err) < 0) {
		fprintf(stderr, "hook: %s\n", err.message);
		return 2;
	}
	fds[count++] = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd_send(socket, "x", 1, fds, count) < 0;
}

struct box lab_box(struct network_store *store, const char *id, const char *const *networks)
{
	struct box box = {.netns = -EBADF, .dns = {-EBADF, -EBADF}};
	struct endpoint_options ends[4] = {0};
	struct error err = ERROR_INIT;
	int pair[2], fds[3], status;
	size_t count = 0, fd_count = 3;
	char byte;
	pid_t pid;

	for (; count < 4 && networks[count]; count++) {
		ends[count].network = networks[count];
		ends[count].container_id = id;
	}
	CHECK_OK(attachment_prepare(store, ends, count, true, &box.attachment, &err), &err);
	if (!box.attachment)
		return box;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "%m");
	pid = fork();
	if (pid == 0)
		_exit(birth(box.attachment, pair[1]));
	close(pair[1]);
	attachment_settle(box.attachment);
	CHECK(fd_receive(pair[0], &byte, 1, fds, &fd_count) == 1, "birth of %s", id);
	close(pair[0]);
	(void)waitpid(pid, &status, 0);
	CHECK(fd_count == 3, "%zu descriptors", fd_count);
	if (fd_count == 3) {
		box.dns[0] = fds[0];
		box.dns[1] = fds[1];
		box.netns = fds[2];
	}
	box.ends = attachment_endpoints(box.attachment, &box.count);
	return box;
}

void lab_unbox(struct network_store *store, struct box *box)
{
	struct error err = ERROR_INIT;

	cleanup_close_fd(&box->dns[0]);
	cleanup_close_fd(&box->dns[1]);
	cleanup_close_fd(&box->netns);
	CHECK_OK(attachment_release(store, &box->attachment, 1, &err), &err);
	attachment_free(box->attachment);
}

const char *lab_ip4(const struct box *box, size_t end)
{
	static char text[4][INET6_ADDRSTRLEN];
	static unsigned int next;
	char *t = text[next++ % 4];

	return inet_ntop(AF_INET, &box->ends[end].ipv4, t, INET6_ADDRSTRLEN);
}

const char *lab_ip6(const struct box *box, size_t end)
{
	static char text[4][INET6_ADDRSTRLEN];
	static unsigned int next;
	char *t = text[next++ % 4];

	return inet_ntop(AF_INET6, &box->ends[end].ipv6, t, INET6_ADDRSTRLEN);
}

int lab_socket(int netns, int family, int type)
{
	int home = go_to(netns), fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	go_home(home);
	return fd;
}

static socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct ipaddr ip;

	memset(ret, 0, sizeof(*ret));
	CHECK(ip_parse(text, &ip) == 0, "%s", text);
	ret->ss_family = ip.family;
	if (ip.family == AF_INET) {
		in->sin_addr = ip_to4(&ip);
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	in6->sin6_addr = ip_to6(&ip);
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

int lab_listen(int netns, const char *address, uint16_t port)
{
	struct sockaddr_storage where;
	socklen_t size = address_of(address, port, &where);
	int fd = lab_socket(netns, where.ss_family, SOCK_STREAM), on = 1;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (where.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	CHECK(bind(fd, (struct sockaddr *)&where, size) == 0, "%s:%u: %m", address, port);
	CHECK(listen(fd, 16) == 0, "%m");
	return fd;
}

int lab_connect(int netns, const char *address, uint16_t port, int listener, char *ret_peer)
{
	struct sockaddr_storage where, peer;
	socklen_t size = address_of(address, port, &where), peer_size = sizeof(peer);
	_cleanup_close_ int fd = lab_socket(netns, where.ss_family, SOCK_STREAM);
	_cleanup_close_ int accepted = -EBADF;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	int code = 0;
	socklen_t code_size = sizeof(code);

	if (connect(fd, (struct sockaddr *)&where, size) < 0 && errno != EINPROGRESS)
		return -errno;
	if (poll(&wait, 1, 1500) == 0)
		return -ETIMEDOUT;
	(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_size);
	if (code)
		return -code;
	wait = (struct pollfd){.fd = listener, .events = POLLIN};
	if (poll(&wait, 1, 1500) <= 0)
		return -ENOTCONN;
	accepted = accept4(listener, (struct sockaddr *)&peer, &peer_size, SOCK_CLOEXEC);
	if (accepted < 0)
		return -errno;
	if (ret_peer)
		inet_ntop(peer.ss_family,
			  peer.ss_family == AF_INET
				  ? (void *)&((struct sockaddr_in *)&peer)->sin_addr
				  : (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr,
			  ret_peer, 64);
	return 0;
}

bool lab_link_exists(const char *name)
{
	return if_nametoindex(name) > 0;
}

size_t lab_link_count(void)
{
	struct if_nameindex *list = if_nameindex();
	size_t count = 0;

	while (list && list[count].if_index)
		count++;
	if_freenameindex(list);
	return count;
}
