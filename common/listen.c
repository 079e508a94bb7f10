// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/listen.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/str.h"

#define TURN_AWAY_MAX 4096

union any_address {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
	struct sockaddr_un local;
};

static int bad(const char *text, struct error *err)
{
	return error_set(err, EINVAL,
			 "\"%s\" is nothing to listen at: write a port, ADDRESS:PORT, or the "
			 "absolute path of a unix socket; \"/udp\" behind a port says datagrams",
			 text);
}

static bool parse_port(const char *text, uint16_t *ret)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return false;
	value = strtol(text, &end, 10);
	if (*end || value < 1 || value > UINT16_MAX)
		return false;
	*ret = (uint16_t)value;
	return true;
}

static int parse_path(const char *text, struct listen_address *ret, struct error *err)
{
	ret->family = AF_UNIX;
	if (!text[1])
		return bad(text, err);
	if (strlen(text) >= sizeof(ret->path))
		return error_set(err, EINVAL,
				 "\"%s\" is too long for a unix socket: %zu bytes at most", text,
				 sizeof(ret->path) - 1);
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			return error_set(err, EINVAL,
					 "the path of a socket has a control character in it");
	snprintf(ret->path, sizeof(ret->path), "%s", text);
	return 0;
}

/* Of "[::1]:80" or "127.0.0.1:80", at @colon the last one. */
static bool parse_host(char *text, char *colon, struct listen_address *ret)
{
	char binary[sizeof(struct in6_addr)];

	*colon = 0;
	ret->family = AF_INET;
	if (*text == '[' && colon > text + 1 && colon[-1] == ']') {
		ret->family = AF_INET6;
		colon[-1] = 0;
		text++;
	}
	return inet_pton(ret->family, text, binary) == 1 &&
	       inet_ntop(ret->family, binary, ret->host, sizeof(ret->host));
}

int listen_parse(const char *text, struct listen_address *ret, struct error *err)
{
	char copy[LISTEN_TEXT_MAX], *colon, *slash;

	*ret = (struct listen_address){.type = SOCK_STREAM};
	if (*text == '/' || *text == '@')
		return parse_path(text, ret, err);
	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
		return bad(text, err);
	slash = strchr(copy, '/');
	if (slash) {
		if (!strcmp(slash, "/udp"))
			ret->type = SOCK_DGRAM;
		else if (strcmp(slash, "/tcp") != 0)
			return bad(text, err);
		*slash = 0;
	}
	colon = strrchr(copy, ':');
	if (!parse_port(colon ? colon + 1 : copy, &ret->port) ||
	    (colon && !parse_host(copy, colon, ret)))
		return bad(text, err);
	return 0;
}

const char *listen_text(const struct listen_address *address, char *ret)
{
	if (address->family == AF_UNIX)
		snprintf(ret, LISTEN_TEXT_MAX, "%s", address->path);
	else if (!address->family)
		snprintf(ret, LISTEN_TEXT_MAX, "%u", address->port);
	else
		snprintf(ret, LISTEN_TEXT_MAX, address->family == AF_INET6 ? "[%s]:%u" : "%s:%u",
			 address->host, address->port);
	return ret;
}

bool listen_same(const struct listen_address *a, const struct listen_address *b)
{
	return a->type == b->type && a->family == b->family && a->port == b->port &&
	       str_equal(a->host, b->host) && str_equal(a->path, b->path);
}

static socklen_t make_local(const struct listen_address *address, struct sockaddr_un *ret)
{
	size_t length = strlen(address->path);

	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, address->path, length);
	if (ret->sun_path[0] != '@')
		return sizeof(*ret);
	ret->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

