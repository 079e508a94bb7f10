// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/companions.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/cli/output.h"
#include "compose/cli/plugin.h"

#define SOCKET          "/var/run/docker.sock"
#define CREDENTIALS     "/run/secrets/docker"
#define RUNNER_VARIABLE "BERTH_MODEL_RUNNER"
#define RUNNER_PLUGIN   "model"

static void put_variable(struct service *service, const char *key, const char *value)
{
	struct mapping *environment = &service->environment;

	for (size_t i = 0; i < environment->count; i++) {
		struct key_value *item = &environment->items[i];

		if (strcmp(item->key, key) != 0)
			continue;
		free(item->value);
		item->value = alloc_string(value);
		return;
	}
	*array_add(environment->items, environment->count) =
		(struct key_value){alloc_string(key), alloc_string(value)};
}

/* "my-db" and "URL": MY_DB_URL */
static char *variable_of(const char *name, const char *suffix)
{
	char *variable = str_printf("%s_%s", name, suffix);

	for (size_t i = 0; i < strlen(name); i++)
		variable[i] = isalnum((unsigned char)variable[i])
				      ? (char)toupper((unsigned char)variable[i])
				      : '_';
	return variable;
}

static void select_service(const struct project *project, const char *name, struct map *selected)
{
	struct service *service = project_service(project, name);

	if (!service || map_get(selected, name))
		return;
	map_set(selected, name, service);
	for (size_t i = 0; i < service->dependency_count; i++)
		select_service(project, service->depends_on[i].service, selected);
}

/* --- providers --- */

struct provider_talk {
	struct project *project;
	const struct service *service;
	char *failure; /* what it said was wrong */
};

static bool depends_on(const struct service *service, const char *name)
{
	for (size_t i = 0; i < service->dependency_count; i++)
		if (str_equal(service->depends_on[i].service, name))
			return true;
	return false;
}

/* "URL=https://..." for all that depend on the provider; under its name unless @raw. */
static void set_variable(struct provider_talk *talk, const char *text, bool raw)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key =
		alloc_string_n(text, equals ? (size_t)(equals - text) : strlen(text));
	_cleanup_free_ char *variable =
		raw ? alloc_string(key) : variable_of(talk->service->name, key);

	for (size_t i = 0; i < talk->project->service_count; i++)
		if (depends_on(&talk->project->services[i], talk->service->name))
			put_variable(&talk->project->services[i], variable,
				     equals ? equals + 1 : "");
}

/* A message a line: {"type": "info", "message": "..."}. What is none is told as it is. */
static int heard(void *data, const char *line, struct error *err)
{
	struct provider_talk *talk = data;
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	const char *type, *message;

	if (!*line)
		return 0;
	(void)json_parse(line, strlen(line), &json, &ignored);
	type = json_get_string(json, "type");
	message = json_get_string(json, "message");
	if (!type || !message) {
		fprintf(stderr, " %s %s\n", talk->service->name, line);
	} else if (str_equal(type, "setenv") || str_equal(type, "rawsetenv")) {
		if (talk->project)
			set_variable(talk, message, str_equal(type, "rawsetenv"));
	} else if (str_equal(type, "error")) {
		free(talk->failure);
		talk->failure = alloc_string(message);
	} else if (str_equal(type, "info")) {
		fprintf(stderr, " %s %s\n", talk->service->name, message);
	}
	return 0;
}

static char **arguments_of(const char *path, const struct project *project,
			   const struct service *service, const char *command)
{
	const struct provider *provider = &service->provider;
	char **argv = NULL;

	strv_append(&argv, path);
	strv_append(&argv, "compose");
	strv_append(&argv, "--project-name");
	strv_append(&argv, project->name);
	strv_append(&argv, command);
	for (size_t i = 0; i < provider->option_count; i++)
		strv_foreach(value, provider->options[i].values)
			strv_take(&argv, str_printf("--%s=%s", provider->options[i].name, value));
	strv_append(&argv, service->name);
	return argv;
}

static int run_provider(const struct project *project, struct project *changed,
			const struct service *service, const char *command, struct error *err)
{
	_cleanup_free_ char *path = plugin_find(service->provider.type, false);
	struct provider_talk talk = {.project = changed, .service = service};
	_cleanup_strv_ char **argv = NULL;
	int r;

	if (!path)
		return error_set(err, ENOENT,
				 "service %s: there is no provider %s: neither a plugin docker-%s "
				 "of the docker CLI nor a program of this name along PATH",
				 service->name, service->provider.type, service->provider.type);
	argv = arguments_of(path, project, service, command);
	fprintf(stderr, " Service %s %s\n", service->name,
		str_equal(command, "up") ? "Creating" : "Removing");
	r = plugin_run(argv, heard, &talk, err);
	if (r > 0 || talk.failure)
		r = error_set(err, ECHILD, "service %s: provider %s: %s", service->name,
			      service->provider.type, talk.failure ? talk.failure : "it failed");
	free(talk.failure);
	if (r == 0)
		fprintf(stderr, " Service %s %s\n", service->name,
			str_equal(command, "up") ? "Created" : "Removed");
	return r < 0 ? r : 0;
}

/* --- models --- */

struct runner {
	char *url; /* NULL: not asked for yet */
	char *plugin;
};

static int runner_says(void *data, const char *line, struct error *err)
{
	struct runner *runner = data;
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	const char *url;

	if (json_parse(line, strlen(line), &json, &ignored) < 0)
		return 0;
	url = json_get_string(json, "endpoint");
	if (url) {
		free(runner->url);
		runner->url = alloc_string(url);
	}
	return 0;
}

