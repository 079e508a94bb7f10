// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/sha256.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/image/image.h"

#include "tarball.h"
#include "tests/support/namespaces.h"
#include "tests/support/scratch.h"

#define ROOT_ONLY()                                                               \
	do {                                                                      \
		if (geteuid() != 0)                                               \
			cr_skip_test("images with owners and devices take root"); \
	} while (0)

static struct image_store *open_store(void)
{
	struct image_store *store;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *root = str_printf("%s/root", scratch_path());

	cr_assert_eq(image_store_open(root, &store, &err), 0, "%s", err.message);
	return store;
}

static char *import(struct image_store *store, const char *reference, const char *content)
{
	const char *changes[] = {"CMD [\"sh\"]",
				 "ENV A=b",
				 "EXPOSE 80",
				 "LABEL k=v",
				 "HEALTHCHECK --interval=2s CMD true",
				 "VOLUME /data",
				 NULL};
	struct image_import_options options = {.reference = reference,
					       .changes = (char *const *)changes};
	struct error err = ERROR_INIT;
	char *id = NULL;
	int tar = TARBALL({'5', "bin/"}, {'0', "bin/sh", content, .mode = 0755});

	cr_assert_eq(image_import(store, tar, &options, &id, &err), 0, "%s", err.message);
	close(tar);
	return id;
}

static size_t entries_in(const char *folder)
{
	_cleanup_close_ int scratch = scratch_open();
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	cr_assert_eq(fs_list(scratch, folder, &names, &err), 0, "%s", err.message);
	return strv_length(names);
}

static void expect_found(struct image_store *store, const char *name, const char *id)
{
	struct error err = ERROR_INIT;
	struct image *image;
	int r = image_find(store, name, &image, &err);

	if (!id) {
		cr_expect_eq(r, -ENOENT, "%s: %d %s", name, r, err.message);
		return;
	}
	cr_assert_eq(r, 0, "%s: %s", name, err.message);
	cr_expect_str_eq(image->id, id, "%s", name);
	image_free(image);
}

/* @data: their ids, each that of a container that runs, or not when it begins with '-'. */
static int list_users(void *data, struct image_user **ret, size_t *ret_count, struct error *err)
{
	(void)err;
	strv_foreach(id, (char **)data) {
		struct image_user *user = array_add(*ret, *ret_count);

		user->running = id[0] != '-';
		user->image_id = alloc_string(id + !user->running);
		user->container = alloc_string("web-1");
	}
	return 0;
}

static char *removed(struct image_store *store, const char *name, bool force, char *const *in_use)
{
	const struct image_users users = {.list = list_users, .data = (void *)in_use};
	_cleanup_strv_ char **list = NULL;
	struct error err = ERROR_INIT;

	if (image_remove(store, name, force, &users, &list, &err) < 0)
		return str_printf("%d %s", err.code, err.message);
	return strv_join(list, "; ");
}

Test(store, import_and_find, .fini = scratch_remove)
{
	ROOT_ONLY();
	struct image_store *store = open_store();
	_cleanup_free_ char *id = import(store, "me/app:1", "one"), *prefix = NULL, *digest = NULL;
	struct error err = ERROR_INIT;
	struct image *image;
	int *fds;
	size_t count;

	cr_assert_eq(image_find(store, "me/app:1", &image, &err), 0, "%s", err.message);
	cr_expect_str_eq(image->reference, "docker.io/me/app:1");
	cr_expect_str_eq(image->os, "linux");
	cr_expect_str_eq(image->command[0], "sh");
	cr_expect_str_eq(image->env[0], "A=b");
	cr_expect_str_eq(image->exposed_ports[0], "80/tcp");
	cr_expect_str_eq(image->volumes[0], "/data");
	cr_expect_eq(image->healthcheck.interval_usec, 2000000);
	cr_expect_str_eq(image->healthcheck.test[0], "CMD-SHELL");
	cr_expect_str_eq(json_string_value(json_object_get(image->labels, "k")), "v");
	cr_expect_eq(image->size_bytes, 3);
	cr_expect_gt(image->created_nsec, 0);
	cr_assert_eq(image_open_layers(store, image, &fds, &count, &err), 0, "%s", err.message);
	cr_assert_eq(count, 1);
	cr_expect_eq(faccessat(fds[0], "bin/sh", X_OK, 0), 0);
	close(fds[0]);
	free(fds);

	prefix = alloc_string_n(id + 7, 12);
	digest = str_printf("me/app@%s", image->digest);
	expect_found(store, id, id);
	expect_found(store, id + 7, id);
	expect_found(store, prefix, id);
	expect_found(store, "docker.io/me/app:1", id);
	expect_found(store, digest, id);
	expect_found(store, "me/app", NULL);
	expect_found(store, "other", NULL);
	expect_found(store, "0000000000000", NULL);
	cr_expect_lt(image_find(store, "Not Valid", &image, &err), 0);
	image_free(image);
	image_store_close(store);
}

