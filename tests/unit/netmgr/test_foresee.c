// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "common/cleanup.h"

#include "netmgr/foresee.h"

#include "tests/support/namespaces.h"
#include "tests/unit/netmgr/lab.h"

static struct network_options in_subnet(const char *subnet, struct network_pool *pool)
{
	*pool = (struct network_pool){.subnet = subnet};
	return (struct network_options){.pools = pool, .pool_count = 1};
}

static void check_network(struct foresight *foresight, const char *name, const char *subnet,
			  int expect)
{
	struct network_pool pool;
	struct network_options options = in_subnet(subnet, &pool);
	struct error err = ERROR_INIT;
	int r = foresee_network(foresight, name, &options, &err);

	CHECK(r == expect, "%s %s: %d %s", name, subnet, r, err.message);
}

static void check_address(struct foresight *foresight, const char *network, const char *container,
			  const char *address, int expect)
{
	const struct endpoint_options wish = {
		.network = network, .container_id = container, .ipv4_address = address};
	struct error err = ERROR_INIT;
	int r = foresee_endpoint(foresight, &wish, &err);

	CHECK(r == expect, "%s %s: %d %s", container, address, r, err.message);
	CHECK(r != -EADDRINUSE || strstr(err.message, "address") || strstr(err.message, "subnet"),
	      "%s", err.message);
}

/* What goes is out of the way, what comes is not, and none of it is written down. */
static int foresees(void *data)
{
	static const char id[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	const char *const going[] = {"old", NULL}, *const leaving[] = {id, NULL};
	struct network_store *store = lab_open();
	struct network_pool pool;
	struct network_options options = in_subnet("10.7.1.0/24", &pool);
	struct foresight *foresight = NULL;
	struct error err = ERROR_INIT;
	struct box box;

	CHECK_OK(network_create(store, "old", &options, &err), &err);
	options = in_subnet("10.7.2.0/24", &pool);
	CHECK_OK(network_create(store, "kept", &options, &err), &err);
	CHECK_OK(network_ensure(store, "old", &err), &err);
	CHECK_OK(network_ensure(store, "kept", &err), &err);
	box = lab_box(store, id, (const char *const[]){"kept", NULL});

	CHECK_OK(foresee_begin(store, NULL, NULL, &foresight, &err), &err);
	check_network(foresight, "new", "10.7.1.0/25", -EADDRINUSE);
	check_address(foresight, "kept", "b", lab_ip4(&box, 0), -EADDRINUSE);
	foresee_end(foresight);

	CHECK_OK(foresee_begin(store, going, leaving, &foresight, &err), &err);
	check_network(foresight, "old", "10.7.1.0/25", 0);
	check_network(foresight, "new", "10.7.0.0/16", -EADDRINUSE);
	check_network(foresight, "new", "10.7.1.128/25", 0);
	check_address(foresight, "kept", "b", lab_ip4(&box, 0), 0);
	check_address(foresight, "kept", "c", lab_ip4(&box, 0), -EADDRINUSE);
	check_address(foresight, "new", "c", "10.7.1.130", 0);
	check_address(foresight, "new", "d", "10.7.1.13", -EINVAL);
	check_address(foresight, "nowhere", "d", "10.7.1.13", 0);
	foresee_end(foresight);

	CHECK_OK(foresee_begin(store, NULL, NULL, &foresight, &err), &err);
	check_address(foresight, "kept", "b", lab_ip4(&box, 0), -EADDRINUSE);
	foresee_end(foresight);
	lab_unbox(store, &box);
	network_store_close(store);
	return lab_failures;
}

Test(foresee, what_goes_and_comes)
{
	cr_expect_eq(in_namespaces(CLONE_NEWNET | CLONE_NEWNS, foresees, NULL), 0);
}
