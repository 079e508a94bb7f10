// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions that make no files: they end up in the image's config.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/image/changes.h"

json_t *config_of(struct build_stage *stage)
{
	json_t *config = json_object_get(stage->image, "config");

	if (json_is_object(config))
		return config;
	config = json_object();
	json_object_set_new(stage->image, "config", config);
	return config;
}

struct apply {
	struct build *build;
	struct build_stage *stage;
	const struct instruction *step;
	json_t *config;
	struct strbuf *text; /* what is added to history's line */
};

static int expand(struct apply *a, const char *word, char **ret, struct error *err)
{
	return scope_expand(a->build, a->stage, word, ret, err);
}

static json_t *child(json_t *config, const char *key)
{
	json_t *object = json_object_get(config, key);

	if (json_is_object(object))
		return object;
	object = json_object();
	json_object_set_new(config, key, object);
	return object;
}

/* "NAME=value": all words see the variables as they were before the instruction. */
static int apply_pairs(struct apply *a, void (*put)(json_t *, const char *, const char *),
		       struct error *err)
{
	_cleanup_strv_ char **pairs = NULL;

	strv_foreach(word, a->step->words) {
		const char *equals = strchr(word, '=');
		_cleanup_free_ char *raw = alloc_string_n(word, (size_t)(equals - word));
		_cleanup_free_ char *name = NULL, *value = NULL;

		if (expand(a, raw, &name, err) < 0 || expand(a, equals + 1, &value, err) < 0)
			return -err->code;
		if (!*name)
			return error_set(err, EINVAL, "a name is missing before '='");
		strv_take(&pairs, str_printf("%s=%s", name, value));
	}
	strv_foreach(pair, pairs) {
		char *equals = strchr(pair, '=');

		*equals = '\0';
		put(a->config, pair, equals + 1);
		strbuf_addf(a->text, " %s=%s", pair, equals + 1);
		*equals = '=';
	}
	return 0;
}

static void put_env(json_t *config, const char *name, const char *value)
{
	_cleanup_strv_ char **env = json_get_strv(config, "Env");

	strv_env_set(&env, name, value);
	json_object_set_new(config, "Env", json_from_strv(env));
}

static void put_label(json_t *config, const char *name, const char *value)
{
	json_put_string(child(config, "Labels"), name, value);
}

static int apply_env(struct apply *a, struct error *err)
{
	return apply_pairs(a, put_env, err);
}

static int apply_label(struct apply *a, struct error *err)
{
	return apply_pairs(a, put_label, err);
}

static json_t *shell_of(const json_t *config)
{
	json_t *shell = json_object_get(config, "Shell");

	return json_is_array(shell) ? json_copy(shell) : json_pack("[s,s]", "/bin/sh", "-c");
}

static json_t *command_of(struct apply *a)
{
	json_t *list;

	if (a->step->json)
		return a->step->words ? json_from_strv(a->step->words) : json_array();
	list = shell_of(a->config);
	json_array_append_new(list, json_string(a->step->arguments));
	return list;
}

static void add_json(struct strbuf *text, const json_t *value)
{
	_cleanup_free_ char *line = json_text(value);

	strbuf_addf(text, " %s", line);
}

static int apply_command(struct apply *a, struct error *err)
{
	bool entrypoint = a->step->kind == INSTRUCTION_ENTRYPOINT;
	json_t *list = command_of(a);

	add_json(a->text, list);
	/* A new entry point takes the base image's command away, unless CMD was said here. */
	if (entrypoint && !json_object_get(a->stage->image, "berth.cmd"))
		json_object_del(a->config, "Cmd");
	if (!entrypoint)
		json_object_set_new(a->stage->image, "berth.cmd", json_true());
	if (json_array_size(list) == 0) {
		json_object_del(a->config, entrypoint ? "Entrypoint" : "Cmd");
		json_decref(list);
		return 0;
	}
	json_object_set_new(a->config, entrypoint ? "Entrypoint" : "Cmd", list);
	return 0;
}

static int apply_shell(struct apply *a, struct error *err)
{
	json_t *list = json_from_strv(a->step->words);

	add_json(a->text, list);
	json_object_set_new(a->config, "Shell", list);
	return 0;
}

static int apply_user(struct apply *a, struct error *err)
{
	_cleanup_free_ char *user = NULL;

	if (expand(a, a->step->words[0], &user, err) < 0)
		return -err->code;
	if (!*user)
		return error_set(err, EINVAL, "USER: it is empty when it is expanded");
	json_put_string(a->config, "User", user);
	strbuf_addf(a->text, " %s", user);
	return 0;
}

static int apply_expose(struct apply *a, struct error *err)
{
	strv_foreach(word, a->step->words) {
		_cleanup_strv_ char **ports = NULL;

		if (scope_expand_words(a->build, a->stage, word, &ports, err) < 0)
			return -err->code;
		strv_foreach(port, ports) {
			_cleanup_free_ char *line = str_printf("EXPOSE %s", port);

			if (change_apply(a->config, line, err) < 0)
				return error_set(err, EINVAL,
						 "EXPOSE: '%.60s' is not a port: 80, 443/tcp, "
						 "8000-8010/udp",
						 port);
			strbuf_addf(a->text, " %s", port);
		}
	}
	return 0;
}

