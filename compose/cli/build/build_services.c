// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_services.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/container/spec.h"
#include "runtime/image/platform.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/build/build_attest.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/view/output.h"

/* What is built of one service: jobs in a row, the one whose image runs here first. */
struct whole {
	size_t first, count;
	struct build_attest attest;
};

struct building {
	struct project *project;
	const struct build_services_options *options;
	struct build_job *jobs;
	struct build_inputs *inputs; /* beside the jobs */
	size_t count;
	struct whole *wholes;
	size_t whole_count;
};

void build_services_name(struct project *project)
{
	for (size_t i = 0; i < project->service_count; i++) {
		struct service *service = &project->services[i];

		if (service->build.given && (!service->image || !*service->image)) {
			free(service->image);
			service->image = str_printf("%s-%s", project->name, service->name);
		}
	}
}

static int put_secrets(struct building *b, const struct build *build, struct build_inputs *inputs,
		       struct error *err)
{
	for (size_t i = 0; i < build->secret_count; i++) {
		const struct file_reference *reference = &build->secrets[i];
		const struct file_object *object = project_secret(b->project, reference->source);
		struct build_secret *secret = array_add(inputs->secrets, inputs->secret_count);

		secret->id = reference->target ?: reference->source;
		if (!object || object->external)
			return error_set(err, ENOENT, "build.secrets: %s is not one of the file's",
					 reference->source);
		secret->path = object->file;
		secret->value = object->content;
		if (object->environment && !object->content) {
			secret->value = getenv(object->environment);
			if (!secret->value)
				return error_set(err, ENOENT,
						 "environment variable \"%s\" required by secret "
						 "\"%s\" is not set",
						 object->environment, object->key);
		}
	}
	return 0;
}

static int put_ssh(struct building *b, const struct build *build, struct build_inputs *inputs,
		   struct error *err)
{
	_cleanup_strv_ char **rows = strv_dup(b->options->ssh);

	for (size_t i = 0; i < build->ssh.count; i++)
		strv_take(&rows, build->ssh.items[i].value && *build->ssh.items[i].value
					 ? str_printf("%s=%s", build->ssh.items[i].key,
						      build->ssh.items[i].value)
					 : alloc_string(build->ssh.items[i].key));
	return build_inputs_ssh(inputs, rows, err);
}

static int put_limits(const struct build *build, struct build_inputs *inputs, struct error *err)
{
	for (size_t i = 0; i < build->ulimit_count; i++)
		if (build_inputs_limit(inputs, build->ulimits[i].name, build->ulimits[i].soft,
				       build->ulimits[i].hard, err) < 0)
			return error_wrap(err, "build.ulimits");
	return 0;
}

static void put_labels(struct building *b, const struct service *service,
		       struct build_inputs *inputs)
{
	strv_env_set(&inputs->labels, "com.docker.compose.project", b->project->name);
	strv_env_set(&inputs->labels, "com.docker.compose.service", service->name);
	strv_env_set(&inputs->labels, "com.docker.compose.version", BERTH_VERSION);
	for (size_t i = 0; i < service->build.labels.count; i++)
		strv_env_set(&inputs->labels, service->build.labels.items[i].key,
			     service->build.labels.items[i].value ?: "");
}

/* service:X is X's image, which is built first. */
static void put_contexts(struct building *b, struct build_job *job, const struct build *build,
			 struct build_inputs *inputs)
{
	for (size_t i = 0; i < build->additional_contexts.count; i++) {
		const struct key_value *row = &build->additional_contexts.items[i];
		const struct service *other;

		if (!str_starts_with(row->value, "service:")) {
			strv_take(&inputs->contexts, str_printf("%s=%s", row->key, row->value));
			continue;
		}
		other = project_service(b->project, row->value + strlen("service:"));
		strv_append(&job->after, other ? other->name : "");
		strv_take(&inputs->contexts,
			  str_printf("%s=docker-image://%s", row->key,
				     other && other->image ? other->image : row->value));
	}
}

static int put_arguments(struct building *b, const struct build *build, struct build_inputs *inputs,
			 struct error *err)
{
	for (size_t i = 0; i < build->args.count; i++) {
		const struct key_value *row = &build->args.items[i];
		const char *value = row->value ?: getenv(row->key);

		if (value)
			strv_env_set(&inputs->args, row->key, value);
	}
	return build_inputs_args(inputs, b->options->build_args, err);
}

/* Of several, the one that the service runs on; as docker compose's `up`. */
static const char *own_platform(const struct service *service)
{
	char **platforms = service->build.platforms;

	return strv_length(platforms) == 1 ? platforms[0] : service->platform;
}

static int fill(struct building *b, const struct service *service, struct build_job *job,
		struct build_inputs *inputs, struct error *err)
{
	const struct build *build = &service->build;
	struct build_options *o = &job->options;

