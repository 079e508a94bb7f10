/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_NETMGR_LAB_H
#define TESTS_UNIT_NETMGR_LAB_H

/*
 * lab.h - a small world inside private namespaces: this host, containers, and one machine outside.
 *
 * One process plays all parts: a socket belongs to the namespace it was opened in. Failures print
 * and count; a lab function returns that count as its exit status.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netmgr/network.h"
#include "netmgr/publish.h"

extern int lab_failures;

#define CHECK(condition, ...)                                                      \
	do {                                                                       \
		if (!(condition)) {                                                \
			lab_failures++;                                            \
			lab_complain(__FILE__, __LINE__, #condition, __VA_ARGS__); \
		}                                                                  \
	} while (0)
/* For calls that fill an error. */
#define CHECK_OK(call, err) CHECK((call) >= 0, "%s", (err)->message)

void lab_complain(const char *file, int line, const char *condition, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Inside in_namespaces(CLONE_NEWNET | CLONE_NEWNS): lo up, a private /run. */
struct network_store *lab_open(void);
/* An outside machine 203.0.113.2 / 2001:db8::2 behind this host's .1; its namespace. */
int lab_outside(void);

struct box { /* a container's network */
	int netns;
	struct attachment *attachment;
	const struct endpoint *ends;
	size_t count;
	int dns[2];
};
/* On networks (NULL-terminated list of at most 4). */
struct box lab_box(struct network_store *store, const char *id, const char *const *networks);
void lab_unbox(struct network_store *store, struct box *box);
const char *lab_ip4(const struct box *box, size_t end);
const char *lab_ip6(const struct box *box, size_t end);

/* A socket of namespace @netns (-1: this host's). */
int lab_socket(int netns, int family, int type);
int lab_listen(int netns, const char *address, uint16_t port);
/*
 * TCP from @netns to address:port; @listener accepts, on its side the peer is in @ret_peer (64
 * bytes, or NULL). 0, -ETIMEDOUT (dropped), or -errno.
 */
int lab_connect(int netns, const char *address, uint16_t port, int listener, char *ret_peer);
bool lab_link_exists(const char *name);
/* A file below /proc/net counted in lines; links of this host. */
size_t lab_link_count(void);

#endif
