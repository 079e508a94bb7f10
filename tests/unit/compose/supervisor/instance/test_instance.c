// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "compose/supervisor/instance/instance.h"

/* One id in some three hundred: "hostname -i" in such a container says that its host is unknown. */
Test(instance, host_names_are_no_numbers)
{
	cr_expect(!instance_id_fits("117440892136ab"));
	cr_expect(instance_id_fits("11744089213fab"));
	cr_expect(instance_id_fits("c17440892136ab"));
}
