// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which stages the wanted one needs, and what each stands upon: another stage, an image of the
 * store, or nothing.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/image/platform.h"
#include "runtime/image/variants.h"

DEFINE_CLEANUP(struct image *, image_free);

struct tree *tree_new(struct build *build, struct tree *below, const char *diff)
{
	struct tree *tree = new (struct tree);

	*array_add(build->trees, build->tree_count) = tree;
	tree->below = below;
	snprintf(tree->diff, sizeof(tree->diff), "%s", diff);
	chain_id(below ? below->chain : "", diff, tree->chain);
	return tree;
}

struct step *stage_last_step(const struct build_stage *stage)
{
	for (; stage; stage = stage->base_stage)
		if (stage->step_count)
			return stage->steps[stage->step_count - 1];
	return NULL;
}

struct tree *stage_tree(const struct build_stage *stage)
{
	const struct step *step = stage_last_step(stage);

	if (step)
		return step->result;
	while (stage->base_stage)
		stage = stage->base_stage;
	return stage->base_tree;
}

void base_image_free(void *image)
{
	struct base_image *base = image;

	json_decref(base->config);
	free(base);
}

/* Layers from the config, their blobs from the manifest beside it. */
static int read_layers(struct build *build, const json_t *config, const json_t *manifest,
		       struct base_image *image, struct error *err)
{
	const json_t *diffs = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	const json_t *blobs = json_object_get(manifest, "layers");
	const char *created = json_get_string(config, "created");
	json_t *diff;
	size_t i;

	json_array_foreach((json_t *)diffs, i, diff) {
		const json_t *blob = json_array_get(blobs, i);
		const char *hex = digest_hex(json_string_value(diff));
		const char *digest = json_get_string(blob, "digest");
		const char *media = json_get_string(blob, "mediaType");

		if (!hex || !digest_hex(digest))
			return error_set(err, EBADMSG, "layer %zu has no digest", i + 1);
		image->tree = tree_new(build, image->tree, hex);
		snprintf(image->tree->blob, sizeof(image->tree->blob), "%s", digest);
		image->tree->blob_bytes = (uint64_t)json_get_int(blob, "size", 0);
		/* The config lives as long as the build: so does its manifest's word. */
		image->tree->media =
			media ? json_string_value(json_object_get(blob, "mediaType")) : NULL;
		if (created)
			(void)units_parse_time(created, 0, &image->tree->created_nsec);
	}
	return 0;
}

static int find_or_pull(struct build *build, const char *reference, const char *platform,
			struct image **ret, struct error *err)
{
	const struct build_surroundings *with = build->with;
	struct error here = ERROR_INIT;
	int r = -ENOENT;

	if (!build->options->pull || !with->pull)
		r = image_find_platform(build->store, reference, platform, ret, err);
	else
		error_set(err, ENOENT, "asked for anew");
	if (r != -ENOENT)
		return r;
	if (!with->pull)
		return error_set(err, ENOENT, "image %s is not here", reference);
	error_clear(err);
	r = with->pull(with->data, reference, platform, build->options->pull, err);
	/* One of another platform is what the user has to know of. */
	if (r < 0)
		return image_find(build->store, reference, ret, &here) < 0 ? r : 0;
	return image_find_platform(build->store, reference, platform, ret, err);
}

static int check_platform(const struct image *image, const char *reference, const char *platform,
			  struct error *err)
{
	_cleanup_strv_ char **parts = platform ? strv_split(platform, "/") : NULL;

	if (!parts || strv_length(parts) < 2 || !*image->architecture ||
	    !strcmp(parts[1], image->architecture))
		return 0;
	return error_set(err, ENOENT, "image %s is here for %s/%s, not for %s", reference,
			 image->os, image->architecture, platform);
}

int stages_image(struct build *build, const char *reference, const char *platform,
		 struct base_image **ret, struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_free_ char *key = str_printf("%s %s", reference, platform ?: "");
	struct base_image *base = map_get(&build->images, key);
	json_t *manifest = NULL;
	int r;

	*ret = base;
	if (base)
		return 0;
	r = find_or_pull(build, reference, platform, &image, err);
	if (r == 0)
		r = check_platform(image, reference, platform, err);
	if (r == 0)
		r = store_read_json(build->store, image->digest, &manifest, err);
	if (r < 0)
		return r;
	base = new (struct base_image);
	r = store_read_json(build->store, image->id, &base->config, err);
	if (r == 0) {
		r = read_layers(build, base->config, manifest, base, err);
	}
	if (r == 0)
		json_object_set_new(base->config, "berth.manifest", manifest);
	else
		json_decref(manifest);
	if (r < 0) {
		base_image_free(base);
		return error_wrap(err, "image %s", reference);
	}
	strv_take(&build->result->bases, str_printf("%s %s", image->reference ?: reference,
						    image->target ?: image->digest));
	map_set(&build->images, key, base);
	*ret = base;
	return 0;
}

