// SPDX-License-Identifier: GPL-2.0-or-later
/* service.c - what one attribute of a service says against another. */
#include <string.h>

#include "common/alloc.h"
#include "common/path.h"

#include "compose/load/check/parts.h"

static bool is_broken(const struct loader *l, const struct service *service, const char *attribute)
{
	return check_is_broken(l, "services", service->name, attribute);
}

static void check_image(struct loader *l, const struct service *service)
{
	if (check_is_partial(l, service) || is_broken(l, service, "image") ||
	    is_broken(l, service, "build") || is_broken(l, service, "provider"))
		return;
	if ((service->image && *service->image) || service->build.given || service->provider.given)
		return;
	loader_problem(l, check_at_service(l, service, NULL),
		       "service \"%s\" has neither an image nor a build context specified",
		       service->name);
}

static void check_platforms(struct loader *l, const struct service *service)
{
	const struct build *build = &service->build;

	if (check_is_partial(l, service) || is_broken(l, service, "build") ||
	    is_broken(l, service, "platform"))
		return;
	if (build->platforms && service->platform &&
	    !strv_contains(build->platforms, service->platform))
		loader_problem(l,
			       loader_at(l, "services", service->name, "build", "platforms", NULL),
			       "service.build.platforms MUST include service.platform \"%s\"",
			       service->platform);
}

static void check_network_mode(struct loader *l, const struct service *service)
{
	if (service->network_mode && service->network_count)
		loader_problem(l, check_at_service(l, service, "network_mode"),
			       "service \"%s\" declares mutually exclusive `network_mode` and "
			       "`networks`",
			       service->name);
}

/* Whose namespace it is in: a word that is none would give it one of its own, and say nothing. */
static void check_modes(struct loader *l, const struct service *service)
{
	const struct {
		const char *key, *value, *own, *own_too;
	} rows[] = {
		{"network_mode", service->network_mode, "none", "bridge"},
		{"pid", service->pid, "private", NULL},
		{"ipc", service->ipc, "private", "shareable"},
		{"uts", service->uts, "private", NULL},
	};

	array_foreach(row, rows) {
		const char *value = row->value;
		bool network = row == rows;

		if (!value || !*value || is_broken(l, service, row->key) ||
		    str_equal(value, "host") || str_equal(value, row->own) ||
		    str_equal(value, row->own_too) || str_starts_with(value, "service:") ||
		    str_starts_with(value, "container:") ||
		    (str_equal(row->key, "ipc") && str_equal(value, "none")))
			continue;
		loader_problem(l, check_at_service(l, service, row->key),
			       "services.%s.%s must be host, %s%s%s, service:NAME or "
			       "container:NAME, not \"%s\"%s",
			       service->name, row->key, row->own, row->own_too ? ", " : "",
			       row->own_too ?: "", value,
			       network ? ": to join a network by its name, list it in `networks`"
				       : "");
	}
}

/* Two mounts of the same place: volumes are unique already, tmpfs stands beside them. */
static void check_targets(struct loader *l, const struct service *service)
{
	struct map targets = {0};
	size_t i = 0;

	if (is_broken(l, service, "volumes") || is_broken(l, service, "tmpfs"))
		return;
	for (size_t n = 0; service->tmpfs && n < service->volume_count; n++)
		map_set(&targets, service->volumes[n].target, (void *)(uintptr_t)(n + 1));
	strv_foreach(tmpfs, service->tmpfs) {
		_cleanup_free_ char *given = alloc_string_n(tmpfs, strcspn(tmpfs, ":"));
		_cleanup_free_ char *target = path_clean(given);
		size_t other = (size_t)(uintptr_t)map_get(&targets, target);

		if (other)
			loader_problem(l, check_at_service(l, service, "tmpfs"),
				       "services.%s.tmpfs[%zu]: target %s already mounted as "
				       "services.%s.volumes[%zu]",
				       service->name, i, target, service->name, other - 1);
		i++;
	}
	map_done(&targets, NULL);
}

static void check_scale(struct loader *l, const struct service *service)
{
	const struct deploy *deploy = &service->deploy;

	if (is_broken(l, service, "scale") || is_broken(l, service, "deploy"))
		return;
	if (service->scale.set && deploy->replicas.set &&
	    service->scale.value != deploy->replicas.value)
		loader_problem(l, check_at_service(l, service, "scale"),
			       "services.%s: can't set distinct values on 'scale' and "
			       "'deploy.replicas'",
			       service->name);
	if (service->container_name && !is_broken(l, service, "container_name") &&
	    service_replicas(service) > 1)
		loader_problem(l, check_at_service(l, service, "container_name"),
			       "services.%s: can't set container_name and scale as container name "
			       "must be unique",
			       service->name);
}

