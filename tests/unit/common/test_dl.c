// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>

#include "common/cleanup.h"
#include "common/dl.h"

static double (*cosine)(double);

Test(dl, finds_symbols)
{
	const struct dl_symbol rows[] = {DL_SYMBOL(cosine, cos)};
	struct error err = ERROR_INIT;
	void *handle = NULL;

	cr_assert_eq(dl_load("libm.so.6", &handle, rows, ARRAY_SIZE(rows), &err), 0, "%s",
		     err.message);
	cr_expect_eq(cosine(0), 1);
	cr_expect_eq(dl_load("libm.so.6", &handle, rows, ARRAY_SIZE(rows), &err), 0);
}

Test(dl, names_the_package)
{
	const struct dl_symbol rows[] = {DL_SYMBOL(cosine, no_such_function)};
	struct error err = ERROR_INIT;
	void *handle = NULL;

	cr_expect_eq(dl_load("libnothing.so.7", &handle, NULL, 0, &err), -ENOENT);
	cr_expect_str_eq(
		err.message,
		"libnothing.so.7 cannot be opened; install it with: apt-get install libnothing7");
	cr_expect_eq(dl_load("libm.so.6", &handle, rows, ARRAY_SIZE(rows), &err), -ENOSYS);
	cr_expect_null(handle);
}