static int load_layout(struct build *build, const char *path, char **ret_name, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *folder = alloc_string(path);
	_cleanup_close_ int fd = -EBADF;
	char *at = strrchr(folder, '@');
	int r;

	if (at)
		*at = '\0';
	fd = open(folder, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "OCI layout %s", folder);
	r = image_load(build->store, fd, NULL, &names, err);
	if (r < 0)
		return error_wrap(err, "OCI layout %s", folder);
	if (!names || !names[0])
		return error_set(err, ENOENT, "OCI layout %s: there is no image in it", folder);
	*ret_name = alloc_string(at ? path + (at - folder) + 1 : names[0]);
	return 0;
}

/* docker-image://, oci-layout:// to an image's name; NULL: it is files. */
static int named_image(struct build *build, const struct context *context, char **ret,
		       struct error *err)
{
	*ret = NULL;
	if (str_starts_with(context->path, "docker-image://"))
		*ret = alloc_string(context->path + strlen("docker-image://"));
	else if (str_starts_with(context->path, "oci-layout://"))
		return load_layout(build, context->path + strlen("oci-layout://"), ret, err);
	return 0;
}

static struct context *find_context(struct build *build, const char *name)
{
	uintptr_t index = (uintptr_t)map_get(&build->named, name);

	return index ? &build->contexts[index - 1] : NULL;
}

static void source_from_image(const struct base_image *image, const char *name, struct source *ret)
{
	ret->kind = SOURCE_TREE;
	ret->tree = image->tree;
	ret->name = str_printf("image %s", name);
}

/* Only stages above can be meant; who names one below has no image of that name either. */
static void add_later_stage(const struct build *build, const struct build_stage *stage,
			    const char *name, struct error *err)
{
	int index = dockerfile_find_stage(build->dockerfile, name, build->stage_count);
	_cleanup_free_ char *why = alloc_string(err->message);

	if (index > (int)stage->index)
		error_set(err, err->code,
			  "%s (the stage %s comes later in the Dockerfile: only those above can be "
			  "taken from)",
			  why, name);
}

int stages_find_source(struct build *build, struct build_stage *stage, const char *name,
		       struct source *ret, struct error *err)
{
	struct context *context = find_context(build, name);
	_cleanup_free_ char *reference = NULL;
	struct base_image *image;
	int index;

	*ret = (struct source){0};
	if (context) {
		if (named_image(build, context, &reference, err) < 0)
			return -err->code;
		if (!reference) {
			ret->kind = SOURCE_CONTEXT;
			ret->context = context;
			ret->name = alloc_string(context->name);
			return 0;
		}
	}
	index = context ? -1 : dockerfile_find_stage(build->dockerfile, name, stage->index);
	if (index >= 0) {
		ret->kind = SOURCE_STAGE;
		ret->stage = &build->stages[index];
		ret->name = str_printf("stage %s", name);
		return stages_need(build, ret->stage, err);
	}
	if (!context && !strcasecmp(name, "scratch"))
		return error_set(err, EINVAL, "there is nothing to take from scratch");
	if (stages_image(build, reference ?: name, NULL, &image, err) < 0) {
		const char *names[256], *meant;
		size_t n = 0;

		add_later_stage(build, stage, name, err);
		for (size_t i = 0; i < stage->index && n < ARRAY_SIZE(names); i++)
			if (build->stages[i].stage->name)
				names[n++] = build->stages[i].stage->name;
		meant = str_suggest(name, names, n);
		if (meant)
			return error_set(err, ENOENT,
					 "'%.80s' is neither a stage above nor an image here; did "
					 "you mean stage %s?",
					 name, meant);
		return -err->code;
	}
	source_from_image(image, name, ret);
	return 0;
}

static void adopt_config(struct build_stage *stage, const json_t *config)
{
	const char *unwanted[] = {"rootfs",  "history",   "berth.manifest",   "berth.cmd",
				  "created", "container", "container_config", "docker_version",
				  "id",      "parent"};

	stage->image = json_deep_copy(config);
	for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
		json_object_del(stage->image, unwanted[i]);
}

static void adopt_image(struct build_stage *stage, const struct base_image *image)
{
	const json_t *history = json_object_get(image->config, "history");
	json_t *entry;
	size_t i;

	stage->base_tree = image->tree;
	adopt_config(stage, image->config);
	json_array_foreach((json_t *)history, i, entry)
		*array_add(stage->history, stage->history_count) =
			(struct history){.entry = json_deep_copy(entry), .base = true};
}

static void adopt_stage(struct build_stage *stage, const struct build_stage *base)
{
	adopt_config(stage, base->image);
	for (size_t i = 0; i < base->history_count; i++) {
		struct history *row = array_add(stage->history, stage->history_count);

		*row = base->history[i];
		row->entry = json_deep_copy(base->history[i].entry);
	}
	map_foreach(arg, &base->args)
		free(map_set(&stage->args, arg->key, alloc_string(arg->value)));
}