Test(store, tag_list_remove, .fini = scratch_remove)
{
	ROOT_ONLY();
	struct image_store *store = open_store(), *other = open_store();
	_cleanup_free_ char *one = import(store, "app:1", "one"), *two = NULL;
	_cleanup_free_ char *text = NULL, *expect = NULL;
	struct error err = ERROR_INIT;
	struct image **list;
	size_t count;

	/* The same files, another config: the layer is shared. */
	two = import(other, "app:2", "one");
	cr_expect_eq(entries_in("root/layers"), 2, "one layer and its record");
	cr_assert_eq(image_tag(store, "app:1", "more", &err), 0, "%s", err.message);
	expect_found(other, "more:latest", one);
	cr_assert_eq(image_list(store, &list, &count, &err), 0, "%s", err.message);
	cr_expect_eq(count, 3);
	for (size_t i = 0; i < count; i++)
		image_free(list[i]);
	free(list);

	text = removed(store, one, false, NULL);
	cr_expect(str_starts_with(text, "16 conflict: unable to delete "), "%s", text);
	free(text);
	text = removed(store, "more", false, (char *const[]){one, NULL});
	cr_expect_str_eq(text, "Untagged: more:latest", "a name of several may go: %s", text);
	free(text);
	text = removed(store, "app:1", false, (char *const[]){one, NULL});
	cr_expect(strstr(text, "reference \"app:1\" (must force) - container web-1 is using"), "%s",
		  text);
	free(text);
	text = removed(store, "app:1", true, (char *const[]){one, NULL});
	cr_expect_str_eq(text, "Untagged: app:1", "%s", text);
	expect_found(store, one, one);
	free(text);
	text = removed(store, one, true, (char *const[]){one, NULL});
	cr_expect(strstr(text, "(cannot be forced) - image is being used by running"), "%s", text);
	free(text);
	text = removed(store, one, false, NULL);
	expect = str_printf("Deleted: %s", one);
	cr_expect_str_eq(text, expect);
	expect_found(other, one, NULL);
	cr_expect_eq(entries_in("root/layers"), 2, "the other image needs it still");
	free(text);
	text = removed(other, "app:2", false, NULL);
	cr_expect(strstr(text, two));
	cr_expect_eq(entries_in("root/layers"), 0);
	cr_expect_eq(entries_in("root/images/blobs/sha256"), 0);
	image_store_close(store);
	image_store_close(other);
}

Test(store, a_name_that_moves_leaves_the_image, .fini = scratch_remove)
{
	ROOT_ONLY();
	struct image_store *store = open_store();
	_cleanup_free_ char *one = import(store, "app", "one"), *two = import(store, "app", "two");
	struct error err = ERROR_INIT;
	struct image **list;
	size_t count, unnamed = 0;

	expect_found(store, "app", two);
	expect_found(store, one, one);
	cr_assert_eq(image_list(store, &list, &count, &err), 0);
	cr_expect_eq(count, 2);
	for (size_t i = 0; i < count; i++) {
		unnamed += !list[i]->reference;
		image_free(list[i]);
	}
	free(list);
	cr_expect_eq(unnamed, 1);
	image_store_close(store);
}

