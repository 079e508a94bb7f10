/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PLUGIN_H
#define COMPOSE_CLI_PLUGIN_H

/*
 * plugin.h - programs of others that extend Compose: plugins of the docker CLI ("docker-NAME" in
 * its folders) or plain programs along PATH. Run in the foreground, read line by line.
 */

#include <stdbool.h>

#include "common/error.h"

/* Where program @name is, new. @plugin_only: a docker CLI plugin. NULL: nowhere. */
char *plugin_find(const char *name, bool plugin_only);

/* Each line of its standard output, without the newline. Negative ends it all, with @err. */
typedef int plugin_line(void *data, const char *line, struct error *err);

/*
 * Runs @argv (argv[0] is the path; stderr stays ours) and reads what it says. Its exit code, or
 * negative.
 */
int plugin_run(char *const *argv, plugin_line *line, void *data, struct error *err);

#endif
