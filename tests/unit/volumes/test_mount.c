// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "volumes/detached.h"
#include "volumes/mount.h"
#include "volumes/volume.h"

#include "tests/support/namespaces.h"
#include "tests/support/scratch.h"

/* In the namespaces' child a failed check ends with its line. */
#define CHECK(condition)                                                                    \
	do {                                                                                \
		if (!(condition)) {                                                         \
			fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, \
				err.message);                                               \
			return 1;                                                           \
		}                                                                           \
	} while (0)

static void in_mount_namespace(int (*fn)(void *))
{
	(void)scratch_path();
	if (!can_have_namespaces(CLONE_NEWNS))
		cr_skip_test("mounting takes root");
	cr_expect_eq(in_namespaces(CLONE_NEWNS, fn, NULL), 0);
}

static char *below_scratch(const char *name)
{
	return str_printf("%s/%s", scratch_path(), name);
}

static bool attach(int mount, const char *path)
{
	return move_mount(mount, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
}

static int make_tmpfs(void *data)
{
	struct tmpfs_options options = {.size_bytes = 1 << 20, .mode = 0750, .uid = 3, .gid = 4};
	struct error err = ERROR_INIT;
	_cleanup_close_ int mount = mount_tmpfs(&options, &err), ro = -EBADF;
	struct statvfs fs;
	struct stat st;

	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(stat("/mnt", &st) == 0 && st.st_uid == 3 && st.st_gid == 4);
	CHECK((st.st_mode & 07777) == 0750);
	CHECK(statvfs("/mnt", &fs) == 0 && fs.f_blocks * fs.f_frsize == 1 << 20);
	CHECK((fs.f_flag & (ST_NOEXEC | ST_NOSUID | ST_NODEV)) ==
	      (ST_NOEXEC | ST_NOSUID | ST_NODEV));
	options = (struct tmpfs_options){.read_only = true, .exec = true};
	ro = mount_tmpfs(&options, &err);
	CHECK(ro >= 0 && attach(ro, "/mnt"));
	CHECK(statvfs("/mnt", &fs) == 0 && fs.f_flag & ST_RDONLY && !(fs.f_flag & ST_NOEXEC));
	CHECK(stat("/mnt", &st) == 0 && (st.st_mode & 07777) == 01777);
	return 0;
}

Test(mount, tmpfs, .fini = scratch_remove)
{
	in_mount_namespace(make_tmpfs);
}

static int make_bind(void *data)
{
	_cleanup_free_ char *source = below_scratch("a/b/source"), *file = below_scratch("a/file");
	_cleanup_free_ char *target = below_scratch("target"),
			    *inner = below_scratch("a/b/source/in");
	struct bind_options options = {.recursive = true};
	struct error err = ERROR_INIT;
	struct statvfs fs;
	struct stat st;
	bool directory;
	int mount;

	CHECK(mount_bind(source, &options, &directory, &err) == -ENOENT);
	CHECK(strstr(err.message, "bind source path does not exist: /"));
	error_clear(&err);
	options.create = true;
	mount = mount_bind(source, &options, &directory, &err);
	CHECK(mount >= 0 && directory);
	CHECK(stat(source, &st) == 0 && (st.st_mode & 07777) == 0755 && st.st_uid == 0);
	close(mount);
	close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	mount = mount_bind(file, &options, &directory, &err);
	CHECK(mount >= 0 && !directory);
	close(mount);

	/* A submount comes along, read-only as well. */
	CHECK(mkdir(inner, 0755) == 0 && mkdir(target, 0755) == 0);
	CHECK(syscall(SYS_mount, "none", inner, "tmpfs", 0, NULL) == 0);
	options.read_only = options.read_only_recursive = true;
	mount = mount_bind(source, &options, &directory, &err);
	CHECK(mount >= 0 && attach(mount, target));
	free(inner);
	inner = below_scratch("target/in");
	CHECK(statvfs(inner, &fs) == 0 && fs.f_flag & ST_RDONLY);
	CHECK(statvfs(target, &fs) == 0 && fs.f_flag & ST_RDONLY);
	CHECK(statvfs(source, &fs) == 0 && !(fs.f_flag & ST_RDONLY));
	close(mount);
	options.read_only_recursive = false;
	mount = mount_bind(source, &options, &directory, &err);
	CHECK(mount >= 0 && attach(mount, target));
	CHECK(statvfs(inner, &fs) == 0 && !(fs.f_flag & ST_RDONLY));
	close(mount);
	options.propagation = "sideways";
	CHECK(mount_bind(source, &options, &directory, &err) == -EINVAL);
	options.propagation = "rslave";
	mount = mount_bind(source, &options, &directory, &err);
	CHECK(mount >= 0);
	close(mount);
	CHECK(mount_bind("relative", &options, &directory, &err) == -EINVAL);
	return 0;
}

Test(mount, bind, .fini = scratch_remove)
{
	in_mount_namespace(make_bind);
}

static int make_file(void *data)
{
	_cleanup_free_ char *target = below_scratch("secret"), *source = below_scratch("source");
	struct file_content content = {
		.data = "s3cret", .size = 6, .uid = 7, .gid = 8, .mode = 0440};
	_cleanup_close_ int scratch = scratch_open(), mount = -EBADF, second = -EBADF;
	struct error err = ERROR_INIT;
	char text[16] = "";
	struct stat st;
	int fd;

	close(open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	mount = mount_file(&content, &err);
	CHECK(mount >= 0 && attach(mount, target));
	CHECK(stat(target, &st) == 0 && st.st_uid == 7 && st.st_gid == 8 && st.st_size == 6);
	CHECK(S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0440);
	CHECK(open(target, O_WRONLY) < 0 && errno == EROFS);
	fd = open(target, O_RDONLY);
	CHECK(read(fd, text, sizeof(text)) == 6 && strcmp(text, "s3cret") == 0);
	close(fd);

	CHECK(fs_replace(scratch, "source", "from file", 9, FS_ATOMIC, &err) == 0);
	content = (struct file_content){.source_path = source};
	second = mount_file(&content, &err);
	CHECK(second >= 0 && attach(second, target));
	CHECK(stat(target, &st) == 0 && st.st_size == 9 && (st.st_mode & 07777) == 0444);
	content.source_path = "/nowhere";
	CHECK(mount_file(&content, &err) == -ENOENT && strstr(err.message, "'/nowhere'"));
	content = (struct file_content){.data = "", .size = 0};
	fd = mount_file(&content, &err);
	CHECK(fd >= 0);
	close(fd);
	content = (struct file_content){.data = "x", .size = 501 * 1024};
	CHECK(mount_file(&content, &err) == -EFBIG);
	return 0;
}

Test(mount, file_on_a_tmpfs_of_its_own, .fini = scratch_remove)
{
	in_mount_namespace(make_file);
}

/* The way of kernels before 6.15. */
static int clone_by_child(void *data)
{
	struct tmpfs_options options = {0};
	_cleanup_close_ int tmpfs = -EBADF, file = -EBADF, mount = -EBADF;
	_cleanup_free_ char *target = below_scratch("target");
	struct error err = ERROR_INIT;
	struct stat st;

	tmpfs = mount_tmpfs(&options, &err);
	CHECK(tmpfs >= 0);
	file = openat(tmpfs, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	CHECK(fd_write_all(file, "abc", 3) == 0);
	close(file);
	file = openat(tmpfs, "file", O_PATH | O_CLOEXEC);
	mount = detached_clone_by_child(tmpfs, file, &err);
	CHECK(mount >= 0);
	close(open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	CHECK(attach(mount, target));
	CHECK(stat(target, &st) == 0 && st.st_size == 3);
	CHECK(waitpid(-1, NULL, __WALL) < 0 && errno == ECHILD);
	CHECK(stat("/file", &st) < 0);
	return 0;
}

Test(mount, clone_inside_a_detached_mount_on_old_kernels, .fini = scratch_remove)
{
	in_mount_namespace(clone_by_child);
}

static int mount_volumes(void *data)
{
	_cleanup_json_ json_t *tmpfs = json_pack("{s:s,s:s,s:s}", "type", "tmpfs", "device",
						 "tmpfs", "o", "size=1m,mode=700,noexec");
	_cleanup_json_ json_t *bad =
		json_pack("{s:s,s:s,s:s}", "type", "tmpfs", "device", "tmpfs", "o", "colour=red");
	_cleanup_json_ json_t *gone = json_pack("{s:s,s:s,s:s}", "type", "none", "device",
						"/nowhere/at/all", "o", "bind");
	_cleanup_json_ json_t *bind = json_pack("{s:s,s:s,s:s}", "type", "none", "device",
						scratch_path(), "o", "bind,ro");
	struct volume_options options = {0};
	struct volume_mount_options how = {0};
	struct error err = ERROR_INIT;
	struct volume_store *store;
	struct statvfs fs;
	struct stat st;
	_cleanup_close_ int volume = -EBADF, scratch = scratch_open();
	int mount;

	CHECK(volume_store_open(scratch_path(), &store, &err) == 0);
	CHECK(volume_create(store, "plain", &options, &err) == 0);
	mount = volume_mount(store, "plain", &how, &err);
	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(mkdir("/mnt/sub", 0700) == 0 && symlink("sub", "/mnt/link") == 0);
	CHECK(symlink("../../../../etc", "/mnt/escape") == 0 && symlink("/etc", "/mnt/abs") == 0);
	close(open("/mnt/sub/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(mount);

	how.subpath = "link";
	how.read_only = true;
	mount = volume_mount(store, "plain", &how, &err);
	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(access("/mnt/file", F_OK) == 0 && mkdir("/mnt/x", 0700) < 0 && errno == EROFS);
	close(mount);
	how.subpath = "sub/file";
	mount = volume_mount(store, "plain", &how, &err);
	CHECK(mount >= 0 && fstat(mount, &st) == 0 && S_ISREG(st.st_mode));
	close(mount);
	static const char *const refused[] = {"missing",  "escape", "abs",
					      "../plain", "/etc",   "sub/../../.."};
	array_foreach(subpath, refused) {
		how.subpath = *subpath;
		error_clear(&err);
		CHECK(volume_mount(store, "plain", &how, &err) < 0);
		CHECK(str_starts_with(err.message, "subpath '"));
	}
	how = (struct volume_mount_options){0};

	options.driver_opts = tmpfs;
	CHECK(volume_create(store, "memory", &options, &err) == 0);
	mount = volume_mount(store, "memory", &how, &err);
	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(statvfs("/mnt", &fs) == 0 && fs.f_blocks * fs.f_frsize == 1 << 20);
	CHECK(fs.f_flag & ST_NOEXEC);
	close(mount);
	options.driver_opts = bad;
	CHECK(volume_create(store, "bad", &options, &err) == 0);
	CHECK(volume_mount(store, "bad", &how, &err) == -EINVAL);
	CHECK(str_starts_with(err.message, "mount option 'colour=red': "));
	options.driver_opts = gone;
	CHECK(volume_create(store, "gone", &options, &err) == 0);
	CHECK(volume_mount(store, "gone", &how, &err) == -ENOENT);
	options.driver_opts = bind;
	CHECK(volume_create(store, "bound", &options, &err) == 0);
	mount = volume_mount(store, "bound", &how, &err);
	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(access("/mnt/volumes", F_OK) == 0 && mkdir("/mnt/x", 0700) < 0 && errno == EROFS);
	close(mount);
	how.subpath = "volumes/plain";
	mount = volume_mount(store, "bound", &how, &err);
	CHECK(mount >= 0 && attach(mount, "/mnt"));
	CHECK(access("/mnt/_data", F_OK) == 0 && mkdir("/mnt/x", 0700) < 0 && errno == EROFS);
	close(mount);
	volume_store_close(store);
	return 0;
}

Test(mount, volumes, .fini = scratch_remove)
{
	in_mount_namespace(mount_volumes);
}

static int clone_directory(void *data)
{
	_cleanup_close_ int scratch = scratch_open(), mount = -EBADF, whole = -EBADF;
	_cleanup_free_ char *target = below_scratch("target");
	struct error err = ERROR_INIT;

	CHECK(fs_replace(scratch, "hosts", "x", 1, FS_ATOMIC, &err) == 0);
	close(open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	mount = mount_clone(scratch, "hosts", true, &err);
	CHECK(mount >= 0 && attach(mount, target));
	CHECK(open(target, O_WRONLY) < 0 && errno == EROFS);
	whole = mount_clone(scratch, NULL, false, &err);
	CHECK(whole >= 0 && attach(whole, "/mnt") && access("/mnt/hosts", F_OK) == 0);
	CHECK(mount_clone(scratch, "none", false, &err) == -ENOENT);
	return 0;
}

Test(mount, clone, .fini = scratch_remove)
{
	in_mount_namespace(clone_directory);
}
