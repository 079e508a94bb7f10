// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/image/layer.h"

#include "tarball.h"
#include "tests/support/scratch.h"

#define ROOT_ONLY()                                                                          \
	do {                                                                                 \
		if (geteuid() != 0)                                                          \
			cr_skip_test("unpacking layers with owners and devices takes root"); \
	} while (0)

/* scratch/layer is unpacked into; scratch/outside is what must stay as it is. */
static int fresh_layer(void)
{
	_cleanup_close_ int scratch = scratch_open(), file = -EBADF, outside = -EBADF;
	struct error err = ERROR_INIT;

	cr_assert_eq(fs_remove_tree(scratch, "layer", &err), 0);
	outside = fs_mkdir_open(scratch, "outside", 0755, &err);
	file = openat(outside, "victim", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	cr_assert_eq(write(file, "whole", 5), 5);
	return fs_mkdir_open(scratch, "layer", 0755, &err);
}

static void expect_victim_whole(const char *what)
{
	_cleanup_close_ int scratch = scratch_open();
	_cleanup_free_ char *text = NULL;
	_cleanup_strv_ char **names = NULL, **outside = NULL;
	struct error err = ERROR_INIT;
	size_t size;

	cr_assert_eq(fs_read(scratch, "outside/victim", 100, &text, &size, &err), 0, "%s", what);
	cr_expect_str_eq(text, "whole", "%s", what);
	cr_assert_eq(fs_list(scratch, ".", &names, &err), 0);
	cr_expect_eq(strv_length(names), 2, "%s: something new beside the layer", what);
	cr_assert_eq(fs_list(scratch, "outside", &outside, &err), 0);
	cr_expect_eq(strv_length(outside), 1, "%s: something new outside", what);
}

static int unpack(int tar, int dir, struct layer_result *result, struct error *err)
{
	int r = layer_unpack(tar, dir, -EBADF, result, err);

	close(tar);
	return r;
}

Test(layer, kinds_owners_modes_times, .fini = scratch_remove)
{
	static const char capability[20] = {1, 0, 0, 2, 0, 4};
	struct layer_result result;
	struct error err = ERROR_INIT;
	char value[64];
	struct stat st, other;

	ROOT_ONLY();
	_cleanup_close_ int dir = fresh_layer();
	int tar = TARBALL({'5', "./", .mode = 0711}, {'5', "./bin/", .mode = 01777, .mtime = 1234},
			  {'0', "./bin/su", "x", .mode = 04755, .uid = 5, .gid = 6, .mtime = 99},
			  {'1', "bin/other", "./bin/su"}, {'2', "sh", "/bin/su", .uid = 7},
			  {'3', "null", .major = 1, .minor = 3, .mode = 0666},
			  {'4', "disk", .major = 8, .minor = 1}, {'6', "pipe"},
			  {'0', "/absolute", "abs"}, {'0', "deep/er/file", "d"},
			  {'0', "marked", "m", .xattr = "user.note", .value = "hello"},
			  {'0', "sly", "m", .xattr = "trusted.overlay.redirect", .value = "/etc"},
			  {'0', "capable", "c", .xattr = "security.capability", .value = capability,
			   .value_size = 20});

	cr_assert_eq(unpack(tar, dir, &result, &err), 0, "%s", err.message);
	cr_expect_eq(result.entries, 13);
	cr_assert_eq(fstat(dir, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0711);
	cr_assert_eq(fstatat(dir, "bin", &st, 0), 0);
	cr_expect_eq(st.st_mode & 07777, 01777);
	cr_expect_eq(st.st_mtime, 1234, "a directory's time is set after its files");
	cr_assert_eq(fstatat(dir, "bin/su", &st, 0), 0);
	cr_expect(st.st_mode == (S_IFREG | 04755) && st.st_uid == 5 && st.st_gid == 6);
	cr_expect_eq(st.st_mtime, 99);
	cr_assert_eq(fstatat(dir, "bin/other", &other, 0), 0);
	cr_expect_eq(st.st_ino, other.st_ino);
	cr_assert_eq(fstatat(dir, "sh", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISLNK(st.st_mode) && st.st_uid == 7);
	cr_assert_eq(fstatat(dir, "null", &st, 0), 0);
	cr_expect(st.st_mode == (S_IFCHR | 0666) && st.st_rdev == makedev(1, 3));
	cr_assert_eq(fstatat(dir, "disk", &st, 0), 0);
	cr_expect(S_ISBLK(st.st_mode) && st.st_rdev == makedev(8, 1));
	cr_assert_eq(fstatat(dir, "pipe", &st, 0), 0);
	cr_expect(S_ISFIFO(st.st_mode));
	cr_expect_eq(faccessat(dir, "absolute", F_OK, 0), 0);
	cr_expect_eq(faccessat(dir, "deep/er/file", F_OK, 0), 0);

	_cleanup_close_ int marked = openat(dir, "marked", O_RDONLY);
	cr_expect_eq(fgetxattr(marked, "user.note", value, sizeof(value)), 5);
	_cleanup_close_ int sly = openat(dir, "sly", O_RDONLY);
	cr_expect_lt(fgetxattr(sly, "trusted.overlay.redirect", value, sizeof(value)), 0,
		     "an archive must not direct overlayfs");
	_cleanup_close_ int capable = openat(dir, "capable", O_RDONLY);
	cr_expect_eq(fgetxattr(capable, "security.capability", value, sizeof(value)), 20);
	cr_expect_eq(memcmp(value, capability, 20), 0);
	expect_victim_whole("plain");
}

Test(layer, whiteouts_and_replacements, .fini = scratch_remove)
{
	struct layer_result result;
	struct error err = ERROR_INIT;
	struct stat st;
	char value[8];

	ROOT_ONLY();
	_cleanup_close_ int dir = fresh_layer();
	int tar = TARBALL({'5', "etc/"}, {'0', "etc/.wh.passwd", ""}, {'5', "var/"},
			  {'0', "var/.wh..wh..opq", ""}, {'0', "var/new", "n"},
			  {'0', ".wh..wh.plnk", ""}, {'0', "a", "file"}, {'5', "a/"},
			  {'0', "a/in", "x"}, {'5', "b/"}, {'0', "b/in", "x"}, {'2', "b", "a"},
			  {'0', "b/through", "t"}, {'0', ".wh.c", ""}, {'5', "c/"}, {'0', "d", "1"},
			  {'0', "d", "22"}, {'0', "e", "kept"}, {'0', ".wh.e", ""});

	cr_assert_eq(unpack(tar, dir, &result, &err), 0, "%s", err.message);
	cr_assert_eq(fstatat(dir, "etc/passwd", &st, 0), 0);
	cr_expect(S_ISCHR(st.st_mode) && st.st_rdev == 0, "a whiteout is a 0:0 device");
	_cleanup_close_ int var = openat(dir, "var", O_RDONLY), c = openat(dir, "c", O_RDONLY);
	cr_expect_eq(fgetxattr(var, "trusted.overlay.opaque", value, sizeof(value)), 1);
	cr_expect_eq(fgetxattr(c, "trusted.overlay.opaque", value, sizeof(value)), 1,
		     "a directory after its own whiteout hides the one below");
	cr_expect_lt(faccessat(dir, "var/.wh..wh..opq", F_OK, 0), 0);
	cr_expect_lt(faccessat(dir, ".wh..wh.plnk", F_OK, 0), 0);
	cr_expect_eq(faccessat(dir, "a/in", F_OK, 0), 0, "a directory replaces a file");
	cr_assert_eq(fstatat(dir, "b", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISLNK(st.st_mode), "a link replaces a directory");
	cr_expect_eq(faccessat(dir, "a/through", F_OK, 0), 0, "links inside are followed");
	cr_assert_eq(fstatat(dir, "d", &st, 0), 0);
	cr_expect_eq(st.st_size, 2, "the last one wins");
	cr_assert_eq(fstatat(dir, "e", &st, 0), 0);
	cr_expect(S_ISREG(st.st_mode), "a whiteout is about the layers below");
}

static const struct {
	const char *what;
	struct tar_row rows[4];
	const char *error; /* NULL: it must only do no harm */
} hostile[] = {
	{"dots",
	 {{'0', "../outside/victim", "bad"}},
	 "entry '../outside/victim': its name leads out"},
	{"dots inside", {{'0', "a/../../outside/victim", "bad"}}, "entry 'a/../../outside/victim'"},
	{"link out", {{'2', "l", "../outside"}, {'0', "l/victim", "bad"}}, NULL},
	{"absolute link out", {{'2', "l", "/tmp"}, {'0', "l/victim", "bad"}}, NULL},
	{"chain of links",
	 {{'2', "a", ".."}, {'2', "a/b", ".."}, {'0', "a/b/outside/victim", "bad"}},
	 NULL},
	{"write through", {{'2', "victim", "../outside/victim"}, {'0', "victim", "bad"}}, NULL},
	{"hard link out",
	 {{'1', "h", "../outside/victim"}, {'0', "h", "bad"}},
	 "entry 'h': a hard link to '../outside/victim', which leads out"},
	{"hard link by link",
	 {{'2', "l", "../outside"}, {'1', "h", "l/victim"}},
	 "entry 'h': a hard link to 'l/victim'"},
	{"hard link absolute",
	 {{'1', "h", "/etc/passwd"}},
	 "entry 'h': a hard link to '/etc/passwd'"},
	{"hard link to link", {{'2', "l", "/etc/passwd"}, {'1', "h", "l"}}, NULL},
	{"whiteout of the parent",
	 {{'0', "a/.wh...", ""}},
	 "entry 'a/.wh...': a whiteout of nothing"},
	{"whiteout of itself", {{'0', "a/.wh..", ""}}, "entry 'a/.wh..': a whiteout of nothing"},
	{"whiteout by link", {{'2', "l", "../outside"}, {'0', "l/.wh.victim", ""}}, NULL},
	{"opaque by link", {{'2', "l", "../outside"}, {'0', "l/.wh..wh..opq", ""}}, NULL},
	{"root as a file", {{'0', "./", "x"}}, NULL},
	{"root as a link", {{'2', ".", "/etc"}}, "entry '.': it would replace the root"},
	{"directory over a link out", {{'2', "l", "../outside"}, {'5', "l/", .mode = 0}}, NULL},
	{"proc", {{'2', "l", "/proc/self/root"}, {'0', "l/tmp/x", "bad"}}, NULL},
};

Test(layer, hostile_archives_stay_inside, .fini = scratch_remove, .timeout = 60)
{
	ROOT_ONLY();
	array_foreach(c, hostile) {
		_cleanup_close_ int dir = fresh_layer();
		struct layer_result result;
		struct error err = ERROR_INIT;
		size_t n = 0;
		int r;

		while (n < ARRAY_SIZE(c->rows) && c->rows[n].type)
			n++;
		r = unpack(tarball_make(c->rows, n), dir, &result, &err);
		if (c->error) {
			cr_expect_lt(r, 0, "%s", c->what);
			cr_expect(str_starts_with(err.message, c->error), "%s: %s", c->what,
				  err.message);
		}
		expect_victim_whole(c->what);
	}
}

Test(layer, damaged_archives_are_refused, .fini = scratch_remove, .timeout = 60)
{
	static const char *const junk[] = {"", "x",
					   "not a tar at all, but a text that is long enough "
					   "to be looked at by everybody who reads headers",
					   "\x1f\x8b\x08\0\0\0\0\0\0\3garbage",
					   "\x28\xb5\x2f\xfd\xff\xff\xff"};
	struct layer_result result;

	ROOT_ONLY();
	array_foreach(text, junk) {
		_cleanup_close_ int dir = fresh_layer();
		struct error err = ERROR_INIT;
		int tar = TARBALL({'0', "x"});

		cr_assert_eq(ftruncate(tar, 0), 0);
		cr_assert_eq(fd_write_all(tar, *text, strlen(*text)), 0);
		lseek(tar, 0, SEEK_SET);
		cr_expect_lt(unpack(tar, dir, &result, &err), 0, "'%s'", *text);
		cr_expect(err.message[0]);
	}
	/* Cut off in a file's middle. */
	_cleanup_close_ int dir = fresh_layer();
	struct error err = ERROR_INIT;
	int tar = TARBALL({'0', "file", "content"});

	cr_assert_eq(ftruncate(tar, 515), 0);
	cr_expect_lt(unpack(tar, dir, &result, &err), 0);
	cr_expect(str_starts_with(err.message, "entry 'file'"), "%s", err.message);
}