static int apply_volume(struct apply *a, struct error *err)
{
	strv_foreach(word, a->step->words) {
		_cleanup_free_ char *path = NULL;

		if (expand(a, word, &path, err) < 0)
			return -err->code;
		if (!*path)
			return error_set(err, EINVAL, "VOLUME: a path is empty");
		json_object_set_new(child(a->config, "Volumes"), path, json_object());
		strbuf_addf(a->text, " %s", path);
	}
	return 0;
}

static int apply_stopsignal(struct apply *a, struct error *err)
{
	_cleanup_free_ char *signal = NULL;

	if (expand(a, a->step->words[0], &signal, err) < 0)
		return -err->code;
	if (process_signal_from_name(signal) < 0)
		return error_set(err, EINVAL, "STOPSIGNAL: '%.60s' is not a signal", signal);
	json_put_string(a->config, "StopSignal", signal);
	strbuf_addf(a->text, " %s", signal);
	return 0;
}

static const struct {
	const char *flag, *key;
	bool duration;
} health_flags[] = {
	{"interval", "Interval", true},        {"timeout", "Timeout", true},
	{"start-period", "StartPeriod", true}, {"start-interval", "StartInterval", true},
	{"retries", "Retries", false},
};

static int put_health_flag(json_t *check, const char *flag, const char *value, struct error *err)
{
	array_foreach(row, health_flags) {
		int64_t number;
		char *end;

		if (strcmp(row->flag, flag) != 0)
			continue;
		if (row->duration) {
			if (units_parse_duration(value, &number) < 0 || number < 0)
				return error_set(err, EINVAL,
						 "HEALTHCHECK: --%s=%.40s is not a duration: 30s, "
						 "1m30s",
						 flag, value);
			json_put_int(check, row->key, number * 1000);
			return 0;
		}
		number = strtol(value, &end, 10);
		if (*end || number < 0 || number > INT32_MAX)
			return error_set(err, EINVAL, "HEALTHCHECK: --%s=%.40s is not a number",
					 flag, value);
		json_put_int(check, row->key, number);
	}
	return 0;
}

static int apply_healthcheck(struct apply *a, struct error *err)
{
	const struct instruction *step = a->step;
	json_t *check = json_object(), *test = json_array();
	bool none = str_equal(step->words[0], "NONE");

	json_object_set_new(a->config, "Healthcheck", check);
	json_object_set_new(check, "Test", test);
	json_array_append_new(test, json_string(none ? "NONE" : step->json ? "CMD" : "CMD-SHELL"));
	for (char **word = step->words + 1; *word; word++)
		json_array_append_new(test, json_string(*word));
	strbuf_addf(a->text, " %s", step->arguments);
	for (size_t i = 0; i < step->flag_count; i++) {
		_cleanup_free_ char *value = NULL;

		if (expand(a, step->flags[i].value, &value, err) < 0 ||
		    put_health_flag(check, step->flags[i].name, value, err) < 0)
			return -err->code;
	}
	return 0;
}

static int apply_onbuild(struct apply *a, struct error *err)
{
	json_t *list = json_object_get(a->config, "OnBuild");
	_cleanup_strbuf_ struct strbuf text = {0};
	const struct instruction *trigger = a->step->trigger;

	strbuf_add(&text, trigger->text);
	for (size_t i = 0; i < trigger->heredoc_count; i++)
		strbuf_addf(&text, "\n%s%s", trigger->heredocs[i].content,
			    trigger->heredocs[i].name);
	if (!list) {
		list = json_array();
		json_object_set_new(a->config, "OnBuild", list);
	}
	json_array_append_new(list, json_string(text.data));
	strbuf_addf(a->text, " %s", trigger->text);
	return 0;
}

static int apply_maintainer(struct apply *a, struct error *err)
{
	json_put_string(a->stage->image, "author", a->step->words[0]);
	strbuf_addf(a->text, " %s", a->step->words[0]);
	return 0;
}

static int apply_arg(struct apply *a, struct error *err)
{
	strv_foreach(word, a->step->words) {
		if (scope_declare(a->build, a->stage, word, err) < 0)
			return -err->code;
		strbuf_addf(a->text, " %s", word);
	}
	return 0;
}

static const struct {
	enum instruction_kind kind;
	int (*apply)(struct apply *a, struct error *err);
} rows[] = {
	{INSTRUCTION_ARG, apply_arg},
	{INSTRUCTION_CMD, apply_command},
	{INSTRUCTION_ENTRYPOINT, apply_command},
	{INSTRUCTION_ENV, apply_env},
	{INSTRUCTION_EXPOSE, apply_expose},
	{INSTRUCTION_HEALTHCHECK, apply_healthcheck},
	{INSTRUCTION_LABEL, apply_label},
	{INSTRUCTION_MAINTAINER, apply_maintainer},
	{INSTRUCTION_ONBUILD, apply_onbuild},
	{INSTRUCTION_SHELL, apply_shell},
	{INSTRUCTION_STOPSIGNAL, apply_stopsignal},
	{INSTRUCTION_USER, apply_user},
	{INSTRUCTION_VOLUME, apply_volume},
};

int config_apply(struct build *build, struct build_stage *stage,
		 const struct instruction *instruction, char **ret_text, struct error *err)
{
	struct strbuf text = {0};
	struct apply a = {build, stage, instruction, config_of(stage), &text};
	int r = 0;

	strbuf_add(&text, instruction_name(instruction->kind));
	array_foreach(row, rows)
		if (row->kind == instruction->kind)
			r = row->apply(&a, err);
	if (r < 0) {
		strbuf_done(&text);
		return r;
	}
	*ret_text = strbuf_take(&text);
	return 0;
}
