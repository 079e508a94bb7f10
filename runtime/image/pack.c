// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/map.h"
#include "common/overlay.h"
#include "common/process.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/archive.h"
#include "runtime/image/layer.h"

#define DEPTH_MAX  256
#define COPY_SIZE  (1 << 20)
#define XATTR_ROOM (64 << 10)

struct pack {
	struct tar_writer writer;
	struct map links; /* "dev:ino" to the first name */
	char *buffer;
	dev_t device;
	const char *prefix; /* "folder/", or "" */
	/* of a layer */
	bool layer;
	struct sealing *sealing; /* NULL: it was sealed before */
	uint64_t tree_bytes, entries;
};

struct sealing {
	int below;
	int64_t latest_nsec;
};

/* The attributes that layer_unpack() takes; more would only be dropped there. */
static bool xattr_wanted(const char *name)
{
	return strcmp(name, "security.capability") == 0 ||
	       (str_starts_with(name, "user.") && !str_starts_with(name, "user.overlay."));
}

static void add_xattrs(struct pack *pack, int fd)
{
	char path[FD_PATH_MAX], *names = pack->buffer, *value = pack->buffer + XATTR_ROOM;
	ssize_t size;

	fd_path(fd, path);
	size = listxattr(path, names, XATTR_ROOM);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n;

		if (!xattr_wanted(names + at))
			continue;
		n = getxattr(path, names + at, value, XATTR_ROOM);
		if (n >= 0)
			pack->writer.lib->archive_entry_xattr_add_entry(
				pack->writer.entry, names + at, value, (size_t)n);
	}
}

/* The parts of a sparse file that are data; one that is all data gets none. */
static void add_sparse(struct pack *pack, int fd, const struct stat *st)
{
	off_t at = 0, end = st->st_size;

	if (st->st_blocks * 512 >= st->st_size)
		return;
	while (at < end) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);

		if (data < 0 || hole < 0)
			break;
		pack->writer.lib->archive_entry_sparse_add_entry(pack->writer.entry, data,
								 hole - data);
		at = hole;
	}
	if (at == 0) /* nothing but a hole */
		pack->writer.lib->archive_entry_sparse_add_entry(pack->writer.entry, 0, 0);
}

static int write_content(struct pack *pack, int fd, uint64_t size, struct error *err)
{
	uint64_t done = 0;

	while (done < size) {
		uint64_t want = size - done < COPY_SIZE ? size - done : COPY_SIZE;
		ssize_t n = pread(fd, pack->buffer, want, (off_t)done);

		if (n <= 0)
			return n < 0 ? error_errno(err, "read it")
				     : error_set(err, EIO, "it became shorter meanwhile");
		if (pack->writer.lib->archive_write_data(pack->writer.archive, pack->buffer,
							 (size_t)n) < 0)
			return tar_writer_fail(&pack->writer, err);
		done += (uint64_t)n;
	}
	return 0;
}

/* What overlayfs says of a directory: 'y', it hides what is below. */
static bool is_opaque(int fd)
{
	char path[FD_PATH_MAX], value = 0;

	return getxattr(fd_path(fd, path), overlay_note(OVERLAY_OPAQUE), &value, 1) == 1 &&
	       value == 'y';
}

/* Overlayfs also marks new directories that hide nothing, and notes where files came from. */
static int seal_object(struct pack *pack, int fd, struct stat *st, const char *name,
		       struct error *err)
{
	static const enum overlay_note notes[] = {OVERLAY_ORIGIN, OVERLAY_IMPURE, OVERLAY_NLINK,
						  OVERLAY_UUID};
	const struct sealing *sealing = pack->sealing;
	bool noted = !S_ISLNK(st->st_mode);
	int64_t nsec = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	char path[FD_PATH_MAX];

