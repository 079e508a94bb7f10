// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * none.c - the log of `logging: {driver: none}`: read, so that the container never blocks, and
 * forgotten. Attached clients still see it.
 */

#include "common/alloc.h"

#include "compose/supervisor/logs/log_driver.h"

static int none_open(const struct log_options *options, const struct log_mark *resume,
		     struct log_sink **ret, struct error *err)
{
	*ret = new (struct log_sink);
	(*ret)->driver = &log_driver_none;
	return 0;
}

static void none_close(struct log_sink *sink)
{
	free(sink);
}

static void none_store(struct log_sink *sink, const struct log_batch *batch)
{
}

static void none_finish(struct log_sink *sink, enum log_stream stream)
{
}

const struct log_driver log_driver_none = {
	.names = {"none"},
	.options = {NULL},
	.open = none_open,
	.close = none_close,
	.store = none_store,
	.finish = none_finish,
};
