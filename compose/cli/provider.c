// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/provider.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/plugin.h"
#include "compose/cli/view/output.h"

#define METADATA_MAX (1 << 20)

struct action {
	const char *command, *doing, *done;
};

static const struct action action_up = {"up", "Creating", "Created"};
static const struct action action_stop = {"stop", "Stopping", "Stopped"};
static const struct action action_down = {"down", "Removing", "Removed"};

void provider_put_variable(struct service *service, const char *key, const char *value)
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
char *provider_variable(const char *name, const char *suffix)
{
	char *variable = str_printf("%s_%s", name, suffix);

	for (size_t i = 0; i < strlen(name); i++)
		variable[i] = isalnum((unsigned char)variable[i])
				      ? (char)toupper((unsigned char)variable[i])
				      : '_';
	return variable;
}

struct talk {
	const struct action *action;
	const struct project *project;
	struct project *changed; /* what `up` says goes in here; else NULL */
	const struct service *service;
	char *path;
	json_t *metadata; /* NULL: it has none */
	char *failure;    /* what it said was wrong */
};

static void talk_done(struct talk *talk)
{
	free(talk->path);
	json_decref(talk->metadata);
	free(talk->failure);
}

static bool depends_on(const struct service *service, const char *name)
{
	for (size_t i = 0; i < service->dependency_count; i++)
		if (str_equal(service->depends_on[i].service, name))
			return true;
	return false;
}

/* "URL=https://..." for all that depend on the provider; under its name unless @raw. */
static void set_variable(struct talk *talk, const char *text, bool raw)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key =
		alloc_string_n(text, equals ? (size_t)(equals - text) : strlen(text));
	_cleanup_free_ char *variable =
		raw ? alloc_string(key) : provider_variable(talk->service->name, key);
	const char *value = equals ? equals + 1 : "";

	for (size_t i = 0; talk->changed && i < talk->changed->service_count; i++) {
		struct service *other = &talk->changed->services[i];
		const char *there = mapping_get(&other->environment, variable);

		if (!depends_on(other, talk->service->name))
			continue;
		if (raw && there && strcmp(there, value) != 0)
			output_warn("service %s: the provider %s sets %s, which has another value "
				    "already",
				    other->name, talk->service->name, variable);
		provider_put_variable(other, variable, value);
	}
}

/* As `config --format json` has it. */
static char *service_config(const struct talk *talk)
{
	_cleanup_json_ json_t *project = project_to_json(talk->project, false);
	json_t *service =
		json_object_get(json_object_get(project, "services"), talk->service->name);
	_cleanup_free_ char *text = json_dumps(service ?: json_null(), JSON_COMPACT);

	return str_printf("%s\n", text);
}

/* A message a line: {"type": "info", "message": "..."}. What is none is told as it is. */
static int heard(void *data, const char *line, struct plugin_reply *reply, struct error *err)
{
	struct talk *talk = data;
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	const char *type, *message;

	if (!*line)
		return 0;
	(void)json_parse(line, strlen(line), &json, &ignored);
	type = json_get_string(json, "type");
	message = json_get_string(json, "message") ?: "";
	if (!type) {
		fprintf(stderr, " %s %s\n", talk->service->name, line);
	} else if (str_equal(type, "setenv") || str_equal(type, "rawsetenv")) {
		set_variable(talk, message, str_equal(type, "rawsetenv"));
	} else if (str_equal(type, "get-service-config")) {
		_cleanup_free_ char *config = service_config(talk);

		return plugin_answer(reply, config, err);
	} else if (str_equal(type, "error")) {
		free(talk->failure);
		talk->failure = alloc_string(message);
	} else if (str_equal(type, "info")) {
		fprintf(stderr, " %s %s\n", talk->service->name, message);
	}
	return 0;
}

static int collect(void *data, const char *line, struct plugin_reply *reply, struct error *err)
{
	struct strbuf *text = data;

	if (text->length + strlen(line) > METADATA_MAX)
		return error_set(err, EMSGSIZE, "its metadata is too long");
	strbuf_addf(text, "%s\n", line);
	return 0;
}

static void read_metadata(struct talk *talk)
{
	char *argv[] = {talk->path, (char *)"compose", (char *)"metadata", NULL};
	_cleanup_strbuf_ struct strbuf text = {0};
	const struct plugin_call call = {
		.argv = argv, .line = collect, .data = &text, .quiet = true};
	struct error ignored = ERROR_INIT;

	if (plugin_run(&call, &ignored) == 0 && text.length)
		(void)json_parse(text.data, text.length, &talk->metadata, &ignored);
	if (talk->metadata && !json_is_object(talk->metadata)) {
		json_decref(talk->metadata);
		talk->metadata = NULL;
	}
}

