// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

static int pipe_as_stderr(void)
{
	int pair[2];

	cr_assert_eq(pipe2(pair, O_CLOEXEC), 0);
	dup2(pair[1], STDERR_FILENO);
	close(pair[1]);
	return pair[0];
}

static char *next(int fd, char *line, size_t size)
{
	ssize_t n = read(fd, line, size - 1);

	line[n > 0 ? n : 0] = '\0';
	return line;
}

Test(log, lines)
{
	int stream = pipe_as_stderr();
	char line[4096], *filler;

	unsetenv("JOURNAL_STREAM");
	log_error("web-1: exited (%d)", 1);
	cr_expect_str_eq(next(stream, line, sizeof(line)), "berth: web-1: exited (1)\n");
	log_debug("not shown");
	log_set_name("demo");
	log_info("up");
	cr_expect_str_eq(next(stream, line, sizeof(line)), "demo: up\n");
	log_set_level(LOG_LEVEL_WARNING);
	log_info("not shown");
	log_warning("low");
	cr_expect_str_eq(next(stream, line, sizeof(line)), "demo: low\n");

	filler = malloc(10000);
	memset(filler, 'x', 9999);
	filler[9999] = '\0';
	log_error("%s", filler);
	next(stream, line, sizeof(line));
	cr_expect_lt(strlen(line), 2048);
	cr_expect(str_ends_with(line, "xx\n"));
	free(filler);

	log_set_time(1);
	log_error("late");
	next(stream, line, sizeof(line));
	cr_expect(str_starts_with(line, "20"), "%s", line);
	cr_expect(str_ends_with(line, "Z demo: late\n"), "%s", line);
}

Test(log, priorities_for_the_journal)
{
	int stream = pipe_as_stderr();
	struct stat status;
	char line[200];

	fstat(STDERR_FILENO, &status);
	snprintf(line, sizeof(line), "%lu:%lu", status.st_dev, status.st_ino);
	setenv("JOURNAL_STREAM", line, 1);
	log_warning("low");
	cr_expect_str_eq(next(stream, line, sizeof(line)), "<4>berth: low\n");
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_warning("low");
	cr_expect_str_eq(next(stream, line, sizeof(line)), "berth: low\n");
}

Test(log, debug_on_demand)
{
	int stream = pipe_as_stderr();
	char line[200];

	unsetenv("JOURNAL_STREAM");
	setenv("BERTH_DEBUG", "1", 1);
	log_debug("detail");
	cr_expect_str_eq(next(stream, line, sizeof(line)), "berth: detail\n");
}
