// SPDX-License-Identifier: GPL-2.0-or-later
/* mounts.c - `volumes` of a service: SOURCE:TARGET[:OPTIONS], TARGET alone, and the long form. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"
#include "common/str.h"

#include "compose/model/shapes.h"

static const char *const type_names[] = {
	[MOUNT_VOLUME] = "volume", [MOUNT_BIND] = "bind",   [MOUNT_TMPFS] = "tmpfs",
	[MOUNT_IMAGE] = "image",   [MOUNT_NPIPE] = "npipe", [MOUNT_CLUSTER] = "cluster",
};

static const char *const propagations[] = {"private", "rprivate", "shared",
					   "rshared", "slave",    "rslave"};

static bool is_drive(const char *s)
{
	return isalpha((unsigned char)s[0]) && s[1] == ':';
}

static bool is_path(const char *source)
{
	return strchr("./~", *source) || str_starts_with(source, "\\\\") ||
	       (is_drive(source) && source[2]);
}

/* C:\dir, C:/dir, \\.\pipe\name */
static bool is_absolute_of_windows(const char *path)
{
	return str_starts_with(path, "\\\\") ||
	       (is_drive(path) && (path[2] == '/' || path[2] == '\\'));
}

/* Up to the next colon; the one behind a drive letter does not count. New string. */
static char *take_section(const char **spec)
{
	const char *start = *spec;
	size_t length = is_drive(start) ? 2 : 0;

	length += strcspn(start + length, ":");
	*spec = start[length] ? start + length + 1 : NULL;
	return alloc_string_n(start, length);
}

static bool apply_option(struct mount *mount, const char *option)
{
	if (!strcmp(option, "ro") || !strcmp(option, "rw")) {
		mount->read_only = !strcmp(option, "ro");
	} else if (!strcmp(option, "nocopy")) {
		mount->volume.nocopy = true;
	} else if (!strcmp(option, "z") || !strcmp(option, "Z")) {
		free(mount->bind.selinux);
		mount->bind.selinux = alloc_string(option);
	} else if (!strcmp(option, "cached") || !strcmp(option, "delegated") ||
		   !strcmp(option, "consistent")) {
		return true; /* Docker Desktop's, without effect on Linux */
	} else {
		array_foreach(name, propagations) {
			if (strcmp(option, *name))
				continue;
			free(mount->bind.propagation);
			mount->bind.propagation = alloc_string(option);
			return true;
		}
		return false;
	}
	return true;
}

static int apply_options(struct mount *mount, const char *text, struct error *err)
{
	static const char *const known[] = {"ro",      "rw",      "nocopy",   "z",
					    "Z",       "private", "rprivate", "shared",
					    "rshared", "slave",   "rslave"};
	_cleanup_strv_ char **options = strv_split(text, ",");

	strv_foreach(option, options) {
		const char *meant = str_equal(option, "readonly") ? "ro"
				    : str_equal(option, "readwrite")
					    ? "rw"
					    : str_suggest(option, known, ARRAY_SIZE(known));

		if (!apply_option(mount, option))
			return error_set(err, EINVAL, "unknown volume option \"%s\"%s%s%s", option,
					 meant ? "; did you mean \"" : "", meant ? meant : "",
					 meant ? "\"?" : "");
	}
	return 0;
}

/* A volume may have options of binds too: SELinux' labels are files' like any others. */
static void set_type(struct mount *mount)
{
	mount->type = MOUNT_VOLUME;
	mount->volume.given = true;
	if (!mount->source || !is_path(mount->source)) {
		if (mount->bind.selinux || mount->bind.propagation)
			mount->bind.create_host_path = TRI_TRUE;
		return;
	}
	mount->type = MOUNT_BIND;
	mount->volume.given = mount->volume.nocopy;
	mount->bind.create_host_path = TRI_TRUE;
}

