// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth publish`: the project's files to a registry, where `-f oci://...` finds them. */
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/image/image_digests.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/publish/publish_artifact.h"
#include "compose/cli/publish/publish_checks.h"
#include "compose/cli/registry/pull_run.h"
#include "compose/cli/registry/push_run.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"
#include "compose/model/emit.h"

static bool app, resolve_digests, with_env, yes;
static const char *oci_version;

static const struct option options[] = {
	{"app", 0, OPTION_FLAG, &app, NULL, "With the images of the services"},
	{"oci-version", 0, OPTION_STRING, &oci_version, "string",
	 "1.1, or 1.0 for registries that know no artifacts (default: what the registry takes)"},
	{"resolve-image-digests", 0, OPTION_FLAG, &resolve_digests, NULL,
	 "Pin images to what their tags mean now"},
	{"with-env", 0, OPTION_FLAG, &with_env, NULL, "With environment and env_file"},
	{"yes", 'y', OPTION_FLAG, &yes, NULL, "Yes to all questions"},
	{NULL},
};

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);
DEFINE_CLEANUP(struct progress *, progress_free);
DEFINE_CLEANUP(struct project *, project_free);
DEFINE_CLEANUP(struct push *, push_free);

/* One `berth publish`. */
struct publishing {
	const char *name; /* as the user wrote it */
	const struct project *project;
	struct portable files;
	struct image_store *store;
	struct push *push;
	struct progress *progress;
	int signals;
};

static int check_version(struct error *err)
{
	if (!oci_version || !strcmp(oci_version, "1.0") || !strcmp(oci_version, "1.1"))
		return 0;
	return error_set(err, EINVAL, "--oci-version \"%s\": there are 1.0 and 1.1", oci_version);
}

static void load_options_of(const struct project_args *args, struct load_options *ret)
{
	static char *every_profile[] = {(char *)"*", NULL};

	project_args_load_options(args, ret);
	ret->profiles = every_profile;
	ret->no_env_resolution = true;
	ret->unset_sources = true;
}

/* A file on top of the others, which says what the tags mean. */
static int add_digests(struct publishing *publishing, struct error *err)
{
	_cleanup_json_ json_t *json = project_to_json(publishing->project, false);
	struct portable_file *file;
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	int r = image_digests_pin(json, err);

	if (r < 0)
		return r;
	image_digests_only(json, true);
	out = open_memstream(&text, &size);
	if (!out)
		return error_errno(err, "write image-digests.yaml");
	r = config_render_yaml(json, out);
	if (fclose(out) != 0 || r < 0)
		return error_set(err, ENOMEM, "write image-digests.yaml");
	file = array_add(publishing->files.files, publishing->files.count);
	file->kind = PORTABLE_COMPOSE;
	file->name = alloc_string("image-digests.yaml");
	file->text = text;
	file->size = size;
	return 0;
}

/* Until all that was added is there, or something failed. */
static int push_all(struct publishing *publishing, struct error *err)
{
	struct pollfd wait = {.fd = publishing->signals, .events = POLLIN};

	while (push_step(publishing->push, &wait, 1, progress_timeout(publishing->progress))) {
		progress_tick(publishing->progress);
		if (wait.revents)
			return error_set(err, EINTR, "interrupted: nothing was published");
	}
	return 0;
}

static int push_manifest(struct publishing *publishing, enum publish_version version,
			 struct push_image **ret, struct error *err)
{
	_cleanup_free_ char *manifest = publish_manifest(&publishing->files, with_env, version);
	_cleanup_free_ struct push_piece *pieces = NULL;
	size_t count;

	pieces = publish_pieces(&publishing->files, with_env, &count);
	*ret = push_add_artifact(publishing->push, publishing->name, PUBLISH_MANIFEST_MEDIA,
				 manifest, pieces, count);
	if (push_all(publishing, err) < 0)
		return -err->code;
	return push_result(*ret, err) < 0 ? -err->code : 0;
}

/* Registries of the time before artifacts refuse what they do not know. */
static int push_files(struct publishing *publishing, struct push_image **ret, struct error *err)
{
	bool old = oci_version && !strcmp(oci_version, "1.0");
	int r = push_manifest(publishing, old ? PUBLISH_OCI_1_0 : PUBLISH_OCI_1_1, ret, err);

	if (r >= 0 || oci_version || !push_refused(*ret))
		return r;
	error_clear(err);
	return push_manifest(publishing, PUBLISH_OCI_1_0, ret, err);
}

/* "registry/team/app", without a tag. */
static char *repository_of(const char *name, struct error *err)
{
	_cleanup_free_ char *normal = NULL;
	char *tag;

	if (reference_parse(name, &normal, err) < 0)
		return NULL;
	tag = strrchr(normal, ':');
	if (tag && !strchr(tag, '/'))
		*tag = '\0';
	return TAKE_PTR(normal);
}

/* The images of the services, a repository with the files. */
static int push_images(struct publishing *publishing, const char *repository,
		       struct push_image **images, struct error *err)
{
	const struct project *project = publishing->project;

	for (size_t i = 0; i < project->service_count; i++) {
		_cleanup_(cleanup_image_free) struct image *image = NULL;
		_cleanup_free_ char *name = NULL;

		if (!project->services[i].image)
			continue;
		if (image_find(publishing->store, project->services[i].image, &image, err) < 0)
			return error_wrap(err, "service %s (pull or build it first)",
					  project->services[i].name);
		name = str_printf("%s@%s", repository, image->digest);
		images[i] = push_add_digest(publishing->push, name, image->digest);
	}
	return push_all(publishing, err);
}

