// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/logs/line_watch.h"

#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/units.h"

#include "compose/control/log_name.h"

#define TIME_SIZE   30 /* of a record: "TIME stdout F text", see cri.c */
#define STREAM_AT   31
#define FLAG_AT     38
#define PREFIX_SIZE 40

struct line {
	char text[LINE_WATCH_MAX + 1];
	size_t length;
};

struct line_watch {
	regex_t pattern;
	struct line lines[2];
	bool matched;
};

int line_watch_new(const char *pattern, struct line_watch **ret, struct error *err)
{
	struct line_watch *watch = new (struct line_watch);
	char why[128];
	int r = regcomp(&watch->pattern, pattern, REG_EXTENDED | REG_NOSUB);

	if (r) {
		regerror(r, &watch->pattern, why, sizeof(why));
		free(watch);
		return error_set(err, EINVAL, "\"%s\": %s", pattern, why);
	}
	*ret = watch;
	return 0;
}

void line_watch_free(struct line_watch *watch)
{
	if (!watch)
		return;
	regfree(&watch->pattern);
	free(watch);
}

static void add(struct line *line, const char *data, size_t size)
{
	size_t room = LINE_WATCH_MAX - line->length;

	size = size < room ? size : room;
	memcpy(line->text + line->length, data, size);
	line->length += size;
}

/* A terminal ends its lines with a carriage return as well. */
static void end_line(struct line_watch *watch, struct line *line)
{
	if (line->length && line->text[line->length - 1] == '\r')
		line->length--;
	line->text[line->length] = '\0';
	watch->matched |= regexec(&watch->pattern, line->text, 0, NULL, 0) == 0;
	line->length = 0;
}

bool line_watch_feed(struct line_watch *watch, enum log_stream stream, const char *data,
		     size_t size)
{
	struct line *line = &watch->lines[stream == LOG_STDERR];

	while (size && !watch->matched) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;

		add(line, data, length);
		if (!newline)
			break;
		end_line(watch, line);
		data += length + 1;
		size -= length + 1;
	}
	return watch->matched;
}

static void take_record(struct line_watch *watch, const char *record, size_t size,
			const char *since)
{
	enum log_stream stream;

	if (size < PREFIX_SIZE || strncmp(record, since, TIME_SIZE) < 0)
		return;
	stream = strncmp(record + STREAM_AT, "stderr", 6) == 0 ? LOG_STDERR : LOG_STDOUT;
	(void)line_watch_feed(watch, stream, record + PREFIX_SIZE, size - PREFIX_SIZE);
	if (record[FLAG_AT] == 'F')
		(void)line_watch_feed(watch, stream, "\n", 1);
}

static void scan_file(struct line_watch *watch, int fd, const char *since)
{
	_cleanup_free_ char *record = NULL;
	FILE *file = fdopen(fd, "re");
	size_t room = 0;
	ssize_t n;

	if (!file) {
		close(fd);
		return;
	}
	while (!watch->matched && (n = getline(&record, &room, file)) > 0)
		take_record(watch, record, (size_t)n - (record[n - 1] == '\n'), since);
	fclose(file);
}

bool line_watch_scan(struct line_watch *watch, int dirfd, int64_t since_nsec)
{
	char since[UNITS_TIME_MAX];
	uint64_t number = 0;
	int fd;

	units_format_time(since_nsec, since, sizeof(since));
	while (!watch->matched && (fd = log_name_open_newer(dirfd, number, &number)) >= 0)
		scan_file(watch, fd, since);
	return watch->matched;
}
