// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * remote_oci.c - Compose files of an OCI artifact, as `docker compose publish` makes it: a layer a
 * file, of the media types below; annotations name the files that others extend, and env files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/path.h"
#include "common/sha256.h"
#include "common/str.h"

#include "runtime/image/registry.h"

#include "compose/cli/remote/remote_files.h"

#define ARTIFACT_TYPE   "application/vnd.docker.compose.project"
#define CONFIG_TYPE     "application/vnd.docker.compose.config.empty.v1+json"
#define FILE_TYPE       "application/vnd.docker.compose.file+yaml"
#define ENV_FILE_TYPE   "application/vnd.docker.compose.envfile"
#define FILE_NAME       "com.docker.compose.file"
#define EXTENDS         "com.docker.compose.extends"
#define ENV_FILE_NAME   "com.docker.compose.envfile"
#define MANIFEST_ACCEPT "application/vnd.oci.image.manifest.v1+json"
#define LAYERS_MAX      1000
#define LAYER_MAX       (4 << 20)
#define FILE_MAX        (16 << 20)

/* Of a registry's answer: at most so much is kept. */
struct body {
	struct strbuf text;
	size_t limit;
};

static int receive(struct registry_request *request, const void *data, size_t size,
		   struct error *err)
{
	struct body *body = request->data;

	if (body->text.length + size > body->limit)
		return error_set(err, EFBIG, "it is larger than %zu MiB", body->limit >> 20);
	strbuf_add_n(&body->text, data, size);
	return 0;
}

static int get(const struct registry_name *name, const char *path, const char *accept,
	       struct strbuf *ret, struct error *err)
{
	struct registry *registry = NULL;
	struct registry_request *request = NULL;
	struct body body = {.limit = LAYER_MAX};
	int r = registry_open(&registry, err);

	if (r < 0)
		return r;
	request = registry_request_new(registry, name->registry, name->repository, "GET", path);
	if (accept)
		registry_request_header(request, "Accept: %s", accept);
	request->receive = receive;
	request->data = &body;
	r = registry_call(request, err);
	registry_request_free(request);
	registry_close(registry);
	*ret = body.text;
	return r;
}

static int check_digest(const struct strbuf *text, const char *digest, struct error *err)
{
	char hex[SHA256_HEX_SIZE];

	sha256_of(text->data ? text->data : "", text->length, hex);
	if (digest && str_starts_with(digest, "sha256:") && !strcmp(digest + 7, hex))
		return 0;
	return error_set(err, EBADMSG, "the registry sent something else than %s",
			 digest ? digest : "what has no digest");
}

static int parse_name(const struct remote_meaning *meaning, struct registry_name *ret,
		      struct error *err)
{
	return registry_name_parse(meaning->reference + strlen("oci://"), ret, err);
}

int remote_oci_resolve(struct remote_meaning *meaning, struct error *err)
{
	struct registry_name name = {0};
	_cleanup_strbuf_ struct strbuf text = {0};
	_cleanup_free_ char *path = NULL;
	char hex[SHA256_HEX_SIZE];
	int r = parse_name(meaning, &name, err);

	if (r >= 0) {
		path = str_printf("manifests/%s", name.digest ?: name.tag ?: "latest");
		r = get(&name, path, MANIFEST_ACCEPT, &text, err);
	}
	if (r >= 0 && name.digest)
		r = check_digest(&text, name.digest, err);
	registry_name_done(&name);
	if (r < 0)
		return r;
	sha256_of(text.data ? text.data : "", text.length, hex);
	meaning->name = str_printf("sha256-%s", hex);
	meaning->manifest = alloc_string_n(text.data ? text.data : "", text.length);
	return 0;
}

static int check_type(const json_t *manifest, struct error *err)
{
	const char *type = json_get_string(manifest, "artifactType");
	const char *config = json_get_string(json_object_get(manifest, "config"), "mediaType");

	if (type ? str_equal(type, ARTIFACT_TYPE) : str_equal(config, CONFIG_TYPE))
		return 0;
	return error_set(err, EINVAL, "it is no Compose project, but %s",
			 type     ? type
			 : config ? config
				  : "something that does not say what it is");
}

/* What a layer is to be called; NULL: it is none of ours. New string. */
static char *name_of(const json_t *layer, bool variables)
{
	const json_t *notes = json_object_get(layer, "annotations");
	const char *name = "compose.yaml";

	if (variables)
		name = json_get_string(notes, ENV_FILE_NAME);
	else if (json_object_get(notes, EXTENDS))
		name = json_get_string(notes, FILE_NAME);
	return name ? path_clean_inside(name) : NULL;
}

