// SPDX-License-Identifier: GPL-2.0-or-later
/* A line of names that another project's process wrote: what is accepted is written the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/dns/roster_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *line = NULL;
	struct roster_entry entry, again;

	if (roster_line_parse((const char *)data, size, &entry) == 0) {
		struct dns_names names = {
			.container_id = entry.container_id,
			.names = (const char *const *)entry.names,
			.ipv4 = entry.ipv4,
			.ipv6 = entry.ipv6,
			.has_ipv4 = entry.has_ipv4,
			.has_ipv6 = entry.has_ipv6,
		};

		line = roster_line(&names, entry.pid, entry.start_ticks);
		if (roster_line_parse(line, strlen(line), &again) < 0 ||
		    !strv_equal(entry.names, again.names) || entry.pid != again.pid)
			abort();
		roster_entry_done(&again);
	}
	roster_entry_done(&entry);
	return 0;
}
