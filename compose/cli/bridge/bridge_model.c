// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/bridge/bridge_model.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/build/build_services.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/view/output.h"

#define CONTENT_MAX (16 << 20)

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

static void add_port(char ***ports, const char *text)
{
	_cleanup_free_ char *port = alloc_string_n(text, strcspn(text, "/"));

	if (!strv_contains(*ports, port))
		strv_append(ports, port);
}

/* What the service exposes, what it publishes, and what its image says that it listens on. */
static void put_exposed(struct image_store *store, const struct service *service, json_t *json)
{
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_strv_ char **ports = json_get_strv(json, "expose");
	struct error ignored = ERROR_INIT;

	if (service->image && image_find(store, service->image, &image, &ignored) < 0)
		output_warn("service %s: image %s is not here: the ports that it exposes are left "
			    "out; `berth pull` or `berth build` gets it",
			    service->name, service->image);
	strv_foreach(port, image ? image->exposed_ports : NULL)
		add_port(&ports, port);
	for (size_t i = 0; i < service->port_count; i++) {
		_cleanup_free_ char *port =
			str_printf("%u", (unsigned int)service->ports[i].target);

		add_port(&ports, port);
	}
	if (ports)
		json_object_set_new(json, "expose", json_from_strv(ports));
}

static int put_content(const struct file_object *object, json_t *json, struct error *err)
{
	const char *value = object->environment ? getenv(object->environment) : NULL;
	_cleanup_free_ char *text = NULL;

	if (object->external)
		return 0;
	if (object->file && fs_read(AT_FDCWD, object->file, CONTENT_MAX, &text, NULL, err) < 0)
		return error_wrap(err, "%s", object->key);
	if (object->file || object->environment)
		json_put_string(json, "content", text ?: value ?: "");
	return 0;
}

static int put_contents(const struct file_object *objects, size_t count, json_t *section,
			struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		json_t *json = json_object_get(section, objects[i].key);

		if (json && put_content(&objects[i], json, err) < 0)
			return -err->code;
	}
	return 0;
}

int bridge_model(struct project *project, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_json_ json_t *json = NULL;

	build_services_name(project);
	if (store_here_open(&store, err) < 0)
		return -err->code;
	json = project_to_json(project, false);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		put_exposed(store, service,
			    json_object_get(json_object_get(json, "services"), service->name));
	}
	if (put_contents(project->secrets, project->secret_count, json_object_get(json, "secrets"),
			 err) < 0 ||
	    put_contents(project->configs, project->config_count, json_object_get(json, "configs"),
			 err) < 0)
		return -err->code;
	*ret = TAKE_PTR(json);
	return 0;
}