Test(store, several_processes_at_once, .fini = scratch_remove, .timeout = 60)
{
	enum { PROCESSES = 6, EACH = 4 };

	ROOT_ONLY();
	image_store_close(open_store()); /* the scratch directory is one for all */
	for (int p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < EACH; i++) {
			struct image_store *store = open_store();
			_cleanup_free_ char *name = str_printf("app-%d:%d", p, i);
			_cleanup_free_ char *content = str_printf("%d", i), *text = NULL;

			free(import(store, name, content));
			if (i == 0)
				text = removed(store, name, false, NULL);
			image_store_close(store);
		}
		_exit(0);
	}
	for (int p = 0, status; p < PROCESSES; p++) {
		cr_assert_gt(wait(&status), 0);
		cr_expect_eq(status, 0);
	}
	struct image_store *store = open_store();
	struct error err = ERROR_INIT;
	struct image **list;
	size_t count, layers;
	int *fds;

	cr_assert_eq(image_list(store, &list, &count, &err), 0);
	cr_expect_eq(count, PROCESSES * (EACH - 1), "%zu images", count);
	for (size_t i = 0; i < count; i++) {
		cr_assert_eq(image_open_layers(store, list[i], &fds, &layers, &err), 0, "%s",
			     err.message);
		close(fds[0]);
		free(fds);
		image_free(list[i]);
	}
	free(list);
	image_store_close(store);
}

