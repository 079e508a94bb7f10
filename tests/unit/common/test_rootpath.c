// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "tests/support/scratch.h"

/* A root with the links that a hostile image may hold. */
static int make_root(void)
{
	static const char *const directories[] = {"root", "root/etc", "root/usr", "root/usr/bin",
						  "outside"};
	static const struct {
		const char *target, *name;
	} links[] = {
		{"/etc", "root/absolute"},
		{"../../../../../../etc", "root/up"},
		{"../../outside", "root/usr/escape"},
		{"/proc/self/root", "root/magic"},
		{"loop", "root/loop"},
		{"../run/resolve/stub.conf", "root/etc/resolv.conf"},
		{"/run/other", "root/etc/other"},
		{"/run", "root/var-run"},
		{"missing2", "root/missing1"},
		{"missing1", "root/missing2"},
	};
	int dir = scratch_open();

	array_foreach(directory, directories)
		cr_assert_eq(mkdirat(dir, *directory, 0755), 0);
	array_foreach(link, links)
		cr_assert_eq(symlinkat(link->target, dir, link->name), 0);
	close(openat(dir, "root/etc/passwd", O_CREAT | O_WRONLY, 0644));
	close(openat(dir, "outside/secret", O_CREAT | O_WRONLY, 0644));
	return dir;
}

/* Where @fd is, below the scratch directory. */
static char *place_of(int fd)
{
	char path[FD_PATH_MAX], target[PATH_MAX];
	ssize_t n = readlink(fd_path(fd, path), target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	if (!str_starts_with(target, scratch_path()))
		return str_printf("OUT: %s", target);
	return alloc_string(target + strlen(scratch_path()));
}

Test(rootpath, open_never_leaves)
{
	static const struct {
		const char *path;
		int result;
		const char *place;
	} rows[] = {
		{"/etc/passwd", 0, "/root/etc/passwd"},
		{"etc/passwd", 0, "/root/etc/passwd"},
		{"absolute/passwd", 0, "/root/etc/passwd"},
		{"/up/passwd", 0, "/root/etc/passwd"},
		{"../../etc/passwd", 0, "/root/etc/passwd"},
		{"", 0, "/root"},
		{"/", 0, "/root"},
		{"..", 0, "/root"},
		{"/usr/escape/secret", -ENOENT, NULL},
		{"/usr/../../outside/secret", -ENOENT, NULL},
		{"/magic/etc/passwd", -ENOENT, NULL},
		{"/loop", -ELOOP, NULL},
		{"/etc/passwd/x", -ENOTDIR, NULL},
	};
	_cleanup_close_ int dir = make_root(), root = openat(dir, "root", O_PATH | O_CLOEXEC);

	array_foreach(row, rows) {
		struct error err = ERROR_INIT;
		_cleanup_close_ int fd = rootpath_open(root, row->path, O_PATH, 0, &err);
		_cleanup_free_ char *place = NULL;

		if (row->result < 0) {
			cr_expect_eq(fd, row->result, "%s: %d", row->path, fd);
			cr_expect(strstr(err.message, row->path) != NULL);
			continue;
		}
		cr_assert_geq(fd, 0, "%s: %s", row->path, err.message);
		place = place_of(fd);
		cr_expect_str_eq(place, row->place, "%s: %s", row->path, place);
	}
	scratch_remove();
}

/* A path to make, whether as a directory, and where it must then be (or the error). */
static const struct {
	const char *path;
	int directory, result;
	const char *place;
} targets[] = {
	{"/new/deep/directory", 1, 0, "/root/new/deep/directory"},
	{"/new/deep/directory", 1, 0, "/root/new/deep/directory"},
	{"new2//a/../b/", 1, 0, "/root/new2/b"},
	{"/absolute/x", 1, 0, "/root/etc/x"},
	{"/up/y/z", 1, 0, "/root/etc/y/z"},
	{"/var-run/app", 1, 0, "/root/run/app"},
	{"/usr/escape/data", 1, 0, "/root/outside/data"},
	{"/../../above", 1, 0, "/root/above"},
	{"/", 1, 0, "/root"},
	{"/etc/passwd", 0, 0, "/root/etc/passwd"},
	{"/etc/resolv.conf", 0, 0, "/root/run/resolve/stub.conf"},
	{"/etc/other", 0, 0, "/root/run/other"},
	{"/fresh/conf/app.ini", 0, 0, "/root/fresh/conf/app.ini"},
	{"/usr/escape/file", 0, 0, "/root/outside/file"},
	{"/etc/passwd", 1, -ENOTDIR, NULL},
	{"/etc/passwd/x", 1, -ENOTDIR, NULL},
	{"/etc/passwd/x", 0, -ENOTDIR, NULL},
	{"/etc", 0, -EISDIR, NULL},
	{"/loop/x", 1, -ELOOP, NULL},
	{"/missing1", 0, -ELOOP, NULL},
	{"/magic/x", 1, 0, "/root/proc/self/root/x"},
};

Test(rootpath, targets_are_made_inside)
{
	_cleanup_close_ int dir = make_root(), root = openat(dir, "root", O_PATH | O_CLOEXEC);

	umask(022);
	array_foreach(row, targets) {
		struct error err = ERROR_INIT;
		_cleanup_close_ int fd =
			rootpath_make_target(root, row->path, row->directory, &err);
		_cleanup_free_ char *place = NULL;
		struct stat status;

		if (row->result < 0) {
			cr_expect_eq(fd, row->result, "%s: %d", row->path, fd);
			continue;
		}
		cr_assert_geq(fd, 0, "%s: %s", row->path, err.message);
		place = place_of(fd);
		cr_expect_str_eq(place, row->place, "%s: %s", row->path, place);
		cr_assert_eq(fstat(fd, &status), 0);
		cr_expect_eq(S_ISDIR(status.st_mode), row->directory);
		cr_expect_eq(status.st_mode & 0777, row->directory ? 0755 : 0644, "%s", row->path);
	}
	cr_expect_eq(faccessat(dir, "outside/data", F_OK, 0), -1);
	cr_expect_eq(faccessat(dir, "outside/file", F_OK, 0), -1);
	scratch_remove();
}

Test(rootpath, long_paths_are_refused)
{
	_cleanup_close_ int dir = make_root(), root = openat(dir, "root", O_PATH | O_CLOEXEC);
	_cleanup_strbuf_ struct strbuf path = {0};
	struct error err = ERROR_INIT;

	for (int i = 0; i < 3000; i++)
		strbuf_add(&path, "/a");
	cr_expect_eq(rootpath_mkdirs(root, path.data, 0755, &err), -ENAMETOOLONG);
	strbuf_done(&path);
	for (int i = 0; i < 300; i++)
		strbuf_addc(&path, 'a');
	cr_expect_eq(rootpath_make_target(root, path.data, 0, &err), -ENAMETOOLONG);
	cr_expect_eq(rootpath_make_target(root, path.data, 1, &err), -ENAMETOOLONG);
	scratch_remove();
}
