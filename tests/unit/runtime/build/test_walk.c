// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/build/walk.h"

#include "tests/support/scratch.h"

#define MANY 1500 /* more than one thread's part */

static void put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	cr_assert(futimens(fd, old) == 0);
	close(fd);
}

/* flat/0 to 1499, deep/deep/... of 40, left/ out, a link, a pipe. */
static void make_tree(int root)
{
	_cleanup_strbuf_ struct strbuf deep = {0};
	char name[32];

	cr_assert(mkdirat(root, "flat", 0755) == 0 && mkdirat(root, "left", 0755) == 0);
	cr_assert(symlinkat("flat/1", root, "link") == 0 && mkfifoat(root, "pipe", 0600) == 0);
	put(root, "left/out", "no");
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "flat/%u", i);
		put(root, name, name);
	}
	for (unsigned int i = 0; i < 40; i++) {
		strbuf_addf(&deep, "%sd", i ? "/" : "");
		cr_assert(mkdirat(root, deep.data, 0755) == 0);
	}
	strbuf_add(&deep, "/end");
	put(root, deep.data, "end");
}

static const struct walk_entry *below(const struct walk_entry *entry, const char *name)
{
	for (size_t i = 0; entry->inside && i < entry->inside->count; i++)
		if (!strcmp(entry->inside->entries[i].name, name))
			return &entry->inside->entries[i];
	cr_assert_fail("no %s", name);
	return NULL;
}

static void expect_content(const struct walk_entry *entry, const char *text)
{
	unsigned char digest[STATCACHE_DIGEST];
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, text, strlen(text));
	sha256_bytes(&sha, digest);
	cr_expect(entry->digest && !memcmp(entry->digest, digest, sizeof(digest)), "%s",
		  entry->name);
}

static void expect_tree(const struct walk_entry *root)
{
	const struct walk_entry *flat = below(root, "flat"), *deep = root;
	char name[32];

	cr_expect_eq(root->inside->count, 5);
	cr_expect_str_eq(root->inside->entries[0].name, "d");
	cr_expect_str_eq(below(root, "link")->target, "flat/1");
	cr_expect(S_ISFIFO(below(root, "pipe")->mode));
	cr_expect(below(root, "left")->left_out && !below(root, "left")->inside);
	cr_assert_eq(flat->inside->count, MANY);
	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "flat/%u", i);
		expect_content(below(flat, name + strlen("flat/")), name);
	}
	for (unsigned int i = 0; i < 40; i++)
		deep = below(deep, "d");
	expect_content(below(deep, "end"), "end");
}

static size_t count_fresh(const struct walk_entry *entry)
{
	size_t n = entry->fresh != NULL;

	for (size_t i = 0; entry->inside && i < entry->inside->count; i++)
		n += count_fresh(&entry->inside->entries[i]);
	return n;
}

Test(walk, sees_all_of_a_tree, .fini = scratch_remove)
{
	struct ignore ignore = {0};
	struct error err = ERROR_INIT;
	const struct walk_filter filter = {.ignore = &ignore, .path = ""};
	_cleanup_close_ int root = scratch_open();
	struct walk_entry all;

	make_tree(root);
	cr_assert(ignore_add(&ignore, "left", 1, &err) == 0);
	walk_tree(root, &filter, NULL, &all);
	expect_tree(&all);
	cr_expect_eq(count_fresh(&all), MANY + 1);
	walk_entry_done(&all);
	ignore_done(&ignore);
}

Test(walk, one_file_and_what_cannot_be_read, .fini = scratch_remove)
{
	const struct walk_filter filter = {.path = "of/something"};
	_cleanup_close_ int dir = scratch_open();
	int file;
	struct walk_entry entry;

	put(dir, "one", "content");
	file = openat(dir, "one", O_PATH | O_CLOEXEC);
	walk_tree(file, &filter, NULL, &entry);
	expect_content(&entry, "content");
	walk_entry_done(&entry);
	close(file);
	/* An fd that is none. */
	walk_tree(file, &filter, NULL, &entry);
	cr_expect(entry.failure && entry.failure->code == EBADF);
	walk_entry_done(&entry);
}