/* An import whose input never ends, killed; then whoever opens the store next cleans up. */
Test(store, killed_import_leaves_nothing, .fini = scratch_remove, .timeout = 60)
{
	const struct tar_row row = {'0', "file", "content"};
	int pipes[2], status;
	pid_t pid;

	ROOT_ONLY();
	image_store_close(open_store());
	cr_assert_eq(pipe2(pipes, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		struct image_import_options options = {0};
		struct error err = ERROR_INIT;
		char *id;

		close(pipes[1]);
		image_import(open_store(), pipes[0], &options, &id, &err);
		_exit(1);
	}
	close(pipes[0]);
	for (int i = 0; i < 2000; i++)
		tarball_add(pipes[1], &row);
	cr_assert_eq(entries_in("root/layers"), 1);
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	image_store_close(open_store());
	cr_expect_eq(entries_in("root/layers"), 0);
	cr_expect_eq(entries_in("root/images/blobs/sha256"), 0);
	close(pipes[1]);
}

static int full_disk(void *data)
{
	enum { CONTENT = 6 << 20 };

	_cleanup_free_ char *root = str_printf("%s/full", scratch_path());
	_cleanup_free_ char *content = alloc_zero(1, CONTENT + 1);
	struct image_import_options options = {.reference = "big"};
	struct error err = ERROR_INIT;
	struct image_store *store;
	_cleanup_strv_ char **names = NULL;
	_cleanup_close_ int tar = -EBADF, layers = -EBADF;
	char *id = NULL;
	int r;

	memset(content, 'x', CONTENT);
	tar = TARBALL({'0', "file", content});
	if (mkdir(root, 0700) < 0 || mount("none", root, "tmpfs", 0, "size=8m") < 0)
		return 1;
	if (image_store_open(root, &store, &err) < 0)
		return 2;
	r = image_import(store, tar, &options, &id, &err);
	if (r != -ENOSPC || !strstr(err.message, "entry 'file'")) {
		fprintf(stderr, "%d %s\n", r, err.message);
		return 3;
	}
	free(root);
	root = str_printf("%s/full/layers", scratch_path());
	layers = open(root, O_RDONLY | O_DIRECTORY);
	if (fs_list(layers, ".", &names, &err) < 0 || strv_length(names))
		return 4;
	image_store_close(store);
	return 0;
}

Test(store, full_disk_leaves_nothing, .fini = scratch_remove)
{
	ROOT_ONLY();
	(void)scratch_path();
	cr_expect_eq(in_namespaces(CLONE_NEWNS, full_disk, NULL), 0);
}

static int run(const char *const *argv);

static void expect_compressed(struct image_store *store, const char *program)
{
	_cleanup_close_ int scratch = scratch_open(), tar = -EBADF, fd = -EBADF;
	_cleanup_free_ char *plain = str_printf("%s/x.tar", scratch_path());
	_cleanup_free_ char *packed = str_printf("%s/x.packed", scratch_path()), *id = NULL;
	_cleanup_free_ char *command = str_printf("%s <%s >%s", program, plain, packed);
	struct image_import_options options = {0};
	struct error err = ERROR_INIT;
	struct image *image;
	char buffer[8192];
	ssize_t n;

	tar = TARBALL({'0', "file", "content"});
	fd = openat(scratch, "x.tar", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	while ((n = read(tar, buffer, sizeof(buffer))) > 0)
		cr_assert_eq(write(fd, buffer, (size_t)n), n);
	if (run((const char *const[]){"sh", "-c", command, NULL}) != 0)
		return; /* this program is not installed */
	close(fd);
	fd = openat(scratch, "x.packed", O_RDONLY);
	cr_assert_eq(image_import(store, fd, &options, &id, &err), 0, "%s: %s", program,
		     err.message);
	cr_assert_eq(image_find(store, id, &image, &err), 0);
	cr_expect_null(image->reference);
	cr_expect_eq(image->size_bytes, 7, "%s", program);
	image_free(image);
}

Test(store, any_compression, .fini = scratch_remove)
{
	static const char *const programs[] = {"cat",   "gzip -c", "bzip2 -c",
					       "xz -c", "lzma -c", "zstd -c"};

	ROOT_ONLY();
	struct image_store *store = open_store();

	array_foreach(program, programs)
		expect_compressed(store, *program);
	cr_expect_eq(entries_in("root/layers"), 2, "the same layer, however it came");
	image_store_close(store);
}

static int make_tree(void)
{
	static const char *const odd[] = {
		"\303\274mlaut", "\377\376latin", "with space", "-dash",
		"a-name-that-is-longer-than-the-hundred-bytes-that-the-"
		"header-of-an-old-tar-has-for-it-and-so-needs-another-one"};
	_cleanup_close_ int scratch = scratch_open(), file = -EBADF;
	struct error err = ERROR_INIT;
	int dir = fs_mkdir_open(scratch, "tree", 0750, &err);

	array_foreach(name, odd)
		cr_assert_eq(mkdirat(dir, *name, 0700), 0);
	file = openat(dir, "sparse", O_WRONLY | O_CREAT, 0640);
	cr_assert_eq(pwrite(file, "end", 3, 50 << 20), 3);
	cr_assert_eq(linkat(dir, "sparse", dir, "twin", 0), 0);
	cr_assert_eq(symlinkat("/etc/passwd", dir, "link"), 0);
	return dir;
}

/* Names, links and holes come out as they went in. */
Test(store, a_folder_is_imported, .fini = scratch_remove)
{
	struct image_import_options options = {.reference = "folder"};
	_cleanup_close_ int dir = -EBADF, layer = -EBADF;
	_cleanup_strv_ char **before = NULL, **after = NULL;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *id = NULL;
	struct stat st, other;
	struct image *image;
	size_t count;
	int *fds;

	ROOT_ONLY();
	struct image_store *store = open_store();
	dir = make_tree();
	cr_assert_eq(image_import(store, dir, &options, &id, &err), 0, "%s", err.message);
	cr_assert_eq(image_find(store, "folder", &image, &err), 0);
	cr_assert_eq(image_open_layers(store, image, &fds, &count, &err), 0);
	layer = fds[0];
	cr_assert_eq(fs_list(dir, ".", &before, &err), 0);
	cr_assert_eq(fs_list(layer, ".", &after, &err), 0);
	cr_expect(strv_equal(before, after));
	cr_assert_eq(fstatat(layer, "sparse", &st, 0), 0);
	cr_assert_eq(fstatat(layer, "twin", &other, 0), 0);
	cr_expect(st.st_size == (50 << 20) + 3 && st.st_blocks < 100);
	cr_expect(st.st_ino == other.st_ino);
	cr_assert_eq(fstatat(layer, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
	cr_expect(S_ISLNK(st.st_mode));
	free(fds);
	image_free(image);
	image_store_close(store);
}

/* Whenever the process dies, what the store then names is whole. */
Test(store, killed_at_any_moment, .fini = scratch_remove, .timeout = 120)
{
	enum { ROUNDS = 40 };
	struct error err = ERROR_INIT;

	ROOT_ONLY();
	image_store_close(open_store());
	for (int round = 0, status; round < ROUNDS; round++) {
		struct image_store *store;
		struct image **list;
		size_t count, layers;
		pid_t pid = fork();
		int *fds;

		if (pid == 0) {
			for (int i = 0;; i++) {
				_cleanup_free_ char *content = str_printf("%d-%d", round, i);

				store = open_store();
				free(import(store, "app", content));
				free(removed(store, "app", false, NULL));
				free(import(store, "app", content));
				image_store_close(store);
			}
		}
		usleep((useconds_t)(1000 + 1700 * (round % 20)));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		store = open_store();
		cr_assert_eq(image_list(store, &list, &count, &err), 0, "%s", err.message);
		for (size_t i = 0; i < count; i++) {
			cr_assert_eq(image_open_layers(store, list[i], &fds, &layers, &err), 0,
				     "%s", err.message);
			cr_expect_eq(faccessat(fds[0], "bin/sh", X_OK, 0), 0);
			close(fds[0]);
			free(fds);
			image_free(list[i]);
		}
		free(list);
		image_store_close(store);
	}
}

static int look_at_overlay(void)
{
	if (access("/mnt/keep", F_OK) < 0 || access("/mnt/new", F_OK) < 0)
		return 12;
	if (access("/mnt/gone", F_OK) == 0 || access("/mnt/dir/old", F_OK) == 0)
		return 13;
	return access("/mnt/dir/fresh", F_OK) < 0 ? 14 : 0;
}

static int overlay(void *data)
{
	struct image_store *store = open_store();
	_cleanup_strbuf_ struct strbuf lower = {0};
	struct error err = ERROR_INIT;
	struct image *image;
	size_t count;
	int *fds, r;

	if (image_find(store, "two", &image, &err) < 0 ||
	    image_open_layers(store, image, &fds, &count, &err) < 0 || count != 2)
		return 10;
	strbuf_add(&lower, "lowerdir=");
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&lower, "%s/proc/self/fd/%d", i ? ":" : "", fds[i]);
	r = mount("o", "/mnt", "overlay", 0, lower.data) < 0 ? 11 : look_at_overlay();
	free(fds);
	image_free(image);
	image_store_close(store);
	return r;
}

static int add_file(int dir, const char *name, int content)
{
	_cleanup_close_ int to = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	char buffer[4096];
	ssize_t n;

	lseek(content, 0, SEEK_SET);
	while ((n = read(content, buffer, sizeof(buffer))) > 0)
		if (fd_write_all(to, buffer, (size_t)n) < 0)
			return -1;
	return 0;
}

static char *hash_of(int fd)
{
	static char hex[SHA256_HEX_SIZE];
	char buffer[65536];
	ssize_t n = pread(fd, buffer, sizeof(buffer), 0);

	sha256_of(buffer, (size_t)n, hex);
	return hex;
}

/* A folder as `docker save` of old wrote them, unpacked: layer directories, a link among them. */
static int two_layers(int base, int upper, bool wrong)
{
	_cleanup_close_ int scratch = scratch_open(), a = -EBADF, b = -EBADF;
	_cleanup_free_ char *config = NULL, *manifest = NULL, *name = NULL;
	struct error err = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];
	int dir;

	fs_remove_tree(scratch, "archive", &err);
	dir = fs_mkdir_open(scratch, "archive", 0755, &err);
	a = fs_mkdir_open(dir, "a", 0755, &err);
	b = fs_mkdir_open(dir, "b", 0755, &err);
	add_file(a, "layer.tar", base);
	add_file(b, "real.tar", upper);
	cr_assert_eq(symlinkat("real.tar", b, "layer.tar"), 0);
	name = alloc_string(hash_of(base));
	config =
		str_printf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{"
			   "\"type\":\"layers\",\"diff_ids\":[\"sha256:%s\",\"sha256:%s\"]}}",
			   name, wrong ? name : hash_of(upper));
	sha256_of(config, strlen(config), hex);
	free(name);
	name = str_printf("%s.json", hex);
	manifest = str_printf("[{\"Config\":\"%s\",\"RepoTags\":[\"two:latest\"],\"Layers\":["
			      "\"a/layer.tar\",\"b/layer.tar\"]}]",
			      name);
	cr_assert_eq(fs_replace(dir, name, config, strlen(config), FS_ATOMIC, &err), 0);
	cr_assert_eq(fs_replace(dir, "manifest.json", manifest, strlen(manifest), FS_ATOMIC, &err),
		     0);
	return dir;
}

Test(store, docker_archive_folder_and_overlay, .fini = scratch_remove)
{
	ROOT_ONLY();
	_cleanup_close_ int base = TARBALL({'0', "keep", "k"}, {'0', "gone", "g"}, {'5', "dir"},
					   {'0', "dir/old", "o"});
	_cleanup_close_ int upper = TARBALL({'0', ".wh.gone", ""}, {'0', "new", "n"}, {'5', "dir"},
					    {'0', "dir/.wh..wh..opq", ""}, {'0', "dir/fresh", "f"});
	_cleanup_close_ int wrong = two_layers(base, upper, true), right = -EBADF;
	struct image_store *store = open_store();
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	cr_expect_eq(image_load(store, wrong, NULL, &names, &err), -EBADMSG);
	cr_expect(str_starts_with(err.message, "layer b/layer.tar: its content is sha256:"), "%s",
		  err.message);
	cr_expect_eq(entries_in("root/layers"), 0);
	error_clear(&err);
	right = two_layers(base, upper, false);
	cr_assert_eq(image_load(store, right, NULL, &names, &err), 0, "%s", err.message);
	cr_expect_str_eq(names[0], "two:latest");
	cr_expect_eq(in_namespaces(CLONE_NEWNS, overlay, NULL), 0);
	image_store_close(store);
}

static int run(const char *const *argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), 1);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int skopeo(const char *from, const char *to)
{
	_cleanup_free_ char *temporary = str_printf("--tmpdir=%s", scratch_path());

	return run((const char *const[]){"skopeo", "--insecure-policy", temporary, "copy", from, to,
					 NULL});
}

static void save(struct image_store *store, char *const *names, enum image_save_format format,
		 const char *file)
{
	_cleanup_close_ int scratch = scratch_open();
	_cleanup_close_ int fd = openat(scratch, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	struct error err = ERROR_INIT;

	cr_assert_eq(image_save(store, names, format, NULL, fd, &err), 0, "%s", err.message);
}

/* Into a store of its own; the id of what is named @name there afterwards. */
static char *load_elsewhere(const char *file, const char *name, const char *expect_loaded)
{
	static int number;
	_cleanup_close_ int scratch = scratch_open();
	_cleanup_close_ int fd = openat(scratch, file, O_RDONLY);
	_cleanup_free_ char *root = str_printf("%s/else-%d", scratch_path(), number++);
	_cleanup_strv_ char **names = NULL;
	_cleanup_free_ char *loaded = NULL;
	struct error err = ERROR_INIT;
	struct image_store *store;
	struct image *image;
	char *id;

	cr_assert_eq(image_store_open(root, &store, &err), 0);
	cr_assert_eq(image_load(store, fd, NULL, &names, &err), 0, "%s: %s", file, err.message);
	loaded = strv_join(names, " ");
	cr_expect_str_eq(loaded, expect_loaded, "%s: %s", file, loaded);
	cr_assert_eq(image_find(store, name, &image, &err), 0, "%s: %s", file, err.message);
	id = alloc_string(image->id);
	image_free(image);
	image_store_close(store);
	return id;
}

Test(store, save_and_load, .fini = scratch_remove, .timeout = 120)
{
	ROOT_ONLY();
	struct image_store *store = open_store();
	_cleanup_free_ char *id = import(store, "ghcr.io/a/app:1", "one"), *text = NULL;
	_cleanup_free_ char *other = import(store, "two", "two");
	char *const names[] = {"ghcr.io/a/app:1", "two", NULL};
	struct error err = ERROR_INIT;

	save(store, names, IMAGE_SAVE_DOCKER, "docker.tar");
	save(store, names, IMAGE_SAVE_OCI, "oci.tar");
	text = load_elsewhere("docker.tar", "ghcr.io/a/app:1", "ghcr.io/a/app:1 two:latest");
	cr_expect_str_eq(text, id);
	free(text);
	text = load_elsewhere("oci.tar", "two", "ghcr.io/a/app:1 two:latest");
	cr_expect_str_eq(text, other);
	cr_expect_eq(
		image_save(store, (char *const[]){"none", NULL}, IMAGE_SAVE_OCI, NULL, 1, &err),
		-ENOENT);
	image_store_close(store);
}

Test(store, skopeo_agrees, .fini = scratch_remove, .timeout = 120)
{
	ROOT_ONLY();
	if (run((const char *const[]){"skopeo", "--version", NULL}) != 0)
		cr_skip_test("skopeo is not installed");
	struct image_store *store = open_store();
	_cleanup_free_ char *id = import(store, "app:1", "one"), *text = NULL;
	char *const names[] = {"app:1", NULL};
	_cleanup_free_ char *path = str_printf("%s", scratch_path());
	_cleanup_close_ int scratch = scratch_open(), oci = -EBADF;
	_cleanup_strv_ char **loaded = NULL;
	struct error err = ERROR_INIT;

#define AT(format) str_printf(format, path)
	_cleanup_free_ char *docker = AT("docker-archive:%s/docker.tar"),
			    *oci_tar = AT("oci-archive:%s/oci.tar"), *dir = AT("oci:%s/dir:app:1"),
			    *dir_of_oci = AT("oci:%s/dir2:app:1"),
			    *back = AT("docker-archive:%s/back.tar:app:1"),
			    *store_dir = AT("oci:%s/root/images:docker.io/library/app:1"),
			    *third = AT("oci:%s/dir3");

	save(store, names, IMAGE_SAVE_DOCKER, "docker.tar");
	save(store, names, IMAGE_SAVE_OCI, "oci.tar");
	cr_expect_eq(skopeo(docker, dir), 0, "docker-archive to oci");
	cr_expect_eq(skopeo(oci_tar, dir_of_oci), 0, "oci-archive to oci");
	cr_expect_eq(skopeo(store_dir, third), 0, "the store itself is an OCI layout");
	cr_expect_eq(skopeo(dir_of_oci, back), 0, "oci to docker-archive");
	/* skopeo compresses what it writes into a layout: gzip layers come back to the same image.
	 */
	text = load_elsewhere("back.tar", "app:1", "app:1");
	cr_expect_str_eq(text, id);
	oci = openat(scratch, "dir2", O_RDONLY | O_DIRECTORY);
	free(removed(store, "app:1", false, NULL));
	cr_assert_eq(image_load(store, oci, NULL, &loaded, &err), 0, "%s", err.message);
	cr_expect_str_eq(loaded[0], "app:1");
	expect_found(store, "app:1", id);
	image_store_close(store);
}

/* Compressed layers: kept as they are where OCI knows the compression, stored plain otherwise. */
Test(store, compressed_layers, .fini = scratch_remove, .timeout = 60)
{
	static const char *const programs[] = {"gzip -c", "zstd -c", "xz -c"};

	ROOT_ONLY();
	array_foreach(program, programs) {
		_cleanup_close_ int base = TARBALL({'0', "keep", "k"}), archive = -EBADF;
		_cleanup_close_ int upper = TARBALL({'0', "new", *program});
		_cleanup_free_ char *command = NULL, *id = NULL;
		_cleanup_strv_ char **names = NULL;
		struct image_store *store = open_store();
		struct error err = ERROR_INIT;

		archive = two_layers(base, upper, false);
		command = str_printf("cd %s/archive/b && %s <real.tar >p && mv p real.tar",
				     scratch_path(), *program);
		if (run((const char *const[]){"sh", "-c", command, NULL}) != 0)
			continue;
		cr_assert_eq(image_load(store, archive, NULL, &names, &err), 0, "%s: %s", *program,
			     err.message);
		save(store, names, IMAGE_SAVE_OCI, "again.tar");
		id = load_elsewhere("again.tar", "two", "two:latest");
		expect_found(store, id, id);
		image_store_close(store);
	}
}
