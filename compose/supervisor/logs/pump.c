// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/logs/pump.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/event.h"
#include "common/fd.h"
#include "common/log.h"

#include "compose/supervisor/logs/journal.h"
#include "compose/supervisor/logs/tee.h"

#define PIPE_SIZE (256 * 1024)
/* Output is worth less than an exit or a request: those go first when both are there. */
#define PUMP_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)
/* A terminal does not say how much there is to drain, but never buffers more than this. */
#define TERMINAL_DRAIN (64 * 1024)

struct pump_stream {
	struct log_pump *pump;
	enum log_stream stream;
	int fd;
	bool is_pipe;
	sd_event_source *source;
};

struct log_pump {
	sd_event *event;
	struct log_journal *journal;
	struct log_options options; /* with a dirfd of its own */
	struct log_sink *sink;
	struct pump_stream streams[2];
	struct log_tee *tees;
	log_pump_ended_t on_ended;
	log_pump_data_t on_data;
	void *ended_data, *data_data;
	bool *freed; /* tells log_pump_drain() that a callback freed the pump */
};

static struct pump_stream *pump_stream(struct log_pump *pump, enum log_stream stream)
{
	return &pump->streams[stream == LOG_STDERR];
}

static void stream_close(struct pump_stream *stream)
{
	event_source_drop(&stream->source);
	if (stream->fd >= 0)
		close(stream->fd);
	stream->fd = -EBADF;
}

static void stream_end(struct pump_stream *stream)
{
	struct log_pump *pump = stream->pump;

	pump->sink->driver->finish(pump->sink, stream->stream);
	stream_close(stream);
	if (pump->on_ended)
		pump->on_ended(pump, stream->stream, pump->ended_data);
}

/*
 * One read, stored. Bytes; -EAGAIN: none now; 0 or another error: that was all, and the stream is
 * still to be ended.
 */
static ssize_t stream_pump(struct pump_stream *stream, size_t limit)
{
	struct log_pump *pump = stream->pump;
	char *room = log_journal_room(pump->journal);
	ssize_t n;

	log_journal_begin(pump->journal, pump->sink, &pump->options, stream->stream);
	n = read(stream->fd, room, limit < JOURNAL_ROOM ? limit : JOURNAL_ROOM);
	if (n < 0)
		n = errno == EINTR ? -EAGAIN : -errno;
	if (n > 0 && pump->tees)
		log_tee_send(&pump->tees, stream->stream, room, n);
	if (n > 0 && pump->on_data) {
		/* The journal forgets the bytes as soon as they are stored. */
		_cleanup_free_ void *copy = alloc_copy(room, n);

		log_journal_store(pump->journal, pump->sink, n);
		pump->on_data(pump, stream->stream, copy, n, pump->data_data);
		return n;
	}
	log_journal_store(pump->journal, pump->sink, n > 0 ? n : 0);
	return n;
}

static bool has_ended(struct pump_stream *stream, ssize_t result)
{
	if (result > 0 || result == -EAGAIN)
		return false;
	/* EIO is a terminal's way to say that nobody has its other end open any more. */
	if (result < 0 && result != -EIO)
		log_error("log: %s cannot be read any more: %s",
			  stream->stream == LOG_STDERR ? "stderr" : "stdout", strerror(-result));
	return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct pump_stream *stream = userdata;

	/* One read a turn: whoever floods its log waits for everybody else's turn. */
	if (has_ended(stream, stream_pump(stream, JOURNAL_ROOM)))
		stream_end(stream);
	return 0;
}

