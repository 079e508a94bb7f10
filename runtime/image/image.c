// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/image/store.h"
#include "runtime/image/variants.h"

DEFINE_CLEANUP(struct image *, image_free);

void image_free(struct image *image)
{
	if (!image)
		return;
	free(image->id);
	free(image->digest);
	free(image->target);
	free(image->reference);
	free(image->architecture);
	free(image->os);
	strv_free(image->entrypoint);
	strv_free(image->command);
	strv_free(image->env);
	free(image->user);
	free(image->working_dir);
	free(image->stop_signal);
	strv_free(image->volumes);
	strv_free(image->exposed_ports);
	strv_free(image->shell);
	json_decref(image->labels);
	strv_free(image->healthcheck.test);
	strv_free(image->layer_chain_ids);
	free(image);
}

struct image *image_copy(const struct image *image, const char *reference, const json_t *entry)
{
	struct image *copy = alloc_copy(image, sizeof(*image));
	const char *time = json_get_string(json_object_get(entry, "annotations"), ANNOTATION_TIME);

	copy->id = alloc_string(image->id);
	copy->digest = alloc_string(image->digest);
	copy->target = alloc_string(store_descriptor_target(entry));
	if (time)
		copy->pulled_nsec = strtoll(time, NULL, 10) * 1000000000;
	copy->reference = alloc_string(reference);
	copy->architecture = alloc_string(image->architecture);
	copy->os = alloc_string(image->os);
	copy->entrypoint = strv_dup(image->entrypoint);
	copy->command = strv_dup(image->command);
	copy->env = strv_dup(image->env);
	copy->user = alloc_string(image->user);
	copy->working_dir = alloc_string(image->working_dir);
	copy->stop_signal = alloc_string(image->stop_signal);
	copy->volumes = strv_dup(image->volumes);
	copy->exposed_ports = strv_dup(image->exposed_ports);
	copy->shell = strv_dup(image->shell);
	copy->labels = json_deep_copy(image->labels);
	copy->healthcheck.test = strv_dup(image->healthcheck.test);
	copy->layer_chain_ids = strv_dup(image->layer_chain_ids);
	return copy;
}

static char **keys_of(const json_t *object)
{
	char **keys = NULL;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		strv_append(&keys, key);
	return keys;
}

static json_t *strings_of(const json_t *object)
{
	json_t *strings = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		if (json_is_string(value))
			json_object_set(strings, key, value);
	return strings;
}

static char *string_of(const json_t *object, const char *key)
{
	const char *text = json_get_string(object, key);

	return alloc_string(text ? text : "");
}

static void decode_healthcheck(const json_t *json, struct image_healthcheck *check)
{
	check->test = json_get_strv(json, "Test");
	check->interval_usec = json_get_int(json, "Interval", 0) / 1000;
	check->timeout_usec = json_get_int(json, "Timeout", 0) / 1000;
	check->start_period_usec = json_get_int(json, "StartPeriod", 0) / 1000;
	check->start_interval_usec = json_get_int(json, "StartInterval", 0) / 1000;
	check->retries = (int)json_get_int(json, "Retries", 0);
}

static void decode_config(const json_t *json, struct image *image)
{
	const json_t *config = json_object_get(json, "config");
	const char *created = json_get_string(json, "created");

	image->architecture = string_of(json, "architecture");
	image->os = string_of(json, "os");
	if (created)
		(void)units_parse_time(created, 0, &image->created_nsec);
	image->entrypoint = json_get_strv(config, "Entrypoint");
	image->command = json_get_strv(config, "Cmd");
	image->env = json_get_strv(config, "Env");
	image->user = string_of(config, "User");
	image->working_dir = string_of(config, "WorkingDir");
	image->stop_signal = string_of(config, "StopSignal");
	image->volumes = keys_of(json_object_get(config, "Volumes"));
	image->exposed_ports = keys_of(json_object_get(config, "ExposedPorts"));
	image->shell = json_get_strv(config, "Shell");
	image->labels = strings_of(json_object_get(config, "Labels"));
	decode_healthcheck(json_object_get(config, "Healthcheck"), &image->healthcheck);
}

