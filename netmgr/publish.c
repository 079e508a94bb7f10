// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/publish.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/rootless.h"
#include "common/str.h"

#include "netmgr/ip.h"

static const char *protocol_name(uint8_t protocol)
{
	return protocol == IPPROTO_UDP ? "udp" : protocol == IPPROTO_SCTP ? "sctp" : "tcp";
}

static int hold(const struct ipaddr *ip, uint8_t protocol, uint16_t port)
{
	struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int type = protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM, on = 1;
	_cleanup_close_ int fd = -EBADF;
	int r;

	fd = rootless_host_socket(ip->family, type | SOCK_NONBLOCK, protocol);
	if (fd < 0)
		return fd;
	/* A port whose connections of before linger (TIME_WAIT) is free; a listener's is not. */
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ip->family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		address6.sin6_addr = ip_to6(ip);
		r = bind(fd, (struct sockaddr *)&address6, sizeof(address6));
	} else {
		address4.sin_addr = ip_to4(ip);
		r = bind(fd, (struct sockaddr *)&address4, sizeof(address4));
	}
	return r < 0 ? -errno : TAKE_FD(fd);
}

static bool no_such_family(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL;
}

#define HOLD_TRIES      40
#define HOLD_PAUSE_USEC 5000

/*
 * Two sockets with SO_REUSEADDR may both be bound as long as neither listens: listening is what
 * makes the hold exclusive, whoever comes next.
 */
static int make_exclusive(int fd, uint8_t protocol)
{
	if (fd < 0 || protocol != IPPROTO_TCP)
		return 0;
	return listen(fd, 128) < 0 ? -errno : 0;
}

/* Both families on one port, or one of them where an address is named. 0 or -errno. */
static int hold_port(const struct publish *publish, uint16_t port, int ret_fds[2],
		     const char **ret_where)
{
	_cleanup_close_ int fd4 = -EBADF, fd6 = -EBADF;
	struct ipaddr ip4 = {.family = AF_INET}, ip6 = {.family = AF_INET6}, host;
	bool all = !publish->host_ip[0];
	int r;

	if (!all)
		(void)ip_parse(publish->host_ip, &host);
	if (all || host.family == AF_INET) {
		*ret_where = all ? "0.0.0.0" : publish->host_ip;
		fd4 = hold(all ? &ip4 : &host, publish->protocol, port);
		if (fd4 < 0)
			return fd4;
		r = make_exclusive(fd4, publish->protocol);
		if (r < 0)
			return r;
	}
	if (all || host.family == AF_INET6) {
		*ret_where = all ? "[::]" : publish->host_ip;
		fd6 = hold(all ? &ip6 : &host, publish->protocol, port);
		/* A host without IPv6 has nothing to publish there. */
		if (fd6 < 0 && !(all && no_such_family(fd6)))
			return fd6;
		r = make_exclusive(fd6, publish->protocol);
		if (r < 0)
			return r;
	}
	ret_fds[0] = TAKE_FD(fd4);
	ret_fds[1] = fd6 < 0 ? -EBADF : TAKE_FD(fd6);
	return 0;
}

/* The inode of the socket that has the port, from /proc/net/{tcp,udp}[6]; 0: not found. */
static unsigned long find_inode(const char *table, uint8_t protocol, uint16_t port)
{
	_cleanup_free_ char *path = str_printf("%s/%s", rootless_host_proc_net(), table);
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned int local, state;
		unsigned long inode;

		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %*u %*u %lu", &local,
			   &state, &inode) != 3 ||
		    local != port)
			continue;
		if (protocol == IPPROTO_TCP && state != 0x0a /* listening */)
			continue;
		if (inode)
			return inode;
	}
	return 0;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	_cleanup_free_ char *path = str_printf("/proc/%s/fd", pid);
	_cleanup_free_ char *wanted = str_printf("socket:[%lu]", inode);
	_cleanup_dir_ DIR *dir = opendir(path);
	const struct dirent *entry;
	char target[64];

	while (dir && (entry = readdir(dir))) {
		ssize_t size = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);

		if (size <= 0)
			continue;
		target[size] = '\0';
		if (str_equal(target, wanted))
			return true;
	}
	return false;
}

/* The process that holds the port, as its folder's name in /proc; "" if it cannot be found. */
static void find_holder(uint8_t protocol, uint16_t port, char pid[16])
{
	const char *tables[2] = {protocol == IPPROTO_UDP ? "udp" : "tcp",
				 protocol == IPPROTO_UDP ? "udp6" : "tcp6"};
	_cleanup_dir_ DIR *dir = NULL;
	const struct dirent *entry;
	unsigned long inode;

	pid[0] = '\0';
	inode = find_inode(tables[0], protocol, port);
	if (!inode)
		inode = find_inode(tables[1], protocol, port);
	dir = inode ? opendir("/proc") : NULL;
	while (dir && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, inode))
			continue;
		snprintf(pid, 16, "%.15s", entry->d_name);
		return;
	}
}

