// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "compose/cli/view/progress_screen.h"

#define SECOND 1000000

static const struct progress_task tasks[] = {
	{"Network p_default", "Created", "", PROGRESS_DONE, 0, SECOND},
	{"Container p-a-service-with-a-name-1", "Started", "", PROGRESS_DONE, 0, 2 * SECOND},
	{"Container p-b-1", "Waiting", "for a long time", PROGRESS_WORKING, 0, 0},
};

/* Without what moves and paints: the lines as they are read. */
static void strip(const char *bytes, struct strbuf *out)
{
	for (const char *p = bytes; *p; p++) {
		if (*p == '\033')
			while (p[1] && !strchr("mKJAhl", *++p))
				;
		else if (*p != '\r')
			strbuf_addc(out, *p);
	}
}

static void expect_frame(struct progress_screen *screen, unsigned short columns,
			 unsigned short rows, const char *expected)
{
	_cleanup_strbuf_ struct strbuf bytes = {0}, lines = {0};

	progress_screen_draw(screen, tasks, 3, columns, rows, 12 * (int64_t)SECOND, &bytes);
	strip(bytes.data, &lines);
	cr_expect_str_eq(lines.data, expected, "%d columns, %d rows:\n%s", columns, rows,
			 lines.data);
}

Test(progress_screen, lines_fit)
{
	const struct {
		unsigned short columns, rows;
		const char *expected;
	} cases[] = {
		{72, 24,
		 "[+] up 2/3\n"
		 " ✔ Network p_default                   Created                     1.0s\n"
		 " ✔ Container p-a-service-with-a-name-1 Started                     2.0s\n"
		 " ⠋ Container p-b-1                     Waiting for a long time    12.0s\n"},
		/* Too little room: details first, then the middle of names, then the time. */
		{40, 24,
		 "[+] up 2/3\n"
		 " ✔ Network p_default      Created  1.0s\n"
		 " ✔ Contain…-with-a-name-1 Started  2.0s\n"
		 " ⠋ Container p-b-1        Waiting 12.0s\n"},
		{24, 24,
		 "[+] up 2/3\n"
		 " ✔ Netw…default Created\n"
		 " ✔ Cont…-name-1 Started\n"
		 " ⠋ Cont…r p-b-1 Waiting\n"},
		{4, 24, "[+]\n ✔ \n ✔ \n ⠋ \n"},
		{1, 24, "[\n"},
		/* Too few lines: what is done goes first. */
		{24, 4,
		 "[+] up 2/3\n"
		 " ✔ Cont…-name-1 Started\n"
		 " ⠋ Cont…r p-b-1 Waiting\n"},
		{24, 1, "[+] up 2/3\n ⠋ Cont…r p-b-1 Waiting\n"},
	};

	array_foreach(c, cases) {
		struct progress_screen screen = {.verb = "up"};

		expect_frame(&screen, c->columns, c->rows, c->expected);
		progress_screen_done(&screen);
	}
}

Test(progress_screen, goes_back_to_its_first_line)
{
	struct progress_screen screen = {.verb = "up"};
	const struct {
		unsigned short columns;
		const char *start;
	} frames[] = {
		{40, "\033[?25l[+]"},
		{40, "\033[?25l\033[4A\r[+]"},
		/* Three lines of 39 columns were wrapped into two each. */
		{30, "\033[?25l\033[7A\r[+]"},
		{100, "\033[?25l\033[4A\r[+]"},
	};

	array_foreach(frame, frames) {
		_cleanup_strbuf_ struct strbuf bytes = {0};

		progress_screen_draw(&screen, tasks, 3, frame->columns, 24, SECOND, &bytes);
		cr_expect(str_starts_with(bytes.data, frame->start), "%d columns: %.20s",
			  frame->columns, bytes.data + 1);
		cr_expect(str_ends_with(bytes.data, "\n\033[J\033[?25h"));
	}
	progress_screen_done(&screen);
}