static void check_limits(struct loader *l, const struct service *service)
{
	const struct deploy_resources *limits = &service->deploy.limits;
	const struct deploy_resources *reservations = &service->deploy.reservations;
	const struct {
		const char *name, *in_deploy;
		bool distinct;
	} rows[] = {
		{"cpus", "limits.cpus",
		 service->cpus.set && limits->cpus.set &&
			 service->cpus.value != limits->cpus.value},
		{"mem_limit", "limits.memory",
		 service->mem_limit.set && limits->memory.set &&
			 service->mem_limit.value != limits->memory.value},
		{"mem_reservation", "reservations.memory",
		 service->mem_reservation.set && reservations->memory.set &&
			 service->mem_reservation.value != reservations->memory.value},
		{"pids_limit", "limits.pids",
		 service->pids_limit.set && limits->pids.set &&
			 service->pids_limit.value != limits->pids.value},
	};

	array_foreach(row, rows)
		if (row->distinct && !is_broken(l, service, row->name) &&
		    !is_broken(l, service, "deploy"))
			loader_problem(l, check_at_service(l, service, row->name),
				       "services.%s: can't set distinct values on '%s' and "
				       "'deploy.resources.%s'",
				       service->name, row->name, row->in_deploy);
}

/* Two ways to say what healthy means. */
static void check_probe(struct loader *l, const struct service *service)
{
	const struct healthcheck *check = &service->healthcheck;

	if (!service->berth.probe.given || !(check->disable || check->test.args) ||
	    is_broken(l, service, "healthcheck") || is_broken(l, service, "x-berth"))
		return;
	loader_problem(l, loader_at(l, "services", service->name, "x-berth", "probe", NULL),
		       "service \"%s\" has a probe in x-berth, and a healthcheck with a test of "
		       "its own: keep one of them",
		       service->name);
}

static void check_sysctls(struct loader *l, const struct service *service)
{
	if (is_broken(l, service, "sysctls"))
		return;
	for (size_t i = 0; i < service->sysctls.count; i++) {
		const char *key = service->sysctls.items[i].key;
		const char *why = service_sysctl_refusal(service, key);

		if (why)
			loader_problem(
				l, loader_at(l, "services", service->name, "sysctls", key, NULL),
				"services.%s.sysctls: %s %s", service->name, key, why);
	}
}

static bool needs(const struct service *service, const char *other)
{
	for (size_t i = 0; i < service->dependency_count; i++)
		if (!strcmp(service->depends_on[i].service, other))
			return true;
	return false;
}

/* A job ends by itself: who brings it back at once, or waits until it runs, is mistaken. */
static void check_schedule(struct loader *l, const struct service *service)
{
	bool again = str_equal(service->restart, "always") ||
		     str_equal(service->restart, "unless-stopped");

	if (!service->berth.schedule.calendar || is_broken(l, service, "x-berth"))
		return;
	if (again && !is_broken(l, service, "restart"))
		loader_problem(l, check_at_service(l, service, "restart"),
			       "services.%s: \"restart: %s\" and x-berth.schedule exclude one "
			       "another: write \"on-failure\", or nothing",
			       service->name, service->restart);
	for (size_t i = 0; i < l->project->service_count; i++) {
		const struct service *other = &l->project->services[i];

		if (needs(other, service->name))
			loader_problem(l,
				       loader_at(l, "services", other->name, "depends_on",
						 service->name, NULL),
				       "services.%s depends on \"%s\", which runs only when its "
				       "x-berth.schedule says so",
				       other->name, service->name);
	}
}

static bool is_listened_at(const struct service *service, const struct listen_address *address)
{
	for (size_t i = 0; i < service->berth.socket_count; i++)
		if (listen_same(&service->berth.sockets[i].address, address))
			return true;
	return false;
}

static void check_sockets(struct loader *l, const struct service *service)
{
	const struct berth_extension *berth = &service->berth;
	char text[LISTEN_TEXT_MAX];

	if (!berth->socket_count || is_broken(l, service, "x-berth"))
		return;
	if (berth->schedule.calendar)
		loader_problem(
			l, check_at_service(l, service, "x-berth"),
			"services.%s: x-berth.socket and x-berth.schedule exclude one another",
			service->name);
	for (const struct service *other = l->project->services; other < service; other++)
		for (size_t i = 0; i < berth->socket_count; i++)
			if (is_listened_at(other, &berth->sockets[i].address))
				loader_problem(
					l, check_at_service(l, service, "x-berth"),
					"services.%s.x-berth.socket: %s is listened at for service "
					"%s already",
					service->name,
					listen_text(&berth->sockets[i].address, text), other->name);
}

void check_container_names(struct loader *l)
{
	const struct project *p = l->project;
	struct map names = {0};

	for (size_t i = 0; i < p->service_count; i++) {
		struct service *service = &p->services[i], *other;

		if (!service->container_name || is_broken(l, service, "container_name"))
			continue;
		other = map_set(&names, service->container_name, service);
		if (other)
			loader_problem(l, check_at_service(l, service, "container_name"),
				       "services.%s: container name \"%s\" is already in use by "
				       "service %s",
				       service->name, service->container_name, other->name);
	}
	map_done(&names, NULL);
}

void check_service(struct loader *l, const struct service *service)
{
	check_image(l, service);
	check_platforms(l, service);
	check_network_mode(l, service);
	check_modes(l, service);
	check_targets(l, service);
	check_scale(l, service);
	check_limits(l, service);
	check_sysctls(l, service);
	check_probe(l, service);
	check_schedule(l, service);
	check_sockets(l, service);
}
