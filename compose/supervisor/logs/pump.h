/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_SUPERVISOR_LOGS_PUMP_H
#define COMPOSE_SUPERVISOR_LOGS_PUMP_H

/*
 * pump.h - from a container's stdout and stderr into its log.
 *
 * One pump a container, one journal a supervisor. What was read from a pipe is in the log exactly
 * once, even when the supervisor is killed between reading and writing: it reads straight into
 * the journal, a mapped file below BERTH_RUNTIME_DIR which outlives the process, and the next
 * supervisor finishes that one batch when it opens the journal, before any pump reads on.
 *
 * Nothing waits in memory: an unfinished line is written at once, as a record with the CRI flag P,
 * and its end follows as another. Readers join them (as the kubelet does), so splitting shows
 * nowhere and loses nothing. A disk that is full never blocks a container: lines are counted as
 * lost, and a record says so as soon as there is space again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/error.h"
#include "common/str.h"

enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 }; /* the descriptors' numbers */

#define LOG_MAX_SIZE_BYTES (INT64_C(10) * 1000 * 1000) /* "10m", three files: unless said */
#define LOG_MAX_FILE       3

struct log_options {
	int dirfd;              /* the container's log directory; borrowed, must not be O_PATH */
	const char *driver;     /* NULL: json-file, as Docker; see log_options_parse() */
	int64_t max_size_bytes; /* of one file; 0: LOG_MAX_SIZE_BYTES; -1: never rotate */
	char *const *fields;    /* NAME=VALUE for the journal; borrowed; see log_fields.h */
	unsigned int max_file;  /* files in all; 0: LOG_MAX_FILE */
};

/*
 * Options from the words of `logging:` (driver may be NULL; options as KEY=VALUE: max-size,
 * max-file, mode, max-buffer-size, compress, ...). Refuses drivers and options that berth does not
 * have, by name. Leaves ret->dirfd alone; ret->driver is a constant string.
 */
int log_options_parse(const char *driver, char *const *options, struct log_options *ret,
		      struct error *err);

struct log_journal;
struct log_pump;
struct log_tee;

/*
 * Opens (makes) file "log.journal" below @dirfd, the project's directory in BERTH_RUNTIME_DIR, and
 * writes to its log what a supervisor before had read and not yet stored. Open it before any pump.
 */
int log_journal_open(int dirfd, struct log_journal **ret, struct error *err);
void log_journal_close(struct log_journal *journal); /* after its pumps */

/* @journal is borrowed. Ends a record that a power cut left torn. */
int log_pump_new(sd_event *event, struct log_journal *journal, const struct log_options *options,
		 struct log_pump **ret, struct error *err);
/* Stores nothing more; log_pump_drain() before, where the container has ended. */
void log_pump_free(struct log_pump *pump);

/*
 * Reads @fd (taken): the read end of a pipe, a FIFO (also one opened read-write), or a pty's
 * master. A pipe is opened anew by /proc/self/fd, so that O_NONBLOCK does not reach others who
 * share it; a pty master becomes non-blocking for all. A pipe grows to 256 KiB where allowed.
 */
int log_pump_add_stream(struct log_pump *pump, int fd, enum log_stream stream, struct error *err);

/* What @from reads and tees goes on in @to, which has no streams yet; @from is still to be freed.
 */
void log_pump_take_streams(struct log_pump *to, struct log_pump *from);

/*
 * A new descriptor by which another process writes into @stream as the container does: of its pipe,
 * or of its terminal. -errno: it has neither now.
 */
int log_pump_writer(const struct log_pump *pump, enum log_stream stream);

/*
 * A stream ended: all write ends are closed (EOF; EIO of a pty), or it cannot be read (logged).
 * Its last line has been ended in the log and its fd closed. The pump may be freed in here.
 */
typedef void (*log_pump_ended_t)(struct log_pump *pump, enum log_stream stream, void *userdata);
void log_pump_on_ended(struct log_pump *pump, log_pump_ended_t callback, void *userdata);
bool log_pump_has_streams(const struct log_pump *pump); /* any that did not end */

/* Every piece as read, after it was stored. The pump must not be freed in here. */
typedef void (*log_pump_data_t)(struct log_pump *pump, enum log_stream stream, const void *data,
				size_t size, void *userdata);
void log_pump_on_data(struct log_pump *pump, log_pump_data_t callback, void *userdata);

/*
 * Stores without blocking what lies in the pipes now, and no more than that: a process that goes
 * on writing cannot hold it. For after an exit (where EOF may never come: a FIFO that the keeper
 * holds read-write) and for `logs_sync`. Ended streams call back as always.
 */
void log_pump_drain(struct log_pump *pump);

/*
 * Ends an unfinished last line in the log: when the container has exited and was drained but its
 * streams saw no EOF. (log_pump_free() does not: the supervisor may be about to re-exec.)
 */
void log_pump_finish(struct log_pump *pump);

/*
 * Copies what the streams say from now on to @fd (taken; a socket or pipe; made non-blocking), for
 * an attached client. At most 1 MiB waits for a slow one; then it is cut off, and the container is
 * not slowed down. Ends by itself when the other end goes away, or with the pump. SIGPIPE must be
 * ignored where @fd is a pipe. @streams: a sum of (1 << enum log_stream).
 */
int log_pump_tee(struct log_pump *pump, int fd, unsigned int streams, struct error *err);

#endif
