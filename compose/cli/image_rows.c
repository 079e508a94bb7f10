// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image_rows.h"

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
	json_put_string(row, "Digest", image->digest ?: "<none>");
	json_put_string(row, "ID", id);
	json_put_string(row, "Repository", repository ?: "<none>");
	json_put_string(row, "Size", size);
	json_put_string(row, "Tag", tag ?: "<none>");
	return row;
}

static json_t *list_or_null(char *const *list)
{
	return list ? json_from_strv(list) : json_null();
}

/* Docker's sets: {"80/tcp": {}} */
static json_t *set_of(char *const *list)
{
	json_t *set = json_object();

	strv_foreach(item, list)
		json_object_set_new(set, item, json_object());
	return set;
}

static json_t *config_of(const struct image *image)
{
	json_t *config = json_object();

	json_put_string(config, "User", image->user ?: "");
	json_object_set_new(config, "ExposedPorts", set_of(image->exposed_ports));
	json_object_set_new(config, "Env", list_or_null(image->env));
	json_object_set_new(config, "Cmd", list_or_null(image->command));
	json_object_set_new(config, "Volumes",
			    image->volumes ? set_of(image->volumes) : json_null());
	json_put_string(config, "WorkingDir", image->working_dir ?: "");
	json_object_set_new(config, "Entrypoint", list_or_null(image->entrypoint));
	if (image->labels)
		json_object_set(config, "Labels", image->labels);
	else
		json_object_set_new(config, "Labels", json_null());
	json_put_string(config, "StopSignal", image->stop_signal);
	return config;
}

json_t *image_inspect(const struct image *image)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL, *name = NULL;
	json_t *object = json_object(), *tags = json_array(), *digests = json_array();
	char created[UNITS_TIME_MAX];

	if (image->reference)
		reference_familiar(image->reference, &repository, &tag);
	if (repository) {
		name = str_printf("%s%s%s", repository, tag ? ":" : "", tag ?: "");
		json_array_append_new(tags, json_string(name));
	}
	json_put_string(object, "Id", image->id ?: "");
	json_object_set_new(object, "RepoTags", tags);
	/* What its registry knows it by; of what is from elsewhere nobody does. */
	if (repository && image->pulled_nsec)
		json_array_append_new(
			digests, json_sprintf("%s@%s", repository, image->target ?: image->digest));
	json_object_set_new(object, "RepoDigests", digests);
	json_put_string(object, "Created",
			units_format_time(image->created_nsec, created, sizeof(created)));
	json_put_string(object, "Architecture", image->architecture ?: "");
	json_put_string(object, "Os", image->os ?: "");
	json_put_int(object, "Size", (int64_t)image->size_bytes);
	json_object_set_new(object, "Config", config_of(image));
	json_object_set_new(object, "RootFS",
			    json_pack("{s:s, s:o}", "Type", "layers", "ChainIDs",
				      json_from_strv(image->layer_chain_ids)));
	return object;
}
