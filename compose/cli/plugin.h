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

struct plugin_reply;

/*
 * Each line of its standard output, without the newline; plugin_answer() writes to its standard
 * input. Negative ends it all, with @err.
 */
typedef int plugin_line(void *data, const char *line, struct plugin_reply *reply,
			struct error *err);

struct plugin_call {
	char *const *argv;        /* argv[0] is the path */
	char *const *environment; /* NULL: ours */
	plugin_line *line;        /* NULL: nobody listens */
	void *data;
	bool asks;  /* @line may answer; else its input is at its end */
	bool quiet; /* its stderr is not shown */
};

/* Runs it in the foreground and reads what it says. Its exit code, or negative. */
int plugin_run(const struct plugin_call *call, struct error *err);
/* -ETIMEDOUT: it does not read. One that is gone is no error. */
int plugin_answer(struct plugin_reply *reply, const char *text, struct error *err);

#endif
