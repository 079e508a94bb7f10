// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/changes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/process.h"
#include "common/str.h"
#include "common/units.h"

#define PORTS_MAX 65535

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* ["a", "b"] as an array of strings, or NULL when the text is not one. */
static json_t *parse_list(const char *text)
{
	struct error ignored = ERROR_INIT;
	json_t *list = NULL, *item;
	size_t i;

	if (*text != '[' || json_parse(text, strlen(text), &list, &ignored) < 0)
		return NULL;
	json_array_foreach(list, i, item) {
		if (json_is_string(item))
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

/* A list, or a text for the shell. */
static json_t *parse_command(const json_t *config, const char *text)
{
	json_t *list = parse_list(text), *shell;

	if (list)
		return list;
	shell = json_object_get(config, "Shell");
	list = shell ? json_copy(shell) : json_pack("[s,s]", "/bin/sh", "-c");
	json_array_append_new(list, json_string(text));
	return list;
}

/* One word with quotes and backslashes undone; *text is moved behind it. */
static char *take_word(const char **text, char stop)
{
	struct strbuf word = {0};
	const char *s = *text;
	char quote = 0;

	for (; *s; s++) {
		if (!quote && (isspace((unsigned char)*s) || *s == stop))
			break;
		if (quote ? *s == quote : (*s == '"' || *s == '\'')) {
			quote = quote ? 0 : *s;
			continue;
		}
		if (*s == '\\' && quote != '\'' && s[1])
			s++;
		strbuf_addc(&word, *s);
	}
	*text = s;
	return strbuf_take(&word);
}

/* "A=b C='d e'", or the old "A b c". */
static int parse_pairs(const char *text, bool old_form, int (*put)(json_t *, char *, char *),
		       json_t *config, struct error *err)
{
	text = skip_space(text);
	while (*text) {
		_cleanup_free_ char *key = take_word(&text, '='), *value = NULL;

		if (!*key)
			return error_set(err, EINVAL, "a name is missing before '='");
		if (*text == '=') {
			text++;
			value = take_word(&text, '\0');
		} else if (old_form && *skip_space(text)) {
			value = alloc_string(skip_space(text));
			text += strlen(text);
		} else {
			return error_set(err, EINVAL, "'%.80s' must be given as NAME=VALUE", key);
		}
		put(config, key, value);
		old_form = false;
		text = skip_space(text);
	}
	return 0;
}

static json_t *child_object(json_t *config, const char *key)
{
	json_t *object = json_object_get(config, key);

	if (object)
		return object;
	object = json_object();
	json_object_set_new(config, key, object);
	return object;
}

static int put_env(json_t *config, char *key, char *value)
{
	_cleanup_strv_ char **env = json_get_strv(config, "Env");

	strv_env_set(&env, key, value);
	json_object_set_new(config, "Env", json_from_strv(env));
	return 0;
}

static int put_label(json_t *config, char *key, char *value)
{
	json_put_string(child_object(config, "Labels"), key, value);
	return 0;
}

static int change_env(json_t *config, const char *text, struct error *err)
{
	return parse_pairs(text, true, put_env, config, err);
}

static int change_label(json_t *config, const char *text, struct error *err)
{
	return parse_pairs(text, true, put_label, config, err);
}

static int change_cmd(json_t *config, const char *text, struct error *err)
{
	json_object_set_new(config, "Cmd", parse_command(config, text));
	return 0;
}

static int change_entrypoint(json_t *config, const char *text, struct error *err)
{
	json_object_set_new(config, "Entrypoint", parse_command(config, text));
	return 0;
}

static int change_shell(json_t *config, const char *text, struct error *err)
{
	json_t *list = parse_list(text);

	if (!list || json_array_size(list) == 0) {
		json_decref(list);
		return error_set(err, EINVAL, "it must be a list: [\"program\", \"argument\"]");
	}
	json_object_set_new(config, "Shell", list);
	return 0;
}

static int parse_port(const char **text, long *ret)
{
	char *end;

	*ret = strtol(*text, &end, 10);
	if (end == *text || *ret < 1 || *ret > PORTS_MAX)
		return -EINVAL;
	*text = end;
	return 0;
}

/* "80", "443/tcp", "8000-8002/udp" */
static int expose(json_t *ports, const char *word, struct error *err)
{
	const char *s = word, *protocol = "tcp";
	long first, last;

	if (parse_port(&s, &first) < 0)
		return error_set(err, EINVAL, "'%.60s' is not a port", word);
	last = first;
	if (*s == '-') {
		s++;
		if (parse_port(&s, &last) < 0 || last < first)
			return error_set(err, EINVAL, "'%.60s' is not a range of ports", word);
	}
	if (*s == '/')
		protocol = s + 1;
	else if (*s)
		return error_set(err, EINVAL, "'%.60s' is not a port", word);
	if (strcasecmp(protocol, "tcp") && strcasecmp(protocol, "udp") &&
	    strcasecmp(protocol, "sctp"))
		return error_set(err, EINVAL, "'%.60s': no such protocol", word);
	for (long port = first; port <= last; port++) {
		_cleanup_free_ char *key = str_printf("%ld/%s", port, protocol);

		for (char *c = key; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		json_object_set_new(ports, key, json_object());
	}
	return 0;
}

static int change_expose(json_t *config, const char *text, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text, " \t");

	strv_foreach(word, words) {
		int r = expose(child_object(config, "ExposedPorts"), word, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int change_user(json_t *config, const char *text, struct error *err)
{
	if (strpbrk(text, " \t"))
		return error_set(err, EINVAL, "it takes one word");
	json_put_string(config, "User", text);
	return 0;
}

static int change_volume(json_t *config, const char *text, struct error *err)
{
	_cleanup_json_ json_t *list = parse_list(text);
	_cleanup_strv_ char **paths = NULL;
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		strv_append(&paths, json_string_value(item));
	if (!list)
		paths = strv_split(text, " \t");
	strv_foreach(path, paths)
		json_object_set_new(child_object(config, "Volumes"), path, json_object());
	return 0;
}

static int change_workdir(json_t *config, const char *text, struct error *err)
{
	const char *before = json_get_string(config, "WorkingDir");
	_cleanup_free_ char *path = NULL;

	if (*text == '/')
		path = alloc_string(text);
	else
		path = str_printf("%s/%s", before && strcmp(before, "/") ? before : "", text);
	json_put_string(config, "WorkingDir", path);
	return 0;
}

static int change_stopsignal(json_t *config, const char *text, struct error *err)
{
	if (process_signal_from_name(text) < 0)
		return error_set(err, EINVAL, "'%.60s' is not a signal", text);
	json_put_string(config, "StopSignal", text);
	return 0;
}

static const struct {
	const char *option, *key;
	bool duration;
} health_options[] = {
	{"--interval=", "Interval", true},        {"--timeout=", "Timeout", true},
	{"--start-period=", "StartPeriod", true}, {"--start-interval=", "StartInterval", true},
	{"--retries=", "Retries", false},
};

static int health_option(json_t *check, const char *word, struct error *err)
{
	array_foreach(row, health_options) {
		const char *value = word + strlen(row->option);
		int64_t number;
		char *end;

		if (!str_starts_with(word, row->option))
			continue;
		if (!row->duration) {
			number = strtol(value, &end, 10);
			if (!*value || *end || number < 0 || number > INT32_MAX)
				return error_set(err, EINVAL, "'%.80s': not a number", word);
			json_put_int(check, row->key, number);
			return 0;
		}
		if (units_parse_duration(value, &number) < 0 || number < 0)
			return error_set(err, EINVAL, "'%.80s': not a duration", word);
		json_put_int(check, row->key, number * 1000);
		return 0;
	}
	return error_set(err, EINVAL, "'%.80s': no such option", word);
}

static int health_test(json_t *check, const char *text, struct error *err)
{
	json_t *test;

	if (strncasecmp(text, "CMD", 3) != 0 || !isspace((unsigned char)text[3]))
		return error_set(err, EINVAL, "it must be NONE or CMD and a command");
	text = skip_space(text + 3);
	test = parse_list(text);
	if (test)
		json_array_insert_new(test, 0, json_string("CMD"));
	else
		test = json_pack("[s,s]", "CMD-SHELL", text);
	json_object_set_new(check, "Test", test);
	return 0;
}

static int change_healthcheck(json_t *config, const char *text, struct error *err)
{
	json_t *check = json_object();
	int r;

	json_object_set_new(config, "Healthcheck", check);
	while (str_starts_with(text, "--")) {
		_cleanup_free_ char *word = take_word(&text, '\0');

		r = health_option(check, word, err);
		if (r < 0)
			return r;
		text = skip_space(text);
	}
	if (strcasecmp(text, "NONE") == 0) {
		json_object_set_new(check, "Test", json_pack("[s]", "NONE"));
		return 0;
	}
	return health_test(check, text, err);
}

static int change_onbuild(json_t *config, const char *text, struct error *err)
{
	json_t *list = json_object_get(config, "OnBuild");

	if (!list) {
		list = json_array();
		json_object_set_new(config, "OnBuild", list);
	}
	json_array_append_new(list, json_string(text));
	return 0;
}

static const struct {
	const char *word;
	int (*apply)(json_t *config, const char *text, struct error *err);
} instructions[] = {
	{"CMD", change_cmd},
	{"ENTRYPOINT", change_entrypoint},
	{"ENV", change_env},
	{"EXPOSE", change_expose},
	{"HEALTHCHECK", change_healthcheck},
	{"LABEL", change_label},
	{"ONBUILD", change_onbuild},
	{"SHELL", change_shell},
	{"STOPSIGNAL", change_stopsignal},
	{"USER", change_user},
	{"VOLUME", change_volume},
	{"WORKDIR", change_workdir},
};

int change_apply(json_t *config, const char *instruction, struct error *err)
{
	const char *start = skip_space(instruction);
	size_t n = strcspn(start, " \t");
	_cleanup_free_ char *word = alloc_string_n(start, n);
	_cleanup_free_ char *text = alloc_string(start + n);
	char *trimmed = str_trim(text);

	if (!str_is_utf8(instruction, strlen(instruction)))
		return error_set(err, EINVAL, "change: not valid UTF-8");
	array_foreach(row, instructions) {
		if (strcasecmp(row->word, word) != 0)
			continue;
		if (!*trimmed)
			return error_set(err, EINVAL, "change '%s': its value is missing",
					 row->word);
		if (row->apply(config, trimmed, err) < 0)
			return error_wrap(err, "change '%.120s'", instruction);
		return 0;
	}
	return error_set(err, EINVAL,
			 "change '%.80s': not one of CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, "
			 "LABEL, ONBUILD, SHELL, STOPSIGNAL, USER, VOLUME, WORKDIR",
			 instruction);
}