	fd_path(fd, path);
	/* Most have none at all: one call instead of four. */
	noted = noted && listxattr(path, NULL, 0) != 0;
	for (size_t i = 0; noted && i < ARRAY_SIZE(notes); i++)
		(void)removexattr(path, overlay_note(notes[i]));
	if (S_ISDIR(st->st_mode) && is_opaque(fd)) {
		_cleanup_close_ int hidden =
			sealing->below < 0
				? -EBADF
				: rootpath_open_raw(sealing->below, name,
						    O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);

		if (hidden < 0)
			(void)removexattr(path, overlay_note(OVERLAY_OPAQUE));
	}
	if (nsec > sealing->latest_nsec) {
		st->st_mtim.tv_sec = sealing->latest_nsec / 1000000000;
		st->st_mtim.tv_nsec = sealing->latest_nsec % 1000000000;
		if (utimensat(fd, "", (struct timespec[2]){{0, UTIME_OMIT}, st->st_mtim},
			      AT_EMPTY_PATH) < 0)
			return error_errno(err, "set its time");
	}
	return 0;
}

/* "a/b" is gone: an empty file "a/.wh.b". */
static int write_mark(struct pack *pack, const char *path, const struct stat *st, struct error *err)
{
	const struct libarchive *lib = pack->writer.lib;

	lib->archive_entry_clear(pack->writer.entry);
	lib->archive_entry_set_pathname(pack->writer.entry, path);
	lib->archive_entry_set_filetype(pack->writer.entry, AE_IFREG);
	lib->archive_entry_set_perm(pack->writer.entry, 0);
	lib->archive_entry_set_size(pack->writer.entry, 0);
	lib->archive_entry_set_mtime(pack->writer.entry, st->st_mtim.tv_sec, 0);
	if (lib->archive_write_header(pack->writer.archive, pack->writer.entry) < ARCHIVE_WARN)
		return tar_writer_fail(&pack->writer, err);
	return 0;
}

static int write_whiteout(struct pack *pack, const char *name, const struct stat *st,
			  struct error *err)
{
	const char *slash = strrchr(name, '/');
	size_t n = slash ? (size_t)(slash + 1 - name) : 0;
	_cleanup_free_ char *path = str_printf("%.*s.wh.%s", (int)n, name, name + n);

	return write_mark(pack, path, st, err);
}

static bool set_earlier_link(struct pack *pack, const struct stat *st, const char *name)
{
	_cleanup_free_ char *key = NULL;
	const char *first;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return false;
	key = str_printf("%llx:%llx", (unsigned long long)st->st_dev,
			 (unsigned long long)st->st_ino);
	first = map_get(&pack->links, key);
	if (!first) {
		map_set(&pack->links, key, alloc_string(name));
		return false;
	}
	pack->writer.lib->archive_entry_set_hardlink(pack->writer.entry, first);
	pack->writer.lib->archive_entry_set_size(pack->writer.entry, 0);
	return true;
}

static int write_header(struct pack *pack, struct error *err)
{
	if (pack->writer.lib->archive_write_header(pack->writer.archive, pack->writer.entry) <
	    ARCHIVE_WARN)
		return tar_writer_fail(&pack->writer, err);
	return 0;
}

static int pack_object(struct pack *pack, int fd, const struct stat *st, const char *name,
		       struct error *err)
{
	const struct libarchive *lib = pack->writer.lib;
	_cleanup_close_ int data = -EBADF;
	char target[PATH_MAX + 1], path[FD_PATH_MAX];
	ssize_t n;
	int r;

	lib->archive_entry_clear(pack->writer.entry);
	if (pack->layer) {
		/* Only what a layer is made of: the same tree gives the same bytes for ever. */
		const struct stat kept = {.st_mode = st->st_mode,
					  .st_uid = st->st_uid,
					  .st_gid = st->st_gid,
					  .st_size = st->st_size,
					  .st_rdev = st->st_rdev,
					  .st_mtim = st->st_mtim};

		lib->archive_entry_copy_stat(pack->writer.entry, &kept);
	} else {
		lib->archive_entry_copy_stat(pack->writer.entry, st);
	}
	lib->archive_entry_set_pathname(pack->writer.entry, name);
	if (!S_ISREG(st->st_mode))
		lib->archive_entry_set_size(pack->writer.entry, 0);
	if (set_earlier_link(pack, st, name))
		return write_header(pack, err);
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(fd, "", target, sizeof(target) - 1);
		if (n < 0)
			return error_errno(err, "read the link");
		target[n] = '\0';
		lib->archive_entry_set_symlink(pack->writer.entry, target);
		return write_header(pack, err);
	}
	add_xattrs(pack, fd);
	if (!S_ISREG(st->st_mode))
		return write_header(pack, err);
	data = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC);
	if (data < 0)
		return error_errno(err, "open it");
	add_sparse(pack, data, st);
	r = write_header(pack, err);
	return r < 0 ? r : write_content(pack, data, (uint64_t)st->st_size, err);
}

