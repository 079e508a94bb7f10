// SPDX-License-Identifier: GPL-2.0-or-later
/* What ps said, of the processes of one container. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/top_ps.h"

static const struct {
	const char *said, *expect; /* rows with "/" between their words, or the error */
} cases[] = {
	{"  PID CMD\n    7 sleep 1000\n    8 other\n", "PID/CMD 7/sleep 1000"},
	{"UID  PID  PPID CMD\nroot 7 1 a  b\nroot 17 7 c\nroot 9 7 [k w]\n",
	 "UID/PID/PPID/CMD root/7/1/a  b root/9/7/[k w]"},
	/* Headings without any of ours; lines with too few words; none that ends. */
	{"PID\n8\n", "PID"},
	{"PID TTY CMD\n7\n\n9 ?", "PID/TTY/CMD 7// 9/?/"},
	{"USER CMD\nroot x\n", "no column PID"},
	{"", "no column PID"},
	{"\n\n", "no column PID"},
	{"7 sleep\n", "no column PID"},
	{"PID CMD\n99999999999999999999999 x\n-7 y\n7x z\n", "PID/CMD"},
};

Test(top_ps, lines_of_the_container)
{
	_cleanup_json_ json_t *pids = json_pack("[i, i]", 7, 9);

	array_foreach(c, cases) {
		struct error err = ERROR_INIT;
		struct table table = {0};
		struct strbuf shown = {0};
		int r = top_ps_table(c->said, pids, &table, &err);

		for (size_t i = 0; r == 0 && i < table.count; i++)
			strbuf_addf(&shown, "%s%s",
				    i == 0              ? ""
				    : i % table.columns ? "/"
							: " ",
				    table.cells[i]);
		if (r < 0)
			cr_expect(strstr(err.message, c->expect), "%s: %s", c->said, err.message);
		else
			cr_expect_str_eq(shown.data ? shown.data : "", c->expect, "%s", c->said);
		table_done(&table);
		strbuf_done(&shown);
	}
}