static int adopt_scratch(struct build *build, struct build_stage *stage, struct error *err)
{
	stage->image = json_object();
	return platform_describe(stage->platform ?: build->options->platform, stage->image, err);
}

/* The base's ONBUILD: instructions of this stage, before its own. */
static int take_triggers(struct build_stage *stage, struct error *err)
{
	json_t *config = config_of(stage), *list = json_object_get(config, "OnBuild"), *text;
	size_t i;

	json_array_foreach(list, i, text) {
		struct instruction *trigger;

		if (dockerfile_parse_trigger(json_string_value(text) ?: "", &trigger, err) < 0)
			return error_wrap(err, "ONBUILD of %s", stage->base_name);
		trigger->place = stage->stage->from->place;
		trigger->last_line = stage->stage->from->last_line;
		*array_add(stage->triggers, stage->trigger_count) = trigger;
	}
	json_object_del(config, "OnBuild");
	return 0;
}

static int find_base(struct build *build, struct build_stage *stage, struct error *err)
{
	struct context *context = find_context(build, stage->base_name);
	_cleanup_free_ char *reference = NULL;
	struct base_image *image;
	int index;

	if (context && named_image(build, context, &reference, err) < 0)
		return -err->code;
	if (context && !reference)
		return error_set(
			err, EINVAL,
			"context %s is a folder: FROM needs an image (docker-image://... or "
			"oci-layout://...)",
			stage->base_name);
	if (!context && !strcmp(stage->base_name, "scratch"))
		return adopt_scratch(build, stage, err);
	index = context ? -1
			: dockerfile_find_stage(build->dockerfile, stage->base_name, stage->index);
	if (index >= 0 && !isdigit((unsigned char)*stage->base_name)) {
		stage->base_stage = &build->stages[index];
		if (stages_need(build, stage->base_stage, err) < 0)
			return -err->code;
		adopt_stage(stage, stage->base_stage);
		return 0;
	}
	if (stages_image(build, reference ?: stage->base_name,
			 stage->platform ?: build->options->platform, &image, err) < 0) {
		add_later_stage(build, stage, stage->base_name, err);
		return -err->code;
	}
	adopt_image(stage, image);
	return 0;
}

static int expand_from(struct build *build, struct build_stage *stage, struct error *err)
{
	const char *platform = stage->stage->platform;

	if (scope_expand_global(build, stage->stage->base, &stage->base_name, err) < 0)
		return -err->code;
	if (!*stage->base_name)
		return error_set(err, EINVAL,
				 "base name (%s) should not be blank: give the ARG a value",
				 stage->stage->base);
	if (platform && scope_expand_global(build, platform, &stage->platform, err) < 0)
		return -err->code;
	if (stage->platform && !*stage->platform) {
		free(stage->platform);
		stage->platform = NULL;
	}
	return 0;
}

/* As BuildKit: an image without a PATH gets the usual one. */
static void give_path(struct build_stage *stage)
{
	_cleanup_strv_ char **env = stage_env(stage);

	if (strv_env_get(env, "PATH"))
		return;
	strv_env_set(&env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	json_object_set_new(config_of(stage), "Env", json_from_strv(env));
}

int stages_need(struct build *build, struct build_stage *stage, struct error *err)
{
	const struct instruction *from = stage->stage->from;

	if (stage->needed)
		return 0;
	stage->needed = true;
	if (expand_from(build, stage, err) < 0 || find_base(build, stage, err) < 0 ||
	    take_triggers(stage, err) < 0)
		return build_wrap_at(build, from, err);
	give_path(stage);
	return lower_stage(build, stage, err);
}

int stages_resolve(struct build *build, struct error *err)
{
	const struct dockerfile *dockerfile = build->dockerfile;
	const char *target = build->options->target;
	int index = (int)dockerfile->stage_count - 1;

	build->stage_count = dockerfile->stage_count;
	build->stages = new_array(struct build_stage, build->stage_count);
	for (size_t i = 0; i < build->stage_count; i++) {
		build->stages[i].stage = &dockerfile->stages[i];
		build->stages[i].index = i;
	}
	if (target && *target) {
		index = dockerfile_find_stage(dockerfile, target, dockerfile->stage_count);
		if (index < 0) {
			const char *names[256], *meant;
			size_t n = 0;

			for (size_t i = 0; i < build->stage_count && n < ARRAY_SIZE(names); i++)
				if (dockerfile->stages[i].name)
					names[n++] = dockerfile->stages[i].name;
			meant = str_suggest(target, names, n);
			return error_set(err, ENOENT, "%s: there is no stage \"%.80s\"%s%s%s",
					 dockerfile->source.name, target,
					 meant ? "; did you mean " : "", meant ?: "",
					 meant ? "?" : "");
		}
	}
	build->target = (size_t)index;
	return stages_need(build, &build->stages[index], err);
}
