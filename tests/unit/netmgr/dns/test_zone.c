// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/dns/zone.h"

static void add(struct zone *zone, const char *network, const char *id, const char *const *names,
		const char *ipv4, const char *ipv6)
{
	struct dns_names entry = {.network = network, .container_id = id, .names = names};

	entry.has_ipv4 = ipv4 && inet_pton(AF_INET, ipv4, &entry.ipv4) == 1;
	entry.has_ipv6 = ipv6 && inet_pton(AF_INET6, ipv6, &entry.ipv6) == 1;
	zone_add(zone, &entry);
}

static struct zone *make_zone(void)
{
	struct zone *zone = zone_new();

	add(zone, "app_default", "c1", (const char *[]){"app-web-1", "web", "WWW", "web", NULL},
	    "10.0.0.2", NULL);
	add(zone, "app_default", "c2", (const char *[]){"app-web-2", "web", NULL}, "10.0.0.3",
	    NULL);
	add(zone, "app_back", "c2", (const char *[]){"app-web-2", "web", NULL}, "10.1.0.3",
	    "fd00::3");
	add(zone, "app_back", "c3", (const char *[]){"app-db-1", "db", NULL}, NULL, "fd00::4");
	return zone;
}

static char *find(struct zone *zone, const char *const *networks, const char *name)
{
	struct zone_address found[ZONE_ANSWERS_MAX];
	struct strbuf text = {0};
	char one[INET6_ADDRSTRLEN];
	size_t count = zone_find(zone, networks, name, found);

	for (size_t i = 0; i < count; i++) {
		if (found[i].has_ipv4)
			strbuf_addf(&text, " %s",
				    inet_ntop(AF_INET, &found[i].ipv4, one, sizeof(one)));
		if (found[i].has_ipv6)
			strbuf_addf(&text, " %s",
				    inet_ntop(AF_INET6, &found[i].ipv6, one, sizeof(one)));
	}
	return strbuf_take(&text);
}

static const char *const both[] = {"app_default", "app_back", NULL};
static const char *const front[] = {"app_default", NULL};

static const struct {
	const char *const *networks;
	const char *name, *expect;
} names[] = {
	{front, "web", " 10.0.0.2 10.0.0.3"},
	{front, "web", " 10.0.0.3 10.0.0.2"},
	{front, "web", " 10.0.0.2 10.0.0.3"},
	{front, "www", " 10.0.0.2"},
	{front, "db", ""},
	{both, "db", " fd00::4"},
	{front, "app-web-2", " 10.0.0.3"},
	{both, "app-web-2.app_back", " 10.1.0.3 fd00::3"},
	{front, "app-web-2.app_back", ""},
	{both, "web.app_default.app_back", ""},
	{both, ".app_back", ""},
	{both, "", ""},
};

Test(dns_zone, names_of_shared_networks_in_turn)
{
	struct zone *zone = make_zone();

	array_foreach(c, names) {
		_cleanup_free_ char *found = find(zone, c->networks, c->name);

		cr_expect_str_eq(found, c->expect, "%s:%s", c->name, found);
	}
	zone_free(zone);
}

Test(dns_zone, stopped_containers_are_forgotten_and_replaced_ones_known)
{
	struct zone *zone = make_zone();
	_cleanup_free_ char *gone = NULL, *left = NULL, *moved = NULL, *old = NULL;

	zone_remove(zone, NULL, "c1");
	zone_remove(zone, NULL, "nobody");
	left = find(zone, front, "web");
	cr_expect_str_eq(left, " 10.0.0.3");
	gone = find(zone, front, "www");
	cr_expect_str_eq(gone, "");
	add(zone, "app_default", "c2", (const char *[]){"renamed", NULL}, "10.0.0.9", NULL);
	moved = find(zone, front, "renamed");
	cr_expect_str_eq(moved, " 10.0.0.9");
	old = find(zone, front, "web");
	cr_expect_str_eq(old, "");
	zone_free(zone);
}

Test(dns_zone, addresses_have_names)
{
	struct zone *zone = make_zone();
	_cleanup_free_ char *four = NULL, *six = NULL, *hidden = NULL;
	struct in6_addr address = {0};

	inet_pton(AF_INET, "10.0.0.3", &address);
	four = zone_find_reverse(zone, front, AF_INET, &address);
	cr_expect_str_eq(four, "app-web-2.app_default");
	inet_pton(AF_INET6, "fd00::4", &address);
	six = zone_find_reverse(zone, both, AF_INET6, &address);
	cr_expect_str_eq(six, "app-db-1.app_back");
	hidden = zone_find_reverse(zone, front, AF_INET6, &address);
	cr_expect_null(hidden);
	zone_free(zone);
}

static void add_foreign(struct zone *zone, const char *network, const char *id, const char *name,
			const char *ipv4)
{
	struct dns_names entry = {.network = network,
				  .container_id = id,
				  .names = (const char *[]){name, NULL},
				  .has_ipv4 = true,
				  .foreign = true};

	inet_pton(AF_INET, ipv4, &entry.ipv4);
	zone_add(zone, &entry);
}

/* On one network all have the same right to a name; of several, one with ours goes first. */
Test(dns_zone, own_names_before_those_of_others)
{
	struct zone *zone = make_zone();
	_cleanup_free_ char *together = NULL, *own = NULL, *other = NULL, *left = NULL;

	add_foreign(zone, "app_default", "f1", "web", "10.0.0.8");
	add_foreign(zone, "app_default", "f2", "db", "10.0.0.9");
	add_foreign(zone, "app_default", "f3", "there", "10.0.0.10");
	add_foreign(zone, "app_back", "f3", "there", "10.1.0.10");
	together = find(zone, front, "web");
	cr_expect_str_eq(together, " 10.0.0.2 10.0.0.3 10.0.0.8");
	own = find(zone, both, "db");
	cr_expect_str_eq(own, " fd00::4");
	other = find(zone, front, "db");
	cr_expect_str_eq(other, " 10.0.0.9");
	zone_remove(zone, "app_default", "f3");
	left = find(zone, both, "there");
	cr_expect_str_eq(left, " 10.1.0.10");
	zone_free(zone);
}