/* What the command takes; NULL: not said, so anything. */
static json_t *parameters_of(const struct talk *talk)
{
	json_t *command = json_object_get(talk->metadata, talk->action->command);
	json_t *parameters = json_object_get(command, "parameters");

	return json_array_size(parameters) ? parameters : NULL;
}

static bool is_taken(const json_t *parameters, const char *name)
{
	json_t *parameter;
	size_t i;

	json_array_foreach(parameters, i, parameter)
		if (str_equal(json_get_string(parameter, "name"), name))
			return true;
	return !parameters;
}

static int check_required(const struct talk *talk, const json_t *parameters, struct error *err)
{
	const struct provider *provider = &talk->service->provider;
	json_t *parameter;
	size_t i;

	json_array_foreach(parameters, i, parameter) {
		const char *name = json_get_string(parameter, "name");
		bool there = !name || !json_get_bool(parameter, "required", false);

		for (size_t o = 0; o < provider->option_count; o++)
			there = there || str_equal(provider->options[o].name, name);
		if (!there)
			return error_set(err, EINVAL,
					 "service %s: required parameter \"%s\" is missing from "
					 "provider \"%s\" definition",
					 talk->service->name, name, provider->type);
	}
	return 0;
}

static char **arguments_of(const struct talk *talk, const json_t *parameters)
{
	const struct provider *provider = &talk->service->provider;
	char **argv = NULL;

	strv_append(&argv, talk->path);
	strv_append(&argv, "compose");
	strv_append(&argv, "--project-name");
	strv_append(&argv, talk->project->name);
	strv_append(&argv, talk->action->command);
	for (size_t i = 0; i < provider->option_count; i++)
		strv_foreach(value, provider->options[i].values)
			if (is_taken(parameters, provider->options[i].name))
				strv_take(&argv,
					  str_printf("--%s=%s", provider->options[i].name, value));
	strv_append(&argv, talk->service->name);
	return argv;
}

/* Ours, with what the service itself is given. */
static char **environment_of(const struct service *service)
{
	char **environment = strv_dup(environ);

	for (size_t i = 0; i < service->environment.count; i++)
		if (service->environment.items[i].value)
			strv_env_set(&environment, service->environment.items[i].key,
				     service->environment.items[i].value);
	return environment;
}

static int run(struct talk *talk, struct error *err)
{
	const struct service *service = talk->service;
	_cleanup_strv_ char **argv = NULL, **environment = environment_of(service);
	const json_t *parameters = parameters_of(talk);
	struct plugin_call call = {
		.environment = environment, .line = heard, .data = talk, .asks = true};
	int r = check_required(talk, parameters, err);

	if (r < 0)
		return r;
	call.argv = argv = arguments_of(talk, parameters);
	fprintf(stderr, " Service %s %s\n", service->name, talk->action->doing);
	r = plugin_run(&call, err);
	if (r > 0 || talk->failure)
		r = error_set(err, ECHILD, "service %s: provider %s: %s", service->name,
			      service->provider.type, talk->failure ? talk->failure : "it failed");
	if (r == 0)
		fprintf(stderr, " Service %s %s\n", service->name, talk->action->done);
	return r < 0 ? r : 0;
}

static int provide(struct talk *talk, struct error *err)
{
	const struct service *service = talk->service;
	int r = 0;

	talk->path = plugin_find(service->provider.type, false);
	if (!talk->path)
		return error_set(err, ENOENT,
				 "service %s: there is no provider %s: neither a plugin docker-%s "
				 "of the docker CLI nor a program of this name along PATH",
				 service->name, service->provider.type, service->provider.type);
	read_metadata(talk);
	if (talk->action != &action_stop || json_object_get(talk->metadata, "stop"))
		r = run(talk, err);
	talk_done(talk);
	return r;
}

int provider_up(struct project *project, const struct service *service, struct error *err)
{
	struct talk talk = {&action_up, project, project, service, NULL, NULL, NULL};

	return provide(&talk, err);
}

int provider_stop(const struct project *project, const struct service *service, struct error *err)
{
	struct talk talk = {&action_stop, project, NULL, service, NULL, NULL, NULL};

	return provide(&talk, err);
}

int provider_down(const struct project *project, const struct service *service, struct error *err)
{
	struct talk talk = {&action_down, project, NULL, service, NULL, NULL, NULL};

	return provide(&talk, err);
}
