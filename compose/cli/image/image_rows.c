// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/image_rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

static const char *bare_id(const char *id)
{
	return id && str_starts_with(id, "sha256:") ? id + 7 : id ? id : "";
}

json_t *image_row(const struct image *image, bool truncate)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL;
	_cleanup_free_ char *id =
		truncate ? alloc_string_n(bare_id(image->id), 12) : alloc_string(image->id ?: "");
	time_t seconds = (time_t)(image->created_nsec / 1000000000);
	char size[32], since[64], created[64];
	json_t *row = json_object();
	struct tm tm;
	int64_t age = (units_now_nsec() - image->created_nsec) / 1000;

	if (image->reference)
		reference_familiar(image->reference, &repository, &tag);
	units_format_size(image->size_bytes, size, sizeof(size));
	units_format_ago(age < 0 ? 0 : age, since, sizeof(since) - 4);
	strcat(since, " ago");
	localtime_r(&seconds, &tm);
	strftime(created, sizeof(created), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
	json_put_string(row, "Containers", "N/A");
	json_put_string(row, "CreatedAt", created);
	json_put_string(row, "CreatedSince", since);
	json_put_string(row, "Digest", image->target ?: image->digest ?: "<none>");
	json_put_string(row, "ID", id);
	json_put_string(row, "Repository", repository ?: "<none>");
	json_put_string(row, "Size", size);
	json_put_string(row, "Tag", tag ?: "<none>");
	return row;
}

/* Names that the image has, and the digests it is known by, as docker writes them. */
static int add_names(struct image_store *store, const struct image *image, json_t *tags,
		     json_t *digests, struct error *err)
{
	struct image **all = NULL;
	size_t count = 0;

	if (image_list_names(store, image->id, &all, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		_cleanup_free_ char *repository = NULL, *tag = NULL;

		if (all[i]->reference) {
			reference_familiar(all[i]->reference, &repository, &tag);
			if (tag)
				json_array_append_new(tags, json_sprintf("%s:%s", repository, tag));
			/* What its registry knows it by; of what is from elsewhere nobody does. */
			if (all[i]->pulled_nsec || all[i]->target)
				json_array_append_new(
					digests, json_sprintf("%s@%s", repository,
							      all[i]->target ?: all[i]->digest));
		}
		image_free(all[i]);
	}
	free(all);
	return 0;
}

static json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return value ? json_incref(value) : json_null();
}

/* Docker's shape: what is not set is there as well, for templates to ask for it. */
static json_t *config_of(const json_t *json)
{
	static const char *const lists[] = {"ExposedPorts", "Env",        "Cmd",
					    "Volumes",      "Entrypoint", "Labels"};
	static const char *const strings[] = {"User", "WorkingDir", "StopSignal"};
	json_t *config = json_deep_copy(json_object_get(json, "config"));

	config = json_is_object(config) ? config : json_object();
	array_foreach(key, lists)
		if (!json_object_get(config, *key))
			json_object_set_new(config, *key, json_null());
	array_foreach(key, strings)
		if (!json_object_get(config, *key))
			json_put_string(config, *key, "");
	return config;
}

int image_inspect(struct image_store *store, const struct image *image, json_t **ret,
		  struct error *err)
{
	json_t *object, *tags, *digests;
	_cleanup_json_ json_t *json = NULL;
	char created[UNITS_TIME_MAX];

	if (image_read_config(store, image, &json, err) < 0)
		return -err->code;
	object = json_object();
	tags = json_array();
	digests = json_array();
	json_put_string(object, "Id", image->id ?: "");
	json_object_set_new(object, "RepoTags", tags);
	json_object_set_new(object, "RepoDigests", digests);
	json_put_string(object, "Parent", "");
	json_put_string(object, "Comment", json_get_string(json, "comment") ?: "");
	json_put_string(object, "Created",
			units_format_time(image->created_nsec, created, sizeof(created)));
	json_put_string(object, "Author", json_get_string(json, "author") ?: "");
	json_object_set_new(object, "Config", config_of(json));
	json_put_string(object, "Architecture", image->architecture ?: "");
	if (json_get_string(json, "variant"))
		json_put_string(object, "Variant", json_get_string(json, "variant"));
	json_put_string(object, "Os", image->os ?: "");
	json_put_int(object, "Size", (int64_t)image->size_bytes);
	json_object_set_new(object, "RootFS",
			    json_pack("{s:s, s:o}", "Type", "layers", "Layers",
				      member(json_object_get(json, "rootfs"), "diff_ids")));
	if (add_names(store, image, tags, digests, err) < 0) {
		json_decref(object);
		return -err->code;
	}
	*ret = object;
	return 0;
}
