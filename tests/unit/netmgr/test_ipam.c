// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/ipam.h"

static const struct {
	const char *text, *expect; /* "": refused */
} subnets[] = {
	{"10.1.2.3/16", "10.1.0.0/16"},
	{"192.168.7.255/25", "192.168.7.128/25"},
	{"0.0.0.0/0", "0.0.0.0/0"},
	{"10.0.0.1/32", "10.0.0.1/32"},
	{"fd00:1:2:3::9/64", "fd00:1:2:3::/64"},
	{"10.0.0.0", ""},
	{"10.0.0.0/33", ""},
	{"10.0.0.0/", ""},
	{"10.0.0/8", ""},
	{"10.0.0.0/8x", ""},
	{"10.0.0.0/-1", ""},
	{"::/129", ""},
	{"/8", ""},
	{"", ""},
};

Test(ipam, subnets_as_text)
{
	array_foreach(c, subnets) {
		struct subnet subnet;
		char text[SUBNET_TEXT_MAX] = "";

		if (subnet_parse(c->text, &subnet) >= 0)
			subnet_format(&subnet, text);
		cr_expect_str_eq(text, c->expect, "%s", c->text);
	}
}

static const struct {
	const char *a, *b;
	bool overlap;
} overlaps[] = {
	{"10.0.0.0/8", "10.9.0.0/16", true},       {"10.9.0.0/16", "10.0.0.0/8", true},
	{"10.0.0.0/24", "10.0.1.0/24", false},     {"10.0.0.0/8", "fd00::/8", false},
	{"fd00:1::/64", "fd00:1:0:1::/64", false}, {"172.16.0.0/12", "172.31.255.0/24", true},
};

Test(ipam, overlapping)
{
	array_foreach(c, overlaps) {
		struct subnet a, b;

		cr_assert(subnet_parse(c->a, &a) >= 0 && subnet_parse(c->b, &b) >= 0);
		cr_expect_eq(subnet_overlaps(&a, &b), c->overlap, "%s %s", c->a, c->b);
	}
}

static const struct {
	struct network_pool wish;
	const char *expect; /* part of the error, NULL: fine */
} wishes[] = {
	{{.subnet = "10.7.0.0/16"}, NULL},
	{{.subnet = "10.7.0.0/16", .ip_range = "10.7.3.0/24", .gateway = "10.7.0.9"}, NULL},
	{{.subnet = "10.7.0.0"}, "ADDRESS/PREFIX"},
	{{.subnet = "10.7.0.0/16", .ip_range = "10.8.0.0/24"}, "not a part of subnet"},
	{{.subnet = "10.7.0.0/16", .ip_range = "10.0.0.0/8"}, "not a part of subnet"},
	{{.subnet = "10.7.0.0/16", .gateway = "10.8.0.1"}, "not in subnet 10.7"},
	{{.subnet = "10.7.0.0/16", .gateway = "10.7.255.255"}, "broadcast"},
	{{.subnet = "10.7.0.0/16", .gateway = "x"}, "not an IP address"},
	{{.gateway = "10.7.0.1"}, "need a subnet"},
	{{.subnet = "10.99.0.0/16"}, "overlaps 10.99.5.0/24"},
};

Test(ipam, wished_pools)
{
	struct ipam_taken taken = {0};
	struct subnet subnet;

	(void)subnet_parse("10.99.5.0/24", &subnet);
	ipam_taken_add(&taken, &subnet);
	array_foreach(c, wishes) {
		struct error err = ERROR_INIT;
		struct ipam_pool pool = {0};

		(void)ipam_pool_parse(&c->wish, &taken, &pool, &err);
		if (c->expect)
			cr_expect(strstr(err.message, c->expect), "'%s': %s", c->expect,
				  err.message);
		else
			cr_expect_eq(err.code, 0, "%s", err.message);
		ipam_pool_done(&pool);
	}
	ipam_taken_done(&taken);
}

static void take(struct ipam_taken *taken, const char *text)
{
	struct subnet subnet;

	cr_assert(subnet_parse(text, &subnet) >= 0);
	ipam_taken_add(taken, &subnet);
}

/* What is taken decides which wide pool a subnet comes from; none left is an error. */
Test(ipam, pool_avoids_what_is_taken)
{
	static const struct {
		const char *taken, *from;
	} steps[] = {
		{"100.64.0.0/10", "172.16.0.0/12"},
		{"172.16.0.0/12", "10.0.0.0/8"},
		{"10.0.0.0/8", "192.168.0.0/16"},
		{"192.168.0.0/16", NULL},
	};
	struct ipam_taken taken = {0};

	array_foreach(step, steps) {
		struct error err = ERROR_INIT;
		struct ipam_pool pool = {0}, again = {0};
		struct subnet wide;
		int r;

		take(&taken, step->taken);
		r = ipam_pool_choose(AF_INET, "shop_default", &taken, &pool, &err);
		if (!step->from) {
			cr_expect_eq(r, -EADDRINUSE);
			continue;
		}
		cr_assert_eq(r, 0, "%s", err.message);
		(void)subnet_parse(step->from, &wide);
		cr_expect(subnet_contains(&wide, &pool.subnet.ip), "%s", step->from);
		cr_expect_eq(pool.subnet.prefix, 24);
		(void)ipam_pool_choose(AF_INET, "shop_default", &taken, &again, &err);
		cr_expect(ip_equal(&again.subnet.ip, &pool.subnet.ip), "not stable");
	}
	ipam_taken_done(&taken);
}

