// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/journal_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/logs/journal_lines.h"
#include "compose/control/log_spool.h"

#define SETTLE_USEC (2 * (int64_t)USEC_PER_SEC)
#define RECENT_NSEC (60 * INT64_C(1000000000)) /* what was sent before has arrived, or is lost */

struct journal_reader {
	sd_journal *journal;
	struct log_reader_options options;
	char *match; /* CONTAINER_ID_FULL=... */
	char *spool; /* path */
	bool over;   /* `until` has passed */
	struct journal_lines lines;
};

/* Of libsystemd, which a client that shows no such log does not open. */
static struct {
	typeof(sd_journal_add_match) *add_match;
	typeof(sd_journal_close) *close;
	typeof(sd_journal_get_data) *get_data;
	typeof(sd_journal_get_fd) *get_fd;
	typeof(sd_journal_get_realtime_usec) *get_realtime_usec;
	typeof(sd_journal_next) *next;
	typeof(sd_journal_open) *open;
	typeof(sd_journal_previous) *previous;
	typeof(sd_journal_process) *process;
	typeof(sd_journal_seek_head) *seek_head;
	typeof(sd_journal_seek_realtime_usec) *seek_realtime_usec;
	typeof(sd_journal_seek_tail) *seek_tail;
	typeof(sd_journal_set_data_threshold) *set_data_threshold;
	typeof(sd_journal_wait) *wait;
} api;

static int load(struct error *err)
{
	static void *handle;
	static const struct dl_symbol symbols[] = {
		DL_SYMBOL(api.add_match, sd_journal_add_match),
		DL_SYMBOL(api.close, sd_journal_close),
		DL_SYMBOL(api.get_data, sd_journal_get_data),
		DL_SYMBOL(api.get_fd, sd_journal_get_fd),
		DL_SYMBOL(api.get_realtime_usec, sd_journal_get_realtime_usec),
		DL_SYMBOL(api.next, sd_journal_next),
		DL_SYMBOL(api.open, sd_journal_open),
		DL_SYMBOL(api.previous, sd_journal_previous),
		DL_SYMBOL(api.process, sd_journal_process),
		DL_SYMBOL(api.seek_head, sd_journal_seek_head),
		DL_SYMBOL(api.seek_realtime_usec, sd_journal_seek_realtime_usec),
		DL_SYMBOL(api.seek_tail, sd_journal_seek_tail),
		DL_SYMBOL(api.set_data_threshold, sd_journal_set_data_threshold),
		DL_SYMBOL(api.wait, sd_journal_wait),
	};

	return dl_load("libsystemd.so.0", &handle, symbols, ARRAY_SIZE(symbols), err);
}

