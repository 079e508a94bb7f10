// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth image pull` and `berth image push`: as docker's, without a project. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/image/image.h"
#include "runtime/image/tags.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/registry/push_run.h"
#include "compose/cli/view/output.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);

static bool pull_all, pull_quiet, push_all, push_quiet, ignored;
static const char *pull_platform, *push_platform;

static const struct option pull_options[] = {
	{"all-tags", 'a', OPTION_FLAG, &pull_all, NULL, "All that the repository has"},
	{"disable-content-trust", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"platform", 0, OPTION_STRING, &pull_platform, "string", "os/architecture that is wanted"},
	{"quiet", 'q', OPTION_FLAG, &pull_quiet, NULL, "No progress of layers"},
	{NULL},
};

static const struct option push_options[] = {
	{"all-tags", 'a', OPTION_FLAG, &push_all, NULL,
	 "All names that images of this repository have here"},
	{"disable-content-trust", 0, OPTION_FLAG, &ignored, NULL, NULL},
	{"platform", 0, OPTION_STRING, &push_platform, "string",
	 "Of an image for several platforms the one for this os/architecture"},
	{"quiet", 'q', OPTION_FLAG, &push_quiet, NULL, "No progress of layers"},
	{NULL},
};

/* Of a name that is a repository's: no tag, no digest. */
static int check_repository(const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');

	if (strpbrk(slash ?: name, ":@"))
		return error_set(err, EINVAL, "tag can't be used with --all-tags/-a");
	return 0;
}

static int pull_names(struct project_args *args, char *const *names)
{
	size_t count = strv_length(names);
	struct service *services = new_array(struct service, count);
	struct pull_services set = {.items = new_array(struct pull_item, count), .count = count};
	int r;

	for (size_t i = 0; i < count; i++) {
		services[i].image = names[i];
		set.items[i] = (struct pull_item){.service = &services[i],
						  .image = names[i],
						  .platform = docker_platform(pull_platform),
						  .policy = PULL_ALWAYS};
	}
	r = pull_run(args, &set, "pull", pull_quiet, false);
	pull_services_done(&set);
	free(services);
	return r;
}

static int pull(struct project_args *args, int argc, char **argv)
{
	_cleanup_free_ char *normalized = NULL, *repository = NULL, *tag = NULL;
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;
	int r;

	if (reference_parse(argv[0], &normalized, &err) < 0 ||
	    (pull_all && check_repository(argv[0], &err) < 0))
		return output_fail(args, &err);
	if (pull_all && image_remote_tags(argv[0], &names, &err) < 0)
		return output_fail(args, &err);
	if (!pull_all)
		strv_append(&names, argv[0]);
	r = pull_names(args, names);
	if (r != 0)
		return r;
	reference_familiar(normalized, &repository, &tag);
	if (pull_all)
		puts(repository);
	else
		puts(normalized);
	return 0;
}

/* The names here that begin with the repository. */
static int names_here(const char *repository, char ***ret, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_free_ char *normalized = NULL;
	struct image **images = NULL;
	size_t count = 0;

	if (reference_parse(repository, &normalized, err) < 0 || store_here_open(&store, err) < 0 ||
	    image_list(store, &images, &count, err) < 0)
		return -err->code;
	*strrchr(normalized, ':') = '\0';
	for (size_t i = 0; i < count; i++) {
		const char *name = images[i]->reference;

		if (name && str_starts_with(name, normalized) && name[strlen(normalized)] == ':' &&
		    !strchr(name, '@'))
			strv_append(ret, name);
		image_free(images[i]);
	}
	free(images);
	if (!*ret)
		return error_set(err, ENOENT, "an image does not exist locally with the tag: %s",
				 repository);
	return 0;
}

static int push(struct project_args *args, int argc, char **argv)
{
	const struct push_run_options options = {
		.quiet = push_quiet, .print_digests = true, .platform = push_platform};
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (!push_all)
		return push_run(args, argv, &options);
	if (check_repository(argv[0], &err) < 0 || names_here(argv[0], &names, &err) < 0)
		return output_fail(args, &err);
	return push_run(args, names, &options);
}

const struct command command_image_pull = {
	.name = "pull",
	.operands = "[OPTIONS] NAME[:TAG|@DIGEST]",
	.summary = "Fetch an image from its registry",
	.options = pull_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = pull,
};

const struct command command_image_push = {
	.name = "push",
	.operands = "[OPTIONS] NAME[:TAG]",
	.summary = "Send an image to its registry",
	.options = push_options,
	.min_operands = 1,
	.max_operands = 1,
	.run = push,
};
