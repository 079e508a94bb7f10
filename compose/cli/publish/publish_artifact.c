// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/publish/publish_artifact.h"

#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/sha256.h"
#include "common/str.h"

#define ARTIFACT_TYPE   "application/vnd.docker.compose.project"
#define FILE_MEDIA      "application/vnd.docker.compose.file+yaml"
#define ENV_MEDIA       "application/vnd.docker.compose.envfile"
#define CONFIG_MEDIA    "application/vnd.oci.empty.v1+json"
#define CONFIG_1_0      "application/vnd.docker.compose.config.empty.v1+json"
#define EMPTY           "{}"
#define EMPTY_IN_BASE64 "e30="

static json_t *descriptor(const char *media, const void *data, size_t size)
{
	char hex[SHA256_HEX_SIZE];

	sha256_of(data, size, hex);
	return json_pack("{s:s, s:o, s:I}", "mediaType", media, "digest",
			 json_sprintf("sha256:%s", hex), "size", (json_int_t)size);
}

static json_t *layer(const struct portable_file *file)
{
	bool environment = file->kind == PORTABLE_ENVIRONMENT;
	json_t *json = descriptor(environment ? ENV_MEDIA : FILE_MEDIA, file->text, file->size);
	json_t *annotations = json_pack("{s:s}", "com.docker.compose.version", BERTH_VERSION);

	if (file->kind == PORTABLE_EXTENDED)
		json_put_string(annotations, "com.docker.compose.extends", "true");
	json_put_string(annotations,
			environment ? "com.docker.compose.envfile" : "com.docker.compose.file",
			file->name);
	json_object_set_new(json, "annotations", annotations);
	return json;
}

static bool is_sent(const struct portable_file *file, bool with_environment)
{
	return file->kind != PORTABLE_ENVIRONMENT || with_environment;
}

static json_t *now(void)
{
	time_t seconds = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	return json_string(text);
}

char *publish_manifest(const struct portable *files, bool with_environment,
		       enum publish_version version)
{
	_cleanup_json_ json_t *json =
		json_pack("{s:i, s:s}", "schemaVersion", 2, "mediaType", PUBLISH_MANIFEST_MEDIA);
	json_t *config = descriptor(version == PUBLISH_OCI_1_0 ? CONFIG_1_0 : CONFIG_MEDIA, EMPTY,
				    strlen(EMPTY));
	json_t *layers = json_array();

	if (version == PUBLISH_OCI_1_1)
		json_put_string(json, "artifactType", ARTIFACT_TYPE);
	json_put_string(config, "data", EMPTY_IN_BASE64);
	json_object_set_new(json, "config", config);
	for (size_t i = 0; i < files->count; i++)
		if (is_sent(&files->files[i], with_environment))
			json_array_append_new(layers, layer(&files->files[i]));
	json_object_set_new(json, "layers", layers);
	json_object_set_new(json, "annotations",
			    json_pack("{s:o}", "org.opencontainers.image.created", now()));
	return json_text(json);
}

struct push_piece *publish_pieces(const struct portable *files, bool with_environment,
				  size_t *ret_count)
{
	struct push_piece *pieces = new_array(struct push_piece, files->count + 1);
	size_t n = 0;

	for (size_t i = 0; i < files->count; i++)
		if (is_sent(&files->files[i], with_environment))
			pieces[n++] =
				(struct push_piece){files->files[i].text, files->files[i].size};
	pieces[n++] = (struct push_piece){EMPTY, strlen(EMPTY)};
	*ret_count = n;
	return pieces;
}

char *publish_index(json_t *manifests, const char *subject, size_t subject_size)
{
	json_t *about = json_pack("{s:s, s:s, s:I}", "mediaType", PUBLISH_MANIFEST_MEDIA, "digest",
				  subject, "size", (json_int_t)subject_size);
	_cleanup_json_ json_t *json = json_pack(
		"{s:i, s:s, s:s, s:O, s:o, s:{s:s}}", "schemaVersion", 2, "mediaType",
		PUBLISH_INDEX_MEDIA, "artifactType", ARTIFACT_TYPE, "manifests", manifests,
		"subject", about, "annotations", "com.docker.compose.version", BERTH_VERSION);

	return json_text(json);
}
