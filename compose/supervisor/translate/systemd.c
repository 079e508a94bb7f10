// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * systemd.c - a container whose first process is systemd, which wants a control group that it may
 * write to, memory file systems that it has no right to mount, to be told where it is, and another
 * signal to stop by (systemd's container interface; as other engines do it).
 */
#include <fcntl.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/supervisor/translate/translate.h"

/* Names that an init is called by. Others than systemd are called so, too. */
static bool called_init(const char *program)
{
	static const char *const paths[] = {"/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"};
	const char *slash = strrchr(program, '/');

	array_foreach(path, paths)
		if (str_equal(program, *path))
			return true;
	return str_equal(slash ? slash + 1 : program, "systemd");
}

static bool layer_has_systemd(int layer)
{
	static const char *const paths[] = {"usr/lib/systemd/systemd", "lib/systemd/systemd"};

	array_foreach(path, paths) {
		_cleanup_close_ int fd = rootpath_open_raw(layer, *path, O_PATH | O_NOFOLLOW, 0);

		if (fd >= 0)
			return true;
	}
	return false;
}

static bool image_has_systemd(const struct translation *translation)
{
	_cleanup_free_ int *layers = NULL;
	struct error ignored = ERROR_INIT;
	size_t count = 0;
	bool found = false;

	if (image_open_layers(translation->instance->supervisor->images, translation->image,
			      &layers, &count, &ignored) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		found = found || layer_has_systemd(layers[i]);
		close(layers[i]);
	}
	return found;
}

static bool looks_like_systemd(const struct translation *translation)
{
	_cleanup_strv_ char **arguments =
		translate_arguments(translation->service, translation->image);

	return arguments && called_init(arguments[0]) && image_has_systemd(translation);
}

int translate_systemd(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	const struct container_spec *spec = &translation->spec;
	enum tristate wanted = service->berth.systemd;
	const char *obstacle = service->init == TRI_TRUE              ? "'init: true'"
			       : spec->pid.source != NAMESPACE_NEW    ? "'pid'"
			       : spec->cgroup.source != NAMESPACE_NEW ? "'cgroup'"
								      : NULL;

	translation->instance->systemd = false;
	if (wanted == TRI_TRUE && obstacle)
		return error_set(
			err, EINVAL,
			"x-berth: systemd is process 1 of its own namespace and has a control "
			"group of its own, and %s is against that",
			obstacle);
	if (wanted == TRI_FALSE || obstacle)
		return 0;
	translation->instance->systemd = wanted == TRI_TRUE || looks_like_systemd(translation);
	return 0;
}

int translate_systemd_mounts(struct translation *translation, struct error *err)
{
	static const struct {
		const char *target;
		struct tmpfs_options options;
	} rows[] = {
		{"/run", {.mode = 0755, .exec = true}},
		{"/run/lock", {.mode = 01777, .size_bytes = 5 << 20}},
		{"/tmp", {.mode = 01777, .exec = true}},
	};

	if (!translation->instance->systemd)
		return 0;
	array_foreach(row, rows) {
		int fd;

		if (translation_mounts(translation, row->target))
			continue;
		fd = mount_tmpfs(&row->options, err);
		if (fd < 0)
			return error_wrap(err, "%s", row->target);
		translation_add_mount(translation, fd, row->target, true);
	}
	return 0;
}

void translate_systemd_environment(struct translation *translation)
{
	const char *id = translation->instance->id;

	if (!translation->instance->systemd)
		return;
	strv_env_set(&translation->env, "container", "berth");
	/* Its machine-id, where the image has none. */
	strv_env_set(&translation->env, "container_uuid",
		     translation_own(translation, alloc_string_n(id, 32)));
}
