// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/units.h"

static enum log_level shown = LOG_LEVEL_INFO;
static char name[64] = "berth";
static bool timed;

/* sd-daemon(3): "<3>" and so on, understood by the journal at the start of a line. */
static const char *const priorities[] = {
	[LOG_LEVEL_ERROR] = "<3>",
	[LOG_LEVEL_WARNING] = "<4>",
	[LOG_LEVEL_INFO] = "<6>",
	[LOG_LEVEL_DEBUG] = "<7>",
};

void log_set_level(enum log_level level)
{
	shown = level;
}

void log_set_name(const char *new_name)
{
	snprintf(name, sizeof(name), "%s", new_name);
}

void log_set_time(int on)
{
	timed = on;
}

static bool debug_wanted(void)
{
	static int wanted = -1;

	if (wanted < 0) {
		const char *value = getenv("BERTH_DEBUG");

		wanted = value && *value && strcmp(value, "0") != 0;
	}
	return wanted;
}

/* systemd.exec(5): JOURNAL_STREAM is device:inode of the stream, if stderr still is that. */
static bool stderr_is_journal(void)
{
	const char *value = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;
	char *end;

	if (!value || fstat(STDERR_FILENO, &status) < 0)
		return false;
	device = strtoull(value, &end, 10);
	if (*end != ':')
		return false;
	inode = strtoull(end + 1, &end, 10);
	return *end == '\0' && device == status.st_dev && inode == status.st_ino;
}

static int prefix(enum log_level level, char *line, size_t size)
{
	char now[UNITS_TIME_MAX];

	if (stderr_is_journal())
		return snprintf(line, size, "%s%s: ", priorities[level], name);
	if (timed)
		return snprintf(line, size,
				"%s %s: ", units_format_time(units_now_nsec(), now, sizeof(now)),
				name);
	return snprintf(line, size, "%s: ", name);
}

void log_message(enum log_level level, const char *format, ...)
{
	int saved = errno, length;
	char line[2048];
	va_list args;

	if (level > shown && !(level == LOG_LEVEL_DEBUG && debug_wanted()))
		return;
	length = prefix(level, line, sizeof(line));
	va_start(args, format);
	length += vsnprintf(line + length, sizeof(line) - (size_t)length, format, args);
	va_end(args);
	if ((size_t)length > sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	/* One write, so that lines of several processes do not mix. */
	(void)!write(STDERR_FILENO, line, (size_t)length);
	errno = saved;
}
