// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/control/requests.h"
#include "compose/supervisor/network/neighbours.h"
#include "compose/supervisor/network/networks_ready.h"
#include "compose/supervisor/translate/translate.h"

/* A container of another project: what it has while it runs. */
static int join_neighbour(struct translation *translation, const char *key, const char *name,
			  const char *kind, struct namespace_spec *ret, int *ret_container,
			  struct error *err)
{
	struct neighbour neighbour;
	int r = neighbour_find(name, &neighbour, err);

	if (r == 0) {
		ret->source = NAMESPACE_JOIN;
		ret->fd = r = container_namespace(neighbour.pidfd, kind, err);
	}
	if (r >= 0) {
		translation_own_fd(translation, ret->fd);
		*ret_container = translation_own_fd(translation, TAKE_FD(neighbour.pidfd));
	}
	neighbour_done(&neighbour);
	return r < 0 ? error_wrap(err, "%s: container %s", key, name) : 0;
}

/*
 * "host", "service:X", "container:X", "private"/"shareable" and, for `network_mode`, "none" and
 * "bridge". @kind is the namespace's name in /proc.
 */
static int translate_namespace(struct translation *translation, const char *key, const char *mode,
			       const char *kind, struct namespace_spec *ret, int *ret_container,
			       struct error *err)
{
	struct supervisor *supervisor = translation->instance->supervisor;
	const char *name = mode ? strchr(mode, ':') : NULL;
	struct instance *other = NULL;

	*ret_container = -EBADF;
	*ret = (struct namespace_spec){NAMESPACE_NEW, -EBADF};
	if (!mode || !mode[0])
		return 0;
	if (str_equal(mode, "host")) {
		ret->source = NAMESPACE_HOST;
		return 0;
	}
	if (str_starts_with(mode, "service:"))
		other = supervisor_find_service(supervisor, mode + strlen("service:"), 0);
	else if (str_starts_with(mode, "container:"))
		other = supervisor_find(supervisor, mode + strlen("container:"));
	else
		return 0;
	if (!other && str_starts_with(mode, "container:"))
		return join_neighbour(translation, key, name + 1, kind, ret, ret_container, err);
	if (!other)
		return error_set(err, ENOENT, "%s: there is no container of %s in this project",
				 key, name + 1);
	if (other->pidfd < 0)
		return error_set(err, ESRCH, "%s: container %s does not run", key, other->name);
	ret->source = NAMESPACE_JOIN;
	ret->fd = container_namespace(other->pidfd, kind, err);
	if (ret->fd < 0)
		return error_wrap(err, "%s: container %s", key, other->name);
	translation_own_fd(translation, ret->fd);
	*ret_container = other->pidfd;
	if (!strv_contains(translation->instance->parents, other->id))
		strv_append(&translation->instance->parents, other->id);
	return 0;
}

int translate_namespaces(struct translation *translation, struct error *err)
{
	const struct service *service = translation->service;
	struct container_spec *spec = &translation->spec;
	const struct {
		const char *key, *mode, *kind;
		struct namespace_spec *spec;
	} rows[] = {
		{"network_mode", service->network_mode, "net", &spec->network},
		{"pid", service->pid, "pid", &spec->pid},
		{"ipc", service->ipc, "ipc", &spec->ipc},
		{"uts", service->uts, "uts", &spec->uts},
		{"cgroup", service->cgroup, "cgroup", &spec->cgroup},
	};
	int r = 0;

	strv_free(translation->instance->parents);
	translation->instance->parents = NULL;
	spec->shm_fd = spec->shm_container = -EBADF;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++) {
		int container;

		r = translate_namespace(translation, rows[i].key, rows[i].mode, rows[i].kind,
					rows[i].spec, &container, err);
		/* Its message queues are of little use without its shared memory. */
		if (rows[i].spec == &spec->ipc)
			spec->shm_container = container;
	}
	/* As Docker: the host's own name goes with the host's network. */
	if (spec->network.source == NAMESPACE_HOST && !service->hostname && !service->uts)
		spec->uts.source = NAMESPACE_HOST;
	return r;
}

#define BRIDGE_TRIES 16

#define ENDPOINT "com.docker.network.endpoint."

/* `mac_address` of the service is for the network that is connected to first. */
static const char *own_mac(const struct service *service, const struct service_network *row)
{
	int64_t priority = row->priority.set ? row->priority.value : 0;

	if (row->mac_address || service->network_mode)
		return row->mac_address;
	for (size_t i = 0; service->mac_address && i < service->network_count; i++) {
		const struct service_network *other = &service->networks[i];
		int64_t its = other->priority.set ? other->priority.value : 0;

		if (its > priority || (its == priority && strcmp(other->name, row->name) < 0))
			return NULL;
	}
	return service->mac_address;
}

void translate_endpoint_row(const struct project *project, const struct service *service,
			    const struct service_network *row, const char *container,
			    struct endpoint_options *ret)
{
	const struct network *network = project_network(project, row->name);

