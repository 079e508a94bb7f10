// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cdi.c - devices by name, "vendor.com/class=name": what the Container Device Interface's
 * specifications on this machine say about them (CDI SPEC.md): nodes, mounts, environment, groups.
 * `gpus` and reserved devices are asked for the same way. Hooks are programs of the vendor's that
 * expect another runtime's state: they are not run, and the log says so.
 */
#include "compose/model/cdi.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/control/place.h"
#include "compose/supervisor/translate/translate.h"

/* The later one wins, as the specification has it. */
static const char *const folders[] = {"/var/run/cdi", "/etc/cdi"};

struct cdi_file {
	char *path;
	json_t *root;
};

struct cdi {
	struct cdi_file **files;
	size_t count;
	char **applied; /* files whose edits for all devices were made */
};

static void file_free(struct cdi_file *file)
{
	free(file->path);
	json_decref(file->root);
	free(file);
}

static void cdi_done(struct cdi *cdi)
{
	for (size_t i = 0; i < cdi->count; i++)
		file_free(cdi->files[i]);
	free(cdi->files);
	strv_free(cdi->applied);
}

/* One that cannot be read is no reason to refuse what others say. */
static void read_file(struct cdi *cdi, const char *folder, const char *name)
{
	struct cdi_file *file = new (struct cdi_file);
	struct error err = ERROR_INIT;

	file->path = str_printf("%s/%s", folder, name);
	if (cdi_read(file->path, &file->root, &err) >= 0) {
		*array_add(cdi->files, cdi->count) = file;
		return;
	}
	log_warning("CDI: %s: %s%s%s", file->path, err.where, err.where[0] ? ": " : "",
		    err.message);
	file_free(file);
}

static void read_all(struct cdi *cdi)
{
	array_foreach(folder, folders) {
		_cleanup_strv_ char **names = NULL;
		struct error ignored = ERROR_INIT;

		if (fs_list(AT_FDCWD, *folder, &names, &ignored) < 0)
			continue;
		strv_foreach(name, names)
			if (str_ends_with(name, ".json") || str_ends_with(name, ".yaml"))
				read_file(cdi, *folder, name);
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

static int add_device_node(struct translation *translation, const json_t *node, struct error *err)
{
	const char *path = text_of(node, "path"), *host = text_of(node, "hostPath");
	const char *type = text_of(node, "type");
	struct device_node wish = {
		.target = path,
		.permissions = text_of(node, "permissions") ?: "rwm",
		.type = type && (*type == 'b' || *type == 'c') && !type[1] ? *type : 0,
		.major = number_of(node, "major", -1),
		.minor = number_of(node, "minor", -1),
		.mode = number_of(node, "fileMode", -1),
		.uid = number_of(node, "uid", -1),
		.gid = number_of(node, "gid", -1),
	};

	wish.source = host && *host ? host : path;
	if (!path || path[0] != '/')
		return error_set(err, EINVAL, "a device node without an absolute path");
	return translation_add_node(translation, &wish, err);
}

static int add_cdi_mount(struct translation *translation, const json_t *node, struct error *err)
{
	const char *host = text_of(node, "hostPath"), *target = text_of(node, "containerPath");
	struct bind_options options = {.recursive = true};
	bool directory = true;
	json_t *option;
	size_t i;
	int fd;

	if (!host || !target || target[0] != '/')
		return error_set(err, EINVAL, "a mount without hostPath and containerPath");
	json_array_foreach(json_object_get(node, "options"), i, option)
		if (str_equal(json_string_value(option), "ro"))
			options.read_only = options.read_only_recursive = true;
	fd = mount_bind(host, &options, &directory, err);
	if (fd < 0)
		return fd;
	translation_add_mount(translation, fd, translation_own(translation, alloc_string(target)),
			      directory);
	return 0;
}

static void add_environment(struct translation *translation, const json_t *list)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *text = json_string_value(item),
			   *equals = text ? strchr(text, '=') : NULL;
		_cleanup_free_ char *key =
			equals ? alloc_string_n(text, (size_t)(equals - text)) : NULL;

		if (key)
			strv_env_set(&translation->env, key, equals + 1);
	}
	translation->spec.env = (const char *const *)translation->env;
}

static int apply_edits(struct translation *translation, const char *device, const json_t *edits,
		       struct error *err)
{
	json_t *node, *mount, *hook;
	size_t i;

	add_environment(translation, json_object_get(edits, "env"));
	json_array_foreach(json_object_get(edits, "deviceNodes"), i, node)
		if (add_device_node(translation, node, err) < 0)
			return -err->code;
	json_array_foreach(json_object_get(edits, "mounts"), i, mount)
		if (add_cdi_mount(translation, mount, err) < 0)
			return -err->code;
	json_array_foreach(json_object_get(edits, "hooks"), i, hook)
		log_warning("%s: CDI device %s: its hook %s is not run",
			    translation->instance->name, device, text_of(hook, "path") ?: "");
	return 0;
}

