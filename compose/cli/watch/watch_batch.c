// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/watch/watch_batch.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/env_words.h"
#include "compose/cli/args/target.h"
#include "compose/cli/build/build_services.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/projects.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/view/output.h"
#include "compose/cli/watch/watch_sync.h"

void watch_say(const struct watch_session_options *options, const char *format, ...)
{
	va_list arguments;

	fputs(options->beside_logs ? "watch | " : "", stdout);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
}

static bool wants(const struct watch_batch *batch, const struct watch_rule *rule, const char *path)
{
	if (batch->initial &&
	    (rule->trigger->initial_sync != TRI_TRUE || !(rule->action & WATCH_SYNC)))
		return false;
	return watch_rule_matches(rule, path);
}

/* All that is to be done about @service, of every rule that one of the paths is the business of. */
static unsigned int actions_for(const struct watch_batch *batch, const struct service *service)
{
	unsigned int actions = 0;

	for (size_t i = 0; i < batch->rules->count; i++) {
		const struct watch_rule *rule = &batch->rules->items[i];

		if (rule->service != service)
			continue;
		map_foreach(entry, batch->paths)
			if (wants(batch, rule, entry->key))
				actions |= rule->action;
	}
	return batch->initial ? actions & WATCH_SYNC : actions;
}

static void gather(const struct watch_batch *batch, const struct watch_rule *rule,
		   struct watch_copy **copies, size_t *count)
{
	map_foreach(entry, batch->paths) {
		struct watch_copy *copy;
		struct stat st;

		if (!wants(batch, rule, entry->key))
			continue;
		/* A folder that is away for a moment takes along what was in it, but not itself:
		 * programs in the container may stand in it. */
		if (rule->folder && !strcmp(entry->key, rule->root) && lstat(entry->key, &st) < 0)
			continue;
		copy = array_add(*copies, *count);
		copy->from = entry->key;
		copy->to = watch_rule_target(rule, entry->key);
	}
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct watch_copy *)a)->to, ((const struct watch_copy *)b)->to);
}

static int sync_service(const struct watch_batch *batch, const struct service *service,
			const json_t *containers, struct error *err)
{
	struct watch_copy *copies = NULL;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < batch->rules->count; i++)
		if (batch->rules->items[i].service == service &&
		    (batch->rules->items[i].action & WATCH_SYNC))
			gather(batch, &batch->rules->items[i], &copies, &count);
	/* Folders before what is in them. */
	if (count) {
		qsort(copies, count, sizeof(*copies), by_path);
		watch_say(batch->options, "Syncing service \"%s\" after %zu changes were detected",
			  service->name, count);
		r = watch_sync(batch->project->name, containers, copies, count, batch->initial,
			       err);
	}
	for (size_t i = 0; i < count; i++)
		free(copies[i].to);
	free(copies);
	return r;
}

static json_t *exec_request(const struct hook *hook, const json_t *container)
{
	_cleanup_strv_ char **environment = NULL;
	json_t *request = json_object();

	json_put_string(request, "container", json_get_string(container, "id"));
	json_object_set_new(request, "args", json_from_strv(hook->command.args));
	for (size_t i = 0; i < hook->environment.count; i++)
		strv_env_set(&environment, hook->environment.items[i].key,
			     hook->environment.items[i].value ?: "");
	json_object_set_new(request, "env", json_from_strv(environment));
	json_put_string(request, "user", hook->user);
	json_put_string(request, "cwd", hook->working_dir);
	json_put_bool(request, "privileged", hook->privileged == TRI_TRUE);
	return request;
}

static int exec_hook(const struct watch_batch *batch, const struct hook *hook,
		     const json_t *containers, struct error *err)
{
	json_t *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		_cleanup_json_ json_t *request = NULL;
		const char *name = json_get_string(container, "name");
		struct exec_way way = {0};
		int code;

		if (!container_is_running(container) || json_get_bool(container, "oneoff", false))
			continue;
		request = exec_request(hook, container);
		if (exec_session(batch->project->name, request, &way, &code, err) < 0)
			return error_wrap(err, "container %s: exec %s", name,
					  hook->command.args[0]);
		if (code != 0)
			return error_set(err, ECHILD, "container %s: exec %s: exit code %d", name,
					 hook->command.args[0], code);
	}
	return 0;
}

static int exec_service(const struct watch_batch *batch, const struct service *service,
			const json_t *containers, struct error *err)
{
	for (size_t i = 0; i < batch->rules->count; i++) {
		const struct watch_rule *rule = &batch->rules->items[i];
		bool hit = false;

		if (rule->service != service || !(rule->action & WATCH_EXEC))
			continue;
		map_foreach(entry, batch->paths)
			hit = hit || wants(batch, rule, entry->key);
		if (hit && exec_hook(batch, &rule->trigger->exec, containers, err) < 0)
			return -err->code;
	}
	return 0;
}

