/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_LOG_DRIVER_H
#define COMPOSE_SUPERVISOR_LOGS_LOG_DRIVER_H

/*
 * log_driver.h - where a pump's bytes go. A driver is one file with one `const struct log_driver`;
 * drivers.c has the list of them.
 */

#include "compose/supervisor/logs/pump.h"

/*
 * How far a batch has come, kept in the journal: everything before @done is in the log, and the
 * rest belongs at @offset of the file with that inode (or at the end of another one, if that is
 * what stands there now). Replaced as a whole, so that being killed never leaves a mixture.
 */
struct log_mark {
	struct log_place {
		uint64_t inode;
		int64_t offset;
		uint64_t done;
	} places[2];
	uint32_t current;
};

/* Bytes of one read, on their way into the log. */
struct log_batch {
	const char *data;
	size_t size;
	enum log_stream stream;
	int64_t nsec; /* when they were read */
	struct log_mark *mark;
};

struct log_sink {
	const struct log_driver *driver;
};

struct log_driver {
	const char *names[4];    /* what `logging.driver` may say; NULL-terminated */
	const char *options[12]; /* keys of `logging.options`; NULL-terminated */

	/* With @resume, the log is as a killed supervisor left it, and store() is next. */
	int (*open)(const struct log_options *options, const struct log_mark *resume,
		    struct log_sink **ret, struct error *err);
	void (*close)(struct log_sink *sink);
	/* Goes on at batch->mark and keeps it. Deals with its errors: nobody could help it. */
	void (*store)(struct log_sink *sink, const struct log_batch *batch);
	/* Ends a line whose newline will not come any more. */
	void (*finish)(struct log_sink *sink, enum log_stream stream);
};

extern const struct log_driver log_driver_cri;
extern const struct log_driver log_driver_journald;
extern const struct log_driver log_driver_none;

/* NULL finds the default. -EINVAL: "logging driver 'x' is not one that berth has: ...". */
int log_driver_find(const char *name, const struct log_driver **ret, struct error *err);

static inline const struct log_place *log_mark_get(const struct log_mark *mark)
{
	return &mark->places[mark->current];
}

static inline void log_mark_set(struct log_mark *mark, struct log_place place)
{
	uint32_t other = !mark->current;

	mark->places[other] = place;
	/* A killed process has done its stores in program order; only the compiler could mix them.
	 */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	*(volatile uint32_t *)&mark->current = other;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

#endif
