// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/listen.h"

static const struct {
	const char *text, *expect; /* as systemd has it; NULL: a mistake */
	int type;
} cases[] = {
	{"80", "80", SOCK_STREAM},
	{"80/tcp", "80", SOCK_STREAM},
	{"53/udp", "53", SOCK_DGRAM},
	{"127.0.0.1:80", "127.0.0.1:80", SOCK_STREAM},
	{"[::1]:443", "[::1]:443", SOCK_STREAM},
	{"[0:0::1]:53/udp", "[::1]:53", SOCK_DGRAM},
	{"/run/a.sock", "/run/a.sock", SOCK_STREAM},
	{"@a", "@a", SOCK_STREAM},
	{"", NULL, 0},
	{"0", NULL, 0},
	{"65536", NULL, 0},
	{"-1", NULL, 0},
	{"+80", NULL, 0},
	{"80/sctp", NULL, 0},
	{"host:80", NULL, 0},
	{"::1:80", NULL, 0},
	{"[::1]", NULL, 0},
	{"[]:80", NULL, 0},
	{":80", NULL, 0},
	{"/", NULL, 0},
	{"@", NULL, 0},
	{"/run/\n", NULL, 0},
	{"a.sock", NULL, 0},
};

Test(listen, parse)
{
	array_foreach(c, cases) {
		struct listen_address address;
		struct error err = ERROR_INIT;
		char text[LISTEN_TEXT_MAX];
		int r = listen_parse(c->text, &address, &err);

		cr_expect_eq(r == 0, c->expect != NULL, "%s", c->text);
		if (r < 0 || !c->expect)
			continue;
		cr_expect_str_eq(listen_text(&address, text), c->expect);
		cr_expect_eq(address.type, c->type, "%s", c->text);
	}
}

Test(listen, a_path_that_is_too_long)
{
	struct listen_address address;
	struct error err = ERROR_INIT;
	char path[200];

	snprintf(path, sizeof(path), "/%0150d", 1);
	cr_assert_eq(listen_parse(path, &address, &err), -EINVAL);
}

Test(listen, open)
{
	static const char *const names[] = {"@berth-test-listen", "@berth-test-listen2"};
	struct listen_address address, other;
	struct error err = ERROR_INIT;
	_cleanup_close_ int fd = -EBADF;

	cr_assert_eq(listen_parse(names[0], &address, &err), 0);
	cr_assert_eq(listen_parse(names[1], &other, &err), 0);
	fd = listen_open(&address, &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	cr_expect(listen_is(&address, fd));
	/* One name is the beginning of the other. */
	cr_expect_not(listen_is(&other, fd));
	cr_expect_eq(listen_open(&address, &err), -EADDRINUSE);
}

Test(listen, a_socket_that_somebody_left)
{
	struct listen_address address;
	struct error err = ERROR_INIT;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/berth-test-listen-%d", getpid());
	cr_assert_eq(listen_parse(path, &address, &err), 0);
	fd = listen_open(&address, &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	cr_expect_eq(listen_open(&address, &err), -EADDRINUSE);
	close(fd);
	fd = listen_open(&address, &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	listen_unlink(&address, fd);
	cr_expect_neq(access(path, F_OK), 0);
	close(fd);
}

Test(listen, who_waits_is_turned_away)
{
	struct listen_address address;
	struct error err = ERROR_INIT;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -EBADF, waiting = -EBADF, datagrams = -EBADF;
	int pair[2];
	char text[64], byte;

	snprintf(text, sizeof(text), "@berth-test-away-%d", getpid());
	cr_assert_eq(listen_parse(text, &address, &err), 0);
	fd = listen_open(&address, &err);
	cr_assert_geq(fd, 0, "%s", err.message);
	listen_turn_away(fd); /* nobody */
	waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1, "%s", text + 1);
	cr_assert_eq(connect(waiting, (struct sockaddr *)&at,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text))),
		     0);
	listen_turn_away(fd);
	cr_expect_leq(recv(waiting, &byte, 1, 0), 0);
	cr_expect(listen_is(&address, fd));

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	datagrams = pair[0];
	for (int i = 0; i < 3; i++)
		cr_assert_eq(send(pair[1], "abc", 3, 0), 3);
	listen_turn_away(datagrams);
	cr_expect_eq(recv(datagrams, &byte, 1, MSG_DONTWAIT), -1);
	close(pair[1]);
}
