// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"

#include "runtime/container/birth.h"

#include "tests/support/scratch.h"

static void put(int dir, const char *path, const char *text, size_t size)
{
	int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	cr_assert(fd >= 0 && fd_write_all(fd, text, size) == 0, "%s", path);
	close(fd);
}

static int make_root(void)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
				     "\n:x:9:9::/:\nhuge:x:4294967295:1::/h:\nneg:x:-1:1::/h:\n"
				     "short:x:5\nnodir:x:6:6\nweb:x:101:102:w:/home/web:/bin/sh\n"
				     "1000:x:77:78::/named:\nlast:x:7:8::/last:/bin/sh";
	static const char group[] =
		"root:x:0:\nweb:x:102:\nextra:x:103:other,web\n"
		"no:x:104:webs,we\nfull:x:105:web\nbad:x:b:web\nlast:x:106:a,last";
	static char line[20000];
	int root = scratch_open();

	cr_assert_eq(mkdirat(root, "etc", 0755), 0);
	/* A line that fits no buffer comes first, and is passed over. */
	memset(line, 'x', sizeof(line));
	memcpy(line, "web:x:1:1:", 10);
	line[sizeof(line) - sizeof(passwd)] = '\n';
	memcpy(line + sizeof(line) - sizeof(passwd) + 1, passwd, sizeof(passwd) - 1);
	put(root, "etc/passwd", line, sizeof(line));
	put(root, "etc/group", group, sizeof(group) - 1);
	return root;
}

static const struct {
	const char *user;
	const char *groups[4];
	const char *expect; /* "uid gid home groups...", or the error */
} cases[] = {
	{"", {0}, "0 0 /root 0"},
	{NULL, {0}, "0 0 /root 0"},
	{"root", {0}, "0 0 /root 0"},
	{"web", {0}, "101 102 /home/web 102 103 105"},
	{"101", {0}, "101 102 /home/web 102 103 105"},
	{"web:", {0}, "101 102 /home/web 102 103 105"},
	{"web:extra", {0}, "101 103 /home/web 103"},
	{"web:12345", {0}, "101 12345 /home/web 12345"},
	{":extra", {0}, "0 103 /root 103"},
	{"4242", {0}, "4242 0 / 0"},
	{"4242:4243", {"web", "103", "102"}, "4242 4243 / 4243 102 103"},
	{"1000", {0}, "77 78 /named 78"},
	{"last", {0}, "7 8 /last 8 106"},
	{"nodir", {0}, "6 6 / 6"},
	{"short", {0}, "unable to find user short: no matching entries in passwd file"},
	{"huge", {0}, "unable to find user huge: no matching entries in passwd file"},
	{"4294967295", {0}, "unable to find user 4294967295: no matching entries in passwd file"},
	{"-1", {0}, "unable to find user -1: no matching entries in passwd file"},
	{"web:nope", {0}, "unable to find group nope: no matching entries in group file"},
	{"web",
	 {"nope"},
	 "unable to find additional group nope: no matching entries in group file"},
};

static const char *describe(const struct account *account)
{
	static char text[512];
	size_t n = (size_t)snprintf(text, sizeof(text), "%u %u %s", account->uid, account->gid,
				    account->home);

	for (size_t i = 0; i < account->group_count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, " %u", account->groups[i]);
	return text;
}

Test(account, as_the_image_has_it)
{
	int root = make_root();

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct account account;
		struct error err = ERROR_INIT;
		int r = account_find(root, cases[i].user, cases[i].groups, &account, &err);

		cr_expect_str_eq(r < 0 ? err.message : describe(&account), cases[i].expect, "%s",
				 cases[i].user);
	}
	scratch_remove();
}

Test(account, without_files)
{
	struct account account;
	struct error err = ERROR_INIT;
	int root = scratch_open();

	cr_expect_eq(account_find(root, "1:2", NULL, &account, &err), 0);
	cr_expect_str_eq(describe(&account), "1 2 / 2");
	cr_expect_eq(account_find(root, "", NULL, &account, &err), 0);
	cr_expect_str_eq(describe(&account), "0 0 / 0");
	cr_expect_eq(account_find(root, "web", NULL, &account, &err), -ENOENT);
	/* A FIFO does not stop us. */
	cr_assert_eq(mkdirat(root, "etc", 0755), 0);
	cr_assert_eq(mkfifoat(root, "etc/passwd", 0644), 0);
	cr_expect_eq(account_find(root, "5", NULL, &account, &err), 0);
	scratch_remove();
}
