// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/run_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#define COPY_SIZE (64 * 1024)
/* So much a pipe or a terminal takes without waiting once it can be written to (pipe(7)). */
#define PIECE_SIZE 4096
/* From a terminal, the log is waited for no longer: somebody sits there. */
#define LOG_PATIENCE_MSEC 5000

struct copy_stream {
	int theirs;   /* the program's end */
	int from;     /* what it says */
	int log;      /* for the log ... */
	int log_read; /* ... and the supervisor's end of that */
	int to;       /* ours, or /dev/null */
	int number;
	char *data;
	size_t used, logged, shown;
	bool whole; /* a file: takes what it is given */
	bool ended, broken, told;
};

struct run_copy {
	struct copy_stream streams[2];
	size_t count;
	bool terminal;
	int null;
};

static int make_pipe(int *ret_read, int *ret_write, struct error *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	*ret_read = pair[0];
	*ret_write = pair[1];
	return 0;
}

/* One description of the same file, as after `2>&1`. */
static bool same_file(void)
{
	pid_t pid = getpid();
	struct stat out, error;
	long r = syscall(SYS_kcmp, pid, pid, KCMP_FILE, STDOUT_FILENO, STDERR_FILENO);

	if (r >= 0)
		return r == 0;
	return fstat(STDOUT_FILENO, &out) == 0 && fstat(STDERR_FILENO, &error) == 0 &&
	       out.st_dev == error.st_dev && out.st_ino == error.st_ino;
}

static int open_stream(struct run_copy *copy, int number, bool shown, struct error *err)
{
	struct copy_stream *stream = &copy->streams[copy->count++];
	struct stat st;

	*stream = (struct copy_stream){-EBADF, -EBADF, -EBADF, -EBADF, shown ? number : copy->null};
	if (make_pipe(&stream->log_read, &stream->log, err) < 0 ||
	    (!copy->terminal && make_pipe(&stream->from, &stream->theirs, err) < 0))
		return -err->code;
	(void)fd_set_nonblock(stream->log, true);
	if (copy->terminal)
		return 0;
	(void)fd_set_nonblock(stream->from, true);
	stream->data = alloc_zero(1, COPY_SIZE);
	stream->whole = !shown || (fstat(number, &st) == 0 && S_ISREG(st.st_mode));
	stream->number = number;
	return 0;
}

int run_copy_new(const struct run_copy_way *way, struct run_copy **ret, struct error *err)
{
	struct run_copy *copy = new (struct run_copy);
	int r;

	*ret = copy;
	copy->terminal = way->terminal;
	copy->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (copy->null < 0)
		return error_errno(err, "open /dev/null");
	/* Who reads us no more is for the program to meet. */
	(void)signal(SIGPIPE, SIG_IGN);
	r = open_stream(copy, STDOUT_FILENO, !way->no_stdout, err);
	if (r == 0 && !way->terminal && (way->no_stdout || way->no_stderr || !same_file()))
		r = open_stream(copy, STDERR_FILENO, !way->no_stderr, err);
	return r;
}

void run_copy_free(struct run_copy *copy)
{
	if (!copy)
		return;
	for (size_t i = 0; i < copy->count; i++) {
		struct copy_stream *stream = &copy->streams[i];

		cleanup_close_fd(&stream->theirs);
		cleanup_close_fd(&stream->from);
		cleanup_close_fd(&stream->log);
		cleanup_close_fd(&stream->log_read);
		free(stream->data);
	}
	cleanup_close_fd(&copy->null);
	free(copy);
}

size_t run_copy_fds(const struct run_copy *copy, int input, int fds[RUN_FDS])
{
	size_t count = RUN_LOG_STDOUT;

	if (copy->terminal) {
		fds[0] = copy->streams[0].log_read;
		return 1;
	}
	fds[RUN_STDIN] = input;
	fds[RUN_STDOUT] = copy->streams[0].theirs;
	fds[RUN_STDERR] = copy->streams[copy->count - 1].theirs;
	for (size_t i = 0; i < copy->count; i++) {
		fds[count++] = copy->streams[i].log_read;
		fds[count++] = copy->streams[i].from;
	}
	return count;
}