	o->context = build->context ?: "";
	o->dockerfile = build->dockerfile;
	o->dockerfile_inline = build->dockerfile_inline;
	o->target = build->target;
	o->network = build->network;
	o->no_cache = b->options->no_cache || build->no_cache == TRI_TRUE;
	o->no_cache_filter = build->no_cache_filter;
	o->cache_from = build->cache_from;
	o->cache_to = build->cache_to;
	o->pull = b->options->pull || build->pull == TRI_TRUE;
	o->check_only = b->options->check;
	o->insecure = build->privileged == TRI_TRUE ||
		      strv_contains(build->entitlements, "security.insecure");
	o->shm_bytes = build->shm_size.set ? build->shm_size.value : 0;
	if (b->options->memory && units_parse_bytes(b->options->memory, &o->memory_bytes) < 0)
		return error_set(err, EINVAL, "--memory %s: not a size", b->options->memory);
	strv_append(&inputs->tags, service->image);
	strv_foreach(tag, build->tags)
		strv_append(&inputs->tags, tag);
	for (size_t i = 0; i < build->extra_host_count; i++)
		strv_take(&inputs->hosts, str_printf("%s\t%s", build->extra_hosts[i].address,
						     build->extra_hosts[i].name));
	put_labels(b, service, inputs);
	put_contexts(b, job, build, inputs);
	if (put_arguments(b, build, inputs, err) < 0 || put_secrets(b, build, inputs, err) < 0 ||
	    put_ssh(b, build, inputs, err) < 0 || put_limits(build, inputs, err) < 0)
		return -err->code;
	build_inputs_put(inputs, o);
	return 0;
}

static int add_job(struct building *b, const struct service *service, const char *platform,
		   struct error *err)
{
	struct whole *whole = &b->wholes[b->whole_count - 1];
	struct build_job *job = &b->jobs[b->count];
	struct build_inputs *inputs = &b->inputs[b->count];

	job->name = service->name;
	job->fd = -EBADF;
	b->count++;
	if (fill(b, service, job, inputs, err) < 0)
		return error_wrap(err, "service %s", service->name);
	job->options.platform = platform;
	/* The others get the names with the whole. */
	if (whole->count++ > 0) {
		job->name = build_inputs_own(inputs, str_printf("%s %s", service->name, platform));
		job->options.tags = NULL;
	}
	return 0;
}

/* Which of the list runs on this machine; as written there. NULL: none does. */
static const char *here_of(const struct service *service)
{
	const char *best = own_platform(service);
	int best_score = 0;

	strv_foreach(text, service->build.platforms) {
		_cleanup_json_ json_t *platform = json_object();
		struct error ignored = ERROR_INIT;
		int score = platform_describe(text, platform, &ignored) < 0
				    ? 0
				    : platform_score(platform);

		if (!service->platform && score > best_score) {
			best = text;
			best_score = score;
		}
	}
	return best;
}

static int add_service(struct building *b, const struct service *service, struct error *err)
{
	const struct build *build = &service->build;
	struct whole *whole = &b->wholes[b->whole_count++];
	bool several = b->options->all_platforms && strv_length(build->platforms) > 1;
	const char *first =
		several ? here_of(service) ?: build->platforms[0] : own_platform(service);

	whole->first = b->count;
	if (build_attest_parse(NULL, b->options->provenance ?: build->provenance,
			       b->options->sbom ?: build->sbom, &whole->attest, err) < 0)
		return error_wrap(err, "service %s", service->name);
	if (add_job(b, service, first, err) < 0)
		return -err->code;
	strv_foreach(platform, several ? build->platforms : NULL)
		if (strcmp(platform, first) != 0 && add_job(b, service, platform, err) < 0)
			return -err->code;
	return 0;
}

enum visit { VISIT_NONE, VISIT_OPEN, VISIT_DONE };

/* Of what is reached by service: contexts. @path names the way, for the error. */
static int visit(struct project *project, const struct service *service, struct map *visited,
		 const char *path, struct error *err)
{
	const struct mapping *contexts = &service->build.additional_contexts;
	enum visit state = (enum visit)(uintptr_t)map_get(visited, service->name);

	if (state == VISIT_OPEN)
		return error_set(err, ELOOP,
				 "build.additional_contexts: dependency cycle detected: %s", path);
	if (state == VISIT_DONE)
		return 0;
	map_set(visited, service->name, (void *)(uintptr_t)VISIT_OPEN);
	for (size_t i = 0; i < contexts->count; i++) {
		const char *value = contexts->items[i].value;
		const struct service *other =
			str_starts_with(value, "service:")
				? project_service(project, value + strlen("service:"))
				: NULL;
		_cleanup_free_ char *further = NULL;

		if (!other)
			continue;
		further = str_printf("%s -> %s", path, other->name);
		if (visit(project, other, visited, further, err) < 0)
			return -err->code;
	}
	map_set(visited, service->name, (void *)(uintptr_t)VISIT_DONE);
	return 0;
}

int build_services_check(struct project *project, struct error *err)
{
	struct map visited = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < project->service_count; i++)
		r = visit(project, &project->services[i], &visited, project->services[i].name, err);
	map_done(&visited, NULL);
	return r;
}

