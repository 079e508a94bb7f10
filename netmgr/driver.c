// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/driver.h"

#include <stddef.h>

#include "common/cleanup.h"
#include "common/str.h"

static const struct network_driver *const drivers[] = {&driver_bridge, &driver_host, &driver_none,
						       &driver_macvlan, &driver_ipvlan};

const struct network_driver *driver_find(const char *name)
{
	if (!name)
		return &driver_bridge;
	array_foreach(driver, drivers)
		if (str_equal((*driver)->name, name))
			return *driver;
	return NULL;
}
