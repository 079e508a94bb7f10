// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "compose/supervisor/logs/line_watch.h"

#include "tests/support/scratch.h"

DEFINE_CLEANUP(struct line_watch *, line_watch_free);

/* Pieces of stdout, then of stderr where they begin with "!"; '|' parts them. */
static const struct {
	const char *pattern, *pieces;
	bool expect;
} cases[] = {
	{"ready", "rea|dy\n", true},
	{"ready", "ready", false},
	{"^ready$", "not ready\nready\n", true},
	{"^ready$", "ready\r\n", true},
	{"ready", "rea|!dy\n", false},
	{"ready", "rea|!x\n|dy\n", true},
	{"^a+b$", "aaab\n", true},
	{"^a+b$", "aaa\nb\n", false},
};

Test(line_watch, pieces_of_lines)
{
	array_foreach(c, cases) {
		_cleanup_(cleanup_line_watch_free) struct line_watch *watch = NULL;
		struct error err = ERROR_INIT;
		const char *at = c->pieces;
		bool matched = false;

		cr_assert_eq(line_watch_new(c->pattern, &watch, &err), 0);
		while (*at) {
			size_t size = strcspn(at, "|");
			bool other = *at == '!';

			matched = line_watch_feed(watch, other ? LOG_STDERR : LOG_STDOUT,
						  at + other, size - other);
			at += size + (at[size] == '|');
		}
		cr_expect_eq(matched, c->expect, "%s in %s", c->pattern, c->pieces);
	}
}

Test(line_watch, long_lines_are_looked_at_by_their_beginning)
{
	_cleanup_(cleanup_line_watch_free) struct line_watch *watch = NULL;
	struct error err = ERROR_INIT;
	char line[3 * LINE_WATCH_MAX];

	memset(line, 'x', sizeof(line));
	memcpy(line, "begin", 5);
	memcpy(line + sizeof(line) - 4, "end\n", 4);
	cr_assert_eq(line_watch_new("end", &watch, &err), 0);
	cr_expect_not(line_watch_feed(watch, LOG_STDOUT, line, sizeof(line)));
	cr_expect(line_watch_feed(watch, LOG_STDOUT, "end\n", 4));
}

Test(line_watch, a_pattern_that_is_none)
{
	struct line_watch *watch = NULL;
	struct error err = ERROR_INIT;

	cr_expect_eq(line_watch_new("(", &watch, &err), -EINVAL);
	cr_expect_str_eq(err.message, "\"(\": Unmatched ( or \\(");
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

Test(line_watch, scan_of_the_files_since_a_time)
{
	_cleanup_(cleanup_line_watch_free) struct line_watch *watch = NULL;
	int dir = scratch_open();
	struct error err = ERROR_INIT;
	/* 2026-01-02T03:04:05Z */
	int64_t time = INT64_C(1767323045) * 1000000000;

	write_file(dir, "00000001",
		   "2026-01-02T03:04:03.000000000Z stdout F old line\n"
		   "2026-01-02T03:04:05.000000001Z stdout P new\n");
	write_file(dir, "00000002",
		   "2026-01-02T03:04:05.000000002Z stderr F other\n"
		   "torn\n"
		   "2026-01-02T03:04:05.000000003Z stdout F  line\n");
	cr_assert_eq(line_watch_new("^old line$", &watch, &err), 0);
	cr_expect_not(line_watch_scan(watch, dir, time));
	cr_expect(line_watch_scan(watch, dir, time - 3 * INT64_C(1000000000)));
	line_watch_free(watch);
	cr_assert_eq(line_watch_new("^new line$", &watch, &err), 0);
	cr_expect(line_watch_scan(watch, dir, time));
	scratch_remove();
	close(dir);
}