/* @family: of one for all addresses, which to try. */
static socklen_t make_address(const struct listen_address *address, int family,
			      union any_address *ret)
{
	if (family == AF_UNIX)
		return make_local(address, &ret->local);
	if (family == AF_INET) {
		ret->ipv4 = (struct sockaddr_in){.sin_family = AF_INET,
						 .sin_port = htons(address->port)};
		(void)inet_pton(AF_INET, address->host, &ret->ipv4.sin_addr);
		return sizeof(ret->ipv4);
	}
	ret->ipv6 =
		(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
	(void)inet_pton(AF_INET6, address->host, &ret->ipv6.sin6_addr);
	return sizeof(ret->ipv6);
}

static bool is_at(const struct listen_address *address, const union any_address *there,
		  socklen_t length)
{
	union any_address wanted = {0};
	int family = there->any.sa_family;

	if (address->family && address->family != family)
		return false;
	if (family == AF_UNIX) {
		socklen_t made = make_address(address, family, &wanted);

		/* The name of an abstract one has no end but its length. */
		return (address->path[0] == '@' ? made == length : made >= length) &&
		       memcmp(wanted.local.sun_path, there->local.sun_path,
			      length - offsetof(struct sockaddr_un, sun_path)) == 0;
	}
	if (!address->family && family != AF_INET && family != AF_INET6)
		return false;
	(void)make_address(address, family, &wanted);
	if (family == AF_INET)
		return wanted.ipv4.sin_port == there->ipv4.sin_port &&
		       wanted.ipv4.sin_addr.s_addr == there->ipv4.sin_addr.s_addr;
	return wanted.ipv6.sin6_port == there->ipv6.sin6_port &&
	       memcmp(&wanted.ipv6.sin6_addr, &there->ipv6.sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool listen_is(const struct listen_address *address, int fd)
{
	union any_address there = {0};
	socklen_t length = sizeof(there), size = sizeof(int);
	int type = 0, accepts = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != address->type ||
	    getsockname(fd, &there.any, &length) < 0)
		return false;
	size = sizeof(int);
	if (type == SOCK_STREAM &&
	    (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) < 0 || !accepts))
		return false;
	return is_at(address, &there, length);
}

/* Left by somebody who is gone: nobody takes what is sent there. */
static void remove_stale(const struct listen_address *address, const union any_address *at,
			 socklen_t length)
{
	_cleanup_close_ int fd = socket(AF_UNIX, address->type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (fd < 0 || address->path[0] != '/' || lstat(address->path, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return;
	if (connect(fd, &at->any, length) < 0 && errno == ECONNREFUSED)
		(void)unlink(address->path);
}

static int open_as(const struct listen_address *address, int family)
{
	static const int yes = 1, no = 0;
	_cleanup_close_ int fd = rootless_host_socket(family, address->type, 0);
	union any_address at = {0};
	socklen_t length = make_address(address, family, &at);

	if (fd < 0)
		return fd;
	if (family == AF_UNIX)
		remove_stale(address, &at, length);
	else if (address->type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, address->family ? &yes : &no,
				 sizeof(no));
	if (bind(fd, &at.any, length) < 0)
		return -errno;
	if (family == AF_UNIX && address->path[0] == '/' && chmod(address->path, 0666) < 0)
		return -errno;
	if (address->type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int listen_open(const struct listen_address *address, struct error *err)
{
	int fd = open_as(address, address->family ?: AF_INET6);
	char text[LISTEN_TEXT_MAX];

	if (!address->family && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL))
		fd = open_as(address, AF_INET);
	if (fd < 0)
		return error_code(err, fd, "listen at %s%s", listen_text(address, text),
				  address->type == SOCK_DGRAM && address->port ? "/udp" : "");
	return fd;
}

/* Whoever comes all the time does not keep us. */
void listen_turn_away(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};
	char nothing;

	for (int i = 0; i < TURN_AWAY_MAX && poll(&waiting, 1, 0) > 0; i++) {
		int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (connection >= 0)
			close(connection);
		else if (recv(fd, &nothing, sizeof(nothing), MSG_DONTWAIT | MSG_TRUNC) < 0)
			return;
	}
}

void listen_unlink(const struct listen_address *address, int fd)
{
	if (address->path[0] == '/' && listen_is(address, fd))
		(void)unlink(address->path);
}
