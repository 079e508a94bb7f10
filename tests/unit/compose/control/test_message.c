// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/json.h"

#include "compose/control/message.h"
#include "compose/control/requests.h"

struct pair {
	struct message_stream *a, *b;
};

static struct pair make_pair(int flags)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds), 0);
	return (struct pair){message_stream_new(fds[0]), message_stream_new(fds[1])};
}

static void free_pair(struct pair *pair)
{
	message_stream_free(pair->a);
	message_stream_free(pair->b);
}

static int receive(struct message_stream *stream, json_t **ret, int *fds, size_t *count,
		   struct error *err)
{
	int none[FD_PASS_MAX];
	size_t n;

	*ret = NULL;
	return message_receive(stream, ret, fds ? fds : none, count ? count : &n, err);
}

Test(message, round_trip_with_descriptors)
{
	static const size_t counts[] = {0, 1, 3, 0, FD_PASS_MAX, 0, 2};
	struct pair pair = make_pair(0);
	struct error err = ERROR_INIT;
	int mine[FD_PASS_MAX], theirs[FD_PASS_MAX];

	for (size_t i = 0; i < FD_PASS_MAX; i++)
		mine[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* All are in the socket before the first is read: whose is which must still be clear. */
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_json_ json_t *json = json_pack("{s:i}", "n", (int)i);

		cr_assert_eq(message_send(pair.a, json, mine, counts[i], &err), 0, "%s",
			     err.message);
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		_cleanup_json_ json_t *json = NULL;
		size_t count;

		cr_assert_eq(receive(pair.b, &json, theirs, &count, &err), 1, "%s", err.message);
		cr_expect_eq(json_get_int(json, "n", -1), (int)i);
		cr_expect_eq(count, counts[i], "message %zu: %zu descriptors", i, count);
		for (size_t j = 0; j < count; j++)
			cr_expect_eq(close(theirs[j]), 0);
	}
	free_pair(&pair);
}

/* Sends raw bytes and tells what the receiver makes of them. */
static int outcome(const void *data, size_t size, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	struct message_stream *stream;
	int fds[2], r;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	cr_assert_eq(write(fds[0], data, size), (ssize_t)size);
	close(fds[0]);
	stream = message_stream_new(fds[1]);
	r = receive(stream, &json, NULL, NULL, err);
	message_stream_free(stream);
	return r;
}

Test(message, what_is_malformed_ends_the_connection)
{
	static const struct {
		const char *bytes;
		size_t size;
		int expect;
	} cases[] = {
		{"", 0, -EPIPE},
		{"\2\0", 2, -EPIPE},
		{"\2\0\0\0{", 5, -EPIPE},
		{"\2\0\0\0{}", 6, 1},
		{"\2\0\0\0[]", 6, -EPROTO},
		{"\3\0\0\0{}x", 7, -EPROTO},
		{"\0\0\0\0", 4, -EPROTO},
		{"\xff\xff\xff\xff{}", 6, -EPROTO},
		{"\1\0\0\4{}", 6, -EPROTO}, /* one byte more than MESSAGE_MAX */
		{"\0\0\0\4{}", 6, -EPIPE},  /* MESSAGE_MAX is fine, but it ends */
		{"\x4\0\0\0\"\xff\xff\"", 8, -EPROTO},
	};

	array_foreach(c, cases) {
		struct error err = ERROR_INIT;

		cr_expect_eq(outcome(c->bytes, c->size, &err), c->expect, "case %zu: %s",
			     (size_t)(c - cases), err.message);
	}
}

Test(message, a_full_socket_queues_and_flushes_in_order)
{
	struct pair pair = make_pair(SOCK_NONBLOCK);
	_cleanup_free_ char *blob = malloc(300000);
	struct error err = ERROR_INIT;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), received = 0;

	memset(blob, 'x', 299999);
	blob[299999] = 0;
	for (int i = 0; i < 8; i++) {
		_cleanup_json_ json_t *json = json_pack("{s:i, s:s}", "n", i, "blob", blob);

		cr_assert_geq(message_send(pair.a, json, &null, 1, &err), 0, "%s", err.message);
	}
	close(null); /* it was duplicated */
	cr_expect_gt(message_queued(pair.a), 0);
	while (received < 8) {
		_cleanup_json_ json_t *json = NULL;
		int fds[FD_PASS_MAX], r;
		size_t count;

		r = receive(pair.b, &json, fds, &count, &err);
		cr_assert_geq(r, 0, "%s", err.message);
		if (r == 0) {
			cr_assert_geq(message_flush(pair.a, &err), 0, "%s", err.message);
			continue;
		}
		cr_expect_eq(json_get_int(json, "n", -1), received);
		cr_expect_eq(count, 1);
		close(fds[0]);
		received++;
	}
	cr_expect_eq(message_queued(pair.a), 0);
	cr_expect_eq(message_flush(pair.a, &err), 0);
	free_pair(&pair);
}

Test(message, the_other_end_gone_is_epipe)
{
	struct pair pair = make_pair(0);
	_cleanup_json_ json_t *json = json_object();
	struct error err = ERROR_INIT;

	message_stream_free(pair.b);
	pair.b = NULL;
	cr_expect_eq(message_send(pair.a, json, NULL, 0, &err), -EPIPE);
	cr_expect_eq(message_send(pair.a, json, NULL, 0, &err), -EPIPE);
	free_pair(&pair);
}

Test(requests, directories_follow_the_environment)
{
	_cleanup_free_ char *socket = NULL, *state = NULL;

	setenv("BERTH_ROOT", "/a/root", 1);
	setenv("BERTH_RUNTIME_DIR", "/a/run", 1);
	cr_expect_str_eq(paths_root(), "/a/root");
	cr_expect_str_eq(paths_runtime(), "/a/run");
	socket = paths_control_socket("web");
	state = paths_project_state("web");
	cr_expect_str_eq(socket, "/a/run/projects/web/control.sock");
	cr_expect_str_eq(state, "/a/root/projects/web");
}
