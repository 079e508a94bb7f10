// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/network/membership.h"

#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "netmgr/network.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/models.h"
#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/networks_ready.h"
#include "compose/supervisor/network/ports.h"
#include "compose/supervisor/state.h"
#include "compose/supervisor/translate/translate.h"

static struct instance *find(struct supervisor *supervisor, const json_t *request,
			     struct error *err)
{
	const char *name = json_get_string(request, "container");
	struct instance *instance = name ? supervisor_find(supervisor, name) : NULL;

	if (!instance)
		error_set(err, ENOENT, "No such container: %s", name ?: "(no name)");
	return instance;
}

static bool has_default_bridge(const struct instance *instance)
{
	return str_equal(instance->service->network_mode, "bridge");
}

/* The row of the service that is @network; NULL: it is not on it. */
static const struct service_network *row_of(const struct instance *instance, const char *network)
{
	for (size_t i = 0; i < instance->service->network_count; i++) {
		const struct service_network *row = &instance->service->networks[i];
		const struct network *known = project_network(instance->model->project, row->name);

		if (str_equal(known ? known->name : row->name, network))
			return row;
	}
	return NULL;
}

static bool is_on(const struct instance *instance, const char *network)
{
	return row_of(instance, network) ||
	       (has_default_bridge(instance) && str_equal(network, "bridge"));
}

/* --- what it is made from --- */

/* By which key the project has @network, under one of its own if it does not know it yet. */
static char *key_of(json_t *networks, const char *network)
{
	_cleanup_free_ char *key = alloc_string(network);
	const char *known;
	json_t *row;

	json_object_foreach(networks, known, row) {
		if (str_equal(json_get_string(row, "name") ?: known, network))
			return alloc_string(known);
	}
	while (json_object_get(networks, key)) {
		char *longer = str_printf("%s_", key);

		free(key);
		key = longer;
	}
	json_object_set_new(networks, key, json_pack("{s:s, s:b}", "name", network, "external", 1));
	return TAKE_PTR(key);
}

/* What of the request is an attribute of a service's network. */
static json_t *wish_of(const json_t *request)
{
	static const char *const keys[] = {"aliases",     "ipv4_address",   "ipv6_address",
					   "gw_priority", "link_local_ips", "driver_opts"};
	json_t *row = json_object();

	array_foreach(key, keys)
		if (json_object_get(request, *key))
			json_object_set(row, *key, json_object_get(request, *key));
	return row;
}

static json_t *service_in(json_t *project, const struct instance *instance)
{
	return json_object_at(json_object_at(project, "services"), instance->service_name);
}

static bool has_link(const json_t *links, const json_t *link)
{
	json_t *there;
	size_t i;

	json_array_foreach(links, i, there) {
		if (json_equal(there, link))
			return true;
	}
	return false;
}

/* Other names that others have, for this container alone. */
static void add_links(json_t *service, const json_t *request)
{
	json_t *links = json_object_get(service, "external_links"), *link;
	size_t i;

	if (json_array_size(json_object_get(request, "links")) && !json_is_array(links)) {
		links = json_array();
		json_object_set_new(service, "external_links", links);
	}
	json_array_foreach(json_object_get(request, "links"), i, link) {
		if (!has_link(links, link))
			json_array_append(links, link);
	}
}

/* Off their network nobody finds them, and its next start would fail for that. */
static void drop_links(json_t *service, const struct instance *instance)
{
	json_t *links = json_object_get(service, "external_links");

	for (size_t i = json_array_size(links); i-- > 0;)
		if (!names_link_reaches(instance, json_string_value(json_array_get(links, i))))
			json_array_remove(links, i);
}

/* The project of this container alone, as it is to be. The name of the row goes to *ret_key. */
static json_t *with_network(const struct instance *instance, const json_t *request,
			    const char *network, char **ret_key)
{
	json_t *project = project_to_json(instance->model->project, true);

	*ret_key = key_of(json_object_at(project, "networks"), network);
	json_object_set_new(json_object_at(service_in(project, instance), "networks"), *ret_key,
			    wish_of(request));
	add_links(service_in(project, instance), request);
	return project;
}

static json_t *without_network(const struct instance *instance, const char *network)
{
	const struct service_network *row = row_of(instance, network);
	json_t *project = project_to_json(instance->model->project, true);
	json_t *service = service_in(project, instance);

	if (row)
		json_object_del(json_object_at(service, "networks"), row->name);
	else
		json_object_del(service, "network_mode");
	if (!json_object_size(json_object_get(service, "networks")))
		json_object_del(service, "networks");
	return project;
}

/* What runs may still look into the service that it was started with. */
static int remodel(struct instance *instance, const json_t *project, struct error *err)
{
	struct model *model = NULL;
	struct service *service;

	if (model_accept_oneoff(instance->supervisor, project, &model, err) < 0)
		return -err->code;
	service = project_service(model->project, instance->service_name);
	if (!service) {
		model_unref(instance->supervisor, model);
		return error_set(err, EBADMSG, "its project has no service %s any more",
				 instance->service_name);
	}
	*array_add(instance->former, instance->former_count) = instance->model;
	instance->model = model;
	instance->service = service;
	return 0;
}

