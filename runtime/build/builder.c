// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/build/lint.h"

#define DOCKERFILE_LIMIT (DOCKERFILE_MAX + 1)

static int open_folders(struct build *build, struct error *err)
{
	static const char *const names[] = {"cache", "mounts", "runs", "locks"};
	_cleanup_close_ int root = fs_open_dir(AT_FDCWD, build->with->root, err);

	if (root < 0)
		return root;
	build->dir = fs_mkdir_open(root, "build", 0700, err);
	for (size_t i = 0; build->dir >= 0 && i < ARRAY_SIZE(names); i++)
		if (mkdirat(build->dir, names[i], 0700) < 0 && errno != EEXIST)
			return error_errno(err, "make build/%s", names[i]);
	if (build->dir >= 0)
		start_sweep(build->dir);
	return build->dir < 0 ? build->dir : 0;
}

static int read_dockerfile(struct build *build, struct error *err)
{
	const struct build_options *options = build->options;
	const char *name = options->dockerfile ?: "Dockerfile";
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = 0;

	if (options->dockerfile_inline || build->dockerfile_text) {
		/* "-": it came on standard input. */
		name = build->dockerfile_text || !strcmp(name, "-") ? "Dockerfile"
								    : "dockerfile_inline";
		text = alloc_string(build->dockerfile_text ?: options->dockerfile_inline);
		size = strlen(text);
	} else if (*name != '/' && build->context.dir < 0) {
		return error_set(err, ENOENT, "%s: there is no build context", name);
	} else {
		r = fs_read(build->context.dir < 0 ? AT_FDCWD : build->context.dir, name,
			    DOCKERFILE_LIMIT, &text, &size, err);
	}
	if (r == -ENOENT && *name == '/')
		return error_set(err, ENOENT, "there is no Dockerfile %s", name);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "there is no %s in %s", name, build->context.path);
	if (r == -EISDIR)
		return error_set(err, EISDIR, "%s is a folder, a Dockerfile is needed: -f FILE",
				 name);
	if (r < 0)
		return error_wrap(err, "read the Dockerfile");
	return dockerfile_parse(name, text, size, &build->dockerfile, &build->result->report, err);
}

static void warn_of_unused(struct build *build)
{
	_cleanup_strbuf_ struct strbuf names = {0};

	map_foreach(arg, &build->args)
		if (!map_get(&build->used_args, arg->key) && !scope_is_proxy(arg->key))
			strbuf_addf(&names, "%s%s", names.length ? ", " : "", arg->key);
	if (names.length)
		build_warn(build, "build arguments that no ARG asks for: %s", names.data);
}

/* What is mostly not meant: told when only that is asked for, or made an error by the file. */
static int lint(struct build *build, struct error *err)
{
	bool fatal;
	_cleanup_strv_ char **findings = lint_run(build->dockerfile, &fatal);
	size_t count = strv_length(findings);

	if (fatal || build->options->check_only)
		strv_foreach(text, findings)
			build_emit(build, &(struct build_event){.kind = BUILD_WARNING,
								.text = text,
								.length = strlen(text)});
	if (!count || !fatal)
		return 0;
	return error_set(err, EINVAL, "%s: %zu %s, which its check=error=true makes an error",
			 build->dockerfile->source.name, count,
			 count == 1 ? "finding" : "findings");
}

/* Rather than when all is built. */
static int check_tags(const struct build_options *options, struct error *err)
{
	strv_foreach(tag, options->tags) {
		_cleanup_free_ char *reference = NULL;

		if (reference_parse(tag, &reference, err) < 0)
			return -err->code;
	}
	return 0;
}

static int prepare(struct build *build, struct error *err)
{
	if (check_tags(build->options, err) < 0)
		return -err->code;
	if (open_folders(build, err) < 0 || transfer_new(build, &build->transfer, err) < 0 ||
	    contexts_open(build, err) < 0 || read_dockerfile(build, err) < 0 ||
	    scope_init(build, err) < 0)
		return -err->code;
	if (build->dockerfile->warnings.length)
		build_emit(build,
			   &(struct build_event){.kind = BUILD_WARNING,
						 .text = build->dockerfile->warnings.data,
						 .length = build->dockerfile->warnings.length});
	if (lint(build, err) < 0 || stages_resolve(build, err) < 0)
		return -err->code;
	warn_of_unused(build);
	return 0;
}

