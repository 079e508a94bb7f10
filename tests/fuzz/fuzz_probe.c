// SPDX-License-Identifier: GPL-2.0-or-later
/* What containers answer to probes: HTTP's first line, and messages of sd_notify. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/supervisor/logs/line_watch.h"
#include "compose/supervisor/probes/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line_watch *watch;
	/* Exactly as large, so that one byte too far is seen. */
	_cleanup_free_ char *text = alloc_copy(data, size);
	_cleanup_free_ char *note = NULL;
	char reason[PROBE_REASON_MAX] = "";
	struct error err = ERROR_INIT;
	bool ready = false;
	int status;

	status = probe_http_status(text, size, reason);
	if (status > 0 && (status < 100 || status > 999 || !reason[0]))
		abort();
	probe_read_message(text, size, &ready, &note);
	if (note && !str_is_utf8(note, strlen(note)))
		abort();
	if (!watch && line_watch_new("never: [0-9]+ of it$", &watch, &err) < 0)
		abort();
	(void)line_watch_feed(watch, LOG_STDOUT, text, size);
	return 0;
}