static int push_app(struct publishing *publishing, const struct push_image *files,
		    struct error *err)
{
	size_t count = publishing->project->service_count;
	_cleanup_free_ struct push_image **images = new_array(struct push_image *, count + 1);
	_cleanup_free_ char *repository = repository_of(publishing->name, err), *index = NULL,
			    *name = NULL;
	_cleanup_json_ json_t *manifests = json_array();
	char hex[SHA256_HEX_SIZE];
	struct push_image *pushed;
	const char *digest;
	uint64_t size;

	if (!repository || push_images(publishing, repository, images, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		if (!images[i])
			continue;
		if (push_result(images[i], err) < 0)
			return -err->code;
		digest = push_digest(images[i], &size);
		json_array_append_new(manifests, json_pack("{s:s, s:s, s:I}", "mediaType",
							   push_media(images[i]), "digest", digest,
							   "size", (json_int_t)size));
	}
	digest = push_digest(files, &size);
	index = publish_index(manifests, digest, size);
	sha256_of(index, strlen(index), hex);
	name = str_printf("%s@sha256:%s", repository, hex);
	pushed = push_add_artifact(publishing->push, name, PUBLISH_INDEX_MEDIA, index, NULL, 0);
	if (push_all(publishing, err) < 0)
		return -err->code;
	return push_result(pushed, err) < 0 ? -err->code : 0;
}

static int publish(struct publishing *publishing, struct error *err)
{
	struct push_image *files = NULL;
	int r;

	if (resolve_digests && add_digests(publishing, err) < 0)
		return -err->code;
	if (store_here_open(&publishing->store, err) < 0 ||
	    push_new(publishing->store, NULL, NULL, &publishing->push, err) < 0)
		return -err->code;
	publishing->signals = pull_run_signals(err);
	if (publishing->signals < 0)
		return publishing->signals;
	r = push_files(publishing, &files, err);
	if (r >= 0 && app)
		r = push_app(publishing, files, err);
	pull_run_signals_end(publishing->signals);
	return r;
}

static int publish_shown(struct project_args *args, struct publishing *publishing)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_progress_free) struct progress *progress = progress_new(args, "publish");
	_cleanup_(cleanup_push_free) struct push *push = NULL;
	struct error err = ERROR_INIT;
	int r;

	publishing->progress = progress;
	progress_set(progress, publishing->name, PROGRESS_WORKING, "publishing", NULL);
	r = publish(publishing, &err);
	store = publishing->store;
	push = publishing->push;
	progress_set(progress, publishing->name, r < 0 ? PROGRESS_ERROR : PROGRESS_DONE,
		     r < 0 ? "publishing" : "published", NULL);
	progress_freeze(progress);
	if (r == -EINTR)
		return PULL_INTERRUPTED;
	return r < 0 ? output_fail(args, &err) : 0;
}

static int print_dry_run(const struct publishing *publishing, char *const *names)
{
	strv_foreach(name, (char **)names)
		printf("push image %s\n", name);
	for (size_t i = 0; i < publishing->files.count; i++)
		if (publishing->files.files[i].kind != PORTABLE_ENVIRONMENT || with_env)
			printf("publish %s as %s of %s\n", publishing->files.files[i].path,
			       publishing->files.files[i].name, publishing->name);
	return 0;
}

static int run_loaded(struct project_args *args, struct publishing *publishing)
{
	_cleanup_strv_ char **names = NULL, **skipped = NULL;
	const struct publish_checks checks = {
		.project = publishing->project,
		.files = &publishing->files,
		.with_environment = with_env,
		.yes = yes || args->dry_run,
	};
	const struct push_run_options pushing = {.ignore_failures = true};
	struct error err = ERROR_INIT;
	int r = publish_checks(&checks, &err);

	if (r < 0)
		return output_fail(args, &err);
	if (r == 0) {
		/* As docker compose has it: to say no is no failure. */
		fputs("nothing was published\n", stderr);
		return 0;
	}
	push_run_gather(publishing->project, NULL, true, &names, &skipped);
	if (args->dry_run)
		return print_dry_run(publishing, names);
	r = names ? push_run(args, names, &pushing) : 0;
	return r ? r : publish_shown(args, publishing);
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	struct publishing publishing = {.name = argv[0]};
	_cleanup_free_ char *normal = NULL;
	struct load_options load;
	struct error err = ERROR_INIT;
	int r;

	load_options_of(args, &load);
	if (check_version(&err) < 0 || reference_parse(argv[0], &normal, &err) < 0 ||
	    load_project(&load, &project, &args->report, &err) < 0)
		return output_fail(args, &err);
	publishing.project = project;
	if (load_portable(&load, &publishing.files, &args->report, &err) < 0)
		r = output_fail(args, &err);
	else
		r = run_loaded(args, &publishing);
	portable_done(&publishing.files);
	return r;
}

const struct command command_publish = {
	.name = "publish",
	.operands = "[OPTIONS] REPOSITORY[:TAG]",
	.summary = "Send the project's files to a registry, as an OCI artifact",
	.options = options,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};
