// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An image's /etc/passwd and /etc/group, and who is looked for in them: "USER\0PASSWD\0GROUP". Who
 * is found stays in bounds.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/container/birth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/fuzz-account-XXXXXX";

static void remove_root(void)
{
	static const char *const names[] = {"/etc/passwd", "/etc/group", "/etc", ""};
	char path[64];

	array_foreach(name, names) {
		snprintf(path, sizeof(path), "%s%s", folder, *name);
		(void)remove(path);
	}
}

static int make_root(void)
{
	int root;

	if (!mkdtemp(folder) || atexit(remove_root) != 0)
		abort();
	root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || mkdirat(root, "etc", 0755) < 0)
		abort();
	return root;
}

static void put(int root, const char *path, const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, data, size) < 0)
		abort();
}

/* The text up to the next NUL, which is passed; all that is left where there is none. */
static size_t take(const uint8_t **data, size_t *size, const uint8_t **ret)
{
	const uint8_t *end = memchr(*data, 0, *size);
	size_t n = end ? (size_t)(end - *data) : *size;

	*ret = *data;
	*data += n + (end != NULL);
	*size -= n + (end != NULL);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int root = -EBADF;
	const char *const groups[] = {"wheel", "7", NULL};
	struct account account = {0};
	struct error err = ERROR_INIT;
	_cleanup_free_ char *user = NULL;
	const uint8_t *part;
	size_t n;

	if (root < 0)
		root = make_root();
	n = take(&data, &size, &part);
	user = alloc_string_n((const char *)part, n);
	n = take(&data, &size, &part);
	put(root, "etc/passwd", part, n);
	put(root, "etc/group", data, size);
	if (account_find(root, user, size % 2 ? groups : NULL, &account, &err) < 0) {
		if (!err.message[0])
			abort();
		return 0;
	}
	if (account.group_count > BIRTH_GROUPS_MAX || strlen(account.home) >= sizeof(account.home))
		abort();
	return 0;
}
