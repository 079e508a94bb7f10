// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

const char *scratch_path(void)
{
	if (path[0])
		return path;
	strcpy(path, "/tmp/berth-test-XXXXXX");
	if (!mkdtemp(path)) {
		perror("mkdtemp");
		abort();
	}
	return path;
}

int scratch_open(void)
{
	int fd = open(scratch_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		perror(path);
		abort();
	}
	return fd;
}

static int remove_one(const char *name, const struct stat *status, int type, struct FTW *ftw)
{
	return remove(name);
}

void scratch_remove(void)
{
	if (path[0])
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	path[0] = '\0';
}
