// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fs.h"
#include "common/str.h"

#include "tests/support/namespaces.h"
#include "tests/support/scratch.h"

#define OK(call) cr_assert_geq(call, 0, "%s", err.message)

static struct error err;

static bool exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Test(fs, replace_and_read)
{
	_cleanup_close_ int dir = scratch_open();
	_cleanup_free_ char *text = NULL, *big = NULL;
	_cleanup_strv_ char **names = NULL;
	char *none = NULL, *fleeting = NULL;
	size_t size;

	OK(fs_replace(dir, "record", "one", 3, FS_ATOMIC, &err));
	OK(fs_replace(dir, "record", "two\0!", 5, FS_DURABLE, &err));
	OK(fs_read(dir, "record", 5, &text, &size, &err));
	cr_expect_eq(size, 5);
	cr_expect_eq(memcmp(text, "two\0!", 6), 0);
	cr_expect_eq(fs_read(dir, "record", 4, &none, NULL, &err), -EFBIG);
	cr_expect_str_eq(err.message, "record: larger than the 4 bytes allowed");
	cr_expect_eq(fs_read(dir, "absent", 4, &none, NULL, &err), -ENOENT);
	cr_expect_eq(fs_read(dir, ".", 4, &none, NULL, &err), -EISDIR);
	OK(mkdirat(dir, "sub", 0755));
	OK(fs_replace(dir, "sub/record", "", 0, FS_DURABLE, &err));
	OK(fs_replace(dir, "sub/fleeting", "new", 3, FS_FLEETING, &err));
	OK(fs_replace(dir, "sub/fleeting", "newer", 5, FS_FLEETING, &err));
	OK(fs_read(dir, "sub/fleeting", 10, &fleeting, NULL, &err));
	cr_expect_str_eq(fleeting, "newer");
	free(fleeting);
	cr_expect_eq(fs_replace(dir, "none/record", "", 0, FS_ATOMIC, &err), -ENOENT);
	cr_expect_eq(fs_replace(dir, "sub", "x", 1, FS_ATOMIC, &err), -EISDIR);
	cr_expect_str_eq(err.message, "write sub: Is a directory");
	OK(fs_read(AT_FDCWD, "/proc/self/status", 1 << 20, &big, &size, &err));
	cr_expect_eq(strlen(big), size);
	/* Nothing of a failed or finished write is left behind. */
	OK(fs_list(dir, ".", &names, &err));
	cr_expect_eq(strv_length(names), 2);
	cr_expect_str_eq(names[0], "record");
	cr_expect_str_eq(names[1], "sub");
	scratch_remove();
}

Test(fs, directories)
{
	_cleanup_close_ int dir = scratch_open(), a = -EBADF, b = -EBADF, unique = -EBADF;
	_cleanup_free_ char *path = str_printf("%s/x//y/z/", scratch_path()), *name = NULL;
	_cleanup_strv_ char **names = NULL;
	char **none = NULL;

	a = fs_mkdir_path(path, 0700, &err);
	OK(a);
	close(a);
	a = fs_mkdir_path(path, 0700, &err);
	OK(a);
	cr_expect(exists(dir, "x/y/z"));
	b = fs_mkdir_open(dir, "x", 0700, &err);
	OK(b);
	cr_assert_eq(symlinkat("x", dir, "link"), 0);
	cr_expect_eq(fs_mkdir_open(dir, "link", 0700, &err), -ENOTDIR);
	cr_expect_eq(fs_open_dir(dir, "absent", &err), -ENOENT);
	cr_expect_eq(fs_list(dir, "absent", &none, &err), -ENOENT);
	unique = fs_mkdir_unique(dir, ".new-", &name, &err);
	OK(unique);
	cr_expect(str_starts_with(name, ".new-"));
	cr_expect(exists(dir, name));
	OK(fs_list(dir, name, &names, &err));
	cr_expect_eq(strv_length(names), 0);
	OK(fs_replace(dir, "file", "", 0, FS_ATOMIC, &err));
	free(path);
	path = str_printf("%s/file/below", scratch_path());
	cr_expect_eq(fs_mkdir_path(path, 0700, &err), -ENOTDIR);
	scratch_remove();
}

