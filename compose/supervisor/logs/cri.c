// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cri.c - log files in the form that the kubelet's container runtimes write:
 *
 *     2026-01-02T03:04:05.123456789Z stdout F text
 *
 * F ends a line, P says that its rest follows in the next record of that stream. A record never
 * spans two files.
 *
 * Files are numbered as they begin, "00000001", "00000002", ..., and keep their names: the highest
 * is written, the lowest go. So there is no moment at which the files in the directory are in
 * disorder, and a reader knows from the numbers whether one went before it was read.
 */

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/units.h"

#include "compose/control/log_name.h"
#include "compose/supervisor/logs/log_driver.h"

#define RECORD_TEXT 16384 /* bytes of text in one record, as at Docker and containerd */
#define PREFIX_SIZE 40    /* "TIME stdout F " */
#define FLAG_AT     38
#define RECORD_MAX  (PREFIX_SIZE + RECORD_TEXT + 1)
#define OUTPUT_SIZE (128 * 1024)
#define TAIL_SIZE   (256 * 1024) /* looked through for unfinished lines when a log is opened */

struct cri {
	struct log_sink sink;
	int dirfd, fd;
	uint64_t number; /* of the current file */
	uint64_t inode;
	int64_t size; /* of the current file: where the next record goes */
	int64_t max_size;
	unsigned int max_file;
	bool unfinished[3]; /* by stream: its last record has the flag P */
	struct lost {
		uint64_t lines; /* that found no space */
		bool piece;     /* part of a line did not */
		int why;
	} lost[3];
	int failure;        /* why nothing can be written; said once */
	int rotate_failure; /* likewise for rotation, which only makes files too big */
	bool grow;          /* it failed within this batch: go on beyond max_size */
};

/* One thread, one batch at a time: sinks share it. */
static char output[OUTPUT_SIZE];

static void format_prefix(char prefix[PREFIX_SIZE + 1], enum log_stream stream, int64_t nsec)
{
	char when[UNITS_TIME_MAX];

	units_format_time(nsec, when, sizeof(when));
	snprintf(prefix, PREFIX_SIZE + 1, "%.30s %s F ", when,
		 stream == LOG_STDERR ? "stderr" : "stdout");
}

struct formatted {
	size_t size, consumed, lines;
	bool unfinished;
};

/*
 * Records of @data into the output as long as they fit into @room; the first one even if it does
 * not, where @must.
 */
static struct formatted format_records(const char *prefix, const char *data, size_t size,
				       size_t room, bool must)
{
	struct formatted out = {0};

	while (out.consumed < size) {
		const char *text = data + out.consumed;
		size_t left = size - out.consumed;
		const char *newline =
			memchr(text, '\n', left <= RECORD_TEXT ? left : RECORD_TEXT + 1);
		size_t length = newline              ? (size_t)(newline - text)
				: left > RECORD_TEXT ? RECORD_TEXT
						     : left;
		size_t need = PREFIX_SIZE + length + 1;
		char *at = output + out.size;

		if (out.size + need > OUTPUT_SIZE ||
		    (out.size + need > room && (out.size || !must)))
			break;
		memcpy(at, prefix, PREFIX_SIZE);
		memcpy(at + PREFIX_SIZE, text, length);
		at[need - 1] = '\n';
		if (!newline)
			at[FLAG_AT] = 'P';
		out.unfinished = !newline;
		out.lines += newline != NULL;
		out.size += need;
		out.consumed += length + (newline != NULL);
	}
	return out;
}

/* Bytes written before it failed; *ret_code is 0 or a negative errno. */
static size_t write_output(const struct cri *cri, size_t size, int *ret_code)
{
	size_t done = 0;

	*ret_code = 0;
	while (done < size) {
		ssize_t n = pwrite(cri->fd, output + done, size - done, cri->size + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			*ret_code = n < 0 ? -errno : -ENOSPC;
			break;
		}
		done += n;
	}
	return done;
}

/* Only whole records stay: the rest of the output counts as lost. */
static void keep_whole_records(struct cri *cri, enum log_stream stream, size_t written,
			       const struct formatted *out)
{
	const char *end = written ? memrchr(output, '\n', written) : NULL;
	size_t kept = end ? (size_t)(end + 1 - output) : 0, lines = 0;

	/* Shrinking needs no space; and if it fails, the next record overwrites the torn one. */
	(void)!ftruncate(cri->fd, cri->size + kept);
	for (const char *at = output; at < output + kept; at++) {
		cri->unfinished[stream] = at[FLAG_AT] == 'P';
		lines += at[FLAG_AT] == 'F';
		at = memchr(at + PREFIX_SIZE, '\n', output + kept - at - PREFIX_SIZE);
	}
	cri->size += kept;
	cri->lost[stream].lines += out->lines - lines;
	cri->lost[stream].piece |= out->unfinished;
	cri->lost[stream].why = cri->failure;
}

