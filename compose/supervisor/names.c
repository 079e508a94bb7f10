// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/names.h"

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

#include "netmgr/dns/roster.h"

#include "compose/control/requests.h"
#include "compose/supervisor/neighbours.h"
#include "compose/supervisor/translate/translate.h"

#define RESOLV_MAX (64 << 10)

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
				 "::1\tlocalhost ip6-localhost ip6-loopback\n"
				 "fe00::\tip6-localnet\n"
				 "ff00::\tip6-mcastprefix\n"
				 "ff02::1\tip6-allnodes\n"
				 "ff02::2\tip6-allrouters\n";

static const struct network_info *note_ready(struct supervisor *supervisor, const char *name,
					     struct error *err)
{
	struct network_info *info;

	if (network_inspect(supervisor->networks, name, &info, err) < 0)
		return NULL;
	map_set(&supervisor->networks_ready, name, info);
	return info;
}

/* Those of one `up`, with one firewall commit. Should one of them fail, each is on its own. */
static void make_ready(struct supervisor *supervisor)
{
	_cleanup_strv_ char **made = TAKE_PTR(supervisor->networks_made);
	struct error ignored = ERROR_INIT;

	if (network_ensure_many(supervisor->networks, (const char *const *)made, strv_length(made),
				&ignored) < 0)
		return;
	strv_foreach(name, made)
		if (!map_get(&supervisor->networks_ready, name))
			(void)note_ready(supervisor, name, &ignored);
}

const struct network_info *names_network(struct supervisor *supervisor, const char *name,
					 struct error *err)
{
	struct network_info *info = map_get(&supervisor->networks_ready, name);

	if (info)
		return info;
	if (strv_contains(supervisor->networks_made, name))
		make_ready(supervisor);
	info = map_get(&supervisor->networks_ready, name);
	if (info)
		return info;
	if (network_ensure(supervisor->networks, name, err) < 0)
		return NULL;
	return note_ready(supervisor, name, err);
}

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
	char address[INET6_ADDRSTRLEN], short_id[13];
	const char *hostname = translate_hostname(owner, short_id);
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
			   size_t size)
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
			return true;
		}
	}
	return false;
}

/* CONTAINER[:ALIAS] of another project. */
static int add_external_link(struct strbuf *text, const struct instance *instance, const char *link,
			     struct error *err)
{
	size_t length = strcspn(link, ":");
	_cleanup_free_ char *name = alloc_string_n(link, length);
	const char *alias = link[length] ? link + length + 1 : name;
	struct neighbour other;
	char address[INET6_ADDRSTRLEN];
	int r = neighbour_find(name, &other, err);

	if (r == 0 && !shared_address(instance, other.attachment, address, sizeof(address)))
		r = error_set(err, ENETUNREACH, "container %s is on no network of this one", name);
	if (r == 0)
		strbuf_addf(text, "%s\t%s%s%s\n", address, alias, str_equal(alias, name) ? "" : " ",
			    str_equal(alias, name) ? "" : name);
	neighbour_done(&other);
	return r < 0 ? error_wrap(err, "external_links") : 0;
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

/* Lines of the host's file but those that @service says itself. */
static void add_host_resolv(struct strbuf *text, const struct service *service)
{
	_cleanup_free_ char *host = NULL;
	_cleanup_strv_ char **lines = NULL;
	struct error err = ERROR_INIT;

	if (fs_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &host, NULL, &err) < 0)
		return;
	lines = strv_split(host, "\n");
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
	_cleanup_free_ char *host = NULL;
	_cleanup_strv_ char **lines = NULL;
	struct error err = ERROR_INIT;

	if (fs_read(AT_FDCWD, "/etc/resolv.conf", RESOLV_MAX, &host, NULL, &err) < 0)
		return;
	lines = strv_split(host, "\n");
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
	char short_id[13], hostname[300];

	if (dir < 0 || add_external_links(&links, instance, err) < 0)
		return -err->code;
	hosts = hosts_text(instance, links.data ?: "");
	snprintf(hostname, sizeof(hostname), "%s\n", translate_hostname(instance, short_id));
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

static struct dns_server *dns_of(struct supervisor *supervisor, struct error *err)
{
	_cleanup_free_ char *path = NULL;

	if (supervisor->dns ||
	    dns_server_new(supervisor->event, &(struct dns_options){0}, &supervisor->dns, err) < 0)
		return supervisor->dns;
	path = str_printf("%s/names", paths_runtime());
	supervisor->roster =
		roster_new(supervisor->event, path, supervisor->project, supervisor->dns);
	return supervisor->dns;
}

/* As Docker has it: on the default bridge nobody has a name. */
static bool has_names(const struct endpoint *endpoint)
{
	return !str_equal(endpoint->network, "bridge");
}

/* What its name server knows of its networks. The list is new, the names are borrowed. */
static const char **networks_of(const struct instance *instance,
				struct dns_listener_options *options)
{
	const struct endpoint *endpoints = NULL;
	const char **networks;
	size_t count = 0, n = 0;

