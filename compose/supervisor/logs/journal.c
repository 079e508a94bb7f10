// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/logs/journal.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/units.h"

#define JOURNAL_NAME "log.journal"
#define JOURNAL_MAGIC                                                              \
	UINT64_C(0x316c6a6874726562) /* "berthjl1": another layout, another number \
				      */
#define HEADER_SIZE  8192
#define JOURNAL_SIZE (HEADER_SIZE + JOURNAL_ROOM)

enum journal_state { JOURNAL_IDLE, JOURNAL_READING, JOURNAL_STORING };

struct journal_header {
	uint64_t magic;
	uint32_t state;
	uint32_t stream;
	uint64_t size; /* of what was read, while storing */
	int64_t nsec;
	struct log_mark mark;
	int64_t max_size_bytes;
	uint32_t max_file;
	char driver[32];
	char directory[PATH_MAX];
};
_Static_assert(sizeof(struct journal_header) <= HEADER_SIZE, "the header has grown too big");

struct log_journal {
	union {
		struct journal_header *header;
		char *map;
	};
	const struct log_sink *owner; /* whose directory the header names */
};

/* To a new supervisor, stores appear in program order; only the compiler could change that. */
static void set_state(struct log_journal *journal, enum journal_state state)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)&journal->header->state = state;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

char *log_journal_room(struct log_journal *journal)
{
	return journal->map + HEADER_SIZE;
}

static void name_log(struct journal_header *header, const struct log_options *options)
{
	char link[FD_PATH_MAX];
	ssize_t n;

	n = readlink(fd_path(options->dirfd, link), header->directory, PATH_MAX - 1);
	header->directory[n > 0 ? n : 0] = '\0';
	header->max_size_bytes = options->max_size_bytes;
	header->max_file = options->max_file;
	strncpy(header->driver, options->driver ? options->driver : "", sizeof(header->driver) - 1);
}

void log_journal_begin(struct log_journal *journal, struct log_sink *sink,
		       const struct log_options *options, enum log_stream stream)
{
	struct journal_header *header = journal->header;

	if (journal->owner != sink) {
		name_log(header, options);
		journal->owner = sink;
	}
	header->stream = stream;
	header->size = 0;
	/* Known only to the log until it stores: at its end. */
	header->mark = (struct log_mark){.places[0].offset = INT64_MAX};
	set_state(journal, JOURNAL_READING);
}

static void store(struct log_journal *journal, struct log_sink *sink)
{
	struct journal_header *header = journal->header;
	struct log_batch batch = {
		.data = log_journal_room(journal),
		.size = header->size,
		.stream = header->stream,
		.nsec = header->nsec,
		.mark = &header->mark,
	};

	sink->driver->store(sink, &batch);
}

void log_journal_store(struct log_journal *journal, struct log_sink *sink, size_t size)
{
	if (size) {
		journal->header->nsec = units_now_nsec();
		journal->header->size = size;
		set_state(journal, JOURNAL_STORING);
		store(journal, sink);
	}
	set_state(journal, JOURNAL_IDLE);
	memset(log_journal_room(journal), 0, size);
}

void log_journal_forget(struct log_journal *journal, const struct log_sink *sink)
{
	if (journal->owner == sink)
		journal->owner = NULL;
}

/* What the read gave that its caller did not live to see. */
static size_t find_end(const char *room)
{
	size_t size = JOURNAL_ROOM;

	while (size && !room[size - 1])
		size--;
	return size;
}

static int open_log(const struct journal_header *header, struct log_sink **ret, struct error *err)
{
	_cleanup_close_ int dirfd = -EBADF;
	const struct log_driver *driver = NULL;
	struct log_options options = {
		.max_size_bytes = header->max_size_bytes,
		.max_file = header->max_file,
		.driver = header->driver,
	};
	int r;

	r = log_driver_find(header->driver, &driver, err);
	if (r < 0)
		return r;
	dirfd = open(header->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return error_errno(err, "log directory %s", header->directory);
	options.dirfd = dirfd;
	return driver->open(&options, &header->mark, ret, err);
}

static bool is_sane(const struct journal_header *header)
{
	return header->magic == JOURNAL_MAGIC && header->size <= JOURNAL_ROOM &&
	       (header->stream == LOG_STDOUT || header->stream == LOG_STDERR) &&
	       header->mark.current <= 1 && log_mark_get(&header->mark)->done <= header->size &&
	       memchr(header->driver, '\0', sizeof(header->driver)) &&
	       memchr(header->directory, '\0', sizeof(header->directory));
}

/* A second death in here changes nothing: the next one finds it as this one did. */
static void finish_batch(struct log_journal *journal)
{
	struct journal_header *header = journal->header;
	struct error err = ERROR_INIT;
	struct log_sink *sink = NULL;

	if (header->state == JOURNAL_READING) {
		header->size = find_end(log_journal_room(journal));
		header->nsec = units_now_nsec();
		set_state(journal, JOURNAL_STORING);
	}
	if (!header->size)
		return;
	(void)open_log(header, &sink, &err);
	if (!sink) {
		log_warning("%s: %zu bytes of its log are lost", err.message, (size_t)header->size);
		return;
	}
	store(journal, sink);
	sink->driver->close(sink);
	log_debug("finished %zu bytes of %s", (size_t)header->size, header->directory);
}

/* All of it is reserved: writing to a mapping for which there is no space left would kill us. */
static int reserve(int fd)
{
	if (fallocate(fd, 0, 0, JOURNAL_SIZE) < 0) {
		if (errno != EOPNOTSUPP)
			return -errno;
		if (ftruncate(fd, JOURNAL_SIZE) < 0)
			return -errno;
	}
	return 0;
}

static int map_file(struct log_journal *journal, int fd)
{
	int r;

	r = reserve(fd);
	if (r < 0)
		return r;
	journal->map = mmap(NULL, JOURNAL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return journal->map == MAP_FAILED ? -errno : 0;
}

static int open_map(struct log_journal *journal, int dirfd)
{
	_cleanup_close_ int fd = -EBADF;
	int r;

	fd = openat(dirfd, JOURNAL_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	r = map_file(journal, fd);
	if (r < 0)
		return r;
	if (is_sane(journal->header) && journal->header->state != JOURNAL_IDLE)
		finish_batch(journal);
	munmap(journal->map, JOURNAL_SIZE);
	/* Empty, and therefore all zeroes again, without touching a page. */
	if (ftruncate(fd, 0) < 0)
		return -errno;
	return map_file(journal, fd);
}

int log_journal_open(int dirfd, struct log_journal **ret, struct error *err)
{
	struct log_journal *journal = new (struct log_journal);
	int r;

	r = open_map(journal, dirfd);
	if (r < 0) {
		log_warning("log journal: %s; logs go on, but if the supervisor is killed a few "
			    "lines may be lost",
			    strerror(-r));
		journal->map = mmap(NULL, JOURNAL_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (journal->map == MAP_FAILED) {
			free(journal);
			return error_errno(err, "log journal cannot be mapped");
		}
	}
	/* A child that is no supervisor any more has no business in it. */
	(void)madvise(journal->map, JOURNAL_SIZE, MADV_DONTFORK);
	journal->header->magic = JOURNAL_MAGIC;
	*ret = journal;
	return 0;
}

void log_journal_close(struct log_journal *journal)
{
	if (!journal)
		return;
	munmap(journal->map, JOURNAL_SIZE);
	free(journal);
}
