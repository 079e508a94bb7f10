// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Plans are compared as text. A row has a project (canonical form, single quotes for double ones),
 * the containers there are ("name state hash", hash "=" for what the project asks for, "~" for the
 * same with another restart policy and memory limit), options
 * as words, and the plan.
 */

#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/plan/plan.h"

struct row {
	const char *what, *project, *containers, *options, *expect;
};

struct scene {
	struct project *project;
	struct fact_container *containers;
	size_t container_count;
	struct fact_object network;
	struct fact_image *images;
	char network_hash[65];
	char hashes[16][65], fixed_hashes[16][65];
	json_t *canonical; /* with what "~" stands for */
	char *strings[64];
	size_t string_count;
	const char *services[8];
	const char *only[8];
	const char *coming[2];
	size_t only_count;
	struct plan_scale scale;
	struct plan_image gets[4];
};

static char *keep(struct scene *scene, char *s)
{
	scene->strings[scene->string_count++] = s;
	return s;
}

static struct project *project_of(const char *text)
{
	_cleanup_free_ char *json_text_ = alloc_string(text);
	_cleanup_json_ json_t *json = NULL;
	struct project *project = NULL;
	struct error err = ERROR_INIT;

	for (char *c = json_text_; *c; c++)
		if (*c == '\'')
			*c = '"';
	cr_assert_geq(json_parse(json_text_, strlen(json_text_), &json, &err), 0, "%s: %s", text,
		      err.message);
	cr_assert_geq(project_from_json(json, &project, &err), 0, "%s: %s", text, err.message);
	return project;
}

static const char *const network_names[] = {"p_default", NULL};

static void make_similar(struct scene *scene, struct fact_container *fact, char hash[65])
{
	json_t *service;

	if (!scene->canonical)
		scene->canonical = project_to_json(scene->project, true);
	service = json_object_get(json_object_get(scene->canonical, "services"), fact->service);
	json_object_set_new(service, "restart", json_string("always"));
	json_object_set_new(service, "deploy",
			    json_pack("{s:{s:{s:s}}}", "resources", "limits", "memory", "1048576"));
	fact->config = service;
	service_fixed_hash(scene->project, project_service(scene->project, fact->service), hash);
	fact->fixed_hash = hash;
}

/* "p-a-1 running =": service and number come from the name. */
static void add_container(struct scene *scene, char *line)
{
	static const char *const states[] = {"created",  "running", "paused", "restarting",
					     "removing", "exited",  "dead"};
	size_t index = scene->container_count;
	struct fact_container *fact = array_add(scene->containers, scene->container_count);
	char *name = strtok(line, " "), *state = strtok(NULL, " "), *hash = strtok(NULL, " ");
	char *dash = strrchr(name, '-');

	/* "p-000000000000_p-a-1" is the temporary name of p-a-1's successor. */
	if (strchr(name, '_')) {
		fact->name = keep(scene, alloc_string(name + 2));
		name = strchr(name, '_') + 1;
		dash = strrchr(name, '-');
	} else {
		fact->name = keep(scene, alloc_string(name));
	}
	fact->id = keep(scene, str_printf("%064zx", index + 1));
	fact->number = (unsigned int)strtoul(dash + 1, NULL, 10);
	fact->service = keep(scene, alloc_string_n(name + 2, (size_t)(dash - name - 2)));
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (str_starts_with(state, states[i]))
			fact->state = (enum container_state)i;
	if (strchr(state, '!'))
		fact->made_for_this = true;
	fact->created_nsec = fact->made_for_this ? 2 : 0;
	fact->started_nsec = fact->made_for_this ? 3 : 1;
	fact->standby = strchr(state, '*');
	if (strchr(state, '+'))
		fact->health = HEALTH_HEALTHY;
	fact->networks = network_names;
	if (str_equal(hash, "=")) {
		const struct service *service = project_service(scene->project, fact->service);

		if (service)
			service_hash(scene->project, service, scene->hashes[index]);
	} else {
		strcpy(scene->hashes[index], "other");
	}
	fact->config_hash = scene->hashes[index];
	if (str_equal(hash, "~"))
		make_similar(scene, fact, scene->fixed_hashes[index]);
}

