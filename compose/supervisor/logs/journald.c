// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * journald.c - `logging: {driver: journald}`: lines go to the journal as docker's driver writes
 * them, and into files as well (docker calls that dual logging), from which `berth logs` reads.
 *
 * The protocol is a datagram of fields (systemd.io, JOURNAL_NATIVE_PROTOCOL). A journal that is
 * not there, or does not read, never blocks a container: what it does not take is in the files.
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/logs/log_driver.h"

#define SOCKET_PATH    "/run/systemd/journal/socket"
#define LINE_MAX_BYTES 16384 /* longer ones are told in parts, as docker's are */
#define SEND_BYTES     (1 << 20)

struct pending {
	char text[LINE_MAX_BYTES];
	size_t size;
	char id[65]; /* of a line in parts; "" unless one is under way */
	unsigned int ordinal;
};

struct journald {
	struct log_sink sink;
	struct log_sink *files;
	int socket;
	char *fields; /* those that are the same for all lines, as they are sent */
	size_t fields_size;
	uint64_t ordinal;
	char epoch[33];
	int failure; /* why the journal takes nothing; said once */
	struct pending pending[3];
};

/* A value with newlines in it has its length before it rather than a "=". */
static void add_field(struct strbuf *message, const char *name, const char *value, size_t size)
{
	uint64_t length = htole64(size);

	strbuf_add(message, name);
	if (memchr(value, '\n', size)) {
		strbuf_addc(message, '\n');
		strbuf_add_n(message, &length, sizeof(length));
	} else {
		strbuf_addc(message, '=');
	}
	strbuf_add_n(message, value, size);
	strbuf_addc(message, '\n');
}

static void add_text(struct strbuf *message, const char *name, const char *value)
{
	add_field(message, name, value, strlen(value));
}

static void send_message(struct journald *journald, const struct strbuf *message)
{
	static const struct sockaddr_un address = {AF_UNIX, SOCKET_PATH};
	ssize_t n = sendto(journald->socket, message->data, message->length,
			   MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
			   sizeof(address));
	int failure = n < 0 ? errno : 0;

	if (failure && failure != journald->failure)
		log_warning("the journal takes no more lines (%s); they are in the files that "
			    "`berth logs` reads",
			    strerror(failure));
	journald->failure = failure;
}

static void add_part(struct strbuf *message, struct pending *pending, bool last)
{
	char number[16];

	if (!pending->id[0])
		fs_random_hex(pending->id, 32);
	snprintf(number, sizeof(number), "%u", ++pending->ordinal);
	if (!last)
		add_text(message, "CONTAINER_PARTIAL_MESSAGE", "true");
	add_text(message, "CONTAINER_PARTIAL_ID", pending->id);
	add_text(message, "CONTAINER_PARTIAL_ORDINAL", number);
	add_text(message, "CONTAINER_PARTIAL_LAST", last ? "true" : "false");
}

/* What is pending of @stream, as a line or as a part of one. */
static void send_pending(struct journald *journald, enum log_stream stream, bool last)
{
	_cleanup_strbuf_ struct strbuf message = {0};
	struct pending *pending = &journald->pending[stream];
	char number[24], now[UNITS_TIME_MAX];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)++journald->ordinal);
	add_field(&message, "MESSAGE", pending->text, pending->size);
	add_text(&message, "PRIORITY", stream == LOG_STDERR ? "3" : "6");
	add_text(&message, "SYSLOG_TIMESTAMP",
		 units_format_time(units_now_nsec(), now, sizeof(now)));
	add_text(&message, "CONTAINER_LOG_EPOCH", journald->epoch);
	add_text(&message, "CONTAINER_LOG_ORDINAL", number);
	if (!last || pending->id[0])
		add_part(&message, pending, last);
	strbuf_add_n(&message, journald->fields, journald->fields_size);
	send_message(journald, &message);
	pending->size = 0;
	if (last) {
		pending->id[0] = 0;
		pending->ordinal = 0;
	}
}

static void take(struct journald *journald, enum log_stream stream, const char *data, size_t size)
{
	struct pending *pending = &journald->pending[stream];

	while (size) {
		const char *newline = memchr(data, '\n', size);
		size_t length = newline ? (size_t)(newline - data) : size;
		size_t room = LINE_MAX_BYTES - pending->size;

		if (length > room) {
			length = room;
			newline = NULL;
		}
		memcpy(pending->text + pending->size, data, length);
		pending->size += length;
		data += length + (newline != NULL);
		size -= length + (newline != NULL);
		if (newline)
			send_pending(journald, stream, true);
		else if (pending->size == LINE_MAX_BYTES)
			send_pending(journald, stream, false);
	}
}

static void journald_store(struct log_sink *sink, const struct log_batch *batch)
{
	struct journald *journald = (struct journald *)sink;
	size_t done = log_mark_get(batch->mark)->done;

	/* Of a batch that the supervisor before us died over, nobody knows the fields any more. */
	if (journald->fields)
		take(journald, batch->stream, batch->data + done, batch->size - done);
	journald->files->driver->store(journald->files, batch);
}

static void journald_finish(struct log_sink *sink, enum log_stream stream)
{
	struct journald *journald = (struct journald *)sink;
	const struct pending *pending = &journald->pending[stream];

	if (pending->size || pending->id[0])
		send_pending(journald, stream, true);
	journald->files->driver->finish(journald->files, stream);
}

static void journald_close(struct log_sink *sink)
{
	struct journald *journald = (struct journald *)sink;

	if (journald->files)
		journald->files->driver->close(journald->files);
	if (journald->socket >= 0)
		close(journald->socket);
	free(journald->fields);
	free(journald);
}

static void render_fields(struct journald *journald, char *const *fields)
{
	struct strbuf text = {0};

	if (!fields)
		return;
	strv_foreach(field, fields) {
		const char *equals = strchr(field, '=');
		_cleanup_free_ char *name = alloc_string_n(field, (size_t)(equals - field));

		add_text(&text, name, equals + 1);
	}
	journald->fields_size = text.length;
	journald->fields = strbuf_take(&text);
}

static int journald_open(const struct log_options *options, const struct log_mark *resume,
			 struct log_sink **ret, struct error *err)
{
	struct journald *journald = new (struct journald);
	int size = SEND_BYTES, r;

	journald->sink.driver = &log_driver_journald;
	journald->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	fs_random_hex(journald->epoch, 16);
	render_fields(journald, options->fields);
	r = journald->socket < 0 ? error_errno(err, "make a socket for the journal")
				 : log_driver_cri.open(options, resume, &journald->files, err);
	if (r < 0) {
		journald_close(&journald->sink);
		return r;
	}
	(void)setsockopt(journald->socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
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
