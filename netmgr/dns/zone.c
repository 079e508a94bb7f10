// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/zone.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "common/alloc.h"
#include "common/map.h"
#include "common/str.h"

struct zone_host {
	char *network, *container_id;
	char **names;
	struct zone_address address;
	bool foreign;
};

/* The hosts that share a name on a network, in the order in which they came. */
struct zone_name {
	struct zone_host **hosts;
	size_t count, next;
};

struct zone {
	struct map hosts;     /* "NETWORK/CONTAINER": struct zone_host, owned */
	struct map names;     /* "NETWORK/name": struct zone_name, owned */
	struct map addresses; /* "NETWORK/1.2.3.4": struct zone_host; its last user */
};

/* A network's name has no slash. */
static char *key_of(const char *network, const char *name)
{
	char *key = str_printf("%s/%s", network, name);

	for (char *at = key + strlen(network); *at; at++)
		*at = tolower((unsigned char)*at);
	return key;
}

static char *address_key(const char *network, int family, const void *address)
{
	char text[INET6_ADDRSTRLEN];

	return key_of(network, inet_ntop(family, address, text, sizeof(text)));
}

struct zone *zone_new(void)
{
	return new (struct zone);
}

static void host_free(void *data)
{
	struct zone_host *host = data;

	free(host->network);
	free(host->container_id);
	strv_free(host->names);
	free(host);
}

static void name_free(void *data)
{
	struct zone_name *name = data;

	free(name->hosts);
	free(name);
}

void zone_free(struct zone *zone)
{
	if (!zone)
		return;
	map_done(&zone->names, name_free);
	map_done(&zone->addresses, NULL);
	map_done(&zone->hosts, host_free);
	free(zone);
}

static void link_name(struct zone *zone, struct zone_host *host, const char *text)
{
	_cleanup_free_ char *key = key_of(host->network, text);
	struct zone_name *name = map_get(&zone->names, key);

	if (!name) {
		name = new (struct zone_name);
		map_set(&zone->names, key, name);
	}
	/* Twice the same name (a service with its own name as alias) is still one address. */
	for (size_t i = 0; i < name->count; i++)
		if (name->hosts[i] == host)
			return;
	*array_add(name->hosts, name->count) = host;
}

static void unlink_name(struct zone *zone, struct zone_host *host, const char *text)
{
	_cleanup_free_ char *key = key_of(host->network, text);
	struct zone_name *name = map_get(&zone->names, key);
	size_t kept = 0;

	if (!name)
		return;
	for (size_t i = 0; i < name->count; i++)
		if (name->hosts[i] != host)
			name->hosts[kept++] = name->hosts[i];
	name->count = kept;
	if (!kept) {
		map_remove(&zone->names, key);
		name_free(name);
	}
}

static void link_address(struct zone *zone, struct zone_host *host, int family, const void *address,
			 bool add)
{
	_cleanup_free_ char *key = address_key(host->network, family, address);

	if (add)
		map_set(&zone->addresses, key, host);
	else if (map_get(&zone->addresses, key) == host)
		map_remove(&zone->addresses, key);
}

static void link_addresses(struct zone *zone, struct zone_host *host, bool add)
{
	if (host->address.has_ipv4)
		link_address(zone, host, AF_INET, &host->address.ipv4, add);
	if (host->address.has_ipv6)
		link_address(zone, host, AF_INET6, &host->address.ipv6, add);
}

static void forget_host(struct zone *zone, struct zone_host *host)
{
	_cleanup_free_ char *key = str_printf("%s/%s", host->network, host->container_id);

	strv_foreach(name, host->names)
		unlink_name(zone, host, name);
	link_addresses(zone, host, false);
	map_remove(&zone->hosts, key);
	host_free(host);
}

void zone_add(struct zone *zone, const struct dns_names *names)
{
	_cleanup_free_ char *key = str_printf("%s/%s", names->network, names->container_id);
	struct zone_host *host = map_get(&zone->hosts, key);

	if (host)
		forget_host(zone, host);
	host = new (struct zone_host);
	host->network = alloc_string(names->network);
	host->container_id = alloc_string(names->container_id);
	host->names = strv_dup((char *const *)names->names);
	host->foreign = names->foreign;
	host->address =
		(struct zone_address){names->ipv4, names->ipv6, names->has_ipv4, names->has_ipv6};
	map_set(&zone->hosts, key, host);
	strv_foreach(name, host->names)
		link_name(zone, host, name);
	link_addresses(zone, host, true);
}

void zone_remove(struct zone *zone, const char *network, const char *container_id)
{
	struct zone_host **found = NULL;
	size_t count = 0;

	map_foreach(entry, &zone->hosts) {
		struct zone_host *host = entry->value;

		if (str_equal(host->container_id, container_id) &&
		    (!network || str_equal(host->network, network)))
			*array_add(found, count) = host;
	}
	for (size_t i = 0; i < count; i++)
		forget_host(zone, found[i]);
	free(found);
}

static size_t answer(struct zone_name *name, struct zone_address ret[ZONE_ANSWERS_MAX])
{
	size_t count = name->count < ZONE_ANSWERS_MAX ? name->count : ZONE_ANSWERS_MAX;

	assert(name->count); /* a name without hosts is forgotten */
	for (size_t i = 0; i < count; i++)
		ret[i] = name->hosts[(name->next + i) % name->count]->address;
	name->next = (name->next + 1) % name->count;
	return count;
}

static bool has_own(const struct zone_name *name)
{
	for (size_t i = 0; i < name->count; i++)
		if (!name->hosts[i]->foreign)
			return true;
	return false;
}

static size_t find_on(struct zone *zone, const char *network, const char *name, bool own,
		      struct zone_address ret[ZONE_ANSWERS_MAX])
{
	_cleanup_free_ char *key = key_of(network, name);
	struct zone_name *found = map_get(&zone->names, key);

	return found && (!own || has_own(found)) ? answer(found, ret) : 0;
}

/* "NAME.NETWORK" */
static size_t find_qualified(struct zone *zone, const char *network, const char *name,
			     struct zone_address ret[ZONE_ANSWERS_MAX])
{
	size_t length = strlen(name), tail = strlen(network);
	_cleanup_free_ char *front = NULL;

	if (length < tail + 2 || name[length - tail - 1] != '.' ||
	    strcasecmp(name + length - tail, network) != 0)
		return 0;
	front = alloc_string_n(name, length - tail - 1);
	return find_on(zone, network, front, false, ret);
}

size_t zone_find(struct zone *zone, const char *const *networks, const char *name,
		 struct zone_address ret[ZONE_ANSWERS_MAX])
{
	size_t count = 0;

	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; !count && networks[i]; i++)
			count = find_on(zone, networks[i], name, own, ret);
	for (size_t i = 0; !count && networks[i]; i++)
		count = find_qualified(zone, networks[i], name, ret);
	return count;
}

char *zone_find_reverse(const struct zone *zone, const char *const *networks, int family,
			const struct in6_addr *address)
{
	for (; *networks; networks++) {
		_cleanup_free_ char *key = address_key(*networks, family, address);
		struct zone_host *host = map_get(&zone->addresses, key);

		if (host && host->names && host->names[0])
			return str_printf("%s.%s", host->names[0], host->network);
	}
	return NULL;
}
