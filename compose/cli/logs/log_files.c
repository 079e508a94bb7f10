// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/log_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/control/log_name.h"

#define WINDOW (64 * 1024)
/* A file's time comes from a clock that lags by a tick behind the one of its lines. */
#define MTIME_SLACK INT64_C(1000000000)
/* So far beyond the last lines we look for the front of a line that another stream interrupts. */
#define FRONT_MAX (1024 * 1024)

/* --- records --- */

static int digits(const char *at, size_t count)
{
	int value = 0;

	for (size_t i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		value = value * 10 + at[i] - '0';
	}
	return value;
}

/* Nanoseconds of ".123456789" (one to nine digits); *ret_end is behind them. -1: malformed. */
static int64_t parse_fraction(const char *at, const char *end, const char **ret_end)
{
	int64_t value = 0;
	int count = 0;

	if (at == end || *at != '.') {
		*ret_end = at;
		return 0;
	}
	for (at++; at < end && *at >= '0' && *at <= '9' && count < 9; at++, count++)
		value = value * 10 + *at - '0';
	if (!count)
		return -1;
	for (; count < 9; count++)
		value *= 10;
	*ret_end = at;
	return value;
}

/* "Z", "+02:00": seconds east of Greenwich. */
static bool parse_zone(const char *at, const char *end, int64_t *ret)
{
	int hours, minutes;

	if (end - at == 1 && *at == 'Z') {
		*ret = 0;
		return true;
	}
	if (end - at != 6 || (*at != '+' && *at != '-') || at[3] != ':')
		return false;
	hours = digits(at + 1, 2);
	minutes = digits(at + 4, 2);
	if (hours < 0 || minutes < 0)
		return false;
	*ret = (hours * 3600 + minutes * 60) * (*at == '-' ? -1 : 1);
	return true;
}