static const json_t *find_device(const json_t *root, const char *name)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(root, "devices"), i, device)
		if (str_equal(text_of(device, "name"), name))
			return device;
	return NULL;
}

/* "vendor.com/class=name" */
static int add_named(struct translation *translation, struct cdi *cdi, const char *device,
		     struct error *err)
{
	const char *equals = strchr(device, '=');
	_cleanup_free_ char *kind =
		alloc_string_n(device, equals ? (size_t)(equals - device) : strlen(device));

	for (size_t i = cdi->count; equals && i-- > 0;) {
		const struct cdi_file *file = cdi->files[i];
		const json_t *root = file->root, *found;

		if (!str_equal(text_of(root, "kind"), kind))
			continue;
		found = find_device(root, equals + 1);
		if (!found)
			continue;
		if (!strv_contains(cdi->applied, file->path)) {
			strv_append(&cdi->applied, file->path);
			if (apply_edits(translation, device,
					json_object_get(root, "containerEdits"), err) < 0)
				return error_wrap(err, "CDI device %s (%s)", device, file->path);
		}
		if (apply_edits(translation, device, json_object_get(found, "containerEdits"),
				err) < 0)
			return error_wrap(err, "CDI device %s (%s)", device, file->path);
		return 0;
	}
	return error_set(err, ENODEV,
			 "unresolvable CDI device %s: no specification in /etc/cdi or /var/run/cdi "
			 "has it",
			 device);
}

/* The kind that a request for devices means: the driver's, or the only one that there is. */
static char *kind_of(const struct cdi *cdi, const struct device_request *request)
{
	char *kind = NULL;

	if (request->driver && strchr(request->driver, '/'))
		return alloc_string(request->driver);
	if (request->driver && *request->driver && !str_equal(request->driver, "cdi"))
		return str_printf("%s.com/gpu", request->driver);
	for (size_t i = 0; i < cdi->count; i++) {
		const char *other = text_of(cdi->files[i]->root, "kind");

		if (!other || !str_ends_with(other, "/gpu") || str_equal(other, kind))
			continue;
		if (kind && !str_equal(other, "nvidia.com/gpu"))
			continue;
		free(kind);
		kind = alloc_string(other);
	}
	return kind ?: alloc_string("nvidia.com/gpu");
}

static int add_request(struct translation *translation, struct cdi *cdi, const char *what,
		       const struct device_request *request, struct error *err)
{
	_cleanup_free_ char *kind = kind_of(cdi, request);
	_cleanup_strv_ char **devices = NULL;

	strv_foreach(id, request->device_ids)
		strv_take(&devices,
			  strchr(id, '=') ? alloc_string(id) : str_printf("%s=%s", kind, id));
	if (!request->device_ids && request->count.value < 0)
		strv_take(&devices, str_printf("%s=all", kind));
	for (int64_t i = 0; !request->device_ids && i < request->count.value; i++)
		strv_take(&devices, str_printf("%s=%lld", kind, (long long)i));
	strv_foreach(device, devices)
		if (add_named(translation, cdi, device, err) < 0)
			return error_wrap(err, "%s", what);
	return 0;
}

static bool is_wanted(const struct service *service)
{
	for (size_t i = 0; i < service->device_count; i++)
		if (service->devices[i].source[0] != '/')
			return true;
	return service->gpu_count || service->deploy.reservations.device_count;
}

static int add_all(struct translation *translation, struct cdi *cdi, struct error *err)
{
	const struct service *service = translation->service;
	const struct deploy_resources *reserved = &service->deploy.reservations;

	for (size_t i = 0; i < service->device_count; i++)
		if (service->devices[i].source[0] != '/' &&
		    add_named(translation, cdi, service->devices[i].source, err) < 0) {
			error_wrap(err, "devices");
			return place_under(err, "devices", NULL);
		}
	for (size_t i = 0; i < service->gpu_count; i++)
		if (add_request(translation, cdi, "gpus", &service->gpus[i], err) < 0)
			return place_under(err, "gpus", NULL);
	for (size_t i = 0; i < reserved->device_count; i++)
		if (add_request(translation, cdi, "deploy.resources.reservations.devices",
				&reserved->devices[i], err) < 0)
			return place_under(err, "deploy", "resources", "reservations", "devices",
					   NULL);
	return 0;
}

int translate_cdi(struct translation *translation, struct error *err)
{
	struct cdi cdi = {0};
	int r;

	if (!is_wanted(translation->service))
		return 0;
	read_all(&cdi);
	r = add_all(translation, &cdi, err);
	cdi_done(&cdi);
	return r;
}