static int pack_tree(struct pack *pack, int dir, const char *prefix, int depth, struct error *err);

static int pack_name(struct pack *pack, int dir, const char *prefix, const char *name, int depth,
		     struct error *err)
{
	_cleanup_free_ char *path = str_printf("%s%s", prefix, name), *below = NULL;
	_cleanup_close_ int fd = -EBADF, inside = -EBADF;
	struct stat st;
	int r;

	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "'%.200s'", path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	pack->entries++;
	pack->tree_bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	if (pack->sealing && seal_object(pack, fd, &st, path, err) < 0)
		return error_wrap(err, "'%.200s'", path);
	if (pack->layer && S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return write_whiteout(pack, path, &st, err);
	/* As with `tar --one-file-system`: what is mounted there is not of the image. */
	if (S_ISDIR(st.st_mode) && st.st_dev != pack->device) {
		r = pack_object(pack, fd, &st, path, err);
		return r < 0 ? error_wrap(err, "'%.200s'", path) : 0;
	}
	r = pack_object(pack, fd, &st, path, err);
	if (r < 0)
		return error_wrap(err, "'%.200s'", path);
	if (!S_ISDIR(st.st_mode))
		return 0;
	inside = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (inside < 0)
		return error_errno(err, "'%.200s'", path);
	below = str_printf("%s/", path);
	if (pack->layer && is_opaque(fd)) {
		_cleanup_free_ char *mark = str_printf("%s.wh..wh..opq", below);

		r = write_mark(pack, mark, &st, err);
		if (r < 0)
			return r;
	}
	return pack_tree(pack, inside, below, depth + 1, err);
}

static int pack_tree(struct pack *pack, int dir, const char *prefix, int depth, struct error *err)
{
	_cleanup_strv_ char **names = NULL;
	int r;

	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "'%.200s': more than %d directories deep", prefix,
				 DEPTH_MAX);
	/* In order, so that the same tree gives the same image. */
	r = fs_list(dir, ".", &names, err);
	if (r < 0)
		return r;
	strv_foreach(name, names) {
		r = pack_name(pack, dir, prefix, name, depth, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int pack_into(struct pack *pack, int dir, int out, struct sha256 *sha, struct error *err)
{
	struct stat st;
	int r;

	if (fstat(dir, &st) < 0)
		return error_errno(err, "the directory");
	r = tar_writer_open(&pack->writer, out, err);
	if (r < 0)
		return r;
	pack->writer.sha = sha;
	if (*pack->prefix)
		pack->writer.lib->archive_write_set_bytes_in_last_block(pack->writer.archive, 1);
	pack->device = st.st_dev;
	pack->buffer = alloc(COPY_SIZE);
	/* A layer says nothing of the root: the one below does, or the runtime's default. */
	r = pack->layer ? 0 : pack_object(pack, dir, &st, *pack->prefix ? pack->prefix : "./", err);
	if (r == 0)
		r = pack_tree(pack, dir, pack->prefix, 0, err);
	if (r == 0)
		r = tar_writer_close(&pack->writer, err);
	tar_writer_done(&pack->writer);
	map_done(&pack->links, free);
	free(pack->buffer);
	return r;
}

static int pack_all(int dir, const char *prefix, int out, struct error *err)
{
	_cleanup_free_ char *folder = prefix ? str_printf("%s/", prefix) : alloc_string("");
	struct pack pack = {.prefix = folder};

	return pack_into(&pack, dir, out, NULL, err);
}

static int pack_layer(int dir, int blob_fd, struct sealing *sealing, struct layer_result *ret,
		      struct error *err)
{
	struct pack pack = {.prefix = "", .layer = true, .sealing = sealing};
	struct sha256 sha;
	int r;

	*ret = (struct layer_result){0};
	sha256_init(&sha);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	r = pack_into(&pack, dir, blob_fd, &sha, err);
	if (r < 0)
		return r;
	sha256_hex(&sha, ret->diff_hex);
	ret->archive_bytes = pack.writer.bytes;
	ret->tree_bytes = pack.tree_bytes;
	ret->entries = pack.entries;
	return 0;
}

int layer_seal(int dir, int below, int64_t latest_nsec, int blob_fd, struct layer_result *ret,
	       bool *ret_changed, struct error *err)
{
	struct sealing sealing = {below, latest_nsec};
	char path[FD_PATH_MAX];
	int r = pack_layer(dir, blob_fd, &sealing, ret, err);

	if (r < 0)
		return r;
	fd_path(dir, path);
	(void)removexattr(path, overlay_note(OVERLAY_ORIGIN));
	(void)removexattr(path, overlay_note(OVERLAY_IMPURE));
	(void)removexattr(path, overlay_note(OVERLAY_OPAQUE));
	*ret_changed = ret->entries > 0;
	return 0;
}

int layer_repack(int dir, int blob_fd, struct layer_result *ret, struct error *err)
{
	return pack_layer(dir, blob_fd, NULL, ret, err);
}

static void pack_child(int dir, const char *prefix, int out, int error_out)
{
	struct error err = ERROR_INIT;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-pack");
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	pack_all(dir, prefix, out, &err);
	(void)fd_write_all(error_out, &err, sizeof(err));
	_exit(err.code ? 1 : 0);
}

int layer_pack_start(struct layer_pack *ret, int dir, const char *prefix, struct error *err)
{
	int data[2], errors[2];

	if (!libarchive_load(err))
		return -err->code;
	if (pipe2(data, O_CLOEXEC) < 0)
		return error_errno(err, "pack");
	if (pipe2(errors, O_CLOEXEC) < 0) {
		close(data[0]);
		close(data[1]);
		return error_errno(err, "pack");
	}
	(void)fcntl(data[0], F_SETPIPE_SZ, COPY_SIZE);
	ret->pid = fork();
	if (ret->pid == 0) {
		close(data[0]);
		pack_child(dir, prefix, data[1], errors[1]);
	}
	close(data[1]);
	close(errors[1]);
	ret->fd = data[0];
	ret->error_fd = errors[0];
	if (ret->pid >= 0)
		return 0;
	error_errno(err, "start a process to pack");
	close(ret->fd);
	close(ret->error_fd);
	return -err->code;
}

int layer_pack_end(struct layer_pack *pack, struct error *err)
{
	struct error failure = ERROR_INIT;
	ssize_t n;

	/* Nobody reads any more: a packer that is not done yet ends by that. */
	close(pack->fd);
	n = fd_read_full(pack->error_fd, &failure, sizeof(failure));
	close(pack->error_fd);
	while (waitpid(pack->pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(failure))
		return error_set(err, EIO, "packing ended before its time");
	if (!failure.code)
		return 0;
	*err = failure;
	return -err->code;
}

static int copy(int from, int to, struct error *err)
{
	_cleanup_free_ char *buffer = alloc(COPY_SIZE);
	ssize_t n;

	while ((n = read(from, buffer, COPY_SIZE)) > 0) {
		int r = fd_write_all(to, buffer, (size_t)n);

		if (r < 0)
			return error_code(err, r, "write the archive");
	}
	return n < 0 ? error_errno(err, "read the archive") : 0;
}

int layer_pack_write(int root, const char *prefix, int out, struct error *err)
{
	_cleanup_close_ int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error packing = ERROR_INIT;
	struct layer_pack pack;
	int r;

	if (dir < 0)
		return error_errno(err, "open the tree");
	if (layer_pack_start(&pack, dir, prefix, err) < 0)
		return -err->code;
	r = copy(pack.fd, out, err);
	/* What kept the packer from going on says more than its early end. */
	if (layer_pack_end(&pack, &packing) < 0 && r >= 0) {
		*err = packing;
		r = -err->code;
	}
	return r;
}