int mount_parse(const char *spec, struct mount *ret, struct error *err)
{
	const char *rest = spec;
	char *sections[3] = {NULL};
	size_t n = 0;
	int r = 0;

	if (!*spec)
		return error_set(err, EINVAL, "invalid empty volume spec");
	if (strlen(spec) > 2 * PATH_MAX)
		return error_set(err, EINVAL, "invalid spec: too long");
	for (; rest && n < ARRAY_SIZE(sections); n++) {
		sections[n] = take_section(&rest);
		if (!*sections[n])
			r = error_set(err, EINVAL, "invalid spec: %s: empty section between colons",
				      spec);
	}
	if (rest)
		r = error_set(err, EINVAL, "invalid spec: %s: too many colons%s", spec,
			      n == ARRAY_SIZE(sections) && strlen(sections[2]) <= 2
				      ? " (a comma stands between options)"
				      : "");
	ret->source = n > 1 ? sections[0] : NULL;
	ret->target = n > 1 ? sections[1] : sections[0];
	if (r >= 0 && n > 2)
		r = apply_options(ret, sections[2], err);
	if (n > 2)
		free(sections[2]);
	set_type(ret);
	/* docker compose looks no further at "/d", and so has no block for it. */
	if (strlen(spec) <= 2)
		ret->volume.given = false;
	return r;
}

void mount_release(struct mount *mount)
{
	free(mount->source);
	free(mount->target);
	free(mount->consistency);
	free(mount->bind.propagation);
	free(mount->bind.recursive);
	free(mount->bind.selinux);
	free(mount->volume.subpath);
	mapping_release(&mount->volume.labels);
	free(mount->image.subpath);
	json_decref(mount->rest);
	json_decref(mount->bind.rest);
	json_decref(mount->volume.rest);
	json_decref(mount->tmpfs.rest);
	json_decref(mount->image.rest);
}

static void type_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	const char *text = node->kind == NODE_STRING ? node->text : "";

	for (unsigned int i = 0; i < ARRAY_SIZE(type_names); i++) {
		if (!strcmp(text, type_names[i])) {
			*(enum mount_type *)slot->field = (enum mount_type)i;
			if (i == MOUNT_NPIPE)
				decode_unheeded(d, node,
						"only Windows has named pipes of that kind; "
						"nothing is mounted");
			if (i == MOUNT_CLUSTER)
				decode_unheeded(d, node,
						"only Swarm has cluster volumes; nothing is "
						"mounted");
			return;
		}
	}
	decode_problem(d, node, "must be one of volume, bind, tmpfs, image");
}

static json_t *type_encode(const struct slot *slot)
{
	return json_string(type_names[*(enum mount_type *)slot->field]);
}

static void propagation_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (!decode_string(d, node, text))
		return;
	array_foreach(name, propagations)
		if (!strcmp(*text, *name))
			return;
	decode_problem(d, node, "must be one of rprivate, private, rshared, shared, rslave, slave");
}

/* The block's presence is the default itself. */
static json_t *create_host_path_encode(const struct slot *slot)
{
	return *(enum tristate *)slot->field == TRI_FALSE ? json_false() : NULL;
}

static void create_host_path_decode(struct decoder *d, const struct node *node,
				    const struct slot *slot)
{
	shape_tristate.decode(d, node, slot);
}

static void selinux_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const words[] = {"z", "Z"};

	decode_word(d, node, slot->field, words, ARRAY_SIZE(words));
}

static void recursive_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const words[] = {"enabled", "disabled", "writable", "readonly"};

	decode_word(d, node, slot->field, words, ARRAY_SIZE(words));
}

static json_t *string_encode(const struct slot *slot)
{
	return shape_string.encode(slot);
}

static void string_release(const struct slot *slot)
{
	shape_string.release(slot);
}

static const struct shape shape_type = {type_decode, type_encode, NULL};
static const struct shape shape_propagation = {propagation_decode, string_encode, string_release};
static const struct shape shape_selinux = {selinux_decode, string_encode, string_release};
static const struct shape shape_recursive = {recursive_decode, string_encode, string_release};
static const struct shape shape_create_host_path = {create_host_path_decode,
						    create_host_path_encode, NULL};

#define MOUNT(field) offsetof(struct mount, field), NO_FIELD
/* clang-format off */
static const struct attribute bind_attributes[] = {
	{"selinux",          MOUNT(bind.selinux),          &shape_selinux},
	{"propagation",      MOUNT(bind.propagation),      &shape_propagation},
	{"create_host_path", MOUNT(bind.create_host_path), &shape_create_host_path},
	{"recursive",        MOUNT(bind.recursive),        &shape_recursive},
};
/* clang-format on */
/* clang-format off */
static const struct attribute volume_attributes[] = {
	{"labels",  MOUNT(volume.labels),  &shape_labels},
	{"nocopy",  MOUNT(volume.nocopy),  &shape_bool},
	{"subpath", MOUNT(volume.subpath), &shape_string},
};
/* clang-format on */
/* clang-format off */
static const struct attribute tmpfs_attributes[] = {
	{"size", MOUNT(tmpfs.size), &shape_bytes},
	{"mode", MOUNT(tmpfs.mode), &shape_mode_number},
};
/* clang-format on */
/* clang-format off */
static const struct attribute image_attributes[] = {
	{"subpath", MOUNT(image.subpath), &shape_string},
};
/* clang-format on */
static const struct schema bind_schema = {"bind", bind_attributes, ARRAY_SIZE(bind_attributes),
					  offsetof(struct mount, bind.rest)};