/* A description of our own, so that O_NONBLOCK is our affair alone. */
static int own_pipe(int fd)
{
	char path[FD_PATH_MAX];
	int own;

	own = open(fd_path(fd, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (own >= 0) {
		close(fd);
		/* Per-user limits may forbid it: then it stays as it is. */
		(void)fcntl(own, F_SETPIPE_SZ, PIPE_SIZE);
		return own;
	}
	(void)fd_set_nonblock(fd, true);
	return fd;
}

int log_pump_add_stream(struct log_pump *pump, int fd, enum log_stream stream, struct error *err)
{
	struct pump_stream *source = pump_stream(pump, stream);
	struct stat st;
	int r;

	stream_close(source);
	source->is_pipe = !fstat(fd, &st) && S_ISFIFO(st.st_mode);
	if (source->is_pipe)
		fd = own_pipe(fd);
	else
		(void)fd_set_nonblock(fd, true);
	source->fd = fd;
	r = sd_event_add_io(pump->event, &source->source, fd, EPOLLIN, on_readable, source);
	if (!r)
		r = sd_event_source_set_priority(source->source, PUMP_PRIORITY);
	if (r < 0) {
		stream_close(source);
		return error_code(err, r, "container's output cannot be watched");
	}
	return 0;
}

void log_pump_take_streams(struct log_pump *to, struct log_pump *from)
{
	for (size_t i = 0; i < ARRAY_SIZE(from->streams); i++) {
		struct pump_stream *stream = &from->streams[i];
		struct error err = ERROR_INIT;

		event_source_drop(&stream->source);
		if (stream->fd >= 0 &&
		    log_pump_add_stream(to, TAKE_FD(stream->fd), stream->stream, &err) < 0)
			log_error("log: %s", err.message);
	}
	log_tee_move(&to->tees, &from->tees);
}

int log_pump_writer(const struct log_pump *pump, enum log_stream stream)
{
	const struct pump_stream *source = &pump->streams[stream == LOG_STDERR];
	const struct pump_stream *terminal = &pump->streams[0];
	char path[FD_PATH_MAX];
	int fd;

	if (terminal->fd >= 0 && !terminal->is_pipe)
		fd = ioctl(terminal->fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	else if (source->fd >= 0)
		/* For both, as the container has it: it never hears of readers that leave. */
		fd = open(fd_path(source->fd, path), O_RDWR | O_CLOEXEC);
	else
		return -EBADF;
	return fd < 0 ? -errno : fd;
}

int log_pump_new(sd_event *event, struct log_journal *journal, const struct log_options *options,
		 struct log_pump **ret, struct error *err)
{
	const struct log_driver *driver;
	struct log_pump *pump;
	int r;

	r = log_driver_find(options->driver, &driver, err);
	if (r < 0)
		return r;
	pump = new (struct log_pump);
	pump->journal = journal;
	pump->options = *options;
	pump->options.driver = driver->names[0];
	pump->options.dirfd = fcntl(options->dirfd, F_DUPFD_CLOEXEC, 3);
	for (size_t i = 0; i < ARRAY_SIZE(pump->streams); i++)
		pump->streams[i] =
			(struct pump_stream){.pump = pump, .stream = LOG_STDOUT + i, .fd = -EBADF};
	if (pump->options.dirfd < 0)
		r = error_errno(err, "log directory");
	else
		r = driver->open(&pump->options, NULL, &pump->sink, err);
	pump->options.fields = NULL;
	if (r < 0) {
		log_pump_free(pump);
		return r;
	}
	pump->event = sd_event_ref(event);
	*ret = pump;
	return 0;
}

void log_pump_free(struct log_pump *pump)
{
	if (!pump)
		return;
	if (pump->freed)
		*pump->freed = true;
	log_tee_free_all(&pump->tees);
	for (size_t i = 0; i < ARRAY_SIZE(pump->streams); i++)
		stream_close(&pump->streams[i]);
	if (pump->sink) {
		log_journal_forget(pump->journal, pump->sink);
		pump->sink->driver->close(pump->sink);
	}
	if (pump->options.dirfd >= 0)
		close(pump->options.dirfd);
	sd_event_unref(pump->event);
	free(pump);
}

void log_pump_on_ended(struct log_pump *pump, log_pump_ended_t callback, void *userdata)
{
	pump->on_ended = callback;
	pump->ended_data = userdata;
}

void log_pump_on_data(struct log_pump *pump, log_pump_data_t callback, void *userdata)
{
	pump->on_data = callback;
	pump->data_data = userdata;
}

bool log_pump_has_streams(const struct log_pump *pump)
{
	return pump->streams[0].fd >= 0 || pump->streams[1].fd >= 0;
}

static bool has_hung_up(const struct pump_stream *stream)
{
	struct pollfd poll_fd = {.fd = stream->fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1 && !(poll_fd.revents & POLLIN) &&
	       poll_fd.revents & (POLLHUP | POLLERR);
}

/* True when the stream is at its end. */
static bool stream_drain(struct pump_stream *stream)
{
	int available = 0;
	size_t left;
	ssize_t n;

	if (!stream->is_pipe)
		left = TERMINAL_DRAIN;
	else
		left = !ioctl(stream->fd, FIONREAD, &available) && available > 0 ? available : 0;
	/* Without a byte in it, a FIFO that nobody has opened for writing yet reads as ended. */
	while (left) {
		n = stream_pump(stream, left);
		if (has_ended(stream, n))
			return true;
		if (n < 0)
			break;
		left -= n;
	}
	return has_hung_up(stream);
}

void log_pump_drain(struct log_pump *pump)
{
	bool freed = false, *outer = pump->freed;

	pump->freed = &freed;
	for (size_t i = 0; i < ARRAY_SIZE(pump->streams) && !freed; i++)
		if (pump->streams[i].fd >= 0 && stream_drain(&pump->streams[i]))
			stream_end(&pump->streams[i]);
	if (!freed)
		pump->freed = outer;
	else if (outer)
		*outer = true;
}

void log_pump_finish(struct log_pump *pump)
{
	pump->sink->driver->finish(pump->sink, LOG_STDOUT);
	pump->sink->driver->finish(pump->sink, LOG_STDERR);
}

int log_pump_tee(struct log_pump *pump, int fd, unsigned int streams, struct error *err)
{
	return log_tee_new(pump->event, &pump->tees, fd, streams, err);
}