static int decode_layers(struct image_store *store, const json_t *config, struct image *image,
			 struct error *err)
{
	const json_t *diff_ids = json_object_get(json_object_get(config, "rootfs"), "diff_ids");
	char chain[SHA256_HEX_SIZE] = "";
	json_t *diff_id;
	size_t i;

	if (json_array_size(diff_ids) > IMAGE_LAYERS_MAX)
		return error_set(err, EBADMSG, "image %s: more than %d layers", image->id,
				 IMAGE_LAYERS_MAX);
	json_array_foreach((json_t *)diff_ids, i, diff_id) {
		const char *hex = digest_hex(json_string_value(diff_id));
		_cleanup_json_ json_t *record = NULL;
		_cleanup_free_ char *name = NULL;
		struct error ignored = ERROR_INIT;

		if (!hex)
			return error_set(err, EBADMSG, "image %s: layer %zu has no sha256 diff id",
					 image->id, i + 1);
		chain_id(chain, hex, chain);
		strv_append(&image->layer_chain_ids, chain);
		name = str_printf("%s.json", chain);
		if (json_read(store->layers, name, 4096, &record, &ignored) == 0)
			image->size_bytes += (uint64_t)json_get_int(record, "size", 0);
	}
	return 0;
}

static int decode(struct image_store *store, const char *digest, struct image *image,
		  struct error *err)
{
	_cleanup_json_ json_t *manifest = NULL, *config = NULL;
	const char *id;
	int r;

	r = store_read_json(store, digest, &manifest, err);
	if (r < 0)
		return r;
	id = json_get_string(json_object_get(manifest, "config"), "digest");
	if (!digest_hex(id))
		return error_set(err, EBADMSG, "manifest %s: it names no config", digest);
	image->digest = alloc_string(digest);
	image->id = alloc_string(id);
	r = store_read_json(store, id, &config, err);
	if (r < 0)
		return r;
	decode_config(config, image);
	return decode_layers(store, config, image, err);
}

int store_decode(struct image_store *store, const char *manifest_digest, struct image **ret,
		 struct error *err)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	int r;

	*ret = manifest_digest ? map_get(&store->decoded, manifest_digest) : NULL;
	if (*ret)
		return 0;
	image = new (struct image);
	r = decode(store, manifest_digest, image, err);
	if (r < 0)
		return r == -ENOENT ? error_set(err, EBADMSG, "image store: %s", err->message) : r;
	*ret = image;
	map_set(&store->decoded, manifest_digest, TAKE_PTR(image));
	return 0;
}

int image_find(struct image_store *store, const char *name, struct image **ret, struct error *err)
{
	_cleanup_free_ char *reference = NULL;
	char digest[DIGEST_SIZE];
	struct image *image;
	json_t *descriptor;
	int r;

	r = store_refresh(store, err);
	if (r < 0)
		return r;
	r = variants_lookup(store, name, &descriptor, &reference, digest, err);
	if (r < 0)
		return r;
	r = store_decode(store, digest, &image, err);
	if (r < 0)
		return error_wrap(err, "image %s", name);
	*ret = image_copy(image, reference, descriptor);
	return 0;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	free(fds);
}

int image_open_layers(struct image_store *store, const struct image *image, int **ret_fds,
		      size_t *ret_count, struct error *err)
{
	size_t count = strv_length(image->layer_chain_ids);
	int *fds = new_array(int, count + 1);

	for (size_t i = 0; i < count; i++) {
		const char *chain = image->layer_chain_ids[count - 1 - i];

		fds[i] =
			openat(store->layers, chain, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fds[i] < 0) {
			const char *name = image->reference ? image->reference : image->id;
			int r = errno == ENOENT
					? error_set(err, ENOENT,
						    "image %s: layers/%s is missing: pull "
						    "or load the image again",
						    name, chain)
					: error_errno(err, "image %s: its layer %s", name, chain);

			close_all(fds, i);
			return r;
		}
	}
	*ret_fds = fds;
	*ret_count = count;
	return 0;
}
