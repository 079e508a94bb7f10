// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "volumes/volume.h"

#include "tests/support/scratch.h"

static struct volume_store *open_store(void)
{
	struct volume_store *store;
	struct error err = ERROR_INIT;

	cr_assert_eq(volume_store_open(scratch_path(), &store, &err), 0, "%s", err.message);
	return store;
}

static const struct {
	const char *name;
	bool valid;
} names[] = {
	{"ab", true},           {"a", false},       {"", false},      {"0_.-Z", true},
	{"_ab", false},         {".new-ab", false}, {"..", false},    {"a/b", false},
	{"../../x", false},     {"a b", false},     {"p_data", true}, {"a\nb", false},
	{"\303\274ber", false},
};

Test(volume, names, .fini = scratch_remove)
{
	struct volume_store *store = open_store();

	array_foreach(row, names) {
		struct volume_options options = {0};
		struct error err = ERROR_INIT;

		cr_expect_eq(volume_create(store, row->name, &options, &err),
			     row->valid ? 0 : -EINVAL, "%s: %s", row->name, err.message);
	}
	volume_store_close(store);
}

Test(volume, life, .fini = scratch_remove)
{
	_cleanup_json_ json_t *labels = json_pack("{s:s}", "com.docker.compose.project", "p");
	struct volume_options options = {.labels = labels, .anonymous = true}, plain = {0};
	struct volume_store *store = open_store();
	_cleanup_free_ char *data = str_printf("%s/volumes/p_data/_data", scratch_path());
	struct error err = ERROR_INIT;
	struct volume_info *info, **list;
	struct stat st;
	size_t count;

	cr_assert_eq(volume_create(store, "p_data", &options, &err), 0, "%s", err.message);
	cr_expect_eq(volume_create(store, "p_data", &options, &err), -EEXIST);
	cr_expect_str_eq(err.message, "volume p_data: there is one already");
	cr_assert_eq(volume_create(store, "other", &plain, &err), 0);
	cr_assert_eq(volume_inspect(store, "p_data", &info, &err), 0);
	cr_expect_str_eq(info->mountpoint, data);
	cr_expect_str_eq(info->driver, "local");
	cr_expect(info->anonymous && info->created_nsec > 0);
	cr_expect(json_equal(info->labels, labels));
	volume_info_free(info);
	cr_assert_eq(stat(data, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0755);

	cr_assert_eq(volume_list(store, &list, &count, &err), 0);
	cr_assert_eq(count, 2);
	cr_expect_str_eq(list[0]->name, "other");
	for (size_t i = 0; i < count; i++)
		volume_info_free(list[i]);
	free(list);
	cr_assert_eq(volume_remove(store, "p_data", &err), 0, "%s", err.message);
	cr_expect_eq(volume_remove(store, "p_data", &err), -ENOENT);
	cr_expect_str_eq(err.message, "volume p_data: no such volume");
	cr_expect_eq(volume_inspect(store, "p_data", &info, &err), -ENOENT);
	options.driver = "rexray";
	cr_expect_eq(volume_create(store, "third", &options, &err), -EINVAL);
	volume_store_close(store);
}

Test(volume, leftovers_are_swept, .fini = scratch_remove)
{
	_cleanup_close_ int scratch = scratch_open(), inside = -EBADF;
	_cleanup_strv_ char **found = NULL;
	struct error err = ERROR_INIT;

	volume_store_close(open_store());
	inside = openat(scratch, "volumes", O_RDONLY | O_DIRECTORY);
	cr_assert_eq(mkdirat(inside, ".new-0123", 0755), 0);
	cr_assert_eq(mkdirat(inside, ".new-0123/_data", 0755), 0);
	volume_store_close(open_store());
	cr_assert_eq(fs_list(scratch, "volumes", &found, &err), 0);
	cr_expect(!strv_contains(found, ".new-0123"));
}

/* scratch/source, with one of everything. */
static int make_source(void)
{
	_cleanup_close_ int scratch = scratch_open(), file = -EBADF;
	struct timespec times[2] = {{1000, 0}, {1000, 0}};
	struct error err = ERROR_INIT;
	int dir = fs_mkdir_open(scratch, "source", 0755, &err);

	cr_assert_eq(mkdirat(dir, "sub", 0755), 0);
	file = openat(dir, "sub/file", O_WRONLY | O_CREAT, 0600);
	cr_assert_eq(fd_write_all(file, "content", 7), 0);
	cr_assert_eq(fchown(file, 5, 6), 0);
	cr_assert_eq(fchmod(file, 04750), 0);
	cr_assert_eq(fsetxattr(file, "user.note", "hi", 2, 0), 0);
	cr_assert_eq(futimens(file, times), 0);
	cr_assert_eq(linkat(dir, "sub/file", dir, "zlink", 0), 0);
	cr_assert_eq(symlinkat("/etc/passwd", dir, "sym"), 0);
	cr_assert_eq(mknodat(dir, "fifo", S_IFIFO | 0640, 0), 0);
	cr_assert_eq(mknodat(dir, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	close(file);
	file = openat(dir, "sparse", O_WRONLY | O_CREAT, 0644);
	cr_assert_eq(pwrite(file, "end", 3, 8 << 20), 3);
	cr_assert_eq(fchown(dir, 70, 71), 0);
	cr_assert_eq(fchmod(dir, 01770), 0);
	cr_assert_eq(fchownat(dir, "sub", 8, 9, 0), 0);
	cr_assert_eq(utimensat(dir, "sub", times, 0), 0);
	return dir;
}

static void expect_copy(int data)
{
	struct stat st, other;
	char text[16] = "";

	cr_assert_eq(fstat(data, &st), 0);
	cr_expect(st.st_uid == 70 && st.st_gid == 71 && (st.st_mode & 07777) == 01770,
		  "the volume's root takes over owner and mode");
	cr_assert_eq(fstatat(data, "sub", &st, 0), 0);
	cr_expect(st.st_uid == 8 && st.st_gid == 9 && st.st_mtime == 1000);
	cr_assert_eq(fstatat(data, "sub/file", &st, 0), 0);
	cr_expect(st.st_uid == 5 && st.st_gid == 6 && (st.st_mode & 07777) == 04750);
	cr_expect(st.st_mtime == 1000 && st.st_size == 7);
	cr_assert_eq(fstatat(data, "zlink", &other, 0), 0);
	cr_expect_eq(other.st_ino, st.st_ino, "hard links stay linked");
	_cleanup_close_ int file = openat(data, "sub/file", O_RDONLY);
	cr_expect_eq(read(file, text, sizeof(text)), 7);
	cr_expect_str_eq(text, "content");
	cr_expect_eq(fgetxattr(file, "user.note", text, sizeof(text)), 2);
	cr_expect_eq(readlinkat(data, "sym", text, sizeof(text)), 11);
	cr_assert_eq(fstatat(data, "fifo", &st, 0), 0);
	cr_expect(S_ISFIFO(st.st_mode) && (st.st_mode & 07777) == 0640);
	cr_assert_eq(fstatat(data, "null", &st, 0), 0);
	cr_expect(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
	cr_assert_eq(fstatat(data, "sparse", &st, 0), 0);
	cr_expect(st.st_size == (8 << 20) + 3 && st.st_blocks < 100, "holes stay holes");
}

Test(volume, filled_once_from_the_image, .fini = scratch_remove)
{
	struct volume_options options = {0};
	struct error err = ERROR_INIT;
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("owners and devices take root");
	struct volume_store *store = open_store();
	_cleanup_close_ int source = make_source(), data = -EBADF;
	_cleanup_free_ char *path = str_printf("%s/volumes/vol/_data", scratch_path());

	cr_assert_eq(volume_create(store, "vol", &options, &err), 0);
	cr_expect(volume_wants_populating(store, "vol"));
	cr_assert_eq(volume_populate(store, "vol", source, &err), 0, "%s", err.message);
	data = open(path, O_RDONLY | O_DIRECTORY);
	expect_copy(data);
	cr_expect(!volume_wants_populating(store, "vol"));

	/* Emptied by its user: that is what they want, and it is not filled again. */
	cr_assert_eq(fs_remove_tree(data, "sub", &err), 0);
	cr_assert_eq(volume_populate(store, "vol", source, &err), 0);
	cr_expect_lt(fstatat(data, "sub", &st, 0), 0);

	/* Something was in it before: left alone. */
	cr_assert_eq(volume_create(store, "used", &options, &err), 0);
	free(path);
	path = str_printf("%s/volumes/used/_data/x", scratch_path());
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect(!volume_wants_populating(store, "used"));
	cr_assert_eq(volume_populate(store, "used", source, &err), 0);
	free(path);
	path = str_printf("%s/volumes/used/_data/sub", scratch_path());
	cr_expect_lt(stat(path, &st), 0);
	cr_expect_eq(volume_populate(store, "none", source, &err), -ENOENT);
	volume_store_close(store);
}

/* A copy that was cut short starts over: no container has seen the volume yet. */
Test(volume, a_copy_cut_short_starts_over, .fini = scratch_remove)
{
	struct volume_options options = {0};
	struct error err = ERROR_INIT;
	struct stat st;

	if (geteuid() != 0)
		cr_skip_test("owners and devices take root");
	struct volume_store *store = open_store();
	_cleanup_close_ int source = make_source(), volume = -EBADF;
	_cleanup_free_ char *path = str_printf("%s/volumes/vol", scratch_path());
	static const char record[] = "{\"driver\":\"local\",\"filled\":\"begun\"}";

	cr_assert_eq(volume_create(store, "vol", &options, &err), 0);
	volume = open(path, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(fs_replace(volume, "volume.json", record, strlen(record), FS_ATOMIC, &err), 0);
	cr_assert_eq(mkdirat(volume, "_data/partial", 0755), 0);
	cr_expect(volume_wants_populating(store, "vol"));
	cr_assert_eq(volume_populate(store, "vol", source, &err), 0, "%s", err.message);
	cr_expect_lt(fstatat(volume, "_data/partial", &st, 0), 0);
	cr_expect_eq(fstatat(volume, "_data/sub/file", &st, 0), 0);
	volume_store_close(store);
}
