// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/translate/mounts.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/supervisor/network/names.h"
#include "compose/supervisor/observe.h"

void translation_add_mount(struct translation *translation, int fd, const char *target,
			   bool directory)
{
	struct mount_spec *slot = array_add(translation->mounts, translation->spec.mount_count);

	*slot = (struct mount_spec){translation_own_fd(translation, fd), target, directory};
}

bool translation_mounts(const struct translation *translation, const char *target)
{
	for (size_t i = 0; i < translation->spec.mount_count; i++)
		if (strcmp(translation->mounts[i].target, target) == 0)
			return true;
	return false;
}

const char *mount_volume_name(const struct project *project, const struct mapping *anonymous,
			      const struct mount *mount)
{
	const struct volume *volume;

	if (!mount->source)
		return mapping_get(anonymous, mount->target);
	volume = project_volume(project, mount->source);
	return volume ? volume->name : mount->source;
}

const char *translate_volume_name(const struct instance *instance, const struct mount *mount)
{
	return mount_volume_name(instance->model->project, &instance->anonymous, mount);
}

bool service_mounts(const struct service *service, const char *target)
{
	for (size_t i = 0; i < service->volume_count; i++)
		if (str_equal(service->volumes[i].target, target))
			return true;
	strv_foreach(row, service->tmpfs)
		if (str_starts_with(row, target) && strchr(":", row[strlen(target)]))
			return true;
	return false;
}

char **translate_image_volumes(const struct service *service, const struct image *image)
{
	char **paths = NULL;

	strv_foreach(path, image->volumes)
		if (!service_mounts(service, path))
			strv_append(&paths, path);
	return paths;
}

bool translate_populate_row(const struct instance *instance, const struct image *image,
			    size_t index, const char **ret_volume, const char **ret_target)
{
	const struct service *service = instance->service;
	size_t own = service->volume_count;

	*ret_volume = NULL;
	if (index < own) {
		const struct mount *mount = &service->volumes[index];

		if (mount->type == MOUNT_VOLUME && !mount->volume.nocopy && !mount->volume.subpath)
			*ret_volume = translate_volume_name(instance, mount);
		*ret_target = mount->target;
		return true;
	}
	if (index - own >= instance->anonymous.count)
		return false;
	*ret_volume = instance->anonymous.items[index - own].value;
	*ret_target = instance->anonymous.items[index - own].key;
	return true;
}

static int add_named_volume(struct translation *translation, const struct mount *mount,
			    const char *name, bool read_only, struct error *err)
{
	struct volume_mount_options options = {
		.read_only = mount->read_only || read_only,
		.subpath = mount->volume.subpath,
	};
	int fd;

	if (!name)
		return error_set(err, ENOENT, "the volume of %s was never made", mount->target);
	fd = volume_mount(translation->instance->supervisor->volumes, name, &options, err);
	if (fd < 0)
		return error_wrap(err, "volume %s", name);
	translation_add_mount(translation, fd, mount->target, true);
	return 0;
}

static int add_bind(struct translation *translation, const struct mount *mount, bool read_only,
		    struct error *err)
{
	const char *recursive = mount->bind.recursive;
	struct bind_options options = {
		.read_only = mount->read_only || read_only,
		.recursive = !str_equal(recursive, "disabled"),
		.read_only_recursive = !str_equal(recursive, "writable"),
		.require_read_only_recursive = str_equal(recursive, "readonly"),
		.create = mount->bind.create_host_path != TRI_FALSE,
		.propagation = mount->bind.propagation,
	};
	bool directory = true;
	int fd = mount_bind(mount->source, &options, &directory, err);

	if (fd < 0)
		return fd;
	/* Mounts can only propagate into a container whose root lets them. */
	if (options.propagation && !translation->spec.propagation) {
		if (str_ends_with(options.propagation, "shared"))
			translation->spec.propagation = "rshared";
		else if (str_ends_with(options.propagation, "slave"))
			translation->spec.propagation = "rslave";
	}
	translation_add_mount(translation, fd, mount->target, directory);
	return 0;
}

static int add_tmpfs(struct translation *translation, const struct mount *mount, struct error *err)
{
	struct tmpfs_options options = {.read_only = mount->read_only};
	int fd;

	if (mount->tmpfs.size.set)
		options.size_bytes = mount->tmpfs.size.value;
	if (mount->tmpfs.mode.set)
		options.mode = (mode_t)mount->tmpfs.mode.value;
	fd = mount_tmpfs(&options, err);
	if (fd < 0)
		return fd;
	translation_add_mount(translation, fd, mount->target, true);
	return 0;
}

/* The image's tree, or a part of it, read-only whatever is said. */
static int add_image(struct translation *translation, const struct mount *mount, struct error *err)
{
	struct supervisor *supervisor = translation->instance->supervisor;
	const struct image *image = observe_image(supervisor, mount->source, err);
	bool directory = true;
	int fd;

	fd = image ? translate_image_part(supervisor->images, image, mount->image.subpath,
					  &directory, err)
		   : -err->code;
	if (fd < 0)
		return error_wrap(err, "volume %s: image %s", mount->target, mount->source);
	translation_add_mount(translation, fd, mount->target, directory);
	return 0;
}

static int add_one(struct translation *translation, const struct mount *mount, bool read_only,
		   struct error *err)
{
	switch (mount->type) {
	case MOUNT_VOLUME:
		return add_named_volume(translation, mount,
					translate_volume_name(translation->instance, mount),
					read_only, err);
	case MOUNT_BIND:
		return add_bind(translation, mount, read_only, err);
	case MOUNT_TMPFS:
		return add_tmpfs(translation, mount, err);
	case MOUNT_IMAGE:
		return add_image(translation, mount, err);
	default:
		/* Windows' or Swarm's: the file was told that nothing comes of it. */
		return 0;
	}
}