static void note_networks(struct instance *instance)
{
	strv_free(instance->network_names);
	instance->network_names = NULL;
	for (size_t i = 0; i < instance->service->network_count; i++) {
		const struct service_network *row = &instance->service->networks[i];
		const struct network *known = project_network(instance->model->project, row->name);

		strv_append(&instance->network_names, known ? known->name : row->name);
	}
}

/* --- what runs --- */

/* Names, addresses and ports follow. */
static void refresh(struct instance *instance)
{
	struct error err = ERROR_INIT;
	size_t count = 0;
	int dir;

	names_networks_changed(instance);
	names_announce(instance);
	names_flush(instance->supervisor);
	dir = names_write(instance, &err);
	if (dir < 0)
		log_warning("%s: its /etc/hosts stays as it was: %s", instance->name, err.message);
	cleanup_close_fd(&dir);
	if (instance->attachment)
		(void)attachment_endpoints(instance->attachment, &count);
	if (count)
		ports_resume(instance);
	else
		ports_forget(instance->supervisor->ports, instance->id);
}

static int join(struct instance *instance, const char *key, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	_cleanup_close_ int netns = container_namespace(instance->pidfd, "net", err);
	struct endpoint_options endpoint = {0};
	int r = netns < 0 ? netns : 0;

	if (r == 0)
		r = translate_endpoint(instance, key, &endpoint, err);
	/* One that was on no network has none of ours to resolve names by, until its next start. */
	if (r == 0 && !instance->attachment)
		r = attachment_prepare(supervisor->networks, NULL, 0, false, &instance->attachment,
				       err);
	if (r == 0)
		r = attachment_connect(supervisor->networks, instance->attachment, netns, &endpoint,
				       err);
	return r;
}

static int leave(struct instance *instance, const char *network, struct error *err)
{
	_cleanup_close_ int netns = container_namespace(instance->pidfd, "net", err);
	int r;

	if (netns < 0)
		return netns;
	r = attachment_disconnect(instance->supervisor->networks, instance->attachment, netns,
				  network, err);
	if (r == 0)
		names_leave(instance, network);
	return r;
}

/* --- requests --- */

static int check_mode(const struct instance *instance, struct error *err)
{
	const char *mode = instance->service->network_mode;

	if (!mode || str_equal(mode, "bridge"))
		return 0;
	return error_set(err, EINVAL,
			 "container %s has network_mode %s, and is on no network of its own",
			 instance->name, mode);
}

static bool runs(const struct instance *instance)
{
	return instance->pidfd >= 0 && instance->state != INSTANCE_STARTING;
}

static int connect_network(struct instance *instance, const json_t *request, const char *network,
			   struct error *err)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_json_ json_t *project = NULL, *before = NULL;
	int r;

	if (check_mode(instance, err) < 0)
		return -err->code;
	if (is_on(instance, network))
		return error_set(err, EEXIST, "endpoint with name %s already exists in network %s",
				 instance->name, network);
	if (!networks_ready(instance->supervisor, network, err))
		return -err->code;
	before = project_to_json(instance->model->project, true);
	project = with_network(instance, request, network, &key);
	r = remodel(instance, project, err);
	if (r < 0)
		return r;
	if (runs(instance)) {
		r = join(instance, key, err);
		if (r < 0) {
			struct error ignored = ERROR_INIT;

			(void)remodel(instance, before, &ignored);
			return r;
		}
	}
	note_networks(instance);
	r = state_write(instance, err);
	if (runs(instance))
		refresh(instance);
	return r;
}

static int disconnect_network(struct instance *instance, const char *network, struct error *err)
{
	_cleanup_json_ json_t *project = NULL;
	int r = 0;

	if (check_mode(instance, err) < 0)
		return -err->code;
	if (!is_on(instance, network))
		return error_set(err, ENOENT, "container %s is not connected to network %s",
				 instance->name, network);
	project = without_network(instance, network);
	if (runs(instance))
		r = leave(instance, network, err);
	if (r == 0 && runs(instance))
		drop_links(service_in(project, instance), instance);
	if (r == 0)
		r = remodel(instance, project, err);
	if (r < 0)
		return r;
	note_networks(instance);
	r = state_write(instance, err);
	if (runs(instance))
		refresh(instance);
	return r;
}

static void reply(struct connection *connection, const struct error *err)
{
	if (err->code)
		connection_fail(connection, err, 1);
	else
		connection_done(connection, NULL, NULL, 0);
}

void membership_connect(struct supervisor *supervisor, struct connection *connection,
			const json_t *request)
{
	const char *network = json_get_string(request, "network");
	struct error err = ERROR_INIT;
	struct instance *instance = find(supervisor, request, &err);

	if (instance && !network)
		error_set(&err, EINVAL, "request: the network has no name");
	if (!err.code)
		(void)connect_network(instance, request, network, &err);
	reply(connection, &err);
}

void membership_disconnect(struct supervisor *supervisor, struct connection *connection,
			   const json_t *request)
{
	const char *network = json_get_string(request, "network");
	struct error err = ERROR_INIT;
	struct instance *instance = find(supervisor, request, &err);

	if (instance && !network)
		error_set(&err, EINVAL, "request: the network has no name");
	if (!err.code)
		(void)disconnect_network(instance, network, &err);
	reply(connection, &err);
}
