// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <jansson.h>

#include "netmgr/driver.h"
#include "netmgr/store.h"

/* Networks that are a record only: the host's own namespace, and one with nothing but `lo`. */
static int configure(struct network *network, struct error *err)
{
	if (json_object_size(network->driver_opts))
		return error_set(err, EINVAL, "driver %s has no driver_opts",
				 network->driver->name);
	return 0;
}

static int nothing(const struct network *network, int fd, struct error *err)
{
	return 0;
}

static int no_interfaces(const struct network *network, int fd, char ***ret_names,
			 struct error *err)
{
	*ret_names = NULL;
	return 0;
}

const struct network_driver driver_host = {
	.name = "host", .configure = configure, .ensure = nothing, .interfaces = no_interfaces};
const struct network_driver driver_none = {
	.name = "none", .configure = configure, .ensure = nothing, .interfaces = no_interfaces};
