// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/logs/log_fields.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/observe.h"

char *log_field_name(const char *key)
{
	char *name = alloc_string(key), *from = name;

	for (char *p = name; *p; p++)
		*p = isalnum((unsigned char)*p) ? (char)toupper((unsigned char)*p) : '_';
	/* Those of the journal's own begin with one. */
	while (*from == '_')
		from++;
	memmove(name, from, strlen(from) + 1);
	return name;
}

static void put(char ***fields, const char *name, const char *value)
{
	if (name[0] && value)
		strv_env_set(fields, name, value);
}

static void put_key(char ***fields, const char *key, const char *value)
{
	_cleanup_free_ char *name = log_field_name(key);

	put(fields, name, value);
}

static const char *option_of(const struct instance *instance, const char *key)
{
	const struct mapping *options = &instance->service->logging.options;

	for (size_t i = 0; i < options->count; i++)
		if (str_equal(options->items[i].key, key))
			return options->items[i].value;
	return NULL;
}

/* Docker's words for a tag: https://docs.docker.com/engine/logging/log_tags/ */
static int render_tag(const struct instance *instance, const char *template, char **ret,
		      struct error *err)
{
	_cleanup_free_ char *id = alloc_string_n(instance->id, 12);
	const struct {
		const char *word, *value;
	} words[] = {
		{"{{.ID}}", id},
		{"{{.FullID}}", instance->id},
		{"{{.Name}}", instance->name},
		{"{{.ImageName}}", instance->service->image ?: ""},
		{"{{.ImageFullID}}", instance->image_id ?: ""},
		{"{{.DaemonName}}", "docker"},
	};
	_cleanup_strbuf_ struct strbuf tag = {0};

	while (*template) {
		bool known = false;

		array_foreach(row, words) {
			if (!known && str_starts_with(template, row->word)) {
				strbuf_add(&tag, row->value);
				template += strlen(row->word);
				known = true;
			}
		}
		if (!known && str_starts_with(template, "{{"))
			return error_set(err, EINVAL,
					 "logging option tag: '%.40s' is not one of {{.ID}}, "
					 "{{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageFullID}}",
					 template);
		if (!known)
			strbuf_addc(&tag, *template ++);
	}
	*ret = strbuf_take(&tag);
	return 0;
}

/* What the option labels (names with commas between) selects, and always those of Compose. */
static void put_labels(char ***fields, const struct instance *instance)
{
	_cleanup_json_ json_t *labels = observe_labels(instance);
	_cleanup_strv_ char **wanted = strv_split(option_of(instance, "labels") ?: "", ", ");
	const char *key;
	json_t *value;

	json_object_foreach(labels, key, value)
		if (str_starts_with(key, "com.docker.compose.") || strv_contains(wanted, key))
			put_key(fields, key, json_string_value(value));
}

static void put_environment(char ***fields, const struct instance *instance)
{
	const struct mapping *environment = &instance->service->environment;
	_cleanup_strv_ char **wanted = strv_split(option_of(instance, "env") ?: "", ", ");

	for (size_t i = 0; i < environment->count; i++)
		if (strv_contains(wanted, environment->items[i].key))
			put_key(fields, environment->items[i].key, environment->items[i].value);
}

int log_fields_of(const struct instance *instance, char ***ret, struct error *err)
{
	_cleanup_free_ char *id = alloc_string_n(instance->id, 12), *tag = NULL;
	_cleanup_strv_ char **fields = NULL;
	int r = render_tag(instance, option_of(instance, "tag") ?: "{{.ID}}", &tag, err);

	if (r < 0)
		return r;
	put_labels(&fields, instance);
	put_environment(&fields, instance);
	put(&fields, "CONTAINER_ID", id);
	put(&fields, "CONTAINER_ID_FULL", instance->id);
	put(&fields, "CONTAINER_NAME", instance->name);
	put(&fields, "CONTAINER_TAG", tag);
	put(&fields, "IMAGE_NAME", instance->service->image);
	put(&fields, "SYSLOG_IDENTIFIER", tag);
	put(&fields, "BERTH_PROJECT", instance->supervisor->project);
	put(&fields, "BERTH_SERVICE", instance->service_name);
	*ret = TAKE_PTR(fields);
	return 0;
}
