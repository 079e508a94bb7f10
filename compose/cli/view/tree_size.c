// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/view/tree_size.h"

#include <ftw.h>
#include <sys/stat.h>

static uint64_t total;

static int add(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)path;
	(void)where;
	if (kind == FTW_F && S_ISREG(st->st_mode))
		total += (uint64_t)st->st_size;
	return 0;
}

uint64_t tree_size(const char *path)
{
	total = 0;
	(void)nftw(path, add, 32, FTW_PHYS | FTW_MOUNT);
	return total;
}