Test(fs, remove_tree_stays_inside)
{
	_cleanup_close_ int dir = scratch_open();

	OK(mkdirat(dir, "keep", 0755));
	OK(fs_replace(dir, "keep/file", "x", 1, FS_ATOMIC, &err));
	OK(mkdirat(dir, "tree", 0755));
	OK(mkdirat(dir, "tree/sub", 0755));
	OK(fs_replace(dir, "tree/sub/file", "x", 1, FS_ATOMIC, &err));
	OK(symlinkat("../keep", dir, "tree/link"));
	OK(symlinkat("../../keep", dir, "tree/sub/link"));
	OK(mknodat(dir, "tree/fifo", S_IFIFO | 0600, 0));
	OK(fs_remove_tree(dir, "tree", &err));
	cr_expect_not(exists(dir, "tree"));
	cr_expect(exists(dir, "keep/file"));
	OK(symlinkat("keep", dir, "link"));
	OK(fs_remove_tree(dir, "link", &err));
	cr_expect_not(exists(dir, "link"));
	cr_expect(exists(dir, "keep/file"));
	OK(fs_remove_tree(dir, "keep/file", &err));
	OK(fs_remove_tree(dir, "absent", &err));
	scratch_remove();
}

/* Deeper than the table of descriptors and any path: what a container may leave behind. */
Test(fs, remove_tree_of_any_depth)
{
	struct rlimit few = {.rlim_cur = 100, .rlim_max = 100};
	_cleanup_close_ int dir = scratch_open();
	int at = dup(dir);

	for (int i = 0; i < 2000; i++) {
		int below;

		cr_assert_eq(mkdirat(at, "d", 0755), 0);
		below = openat(at, "d", O_RDONLY | O_DIRECTORY);
		close(at);
		at = below;
	}
	close(at);
	/* Valgrind keeps descriptors of its own above the limit. */
	if (!getenv("LD_PRELOAD") || !strstr(getenv("LD_PRELOAD"), "vgpreload"))
		setrlimit(RLIMIT_NOFILE, &few);
	OK(fs_remove_tree(dir, "d", &err));
	cr_expect_not(exists(dir, "d"));
	scratch_remove();
}

static int remove_around_a_mount(void *data)
{
	struct error e = ERROR_INIT;
	int dir = scratch_open(), r; /* a descriptor from before is of the old namespace */

	if (mkdirat(dir, "tree", 0755) < 0 || mkdirat(dir, "tree/mnt", 0755) < 0 ||
	    mkdirat(dir, "tree/other", 0755) < 0 || fchdir(dir) < 0 ||
	    mount("tmpfs", "tree/mnt", "tmpfs", 0, NULL) < 0 || mkdir("tree/mnt/data", 0755) < 0)
		return 2;
	r = fs_remove_tree(dir, "tree", &e);
	/* What is mounted is not ours to remove; the rest is gone. */
	return r == -EBUSY && exists(dir, "tree/mnt/data") && !exists(dir, "tree/other") ? 0 : 1;
}

Test(fs, remove_tree_does_not_enter_mounts)
{
	scratch_path();
	if (!can_have_namespaces(CLONE_NEWNS))
		cr_skip_test("needs root: mount namespaces");
	cr_expect_eq(in_namespaces(CLONE_NEWNS, remove_around_a_mount, NULL), 0);
	scratch_remove();
}

Test(fs, locks_exclude_and_survive_removal)
{
	_cleanup_close_ int dir = scratch_open(), lock = fs_lock(dir, "lock", &err);
	int status, done[2];
	char c;
	pid_t pid;

	OK(lock);
	cr_assert_eq(pipe2(done, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int mine;

		/* A lock belongs to the open file, which the fork shares. */
		close(lock);
		mine = fs_lock(dir, "lock", &err);

		(void)!write(done[1], "x", 1);
		_exit(mine >= 0 && exists(dir, "lock") ? 0 : 1);
	}
	fcntl(done[0], F_SETFL, O_NONBLOCK);
	cr_expect_eq(read(done[0], &c, 1), -1);
	unlinkat(dir, "lock", 0);
	close(TAKE_FD(lock));
	waitpid(pid, &status, 0);
	cr_expect_eq(status, 0);
	cr_expect_eq(read(done[0], &c, 1), 1);
	scratch_remove();
}

Test(fs, knobs_and_random_names)
{
	_cleanup_close_ int dir = scratch_open();
	char hex[2 * 100 + 1], other[2 * 100 + 1];

	OK(fs_replace(dir, "knob", "", 0, FS_ATOMIC, &err));
	cr_expect_eq(fs_write_knob(dir, "knob", "max"), 0);
	cr_expect_eq(fs_write_knob(dir, "absent", "max"), -ENOENT);
	fs_random_hex(hex, 100);
	fs_random_hex(other, 100);
	cr_expect_eq(strlen(hex), 200);
	cr_expect_eq(strspn(hex, "0123456789abcdef"), 200);
	cr_expect_str_neq(hex, other);
	scratch_remove();
}
