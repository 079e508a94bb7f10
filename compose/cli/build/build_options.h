/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_OPTIONS_H
#define COMPOSE_CLI_BUILD_BUILD_OPTIONS_H

/*
 * build_options.h - what flags and files say of a build, in the builder's words.
 */

#include "compose/cli/build/build_process.h"

/* Owned lists that a struct build_options points to. */
struct build_inputs {
	char **args, **hosts, **labels, **tags, **contexts;
	struct build_secret *secrets;
	size_t secret_count;
	struct build_ssh *ssh;
	size_t ssh_count;
	struct rlimit_spec *rlimits;
	size_t rlimit_count;
	char **owned; /* strings of the above */
};

/* NAME=VALUE, or NAME, whose value is the environment's (none there: left out). */
int build_inputs_args(struct build_inputs *inputs, char *const *list, struct error *err);
/* "id=x,src=file", "id=x,env=NAME", "id=x". */
int build_inputs_secrets(struct build_inputs *inputs, char *const *list, struct error *err);
/* "default", "id=/path/to/socket". */
int build_inputs_ssh(struct build_inputs *inputs, char *const *list, struct error *err);
/* "name:address", "name=address". */
int build_inputs_hosts(struct build_inputs *inputs, char *const *list, struct error *err);
/* Limit @name ("nofile") of steps; negative: none. */
int build_inputs_limit(struct build_inputs *inputs, const char *name, int64_t soft, int64_t hard,
		       struct error *err);
/* "nofile=1024:2048", "nproc=50". */
int build_inputs_limits(struct build_inputs *inputs, char *const *list, struct error *err);
char *build_inputs_own(struct build_inputs *inputs, char *s);
void build_inputs_put(const struct build_inputs *inputs, struct build_options *options);
void build_inputs_done(struct build_inputs *inputs);

/* --builder: there is one, whatever "default" or nothing calls it. */
int build_check_builder(const char *builder, struct error *err);
/* --progress behind the command; NULL: what stood before it. */
int build_set_progress(struct project_args *args, const char *progress, struct error *err);

/* Prints what went wrong, at length; the exit code. */
int build_fail(const struct project_args *args, const struct build_job *job,
	       const struct error *err);

#endif
