// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/objects/volume_rows.h"

#include "common/cleanup.h"
#include "common/json.h"

#include "compose/cli/view/output.h"

const char *const volume_columns[] = {"DRIVER", "Driver", "VOLUME NAME", "Name", NULL};

json_t *volume_row(const struct volume_info *info)
{
	_cleanup_free_ char *labels = output_labels(info->labels);
	json_t *row = json_object();

	json_put_string(row, "Availability", "N/A");
	json_put_string(row, "Driver", info->driver ?: "local");
	json_put_string(row, "Group", "N/A");
	json_put_string(row, "Labels", labels);
	json_put_string(row, "Links", "N/A");
	json_put_string(row, "Mountpoint", info->mountpoint);
	json_put_string(row, "Name", info->name);
	json_put_string(row, "Scope", "local");
	json_put_string(row, "Size", "N/A");
	json_put_string(row, "Status", "N/A");
	return row;
}
