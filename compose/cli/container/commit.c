// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/rootless.h"
#include "common/str.h"

#include "runtime/image/image.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_root.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"

static char **changes;
static int container_index;
static bool pause_it = true;
static const char *author, *message;

static const struct option options[] = {
	{"author", 'a', OPTION_STRING, &author, "string", "Who made it"},
	{"change", 'c', OPTION_LIST, &changes, "list",
	 "A change of its config in a Dockerfile's words: 'CMD [\"x\"]'"},
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{"message", 'm', OPTION_STRING, &message, "string", "What changed"},
	{"pause", 'p', OPTION_FLAG, &pause_it, NULL,
	 "Freeze it meanwhile, so that its files are of one moment (on; --pause=false)"},
	{NULL},
};

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);
DEFINE_CLEANUP(struct progress *, progress_free);

/* KEY="value" with what the quotes would end escaped. */
static void add_pair(char ***list, const char *word, const char *key, size_t key_size,
		     const char *value)
{
	struct strbuf text = {0};

	strbuf_addf(&text, "%s %.*s=\"", word, (int)key_size, key);
	for (; *value; value++) {
		if (strchr("\"\\$", *value))
			strbuf_addc(&text, '\\');
		strbuf_addc(&text, *value);
	}
	strbuf_addc(&text, '"');
	strv_take(list, strbuf_take(&text));
}

static void add_list(char ***list, const char *word, char *const *words)
{
	_cleanup_json_ json_t *json = json_from_strv(words);
	_cleanup_free_ char *text = json_text(json);

	if (words && words[0])
		strv_take(list, str_printf("%s %s", word, text));
}

static void add_word(char ***list, const char *word, const char *value)
{
	if (value && value[0])
		strv_take(list, str_printf("%s %s", word, value));
}

/* The image that the container was made of says how the new one is to be run. */
static char **config_of(const struct image *image)
{
	char **list = NULL;
	const char *key;
	json_t *value;

	strv_foreach(row, image->env) {
		const char *equals = strchr(row, '=');

		if (equals)
			add_pair(&list, "ENV", row, (size_t)(equals - row), equals + 1);
	}
	json_object_foreach(image->labels, key, value) {
		add_pair(&list, "LABEL", key, strlen(key), json_string_value(value) ?: "");
	}
	add_list(&list, "ENTRYPOINT", image->entrypoint);
	add_list(&list, "CMD", image->command);
	add_list(&list, "VOLUME", image->volumes);
	strv_foreach(port, image->exposed_ports)
		add_word(&list, "EXPOSE", port);
	add_word(&list, "USER", image->user);
	add_word(&list, "WORKDIR", image->working_dir);
	add_word(&list, "STOPSIGNAL", image->stop_signal);
	strv_foreach(change, changes)
		strv_append(&list, change);
	return list;
}

static int import(const char *project, const json_t *container, const char *reference,
		  char **ret_id, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_strv_ char **config = NULL;
	_cleanup_close_ int root = -EBADF, dir = -EBADF;

	if (store_here_open(&store, err) < 0 ||
	    image_find(store, json_get_string(container, "image_id"), &image, err) < 0)
		return -err->code;
	root = container_root_layers(project, json_get_string(container, "id"), err);
	if (root < 0)
		return root;
	dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(err, "open the container's layers");
	config = config_of(image);
	const struct image_import_options how = {
		.reference = reference,
		.message = message ?: "",
		.author = author,
		.changes = config,
	};
	return image_import(store, dir, &how, ret_id, err);
}

static int set_frozen(struct project_args *args, const char *project, const json_t *container,
		      bool frozen)
{
	const struct plan_options goal = {.goal = frozen ? PLAN_PAUSE : PLAN_UNPAUSE,
					  .timeout_usec = -1};
	_cleanup_json_ json_t *one = json_copy((json_t *)container);
	const char *progress = args->progress;
	int r;

	json_put_string(one, "project", project);
	args->progress = "quiet";
	r = machine_converge_one(args, one, &goal);
	args->progress = progress;
	return r;
}

/* What runs is frozen meanwhile, so that its files are of one moment. Exit code. */
static int commit(struct project_args *args, const char *project, const json_t *container,
		  const char *reference, char **ret_id)
{
	bool freeze = pause_it && str_equal(json_get_string(container, "state"), "running");
	struct error err = ERROR_INIT;
	sigset_t signals, before;
	int r;

	/* Nobody else would let it go on. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, &before);
	r = freeze ? set_frozen(args, project, container, true) : 0;
	/* An ordinary user may lack the means, and what is to be committed may well stand still. */
	if (r != 0 && rootless()) {
		fprintf(stderr,
			"warning: container %s: committed as it runs: what it writes just now "
			"may be there in part\n",
			json_get_string(container, "name"));
		freeze = false;
		r = 0;
	}
	if (r == 0) {
		if (import(project, container, reference, ret_id, &err) < 0)
			r = output_fail(args, &err);
		if (freeze && set_frozen(args, project, container, false) != 0)
			r = 1;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_progress_free) struct progress *progress = NULL;
	_cleanup_free_ char *id = NULL, *object = NULL;
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL;
	char *services[] = {argv[0], NULL};
	const json_t *container = NULL;
	struct error err = ERROR_INIT;

	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0 ||
	    target_pick(containers, argv[0], container_index, false, &container, &err) < 0)
		return output_fail(args, &err);
	object = str_printf("Container %s", json_get_string(container, "name"));
	if (args->dry_run) {
		printf("commit container %s to %s (asked for)\n",
		       json_get_string(container, "name"), argc > 1 ? argv[1] : "an image");
		return 0;
	}
	progress = progress_new(args, "commit");
	progress_set(progress, object, PROGRESS_WORKING, "Committing", NULL);
	if (commit(args, target.name, container, argc > 1 ? argv[1] : NULL, &id) != 0) {
		progress_set(progress, object, PROGRESS_ERROR, "Error", NULL);
		progress_freeze(progress);
		return 1;
	}
	progress_set(progress, object, PROGRESS_DONE, "Committed as", id);
	return 0;
}

const struct command command_commit = {
	.name = "commit",
	.operands = "[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
	.summary = "Make an image of a container's files, without what is mounted there",
	.options = options,
	.min_operands = 1,
	.max_operands = 2,
	.run = run,
};

/* As docker: the new image's id, and nothing else. */
static int run_container(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL;
	const char *reference = argc > 1 ? argv[1] : NULL;
	_cleanup_free_ char *id = NULL;
	struct error err = ERROR_INIT;

	if (machine_find(argv[0], &container, &err) < 0)
		return output_fail(args, &err);
	if (args->dry_run) {
		printf("commit container %s to %s (asked for)\n",
		       json_get_string(container, "name"), reference ?: "an image");
		return 0;
	}
	if (commit(args, json_get_string(container, "project"), container, reference, &id) != 0)
		return 1;
	puts(id);
	return 0;
}

static const struct option container_only[] = {
	{"author", 'a', OPTION_STRING, &author, "string", "Who made it"},
	{"change", 'c', OPTION_LIST, &changes, "list",
	 "A change of its config in a Dockerfile's words: 'CMD [\"x\"]'"},
	{"message", 'm', OPTION_STRING, &message, "string", "What changed"},
	{"pause", 'p', OPTION_FLAG, &pause_it, NULL,
	 "Freeze it meanwhile, so that its files are of one moment (on; --pause=false)"},
	{NULL},
};

const struct command command_container_commit = {
	.name = "commit",
	.operands = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Make an image of a container's files, without what is mounted there",
	.options = container_only,
	.min_operands = 1,
	.max_operands = 2,
	.run = run_container,
};