static void select_service(struct project *project, const char *name,
			   const struct build_services_options *options, struct map *selected)
{
	struct service *service = project_service(project, name);

	if (!service || map_get(selected, name))
		return;
	/* What its contexts are made of comes first. */
	for (size_t i = 0; i < service->build.additional_contexts.count; i++) {
		const char *value = service->build.additional_contexts.items[i].value;

		if (str_starts_with(value, "service:"))
			select_service(project, value + strlen("service:"), options, selected);
	}
	for (size_t i = 0; options->with_dependencies && i < service->dependency_count; i++)
		select_service(project, service->depends_on[i].service, options, selected);
	map_set(selected, name, service);
}

void build_services_select(struct project *project, char *const *services,
			   const struct build_services_options *options, struct map *selected)
{
	strv_foreach(name, services)
		select_service(project, name, options, selected);
	for (size_t i = 0; (!services || !services[0]) && i < project->service_count; i++)
		select_service(project, project->services[i].name, options, selected);
}

int build_services_due(struct project *project, char *const *services,
		       const struct build_services_options *options, struct build_due **ret,
		       size_t *ret_count, struct error *err)
{
	struct image_store *store = NULL;
	struct map selected = {0};
	int r = build_services_check(project, err);

	*ret = NULL;
	*ret_count = 0;
	if (r == 0)
		r = store_here_open(&store, err);
	if (r < 0)
		return r;
	build_services_select(project, services, options, &selected);
	map_foreach(entry, &selected) {
		const struct service *service = entry->value;
		bool here = service->build.given && store_here_has(store, service->image);

		if (service->build.given &&
		    (!options->missing_only || !here || str_equal(service->pull_policy, "build")))
			*array_add(*ret, *ret_count) = (struct build_due){service, here};
	}
	map_done(&selected, NULL);
	image_store_close(store);
	return 0;
}

static int gather(struct building *b, char *const *services, struct error *err)
{
	_cleanup_free_ struct build_due *due = NULL;
	size_t count = 0, most = 0;
	int r = build_services_due(b->project, services, b->options, &due, &count, err);

	for (size_t i = 0; r >= 0 && i < count; i++)
		most += 1 + strv_length(due[i].service->build.platforms);
	b->jobs = new_array(struct build_job, most + 1);
	b->inputs = new_array(struct build_inputs, most + 1);
	b->wholes = new_array(struct whole, count + 1);
	for (size_t i = 0; r >= 0 && i < count; i++)
		if (add_service(b, due[i].service, err) < 0)
			r = error_wrap(err, "service %s", due[i].service->name);
	for (size_t i = 0; i < b->count; i++)
		b->jobs[i].options.shared = b->count > 1;
	return r;
}

static int join_all(struct building *b, struct error *err)
{
	for (size_t i = 0; i < b->whole_count; i++) {
		const struct whole *whole = &b->wholes[i];
		struct build_job *jobs = &b->jobs[whole->first];
		_cleanup_free_ char *digest = NULL;
		size_t best;

		if (build_attest_joins(&whole->attest, whole->count) &&
		    build_attest_join(&whole->attest, jobs, whole->count, jobs->options.tags, &best,
				      &digest, err) < 0)
			return -err->code;
	}
	return 0;
}

static const struct build_job *failed_job(const struct building *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->jobs[i].failed && b->jobs[i].error.code != ECANCELED)
			return &b->jobs[i];
	return NULL;
}

static void building_done(struct building *b)
{
	for (size_t i = 0; i < b->count; i++) {
		strv_free(b->jobs[i].after);
		build_job_done(&b->jobs[i]);
		build_inputs_done(&b->inputs[i]);
	}
	for (size_t i = 0; i < b->whole_count; i++)
		build_attest_done(&b->wholes[i].attest);
	free(b->wholes);
	free(b->jobs);
	free(b->inputs);
}

int build_services(struct project_args *args, struct project *project, char *const *services,
		   const struct build_services_options *options)
{
	struct building b = {.project = project, .options = options};
	struct error err = ERROR_INIT;
	struct build_view *view;
	int r = gather(&b, services, &err);

	if (r < 0 || !b.count) {
		building_done(&b);
		return r < 0 ? output_fail(args, &err) : 0;
	}
	view = build_view_new(args, options->quiet);
	r = build_process_run(b.jobs, b.count, view, &err);
	if (r == 0 && !options->check)
		r = join_all(&b, &err);
	for (size_t i = 0; r == 0 && !options->check && i < b.whole_count; i++)
		build_view_built(view, b.jobs[b.wholes[i].first].options.tags[0]);
	build_view_free(view);
	if (r < 0) {
		const struct build_job *job = failed_job(&b);

		if (job) {
			err = job->error;
			/* A report has it with its line of the Dockerfile. */
			if (!job->report || !strstr(job->report, err.message))
				error_wrap(&err, "service %s", job->name);
		}
		r = build_fail(args, job, &err);
	} else if (options->print_ids && !options->check) {
		for (size_t i = 0; i < b.whole_count; i++)
			printf("%s\n", b.jobs[b.wholes[i].first].image_id);
	}
	building_done(&b);
	return r;
}