/* Days since the epoch, by counting years from March: timegm() is ten times as slow. */
static int64_t days_since_epoch(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era = y / 400, of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool parse_time(const char *at, const char *end, int64_t *ret)
{
	int year, month, day, hour, minute, second;
	int64_t fraction, zone;

	if (end - at < 20 || at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' ||
	    at[16] != ':')
		return false;
	year = digits(at, 4);
	month = digits(at + 5, 2);
	day = digits(at + 8, 2);
	hour = digits(at + 11, 2);
	minute = digits(at + 14, 2);
	second = digits(at + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 ||
	    minute < 0 || second < 0)
		return false;
	fraction = parse_fraction(at + 19, end, &at);
	if (fraction < 0 || !parse_zone(at, end, &zone) || year > 2200)
		return false;
	*ret = (days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second -
		zone) * INT64_C(1000000000) +
	       fraction;
	return true;
}

/* Stream, flag and text; @ret_time_end is the space after the time. */
static bool parse_frame(const char *line, size_t size, struct log_file_record *ret,
			const char **ret_time_end)
{
	const char *end = line + size, *space = memchr(line, ' ', size);

	if (!space || end - space < 9 || memcmp(space + 1, "std", 3) != 0 || space[7] != ' ')
		return false;
	if (!memcmp(space + 4, "out", 3))
		ret->stream = 1;
	else if (!memcmp(space + 4, "err", 3))
		ret->stream = 2;
	else
		return false;
	/* Tags may follow the flag, as "P:tag"; only the first means something. */
	if (space[8] != 'F' && space[8] != 'P')
		return false;
	ret->partial = space[8] == 'P';
	*ret_time_end = space;
	space = memchr(space + 8, ' ', end - space - 8);
	ret->text = space ? space + 1 : end;
	ret->size = end - ret->text;
	return true;
}

bool log_file_parse(const char *line, size_t size, struct log_file_record *ret)
{
	const char *time_end;

	return parse_frame(line, size, ret, &time_end) && parse_time(line, time_end, &ret->nsec);
}

/* --- files --- */

static bool is_older(int fd, int64_t nsec)
{
	struct stat st;

	return !fstat(fd, &st) &&
	       st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec < nsec - MTIME_SLACK;
}

int log_files_oldest(int dirfd, int64_t since_nsec, struct log_file_start *ret)
{
	uint64_t number;
	int fd = log_name_open_newer(dirfd, 0, &number);

	*ret = (struct log_file_start){.fd = -EBADF};
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	*ret = (struct log_file_start){.fd = fd, .number = number};
	while (is_older(ret->fd, since_nsec)) {
		fd = log_name_open_newer(dirfd, ret->number, &number);
		if (fd < 0)
			break;
		close(ret->fd);
		*ret = (struct log_file_start){.fd = fd, .number = number};
	}
	return 0;
}

/* --- the last lines --- */

struct tail {
	uint64_t wanted, counted;
	bool before;     /* what we see now lies before the lines that are wanted */
	bool seen[3];    /* by stream: the front of its first line may lie further back */
	uint64_t passed; /* ends of lines seen since then */
	int64_t front_bytes;
	struct log_file_start start;
};

static bool tail_complete(const struct tail *tail)
{
	return tail->before && !tail->seen[1] && !tail->seen[2];
}

/* Backwards, one record. True: @at of this file is now where reading has to start. */
static bool tail_take(struct tail *tail, const struct log_file_record *record)
{
	if (!tail->before && !record->partial && tail->counted == tail->wanted)
		tail->before = true;
	if (!tail->before) {
		tail->counted += !record->partial;
		tail->seen[record->stream] = true;
		return true;
	}
	if (!record->partial) {
		tail->passed++;
		tail->seen[record->stream] = false;
		return false;
	}
	if (!tail->seen[record->stream])
		return false;
	tail->start.skip = tail->passed;
	return true;
}

struct window {
	int fd;
	char *data;         /* WINDOW bytes */
	int64_t start, end; /* what of the file it shows; @end is behind a newline */
};

/* The window ends where the one before began. Bytes in it, or -errno. */
static ssize_t window_back(struct window *window)
{
	int64_t end = window->end;
	ssize_t n;

	window->start = end > WINDOW ? end - WINDOW : 0;
	n = pread(window->fd, window->data, end - window->start, window->start);
	if (n < 0)
		return -errno;
	if (window->start + n < end)
		window->end = window->start + n;
	return n;
}

/* The last line of the window, which then ends before it. NULL: none begins in it. */
static char *window_line(struct window *window, size_t *ret_size)
{
	char *last = window->data + (window->end - window->start) - 1, *before, *line;

	if (window->end <= window->start)
		return NULL;
	before = memrchr(window->data, '\n', last - window->data);
	if (!before && window->start)
		return NULL;
	line = before ? before + 1 : window->data;
	*ret_size = last - line;
	window->end = window->start + (line - window->data);
	return line;
}

static void tail_move_start(struct tail *tail, const struct log_file_start *file, int64_t offset)
{
	if (tail->start.number != file->number) {
		if (tail->start.fd >= 0)
			close(tail->start.fd);
		tail->start.fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
		tail->start.number = file->number;
	}
	tail->start.offset = offset;
}

/* The end of the last whole line; what follows it is still being written. */
static int64_t whole_end(int fd, char *data)
{
	struct stat st;
	struct window window = {.fd = fd, .data = data};
	char *newline;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	window.end = st.st_size;
	n = window_back(&window);
	if (n < 0)
		return n;
	newline = n ? memrchr(data, '\n', n) : NULL;
	return newline ? window.start + (newline + 1 - data) : window.start;
}

static int tail_scan_file(struct tail *tail, const struct log_file_start *file, char *data)
{
	struct window window = {.fd = file->fd, .data = data};

	window.end = whole_end(file->fd, data);
	if (window.end < 0)
		return window.end;
	window.start = window.end;
	/* No line of it may be wanted: then this is where later ones appear. */
	if (tail->start.fd < 0)
		tail_move_start(tail, file, window.end);
	while (window.end > 0 && !tail_complete(tail)) {
		struct log_file_record record;
		const char *time_end;
		size_t size;
		char *line = window_line(&window, &size);
		ssize_t n;

		if (!line) {
			/* A window without a line's start is no record of ours. */
			if (window.end - window.start == WINDOW)
				window.end = window.start;
			n = window_back(&window);
			if (n <= 0)
				return n;
			continue;
		}
		if (tail->before && (tail->front_bytes += size) > FRONT_MAX)
			return 1;
		if (parse_frame(line, size, &record, &time_end) && tail_take(tail, &record))
			tail_move_start(tail, file, window.end);
	}
	return tail_complete(tail);
}

int log_files_tail(int dirfd, uint64_t lines, struct log_file_start *ret)
{
	struct tail tail = {.wanted = lines, .start.fd = -EBADF};
	_cleanup_free_ char *data = alloc(WINDOW);
	struct log_file_start file;
	int r;

	/* Nothing is newer than the end of time: so this is the newest file. */
	r = log_files_oldest(dirfd, INT64_MAX, &file);
	while (r >= 0 && file.fd >= 0) {
		r = tail_scan_file(&tail, &file, data);
		close(file.fd);
		file.fd = r || file.number == 1 ? -EBADF : log_name_open(dirfd, --file.number);
	}
	/* What goes while we look is nothing that was lost. */
	if (r >= 0 && file.fd < 0 && file.fd != -EBADF && file.fd != -ENOENT)
		r = file.fd;
	if (r < 0) {
		if (tail.start.fd >= 0)
			close(tail.start.fd);
		return r;
	}
	*ret = tail.start;
	return 0;
}
