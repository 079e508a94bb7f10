// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journald.c - `logging: {driver: journald}`: lines go to systemd's journal as docker's driver
 * writes them, and `berth logs` reads them there.
 *
 * The protocol is a datagram of fields (systemd.io, JOURNAL_NATIVE_PROTOCOL). A journal that is
 * not there, or does not read, never blocks a container: what it does not take goes to files, as
 * those of the default driver, which `berth logs` reads as well.
 *
 * Where a killed supervisor has left off is in a mapped file (compose/control/log_spool.h), and
 * what goes into every entry in another one beside it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/journal.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/control/log_spool.h"
#include "compose/supervisor/logs/log_driver.h"

#define FIELDS_NAME  "journald.fields"
#define FIELDS_BYTES (1 << 20)
/* It reads within microseconds; one that hangs costs us this once. */
#define PATIENCE_MSEC 500

struct journald {
	struct log_sink sink;
	struct log_sink *files; /* NULL until the journal does not take a line */
	struct log_options options;
	int dirfd;
	int socket;
	char *fields; /* those that are the same for all lines, as they are sent */
	size_t fields_size;
	int failure; /* why the journal takes nothing; said once */
	struct log_spool *spool;
};

static struct log_spool_state *state_of(const struct journald *journald)
{
	return &journald->spool->states[journald->spool->current & 1];
}

/* All at once: whoever is killed leaves the state before or after it. */
static void commit(struct journald *journald, const struct log_spool_state *state)
{
	uint32_t other = !(journald->spool->current & 1);

	journald->spool->states[other] = *state;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)&journald->spool->current = other;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static int send_message(struct journald *journald, const struct strbuf *message)
{
	int r = journal_send(journald->socket, message->data, message->length,
			     journald->failure ? 0 : PATIENCE_MSEC);

	if (r < 0 && r != journald->failure)
		log_warning("the journal takes no more lines (%s); they are in files, which "
			    "`berth logs` reads as well",
			    strerror(-r));
	journald->failure = r;
	return r;
}

static void put_into_files(struct journald *journald, enum log_stream stream, int64_t nsec,
			   const char *text, size_t size, bool ended)
{
	_cleanup_strbuf_ struct strbuf line = {0};
	struct log_mark mark = {.places[0].offset = INT64_MAX};
	struct log_batch batch = {.stream = stream, .nsec = nsec, .mark = &mark};
	struct error err = ERROR_INIT;

	if (!journald->files &&
	    log_driver_cri.open(&journald->options, NULL, &journald->files, &err) < 0) {
		log_error("a line is lost: %s", err.message);
		return;
	}
	strbuf_add_n(&line, text, size);
	if (ended)
		strbuf_addc(&line, '\n');
	batch.data = line.data;
	batch.size = line.length;
	journald->files->driver->store(journald->files, &batch);
}

/* A line, or a part of one. On return @state is what is to be committed. */
static void tell(struct journald *journald, enum log_stream stream, int64_t nsec, const char *text,
		 size_t size, bool last, struct log_spool_state *state)
{
	_cleanup_strbuf_ struct strbuf message = {0};
	typeof(&state->streams[0]) own = &state->streams[stream - 1];
	bool in_parts = !last || own->part;
	char number[24], when[UNITS_TIME_MAX];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)state->ordinal + 1);
	journal_add(&message, "MESSAGE", text, size);
	journal_add_text(&message, "PRIORITY", stream == LOG_STDERR ? "3" : "6");
	journal_add_text(&message, "SYSLOG_TIMESTAMP", units_format_time(nsec, when, sizeof(when)));
	journal_add_text(&message, "CONTAINER_LOG_EPOCH", journald->spool->epoch);
	journal_add_text(&message, "CONTAINER_LOG_ORDINAL", number);
	if (in_parts) {
		if (!own->part)
			fs_random_hex(own->id, sizeof(own->id) / 2);
		snprintf(number, sizeof(number), "%u", ++own->part);
		if (!last)
			journal_add_text(&message, "CONTAINER_PARTIAL_MESSAGE", "true");
		journal_add_text(&message, "CONTAINER_PARTIAL_ID", own->id);
		journal_add_text(&message, "CONTAINER_PARTIAL_ORDINAL", number);
		journal_add_text(&message, "CONTAINER_PARTIAL_LAST", last ? "true" : "false");
	}
	strbuf_add_n(&message, journald->fields, journald->fields_size);
	if (send_message(journald, &message) == 0)
		state->ordinal++;
	else
		put_into_files(journald, stream, nsec, text, size, last);
	own->size = 0;
	if (last)
		own->part = 0;
}

/* Takes from @data, of batch @state->nsec, up to the next newline or a part's length. */
static size_t take_some(struct journald *journald, enum log_stream stream, const char *data,
			size_t size, struct log_spool_state *state)
{
	char *text = journald->spool->text[stream - 1];
	typeof(&state->streams[0]) own = &state->streams[stream - 1];
	const char *newline = memchr(data, '\n', size);
	size_t length = newline ? (size_t)(newline - data) : size;
	size_t room = LOG_PART_BYTES - own->size;

	if (length > room) {
		length = room;
		newline = NULL;
	}
	/* Nothing of it waits: no need to put it together. */
	if (newline && !own->size) {
		tell(journald, stream, state->nsec, data, length, true, state);
		return length + 1;
	}
	memcpy(text + own->size, data, length);
	own->size += (uint32_t)length;
	if (newline || own->size == LOG_PART_BYTES)
		tell(journald, stream, state->nsec, text, own->size, newline != NULL, state);
	return length + (newline != NULL);
}

