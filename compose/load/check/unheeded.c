// SPDX-License-Identifier: GPL-2.0-or-later
/* unheeded.c - attributes that are right by themselves, and come to nothing beside another one. */
#include <unistd.h>

#include "common/str.h"

#include "compose/load/check/parts.h"

static bool is_shared(const char *mode)
{
	return mode && (str_starts_with(mode, "service:") || str_starts_with(mode, "container:"));
}

static void unheeded(struct loader *l, const struct service *service, const char *attribute,
		     const char *why)
{
	char where[160];

	if (l->options->no_unheeded || check_is_broken(l, "services", service->name, attribute))
		return;
	position_text(check_at_service(l, service, attribute), where, sizeof(where));
	loader_warn(l, "%s%sservices.%s.%s has no effect here: %s", where, *where ? ": " : "",
		    service->name, attribute, why);
}

/* A driver whose containers stand in another network than the host, with addresses of their own. */
static bool publishes_nothing(const struct network *network)
{
	static const char *const drivers[] = {"macvlan", "ipvlan", "none", "host"};

	if (!network || network->external)
		return false;
	array_foreach(driver, drivers)
		if (str_equal(network->driver, *driver))
			return true;
	return false;
}

static bool is_beyond_the_host(const struct project *project, const struct service *service)
{
	for (size_t i = 0; i < service->network_count; i++)
		if (!publishes_nothing(project_network(project, service->networks[i].name)))
			return false;
	return service->network_count > 0;
}

static void check_ports(struct loader *l, const struct service *service)
{
	const char *mode = service->network_mode;

	if (!service->port_count)
		return;
	if (str_equal(mode, "host"))
		unheeded(l, service, "ports",
			 "with `network_mode: host` what the service listens on is the host's");
	else if (str_equal(mode, "none"))
		unheeded(l, service, "ports", "with `network_mode: none` nothing can reach it");
	else if (is_shared(mode))
		unheeded(l, service, "ports",
			 "the network is another container's: publish them there");
	else if (is_beyond_the_host(l->project, service))
		unheeded(l, service, "ports",
			 "its networks (macvlan, ipvlan) give it addresses of its own, which are "
			 "reached without the host");
}

/* "label=type:container_t": SELinux decides what the processes may read. */
static bool has_label(const struct service *service)
{
	strv_foreach(option, service->security_opt)
		if (str_starts_with(option, "label") && !str_ends_with(option, "disable"))
			return true;
	return false;
}

/*
 * z and Z: containers have the supervisor's label unless they are given one, and what that may read
 * needs none of its own. Elsewhere the kernel has no labels, and nothing is to be done.
 */
static void check_labels(struct loader *l, const struct service *service)
{
	if (!has_label(service) || access("/sys/fs/selinux/enforce", F_OK) < 0)
		return;
	for (size_t i = 0; i < service->volume_count; i++)
		if (service->volumes[i].bind.selinux)
			unheeded(l, service, "volumes",
				 "files are not given SELinux labels (z, Z): chcon -R -t "
				 "container_file_t does it");
}

void check_unheeded(struct loader *l, const struct service *service)
{
	bool foreign_ipc = str_equal(service->ipc, "host") || is_shared(service->ipc);

	check_ports(l, service);
	check_labels(l, service);
	if (service->pull_refresh_after && !str_equal(service->pull_policy, "refresh"))
		unheeded(l, service, "pull_refresh_after", "it is for `pull_policy: refresh`");
	if (service->hostname && str_equal(service->uts, "host"))
		unheeded(l, service, "hostname", "with `uts: host` the name is the host's");
	if (service->domainname && str_equal(service->uts, "host"))
		unheeded(l, service, "domainname", "with `uts: host` the name is the host's");
	if (service->shm_size.set && foreign_ipc)
		unheeded(l, service, "shm_size", "/dev/shm comes with `ipc`, and so does its size");
	if (service->mac_address &&
	    (str_equal(service->network_mode, "host") || str_equal(service->network_mode, "none") ||
	     is_shared(service->network_mode)))
		unheeded(l, service, "mac_address", "the service has no interface of its own");
}

void check_unheeded_volume(struct loader *l, const struct volume *volume)
{
	char where[160];

	if (l->options->no_unheeded || !volume->berth.given ||
	    (!volume->external && !volume->driver_opts.count) ||
	    check_is_broken(l, "volumes", volume->key, "x-berth"))
		return;
	position_text(loader_at(l, "volumes", volume->key, "x-berth", NULL), where, sizeof(where));
	loader_warn(l, "%s%svolumes.%s.x-berth has no effect here: %s", where, *where ? ": " : "",
		    volume->key,
		    volume->external ? "an external volume is made by others"
				     : "what driver_opts mount has its owner already");
}
