// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/transfer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/build/transfer_internal.h"
#include "runtime/image/layer.h"

static void place_done(struct transfer_place *place)
{
	free(place->at);
	json_decref(place->manifest);
	json_decref(place->config);
	map_done(&place->records, NULL);
	registry_close(place->registry);
	registry_name_done(&place->name);
}

struct words {
	const char *type, *at, *mode, *ignore;
};

static void take_word(struct words *words, const char *key, const char *value)
{
	static const char *const ats[] = {"src", "dest", "ref"};

	if (!strcmp(key, "type"))
		words->type = value;
	else if (!strcmp(key, "mode"))
		words->mode = value;
	else if (!strcmp(key, "ignore-error"))
		words->ignore = value;
	for (size_t i = 0; i < ARRAY_SIZE(ats); i++)
		if (!strcmp(key, ats[i]))
			words->at = value;
}

/* 1: it is of a type that only others know. */
static int fill_place(const struct words *words, const char *text, const char *flag,
		      struct transfer_place *ret, struct error *err)
{
	static const char *const types[] = {"local", "registry", "inline"};
	const char *type = words->type ?: "registry";
	bool known = false;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!str_equal(types[i], type))
			continue;
		ret->kind = (enum transfer_kind)i;
		known = true;
	}
	if (!known)
		return 1;
	if (ret->kind != TRANSFER_INLINE && (!words->at || !*words->at))
		return error_set(err, EINVAL, "%s %.100s: %s is missing", flag, text,
				 ret->kind == TRANSFER_REGISTRY ? "ref"
				 : !strcmp(flag, "cache_to")    ? "dest"
								: "src");
	if (words->mode && strcmp(words->mode, "min") != 0 && strcmp(words->mode, "max") != 0)
		return error_set(err, EINVAL, "%s %.100s: mode must be min or max", flag, text);
	ret->all = str_equal(words->mode, "max");
	ret->ignore_error = str_equal(words->ignore, "true");
	ret->at = words->at ? alloc_string(words->at) : NULL;
	return 0;
}

/* "type=local,src=DIR", "type=registry,ref=NAME", "type=inline", or a mere "NAME". */
static int add_places(struct build *build, char *const *list, const char *flag,
		      struct transfer_place **places, size_t *count, struct error *err)
{
	strv_foreach(text, list) {
		_cleanup_strv_ char **fields = strv_split(text, ",");
		struct transfer_place place = {0};
		struct words words = {0};
		int r;

		if (!strchr(text, '='))
			words.at = text;
		strv_foreach(field, fields) {
			char *equals = strchr(field, '=');

			if (!equals)
				continue;
			*equals = '\0';
			take_word(&words, field, equals + 1);
		}
		r = fill_place(&words, text, flag, &place, err);
		if (r < 0)
			return r;
		if (r > 0)
			build_warn(build,
				   "%s: type %.40s is not known here and passed over (local, "
				   "registry and inline are)",
				   flag, words.type);
		else if (place.kind != TRANSFER_INLINE || !strcmp(flag, "cache_to"))
			*array_add(*places, *count) = place;
	}
	return 0;
}

int transfer_new(struct build *build, struct transfer **ret, struct error *err)
{
	struct transfer *transfer = new (struct transfer);

	*ret = transfer;
	transfer->build = build;
	if (add_places(build, build->options->cache_from, "cache_from", &transfer->from,
		       &transfer->from_count, err) < 0)
		return -err->code;
	return add_places(build, build->options->cache_to, "cache_to", &transfer->to,
			  &transfer->to_count, err);
}

void transfer_free(struct transfer *transfer)
{
	if (!transfer)
		return;
	for (size_t i = 0; i < transfer->from_count; i++)
		place_done(&transfer->from[i]);
	for (size_t i = 0; i < transfer->to_count; i++)
		place_done(&transfer->to[i]);
	free(transfer->from);
	free(transfer->to);
	free(transfer);
}

static void read_records(struct transfer_place *place)
{
	json_t *record;
	size_t i;

	json_array_foreach(json_object_get(place->config, TRANSFER_RECORDS), i, record) {
		const char *key = json_get_string(record, "key");

		if (key && strlen(key) == SHA256_HEX_SIZE - 1 && is_hex(key, SHA256_HEX_SIZE - 1))
			map_set(&place->records, key, record);
	}
}

