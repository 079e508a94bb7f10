// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/log_reader.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/logs/log_files.h"
#include "compose/control/log_name.h"

#define READ_SIZE      (256 * 1024)
#define TIMER_NSEC     100000000
#define LINE_MAX_BYTES (1024 * 1024) /* more of a line is given in pieces */
/*
 * Files after the one being read are opened as soon as they are seen, so that rotation cannot take
 * them away; but not without bound, for what is held open fills the disk.
 */
#define AHEAD_MAX 8

struct log_reader {
	struct log_reader_options options;
	int dirfd, wakeup; /* @wakeup: an inotify; a timer where there are too many of those */
	bool is_timer;
	int fd;          /* the file being read; -EBADF: none was there yet */
	uint64_t number; /* of that file */
	int64_t offset;  /* of buffer[start] in it */
	struct ahead {
		int fd;
		uint64_t number;
	} ahead[AHEAD_MAX];
	size_t ahead_count;
	uint64_t lost; /* files */
	char *buffer;  /* READ_SIZE */
	size_t start, end;
	struct strbuf parts[3]; /* by stream: what came of an unfinished line */
	int64_t parts_nsec[3];  /* when its first part was stored */
	int given;              /* the stream whose parts the caller is looking at; or 0 */
	int64_t cut_nsec;       /* of unfinished lines begun until then, no more will come */
	uint64_t skip;          /* lines before those that `tail` asks for */
	bool gap;               /* files between the one before and this one are lost */
	bool ended, directory_gone;
};

static void forget_given(struct log_reader *reader)
{
	if (reader->given)
		reader->parts[reader->given].length = 0;
	reader->given = 0;
}

static void look_ahead(struct log_reader *reader)
{
	while (reader->ahead_count < AHEAD_MAX) {
		struct ahead *ahead = &reader->ahead[reader->ahead_count];
		uint64_t last = reader->ahead_count ? ahead[-1].number : reader->number;

		ahead->fd = log_name_open_newer(reader->dirfd, last, &ahead->number);
		if (ahead->fd < 0)
			return;
		reader->ahead_count++;
	}
}

/* More of the current file into the buffer. Bytes, 0 at its end for now, or -errno. */
static ssize_t fill(struct log_reader *reader)
{
	ssize_t n;

	if (reader->fd < 0)
		return 0;
	/* A torn tail is read again: it may have been cut off and written anew. */
	reader->start = reader->end = 0;
	do
		n = pread(reader->fd, reader->buffer, READ_SIZE, reader->offset);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reader->end = n;
	return n;
}

/* The next whole line of the current file: its length without the newline, or -EAGAIN, -errno. */
static ssize_t next_line(struct log_reader *reader, const char **ret)
{
	for (bool filled = false;; filled = true) {
		char *from = reader->buffer + reader->start;
		char *newline = memchr(from, '\n', reader->end - reader->start);
		ssize_t n;

		if (newline) {
			*ret = from;
			reader->start += newline + 1 - from;
			reader->offset += newline + 1 - from;
			return newline - from;
		}
		if (filled && reader->end - reader->start == READ_SIZE) {
			/* No writer of ours makes records this long: pass over it. */
			reader->offset += READ_SIZE;
			reader->start = reader->end;
			filled = false;
		}
		if (filled)
			return -EAGAIN;
		n = fill(reader);
		if (n <= 0)
			return n < 0 ? n : -EAGAIN;
		look_ahead(reader);
	}
}

/*
 * On to the file that came after this one. The old one is looked at once more first: what was
 * written between its end and its rotation. 1: there is more to read; 0: not now; -errno.
 */