/* ", by NAME (pid N)", ", by the berth project NAME", or "". */
static void name_holder(uint8_t protocol, uint16_t port, char *text, size_t size)
{
	_cleanup_free_ char *path = NULL, *name = NULL, *line = NULL, *line_path = NULL;
	struct error ignored = ERROR_INIT;
	size_t length = 0;
	char pid[16];

	text[0] = '\0';
	find_holder(protocol, port, pid);
	if (!pid[0])
		return;
	/* Words end with NUL: berth, __keeper or __supervisor, the project. */
	line_path = str_printf("/proc/%s/cmdline", pid);
	if (fs_read(AT_FDCWD, line_path, 4096, &line, &length, &ignored) >= 0 &&
	    str_equal(line, "berth") && length > 8 && str_starts_with(line + 6, "__")) {
		const char *project = line + 6 + strlen(line + 6) + 1;

		if (project < line + length)
			snprintf(text, size, ", by the berth project %.63s", project);
		return;
	}
	path = str_printf("/proc/%s/comm", pid);
	if (fs_read(AT_FDCWD, path, 64, &name, NULL, &ignored) >= 0)
		snprintf(text, size, ", by %.16s (pid %s)", str_trim(name), pid);
}

/*
 * A child of ours that has not come to its exec yet (a container's, a probe's) has copies of all
 * our sockets, of those that were just closed too: such a holder is gone in some milliseconds.
 */
static bool holder_is_passing(const struct publish *publish)
{
	char pid[16], ours[4096] = "", theirs[4096] = "";
	_cleanup_free_ char *path = NULL;

	find_holder(publish->protocol, publish->host_port, pid);
	if (!pid[0])
		return true;
	path = str_printf("/proc/%s/exe", pid);
	return readlink("/proc/self/exe", ours, sizeof(ours) - 1) > 0 &&
	       readlink(path, theirs, sizeof(theirs) - 1) > 0 && str_equal(ours, theirs);
}

static int report(const struct publish *publish, uint16_t port, const char *where, int r,
		  struct error *err)
{
	const char *protocol = protocol_name(publish->protocol);
	char holder[96];

	switch (-r) {
	case EADDRINUSE:
		name_holder(publish->protocol, port, holder, sizeof(holder));
		return error_set(err, EADDRINUSE, "port %u/%s is already taken on %s%s", port,
				 protocol, where, holder);
	case EADDRNOTAVAIL:
		return error_set(err, EADDRNOTAVAIL,
				 "port %u/%s: this host does not have address %s", port, protocol,
				 where);
	case EACCES:
		return error_set(err, EACCES,
				 "port %u/%s: ports below net.ipv4.ip_unprivileged_port_start are "
				 "for root",
				 port, protocol);
	default:
		return error_code(err, r, "port %u/%s on %s", port, protocol, where);
	}
}

/* The kernel's ephemeral range. */
static void ephemeral_range(uint16_t *ret_first, uint16_t *ret_last)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int first, last;

	*ret_first = 32768;
	*ret_last = 60999;
	if (file && fscanf(file, "%u %u", &first, &last) == 2 && first && first <= last &&
	    last <= UINT16_MAX) {
		*ret_first = first;
		*ret_last = last;
	}
}

/* A range is tried from its beginning, the ephemeral one from anywhere. */
static int hold_any(struct publish *publish, int ret_fds[2], struct error *err)
{
	uint16_t first = publish->host_first, last = publish->host_last, start = 0;
	const char *where = "";
	unsigned int ports;
	int r = -EADDRINUSE;

	if (!first) {
		ephemeral_range(&first, &last);
		if (getrandom(&start, sizeof(start), 0) < 0)
			start = 0;
	}
	ports = last - first + 1u;
	for (unsigned int i = 0; i < ports; i++) {
		uint16_t port = first + (start + i) % ports;

		r = hold_port(publish, port, ret_fds, &where);
		if (r >= 0) {
			publish->host_port = port;
			return 0;
		}
		if (r != -EADDRINUSE)
			return report(publish, port, where, r, err);
	}
	return error_set(err, EADDRINUSE, "ports %u-%u/%s are all taken on %s", first, last,
			 protocol_name(publish->protocol), where);
}

int publish_hold(struct publish *publish, int ret_fds[2], struct error *err)
{
	const char *where = "";
	struct ipaddr ip;
	int r;

	ret_fds[0] = ret_fds[1] = -EBADF;
	if (publish->host_ip[0] && ip_parse(publish->host_ip, &ip) < 0)
		return error_set(err, EINVAL, "'%s' is not an address to publish a port on",
				 publish->host_ip);
	if (publish->host_first > publish->host_last)
		return error_set(err, EINVAL, "ports %u-%u: the range ends before it begins",
				 publish->host_first, publish->host_last);
	if (!publish->host_port)
		return hold_any(publish, ret_fds, err);
	for (int tries = 0;; tries++) {
		r = hold_port(publish, publish->host_port, ret_fds, &where);
		if (r != -EADDRINUSE || tries == HOLD_TRIES || !holder_is_passing(publish))
			break;
		usleep(HOLD_PAUSE_USEC);
	}
	return r < 0 ? report(publish, publish->host_port, where, r, err) : 0;
}
