// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/cleanup.h"

#include "compose/supervisor/probes/probe.h"
#include "compose/supervisor/probes/unhealthy.h"

static const struct {
	const char *head;
	int expect;
	const char *reason;
} heads[] = {
	{"", 0, ""},
	{"HT", 0, ""},
	{"HTTP/1.1 200 OK", 0, ""},
	{"HTTP/1.1 200 OK\r\n", 200, "200 OK"},
	{"HTTP/1.0 404\r\nServer: x\r\n\r\n", 404, "404"},
	{"HTTP/1.1 503 Service Unavailable\n", 503, "503 Service Unavailable"},
	{"HTTP/1.1 099 x\r\n", -EBADMSG, ""},
	{"HTTP/1.1 20\r\n", -EBADMSG, ""},
	{"HTTP/1.1  200 OK\r\n", -EBADMSG, ""},
	{"SSH-2.0-x\r\n", -EBADMSG, ""},
	{"HTTP/\n", -EBADMSG, ""},
};

Test(probe, first_line_of_an_http_answer)
{
	array_foreach(c, heads) {
		char reason[PROBE_REASON_MAX] = "";

		cr_expect_eq(probe_http_status(c->head, strlen(c->head), reason), c->expect, "%s",
			     c->head);
		cr_expect_str_eq(reason, c->reason);
	}
}

static const struct {
	const char *message;
	bool ready;
	const char *status; /* NULL: unchanged */
} messages[] = {
	{"", false, NULL},
	{"READY=1", true, NULL},
	{"READY=1\n", true, NULL},
	{"READY=0", false, NULL},
	{"READY=10", false, NULL},
	{"STATUS=warming up", false, "warming up"},
	{"STATUS=a\nREADY=1\nSTATUS=b\n", true, "b"},
	{"MAINPID=3\nSTATUS=\xff\nX", false, NULL},
	{"STATUS=", false, ""},
};

Test(probe, messages_of_sd_notify)
{
	array_foreach(c, messages) {
		_cleanup_free_ char *status = NULL;
		bool ready = false;

		probe_read_message(c->message, strlen(c->message), &ready, &status);
		cr_expect_eq(ready, c->ready, "%s", c->message);
		cr_expect_str_eq(status ? status : "(none)", c->status ? c->status : "(none)");
	}
}

#define MINUTE (60 * INT64_C(1000000000))

Test(unhealthy, budget_moves_along)
{
	struct berth_extension berth = {0};
	struct unhealthy_state state = {0}, again = {0};
	json_t *json;

	/* Three within ten minutes, unless said. */
	for (int i = 0; i < 3; i++)
		cr_expect(unhealthy_may_restart(&state, &berth, (100 + i) * MINUTE));
	cr_expect_not(unhealthy_may_restart(&state, &berth, 103 * MINUTE));
	cr_expect_not(unhealthy_may_restart(&state, &berth, 110 * MINUTE));
	cr_expect(unhealthy_may_restart(&state, &berth, 110 * MINUTE + 1));
	cr_expect_not(unhealthy_may_restart(&state, &berth, 110 * MINUTE + 2));
	/* The next supervisor counts on. */
	json = unhealthy_to_json(&state);
	unhealthy_from_json(&again, json);
	json_decref(json);
	cr_expect_not(unhealthy_may_restart(&again, &berth, 110 * MINUTE + 3));
	cr_expect(unhealthy_may_restart(&again, &berth, 111 * MINUTE + 1));
	unhealthy_forget(&state);
	unhealthy_forget(&again);
	cr_expect_null(unhealthy_to_json(&state));
	berth.on_unhealthy.budget = (struct optional_int){true, 1};
	berth.on_unhealthy.window = (struct optional_int){true, 1000000};
	cr_expect(unhealthy_may_restart(&state, &berth, 5 * MINUTE));
	cr_expect_not(unhealthy_may_restart(&state, &berth, 5 * MINUTE + 1000));
	cr_expect(unhealthy_may_restart(&state, &berth, 6 * MINUTE));
	unhealthy_forget(&state);
}