static int find_runner(struct runner *runner, const struct ai_model *model, struct error *err)
{
	const char *given = getenv(RUNNER_VARIABLE);
	char *argv[] = {NULL, (char *)RUNNER_PLUGIN, (char *)"status", (char *)"--json", NULL};

	if (runner->url)
		return 0;
	if (given && *given) {
		runner->url = alloc_string(given);
		return 0;
	}
	runner->plugin = plugin_find(RUNNER_PLUGIN, true);
	argv[0] = runner->plugin;
	if (runner->plugin && plugin_run(argv, runner_says, runner, err) < 0)
		return -err->code;
	if (runner->url)
		return 0;
	return error_set(err, ENOENT,
			 "models.%s: there is no model runner: set " RUNNER_VARIABLE
			 " to the URL of a server with OpenAI's interface "
			 "(http://172.17.0.1:8080/v1/), or install the plugin docker-model",
			 model->key);
}

static int pull_model(const struct runner *runner, const struct ai_model *model, struct error *err)
{
	char *argv[] = {runner->plugin, (char *)RUNNER_PLUGIN, (char *)"pull", model->model, NULL};
	_cleanup_strv_ char **configure = NULL;
	int r = plugin_run(argv, NULL, NULL, err);

	if (r == 0 && (model->context_size.set || model->runtime_flags)) {
		strv_append(&configure, runner->plugin);
		strv_append(&configure, RUNNER_PLUGIN);
		strv_append(&configure, "configure");
		if (model->context_size.set)
			strv_take(&configure, str_printf("--context-size=%lld",
							 (long long)model->context_size.value));
		strv_append(&configure, model->model);
		if (model->runtime_flags)
			strv_append(&configure, "--");
		strv_foreach(flag, model->runtime_flags)
			strv_append(&configure, flag);
		r = plugin_run(configure, NULL, NULL, err);
	}
	if (r > 0)
		return error_set(err, ECHILD, "models.%s: the runner has no model %s", model->key,
				 model->model);
	return r;
}

static int use_models(const struct project *project, struct service *service, struct runner *runner,
		      struct error *err)
{
	for (size_t i = 0; i < service->model_count; i++) {
		const struct service_model *use = &service->models[i];
		const struct ai_model *model = project_model(project, use->name);
		_cleanup_free_ char *url = variable_of(use->name, "URL");
		_cleanup_free_ char *name = variable_of(use->name, "MODEL");

		if (!model || find_runner(runner, model, err) < 0)
			return model ? -err->code
				     : error_set(err, ENOENT, "service %s: there is no model %s",
						 service->name, use->name);
		if (runner->plugin && pull_model(runner, model, err) < 0)
			return -err->code;
		put_variable(service, use->endpoint_var ? use->endpoint_var : url, runner->url);
		put_variable(service, use->model_var ? use->model_var : name, model->model);
	}
	return 0;
}

/* --- the engine's socket --- */

static void add_bind(struct service *service, const char *source, const char *target,
		     bool read_only)
{
	struct mount *mount = array_add(service->volumes, service->volume_count);

	mount->type = MOUNT_BIND;
	mount->source = alloc_string(source);
	mount->target = alloc_string(target);
	mount->read_only = read_only;
	mount->bind.create_host_path = TRI_FALSE;
}

static int use_socket(struct service *service, struct error *err)
{
	const char *host = getenv("DOCKER_HOST"), *folder = getenv("DOCKER_CONFIG");
	const char *home = getenv("HOME"), *path = SOCKET;
	_cleanup_free_ char *config = NULL;
	struct stat st;

	if (!service->use_api_socket)
		return 0;
	if (host && str_starts_with(host, "unix://"))
		path = host + strlen("unix://");
	if (stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return error_set(err, ENOENT,
				 "services.%s.use_api_socket: there is no engine's socket at %s "
				 "(DOCKER_HOST names another)",
				 service->name, path);
	add_bind(service, path, SOCKET, false);
	config = folder && *folder ? str_printf("%s/config.json", folder)
				   : str_printf("%s/.docker/config.json", home ? home : "");
	if (access(config, R_OK) < 0)
		return 0;
	add_bind(service, config, CREDENTIALS "/config.json", true);
	put_variable(service, "DOCKER_CONFIG", CREDENTIALS);
	return 0;
}

static void select_all(const struct project *project, char *const *services, struct map *selected)
{
	for (size_t i = 0; i < project->service_count; i++)
		if (!services || !services[0])
			select_service(project, project->services[i].name, selected);
	strv_foreach(name, services)
		select_service(project, name, selected);
}

int companions_up(struct project *project, char *const *services, struct error *err)
{
	struct map selected = {0};
	struct runner runner = {0};
	int r = 0;

	select_all(project, services, &selected);
	for (size_t i = 0; r >= 0 && i < project->service_count; i++) {
		struct service *service = &project->services[i];

		if (!map_get(&selected, service->name))
			continue;
		if (service->provider.given)
			r = run_provider(project, project, service, "up", err);
		if (r >= 0)
			r = use_models(project, service, &runner, err);
		if (r >= 0)
			r = use_socket(service, err);
	}
	map_done(&selected, NULL);
	free(runner.url);
	free(runner.plugin);
	return r;
}

int companions_down(const struct project *project, char *const *services, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		if (service->provider.given &&
		    (!services || !services[0] || strv_contains(services, service->name)))
			r = run_provider(project, NULL, service, "down", err);
	}
	return r;
}
