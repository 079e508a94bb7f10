// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Variables: ARGs before the first FROM (for FROM), each stage's ARGs and ENVs, what was given, and
 * the platform's, which are there for the asking.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/image/platform.h"

static const char *const proxies[] = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
				      "ALL_PROXY"};

bool scope_is_proxy(const char *name)
{
	array_foreach(proxy, proxies)
		if (!strcasecmp(*proxy, name))
			return true;
	return false;
}

static void set(struct map *map, const char *name, const char *value)
{
	free(map_set(map, name, alloc_string(value)));
}

/* "linux/arm64/v8" in its parts. */
static void set_platform(struct build *build, const char *prefix, const char *platform)
{
	_cleanup_strv_ char **parts = strv_split(platform, "/");
	size_t n = strv_length(parts);
	static const char *const names[] = {"OS", "ARCH", "VARIANT"};
	_cleanup_free_ char *whole = str_printf("%sPLATFORM", prefix);

	set(&build->globals, whole, platform);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *name = str_printf("%s%s", prefix, names[i]);

		set(&build->globals, name, i < n ? parts[i] : "");
	}
}

static const char *given(struct build *build, const char *name)
{
	const char *value = map_get(&build->args, name);

	if (value)
		map_set(&build->used_args, name, build);
	return value;
}

struct lookup {
	struct build *build;
	struct build_stage *stage; /* NULL: before the first FROM */
};

static const char *look_up(void *data, const char *name)
{
	const struct lookup *lookup = data;

	if (!lookup->stage)
		return map_get(&lookup->build->globals, name);
	{
		const json_t *env = json_object_get(config_of(lookup->stage), "Env");
		size_t n = strlen(name), i;
		json_t *row;

		json_array_foreach((json_t *)env, i, row) {
			const char *text = json_string_value(row);

			if (text && !strncmp(text, name, n) && text[n] == '=')
				return text + n + 1;
		}
	}
	return map_get(&lookup->stage->args, name);
}

static void make_expansion(struct build *build, struct lookup *lookup, struct expansion *ret)
{
	*ret = (struct expansion){
		.lookup = look_up, .data = lookup, .escape = build->dockerfile->escape};
}

int scope_expand_global(struct build *build, const char *word, char **ret, struct error *err)
{
	return scope_expand(build, NULL, word, ret, err);
}

int scope_expand(struct build *build, struct build_stage *stage, const char *word, char **ret,
		 struct error *err)
{
	struct lookup lookup = {build, stage};
	struct expansion expansion;

	make_expansion(build, &lookup, &expansion);
	return expand_word(&expansion, word, ret, err);
}

int scope_expand_words(struct build *build, struct build_stage *stage, const char *word,
		       char ***ret, struct error *err)
{
	struct lookup lookup = {build, stage};
	struct expansion expansion;

	make_expansion(build, &lookup, &expansion);
	return expand_words(&expansion, word, ret, err);
}

int scope_expand_heredoc(struct build *build, struct build_stage *stage, const char *text,
			 char **ret, struct error *err)
{
	struct lookup lookup = {build, stage};
	struct expansion expansion;

	make_expansion(build, &lookup, &expansion);
	expansion.raw_quotes = true;
	return expand_word(&expansion, text, ret, err);
}

/* What ARG gives a name: what was given, else its default. */
static int declare(struct build *build, struct build_stage *stage, const char *word,
		   struct map *into, struct error *err)
{
	const char *equals = strchr(word, '='), *value;
	_cleanup_free_ char *name =
		alloc_string_n(word, equals ? (size_t)(equals - word) : strlen(word));
	_cleanup_free_ char *otherwise = NULL;

	value = given(build, name);
	if (!value && equals) {
		if (scope_expand(build, stage, equals + 1, &otherwise, err) < 0)
			return -err->code;
		value = otherwise;
	}
	if (!value && stage)
		value = map_get(&build->globals, name);
	if (value)
		set(into, name, value);
	return 0;
}

int scope_declare(struct build *build, struct build_stage *stage, const char *word,
		  struct error *err)
{
	return declare(build, stage, word, &stage->args, err);
}

static int read_epoch(struct build *build, struct error *err)
{
	const char *text = map_get(&build->args, "SOURCE_DATE_EPOCH");
	char *end;
	long long seconds;

	build->epoch_nsec = -1;
	if (!text || !*text)
		return 0;
	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (*end || errno || seconds < 0 || seconds > INT64_MAX / 1000000000)
		return error_set(err, EINVAL, "SOURCE_DATE_EPOCH=%.40s: not a number of seconds",
				 text);
	map_set(&build->used_args, "SOURCE_DATE_EPOCH", build);
	build->epoch_nsec = seconds * 1000000000;
	return 0;
}

int scope_init(struct build *build, struct error *err)
{
	_cleanup_free_ char *here =
		str_printf("linux/%s%s%s", platform_architecture(), platform_variant() ? "/" : "",
			   platform_variant() ?: "");
	const struct dockerfile *dockerfile = build->dockerfile;

	strv_foreach(arg, build->options->args) {
		const char *equals = strchr(arg, '=');
		_cleanup_free_ char *name = NULL;

		if (!equals)
			continue; /* a name without a value: not given */
		if (!str_is_utf8(arg, strlen(arg)))
			return error_set(err, EINVAL, "a build argument is not valid UTF-8");
		name = alloc_string_n(arg, (size_t)(equals - arg));
		set(&build->args, name, equals + 1);
	}
	set_platform(build, "BUILD", here);
	set_platform(build, "TARGET", build->options->platform ?: here);
	set(&build->globals, "TARGETSTAGE", build->options->target ?: "default");
	if (read_epoch(build, err) < 0)
		return -err->code;
	for (size_t i = 0; i < dockerfile->global_end; i++) {
		strv_foreach(word, dockerfile->instructions[i].words)
			if (declare(build, NULL, word, &build->globals, err) < 0)
				return build_wrap_at(build, &dockerfile->instructions[i], err);
	}
	return 0;
}

char **stage_env(const struct build_stage *stage)
{
	return json_get_strv(json_object_get(stage->image, "config"), "Env");
}

char **scope_run_args(struct build *build, struct build_stage *stage)
{
	_cleanup_strv_ char **env = stage_env(stage);
	char **list = NULL;

	map_foreach(arg, &build->args)
		if (scope_is_proxy(arg->key) && !map_get(&stage->args, arg->key)) {
			map_set(&build->used_args, arg->key, build);
			strv_env_set(&list, arg->key, arg->value);
		}
	map_foreach(arg, &stage->args)
		if (!strv_env_get(env, arg->key))
			strv_env_set(&list, arg->key, arg->value);
	return list;
}
