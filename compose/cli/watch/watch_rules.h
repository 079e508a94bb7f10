/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_WATCH_WATCH_RULES_H
#define COMPOSE_CLI_WATCH_WATCH_RULES_H

/*
 * watch_rules.h - which files of this machine a project's `develop.watch` is about, and where in
 * the container they belong.
 *
 * A rule is one entry of a service's list. A file is its business when it is the rule's path or
 * below it and neither `ignore`, nor the ignore file of the service's build, nor the list of what
 * editors leave about (swap files, backups, .git) takes it out; with `include`, only when that
 * names it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"

#include "runtime/build/ignore.h"

#include "compose/model/project.h"

enum watch_action {
	WATCH_SYNC = 1 << 0,
	WATCH_RESTART = 1 << 1,
	WATCH_EXEC = 1 << 2,
	WATCH_REBUILD = 1 << 3,
};

struct watch_rule {
	const struct service *service;
	const struct watch_trigger *trigger;
	unsigned int action; /* WATCH_* */
	char *root;          /* the trigger's path, without a slash at its end */
	bool folder;         /* what it was when we began */
	struct ignore ignore, include;
	struct ignore context_ignore;
	char *context; /* what context_ignore is relative to; NULL: none */
};

struct watch_rules {
	struct watch_rule *items;
	size_t count;
};

/*
 * The rules of @services (NULL or none: all) of @project, which they borrow. -EINVAL: no service
 * has any; a rebuild without a build; a pattern that cannot be one.
 */
int watch_rules_read(const struct project *project, char *const *services, struct watch_rules *ret,
		     struct error *err);
void watch_rules_done(struct watch_rules *rules);

/* "sync+restart" as bits; 0: no such action. */
unsigned int watch_action_parse(const char *text);

/* @path is @root or below it: what is behind it ("" or "a/b"); else NULL. */
const char *watch_path_below(const char *root, const char *path);

/* Whether a change of @path (absolute) is @rule's business. */
bool watch_rule_matches(const struct watch_rule *rule, const char *path);
/* Nothing below the folder @path is any rule's business. */
bool watch_rules_prune(const struct watch_rules *rules, const char *path);

/* Where @path belongs in the container; new string. */
char *watch_rule_target(const struct watch_rule *rule, const char *path);

#endif