	*ret = (struct endpoint_options){
		.network = network ? network->name : row->name,
		.container_id = container,
		.ipv4_address = row->ipv4_address,
		.ipv6_address = row->ipv6_address,
		.mac_address = own_mac(service, row),
		.link_local_ips = (const char *const *)row->link_local_ips,
		.interface_name =
			row->interface_name ?: mapping_get(&row->driver_opts, ENDPOINT "ifname"),
		.priority = row->priority.set ? (int)row->priority.value : 0,
		.gw_priority = row->gw_priority.set ? (int)row->gw_priority.value : 0,
	};
}

static void fill_endpoint(const struct instance *instance, const struct service_network *row,
			  struct endpoint_options *ret)
{
	translate_endpoint_row(instance->model->project, instance->service, row, instance->id, ret);
}

int translate_endpoint(struct instance *instance, const char *key, struct endpoint_options *ret,
		       struct error *err)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->network_count; i++) {
		if (!str_equal(service->networks[i].name, key))
			continue;
		fill_endpoint(instance, &service->networks[i], ret);
		return 0;
	}
	return error_set(err, ENOENT, "its service has no network %s", key);
}

/* `network_mode: bridge`: one network of that name for all projects, without names. */
static int ensure_default_bridge(struct supervisor *supervisor, struct error *err)
{
	struct network_options options = {.driver = "bridge"};
	int r = network_create(supervisor->networks, "bridge", &options, err);

	supervisor->default_bridge = true;
	if (r != -EEXIST)
		return r;
	error_clear(err);
	return 0;
}

/* The last one to leave takes it away; whoever is still there is no error. */
void translate_release_default_bridge(struct supervisor *supervisor)
{
	struct error ignored = ERROR_INIT;

	/* One that is new here does not know what its predecessor did. */
	if ((supervisor->default_bridge || str_starts_with(supervisor->project, SINGLE_PREFIX)) &&
	    network_remove(supervisor->networks, "bridge", &ignored) < 0)
		log_debug("%s", ignored.message);
}

/* All that it is on: the default bridge first, which `network connect` may add others to. */
static size_t fill_endpoints(const struct instance *instance, bool bridge,
			     struct endpoint_options *ret)
{
	const struct service *service = instance->service;
	size_t count = 0;

	if (bridge)
		ret[count++] = (struct endpoint_options){.network = "bridge",
							 .container_id = instance->id,
							 .mac_address = service->mac_address};
	for (size_t i = 0; i < service->network_count; i++)
		fill_endpoint(instance, &service->networks[i], &ret[count++]);
	return count;
}

static int attach(struct instance *instance, bool bridge, struct attachment **ret,
		  struct error *err)
{
	_cleanup_free_ struct endpoint_options *endpoints =
		new_array(struct endpoint_options, instance->service->network_count + 2);
	size_t count = fill_endpoints(instance, bridge, endpoints);
	int r = bridge ? ensure_default_bridge(instance->supervisor, err) : 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		if (!networks_ready(instance->supervisor, endpoints[i].network, err))
			return error_wrap(err, "network %s", endpoints[i].network);
	}
	/* Also on a restart: the links went with the old namespace. Its leases are found again. */
	return r < 0 ? r
		     : attachment_prepare(instance->supervisor->networks, endpoints, count, true,
					  ret, err);
}

static int prepare_attachment(struct instance *instance, struct error *err)
{
	bool bridge = str_equal(instance->service->network_mode, "bridge");
	struct attachment *fresh = NULL;
	int r = -ENOENT;

	for (int i = 0; r == -ENOENT && i < (bridge ? BRIDGE_TRIES : 1); i++) {
		/* Its last user left, and took it away, while we came. */
		if (i) {
			error_clear(err);
			network_info_free(
				map_remove(&instance->supervisor->networks_ready, "bridge"));
		}
		r = attach(instance, bridge, &fresh, err);
	}
	if (r < 0)
		return r;
	attachment_free(instance->attachment);
	instance->attachment = fresh;
	return 0;
}

int translate_network(struct translation *translation, struct error *err)
{
	struct instance *instance = translation->instance;
	int r;

	if (translation->spec.network.source != NAMESPACE_NEW ||
	    str_equal(translation->service->network_mode, "none") ||
	    (!translation->service->network_count &&
	     !str_equal(translation->service->network_mode, "bridge")))
		return 0;
	r = prepare_attachment(instance, err);
	if (r < 0)
		return r;
	translation->spec.network_hook = attachment_hook;
	translation->spec.network_data = instance->attachment;
	return 0;
}

int translate(struct instance *instance, const struct image *image, struct translation *ret,
	      struct error *err)
{
	int r;

	*ret = (struct translation){
		.instance = instance,
		.service = instance->service,
		.project = instance->model->project,
		.image = image,
	};
	ret->spec.id = instance->id;
	ret->spec.stdin_fd = ret->spec.stdout_fd = ret->spec.stderr_fd = -EBADF;
	r = translate_namespaces(ret, err);
	if (r == 0)
		r = translate_network(ret, err);
	if (r == 0)
		r = translate_systemd(ret, err);
	if (r == 0)
		r = translate_process(ret, err);
	if (r == 0)
		r = translate_cdi(ret, err);
	if (r == 0)
		r = translate_resources(ret, err);
	if (r == 0)
		r = translate_mounts(ret, err);
	/* The files may be others by now: only what is planned has a place in them. */
	if (r < 0)
		err->where[0] = '\0';
	return r;
}
