// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/log.h"
#include "common/str.h"

#include "compose/supervisor/network/names.h"
#include "compose/supervisor/network/neighbours.h"
#include "compose/supervisor/translate/translate.h"

#define RESOLV_MAX (64 << 10)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
				 "::1\tlocalhost ip6-localhost ip6-loopback\n"
				 "fe00::\tip6-localnet\n"
				 "ff00::\tip6-mcastprefix\n"
				 "ff02::1\tip6-allnodes\n"
				 "ff02::2\tip6-allrouters\n";

void names_host_gateway(const struct instance *instance, char *buffer, size_t size)
{
	const struct endpoint *endpoints;
	size_t count = 0;

	snprintf(buffer, size, "127.0.0.1");
	if (!instance->attachment)
		return;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		if (endpoints[i].has_ipv4 && !endpoints[i].internal) {
			inet_ntop(AF_INET, &endpoints[i].gateway4, buffer, (socklen_t)size);
			return;
		}
	}
}

static bool host_network(const struct instance *instance)
{
	return str_equal(instance->service->network_mode, "host");
}

/* One whose network (and so whose names) this one shares, or NULL. */
static struct instance *network_owner(const struct instance *instance)
{
	const char *mode = instance->service->network_mode;

	if (str_starts_with(mode ?: "", "service:"))
		return supervisor_find_service(instance->supervisor, mode + strlen("service:"), 0);
	if (str_starts_with(mode ?: "", "container:"))
		return supervisor_find(instance->supervisor, mode + strlen("container:"));
	return NULL;
}

static void add_own_addresses(struct strbuf *text, const struct instance *instance)
{
	const struct instance *owner = network_owner(instance) ?: (struct instance *)instance;
	const struct endpoint *endpoints;
	char address[INET6_ADDRSTRLEN];
	_cleanup_free_ char *hostname = translate_hostname(owner);
	size_t count = 0;

	if (!owner->attachment)
		return;
	endpoints = attachment_endpoints(owner->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		for (int family = 0; family < 2; family++) {
			if (family ? !endpoints[i].has_ipv6 : !endpoints[i].has_ipv4)
				continue;
			inet_ntop(family ? AF_INET6 : AF_INET,
				  family ? (const void *)&endpoints[i].ipv6
					 : (const void *)&endpoints[i].ipv4,
				  address, sizeof(address));
			strbuf_addf(text, "%s\t", address);
			if (owner->service->domainname)
				strbuf_addf(text, "%s.%s ", hostname, owner->service->domainname);
			strbuf_addf(text, "%s\n", hostname);
		}
	}
}

/* The address that both can reach it by: on a network that they share. */
static bool shared_address(const struct instance *instance, const json_t *attachment, char *ret,
			   size_t size, const char **ret_network)
{
	const struct endpoint *own;
	size_t count = 0, i;
	json_t *theirs;

	if (!instance->attachment)
		return false;
	own = attachment_endpoints(instance->attachment, &count);
	json_array_foreach(json_object_get(attachment, "endpoints"), i, theirs) {
		const char *address =
			json_get_string(theirs, "ipv4") ?: json_get_string(theirs, "ipv6");

		for (size_t k = 0; address && k < count; k++) {
			if (!str_equal(own[k].network, json_get_string(theirs, "network")))
				continue;
			snprintf(ret, size, "%s", address);
			*ret_network = own[k].network;
			return true;
		}
	}
	return false;
}

/*
 * CONTAINER[:ALIAS] of another project: a line where no name server tells it. One that runs and has
 * come to its first network has none.
 */
static int add_external_link(struct strbuf *text, const struct instance *instance, const char *link,
			     struct error *err)
{
	size_t length = strcspn(link, ":");
	_cleanup_free_ char *name = alloc_string_n(link, length);
	const char *alias = link[length] ? link + length + 1 : name, *network = NULL;
	struct neighbour other;
	char address[INET6_ADDRSTRLEN];
	int r = neighbour_find(name, &other, err);

	if (r == 0 &&
	    !shared_address(instance, other.attachment, address, sizeof(address), &network))
		r = error_set(err, ENETUNREACH, "container %s is on no network of this one", name);
	if (r == 0 && (!names_are_on(network) || (instance->pidfd >= 0 && !instance->dns)))
		strbuf_addf(text, "%s\t%s%s%s\n", address, alias, str_equal(alias, name) ? "" : " ",
			    str_equal(alias, name) ? "" : name);
	neighbour_done(&other);
	return r < 0 ? error_wrap(err, "external_links") : 0;
}

bool names_link_reaches(const struct instance *instance, const char *link)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	struct error ignored = ERROR_INIT;

	return add_external_link(&text, instance, link, &ignored) >= 0;
}

static int add_external_links(struct strbuf *text, const struct instance *instance,
			      struct error *err)
{
	strv_foreach(link, instance->service->external_links)
		if (add_external_link(text, instance, link, err) < 0)
			return -err->code;
	return 0;
}