/* "/run:size=64m,mode=1777" */
static int add_tmpfs_text(struct translation *translation, const char *text, struct error *err)
{
	const char *colon = strchr(text, ':');
	char *target = translation_own(
		translation, alloc_string_n(text, colon ? (size_t)(colon - text) : strlen(text)));
	struct tmpfs_options options = {0};
	int fd;

	if (colon && tmpfs_options_parse(colon + 1, &options, err) < 0)
		return error_wrap(err, "tmpfs %s", target);
	fd = mount_tmpfs(&options, err);
	if (fd < 0)
		return error_wrap(err, "tmpfs %s", target);
	translation_add_mount(translation, fd, target, true);
	return 0;
}

static int add_anonymous(struct translation *translation, struct error *err)
{
	const struct mapping *anonymous = &translation->instance->anonymous;

	for (size_t i = 0; i < anonymous->count; i++) {
		const struct key_value *row = &anonymous->items[i];
		struct mount mount = {.type = MOUNT_VOLUME, .target = row->key};
		int r = 0;

		if (!translation_mounts(translation, row->key))
			r = add_named_volume(translation, &mount, row->value, false, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Another's paths are to be there until the birth, and it need not be: they are copied. */
static int add_shared(void *data, const struct mount *mount, const char *volume, bool read_only,
		      struct error *err)
{
	struct translation *translation = data;
	struct mount own = *mount;

	if (translation_mounts(translation, mount->target))
		return 0;
	own.target = translation_own(translation, alloc_string(mount->target));
	return own.type == MOUNT_VOLUME
		       ? add_named_volume(translation, &own, volume, read_only, err)
		       : add_one(translation, &own, read_only, err);
}

/* hosts, resolv.conf and hostname, which the container may change for itself. */
static int add_names(struct translation *translation, struct error *err)
{
	static const struct {
		const char *file, *target;
	} rows[] = {
		{"hosts", "/etc/hosts"},
		{"hostname", "/etc/hostname"},
		{"resolv.conf", "/etc/resolv.conf"},
	};
	_cleanup_close_ int dir = names_write(translation->instance, err);

	if (dir < 0)
		return dir;
	array_foreach(row, rows) {
		int fd;

		if (translation_mounts(translation, row->target))
			continue;
		fd = mount_clone(dir, row->file, false, err);
		if (fd < 0)
			return error_wrap(err, "%s", row->target);
		translation_add_mount(translation, fd, row->target, false);
	}
	return 0;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/' && path[1] && path[1] != '/';
	return n;
}

/* What lies deeper comes later, so that nothing is hidden; otherwise in the order written. */
static void sort_mounts(struct mount_spec *mounts, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct mount_spec moving = mounts[i];
		size_t k = i;

		for (; k > 0 && depth(mounts[k - 1].target) > depth(moving.target); k--)
			mounts[k] = mounts[k - 1];
		mounts[k] = moving;
	}
}

static int stack_root(struct translation *translation, struct error *err)
{
	struct supervisor *supervisor = translation->instance->supervisor;
	struct rootfs_spec *root = &translation->spec.rootfs;
	int *layers = NULL;
	char path[96];
	int r;

	r = image_open_layers(supervisor->images, translation->image, &layers, &root->layer_count,
			      err);
	if (r < 0)
		return r;
	translation_own(translation, layers);
	for (size_t i = 0; i < root->layer_count; i++)
		translation_own_fd(translation, layers[i]);
	root->layer_fds = layers;
	root->read_only = translation->service->read_only == TRI_TRUE;
	root->userns_fd = -EBADF;
	root->upper_fd = root->work_fd = -EBADF;
	snprintf(path, sizeof(path), "%s/upper", translation->instance->id);
	root->upper_fd =
		translation_own_fd(translation, fs_open_dir(supervisor->containers_dir, path, err));
	if (root->upper_fd < 0)
		return root->upper_fd;
	snprintf(path, sizeof(path), "%s/work", translation->instance->id);
	root->work_fd =
		translation_own_fd(translation, fs_open_dir(supervisor->containers_dir, path, err));
	return root->work_fd < 0 ? root->work_fd : 0;
}

int translate_root(struct translation *ret, struct instance *instance, const struct image *image,
		   struct error *err)
{
	*ret = (struct translation){
		.instance = instance, .service = instance->service, .image = image};
	return stack_root(ret, err);
}

int translate_mounts(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	int r = stack_root(translation, err);

	for (size_t i = 0; r == 0 && i < service->volume_count; i++) {
		struct own_mount own;

		own_mount_init(&own, translation->instance, &service->volumes[i]);
		r = add_one(translation, &own.mount, false, err);
		own_mount_done(&own);
	}
	strv_foreach(text, service->tmpfs)
		if (r == 0)
			r = add_tmpfs_text(translation, text, err);
	strv_foreach(text, service->volumes_from)
		if (r == 0)
			r = volumes_from_visit(translation->instance->supervisor, text, add_shared,
					       translation, err);
	if (r == 0)
		r = add_anonymous(translation, err);
	if (r == 0)
		r = translate_systemd_mounts(translation, err);
	if (r == 0)
		r = translate_files(translation, err);
	if (r == 0)
		r = add_names(translation, err);
	if (r < 0)
		return r;
	sort_mounts(translation->mounts, translation->spec.mount_count);
	translation->spec.mounts = translation->mounts;
	if (service->shm_size.set)
		translation->spec.shm_bytes = service->shm_size.value;
	return 0;
}