static void add_containers(struct scene *scene, const char *text)
{
	_cleanup_strv_ char **lines = strv_split(text, ",");

	strv_foreach(line, lines)
		add_container(scene, str_trim(line));
	if (scene->container_count && scene->project->network_count) {
		network_hash(&scene->project->networks[0], scene->network_hash);
		scene->network = (struct fact_object){"default", "p_default", scene->network_hash};
	}
	scene->images = new_array(struct fact_image, scene->project->service_count + 1);
	for (size_t i = 0; i < scene->project->service_count; i++)
		scene->images[i] = (struct fact_image){.service = scene->project->services[i].name,
						       .id = "sha256:1"};
}

static void set_option(struct scene *scene, struct plan_options *options, const char *word)
{
	static const char *const goals[] = {"up",   "down", "start", "stop",   "restart",
					    "kill", "rm",   "pause", "unpause"};
	size_t services = 0;

	for (size_t i = 0; i < ARRAY_SIZE(goals); i++)
		if (str_equal(word, goals[i]))
			options->goal = (enum plan_goal)i;
	while (scene->services[services])
		services++;
	if (str_starts_with(word, "only:")) {
		scene->only[scene->only_count++] =
			keep(scene, str_printf("%064lx", strtoul(word + 5, NULL, 10)));
		options->containers = scene->only;
	}
	if (str_starts_with(word, "coming:"))
		scene->coming[0] = keep(scene, alloc_string(word + 7));
	if (word[0] == '@')
		scene->services[services] = keep(scene, alloc_string(word + 1));
	if (scene->services[0])
		options->services = scene->services;
	options->no_deps |= str_equal(word, "--no-deps");
	options->no_start |= str_equal(word, "--no-start");
	options->wait |= str_equal(word, "--wait");
	options->volumes |= str_equal(word, "-v");
	options->force_stop |= str_equal(word, "-s");
	options->remove_orphans |= str_equal(word, "--remove-orphans");
	options->by_label |= str_equal(word, "--by-label");
	if (str_equal(word, "--force-recreate"))
		options->recreate = RECREATE_FORCE;
	if (str_equal(word, "--no-recreate"))
		options->recreate = RECREATE_NEVER;
	if (str_starts_with(word, "oneoff:"))
		options->oneoff = keep(scene, alloc_string(word + 7));
	if (str_equal(word, "-t0"))
		options->timeout_usec = 0;
	/* "pull:IMAGE", "build:IMAGE" for the service of that name, "look:IMAGE" for one here. */
	if (str_starts_with(word, "pull:") || str_starts_with(word, "build:") ||
	    str_starts_with(word, "look:")) {
		const char *image = strchr(word, ':') + 1;

		scene->gets[options->image_count++] = (struct plan_image){
			.image = keep(scene, alloc_string(image)),
			.cause = "due",
			.service = word[0] == 'b' ? keep(scene, alloc_string(image)) : NULL,
			.refresh = word[0] == 'l',
		};
		options->images = scene->gets;
	}
	if (str_starts_with(word, "a=")) {
		scene->scale = (struct plan_scale){"a", (unsigned int)strtoul(word + 2, NULL, 10)};
		options->scales = &scene->scale;
		options->scale_count = 1;
	}
}

