/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_TIMELINE_TIMELINE_H
#define COMPOSE_CLI_TIMELINE_TIMELINE_H

/*
 * timeline.h - `up --timeline FILE`: the start that was just made, drawn into a file.
 */

#include <stdint.h>

struct project_args;

/*
 * Writes the SVG of @project's last start to @path, if that began at @since_nsec or later: else
 * nothing was started, which is told, as what fails is. Exit code: 1 when the file cannot be had.
 */
int timeline_save(const struct project_args *args, const char *project, const char *path,
		  int64_t since_nsec);

#endif