	if (instance->attachment)
		endpoints = attachment_endpoints(instance->attachment, &count);
	networks = new_array(const char *, count + 1);
	options->no_forward = count > 0;
	for (size_t i = 0; i < count; i++) {
		options->no_forward &= endpoints[i].internal;
		if (has_names(&endpoints[i]))
			networks[n++] = endpoints[i].network;
		if (!options->gateway4.s_addr && !endpoints[i].internal)
			options->gateway4 = endpoints[i].gateway4;
	}
	options->networks = networks;
	return networks;
}

int names_listen(struct instance *instance, int udp_fd, int tcp_fd, struct error *err)
{
	struct supervisor *supervisor = instance->supervisor;
	_cleanup_free_ const char **networks = NULL;
	struct dns_listener_options options = {.container_id = instance->id};

	if (!dns_of(supervisor, err)) {
		close(udp_fd);
		close(tcp_fd);
		return -err->code;
	}
	networks = networks_of(instance, &options);
	options.links = (const char *const *)instance->service->links;
	options.upstreams = (const char *const *)instance->service->dns;
	dns_listener_free(instance->dns);
	instance->dns = NULL;
	return dns_server_listen(supervisor->dns, udp_fd, tcp_fd, &options, &instance->dns, err);
}

void names_networks_changed(struct instance *instance)
{
	struct dns_listener_options options = {0};
	_cleanup_free_ const char **networks = networks_of(instance, &options);

	if (instance->dns)
		dns_listener_networks(instance->dns, &options);
}

static const struct service_network *network_row(const struct instance *instance, const char *name)
{
	const struct service *service = instance->service;

	for (size_t i = 0; i < service->network_count; i++) {
		const struct network *network =
			project_network(instance->model->project, service->networks[i].name);

		if (str_equal(network ? network->name : service->networks[i].name, name))
			return &service->networks[i];
	}
	return NULL;
}

/* What it is called on one of its networks; new, the names themselves are borrowed. */
static const char **names_on(const struct instance *instance, const char *network, char *short_id)
{
	const struct service_network *row = network_row(instance, network);
	size_t aliases = row ? strv_length(row->aliases) : 0, n = 0;
	const char **names = new_array(const char *, aliases + 4);

	names[n++] = instance->name;
	if (!instance->oneoff || instance->use_aliases) {
		/* A single container's service is called as it was at first. */
		if (!str_starts_with(instance->supervisor->project, SINGLE_PREFIX))
			names[n++] = instance->service_name;
		for (size_t k = 0; k < aliases; k++)
			names[n++] = row->aliases[k];
	}
	memcpy(short_id, instance->id, 12);
	names[n++] = short_id;
	return names;
}

static void announce_on(struct instance *instance, const struct endpoint *endpoint)
{
	struct supervisor *supervisor = instance->supervisor;
	struct error err = ERROR_INIT;
	char short_id[13] = "";
	_cleanup_free_ const char **names = names_on(instance, endpoint->network, short_id);
	struct dns_names entry = {
		.network = endpoint->network,
		.container_id = instance->id,
		.names = names,
		.ipv4 = endpoint->ipv4,
		.ipv6 = endpoint->ipv6,
		.has_ipv4 = endpoint->has_ipv4,
		.has_ipv6 = endpoint->has_ipv6,
	};

	dns_server_add(supervisor->dns, &entry);
	if (roster_add(supervisor->roster, &entry, instance->pid, instance->start_ticks, &err) < 0)
		log_warning("%s: other projects do not find it by name: %s", instance->name,
			    err.message);
}

void names_announce(struct instance *instance)
{
	struct supervisor *supervisor = instance->supervisor;
	const struct endpoint *endpoints;
	struct error err = ERROR_INIT;
	size_t count = 0;

	/* Others may ask for it, though it has no listener itself. */
	if (instance->standby || instance->retired || !instance->attachment ||
	    !dns_of(supervisor, &err))
		return;
	endpoints = attachment_endpoints(instance->attachment, &count);
	for (size_t i = 0; i < count; i++) {
		if (has_names(&endpoints[i]))
			announce_on(instance, &endpoints[i]);
	}
}

void names_withdraw(struct instance *instance)
{
	struct supervisor *supervisor = instance->supervisor;

	if (supervisor->dns) {
		dns_server_remove(supervisor->dns, NULL, instance->id);
		roster_remove(supervisor->roster, NULL, instance->id);
	}
	dns_listener_free(instance->dns);
	instance->dns = NULL;
}

void names_leave(struct instance *instance, const char *network)
{
	struct supervisor *supervisor = instance->supervisor;

	if (!supervisor->dns)
		return;
	dns_server_remove(supervisor->dns, network, instance->id);
	roster_remove(supervisor->roster, network, instance->id);
}

void names_flush(struct supervisor *supervisor)
{
	if (supervisor->roster)
		roster_flush(supervisor->roster);
}

void names_settle(struct supervisor *supervisor)
{
	struct error err = ERROR_INIT;

	if (dns_of(supervisor, &err))
		roster_settle(supervisor->roster);
}