static const struct schema mount_volume_schema = {"volume", volume_attributes,
						  ARRAY_SIZE(volume_attributes),
						  offsetof(struct mount, volume.rest)};
static const struct schema tmpfs_schema = {"tmpfs", tmpfs_attributes, ARRAY_SIZE(tmpfs_attributes),
					   offsetof(struct mount, tmpfs.rest)};
static const struct schema image_schema = {"image", image_attributes, ARRAY_SIZE(image_attributes),
					   offsetof(struct mount, image.rest)};

/* The blocks' fields are the mount's own, so the slot is the mount. */
static void bind_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct mount *mount = slot->field;

	decode_object(d, node, &bind_schema, mount);
	if (mount->bind.create_host_path == TRI_UNSET)
		mount->bind.create_host_path = TRI_TRUE;
}

static json_t *bind_encode(const struct slot *slot)
{
	const struct mount *mount = slot->field;

	if (mount->bind.create_host_path == TRI_UNSET)
		return NULL;
	return encode_object(&bind_schema, mount);
}

static void volume_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct mount *)slot->field)->volume.given = true;
	decode_object(d, node, &mount_volume_schema, slot->field);
}

static json_t *volume_encode(const struct slot *slot)
{
	const struct mount *mount = slot->field;

	return mount->volume.given ? encode_object(&mount_volume_schema, mount) : NULL;
}

static void tmpfs_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct mount *)slot->field)->tmpfs.given = true;
	decode_object(d, node, &tmpfs_schema, slot->field);
}

static json_t *tmpfs_encode(const struct slot *slot)
{
	const struct mount *mount = slot->field;

	return mount->tmpfs.given ? encode_object(&tmpfs_schema, mount) : NULL;
}

static void image_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	((struct mount *)slot->field)->image.given = true;
	decode_object(d, node, &image_schema, slot->field);
}

static json_t *image_encode(const struct slot *slot)
{
	const struct mount *mount = slot->field;

	return mount->image.given ? encode_object(&image_schema, mount) : NULL;
}

static const struct shape shape_bind = {bind_decode, bind_encode, NULL, &bind_schema};
static const struct shape shape_volume = {volume_decode, volume_encode, NULL, &mount_volume_schema};
static const struct shape shape_tmpfs = {tmpfs_decode, tmpfs_encode, NULL, &tmpfs_schema};
static const struct shape shape_image = {image_decode, image_encode, NULL, &image_schema};

/* clang-format off */
static const struct attribute mount_attributes[] = {
	{"type",        MOUNT(type),        &shape_type},
	{"source",      MOUNT(source),      &shape_string},
	{"target",      MOUNT(target),      &shape_string},
	{"read_only",   MOUNT(read_only),   &shape_bool},
	{"consistency", MOUNT(consistency), &shape_string},
	{"bind",        NO_FIELD, NO_FIELD, &shape_bind},
	{"volume",      NO_FIELD, NO_FIELD, &shape_volume},
	{"tmpfs",       NO_FIELD, NO_FIELD, &shape_tmpfs},
	{"image",       NO_FIELD, NO_FIELD, &shape_image},
};
/* clang-format on */
static const struct schema mount_schema = {"volume", mount_attributes, ARRAY_SIZE(mount_attributes),
					   offsetof(struct mount, rest)};

