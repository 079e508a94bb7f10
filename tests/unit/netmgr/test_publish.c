// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

#include "netmgr/publish.h"

#include "tests/support/namespaces.h"
#include "tests/unit/netmgr/lab.h"

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS)

static const struct {
	struct publish wish;
	uint16_t port;      /* expected; 0: any */
	const char *expect; /* part of the error */
} rows[] = {
	/* 8080 is held on all addresses, 9000 on 127.0.0.1: held() */
	{{.host_port = 8080, .protocol = IPPROTO_TCP},
	 0,
	 "port 8080/tcp is already taken on 0.0.0.0, by "},
	{{.host_port = 8080, .protocol = IPPROTO_TCP, .host_ip = "127.0.0.1"},
	 0,
	 "taken on 127.0.0.1, by "},
	{{.host_port = 8080, .protocol = IPPROTO_TCP, .host_ip = "::1"}, 0, "taken on ::1, by "},
	{{.host_port = 8080, .protocol = IPPROTO_UDP}, 8080, NULL},
	{{.host_port = 9000, .protocol = IPPROTO_TCP},
	 0,
	 "port 9000/tcp is already taken on 0.0.0.0, by "},
	{{.host_port = 9000, .protocol = IPPROTO_TCP, .host_ip = "::1"}, 9000, NULL},
	{{.host_first = 8080, .host_last = 8083, .protocol = IPPROTO_TCP}, 8081, NULL},
	{{.host_first = 8080, .host_last = 8080, .protocol = IPPROTO_TCP},
	 0,
	 "ports 8080-8080/tcp are all taken on 0.0.0.0"},
	{{.host_first = 8083, .host_last = 8080, .protocol = IPPROTO_TCP},
	 0,
	 "ends before it begins"},
	{{.protocol = IPPROTO_TCP}, 0, NULL},
	{{.host_port = 80, .protocol = IPPROTO_TCP, .host_ip = "192.0.2.7"},
	 0,
	 "does not have address 192.0.2.7"},
	{{.host_port = 80, .protocol = IPPROTO_TCP, .host_ip = "here"},
	 0,
	 "'here' is not an address"},
};

static void check_row(size_t i)
{
	struct publish wish = rows[i].wish;
	struct error err = ERROR_INIT;
	int fds[2], r = publish_hold(&wish, fds, &err);

	if (rows[i].expect) {
		CHECK(r < 0 && strstr(err.message, rows[i].expect), "row %zu: '%s'", i,
		      err.message);
		CHECK(fds[0] == -EBADF && fds[1] == -EBADF, "row %zu: descriptors", i);
		return;
	}
	CHECK(r == 0, "row %zu: %s", i, err.message);
	CHECK(wish.host_port && (!rows[i].port || wish.host_port == rows[i].port), "row %zu: %u", i,
	      wish.host_port);
	cleanup_close_fd(&fds[0]);
	cleanup_close_fd(&fds[1]);
}

static int hold_ports(void *data)
{
	struct network_store *store = lab_open();
	struct publish all = {.host_port = 8080, .protocol = IPPROTO_TCP};
	struct publish one = {.host_port = 9000, .protocol = IPPROTO_TCP, .host_ip = "127.0.0.1"};
	struct error err = ERROR_INIT;
	int fds[2], fds1[2];

	CHECK_OK(publish_hold(&all, fds, &err), &err);
	CHECK(fds[0] >= 0 && fds[1] >= 0, "both families");
	CHECK_OK(publish_hold(&one, fds1, &err), &err);
	CHECK(fds1[0] >= 0 && fds1[1] == -EBADF, "one family");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(i);
	network_store_close(store);
	return lab_failures;
}

Test(publish, hold)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	cr_expect_eq(in_namespaces(NAMESPACES, hold_ports, NULL), 0);
}