static void free_copy(struct copy_spec *copy)
{
	strv_free(copy->paths);
	strv_free(copy->remotes);
	free(copy->destination);
	free(copy->chown);
	free(copy->chmod);
	free(copy->checksum);
	free(copy->source.name);
	ignore_done(&copy->exclude);
	for (size_t i = 0; i < copy->file_count; i++) {
		free(copy->files[i].name);
		free(copy->files[i].content);
	}
	free(copy->files);
}

static void free_step(struct step *step)
{
	free_copy(&step->copy);
	for (size_t i = 0; i < step->mount_count; i++)
		run_mount_done(&step->mounts[i]);
	free(step->mounts);
	free(step->title);
	free(step->text);
	strv_free(step->env);
	strv_free(step->arg_env);
	strv_free(step->args);
	free(step->user);
	free(step->cwd);
	free(step->network);
	free(step->staged);
	free(step->staged_blob);
	free(step->scratch);
	strbuf_done(&step->log);
	cleanup_close_fd(&step->lock_fd);
	free(step);
}

static void free_stage(struct build_stage *stage)
{
	free(stage->platform);
	free(stage->base_name);
	json_decref(stage->image);
	for (size_t i = 0; i < stage->history_count; i++)
		json_decref(stage->history[i].entry);
	free(stage->history);
	map_done(&stage->args, free);
	free(stage->steps);
	for (size_t i = 0; i < stage->trigger_count; i++) {
		instruction_done(stage->triggers[i]);
		free(stage->triggers[i]);
	}
	free(stage->triggers);
}

static void build_done(struct build *build)
{
	if (build->staging_open)
		staging_done(&build->staging);
	for (size_t i = 0; i < build->step_count; i++)
		free_step(build->steps[i]);
	free(build->steps);
	for (size_t i = 0; build->stages && i < build->stage_count; i++)
		free_stage(&build->stages[i]);
	free(build->stages);
	for (size_t i = 0; i < build->tree_count; i++)
		free(build->trees[i]);
	free(build->trees);
	map_done(&build->images, base_image_free);
	map_done(&build->args, free);
	map_done(&build->globals, free);
	map_done(&build->used_args, NULL);
	map_done(&build->named, NULL);
	context_done(&build->context);
	for (size_t i = 0; i < build->context_count; i++)
		context_done(&build->contexts[i]);
	free(build->contexts);
	transfer_free(build->transfer);
	free(build->dockerfile_text);
	dockerfile_free(build->dockerfile);
	cleanup_close_fd(&build->dir);
}

static int finish_build(struct build *build, struct error *err)
{
	if (build_open_staging(build, err) < 0)
		return -err->code;
	if (build->options->output != BUILD_OUTPUT_IMAGE)
		return build_commit(build, err) < 0 ? -err->code : output_files(build, err);
	if (export_image(build, err) < 0 || transfer_stage(build->transfer, err) < 0)
		return -err->code;
	/* Steps of stages that are not in the image: only then the cache may know them. */
	if (build_commit(build, err) < 0)
		return -err->code;
	return transfer_send(build->transfer, err);
}

int build_run(const struct build_surroundings *surroundings, const struct build_options *options,
	      struct build_result *ret, struct error *err)
{
	struct build build = {.with = surroundings,
			      .options = options,
			      .result = ret,
			      .store = surroundings->store,
			      .dir = -EBADF,
			      .context.dir = -EBADF,
			      .committed_usec = units_monotonic_usec()};
	struct error late = ERROR_INIT;
	int r;

	*ret = (struct build_result){0};
	r = prepare(&build, err);
	if (r == 0 && !options->check_only) {
		r = schedule_run(&build, err);
		if (r < 0) {
			schedule_stop(&build);
			start_sweep(build.dir);
			/* What was finished before is not lost. */
			if (build.staging_open && build_commit(&build, &late) < 0)
				log_debug("build: %s", late.message);
		} else {
			r = finish_build(&build, err);
		}
	}
	build_done(&build);
	return r;
}

void build_result_done(struct build_result *result)
{
	free(result->image_id);
	free(result->report);
	strv_free(result->bases);
	*result = (struct build_result){0};
}
