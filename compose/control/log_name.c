// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/control/log_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "common/cleanup.h"

#define DIGITS_MIN 8
#define DIGITS_MAX 12

void log_name_format(uint64_t number, char name[LOG_NAME_MAX])
{
	snprintf(name, LOG_NAME_MAX, "%0*ju", DIGITS_MIN, (uintmax_t)number % 1000000000000);
}

uint64_t log_name_parse(const char *name)
{
	uint64_t number = 0;
	int digits = 0;

	for (; name[digits]; digits++) {
		if (name[digits] < '0' || name[digits] > '9' || digits == DIGITS_MAX)
			return 0;
		number = number * 10 + (name[digits] - '0');
	}
	return digits < DIGITS_MIN || (digits > DIGITS_MIN && name[0] == '0') ? 0 : number;
}

struct scan {
	uint64_t lowest, highest; /* 0: there is none */
};

/* Of the files behind number @after. */
static int scan_names(int dirfd, uint64_t after, struct scan *ret)
{
	_cleanup_close_ int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return -errno;
	fd = -EBADF; /* it is the directory's now */
	*ret = (struct scan){0};
	while ((entry = readdir(dir))) {
		uint64_t number = log_name_parse(entry->d_name);

		if (number <= after)
			continue;
		if (!ret->lowest || number < ret->lowest)
			ret->lowest = number;
		if (number > ret->highest)
			ret->highest = number;
	}
	return 0;
}

int log_name_newest(int dirfd, uint64_t *ret)
{
	struct scan scan;
	int r = scan_names(dirfd, 0, &scan);

	*ret = r < 0 ? 0 : scan.highest;
	return r;
}

/* False: it is not there (any more), or @number is another's. */
static bool give_number(int dirfd, const char *name, uint64_t number)
{
	char numbered[LOG_NAME_MAX];

	log_name_format(number, numbered);
	return renameat2(dirfd, name, dirfd, numbered, RENAME_NOREPLACE) == 0;
}

/* The newest comes first: whatever of it is done, the next file to be written is the right one. */
void log_name_number_old(int dirfd)
{
	struct scan scan;
	char name[32];
	uint64_t older = 0;

	if (faccessat(dirfd, "current", F_OK, 0) < 0 && faccessat(dirfd, "1", F_OK, 0) < 0)
		return;
	do
		snprintf(name, sizeof(name), "%ju", (uintmax_t)++older);
	while (faccessat(dirfd, name, F_OK, 0) == 0);
	if (scan_names(dirfd, 0, &scan) < 0)
		return;
	/* The one that was last looked for is not there: so many are older. */
	if (!scan.lowest && give_number(dirfd, "current", older))
		scan.lowest = older;
	for (uint64_t n = 1; n < older && scan.lowest > n; n++) {
		snprintf(name, sizeof(name), "%ju", (uintmax_t)n);
		if (!give_number(dirfd, name, scan.lowest - n))
			return;
	}
}

int log_name_open(int dirfd, uint64_t number)
{
	char name[LOG_NAME_MAX];
	int fd;

	log_name_format(number, name);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/*
 * Files are made in the order of their numbers and removed in it, so those that exist have no gap:
 * what lies below an existing one and does not exist has been removed. (A list alone does not say
 * so: it may lack a file that was made while it was read.)
 */
int log_name_open_newer(int dirfd, uint64_t number, uint64_t *ret_number)
{
	int fd = log_name_open(dirfd, number + 1);
	uint64_t newer = number + 1;

	while (fd == -ENOENT) {
		struct scan scan;
		int r = scan_names(dirfd, number, &scan);

		if (r < 0 || !scan.lowest)
			return r < 0 ? r : -ENOENT;
		newer = scan.lowest;
		fd = log_name_open(dirfd, newer);
		while (fd >= 0 && newer > number + 1) {
			int lower = log_name_open(dirfd, newer - 1);

			if (lower < 0)
				break;
			close(fd);
			fd = lower;
			newer--;
		}
	}
	*ret_number = newer;
	return fd;
}