static bool is_digest(const char *text)
{
	return text && str_starts_with(text, "sha256:") &&
	       strspn(text + 7, "0123456789abcdef") == SHA256_HEX_SIZE - 1 &&
	       strlen(text) == 7 + SHA256_HEX_SIZE - 1;
}

static int read_layer(const json_t *layer, struct remote_oci_files *files, struct error *err)
{
	const char *type = json_get_string(layer, "mediaType");
	const char *digest = json_get_string(layer, "digest");
	bool variables = str_equal(type, ENV_FILE_TYPE);
	_cleanup_free_ char *name =
		variables || str_equal(type, FILE_TYPE) ? name_of(layer, variables) : NULL;

	if (!name)
		return 0;
	if (!*name || strchr(name, '/') || strlen(name) > NAME_MAX)
		return error_set(err, EINVAL, "it has a file '%.80s', which is no plain name",
				 name);
	if (!is_digest(digest))
		return error_set(err, EBADMSG, "%.80s: it has no digest", name);
	*array_add(files->items, files->count) = (struct remote_oci_file){
		.name = TAKE_PTR(name), .digest = alloc_string(digest), .variables = variables};
	return 0;
}

int remote_oci_parse(const char *manifest, struct remote_oci_files *ret, struct error *err)
{
	_cleanup_json_ json_t *json = NULL;
	const json_t *layers, *layer;
	size_t i;
	int r;

	*ret = (struct remote_oci_files){0};
	r = json_parse(manifest, strlen(manifest), &json, err);
	if (r >= 0)
		r = check_type(json, err);
	layers = json_object_get(json, "layers");
	if (r >= 0 && json_array_size(layers) > LAYERS_MAX)
		r = error_set(err, E2BIG, "it has more than %d files", LAYERS_MAX);
	json_array_foreach(layers, i, layer)
		if (r >= 0)
			r = read_layer(layer, ret, err);
	if (r < 0)
		remote_oci_files_done(ret);
	return r;
}

void remote_oci_files_done(struct remote_oci_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		free(files->items[i].digest);
	}
	free(files->items);
	*files = (struct remote_oci_files){0};
}

/* Several Compose files are one with several documents; of variables the last file counts. */
static int write_file(int dir, const struct remote_oci_file *file, const struct strbuf *text,
		      struct error *err)
{
	static const char between[] = "\n---\n";
	_cleanup_strbuf_ struct strbuf whole = {0};
	_cleanup_free_ char *before = NULL;
	size_t size = 0;

	if (!file->variables && faccessat(dir, file->name, F_OK, 0) == 0) {
		if (fs_read(dir, file->name, FILE_MAX, &before, &size, err) < 0)
			return -err->code;
		strbuf_add_n(&whole, before, size);
		strbuf_add(&whole, between);
	}
	if (text->length)
		strbuf_add_n(&whole, text->data, text->length);
	if (whole.length > FILE_MAX)
		return error_set(err, EFBIG, "it is larger than %d MiB", FILE_MAX >> 20);
	return fs_replace(dir, file->name, whole.data ? whole.data : "", whole.length, FS_ATOMIC,
			  err);
}

static int fetch_file(const struct registry_name *name, const struct remote_oci_file *file, int dir,
		      struct error *err)
{
	_cleanup_free_ char *path = str_printf("blobs/%s", file->digest);
	_cleanup_strbuf_ struct strbuf text = {0};
	int r = get(name, path, NULL, &text, err);

	if (r >= 0)
		r = check_digest(&text, file->digest, err);
	if (r >= 0)
		r = write_file(dir, file, &text, err);
	return r < 0 ? error_wrap(err, "%s", file->name) : 0;
}

int remote_oci_fetch(const struct remote_meaning *meaning, const char *path, struct error *err)
{
	struct registry_name name = {0};
	struct remote_oci_files files;
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, path, err);
	int r;

	if (dir < 0)
		return dir;
	r = remote_oci_parse(meaning->manifest, &files, err);
	if (r < 0)
		return r;
	r = parse_name(meaning, &name, err);
	for (size_t i = 0; r >= 0 && i < files.count; i++)
		r = fetch_file(&name, &files.items[i], dir, err);
	registry_name_done(&name);
	remote_oci_files_done(&files);
	return r;
}
