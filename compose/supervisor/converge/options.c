// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/options.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#define REPLICAS_MAX 100000

static const char *const goals[] = {
	[PLAN_UP] = "up",         [PLAN_DOWN] = "down",       [PLAN_START] = "start",
	[PLAN_STOP] = "stop",     [PLAN_RESTART] = "restart", [PLAN_KILL] = "kill",
	[PLAN_REMOVE] = "remove", [PLAN_PAUSE] = "pause",     [PLAN_UNPAUSE] = "unpause",
};
static const char *const recreates[] = {
	[RECREATE_DIVERGED] = "diverged",
	[RECREATE_FORCE] = "force",
	[RECREATE_NEVER] = "never",
};

static int word_of(const json_t *json, const char *key, const char *const *words, size_t count,
		   int otherwise, struct error *err)
{
	const char *word = json_get_string(json, key);

	if (!word)
		return otherwise;
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return (int)i;
	return error_set(err, EINVAL, "request: %s is '%s', which is none of its values", key,
			 word);
}

static int parse_scales(const json_t *json, struct parsed_options *ret, struct error *err)
{
	json_t *scales = json_object_get(json, "scales"), *value;
	const char *service;

	json_object_foreach(scales, service, value) {
		int64_t replicas = json_integer_value(value);
		struct plan_scale *slot;

		if (replicas < 0 || replicas > REPLICAS_MAX)
			return error_set(err, EINVAL, "service %s cannot have %lld replicas",
					 service, (long long)replicas);
		slot = array_add(ret->scales, ret->options.scale_count);
		*slot = (struct plan_scale){service, (unsigned int)replicas};
	}
	ret->options.scales = ret->scales;
	return 0;
}

/* Strings stay those of the request, as all of @ret's. */
static void parse_images(const json_t *json, struct parsed_options *ret)
{
	const json_t *images = json_object_get(json, "images");
	json_t *row;
	size_t i;

	json_array_foreach(images, i, row) {
		const char *image = json_get_string(row, "image");

		if (image)
			*array_add(ret->images, ret->options.image_count) = (struct plan_image){
				.image = image,
				.service = json_get_string(row, "service"),
				.cause = json_get_string(row, "cause") ?: "",
				.refresh = json_get_bool(row, "refresh", false),
			};
	}
	ret->options.images = ret->images;
}

int options_parse(const json_t *json, struct parsed_options *ret, struct error *err)
{
	struct plan_options *options = &ret->options;
	int goal = word_of(json, "goal", goals, ARRAY_SIZE(goals), -EINVAL, err);
	int recreate = word_of(json, "recreate", recreates, ARRAY_SIZE(recreates), 0, err);
	int dependencies =
		word_of(json, "recreate_dependencies", recreates, ARRAY_SIZE(recreates), 0, err);

	if (goal < 0 && !err->code)
		return error_set(err, EINVAL, "request: it has no goal");
	if (goal < 0 || recreate < 0 || dependencies < 0)
		return -err->code;
	options->goal = (enum plan_goal)goal;
	options->recreate = (enum plan_recreate)recreate;
	options->recreate_dependencies = (enum plan_recreate)dependencies;
	ret->services = json_get_strv(json, "services");
	options->services = (const char *const *)ret->services;
	options->no_deps = json_get_bool(json, "no_deps", false);
	options->no_start = json_get_bool(json, "no_start", false);
	options->remove_orphans = json_get_bool(json, "remove_orphans", false);
	options->always_recreate_deps = json_get_bool(json, "always_recreate_deps", false);
	options->renew_anon_volumes = json_get_bool(json, "renew_anon_volumes", false);
	options->wait = json_get_bool(json, "wait", false);
	options->rollback = json_get_bool(json, "rollback", false);
	options->volumes = json_get_bool(json, "volumes", false);
	options->force_stop = json_get_bool(json, "force_stop", false);
	options->by_label = json_get_bool(json, "by_label", false);
	ret->containers = json_get_strv(json, "containers");
	options->containers = (const char *const *)ret->containers;
	options->underscores = json_get_bool(json, "underscores", false);
	options->oneoff = json_get_string(json, "oneoff");
	options->timeout_usec = json_get_int(json, "timeout_usec", -1);
	options->signal = (int)json_get_int(json, "signal", 0);
	if (options->signal < 0 || options->signal > 64)
		return error_set(err, EINVAL, "there is no signal %d", options->signal);
	fs_random_hex(ret->random_id, 6);
	parse_images(json, ret);
	return parse_scales(json, ret, err);
}

void options_done(struct parsed_options *options)
{
	strv_free(options->services);
	strv_free(options->containers);
	free(options->scales);
	free(options->images);
	*options = (struct parsed_options){0};
}
