// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "netmgr/firewall/firewall.h"

#include "tests/support/namespaces.h"
#include "tests/unit/netmgr/lab.h"

#define NAMESPACES (CLONE_NEWNET | CLONE_NEWNS)

static void make(struct network_store *store, const char *name,
		 const struct network_options *options)
{
	struct error err = ERROR_INIT;

	CHECK_OK(network_create(store, name, options, &err), &err);
	CHECK_OK(network_ensure(store, name, &err), &err);
}

static void drop(struct network_store *store, const char *name)
{
	struct error err = ERROR_INIT;

	CHECK_OK(network_remove(store, name, &err), &err);
}

static struct publish publish_to(const struct box *box, uint16_t port, uint16_t to)
{
	struct publish publish = {.host_port = port, .container_port = to, .protocol = IPPROTO_TCP};

	publish.ipv4 = box->ends[0].ipv4;
	publish.ipv6 = box->ends[0].ipv6;
	publish.has_ipv4 = box->ends[0].has_ipv4;
	publish.has_ipv6 = box->ends[0].has_ipv6;
	return publish;
}

static void set_bridge(struct network_store *store, struct publish *publish, const char *network)
{
	struct network_info *info = NULL;
	struct error err = ERROR_INIT;

	CHECK_OK(network_inspect(store, network, &info, &err), &err);
	snprintf(publish->bridge, sizeof(publish->bridge), "%s", info->bridge);
	network_info_free(info);
}

static void check_isolation(const struct box *a, const struct box *b, const struct box *other,
			    const struct box *inner, int outside)
{
	int listener = lab_listen(b->netns, "0.0.0.0", 80);
	int listener6 = lab_listen(b->netns, "::", 80);
	int world = lab_listen(outside, "0.0.0.0", 80), world6 = lab_listen(outside, "::", 80);
	int hidden = lab_listen(inner->netns, "0.0.0.0", 80);
	char peer[64] = "";
	int r;

	r = lab_connect(a->netns, lab_ip4(b, 0), 80, listener, peer);
	CHECK(r == 0 && str_equal(peer, lab_ip4(a, 0)), "inside: %d from %s", r, peer);
	r = lab_connect(a->netns, lab_ip6(b, 0), 80, listener6, peer);
	CHECK(r == 0 && str_equal(peer, lab_ip6(a, 0)), "inside, IPv6: %d from %s", r, peer);
	r = lab_connect(-1, lab_ip4(b, 0), 80, listener, NULL);
	CHECK(r == 0, "from the host: %d", r);
	r = lab_connect(a->netns, "203.0.113.2", 80, world, peer);
	CHECK(r == 0 && str_equal(peer, "203.0.113.1"), "out: %d as %s", r, peer);
	r = lab_connect(a->netns, "2001:db8::2", 80, world6, peer);
	CHECK(r == 0 && str_equal(peer, "2001:db8::1"), "out, IPv6: %d as %s", r, peer);
	r = lab_connect(other->netns, lab_ip4(b, 0), 80, listener, NULL);
	CHECK(r == -ETIMEDOUT, "between networks: %d", r);
	r = lab_connect(outside, lab_ip4(b, 0), 80, listener, NULL);
	CHECK(r == -ETIMEDOUT, "from outside to its address: %d", r);
	r = lab_connect(outside, lab_ip6(b, 0), 80, listener6, NULL);
	CHECK(r == -ETIMEDOUT, "from outside to its address, IPv6: %d", r);
	r = lab_connect(inner->netns, "203.0.113.2", 80, world, NULL);
	CHECK(r == -ENETUNREACH, "out of an internal network: %d", r);
	r = lab_connect(a->netns, lab_ip4(inner, 0), 80, hidden, NULL);
	CHECK(r == -ETIMEDOUT, "into an internal network: %d", r);
	r = lab_connect(-1, lab_ip4(inner, 0), 80, hidden, NULL);
	CHECK(r == 0, "from the host into an internal network: %d", r);
	close(listener);
	close(listener6);
	close(world);
	close(world6);
	close(hidden);
}

