// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/log_files.h"

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

#define NUMBER_MAX 100000
#define TRIES      100
#define WINDOW     (64 * 1024)
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

struct log_file {
	unsigned int number; /* 0: current */
	uint64_t inode;
	int64_t mtime_nsec;
};

static void file_name(unsigned int number, char name[16])
{
	if (number)
		snprintf(name, 16, "%u", number);
	else
		snprintf(name, 16, "current");
}

static int compare_numbers(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static bool stat_file(int dirfd, struct log_file *file)
{
	struct stat st;
	char name[16];

	file_name(file->number, name);
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return false;
	file->inode = st.st_ino;
	file->mtime_nsec = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return true;
}

/*
 * From the newest to the oldest, and asked for in that order: a rotation in between may show a
 * file twice, but never hides one.
 */
static ssize_t list_files(int dirfd, struct log_file **ret)
{
	_cleanup_dir_ DIR *dir = NULL;
	_cleanup_free_ struct log_file *files = NULL;
	size_t count = 0, found = 0;
	struct dirent *entry;
	int fd;

	fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -errno;
	}
	while ((entry = readdir(dir))) {
		int number = digits(entry->d_name, strnlen(entry->d_name, 8));

		if (str_equal(entry->d_name, "current"))
			number = 0;
		else if (number <= 0 || number > NUMBER_MAX)
			continue;
		array_add(files, count)->number = number;
	}
	*ret = NULL;
	if (!files)
		return 0;
	qsort(files, count, sizeof(*files), compare_numbers);
	for (size_t i = 0; i < count; i++)
		if (stat_file(dirfd, &files[i]))
			files[found++] = files[i];
	*ret = TAKE_PTR(files);
	return found;
}

/* Fd of the file if it still has its name; -EAGAIN if not. */
static int open_listed(int dirfd, const struct log_file *file)
{
	_cleanup_close_ int fd = -EBADF;
	struct stat st;
	char name[16];

	file_name(file->number, name);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_ino == file->inode ? TAKE_FD(fd) : -EAGAIN;
}

/* The oldest file that is not too old, or at least the newest. */
static int open_oldest(int dirfd, const struct log_file *files, size_t count, int64_t since_nsec)
{
	size_t i = count;

	if (!files || !count)
		return -ENOENT;
	while (i > 1 && files[i - 1].mtime_nsec < since_nsec)
		i--;
	return open_listed(dirfd, &files[i - 1]);
}

/* One try: -EAGAIN when names moved meanwhile. */
static int open_neighbour(int dirfd, int fd, int direction)
{
	_cleanup_free_ struct log_file *files = NULL;
	_cleanup_close_ int neighbour = -EBADF;
	struct log_file again;
	struct stat st;
	ssize_t count, i;

	if (fd >= 0 && fstat(fd, &st) < 0)
		return -errno;
	count = list_files(dirfd, &files);
	if (count < 0)
		return count;
	if (!files)
		return -ENOENT;
	if (fd < 0 || !st.st_nlink)
		return direction < 0 ? open_oldest(dirfd, files, count, 0) : -ENOENT;
	for (i = 0; i < count && files[i].inode != st.st_ino; i++)
		;
	if (i == count)
		return -EAGAIN;
	if (i + direction < 0 || i + direction >= count)
		return -ENOENT;
	neighbour = open_listed(dirfd, &files[i + direction]);
	if (neighbour < 0)
		return neighbour;
	again.number = files[i].number;
	if (!stat_file(dirfd, &again) || again.inode != st.st_ino)
		return -EAGAIN;
	return TAKE_FD(neighbour);
}

static int neighbour_of(int dirfd, int fd, int direction)
{
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++)
		r = open_neighbour(dirfd, fd, direction);
	/* It keeps moving: the rotations make events, and then we are called again. */
	return r == -EAGAIN ? -ENOENT : r;
}

int log_files_newer(int dirfd, int fd)
{
	return neighbour_of(dirfd, fd, -1);
}

int log_files_oldest(int dirfd, int64_t since_nsec, struct log_file_start *ret)
{
	int fd = -EAGAIN;

	for (int i = 0; i < TRIES && fd == -EAGAIN; i++) {
		_cleanup_free_ struct log_file *files = NULL;
		ssize_t count = list_files(dirfd, &files);

		fd = count < 0 ? count : open_oldest(dirfd, files, count, since_nsec);
	}
	if (fd < 0 && fd != -ENOENT)
		return fd;
	*ret = (struct log_file_start){.fd = fd < 0 ? -EBADF : fd};
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

static void tail_move_start(struct tail *tail, int fd, int64_t offset)
{
	if (tail->start.fd != fd) {
		if (tail->start.fd >= 0)
			close(tail->start.fd);
		tail->start.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
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

static int tail_scan_file(struct tail *tail, int fd, char *data)
{
	struct window window = {.fd = fd, .data = data};
	bool moved = tail->start.fd < 0;

	window.end = whole_end(fd, data);
	if (window.end < 0)
		return window.end;
	window.start = window.end;
	/* No line of it may be wanted: then this is where later ones appear. */
	if (moved)
		tail_move_start(tail, fd, window.end);
	moved = false;
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
		if (parse_frame(line, size, &record, &time_end) && tail_take(tail, &record)) {
			if (!moved)
				tail_move_start(tail, fd, window.end);
			moved = true;
			tail->start.offset = window.end;
		}
	}
	return tail_complete(tail);
}

int log_files_tail(int dirfd, uint64_t lines, struct log_file_start *ret)
{
	struct tail tail = {.wanted = lines, .start.fd = -EBADF};
	_cleanup_free_ char *data = alloc(WINDOW);
	_cleanup_close_ int fd = -EBADF;
	struct log_file_start newest = {.fd = -EBADF};
	int r;

	/* Nothing is newer than the end of time: so this is the newest file. */
	r = log_files_oldest(dirfd, INT64_MAX, &newest);
	fd = newest.fd;
	while (r >= 0 && fd >= 0) {
		int older;

		r = tail_scan_file(&tail, fd, data);
		if (r)
			break;
		older = neighbour_of(dirfd, fd, +1);
		if (older == -ENOENT)
			break;
		close(fd);
		fd = older;
		r = older < 0 ? older : 0;
	}
	if (r < 0) {
		if (tail.start.fd >= 0)
			close(tail.start.fd);
		return r;
	}
	*ret = tail.start;
	return 0;
}