static void complain(const struct cri *cri, const char *what, int code)
{
	char link[FD_PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink(fd_path(cri->dirfd, link), path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	log_error("log %s: %s: %s", path, what, strerror(-code));
}

static bool write_records(struct cri *cri, enum log_stream stream, const struct formatted *out)
{
	int code;
	size_t written = write_output(cri, out->size, &code);

	if (!code) {
		cri->size += out->size;
		cri->unfinished[stream] = out->unfinished;
		cri->failure = 0;
		return true;
	}
	if (cri->failure != code)
		complain(cri, "lines are being lost", code);
	cri->failure = code;
	keep_whole_records(cri, stream, written, out);
	return false;
}

static int open_file(struct cri *cri, uint64_t number)
{
	char name[LOG_NAME_MAX];
	struct stat st;
	int fd;

	log_name_format(number, name);
	fd = openat(cri->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0) {
		close(fd);
		return -errno;
	}
	if (cri->fd >= 0)
		close(cri->fd);
	cri->fd = fd;
	cri->number = number;
	cri->inode = st.st_ino;
	cri->size = st.st_size;
	return 0;
}

/* The oldest goes; and those that stayed because we were killed just before their turn. */
static int remove_old(const struct cri *cri)
{
	char name[LOG_NAME_MAX];

	for (uint64_t n = cri->number; n > cri->max_file; n--) {
		log_name_format(n - cri->max_file, name);
		if (unlinkat(cri->dirfd, name, 0) < 0)
			return errno == ENOENT ? 0 : -errno;
	}
	return 0;
}

/* The next file comes first, so that a full disk leaves all as it was. */
static void rotate(struct cri *cri)
{
	int r;

	r = open_file(cri, cri->number + 1);
	cri->grow = r < 0;
	if (!r)
		r = remove_old(cri);
	if (r < 0 && cri->rotate_failure != r)
		complain(cri,
			 cri->grow ? "it cannot be rotated and grows on"
				   : "its oldest file cannot be removed",
			 r);
	cri->rotate_failure = r;
}

/* Says what is missing, as soon as it can be said. False: still no space. */
static bool confess_losses(struct cri *cri, enum log_stream stream, int64_t nsec)
{
	char prefix[PREFIX_SIZE + 1], text[160];
	struct lost *lost = &cri->lost[stream];
	uint64_t lines = lost->lines + (lost->piece && !lost->lines);
	struct formatted out;
	int n;

	if (!lines)
		return true;
	format_prefix(prefix, stream, nsec);
	n = snprintf(text, sizeof(text), "%sberth: %llu line%s lost: %s\n",
		     cri->unfinished[stream] ? "\n" : "", (unsigned long long)lines,
		     lines == 1 ? "" : "s", strerror(-lost->why));
	out = format_records(prefix, text, n, OUTPUT_SIZE, true);
	out.lines = 0; /* should it fail: it is none of the container's */
	if (!write_records(cri, stream, &out))
		return false;
	*lost = (struct lost){0};
	return true;
}

static void count_lost(struct cri *cri, const struct log_batch *batch)
{
	struct lost *lost = &cri->lost[batch->stream];
	const char *at = batch->data, *end = at + batch->size;

	while (at < end) {
		const char *newline = memchr(at, '\n', end - at);

		if (!newline) {
			lost->piece = true;
			return;
		}
		lost->lines++;
		at = newline + 1;
	}
}

static void set_mark(const struct cri *cri, const struct log_batch *batch, size_t done)
{
	log_mark_set(batch->mark, (struct log_place){cri->inode, cri->size, done});
}

static size_t room_left(const struct cri *cri)
{
	int64_t room = cri->max_size - cri->size;

	if (cri->max_size < 0 || cri->grow || room > OUTPUT_SIZE)
		return OUTPUT_SIZE;
	return room > 0 ? room : 0;
}

static void cri_store(struct log_sink *sink, const struct log_batch *batch)
{
	struct cri *cri = (struct cri *)sink;
	size_t done = log_mark_get(batch->mark)->done;
	char prefix[PREFIX_SIZE + 1];

	set_mark(cri, batch, done);
	if (!confess_losses(cri, batch->stream, batch->nsec)) {
		count_lost(cri, batch);
		return;
	}
	format_prefix(prefix, batch->stream, batch->nsec);
	while (done < batch->size) {
		struct formatted out;

		set_mark(cri, batch, done);
		out = format_records(prefix, batch->data + done, batch->size - done, room_left(cri),
				     cri->size == 0);
		if (!out.size) {
			rotate(cri);
			continue;
		}
		(void)write_records(cri, batch->stream, &out);
		done += out.consumed;
	}
	cri->grow = false;
}

static void cri_finish(struct log_sink *sink, enum log_stream stream)
{
	struct cri *cri = (struct cri *)sink;
	char prefix[PREFIX_SIZE + 1];
	struct formatted out;

	if (!confess_losses(cri, stream, units_now_nsec()) || !cri->unfinished[stream])
		return;
	format_prefix(prefix, stream, units_now_nsec());
	out = format_records(prefix, "\n", 1, OUTPUT_SIZE, true);
	(void)write_records(cri, stream, &out);
}

/* Which streams' last records in this file are unfinished. @known: those decided already. */
static void find_unfinished(struct cri *cri, int fd, bool known[3])
{
	_cleanup_free_ char *tail = NULL;
	struct stat st;
	off_t start;
	ssize_t n;

	if (fstat(fd, &st) < 0 || !st.st_size)
		return;
	start = st.st_size > TAIL_SIZE ? st.st_size - TAIL_SIZE : 0;
	tail = alloc(TAIL_SIZE);
	n = pread(fd, tail, TAIL_SIZE, start);
	for (char *end = n > 0 ? memrchr(tail, '\n', n) : NULL; end;) {
		char *before = memrchr(tail, '\n', end - tail);
		char *line = before ? before + 1 : tail;
		int stream;

		if (end - line >= PREFIX_SIZE && (before || !start)) {
			stream = memcmp(line + 31, "stderr", 6) ? LOG_STDOUT : LOG_STDERR;
			if (!known[stream])
				cri->unfinished[stream] = line[FLAG_AT] == 'P';
			known[stream] = true;
		}
		end = before;
	}
}

static void recall_unfinished(struct cri *cri)
{
	_cleanup_close_ int older = -EBADF;
	bool known[3] = {true};
	char name[LOG_NAME_MAX];

	find_unfinished(cri, cri->fd, known);
	if (known[LOG_STDOUT] && known[LOG_STDERR])
		return;
	log_name_format(cri->number - 1, name);
	older = openat(cri->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (older >= 0)
		find_unfinished(cri, older, known);
}

/* Nothing after the mark counts: the batch writes it again, byte for byte the same. */
static void go_back_to(struct cri *cri, const struct log_place *place)
{
	if (place->inode != cri->inode || place->offset > cri->size)
		return;
	if (!ftruncate(cri->fd, place->offset))
		cri->size = place->offset;
}

/* A power cut may have left half a record. What came of it is kept as a line of its own. */
static void end_torn_record(struct cri *cri)
{
	char last;

	if (!cri->size || pread(cri->fd, &last, 1, cri->size - 1) != 1 || last == '\n')
		return;
	if (pwrite(cri->fd, "\n", 1, cri->size) == 1)
		cri->size++;
}

static void cri_close(struct log_sink *sink)
{
	struct cri *cri = (struct cri *)sink;

	if (cri->fd >= 0)
		close(cri->fd);
	if (cri->dirfd >= 0)
		close(cri->dirfd);
	free(cri);
}

static int cri_open(const struct log_options *options, const struct log_mark *resume,
		    struct log_sink **ret, struct error *err)
{
	struct cri *cri = new (struct cri);
	uint64_t number = 0;
	int r;

	cri->sink.driver = &log_driver_cri;
	cri->fd = -EBADF;
	cri->max_size = options->max_size_bytes ? options->max_size_bytes : LOG_MAX_SIZE_BYTES;
	cri->max_file = options->max_file ? options->max_file : LOG_MAX_FILE;
	cri->dirfd = fcntl(options->dirfd, F_DUPFD_CLOEXEC, 3);
	log_name_number_old(options->dirfd);
	r = cri->dirfd < 0 ? -errno : log_name_newest(cri->dirfd, &number);
	if (!r)
		r = open_file(cri, number ?: 1);
	if (r < 0) {
		cri_close(&cri->sink);
		return error_code(err, r, "log file cannot be opened");
	}
	if (resume)
		go_back_to(cri, log_mark_get(resume));
	end_torn_record(cri);
	recall_unfinished(cri);
	*ret = &cri->sink;
	return 0;
}

const struct log_driver log_driver_cri = {
	.names = {"json-file", "local", "cri"},
	.options = {"max-size", "max-file", "mode", "max-buffer-size", "compress", "labels",
		    "labels-regex", "env", "env-regex", "tag"},
	.open = cri_open,
	.close = cri_close,
	.store = cri_store,
	.finish = cri_finish,
};