size_t run_copy_polls(struct run_copy *copy, struct pollfd polls[RUN_COPY_POLLS])
{
	size_t count = 0;

	for (size_t i = 0; i < copy->count && !copy->terminal; i++) {
		const struct copy_stream *stream = &copy->streams[i];

		if (!stream->used && !stream->ended)
			polls[count++] = (struct pollfd){stream->from, POLLIN};
		if (stream->logged < stream->used)
			polls[count++] = (struct pollfd){stream->log, POLLOUT};
		if (stream->shown < stream->used)
			polls[count++] = (struct pollfd){stream->to, POLLOUT};
	}
	return count;
}

static void take(struct copy_stream *stream)
{
	ssize_t n = read(stream->from, stream->data, COPY_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	stream->ended = n <= 0;
	stream->used = n > 0 ? (size_t)n : 0;
	stream->logged = stream->log < 0 ? stream->used : 0;
	stream->shown = 0;
}

static void stop_logging(struct copy_stream *stream)
{
	cleanup_close_fd(&stream->log);
	stream->log = -EBADF;
	stream->logged = stream->used;
}

static void put_log(struct copy_stream *stream)
{
	ssize_t n =
		write(stream->log, stream->data + stream->logged, stream->used - stream->logged);

	if (n >= 0)
		stream->logged += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		stop_logging(stream);
}

static bool is_ready(int fd)
{
	struct pollfd poll_fd = {fd, POLLOUT};

	return poll(&poll_fd, 1, 0) > 0;
}

static void show(struct run_copy *copy, struct copy_stream *stream)
{
	size_t size = stream->used - stream->shown;
	ssize_t n;

	if (!stream->whole && size > PIECE_SIZE)
		size = PIECE_SIZE;
	n = write(stream->to, stream->data + stream->shown, size);
	if (n >= 0) {
		stream->shown += (size_t)n;
	} else if (errno != EAGAIN && errno != EINTR) {
		/* A request that is sent once more names it still. */
		(void)dup3(copy->null, stream->from, O_CLOEXEC);
		stream->shown = stream->used;
		stream->ended = stream->broken = true;
	}
}

void run_copy_work(struct run_copy *copy)
{
	for (size_t i = 0; i < copy->count && !copy->terminal; i++) {
		struct copy_stream *stream = &copy->streams[i];

		if (!stream->used && !stream->ended)
			take(stream);
		if (stream->logged < stream->used)
			put_log(stream);
		while (stream->shown < stream->used && (stream->whole || is_ready(stream->to)))
			show(copy, stream);
		if (stream->logged == stream->used && stream->shown == stream->used)
			stream->used = stream->logged = stream->shown = 0;
	}
}

int run_copy_broken(struct run_copy *copy)
{
	for (size_t i = 0; i < copy->count; i++) {
		struct copy_stream *stream = &copy->streams[i];

		if (!stream->broken || stream->told)
			continue;
		stream->told = true;
		return stream->number;
	}
	return 0;
}

static bool has_more(const struct copy_stream *stream)
{
	struct pollfd poll_fd = {stream->from, POLLIN};

	return stream->used || (!stream->ended && poll(&poll_fd, 1, 0) > 0);
}

void run_copy_rest(struct run_copy *copy, int interrupt)
{
	bool more = !copy->terminal;

	for (size_t i = 0; i < copy->count; i++) {
		cleanup_close_fd(&copy->streams[i].theirs);
		cleanup_close_fd(&copy->streams[i].log_read);
		copy->streams[i].theirs = copy->streams[i].log_read = -EBADF;
	}
	while (more) {
		struct pollfd polls[1 + RUN_COPY_POLLS] = {{interrupt, POLLIN}};
		size_t count;

		run_copy_work(copy);
		more = false;
		for (size_t i = 0; i < copy->count; i++)
			more = more || has_more(&copy->streams[i]);
		count = run_copy_polls(copy, polls + 1);
		if (more && poll(polls, 1 + count, -1) > 0 && polls[0].revents)
			return;
	}
}

void run_copy_log(struct run_copy *copy, const void *data, size_t size)
{
	struct copy_stream *stream = &copy->streams[0];
	const char *at = data;

	while (size && stream->log >= 0) {
		struct pollfd poll_fd = {stream->log, POLLOUT};
		ssize_t n = write(stream->log, at, size);

		if (n >= 0) {
			at += n;
			size -= (size_t)n;
		} else if (errno != EINTR &&
			   (errno != EAGAIN || poll(&poll_fd, 1, LOG_PATIENCE_MSEC) == 0)) {
			stop_logging(stream);
		}
	}
}
