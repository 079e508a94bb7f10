// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/watch/watch_rules.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#define IGNORE_FILE_MAX (1 << 20)

/* What editors and version control write beside what the user means. */
static const char passing[] = "**/.git\n"
			      "**/.*.sw?\n"
			      "**/.*.swpx\n"
			      "**/*~\n"
			      "**/4913\n"
			      "**/.#*\n"
			      "**/#*#\n"
			      "**/.idea\n"
			      "**/*___jb_tmp___\n"
			      "**/*___jb_old___\n"
			      "**/.*.kate-swp\n"
			      "**/.goutputstream-*\n";

unsigned int watch_action_parse(const char *text)
{
	static const struct {
		const char *name;
		unsigned int action;
	} actions[] = {
		{"sync", WATCH_SYNC},
		{"rebuild", WATCH_REBUILD},
		{"restart", WATCH_RESTART},
		{"sync+restart", WATCH_SYNC | WATCH_RESTART},
		{"sync+exec", WATCH_SYNC | WATCH_EXEC},
	};

	array_foreach(row, actions) {
		if (str_equal(text, row->name))
			return row->action;
	}
	return 0;
}

static char *without_slash(const char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	return alloc_string_n(path, length);
}

static int add_patterns(struct ignore *ignore, char *const *patterns, struct error *err)
{
	strv_foreach(pattern, patterns) {
		int r = ignore_add(ignore, pattern, 0, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* As the build takes it: the Dockerfile's own, else the folder's. */
static int read_context(struct watch_rule *rule, struct error *err)
{
	const struct build *build = &rule->service->build;
	_cleanup_free_ char *own = NULL, *folder = NULL, *text = NULL;
	const char *name;
	size_t size;
	int r;

	if (!build->given || !build->context || build->context[0] != '/')
		return 0;
	rule->context = without_slash(build->context);
	name = build->dockerfile ?: "Dockerfile";
	own = name[0] == '/' ? str_printf("%s.dockerignore", name)
			     : str_printf("%s/%s.dockerignore", rule->context, name);
	folder = str_printf("%s/.dockerignore", rule->context);
	r = build->dockerfile_inline ? -ENOENT
				     : fs_read(AT_FDCWD, own, IGNORE_FILE_MAX, &text, &size, err);
	if (r == -ENOENT || r == -ENOTDIR) {
		error_clear(err);
		r = fs_read(AT_FDCWD, folder, IGNORE_FILE_MAX, &text, &size, err);
	}
	if (r == -ENOENT || r == -ENOTDIR) {
		error_clear(err);
		return 0;
	}
	return r < 0 ? r : ignore_parse(".dockerignore", text, size, &rule->context_ignore, err);
}

static int read_rule(struct watch_rule *rule, struct error *err)
{
	const struct watch_trigger *trigger = rule->trigger;
	struct stat st;

	rule->action = watch_action_parse(trigger->action);
	if (!rule->action)
		return error_set(err, EINVAL, "there is no action '%s'", trigger->action ?: "");
	if ((rule->action & WATCH_REBUILD) && !rule->service->build.given)
		return error_set(err, EINVAL, "action rebuild needs a build, and there is none");
	rule->root = without_slash(trigger->path);
	if (stat(rule->root, &st) < 0)
		return error_errno(err, "%s", rule->root);
	rule->folder = S_ISDIR(st.st_mode);
	if (ignore_parse("develop.watch", passing, strlen(passing), &rule->ignore, err) < 0 ||
	    add_patterns(&rule->ignore, trigger->ignore, err) < 0 ||
	    add_patterns(&rule->include, trigger->include, err) < 0)
		return -err->code;
	return read_context(rule, err);
}

static int read_service(const struct service *service, struct watch_rules *rules, struct error *err)
{
	for (size_t i = 0; i < service->develop.watch_count; i++) {
		struct watch_rule *rule = array_add(rules->items, rules->count);

		rule->service = service;
		rule->trigger = &service->develop.watch[i];
		if (read_rule(rule, err) < 0)
			return error_wrap(err, "service %s: develop.watch[%zu]", service->name, i);
	}
	return 0;
}

int watch_rules_read(const struct project *project, char *const *services, struct watch_rules *ret,
		     struct error *err)
{
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (services && services[0] && !strv_contains(services, service->name))
			continue;
		if (read_service(service, ret, err) < 0)
			return -err->code;
	}
	if (!ret->count)
		return error_set(err, EINVAL,
				 "none of the selected services is configured for watch, consider "
				 "setting a 'develop' section");
	return 0;
}

void watch_rules_done(struct watch_rules *rules)
{
	for (size_t i = 0; i < rules->count; i++) {
		ignore_done(&rules->items[i].ignore);
		ignore_done(&rules->items[i].include);
		ignore_done(&rules->items[i].context_ignore);
		free(rules->items[i].root);
		free(rules->items[i].context);
	}
	free(rules->items);
	*rules = (struct watch_rules){0};
}

const char *watch_path_below(const char *root, const char *path)
{
	size_t length = strlen(root);

	if (!strcmp(root, "/"))
		return path + 1;
	if (strncmp(path, root, length) != 0 || (path[length] && path[length] != '/'))
		return NULL;
	return path[length] ? path + length + 1 : path + length;
}

static bool context_leaves_out(const struct watch_rule *rule, const char *path, bool whole)
{
	const char *rest = rule->context ? watch_path_below(rule->context, path) : NULL;

	if (!rest || !*rest)
		return false;
	return whole ? ignore_prunes(&rule->context_ignore, rest)
		     : ignore_matches(&rule->context_ignore, rest, NULL);
}

bool watch_rule_matches(const struct watch_rule *rule, const char *path)
{
	const char *rest = watch_path_below(rule->root, path);
	const char *name;

	if (!rest)
		return false;
	/* The rule's own path: as if it stood in the folder above. */
	name = *rest ? rest : strrchr(path, '/') + 1;
	if (ignore_matches(&rule->ignore, name, NULL) || context_leaves_out(rule, path, false))
		return false;
	return !rule->include.count || ignore_matches(&rule->include, name, NULL);
}

bool watch_rules_prune(const struct watch_rules *rules, const char *path)
{
	for (size_t i = 0; i < rules->count; i++) {
		const struct watch_rule *rule = &rules->items[i];
		const char *rest = watch_path_below(rule->root, path);

		/* A folder on the way to a rule's path is for that rule's sake. */
		if (watch_path_below(path, rule->root))
			return false;
		if (rest && !ignore_prunes(&rule->ignore, rest) &&
		    !context_leaves_out(rule, path, true))
			return false;
	}
	return true;
}

char *watch_rule_target(const struct watch_rule *rule, const char *path)
{
	const char *rest = watch_path_below(rule->root, path), *target = rule->trigger->target;
	const char *slash = target[0] == '/' ? "" : "/";

	if (rest && *rest)
		return str_printf("%s%s%s%s", slash, target, str_ends_with(target, "/") ? "" : "/",
				  rest);
	return str_printf("%s%s", slash, target);
}