static char *plan_of(const struct row *row)
{
	struct scene scene = {.project = project_of(row->project)};
	struct plan_options options = {.timeout_usec = -1, .signal = 9};
	_cleanup_strv_ char **words = strv_split(row->options, " ");
	struct strbuf text = {0};
	struct error err = ERROR_INIT;
	struct plan *plan = NULL;
	struct facts facts = {0};

	add_containers(&scene, row->containers);
	strv_foreach(word, words)
		set_option(&scene, &options, word);
	facts.containers = scene.containers;
	facts.container_count = scene.container_count;
	facts.networks = &scene.network;
	facts.network_count = scene.network.name != NULL;
	facts.images = scene.images;
	facts.image_count = scene.project->service_count;
	facts.coming = scene.coming;
	for (size_t i = 0; scene.coming[0] && i < facts.image_count; i++)
		if (str_equal(scene.project->services[i].image, scene.coming[0]))
			scene.images[i].id = NULL;
	if (plan_reconcile(options.by_label ? NULL : scene.project, &facts, &options, &plan, &err) <
	    0) {
		strbuf_addf(&text, "error: %s\n", err.message);
	} else {
		_cleanup_free_ char *lines = plan_to_text(plan);

		strbuf_add(&text, lines);
		strv_foreach(warning, plan->warnings)
			strbuf_addf(&text, "warning: %.40s\n", warning);
		for (size_t i = 0; i < plan->count; i++)
			for (size_t a = 0; a < plan->operations[i].after_count; a++)
				cr_expect_lt(plan->operations[i].after[a], i, "%s", row->what);
	}
	plan_free(plan);
	json_decref(scene.canonical);
	project_free(scene.project);
	free(scene.containers);
	free(scene.images);
	for (size_t i = 0; i < scene.string_count; i++)
		free(scene.strings[i]);
	return strbuf_take(&text);
}

#define NETWORK "'networks': {'default': {'name': 'p_default', 'ipam': {}}}"
#define A       "'a': {'image': 'i', 'command': null, 'entrypoint': null, 'networks': {'default': null}"
#define B       "'b': {'image': 'i', 'command': null, 'entrypoint': null, 'networks': {'default': null}"
#define HEALTHY "'healthcheck': {'test': ['CMD', 'true']}"
#define ONE     "{'name': 'p', 'services': {" A "}}, " NETWORK "}"
#define BESIDE(config, replicas)                                             \
	"{'name': 'p', 'services': {" A ", 'deploy': {'replicas': " replicas \
	", 'update_config': {'order': 'start-first', " config "}}}}, " NETWORK "}"
#define NEEDS(condition, restart)                                                      \
	"{'name': 'p', 'services': {" A "}, " B ", 'depends_on': {'a': {'condition': " \
	"'service_" condition "', 'required': true" restart "}}}}, " NETWORK "}"
#define INIT                                                                     \
	"{'name': 'p', 'services': {" A                                          \
	", 'labels': {'com.docker.compose.hook': 'pre_start'}}, " B              \
	", 'depends_on': {'a': {'condition': 'service_completed_successfully', " \
	"'required': true}}}}, " NETWORK "}"
#define NEEDS_HEALTHY                                                                           \
	"{'name': 'p', 'services': {" A ", " HEALTHY "}, " B                                    \
	", 'depends_on': {'a': {'condition': 'service_healthy', 'required': true}}}}, " NETWORK \
	"}"

