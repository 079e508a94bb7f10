// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/event.h"

#include "common/cleanup.h"
#include "common/dl.h"

/*
 * The functions that anybody calls, by the names that sd-event.h declares: the compiler compares
 * each row with it. These get an object that sd_event_new() made, and so come after the library.
 */
#define ROWS(X)                                                                                    \
	X(int, sd_event_add_defer,                                                                 \
	  (sd_event * e, sd_event_source * *s, sd_event_handler_t callback, void *data),           \
	  (e, s, callback, data))                                                                  \
	X(int, sd_event_add_io,                                                                    \
	  (sd_event * e, sd_event_source * *s, int fd, uint32_t events,                            \
	   sd_event_io_handler_t callback, void *data),                                            \
	  (e, s, fd, events, callback, data))                                                      \
	X(int, sd_event_add_signal,                                                                \
	  (sd_event * e, sd_event_source * *s, int number, sd_event_signal_handler_t callback,     \
	   void *data),                                                                            \
	  (e, s, number, callback, data))                                                          \
	X(int, sd_event_add_time,                                                                  \
	  (sd_event * e, sd_event_source * *s, clockid_t clock, uint64_t usec, uint64_t accuracy,  \
	   sd_event_time_handler_t callback, void *data),                                          \
	  (e, s, clock, usec, accuracy, callback, data))                                           \
	X(int, sd_event_add_time_relative,                                                         \
	  (sd_event * e, sd_event_source * *s, clockid_t clock, uint64_t usec, uint64_t accuracy,  \
	   sd_event_time_handler_t callback, void *data),                                          \
	  (e, s, clock, usec, accuracy, callback, data))                                           \
	X(int, sd_event_exit, (sd_event * e, int code), (e, code))                                 \
	X(int, sd_event_get_fd, (sd_event * e), (e))                                               \
	X(int, sd_event_loop, (sd_event * e), (e))                                                 \
	X(int, sd_event_run, (sd_event * e, uint64_t usec), (e, usec))                             \
	X(int, sd_event_source_get_time, (sd_event_source * s, uint64_t * usec), (s, usec))        \
	X(int, sd_event_source_set_enabled, (sd_event_source * s, int enabled), (s, enabled))      \
	X(int, sd_event_source_set_io_events, (sd_event_source * s, uint32_t events), (s, events)) \
	X(int, sd_event_source_set_priority, (sd_event_source * s, int64_t priority),              \
	  (s, priority))                                                                           \
	X(int, sd_event_source_set_time, (sd_event_source * s, uint64_t usec), (s, usec))          \
	X(int, sd_event_source_set_time_accuracy, (sd_event_source * s, uint64_t usec), (s, usec)) \
	X(int, sd_event_source_set_time_relative, (sd_event_source * s, uint64_t usec), (s, usec))

/* What releases or refers to an object does nothing to none. */
#define ROWS_OF_NULL(X)                                    \
	X(sd_event *, sd_event_ref, (sd_event * e), (e))   \
	X(sd_event *, sd_event_unref, (sd_event * e), (e)) \
	X(sd_event_source *, sd_event_source_disable_unref, (sd_event_source * s), (s))

static int (*new_at)(sd_event **ret);

#define DEFINE_OF_NULL(type, name, parameters, argument)     \
	static type(*name##_at) parameters;                  \
	type name parameters                                 \
	{                                                    \
		return argument ? name##_at argument : NULL; \
	}

ROWS(DL_DEFINE)
ROWS_OF_NULL(DEFINE_OF_NULL)

int event_load(struct error *err)
{
	static void *handle;
	static const struct dl_symbol symbols[] = {{"sd_event_new", &new_at},
						   ROWS(DL_DEFINED) ROWS_OF_NULL(DL_DEFINED)};

	return dl_load("libsystemd.so.0", &handle, symbols, ARRAY_SIZE(symbols), err);
}

int sd_event_new(sd_event **ret)
{
	struct error err = ERROR_INIT;

	return event_load(&err) < 0 ? -err.code : new_at(ret);
}
