// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/str.h"

#include "compose/cli/ps_rows.h"
#include "compose/cli/view/output.h"

Test(output, tables_are_as_wide_as_go_makes_them)
{
	static const char *const cells[] = {"NAME", "IMAGE", "x-web-1-long", "nginx", "é", "b\nc"};
	struct table table = {.columns = 2};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	array_foreach(cell, cells)
		table_add(&table, *cell);
	table_print(&table, 10, out);
	fclose(out);
	cr_expect_str_eq(text, "NAME           IMAGE\n"
			       "x-web-1-long   nginx\n"
			       "é              b c\n");
	table_done(&table);
	free(text);
}

Test(ps, ports_are_summed_up_as_docker_does)
{
	static const struct {
		const char *publishers, *expect;
	} cases[] = {
		{"[]", ""},
		{"[{'url':'','target':80,'published':0,'protocol':'tcp'}]", "80/tcp"},
		{"[{'url':'0.0.0.0','target':80,'published':8080,'protocol':'tcp'},"
		 "{'url':'::','target':80,'published':8080,'protocol':'tcp'}]",
		 "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"},
		{"[{'url':'0.0.0.0','target':81,'published':81,'protocol':'tcp'},"
		 "{'url':'0.0.0.0','target':80,'published':80,'protocol':'tcp'},"
		 "{'url':'0.0.0.0','target':53,'published':53,'protocol':'udp'}]",
		 "0.0.0.0:53->53/udp, 0.0.0.0:80-81->80-81/tcp"},
		{"[{'url':'','target':1,'published':0,'protocol':'tcp'},"
		 "{'url':'','target':2,'published':0,'protocol':'tcp'},"
		 "{'url':'','target':9,'published':0,'protocol':'tcp'}]",
		 "1-2/tcp, 9/tcp"},
	};

	array_foreach(c, cases) {
		_cleanup_free_ char *json = strdup(c->publishers), *got = NULL;
		_cleanup_json_ json_t *list = NULL;

		for (char *p = json; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		list = json_loads(json, 0, NULL);
		got = ps_ports(list);
		cr_expect_str_eq(got, c->expect, "%s", c->publishers);
	}
}

Test(ps, status_in_words)
{
	static const struct {
		const char *state, *health;
		int exit_code;
		const char *expect;
	} cases[] = {
		{"running", "", 0, "Up 2 minutes"},
		{"running", "healthy", 0, "Up 2 minutes (healthy)"},
		{"running", "starting", 0, "Up 2 minutes (health: starting)"},
		{"paused", "", 0, "Up 2 minutes (Paused)"},
		{"exited", "", 137, "Exited (137) 30 seconds ago"},
		{"restarting", "", 1, "Restarting (1) 30 seconds ago"},
		{"created", "", 0, "Created"},
		{"removing", "", 0, "Removal In Progress"},
	};
	const int64_t now = INT64_C(1700000000000000000), second = 1000000000;

	array_foreach(c, cases) {
		_cleanup_json_ json_t *container = json_pack(
			"{s:s, s:s, s:i, s:I, s:I}", "state", c->state, "health", c->health,
			"exit_code", c->exit_code, "started", (json_int_t)(now - 120 * second),
			"finished", (json_int_t)(now - 30 * second));
		_cleanup_free_ char *got = ps_status(container, now);

		cr_expect_str_eq(got, c->expect);
	}
}
