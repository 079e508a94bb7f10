// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "common/error.h"

Test(error, setters_return_the_negative_code)
{
	struct error err = ERROR_INIT;
	char text[ERROR_TEXT_MAX];

	cr_expect_eq(error_set(&err, ENOENT, "volume %s", "data"), -ENOENT);
	cr_expect_str_eq(error_text(&err, text, sizeof(text)), "volume data");
	errno = EACCES;
	cr_expect_eq(error_errno(&err, "open %s", "/x"), -EACCES);
	cr_expect_str_eq(err.message, "open /x: Permission denied");
	cr_expect_eq(error_code(&err, -ENOSPC, "write"), -ENOSPC);
	cr_expect_eq(error_code(&err, ENOSPC, "write"), -ENOSPC);
	cr_expect_str_eq(err.message, "write: No space left on device");
	cr_expect_eq(error_where(&err, "compose.yaml:7:9", "ports: %d is too big", 70000), -EINVAL);
	cr_expect_str_eq(error_text(&err, text, sizeof(text)),
			 "compose.yaml:7:9: ports: 70000 is too big");
	cr_expect_eq(error_wrap(&err, "service %s", "web"), -EINVAL);
	cr_expect_str_eq(error_text(&err, text, sizeof(text)),
			 "compose.yaml:7:9: service web: ports: 70000 is too big");
	error_clear(&err);
	cr_expect_eq(err.code, 0);
	cr_expect_str_eq(error_text(&err, text, sizeof(text)), "");
}

Test(error, a_failure_always_has_a_code)
{
	struct error err = ERROR_INIT;

	errno = 0;
	cr_expect_eq(error_errno(&err, "x"), -EIO);
	cr_expect_eq(error_set(&err, 0, "x"), -EIO);
}

Test(error, long_texts_are_cut_where_they_end)
{
	struct error err = ERROR_INIT;
	char text[2 * sizeof(err.message)];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, EINVAL, "%s", text);
	cr_expect_eq(strlen(err.message), sizeof(err.message) - 1);
	error_wrap(&err, "front");
	cr_expect_eq(strncmp(err.message, "front: aaa", 10), 0);
	error_wrap(&err, "%s", text);
	cr_expect_eq(strlen(err.message), sizeof(err.message) - 1);
	errno = ENOENT;
	error_errno(&err, "%s", text);
	cr_expect_eq(strlen(err.message), sizeof(err.message) - 1);
	error_where(&err, text, "x");
	cr_expect_eq(strlen(err.where), sizeof(err.where) - 1);
}