static void read_place(struct transfer *transfer, struct transfer_place *place)
{
	struct error err = ERROR_INIT;

	place->read = true;
	if (transfer_read(place, &err) < 0)
		build_warn(transfer->build, "cache_from %s: %s", place->at, err.message);
	else
		read_records(place);
}

bool transfer_find(struct transfer *transfer, const char *key, struct cache_record *ret)
{
	for (size_t i = 0; i < transfer->from_count; i++) {
		struct transfer_place *place = &transfer->from[i];
		const json_t *record;
		const char *diff;

		if (!place->read)
			read_place(transfer, place);
		record = map_get(&place->records, key);
		diff = record ? json_get_string(record, "diff") : NULL;
		if (!diff || (*diff && !(strlen(diff) == 64 && is_hex(diff, 64))))
			continue;
		*ret = (struct cache_record){.tree_bytes =
						     (uint64_t)json_get_int(record, "bytes", 0),
					     .created_nsec = json_get_int(record, "created", 0)};
		snprintf(ret->diff, sizeof(ret->diff), "%s", diff);
		return true;
	}
	return false;
}

/* The blob of the layer with this digest of its uncompressed archive. */
static bool find_layer(const struct transfer_place *place, const char *diff,
		       struct manifest *manifest, struct descriptor *ret)
{
	const char *diffs[IMAGE_LAYERS_MAX];
	struct error ignored = ERROR_INIT;

	if (!place->manifest || manifest_decode(place->manifest, manifest, &ignored) < 0 ||
	    manifest_diff_ids(manifest, place->config, diffs, &ignored) < 0)
		return false;
	for (size_t i = 0; i < manifest->layer_count; i++) {
		if (strcmp(diffs[i], diff) != 0)
			continue;
		*ret = manifest->layers[i];
		return true;
	}
	return false;
}

static int unpack(struct build *build, const struct tree *tree, int fd, struct error *err)
{
	struct staging *staging = &build->staging;
	_cleanup_free_ char *blob = NULL, *name = NULL;
	_cleanup_close_ int copy = staging_file(staging, &blob, err), dir = -EBADF;
	struct layer_result layer;
	int r;

	if (copy < 0)
		return copy;
	dir = staging_directory(staging, &name, err);
	if (dir < 0)
		return dir;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(err, "layer %.12s", tree->diff);
	r = layer_unpack(fd, dir, copy, &layer, err);
	if (r < 0)
		return r;
	if (strcmp(layer.diff_hex, tree->diff) != 0)
		return error_set(err, EBADMSG, "layer %.12s is another one (%.12s)", tree->diff,
				 layer.diff_hex);
	staging_add_blob(staging, tree->diff, TAKE_PTR(blob));
	return staging_add_layer(staging, tree->chain, tree->diff, layer.tree_bytes, TAKE_PTR(name),
				 err);
}

int transfer_fetch(struct transfer *transfer, const struct tree *tree, struct error *err)
{
	struct build *build = transfer->build;
	_cleanup_free_ struct manifest *manifest = new (struct manifest);

	if (store_has_layer(build->store, tree->chain) ||
	    staging_has_layer(&build->staging, tree->chain))
		return 0;
	error_set(err, ENOENT, "layer %.12s is not there", tree->diff);
	for (size_t i = 0; i < transfer->from_count; i++) {
		struct transfer_place *place = &transfer->from[i];
		_cleanup_close_ int fd = -EBADF;
		_cleanup_free_ char *name = NULL;
		struct descriptor blob;

		if (!find_layer(place, tree->diff, manifest, &blob))
			continue;
		error_clear(err);
		fd = staging_file(&build->staging, &name, err);
		if (fd < 0)
			return fd;
		if (transfer_read_blob(place, &blob, fd, err) == 0 &&
		    unpack(build, tree, fd, err) == 0) {
			(void)unlinkat(build->staging.dir, name, 0);
			return 0;
		}
		error_wrap(err, "cache_from %s", place->at);
	}
	return -err->code;
}
