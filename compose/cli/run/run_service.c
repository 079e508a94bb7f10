// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/run/run_service.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/env_words.h"
#include "compose/cli/registry/config_proxies.h"

static void put_argv(json_t *service, const struct run_service *run)
{
	if (run->entrypoint) {
		json_put_string(service, "entrypoint", run->entrypoint);
		/* What the file (or the image) says is for the entrypoint it says. */
		json_object_set_new(service, "command", json_array());
	}
	if (run->command && run->command[0])
		json_object_set_new(service, "command", json_from_strv(run->command));
}

static json_t *member(json_t *object, const char *key, json_t *otherwise)
{
	json_t *there = json_object_get(object, key);

	if (there && json_typeof(there) == json_typeof(otherwise)) {
		json_decref(otherwise);
		return there;
	}
	json_object_set_new(object, key, otherwise);
	return otherwise;
}

static int put_environment(json_t *service, const struct run_service *run, struct error *err)
{
	json_t *environment = member(service, "environment", json_object());
	_cleanup_strv_ char **words = NULL;

	strv_foreach(path, run->env_files) {
		int r = env_words_read(&words, path, err);

		if (r < 0)
			return r;
	}
	env_words_add(&words, run->environment);
	strv_foreach(word, words) {
		char *value = strchr(word, '=');

		*value = '\0';
		json_put_string(environment, word, value + 1);
	}
	return 0;
}

static void put_labels(json_t *service, const struct run_service *run)
{
	strv_foreach(word, run->labels) {
		const char *value = strchr(word, '=');
		_cleanup_free_ char *key =
			alloc_string_n(word, value ? (size_t)(value - word) : strlen(word));

		json_put_string(member(service, "labels", json_object()), key,
				value ? value + 1 : "");
	}
}

static void append(json_t *service, const char *key, char *const *words)
{
	strv_foreach(word, words)
		json_array_append_new(member(service, key, json_array()), json_string(word));
}

/* "./x:/y" counts from where the user stands, "~" is their home. */
static char *absolute_mount(const char *word)
{
	const char *home = getenv("HOME");
	_cleanup_free_ char *here = NULL;

	if (word[0] == '~' && (word[1] == '/' || word[1] == ':') && home)
		return str_printf("%s%s", home, word + 1);
	if (word[0] != '.')
		return alloc_string(word);
	here = getcwd(NULL, 0);
	if (str_starts_with(word, "./") || str_starts_with(word, ".:"))
		return str_printf("%s%s", here ? here : "", word + 1);
	return str_printf("%s/%s", here ? here : "", word);
}

/* What it mounts there takes the place of what the service does. */
static void drop_target(json_t *volumes, const char *target)
{
	for (size_t i = json_array_size(volumes); i-- > 0;) {
		const char *there = json_get_string(json_array_get(volumes, i), "target");

		if (str_equal(there, target))
			json_array_remove(volumes, i);
	}
}

/* A name that the file does not declare is the volume of just that name. */
void run_service_declare_volume(json_t *project, const char *name)
{
	json_t *volumes = member(project, "volumes", json_object());
	json_t *volume;

	if (!name[0] || name[0] == '/' || json_object_get(volumes, name))
		return;
	volume = json_object();
	json_put_string(volume, "name", name);
	json_object_set_new(volumes, name, volume);
}

void run_service_put_volumes(json_t *project, json_t *service, char *const *words)
{
	strv_foreach(word, words) {
		_cleanup_free_ char *mount = absolute_mount(word), *source = alloc_string(mount);
		char *colon = strchr(source, ':'), *target = source, *end;
		json_t *volumes = member(service, "volumes", json_array());

		if (colon) {
			*colon = '\0';
			target = colon + 1;
			end = strchr(target, ':');
			if (end)
				*end = '\0';
			run_service_declare_volume(project, source);
		}
		drop_target(volumes, target);
		json_array_append_new(volumes, json_string(mount));
	}
}

void run_service_put_mount(json_t *service, const char *target, json_t *row)
{
	json_t *volumes = member(service, "volumes", json_array());

	drop_target(volumes, target);
	json_array_append_new(volumes, row);
}

/* A run is one container, is not started again, and takes no port from those that serve. */
static void take_away(json_t *service, const struct run_service *run)
{
	static const char *const keys[] = {"container_name", "scale", "restart"};

	array_foreach(key, keys)
		json_object_del(service, *key);
	json_object_del(json_object_get(service, "deploy"), "replicas");
	json_object_del(json_object_get(service, "deploy"), "restart_policy");
	if (!run->service_ports)
		json_object_del(service, "ports");
}

int run_service_project(const struct project *project, const struct run_service *run, json_t **ret,
			struct error *err)
{
	_cleanup_json_ json_t *json = project_to_json(project, true);
	json_t *service = json_object_get(json_object_get(json, "services"), run->service);
	struct project *read = NULL;

	config_proxies_put(json);
	take_away(service, run);
	put_argv(service, run);
	if (put_environment(service, run, err) < 0)
		return -err->code;
	put_labels(service, run);
	append(service, "ports", run->ports);
	append(service, "cap_add", run->cap_add);
	append(service, "cap_drop", run->cap_drop);
	run_service_put_volumes(json, service, run->volumes);
	if (run->user)
		json_put_string(service, "user", run->user);
	if (run->working_dir)
		json_put_string(service, "working_dir", run->working_dir);
	json_put_bool(service, "tty", run->tty);
	json_put_bool(service, "stdin_open", run->interactive);
	if (project_from_json(json, &read, err) < 0)
		return -err->code;
	project_free(read);
	*ret = TAKE_PTR(json);
	return 0;
}