static int next_file(struct log_reader *reader)
{
	const struct ahead *next = reader->ahead;
	ssize_t n;

	look_ahead(reader);
	if (!reader->ahead_count)
		return next->fd == -ENOENT ? 0 : next->fd;
	n = fill(reader);
	if (n < 0)
		return n;
	if (n > 0 && memchr(reader->buffer, '\n', n))
		return 1;
	if (reader->fd >= 0) {
		close(reader->fd);
		reader->lost += next->number - reader->number - 1;
		reader->gap = next->number != reader->number + 1;
	}
	reader->fd = next->fd;
	reader->number = next->number;
	memmove(reader->ahead, reader->ahead + 1, --reader->ahead_count * sizeof(*next));
	reader->offset = 0;
	reader->start = reader->end = 0;
	return 1;
}

/* Takes the record into its stream's parts. True when a line is whole (or long enough to give). */
static bool take_record(struct log_reader *reader, const struct log_file_record *record,
			struct log_record *ret)
{
	struct strbuf *parts = &reader->parts[record->stream];
	bool whole = !record->partial;

	ret->stream = record->stream;
	ret->nsec = parts->length ? reader->parts_nsec[record->stream] : record->nsec;
	if (whole && !parts->length) {
		ret->text = record->text;
		ret->size = record->size;
		ret->unfinished = false;
		return true;
	}
	reader->parts_nsec[record->stream] = ret->nsec;
	strbuf_add_n(parts, record->text, record->size);
	if (!whole && parts->length < LINE_MAX_BYTES)
		return false;
	ret->text = parts->data;
	ret->size = parts->length;
	ret->unfinished = !whole;
	reader->given = record->stream;
	return true;
}

static bool wanted(struct log_reader *reader, const struct log_record *record)
{
	if (reader->skip) {
		reader->skip -= !record->unfinished;
		return false;
	}
	if (reader->options.until_nsec && record->nsec > reader->options.until_nsec) {
		reader->ended = true;
		return false;
	}
	return record->nsec >= reader->options.since_nsec;
}

/* Unfinished lines that were begun until then are given as they are. 1: here is one; 0: no more. */
static int give_cut(struct log_reader *reader, int64_t until_nsec, struct log_record *ret)
{
	for (int stream = 1; stream <= 2; stream++) {
		if (!reader->parts[stream].length || reader->parts_nsec[stream] > until_nsec)
			continue;
		ret->nsec = reader->parts_nsec[stream];
		ret->stream = stream;
		ret->text = reader->parts[stream].data;
		ret->size = reader->parts[stream].length;
		ret->unfinished = true;
		reader->given = stream;
		if (wanted(reader, ret))
			return 1;
		forget_given(reader);
	}
	return 0;
}

/* Forgets what woke the caller; what it was about is looked at afterwards. */
static void read_events(struct log_reader *reader)
{
	char events[4096];
	struct stat st;

	while (read(reader->wakeup, events, sizeof(events)) > 0 && !reader->is_timer)
		;
	/* Held open, a removed directory says nothing; its parent's news do. */
	if (!fstat(reader->dirfd, &st) && !st.st_nlink)
		reader->directory_gone = true;
}

/* 1: a line is at *ret; 0: all that is stored was looked at; -errno. */
static int next_stored(struct log_reader *reader, struct log_record *ret)
{
	struct log_file_record record;
	const char *line;
	ssize_t n;

	while (!reader->ended) {
		/* The ends of lines that were begun before it are among what is lost. */
		if (reader->gap && give_cut(reader, INT64_MAX, ret))
			return 1;
		reader->gap = false;
		n = next_line(reader, &line);
		if (n == -EAGAIN) {
			int r = next_file(reader);

			if (r <= 0)
				return r;
			continue;
		}
		if (n < 0)
			return n;
		if (!log_file_parse(line, n, &record) || !take_record(reader, &record, ret))
			continue;
		if (wanted(reader, ret))
			return 1;
		forget_given(reader);
	}
	return 0;
}

int log_reader_next(struct log_reader *reader, struct log_record *ret)
{
	bool over;
	int r;

	forget_given(reader);
	r = next_stored(reader, ret);
	if (!r && !reader->ended && reader->wakeup >= 0) {
		/* What comes after this look makes a new event, so that none is missed. */
		read_events(reader);
		r = next_stored(reader, ret);
	}
	if (r || reader->ended)
		return r;
	over = !reader->options.follow || reader->directory_gone;
	if (give_cut(reader, over ? INT64_MAX : reader->cut_nsec, ret))
		return 1;
	reader->ended = over;
	return 0;
}