static void journald_store(struct log_sink *sink, const struct log_batch *batch)
{
	struct journald *journald = (struct journald *)sink;
	struct log_spool_state state = *state_of(journald);

	/* The same one: a supervisor before us died over it. */
	if (state.nsec != batch->nsec)
		state.done = 0;
	state.nsec = batch->nsec;
	while (state.done < batch->size) {
		state.done += take_some(journald, batch->stream, batch->data + state.done,
					batch->size - state.done, &state);
		commit(journald, &state);
	}
}

static void journald_finish(struct log_sink *sink, enum log_stream stream)
{
	struct journald *journald = (struct journald *)sink;
	struct log_spool_state state = *state_of(journald);

	if (!state.streams[stream - 1].size && !state.streams[stream - 1].part)
		return;
	tell(journald, stream, units_now_nsec(), journald->spool->text[stream - 1],
	     state.streams[stream - 1].size, true, &state);
	commit(journald, &state);
}

static void journald_close(struct log_sink *sink)
{
	struct journald *journald = (struct journald *)sink;

	if (journald->files)
		journald->files->driver->close(journald->files);
	if (journald->spool)
		munmap(journald->spool, sizeof(*journald->spool));
	cleanup_close_fd(&journald->socket);
	cleanup_close_fd(&journald->dirfd);
	free(journald->fields);
	free(journald);
}

static void render_fields(struct journald *journald, char *const *fields)
{
	struct strbuf text = {0};

	strv_foreach(field, fields) {
		const char *equals = strchr(field, '=');
		_cleanup_free_ char *name = alloc_string_n(field, (size_t)(equals - field));

		journal_add_text(&text, name, equals + 1);
	}
	journald->fields_size = text.length;
	journald->fields = strbuf_take(&text);
}

/* Of a batch that a supervisor before us died over, nobody else knows the fields any more. */
static int keep_fields(struct journald *journald, char *const *fields, struct error *err)
{
	if (!fields)
		return fs_read(journald->dirfd, FIELDS_NAME, FIELDS_BYTES, &journald->fields,
			       &journald->fields_size, err);
	render_fields(journald, fields);
	if (journald->fields_size > FIELDS_BYTES)
		return error_set(err, E2BIG, "labels and env make entries of the journal too long");
	return fs_replace(journald->dirfd, FIELDS_NAME, journald->fields, journald->fields_size,
			  FS_ATOMIC, err);
}

static void *map(int fd, size_t size)
{
	/* All of it is there: writing to a mapping without space behind it would kill us. */
	if (fd < 0 || (posix_fallocate(fd, 0, (off_t)size) != 0 && ftruncate(fd, (off_t)size) < 0))
		return MAP_FAILED;
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static int open_spool(struct journald *journald, struct error *err)
{
	size_t size = sizeof(*journald->spool);
	_cleanup_close_ int fd = openat(journald->dirfd, LOG_SPOOL_NAME,
					O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct log_spool *spool = map(fd, size);

	if (spool == MAP_FAILED) {
		log_warning("%s: %s; lines go on to the journal, but if the supervisor is killed "
			    "one may be lost",
			    LOG_SPOOL_NAME, strerror(errno));
		spool = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
	}
	if (spool == MAP_FAILED)
		return error_errno(err, "map %s", LOG_SPOOL_NAME);
	journald->spool = spool;
	if (spool->magic != LOG_SPOOL_MAGIC || spool->states[0].streams[0].size > LOG_PART_BYTES ||
	    spool->states[0].streams[1].size > LOG_PART_BYTES ||
	    spool->states[1].streams[0].size > LOG_PART_BYTES ||
	    spool->states[1].streams[1].size > LOG_PART_BYTES) {
		memset(spool, 0, size);
		fs_random_hex(spool->epoch, sizeof(spool->epoch) / 2);
		spool->magic = LOG_SPOOL_MAGIC;
	}
	return 0;
}

static int journald_open(const struct log_options *options, const struct log_mark *resume,
			 struct log_sink **ret, struct error *err)
{
	struct journald *journald = new (struct journald);
	int r;

	journald->sink.driver = &log_driver_journald;
	journald->options = *options;
	journald->options.fields = NULL;
	journald->socket = journal_socket();
	journald->dirfd = fcntl(options->dirfd, F_DUPFD_CLOEXEC, 3);
	journald->options.dirfd = journald->dirfd;
	r = journald->socket < 0 || journald->dirfd < 0
		    ? error_errno(err, "make a socket for the journal")
		    : keep_fields(journald, options->fields, err);
	if (r >= 0)
		r = open_spool(journald, err);
	if (r < 0) {
		journald_close(&journald->sink);
		return r;
	}
	*ret = &journald->sink;
	return 0;
}

const struct log_driver log_driver_journald = {
	.names = {"journald"},
	.options = {"labels", "env", "tag", "mode", "max-buffer-size"},
	.open = journald_open,
	.close = journald_close,
	.store = journald_store,
	.finish = journald_finish,
};
