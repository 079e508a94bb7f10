/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMMON_LISTEN_H
#define COMMON_LISTEN_H

/*
 * listen.h - an address to listen at, as systemd.socket(5) has it: a port of all addresses, an
 * address and a port, or the path of a unix socket ("@name": an abstract one).
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "common/error.h"

struct listen_address {
	int type;                    /* SOCK_STREAM or SOCK_DGRAM */
	int family;                  /* AF_INET, AF_INET6, AF_UNIX; 0: a port of all addresses */
	uint16_t port;               /* 0: a unix socket */
	char host[INET6_ADDRSTRLEN]; /* as inet_ntop() writes it */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* "80", "53/udp", "127.0.0.1:80", "[::1]:80", "/run/x.sock", "@name". -EINVAL. */
int listen_parse(const char *text, struct listen_address *ret, struct error *err);

#define LISTEN_TEXT_MAX 160
/* The value of ListenStream= or ListenDatagram=, into @ret of LISTEN_TEXT_MAX bytes; returns it. */
const char *listen_text(const struct listen_address *address, char *ret);

bool listen_same(const struct listen_address *a, const struct listen_address *b);
/* Whether @fd is a socket that listens (one of datagrams: that is bound) at @address. */
bool listen_is(const struct listen_address *address, int fd);

/*
 * A socket of the host's network at @address, blocking as a service expects it, close-on-exec. A
 * unix socket that nobody listens at any more is replaced, and may be connected to by everybody.
 * -EADDRINUSE.
 */
int listen_open(const struct listen_address *address, struct error *err);
/* sd_listen_fds(3): the first that a program is given. */
#define LISTEN_FD_FIRST 3
/* Closes the connections, and throws away the datagrams, that wait at @fd. */
void listen_turn_away(int fd);
/* The file of a unix socket, if it is still the one of @fd. */
void listen_unlink(const struct listen_address *address, int fd);

#endif