static void check_mount(struct decoder *d, const struct node *item, struct mount *mount)
{
	char *cleaned;

	if (!mount->target) {
		decode_problem(d, item, "is missing a mount target");
		return;
	}
	if (*mount->target != '/' && !is_drive(mount->target))
		decode_problem(d, item, "mount target \"%s\" must be an absolute path%s",
			       mount->target,
			       mount->source && is_drive(mount->source)
				       ? "; a single letter and a colon are read as a drive of "
					 "Windows: a volume's name needs two letters here"
				       : "");
	cleaned = *mount->target == '/' ? path_clean(mount->target) : alloc_string(mount->target);
	free(mount->target);
	mount->target = cleaned;
	if (mount->type == MOUNT_BIND && !mount->source)
		decode_problem(d, item, "a bind mount needs a source");
	if (mount->type == MOUNT_BIND && mount->source && !is_absolute_of_windows(mount->source))
		decode_resolve(d, item, &mount->source);
	if (mount->type == MOUNT_IMAGE && !mount->source)
		decode_problem(d, item, "an image mount needs a source: the image's name");
}

static void warn_of_block(struct decoder *d, const struct node *item, const char *name,
			  const char *why)
{
	const struct node *block = node_get(item, name);

	if (!block)
		return;
	decoder_push(d, name);
	decode_unheeded(d, block, why);
	decoder_pop(d);
}

/* Blocks of other types, and labels of a volume that has its own already. */
static void warn_of_unheeded(struct decoder *d, const struct node *item, const struct mount *mount)
{
	const struct {
		const char *name, *why;
		enum mount_type type;
	} blocks[] = {
		{"bind", "it is for mounts of type bind", MOUNT_BIND},
		{"volume", "it is for mounts of type volume", MOUNT_VOLUME},
		{"tmpfs", "it is for mounts of type tmpfs", MOUNT_TMPFS},
		{"image", "it is for mounts of type image", MOUNT_IMAGE},
	};

	if (mount->type == MOUNT_NPIPE || mount->type == MOUNT_CLUSTER)
		return;
	array_foreach(block, blocks)
		if (block->type != mount->type &&
		    !(mount->type == MOUNT_VOLUME && block->type == MOUNT_BIND &&
		      mount->bind.selinux))
			warn_of_block(d, item, block->name, block->why);
	if (mount->type == MOUNT_TMPFS)
		warn_of_block(d, item, "source", "a tmpfs has none");
	if (mount->type == MOUNT_VOLUME && mount->source) {
		decoder_push(d, "volume");
		warn_of_block(d, node_get(item, "volume"), "labels",
			      "those of a named volume stand with it, below `volumes`");
		decoder_pop(d);
	}
}

static void decode_mount(struct decoder *d, const struct node *item, const struct slot *slot)
{
	struct mount *mount = array_add(*(struct mount **)slot->field, *slot->count);
	struct error err = ERROR_INIT;

	if (item->kind == NODE_MAPPING) {
		decode_object(d, item, &mount_schema, mount);
		if (!node_get(item, "type"))
			decode_problem(d, item, "type is required");
		check_mount(d, item, mount);
		warn_of_unheeded(d, item, mount);
	} else if (item->kind != NODE_STRING) {
		decode_wrong_type(d, item, "a string or a mapping");
	} else if (mount_parse(item->text, mount, &err) < 0) {
		decode_problem(d, item, "%s", err.message);
	} else {
		check_mount(d, item, mount);
	}
}

static void mount_key(const void *row, struct strbuf *text)
{
	const struct mount *mount = row;

	strbuf_add(text, mount->target ? mount->target : "");
}

static void release_row(void *row)
{
	mount_release(row);
}

static void mounts_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	size_t i = 0;

	if (!decode_sequence_kind(d, node))
		return;
	node_foreach(item, node) {
		decoder_push_index(d, i++);
		decode_mount(d, item, slot);
		decoder_pop(d);
	}
	decode_unique_items(d, node);
	rows_unify(*(void **)slot->field, slot->count, sizeof(struct mount), mount_key,
		   release_row);
}

static json_t *mounts_encode(const struct slot *slot)
{
	const struct mount *mounts = *(struct mount **)slot->field;
	json_t *json;

	if (!*slot->count)
		return NULL;
	json = json_array();
	for (size_t i = 0; i < *slot->count; i++)
		json_array_append_new(json, encode_object(&mount_schema, &mounts[i]));
	return json;
}

static void mounts_release(const struct slot *slot)
{
	struct mount **mounts = slot->field;

	for (size_t i = 0; i < *slot->count; i++)
		mount_release(&(*mounts)[i]);
	free(TAKE_PTR(*mounts));
	*slot->count = 0;
}

const struct shape shape_mounts = {mounts_decode, mounts_encode, mounts_release, &mount_schema,
				   .elements = true};
