// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/converge/volumes.h"

#include <errno.h>
#include <fcntl.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "compose/control/projects.h"
#include "compose/control/requests.h"
#include "compose/supervisor/converge/converge.h"
#include "compose/supervisor/converge/tasks.h"
#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/observe.h"
#include "compose/supervisor/translate/translate.h"

int volumes_create(struct converge *converge, const struct operation *operation, struct error *err)
{
	struct supervisor *supervisor = converge->supervisor;
	const struct volume *volume = project_volume(converge_project(converge), operation->key);
	_cleanup_json_ json_t *driver_opts = NULL, *labels = NULL;
	struct volume_options options = {0};
	char hash[65];
	int r;

	if (!volume)
		return error_set(err, ENOENT, "there is no such volume in the project");
	volume_hash(volume, hash);
	labels = observe_object_labels(supervisor, "volume", volume->key, hash, &volume->labels);
	driver_opts = observe_strings(&volume->driver_opts);
	options.driver = volume->driver;
	options.driver_opts = driver_opts;
	options.labels = labels;
	options.owned = volume->berth.uid.set;
	options.uid = (uid_t)volume->berth.uid.value;
	options.gid = (gid_t)volume->berth.gid.value;
	options.has_mode = volume->berth.mode.set;
	options.mode = (mode_t)volume->berth.mode.value;
	r = volume_create(supervisor->volumes, operation->name, &options, err);
	if (r == -EEXIST) {
		error_clear(err);
		r = 0;
	}
	return r;
}

static bool volume_in_use(const struct supervisor *supervisor, const char *name)
{
	map_foreach(entry, &supervisor->instances) {
		const struct instance *instance = entry->value;

		if (strv_contains(instance->volumes, name))
			return true;
	}
	return false;
}

/* A container of another project has it: that is said, and the volume stays. */
static void volume_done(void *context, const struct error *err)
{
	const struct task *task = context;
	const struct operation *operation = &task->converge->plan->operations[task->index];
	const struct error none = ERROR_INIT;

	if (err->code == EBUSY) {
		_cleanup_free_ char *text = str_printf("%s Resource is still in use (%s)",
						       operation->object, err->message);

		converge_warn(task->converge, text);
	}
	task_done(context, err->code == EBUSY ? &none : err);
}

static int remove_volume_work(void *data, struct error *err)
{
	struct task *task = data;
	int r = volume_remove_unused(task->supervisor->volumes, task->name,
				     projects_check_volume_unused, NULL, err);

	if (r == -ENOENT) {
		error_clear(err);
		r = 0;
	}
	return r;
}

int volumes_remove(struct converge *converge, size_t index, struct error *err)
{
	const struct operation *operation = &converge->plan->operations[index];

	if (volume_in_use(converge->supervisor, operation->name)) {
		_cleanup_free_ char *text =
			str_printf("%s Resource is still in use", operation->object);

		converge_warn(converge, text);
		return 0;
	}
	return task_start(converge, index, remove_volume_work, volume_done, NULL, NULL, err) < 0
		       ? -err->code
		       : 1;
}

int volumes_populate(void *data, struct error *err)
{
	struct task *task = data;
	_cleanup_free_ char *path = str_printf("%s/volumes", paths_root());
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, path, err), lock = -EBADF, tree = -EBADF;
	const char *volume, *target;

	if (dir < 0)
		return dir;
	lock = fs_lock(dir, ".populate", err);
	if (lock < 0)
		return lock;
	tree = translate_image_tree(task->supervisor->images, task->image, err);
	if (tree < 0)
		return tree;
	for (size_t i = 0; translate_populate_row(task->instance, task->image, i, &volume, &target);
	     i++) {
		_cleanup_close_ int source = -EBADF;
		struct error missing = ERROR_INIT;

		if (!volume || !volume_wants_populating(task->supervisor->volumes, volume))
			continue;
		source = rootpath_open(tree, target, O_RDONLY | O_DIRECTORY, 0, &missing);
		if (source < 0)
			continue;
		if (volume_populate(task->supervisor->volumes, volume, source, err) < 0)
			return error_wrap(err, "volume %s", volume);
	}
	return 0;
}

bool volumes_want_populating(const struct instance *instance, const struct image *image)
{
	const char *volume, *target;

	for (size_t i = 0; translate_populate_row(instance, image, i, &volume, &target); i++)
		if (volume && volume_wants_populating(instance->supervisor->volumes, volume))
			return true;
	return false;
}