bool log_reader_ended(const struct log_reader *reader)
{
	return reader->ended;
}

void log_reader_cut(struct log_reader *reader, int64_t nsec)
{
	reader->cut_nsec = nsec;
}

uint64_t log_reader_lost(struct log_reader *reader)
{
	uint64_t lost = reader->lost;

	reader->lost = 0;
	return lost;
}

void log_reader_stop_following(struct log_reader *reader)
{
	reader->options.follow = false;
}

int log_reader_fd(const struct log_reader *reader)
{
	return reader->wakeup;
}

void log_reader_free(struct log_reader *reader)
{
	if (!reader)
		return;
	if (reader->fd >= 0)
		close(reader->fd);
	for (size_t i = 0; i < reader->ahead_count; i++)
		close(reader->ahead[i].fd);
	if (reader->dirfd >= 0)
		close(reader->dirfd);
	if (reader->wakeup >= 0)
		close(reader->wakeup);
	strbuf_done(&reader->parts[1]);
	strbuf_done(&reader->parts[2]);
	free(reader->buffer);
	free(reader);
}

/* A user may have 128 inotifies; whoever follows more containers looks ten times a second. */
static int watch_by_timer(struct log_reader *reader)
{
	struct itimerspec often = {{0, TIMER_NSEC}, {0, TIMER_NSEC}};

	reader->is_timer = true;
	reader->wakeup = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (reader->wakeup < 0)
		return -errno;
	return timerfd_settime(reader->wakeup, 0, &often, NULL) < 0 ? -errno : 0;
}

/* The directory; and its parent, which tells of its removal. */
static int watch_by_inotify(struct log_reader *reader, const char *path)
{
	_cleanup_free_ char *parent = str_printf("%s/..", path);

	reader->wakeup = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (reader->wakeup < 0)
		return -errno;
	if (inotify_add_watch(reader->wakeup, path,
			      IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) < 0 ||
	    inotify_add_watch(reader->wakeup, parent, IN_DELETE | IN_ONLYDIR) < 0)
		return -errno;
	return 0;
}

/* Begun before anything is read, so that no change falls in between. */
static int watch(struct log_reader *reader, const char *path, struct error *err)
{
	int r = watch_by_inotify(reader, path);

	if (r == -EMFILE || r == -ENOSPC) {
		if (reader->wakeup >= 0)
			close(reader->wakeup);
		r = watch_by_timer(reader);
	}
	return r < 0 ? error_code(err, r, "log %s cannot be followed", path) : 0;
}

static int find_start(struct log_reader *reader, struct error *err)
{
	struct log_file_start start = {.fd = -EBADF};
	int r;

	if (reader->options.tail < 0)
		r = log_files_oldest(reader->dirfd, reader->options.since_nsec, &start);
	else
		r = log_files_tail(reader->dirfd, reader->options.tail, &start);
	if (r < 0)
		return error_code(err, r, "log cannot be read");
	reader->fd = start.fd;
	reader->number = start.number;
	reader->offset = start.offset;
	reader->skip = start.skip;
	return 0;
}

int log_reader_open(const char *path, const struct log_reader_options *options,
		    struct log_reader **ret, struct error *err)
{
	struct log_reader *reader = new (struct log_reader);
	int r = 0;

	reader->options = *options;
	reader->fd = reader->wakeup = -EBADF;
	reader->buffer = alloc(READ_SIZE);
	reader->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (reader->dirfd < 0)
		r = error_errno(err, "log %s", path);
	if (!r && options->follow)
		r = watch(reader, path, err);
	if (!r)
		r = find_start(reader, err);
	if (r < 0) {
		log_reader_free(reader);
		return r;
	}
	*ret = reader;
	return 0;
}