static int converge(const struct watch_batch *batch, enum plan_goal goal, char *const *services)
{
	struct converge converge = {
		.name = batch->project->name,
		.project = batch->project,
		.verb = goal == PLAN_UP ? "up" : "restart",
		.options = {.goal = goal,
			    .services = (const char *const *)services,
			    .timeout_usec = batch->options->stop_usec},
	};

	if (goal == PLAN_UP) {
		converge.options.no_deps = true;
		converge.options.recreate = RECREATE_FORCE;
	}
	return converge_run(batch->args, &converge);
}

/* The ids of the services' images, before they are built anew. */
static char **image_ids(const struct project *project, char *const *services)
{
	struct image_store *store = NULL;
	struct error ignored = ERROR_INIT;
	char **ids = NULL;

	if (store_here_open(&store, &ignored) < 0)
		return NULL;
	strv_foreach(name, services) {
		const struct service *service = project_service(project, name);
		struct image *image = NULL;

		if (service && service->image &&
		    image_find_platform(store, service->image, service->platform, &image,
					&ignored) >= 0)
			strv_append(&ids, image->id);
		image_free(image);
	}
	image_store_close(store);
	return ids;
}

static void prune(const struct watch_batch *batch, char *const *services, char *const *before)
{
	_cleanup_strv_ char **after = image_ids(batch->project, services);
	struct image_store *store = NULL;
	struct error ignored = ERROR_INIT;

	if (store_here_open(&store, &ignored) < 0)
		return;
	/* Not by force: an image that has another name, or a container, stays. */
	strv_foreach(id, before) {
		_cleanup_strv_ char **removed = NULL;

		error_clear(&ignored);
		if (!strv_contains(after, id))
			(void)image_remove(store, id, false, &projects_image_users, &removed,
					   &ignored);
	}
	image_store_close(store);
}

static int rebuild(const struct watch_batch *batch, char *const *services)
{
	const struct build_services_options build = {.quiet = batch->options->quiet};
	_cleanup_free_ char *names = strv_join(services, "\" \"");
	_cleanup_strv_ char **before = image_ids(batch->project, services);
	int r;

	watch_say(batch->options, "Rebuilding service(s) [\"%s\"] after changes were detected...",
		  names);
	r = build_services(batch->args, batch->project, services, &build);
	if (r != 0) {
		watch_say(batch->options, "Failed to rebuild service(s) [\"%s\"]", names);
		return r;
	}
	watch_say(batch->options, "service(s) [\"%s\"] successfully built", names);
	r = converge(batch, PLAN_UP, services);
	if (r == 0 && batch->options->prune)
		prune(batch, services, before);
	return r;
}

static int restart(const struct watch_batch *batch, char *const *services)
{
	_cleanup_free_ char *names = strv_join(services, "\" \"");
	int r = converge(batch, PLAN_RESTART, services);

	if (r == 0)
		watch_say(batch->options, "service(s) [\"%s\"] restarted", names);
	return r;
}

/* What goes into containers as they are; the services of which that is asked are few. */
static int in_place(const struct watch_batch *batch, const struct service *service,
		    unsigned int actions)
{
	struct target target = {.name = batch->project->name, .project = batch->project};
	_cleanup_json_ json_t *containers = NULL;
	char *names[] = {service->name, NULL};
	struct error err = ERROR_INIT;

	if (target_containers(&target, false, names, &containers, &err) < 0 ||
	    ((actions & WATCH_SYNC) && sync_service(batch, service, containers, &err) < 0) ||
	    ((actions & WATCH_EXEC) && exec_service(batch, service, containers, &err) < 0)) {
		error_wrap(&err, "service %s", service->name);
		return output_fail(batch->args, &err);
	}
	return 0;
}

int watch_batch_run(const struct watch_batch *batch)
{
	_cleanup_strv_ char **rebuilt = NULL, **restarted = NULL;
	int r = 0;

	for (size_t i = 0; i < batch->project->service_count; i++) {
		const struct service *service = &batch->project->services[i];
		unsigned int actions = actions_for(batch, service);

		/* A container that is made anew has it all out of its image. */
		if (actions & WATCH_REBUILD) {
			strv_append(&rebuilt, service->name);
			continue;
		}
		if (actions & (WATCH_SYNC | WATCH_EXEC))
			r = in_place(batch, service, actions) ?: r;
		if (actions & WATCH_RESTART)
			strv_append(&restarted, service->name);
	}
	if (rebuilt)
		r = rebuild(batch, rebuilt) ?: r;
	if (restarted)
		r = restart(batch, restarted) ?: r;
	return r;
}
