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

#include "common/journal.h"
#include "common/units.h"

/* One that hangs costs us this once; the line goes to stderr then, which it holds as well. */
#define JOURNAL_MSEC 500

static enum log_level shown = LOG_LEVEL_INFO;
static char name[64] = "berth";
static bool timed;
static log_describe *describe;
static struct strbuf own_fields; /* as they are sent */

/* syslog(3), and sd-daemon(3) at the start of a line. */
static const char priorities[] = {
	[LOG_LEVEL_ERROR] = '3',
	[LOG_LEVEL_WARNING] = '4',
	[LOG_LEVEL_INFO] = '6',
	[LOG_LEVEL_DEBUG] = '7',
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
bool log_in_journal(void)
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

void log_set_field(const char *field, const char *value)
{
	journal_add_text(&own_fields, field, value);
}

void log_set_describe(log_describe *new_describe)
{
	describe = new_describe;
}

static void add_fields(struct strbuf *entry, const struct log_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fields[i].value)
			journal_add_text(entry, fields[i].name, fields[i].value);
}

/* 0 when the journal has taken it. */
static int send_entry(enum log_level level, const struct log_field *fields, size_t count,
		      const char *text, size_t length)
{
	static int journal = -EBADF, failure;
	_cleanup_strbuf_ struct strbuf entry = {0};
	struct log_field own[LOG_FIELDS_MAX];
	const char priority[] = {priorities[level], '\0'};

	if (journal < 0)
		journal = journal_socket();
	if (journal < 0)
		return journal;
	journal_add(&entry, "MESSAGE", text, length);
	journal_add_text(&entry, "PRIORITY", priority);
	journal_add_text(&entry, "SYSLOG_IDENTIFIER", "berth");
	strbuf_add_n(&entry, own_fields.data, own_fields.length);
	add_fields(&entry, fields, count);
	if (describe)
		add_fields(&entry, own, describe(text, own));
	failure = journal_send(journal, entry.data, entry.length, failure ? 0 : JOURNAL_MSEC);
	return failure;
}

static size_t prefix(enum log_level level, bool journal, char *line, size_t size)
{
	char now[UNITS_TIME_MAX];

	/* It did not take the entry, but may take a line. */
	if (journal)
		return (size_t)snprintf(line, size, "<%c>%s: ", priorities[level], name);
	if (timed)
		return (size_t)snprintf(
			line, size,
			"%s %s: ", units_format_time(units_now_nsec(), now, sizeof(now)), name);
	return (size_t)snprintf(line, size, "%s: ", name);
}

static void tell(enum log_level level, const struct log_field *fields, size_t count,
		 const char *format, va_list args)
{
	bool journal = log_in_journal();
	char line[2048];
	size_t start = prefix(level, journal, line, sizeof(line)), length = start;

	length += (size_t)vsnprintf(line + length, sizeof(line) - length, format, args);
	if (length > sizeof(line) - 2)
		length = sizeof(line) - 2;
	line[length] = 0;
	if (journal && send_entry(level, fields, count, line + start, length - start) == 0)
		return;
	line[length++] = '\n';
	/* One write, so that lines of several processes do not mix. */
	(void)!write(STDERR_FILENO, line, length);
}

static bool is_shown(enum log_level level)
{
	return level <= shown || (level == LOG_LEVEL_DEBUG && debug_wanted());
}

void log_message(enum log_level level, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (!is_shown(level))
		return;
	va_start(args, format);
	tell(level, NULL, 0, format, args);
	va_end(args);
	errno = saved;
}

void log_entry(enum log_level level, const struct log_field *fields, size_t count,
	       const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (!is_shown(level))
		return;
	va_start(args, format);
	tell(level, fields, count, format, args);
	va_end(args);
	errno = saved;
}