static int open_journal(const char *match, sd_journal **ret)
{
	sd_journal *journal = NULL;
	int r = api.open(&journal, 0);

	if (r >= 0)
		r = api.set_data_threshold(journal, 0);
	if (r >= 0)
		r = api.add_match(journal, match, 0);
	if (r < 0) {
		api.close(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

/* The value of a field of this entry, which is no string; false: it has none. */
static bool field(void *journal, const char *name, const char **ret, size_t *ret_size)
{
	size_t length = strlen(name) + 1, size;
	const void *data;

	if (api.get_data(journal, name, &data, &size) < 0 || size < length)
		return false;
	*ret = (const char *)data + length;
	*ret_size = size - length;
	return true;
}

/* Of the entry that @journal stands at. */
static struct journal_fields fields_of(sd_journal *journal)
{
	uint64_t usec = 0;

	(void)api.get_realtime_usec(journal, &usec);
	return (struct journal_fields){field, journal, (int64_t)usec * 1000};
}

/* What was sent lately and so must arrive; 0: nothing. */
static uint64_t sent(const struct journal_reader *reader, char epoch[LOG_EPOCH_MAX])
{
	_cleanup_close_ int fd = open(reader->spool, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct log_spool_state state;
	struct log_spool head;

	if (fd < 0 ||
	    pread(fd, &head, offsetof(struct log_spool, text), 0) !=
		    (ssize_t)offsetof(struct log_spool, text) ||
	    head.magic != LOG_SPOOL_MAGIC)
		return 0;
	state = head.states[head.current & 1];
	if (units_now_nsec() - state.nsec > RECENT_NSEC)
		return 0;
	memcpy(epoch, head.epoch, LOG_EPOCH_MAX);
	epoch[LOG_EPOCH_MAX - 1] = 0;
	return state.ordinal;
}

/* The entry that the journal has last of this container is it, or a later one. */
static bool has_arrived(sd_journal *journal, const char *epoch, uint64_t ordinal)
{
	struct journal_fields fields;
	char own[LOG_EPOCH_MAX];
	uint64_t number;

	if (api.seek_tail(journal) < 0 || api.previous(journal) <= 0)
		return false;
	fields = fields_of(journal);
	return journal_lines_number(&fields, own, &number) && !strcmp(own, epoch) &&
	       number >= ordinal;
}

void journal_reader_settle(struct journal_reader *reader)
{
	int64_t until = units_monotonic_usec() + SETTLE_USEC, left;
	char epoch[LOG_EPOCH_MAX];
	uint64_t ordinal = sent(reader, epoch);
	sd_journal *journal;

	if (!ordinal || open_journal(reader->match, &journal) < 0)
		return;
	while (!has_arrived(journal, epoch, ordinal)) {
		left = until - units_monotonic_usec();
		if (left <= 0 || api.wait(journal, (uint64_t)left) < 0)
			break;
	}
	api.close(journal);
}

static bool ends_line(sd_journal *journal)
{
	const struct journal_fields fields = fields_of(journal);

	return journal_lines_ends(&fields);
}

/* Back to where the last @count lines begin: in front of one more, or of all. */
static int seek_lines(struct journal_reader *reader, int64_t count)
{
	int r = api.seek_tail(reader->journal);

	for (int64_t ends = 0; r >= 0;) {
		r = api.previous(reader->journal);
		if (r == 0)
			return api.seek_head(reader->journal);
		if (r > 0 && ends_line(reader->journal) && ends++ == count)
			return 0;
	}
	return r;
}

static int seek(struct journal_reader *reader)
{
	const struct log_reader_options *options = &reader->options;

	if (options->tail >= 0)
		return seek_lines(reader, options->tail);
	/* An entry is stored a little later than its line was read. */
	if (options->since_nsec > 0)
		return api.seek_realtime_usec(reader->journal,
					      (uint64_t)(options->since_nsec / 1000));
	return api.seek_head(reader->journal);
}

int journal_reader_open(const char *path, const char *id, const struct log_reader_options *options,
			struct journal_reader **ret, struct error *err)
{
	_cleanup_free_ char *spool = str_printf("%s/" LOG_SPOOL_NAME, path);
	struct journal_reader *reader;
	int r;

	if (access(spool, F_OK) < 0)
		return -ENOENT;
	r = load(err);
	if (r < 0)
		return r;
	reader = new (struct journal_reader);
	reader->options = *options;
	reader->spool = TAKE_PTR(spool);
	reader->match = str_printf("CONTAINER_ID_FULL=%s", id);
	journal_reader_settle(reader);
	r = open_journal(reader->match, &reader->journal);
	/* Asked for here, so that what comes from now on is told. */
	if (r >= 0 && options->follow)
		r = api.get_fd(reader->journal);
	if (r >= 0)
		r = seek(reader);
	if (r < 0) {
		journal_reader_free(reader);
		return error_code(err, r, "read systemd's journal");
	}
	*ret = reader;
	return 0;
}

void journal_reader_free(struct journal_reader *reader)
{
	if (!reader)
		return;
	if (reader->journal)
		api.close(reader->journal);
	journal_lines_done(&reader->lines);
	free(reader->match);
	free(reader->spool);
	free(reader);
}

int journal_reader_next(struct journal_reader *reader, struct log_record *ret)
{
	const struct log_reader_options *options = &reader->options;

	if (reader->over)
		return 0;
	if (options->follow)
		(void)api.process(reader->journal);
	for (;;) {
		int r = api.next(reader->journal);
		struct journal_fields fields;

		if (r <= 0)
			return r;
		fields = fields_of(reader->journal);
		if (!journal_lines_take(&reader->lines, &fields, ret) ||
		    ret->nsec < options->since_nsec)
			continue;
		if (!options->until_nsec || ret->nsec <= options->until_nsec)
			return 1;
		reader->over = true;
		return 0;
	}
}

int journal_reader_fd(const struct journal_reader *reader)
{
	return reader->options.follow && !reader->over ? api.get_fd(reader->journal) : -1;
}
