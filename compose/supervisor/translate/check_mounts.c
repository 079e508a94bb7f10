// SPDX-License-Identifier: GPL-2.0-or-later
/* check_mounts.c - what cannot be mounted: sources, parts of volumes and images, and the root. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/path.h"
#include "common/str.h"

#include "volumes/mount.h"
#include "volumes/volume.h"

#include "compose/control/place.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/translate/check.h"

/* Filled in for each container: model/replica.h. */
static bool is_pattern(const char *text)
{
	return text && strstr(text, "{{");
}

static bool is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	while (length && folder[length - 1] == '/')
		length--;
	return strncmp(path, folder, length) == 0 && (!path[length] || path[length] == '/');
}

static bool reaches(const struct service *service, const char *path)
{
	if (service->privileged == TRI_TRUE || service->volumes_from)
		return true;
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (mount->type == MOUNT_BIND && !mount->read_only &&
		    (is_pattern(mount->source) || is_within(path, mount->source)))
			return true;
	}
	return strv_contains(service->cap_add, "ALL") ||
	       strv_contains(service->cap_add, "SYS_MODULE");
}

bool check_may_be_made(const struct check_room *room, const struct service *service,
		       const char *path)
{
	for (size_t i = 0; i < room->project->service_count; i++) {
		const struct service *other = &room->project->services[i];

		if (strcmp(other->name, service->name) != 0 && reaches(other, path))
			return true;
	}
	return false;
}

int check_bind_is_directory(const struct check_room *room, const struct service *service,
			    const struct mount *mount)
{
	struct stat st;

	if (!mount->source || is_pattern(mount->source))
		return -EINVAL;
	if (stat(mount->source, &st) == 0)
		return S_ISDIR(st.st_mode);
	/* Made as one, unless somebody comes before. */
	return errno != ENOENT || check_may_be_made(room, service, mount->source) ? -ENOENT : 1;
}

static int check_bind(const struct mount *mount, struct error *err)
{
	if (!mount->source || is_pattern(mount->source) || access(mount->source, F_OK) == 0)
		return 0;
	if (mount->bind.create_host_path == TRI_FALSE)
		return error_set(err, errno, "bind source path does not exist: %s", mount->source);
	/* Others, mostly ENOENT, are no reason not to try. */
	return errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG
		       ? error_errno(err, "bind source '%s'", mount->source)
		       : 0;
}

static bool mounts_volume(const struct service *service, const struct mount *but, const char *key)
{
	if (service->volumes_from)
		return true;
	for (size_t i = 0; i < service->volume_count; i++) {
		const struct mount *mount = &service->volumes[i];

		if (mount != but && mount->type == MOUNT_VOLUME && str_equal(mount->source, key))
			return true;
	}
	return false;
}

/* Nobody else has it who might put something into it. */
static bool is_alone(const struct check_room *room, const struct mount *mount)
{
	for (size_t i = 0; i < room->project->service_count; i++)
		if (mounts_volume(&room->project->services[i], mount, mount->source))
			return false;
	return true;
}

/* It is here, and what it has comes from no other place. */
static bool is_plain(const struct check_room *room, const char *name)
{
	struct volume_info *info = NULL;
	struct error ignored = ERROR_INIT;
	bool plain;

	if (volume_inspect(room->supervisor->volumes, name, &info, &ignored) < 0)
		return false;
	plain = !json_object_size(info->driver_opts);
	volume_info_free(info);
	return plain;
}

static int check_volume(const struct check_room *room, const struct mount *mount, struct error *err)
{
	const struct volume *volume =
		mount->source ? project_volume(room->project, mount->source) : NULL;
	struct volume_mount_options options = {.subpath = mount->volume.subpath};
	int fd;

	if (!volume || !options.subpath || is_pattern(options.subpath) || !is_alone(room, mount))
		return 0;
	if (!volume->external && !volume->driver_opts.count &&
	    !volume_exists(room->supervisor->volumes, volume->name))
		return error_set(
			err, ENOENT,
			"volume %s: subpath '%s': the volume is not there yet, and nothing "
			"makes that in it",
			volume->name, options.subpath);
	if (!is_plain(room, volume->name))
		return 0;
	fd = volume_mount(room->supervisor->volumes, volume->name, &options, err);
	if (fd < 0)
		return error_wrap(err, "volume %s", volume->name);
	close(fd);
	return 0;
}

static int check_image_mount(const struct check_room *room, const struct mount *mount,
			     struct error *err)
{
	struct supervisor *supervisor = room->supervisor;
	struct error ignored = ERROR_INIT;
	const struct image *image;
	bool directory;
	int fd;

	if (!mount->source || !mount->image.subpath)
		return 0;
	image = observe_image(supervisor, mount->source, &ignored);
	if (!image)
		return 0;
	fd = translate_image_part(supervisor->images, image, mount->image.subpath, &directory, err);
	if (fd < 0)
		return error_wrap(err, "volume %s: image %s", mount->target, mount->source);
	close(fd);
	return 0;
}

static int check_target(const char *target, struct error *err)
{
	_cleanup_free_ char *clean = path_clean(target);

	if (target[0] != '/')
		return error_set(err, EINVAL, "mount target '%s' must be an absolute path", target);
	if (strcmp(clean, "/") == 0)
		return error_set(err, EINVAL,
				 "mount target '%s': nothing can be mounted over the "
				 "whole of a container",
				 target);
	return 0;
}

static int check_mount(const struct check_room *room, const struct check_wish *wish,
		       const struct mount *mount, struct error *err)
{
	int r = mount->type == MOUNT_NPIPE || mount->type == MOUNT_CLUSTER
			? 0
			: check_target(mount->target, err);

	if (r < 0)
		return r;
	if (mount->type == MOUNT_BIND)
		return check_bind(mount, err);
	if (mount->type == MOUNT_VOLUME && wish->started)
		return check_volume(room, mount, err);
	return mount->type == MOUNT_IMAGE ? check_image_mount(room, mount, err) : 0;
}

static int check_tmpfs(const struct service *service, struct error *err)
{
	strv_foreach(text, service->tmpfs) {
		const char *colon = strchr(text, ':');
		_cleanup_free_ char *target =
			alloc_string_n(text, colon ? (size_t)(colon - text) : strlen(text));
		struct tmpfs_options options = {0};

		if (check_target(target, err) < 0)
			return place_under(err, "tmpfs", NULL);
		if (colon && tmpfs_options_parse(colon + 1, &options, err) < 0) {
			error_wrap(err, "tmpfs %s", target);
			return place_under(err, "tmpfs", NULL);
		}
	}
	return 0;
}

int check_mounts(struct check_room *room, const struct check_wish *wish, struct error *err)
{
	const struct service *service = wish->service;
	char number[24];

	for (size_t i = 0; i < service->volume_count; i++) {
		if (check_mount(room, wish, &service->volumes[i], err) < 0) {
			snprintf(number, sizeof(number), "%zu", i);
			return place_under(err, "volumes", number, NULL);
		}
	}
	return check_tmpfs(service, err);
}
