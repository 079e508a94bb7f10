// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/str.h"

#include "compose/control/place.h"

Test(place, is_built_from_its_end)
{
	struct error err = ERROR_INIT;
	_cleanup_strv_ char **keys = NULL;
	_cleanup_free_ char *text = NULL;

	error_set(&err, ENOENT, "it is not there");
	cr_expect_eq(place_under(&err, "sysctls", "net.ipv4.conf.eth0/1.x~", NULL), -ENOENT);
	cr_expect_eq(place_under(&err, "services", "a.b", NULL), -ENOENT);
	cr_expect_str_eq(err.where, "#/services/a.b/sysctls/net.ipv4.conf.eth0~11.x~0");
	keys = place_keys(err.where);
	text = strv_join(keys, " ");
	cr_expect_str_eq(text, "services a.b sysctls net.ipv4.conf.eth0/1.x~");
}

Test(place, of_a_file_stays)
{
	struct error err = ERROR_INIT;

	error_where(&err, "compose.yaml:7:9", "it is wrong");
	place_under(&err, "services", "a", NULL);
	cr_expect_str_eq(err.where, "compose.yaml:7:9");
	cr_expect_null(place_keys(err.where));
	cr_expect_null(place_keys(""));
}

Test(place, that_is_too_long_is_none)
{
	struct error err = ERROR_INIT;
	char name[200];

	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	error_set(&err, EINVAL, "it is wrong");
	place_under(&err, "user", NULL);
	place_under(&err, "services", name, NULL);
	cr_expect_str_eq(err.where, "");
}
