// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/companions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/map.h"
#include "common/str.h"

#include "compose/cli/plugin.h"
#include "compose/cli/provider.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/view/output.h"
#include "compose/model/shapes.h"

#define SOCKET          "/var/run/docker.sock"
#define CREDENTIALS     "/run/secrets/docker"
#define RUNNER_VARIABLE "BERTH_MODEL_RUNNER"
#define RUNNER_PLUGIN   "model"

/* --- models --- */

struct runner {
	char *url; /* NULL: not asked for yet */
	char *plugin;
};

static int runner_says(void *data, const char *line, struct plugin_reply *reply, struct error *err)
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
	struct plugin_call call;

	if (runner->url)
		return 0;
	if (given && *given) {
		runner->url = alloc_string(given);
		return 0;
	}
	runner->plugin = plugin_find(RUNNER_PLUGIN, true);
	argv[0] = runner->plugin;
	call = (struct plugin_call){.argv = argv, .line = runner_says, .data = runner};
	if (runner->plugin && plugin_run(&call, err) < 0)
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
	struct plugin_call call = {.argv = argv};
	int r = plugin_run(&call, err);

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
		call.argv = configure;
		r = plugin_run(&call, err);
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
		_cleanup_free_ char *url = provider_variable(use->name, "URL");
		_cleanup_free_ char *name = provider_variable(use->name, "MODEL");

		if (!model || find_runner(runner, model, err) < 0)
			return model ? -err->code
				     : error_set(err, ENOENT, "service %s: there is no model %s",
						 service->name, use->name);
		if (runner->plugin && pull_model(runner, model, err) < 0)
			return -err->code;
		provider_put_variable(service, use->endpoint_var ? use->endpoint_var : url,
				      runner->url);
		provider_put_variable(service, use->model_var ? use->model_var : name,
				      model->model);
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
	const char *host = getenv("DOCKER_HOST"), *path = SOCKET;
	_cleanup_free_ char *config = docker_config_path();
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
	if (access(config, R_OK) < 0)
		return 0;
	add_bind(service, config, CREDENTIALS "/config.json", true);
	provider_put_variable(service, "DOCKER_CONFIG", CREDENTIALS);
	return 0;
}

static bool is_socket_path(const char *path)
{
	return str_equal(path, SOCKET) || str_equal(path, "/run/docker.sock");
}

static void leave_out(struct service *service, size_t i)
{
	struct mount *mounts = service->volumes;

	output_warn("service %s: %s is left out: there is no engine's socket, and berth has no API "
		    "of Docker's to offer in its place",
		    service->name, mounts[i].source);
	mount_release(&mounts[i]);
	service->volume_count--;
	memmove(&mounts[i], &mounts[i + 1], (service->volume_count - i) * sizeof(*mounts));
}

void companions_leave_out_socket(struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++) {
		struct service *service = &project->services[i];

		for (size_t m = service->volume_count; m-- > 0;) {
			const struct mount *mount = &service->volumes[m];

			if (mount->type == MOUNT_BIND && is_socket_path(mount->source) &&
			    access(mount->source, F_OK) < 0 && errno == ENOENT)
				leave_out(service, m);
		}
	}
}

struct ordering {
	const struct project *project;
	struct map seen;
	struct service **list;
	size_t count;
};

static void put_in_order(struct ordering *ordering, struct service *service)
{
	if (!service || map_set(&ordering->seen, service->name, service))
		return;
	for (size_t i = 0; i < service->dependency_count; i++)
		put_in_order(ordering,
			     project_service(ordering->project, service->depends_on[i].service));
	ordering->list[ordering->count++] = service;
}

/* Needed ones first; @services (none: all), and @dependencies of theirs. NULL-terminated, new. */
static struct service **companions_order(const struct project *project, char *const *services,
					 bool dependencies)
{
	struct ordering all = {
		.project = project,
		.list = new_array(struct service *, project->service_count + 1),
	};
	bool everything = !services || !services[0];
	size_t kept = 0;

	if (everything || !dependencies)
		for (size_t i = 0; i < project->service_count; i++)
			put_in_order(&all, &project->services[i]);
	else
		strv_foreach(name, services)
			put_in_order(&all, project_service(project, name));
	for (size_t i = 0; i < all.count; i++)
		if (everything || dependencies || strv_contains(services, all.list[i]->name))
			all.list[kept++] = all.list[i];
	all.list[kept] = NULL;
	map_done(&all.seen, NULL);
	return all.list;
}

int companions_up(struct project *project, char *const *services, struct error *err)
{
	_cleanup_free_ struct service **order = companions_order(project, services, true);
	struct runner runner = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && order[i]; i++) {
		if (order[i]->provider.given)
			r = provider_up(project, order[i], err);
		if (r >= 0)
			r = use_models(project, order[i], &runner, err);
		if (r >= 0)
			r = use_socket(order[i], err);
	}
	free(runner.url);
	free(runner.plugin);
	return r;
}

typedef int provider_call(const struct project *project, const struct service *service,
			  struct error *err);

/* Those that need others come first. */
static int tell_providers(const struct project *project, char *const *services, provider_call *tell,
			  struct error *err)
{
	_cleanup_free_ struct service **order = companions_order(project, services, false);
	size_t count = 0;
	int r = 0;

	while (order[count])
		count++;
	while (r >= 0 && count--)
		if (order[count]->provider.given)
			r = tell(project, order[count], err);
	return r;
}

int companions_stop(const struct project *project, char *const *services, struct error *err)
{
	return tell_providers(project, services, provider_stop, err);
}

int companions_down(const struct project *project, char *const *services, struct error *err)
{
	return tell_providers(project, services, provider_down, err);
}