static char *hosts_text(const struct instance *instance, const char *links)
{
	const struct service *service = instance->service;
	struct strbuf text = {0};
	struct error err = ERROR_INIT;
	char gateway[INET6_ADDRSTRLEN];
	char *host = NULL;

	if (host_network(instance) &&
	    fs_read(AT_FDCWD, "/etc/hosts", RESOLV_MAX, &host, NULL, &err) >= 0) {
		strbuf_add(&text, host);
		free(host);
	} else {
		strbuf_add(&text, hosts_head);
	}
	names_host_gateway(instance, gateway, sizeof(gateway));
	for (size_t i = 0; i < service->extra_host_count; i++) {
		const struct extra_host *row = &service->extra_hosts[i];
		bool is_gateway = str_equal(row->address, "host-gateway");

		strbuf_addf(&text, "%s\t%s\n", is_gateway ? gateway : row->address, row->name);
	}
	strbuf_add(&text, links);
	add_own_addresses(&text, instance);
	return strbuf_take(&text);
}

/* Of the host's /etc/resolv.conf; NULL where there is none. */
static char **host_resolv(void)
{
	_cleanup_free_ char *host = NULL;
	struct error ignored = ERROR_INIT;

	if (fs_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &host, NULL, &ignored) < 0)
		return NULL;
	return strv_split(host, "\n");
}

/* Lines of the host's file but those that @service says itself. */
static void add_host_resolv(struct strbuf *text, const struct service *service)
{
	_cleanup_strv_ char **lines = host_resolv();

	strv_foreach(line, lines) {
		if ((service->dns && str_starts_with(line, "nameserver")) ||
		    (service->dns_search &&
		     (str_starts_with(line, "search") || str_starts_with(line, "domain"))) ||
		    (service->dns_opt && str_starts_with(line, "options")) || line[0] == '#')
			continue;
		strbuf_addf(text, "%s\n", line);
	}
}

/* The host's search domains are the container's too, as Docker has it. */
static void add_host_search(struct strbuf *text)
{
	_cleanup_strv_ char **lines = host_resolv();

	strv_foreach(line, lines)
		if (str_starts_with(line, "search ") || str_starts_with(line, "domain "))
			strbuf_addf(text, "search %s\n", line + 7);
}

/* The network of another project's container has that one's name server. */
static bool neighbour_serves(const struct instance *instance)
{
	const char *mode = instance->service->network_mode ?: "";
	struct neighbour other;
	struct error ignored = ERROR_INIT;
	bool serves;

	if (!str_starts_with(mode, "container:"))
		return false;
	(void)neighbour_find(mode + strlen("container:"), &other, &ignored);
	serves = json_get_bool(other.attachment, "dns", false);
	neighbour_done(&other);
	return serves;
}

static char *resolv_text(const struct instance *instance)
{
	const struct service *service = instance->service;
	_cleanup_free_ char *search = strv_join(service->dns_search, " ");
	_cleanup_free_ char *options = strv_join(service->dns_opt, " ");
	const struct instance *owner = network_owner(instance);
	bool own_server = (owner ? owner->attachment : instance->attachment) != NULL ||
			  (!owner && neighbour_serves(instance));
	struct strbuf text = {0};

	if (own_server) {
		strbuf_add(&text, "nameserver 127.0.0.11\n");
		if (!service->dns_search)
			add_host_search(&text);
	} else {
		strv_foreach(server, service->dns)
			strbuf_addf(&text, "nameserver %s\n", server);
		add_host_resolv(&text, service);
	}
	/* A single dot clears the search list (resolv.conf(5) has no other word for it). */
	if (service->dns_search && !str_equal(search, "."))
		strbuf_addf(&text, "search %s\n", search);
	if (own_server)
		strbuf_addf(&text, "options ndots:0%s%s\n", service->dns_opt ? " " : "",
			    options ?: "");
	else if (service->dns_opt)
		strbuf_addf(&text, "options %s\n", options);
	return strbuf_take(&text);
}

static int write_plain(int dir, const char *name, const char *text, struct error *err)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_all(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return r < 0 ? error_code(err, r, "write %s for the container", name) : 0;
}

static int open_directory(struct instance *instance, struct error *err)
{
	int base = fs_mkdir_open(instance->supervisor->runtime_dir, "containers", 0711, err);
	int dir;

	if (base < 0)
		return base;
	dir = fs_mkdir_open(base, instance->id, 0711, err);
	close(base);
	return dir;
}

int names_write(struct instance *instance, struct error *err)
{
	_cleanup_free_ char *hosts = NULL, *resolv = resolv_text(instance);
	_cleanup_strbuf_ struct strbuf links = {0};
	_cleanup_close_ int dir = open_directory(instance, err);
	_cleanup_free_ char *own_name = translate_hostname(instance), *hostname = NULL;

	if (dir < 0 || add_external_links(&links, instance, err) < 0)
		return -err->code;
	hosts = hosts_text(instance, links.data ?: "");
	hostname = str_printf("%s\n", own_name);
	if (write_plain(dir, "hosts", hosts, err) < 0 ||
	    write_plain(dir, "resolv.conf", resolv, err) < 0 ||
	    write_plain(dir, "hostname", hostname, err) < 0)
		return -err->code;
	return TAKE_FD(dir);
}

void names_remove_files(struct instance *instance)
{
	struct error err = ERROR_INIT;
	char path[96];

	snprintf(path, sizeof(path), "containers/%s", instance->id);
	if (fs_remove_tree(instance->supervisor->runtime_dir, path, &err) < 0)
		log_debug("%s: %s", instance->name, err.message);
}