static const struct row rows[] = {
	{"from nothing", ONE, "", "up",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"},
	{"all is there", ONE, "p-a-1 running =", "up", ""},
	{"its image is coming", NEEDS("healthy", ""), "", "up --wait coming:i",
	 "create network p_default (no network yet)\n"
	 "wait for image i (it is being pulled)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"
	 "wait for container p-a-1 to be healthy (b needs it)\n"
	 "start container p-b-1 (no container yet)\n"
	 "wait for container p-b-1 to be healthy (--wait)\n"},
	{"... and there are containers", ONE, "p-a-1 running =", "up coming:i",
	 "wait for image i (it is being pulled)\n"
	 "create container p-a-1 as 000000000000_p-a-1 (image i is being pulled)\n"
	 "stop container p-a-1 (image i is being pulled)\n"
	 "remove container p-a-1 (image i is being pulled)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (image i is being pulled)\n"
	 "start container p-a-1 (image i is being pulled)\n"},
	{"... but are to stay", ONE, "p-a-1 running =", "up --no-recreate coming:i", ""},
	{"an image that is coming and that nobody wants", ONE, "p-a-1 running =", "up coming:x",
	 ""},
	{"its image is got first", ONE, "", "up pull:i",
	 "pull image i (due)\n"
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"},
	{"an image that is looked for again may be another one", ONE, "p-a-1 running =",
	 "up look:i", "pull image i (due; what runs it is made anew if it is another one)\n"},
	{"an image of nobody", ONE, "p-a-1 running =", "up build:z", ""},
	{"whether a built image has a healthcheck is not known", NEEDS("healthy", ""), "",
	 "up build:i @b",
	 "build image i (due)\n"
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"
	 "wait for container p-a-1 to be healthy (b needs it)\n"
	 "start container p-b-1 (no container yet)\n"},
	{"it is replaced while it runs", BESIDE("'parallelism': 1, 'delay': '5s'", "2"),
	 "p-a-1 running x, p-a-2 running x", "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "create container p-a-2 as 000000000000_p-a-2 (configuration changed)\n"
	 "start container 000000000000_p-a-1 (configuration changed)\n"
	 "wait for container 000000000000_p-a-1 to be healthy (configuration changed)\n"
	 "switch traffic to container 000000000000_p-a-1 (configuration changed)\n"
	 "remove container 000000000000_p-a-1 unless it takes over (configuration changed)\n"
	 "drain container p-a-1 (configuration changed)\n"
	 "stop container p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "proceed with service a after 5s (1 replicas are done)\n"
	 "start container 000000000000_p-a-2 (configuration changed)\n"
	 "wait for container 000000000000_p-a-2 to be healthy (configuration changed)\n"
	 "switch traffic to container 000000000000_p-a-2 (configuration changed)\n"
	 "remove container 000000000000_p-a-2 unless it takes over (configuration changed)\n"
	 "drain container p-a-2 (configuration changed)\n"
	 "stop container p-a-2 (configuration changed)\n"
	 "remove container p-a-2 (configuration changed)\n"
	 "rename container 000000000000_p-a-2 to p-a-2 (configuration changed)\n"},
	{"... but not where it does not run", BESIDE("'parallelism': 0", "1"), "p-a-1 exited x",
	 "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "start container p-a-1 (configuration changed)\n"},
	{"... which was interrupted before the switch", BESIDE("'parallelism': 0", "1"),
	 "p-a-1 running =, p-000000000000_p-a-1 running* =", "up",
	 "remove container 000000000000_p-a-1 (left by a recreation that was interrupted)\n"},
	{"... and after it", BESIDE("'parallelism': 0", "1"),
	 "p-a-1 running x, p-000000000000_p-a-1 running =", "up",
	 "stop container p-a-1 (another one has taken over from it)\n"
	 "remove container p-a-1 (another one has taken over from it)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (a recreation was interrupted)\n"},
	{"it can be changed as it stands", ONE, "p-a-1 running ~", "up",
	 "update container p-a-1 (deploy.resources.limits, restart changed)\n"},
	{"... where it does not run, too", ONE, "p-a-1 exited ~", "up",
	 "update container p-a-1 (deploy.resources.limits, restart changed)\n"
	 "start container p-a-1 (it is exited)\n"},
	{"... and is not to be", ONE, "p-a-1 running ~", "up --no-recreate", ""},
	{"... or made anew", ONE, "p-a-1 running ~", "up --force-recreate",
	 "create container p-a-1 as 000000000000_p-a-1 (asked for)\n"
	 "stop container p-a-1 (asked for)\n"
	 "remove container p-a-1 (asked for)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (asked for)\n"
	 "start container p-a-1 (asked for)\n"},
	{"... or is one too many", ONE, "p-a-1 running =, p-a-2 running ~", "up",
	 "stop container p-a-2 (1 wanted)\n"
	 "remove container p-a-2 (1 wanted)\n"},
	{"... and what it needs is made anew", NEEDS("started", ", 'restart': true"),
	 "p-a-1 running x, p-b-1 running ~", "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "stop container p-b-1 (a is made anew)\n"
	 "stop container p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "update container p-b-1 (deploy.resources.limits, restart changed)\n"
	 "start container p-a-1 (configuration changed)\n"
	 "start container p-b-1 (a is made anew)\n"},
	{"it exited", ONE, "p-a-1 exited =", "up", "start container p-a-1 (it is exited)\n"},
	{"an init container that did its work", INIT, "p-a-1 exited =, p-b-1 running =", "up", ""},
	{"... is not started with its service", INIT, "p-a-1 exited =, p-b-1 exited =", "start",
	 "start container p-b-1 (asked for)\n"},
	{"... but made anew when it changed", INIT, "p-a-1 exited x, p-b-1 running =", "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "start container p-a-1 (configuration changed)\n"},
	{"a provider has no containers",
	 "{'name': 'p', 'services': {'a': {'provider': {'type': 'x'}}, " B
	 ", 'depends_on': {'a': {'condition': 'service_started', 'required': true}}}}, " NETWORK
	 "}",
	 "p-b-1 exited =", "up", "start container p-b-1 (it is exited)\n"},
	{"only create", ONE, "", "up --no-start",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"},
	{"paused", ONE, "p-a-1 paused =", "up", "unpause container p-a-1 (it is paused)\n"},
	{"changed", ONE, "p-a-1 running x", "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "stop container p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "start container p-a-1 (configuration changed)\n"},
	{"changed, but kept", ONE, "p-a-1 running x", "up --no-recreate", ""},
	{"forced", ONE, "p-a-1 exited =", "up --force-recreate",
	 "create container p-a-1 as 000000000000_p-a-1 (asked for)\n"
	 "remove container p-a-1 (asked for)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (asked for)\n"
	 "start container p-a-1 (asked for)\n"},
	{"scaled up", ONE, "p-a-1 running =", "up a=3",
	 "create container p-a-2 (3 wanted)\n"
	 "create container p-a-3 (3 wanted)\n"
	 "start container p-a-2 (3 wanted)\n"
	 "start container p-a-3 (3 wanted)\n"},
	{"scaled down: what changed goes first", ONE,
	 "p-a-1 running x, p-a-2 running =, p-a-3 running =", "up a=2",
	 "stop container p-a-1 (2 wanted)\n"
	 "remove container p-a-1 (2 wanted)\n"},
	{"scaled down: then the highest number", ONE,
	 "p-a-1 running =, p-a-2 running =, p-a-3 running =", "up a=2",
	 "stop container p-a-3 (2 wanted)\n"
	 "remove container p-a-3 (2 wanted)\n"},
	{"run: one more, the service's own stay as they are", ONE, "p-a-1 running x",
	 "up @a oneoff:p-a-run-1",
	 "create container p-a-run-1 (asked for)\n"
	 "start container p-a-run-1 (asked for)\n"},
	{"an interrupted recreation is cleared up", ONE,
	 "p-a-1 running =, p-000000000000_p-a-1 created =", "up",
	 "remove container 000000000000_p-a-1 (left by a recreation that was interrupted)\n"},
	{"before its name is given anew", ONE,
	 "p-a-1 exited =, p-000000000000_p-a-1 created! =", "up --force-recreate",
	 "remove container 000000000000_p-a-1 (left by a recreation that was interrupted)\n"
	 "create container p-a-1 as 000000000000_p-a-1 (asked for)\n"
	 "remove container p-a-1 (asked for)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (asked for)\n"
	 "start container p-a-1 (asked for)\n"},
	{"made for this very request: not once more", ONE,
	 "p-a-1 running! =", "up --force-recreate", ""},
	{"nor when its name is still to come", ONE,
	 "p-000000000000_p-a-1 created! =", "up --force-recreate",
	 "rename container 000000000000_p-a-1 to p-a-1 (a recreation was interrupted)\n"
	 "start container p-a-1 (it is created)\n"},
	{"or completed", ONE, "p-000000000000_p-a-1 created =", "up",
	 "rename container 000000000000_p-a-1 to p-a-1 (a recreation was interrupted)\n"
	 "start container p-a-1 (it is created)\n"},
	{"and not started by others", ONE, "p-a-1 exited =, p-000000000000_p-a-1 created =",
	 "start", "start container p-a-1 (asked for)\n"},
	{"orphans are told of", ONE, "p-a-1 running =, p-z-1 running =", "up",
	 "warning: Found orphan containers ([p-z-1]) for th\n"},
	{"orphans are removed", ONE, "p-a-1 running =, p-z-1 running =", "up --remove-orphans",
	 "stop container p-z-1 (not in the file any more)\n"
	 "remove container p-z-1 (not in the file any more)\n"},
	{"unknown service", ONE, "", "up @aa", "error: no such service: aa\n"},
	{"started before", NEEDS("started", ""), "", "up",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"
	 "start container p-b-1 (no container yet)\n"},
	{"healthy before", NEEDS_HEALTHY, "", "up",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"
	 "wait for container p-a-1 to be healthy (b needs it)\n"
	 "start container p-b-1 (no container yet)\n"},
	{"is healthy", NEEDS_HEALTHY, "p-a-1 running+ =", "up",
	 "create container p-b-1 (no container yet)\n"
	 "start container p-b-1 (no container yet)\n"},
	{"healthy without a check", NEEDS("healthy", ""), "", "up",
	 "error: dependency failed to start: container p-a-1 has no healthcheck configured: "
	 "service "
	 "\"b\" waits for it to be healthy; give \"a\" a healthcheck, or depend on "
	 "service_started\n"},
	{"completed before", NEEDS("completed_successfully", ""), "", "up --wait",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-a-1 (no container yet)\n"
	 "wait for container p-a-1 to be completed (b needs it)\n"
	 "start container p-b-1 (no container yet)\n"
	 "wait for container p-b-1 to be running (--wait)\n"},
	{"one with what it needs", NEEDS("started", ""), "", "up @b --no-start",
	 "create network p_default (no network yet)\n"
	 "create container p-a-1 (no container yet)\n"
	 "create container p-b-1 (no container yet)\n"},
	{"one without", NEEDS("started", ""), "", "up @b --no-deps",
	 "create network p_default (no network yet)\n"
	 "create container p-b-1 (no container yet)\n"
	 "start container p-b-1 (no container yet)\n"},
	{"restarts with what it needs", NEEDS("started", ", 'restart': true"),
	 "p-a-1 running x, p-b-1 running =", "up",
	 "create container p-a-1 as 000000000000_p-a-1 (configuration changed)\n"
	 "stop container p-b-1 (a is made anew)\n"
	 "stop container p-a-1 (configuration changed)\n"
	 "remove container p-a-1 (configuration changed)\n"
	 "rename container 000000000000_p-a-1 to p-a-1 (configuration changed)\n"
	 "start container p-a-1 (configuration changed)\n"
	 "start container p-b-1 (a is made anew)\n"},
	{"down, those that need first", NEEDS("started", ""),
	 "p-a-1 running =, p-b-1 exited =", "down",
	 "stop container p-a-1 (down)\n"
	 "remove container p-b-1 (down)\n"
	 "remove container p-a-1 (down)\n"
	 "remove network p_default (down)\n"},
	{"down at once", ONE, "p-a-1 running =", "down -t0 -v",
	 "stop container p-a-1 within 0s (down)\n"
	 "remove container p-a-1 and its anonymous volumes (down)\n"
	 "remove network p_default (down)\n"},
	{"down leaves orphans and their network", ONE, "p-a-1 exited =, p-z-1 running =", "down",
	 "remove container p-a-1 (down)\n"
	 "warning: Network p_default Resource is still in u\n"
	 "warning: Found orphan containers ([p-z-1]) for th\n"},
	{"down by name takes all", ONE, "p-a-1 exited =, p-z-1 exited =", "down --by-label @nobody",
	 ""},
	{"down without a file", ONE, "p-a-1 exited =, p-z-1 exited =", "down --by-label",
	 "remove container p-z-1 (down)\n"
	 "remove container p-a-1 (down)\n"
	 "remove network p_default (down)\n"},
	{"down of nothing", ONE, "", "down", ""},
	{"stop", NEEDS("started", ""), "p-a-1 running =, p-b-1 running =", "stop",
	 "stop container p-b-1 (asked for)\n"
	 "stop container p-a-1 (asked for)\n"},
	{"start", NEEDS("started", ""), "p-a-1 exited =, p-b-1 exited =", "start",
	 "start container p-a-1 (asked for)\n"
	 "start container p-b-1 (asked for)\n"},
	{"start of what ran before", NEEDS_HEALTHY,
	 "p-a-1 exited =, p-b-1 exited =", "start only:1 only:2",
	 "start container p-a-1 (it ran before)\n"
	 "wait for container p-a-1 to be healthy (b can do without it)\n"
	 "start container p-b-1 (it ran before)\n"},
	{"start of one that ran before", NEEDS_HEALTHY, "p-a-1 exited =, p-b-1 exited =",
	 "start only:2", "start container p-b-1 (it ran before)\n"},
	{"start of what was never made", ONE, "", "start",
	 "error: service \"a\" has no container to start: bring it up first\n"},
	{"restart of one", NEEDS("started", ""), "p-a-1 running =, p-b-1 running =", "restart @a",
	 "stop container p-a-1 (asked for)\n"
	 "start container p-a-1 (asked for)\n"},
	{"restart takes along", NEEDS("started", ", 'restart': true"),
	 "p-a-1 running =, p-b-1 running =", "restart @a",
	 "stop container p-b-1 (what it needs restarts)\n"
	 "stop container p-a-1 (asked for)\n"
	 "start container p-a-1 (asked for)\n"
	 "start container p-b-1 (asked for)\n"},
	{"restart takes along after a crash", NEEDS("started", ", 'restart': true"),
	 "p-a-1 running! =, p-b-1 running =", "up",
	 "stop container p-b-1 (a is made anew)\n"
	 "start container p-b-1 (a is made anew)\n"},
	{"kill", ONE, "p-a-1 running =", "kill", "kill container p-a-1 with SIGKILL (asked for)\n"},
	{"rm leaves what runs", ONE, "p-a-1 running =, p-a-2 exited =", "rm",
	 "remove container p-a-2 (asked for)\n"},
	{"rm -s", ONE, "p-a-1 running =", "rm -s",
	 "stop container p-a-1 (asked for)\n"
	 "remove container p-a-1 (asked for)\n"},
};

Test(reconcile, plans_as_text)
{
	array_foreach(row, rows) {
		_cleanup_free_ char *text = plan_of(row);

		cr_expect_str_eq(text, row->expect, "%s:\n%s--- instead of\n%s", row->what, text,
				 row->expect);
	}
}

Test(reconcile, cycles_are_shown)
{
	static const char cycle[] =
		"{'name': 'p', 'services': {" A
		", 'depends_on': {'b': {'condition': 'service_started', 'required': true}}}, " B
		", 'depends_on': {'a': {'condition': 'service_started', 'required': "
		"true}}}}, " NETWORK "}";
	const struct row row = {"cycle", cycle, "", "up", ""};
	_cleanup_free_ char *text = plan_of(&row);

	cr_expect_str_eq(text, "error: dependency cycle detected: a -> b -> a\n");
}