Test(ipam, many_networks_do_not_touch)
{
	struct ipam_taken taken = {0};

	for (unsigned int i = 0; i < 300; i++) {
		struct ipam_pool pool = {0}, pool6 = {0};
		struct error err = ERROR_INIT;
		char name[32];

		snprintf(name, sizeof(name), "net%u", i);
		cr_assert_eq(ipam_pool_choose(AF_INET, name, &taken, &pool, &err), 0);
		cr_assert_eq(ipam_pool_choose(AF_INET6, name, &taken, &pool6, &err), 0);
		for (size_t j = 0; j < taken.count; j++)
			cr_assert(!subnet_overlaps(&taken.subnets[j], &pool.subnet) &&
				  !subnet_overlaps(&taken.subnets[j], &pool6.subnet));
		ipam_taken_add(&taken, &pool.subnet);
		ipam_taken_add(&taken, &pool6.subnet);
	}
	ipam_taken_done(&taken);
}

static struct ipam_pool pool_of(const char *subnet, const char *range)
{
	struct network_pool wish = {.subnet = subnet, .ip_range = range};
	const struct ipam_taken none = {0};
	struct error err = ERROR_INIT;
	struct ipam_pool pool = {0};

	cr_assert_eq(ipam_pool_parse(&wish, &none, &pool, &err), 0, "%s", err.message);
	return pool;
}

/* "address" or the error's text */
static const char *lease(struct ipam_leases *leases, const struct ipam_pool *pool,
			 const char *container, const char *address)
{
	static char text[400];
	struct endpoint_options wish = {.container_id = container, .ipv4_address = address};
	const struct ipam_pool none = {0};
	struct error err = ERROR_INIT;
	struct ipam_lease *got;

	if (ipam_lease(leases, pool, &none, &wish, &got, &err) < 0)
		snprintf(text, sizeof(text), "%s", err.message);
	else
		ip_format(&got->ip4, text);
	return text;
}

Test(ipam, leases)
{
	static const struct {
		const char *container, *wish, *expect; /* wish "-": give back */
	} steps[] = {
		{"a", NULL, "10.5.0.2"},
		{"b", NULL, "10.5.0.3"},
		{"a", NULL, "10.5.0.2"},
		{"c", "10.5.0.3", "address 10.5.0.3 is already taken by container b"},
		{"c", "10.5.0.1", "address 10.5.0.1 is reserved in this network"},
		{"c", "10.5.0.7", "address 10.5.0.7 is reserved in this network"},
		{"c", "10.5.1.7", "address 10.5.1.7 is not in subnet 10.5.0.0/29"},
		{"c", "nonsense", "address 'nonsense' is not an IP address"},
		{"c", "10.5.0.6", "10.5.0.6"},
		{"d", NULL, "10.5.0.4"},
		{"e", NULL, "10.5.0.5"},
		{"f", NULL, "all addresses of 10.5.0.0/29 are taken"},
		{"b", "-", NULL},
		{"f", NULL, "10.5.0.3"},
	};
	struct ipam_pool pool = pool_of("10.5.0.0/29", NULL);
	struct ipam_leases leases = {0};

	array_foreach(step, steps) {
		if (str_equal(step->wish, "-"))
			cr_expect(ipam_release(&leases, step->container));
		else
			cr_expect_str_eq(lease(&leases, &pool, step->container, step->wish),
					 step->expect);
	}
	cr_expect_eq(ipam_leases_active(&leases), 5);
	ipam_leases_done(&leases);
}

/* After a reboot: the owner gets its address back, unless somebody needed it meanwhile. */
Test(ipam, leases_of_an_earlier_boot)
{
	struct ipam_pool pool = pool_of("10.5.0.0/24", "10.5.0.16/30");
	struct ipam_leases leases = {0};

	cr_expect_str_eq(lease(&leases, &pool, "a", NULL), "10.5.0.16");
	cr_expect_str_eq(lease(&leases, &pool, "b", NULL), "10.5.0.17");
	cr_expect_str_eq(lease(&leases, &pool, "c", NULL), "10.5.0.18");
	for (size_t i = 0; i < leases.count; i++)
		leases.items[i].stale = true;
	cr_expect_eq(ipam_leases_active(&leases), 0);
	cr_expect_str_eq(lease(&leases, &pool, "new", NULL), "10.5.0.19");
	cr_expect_str_eq(lease(&leases, &pool, "b", NULL), "10.5.0.17");
	cr_expect_str_eq(lease(&leases, &pool, "newer", NULL), "10.5.0.16");
	cr_expect_str_eq(lease(&leases, &pool, "wisher", "10.5.0.18"), "10.5.0.18");
	cr_expect_str_eq(lease(&leases, &pool, "a", NULL),
			 "all addresses of 10.5.0.16/30 are taken");
	ipam_leases_done(&leases);
}