static void check_published(struct network_store *store, const struct box *a, const struct box *b,
			    const struct box *other, int outside)
{
	struct publish port = publish_to(b, 8080, 80);
	struct firewall_change change = {.owner = "container:b", .ports = &port, .port_count = 1};
	int held[2], listener = lab_listen(b->netns, "0.0.0.0", 80), r;
	int listener6 = lab_listen(b->netns, "::", 80);
	struct error err = ERROR_INIT;
	char peer[64] = "";

	set_bridge(store, &port, "front");
	CHECK_OK(publish_hold(&port, held, &err), &err);
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	r = lab_connect(outside, "203.0.113.1", 8080, listener, peer);
	CHECK(r == 0 && str_equal(peer, "203.0.113.2"), "from outside: %d as %s", r, peer);
	r = lab_connect(outside, "2001:db8::1", 8080, listener6, peer);
	CHECK(r == 0 && str_equal(peer, "2001:db8::2"), "from outside, IPv6: %d as %s", r, peer);
	r = lab_connect(-1, "203.0.113.1", 8080, listener, peer);
	CHECK(r == 0, "from the host's own address: %d", r);
	r = lab_connect(-1, "2001:db8::1", 8080, listener6, peer);
	CHECK(r == 0, "from the host's own IPv6 address: %d", r);
	r = lab_connect(-1, "127.0.0.1", 8080, listener, peer);
	CHECK(r == 0, "from 127.0.0.1: %d as %s", r, peer);
	r = lab_connect(a->netns, "203.0.113.1", 8080, listener, peer);
	CHECK(r == 0, "hairpin: %d", r);
	r = lab_connect(b->netns, "203.0.113.1", 8080, listener, peer);
	CHECK(r == 0, "hairpin to itself: %d", r);
	r = lab_connect(a->netns, "2001:db8::1", 8080, listener6, peer);
	CHECK(r == 0, "hairpin, IPv6: %d", r);
	r = lab_connect(b->netns, "2001:db8::1", 8080, listener6, peer);
	CHECK(r == 0, "hairpin to itself, IPv6: %d", r);
	r = lab_connect(other->netns, "203.0.113.1", 8080, listener, peer);
	CHECK(r == 0, "from another network: %d", r);
	r = lab_connect(outside, lab_ip4(b, 0), 80, listener, NULL);
	CHECK(r == -ETIMEDOUT, "published, from outside to its address: %d", r);
	r = lab_connect(other->netns, lab_ip4(b, 0), 80, listener, NULL);
	CHECK(r == -ETIMEDOUT, "published, from another network to its address: %d", r);
	change.port_count = 0;
	CHECK_OK(firewall_publish(&change, 1, &err), &err);
	r = lab_connect(-1, "::1", 8080, held[1], NULL);
	CHECK(r == 0, "::1 reaches the held socket: %d", r);
	close(held[0]);
	close(held[1]);
	r = lab_connect(outside, "203.0.113.1", 8080, listener, NULL);
	CHECK(r == -ECONNREFUSED, "after: %d", r);
	close(listener);
	close(listener6);
}

/* A world with three networks; @data: the firewall's backend. */
static int whole_world(void *data)
{
	struct network_store *store;
	struct network_options open = {.enable_ipv6 = true}, internal = {.internal = true};
	struct box a, b, other, inner;
	struct error err = ERROR_INIT;
	size_t links;
	int outside;

	setenv("BERTH_FIREWALL", data, 1);
	store = lab_open();
	outside = lab_outside();
	links = lab_link_count();
	make(store, "front", &open);
	make(store, "back", &open);
	make(store, "inner", &internal);
	a = lab_box(store, "a", (const char *const[]){"front", NULL});
	b = lab_box(store, "b", (const char *const[]){"front", NULL});
	other = lab_box(store, "other", (const char *const[]){"back", NULL});
	inner = lab_box(store, "inner", (const char *const[]){"inner", NULL});
	if (lab_failures)
		return 1;
	CHECK(network_remove(store, "front", &err) == -EBUSY, "%s", err.message);
	check_isolation(&a, &b, &other, &inner, outside);
	check_published(store, &a, &b, &other, outside);
	if (getenv("LAB_SHOW"))
		(void)!system("iptables-legacy-save; ip6tables-legacy-save; nft list ruleset; ip "
			      "a; ip r");
	lab_unbox(store, &a);
	lab_unbox(store, &b);
	lab_unbox(store, &other);
	lab_unbox(store, &inner);
	drop(store, "front");
	drop(store, "back");
	drop(store, "inner");
	CHECK(lab_link_count() == links, "%zu links, %zu before", lab_link_count(), links);
	network_store_close(store);
	return lab_failures;
}

static const char *const backends[] = {"iptables", "nftables"};

Test(network, whole_world)
{
	if (!can_have_namespaces(NAMESPACES))
		cr_skip_test("needs root: namespaces");
	array_foreach(backend, backends)
		cr_expect_eq(in_namespaces(NAMESPACES, whole_world, (void *)*backend), 0, "%s",
			     *backend);
}
