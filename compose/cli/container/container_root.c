// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/container/container_root.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/client.h"
#include "compose/control/requests.h"

DEFINE_CLEANUP(struct client *, client_free);

static int fetch(const char *project, const char *id, bool layers, bool *ret_running,
		 struct error *err)
{
	_cleanup_(cleanup_client_free) struct client *client = NULL;
	_cleanup_json_ json_t *arguments = json_object(), *reply = NULL;
	int fds[FD_PASS_MAX], r;
	size_t count = 0;

	json_put_string(arguments, "container", id);
	json_put_bool(arguments, "layers", layers);
	r = client_request(project, CLIENT_START_FOR_STATE, REQUEST_ROOT, arguments, NULL, 0,
			   &client, err);
	if (r >= 0)
		r = client_next(client, &reply, fds, &count, err);
	for (size_t i = 1; i < count; i++)
		close(fds[i]);
	if (r >= 0 && !count)
		return error_set(err, EIO, "the supervisor gave no root");
	if (r < 0) {
		for (size_t i = 0; i < count; i++)
			close(fds[i]);
		return r;
	}
	*ret_running = json_get_bool(reply, "running", false);
	return fds[0];
}

int container_root_layers(const char *project, const char *id, struct error *err)
{
	bool running;

	return fetch(project, id, true, &running, err);
}

/* What of @path is below @target; NULL: it is not. */
static const char *below(const char *path, const char *target)
{
	size_t length = strlen(target);

	if (strncmp(path, target, length) != 0 || (path[length] && path[length] != '/'))
		return NULL;
	return path[length] ? path + length : "/";
}

/* The volume or directory of the host that is mounted the deepest on the way to @path. */
static const char *mounted_at(const json_t *container, const char *path, const char **ret_below)
{
	const char *source = NULL, *rest = NULL;
	json_t *mount;
	size_t i;

	json_array_foreach(json_object_get(container, "mounts"), i, mount) {
		const char *target = json_get_string(mount, "destination");
		const char *type = json_get_string(mount, "type");

		rest = target && (str_equal(type, "volume") || str_equal(type, "bind"))
			       ? below(path, target)
			       : NULL;
		if (!rest || (source && strlen(rest) >= strlen(*ret_below)))
			continue;
		source = json_get_string(mount, "source");
		*ret_below = rest;
	}
	return source;
}

int container_root_open(const char *project, const json_t *container, const char **path,
			struct error *err)
{
	const char *source, *rest = NULL;
	bool running = false;
	int fd, root = fetch(project, json_get_string(container, "id"), false, &running, err);

	if (root < 0 || running)
		return root;
	source = mounted_at(container, *path, &rest);
	if (!source)
		return root;
	fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return root;
	close(root);
	*path = rest;
	return fd;
}
