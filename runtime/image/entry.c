// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/extract.h"

#define XATTR_SIZE_LIMIT (64 << 10) /* the kernel's own */

static mode_t mode_of(struct extract *extract, struct archive_entry *entry)
{
	return extract->lib->archive_entry_perm(entry) & 07777;
}

static void times_of(struct extract *extract, struct archive_entry *entry, struct timespec times[2])
{
	times[0].tv_sec = extract->lib->archive_entry_mtime(entry);
	times[0].tv_nsec = extract->lib->archive_entry_mtime_nsec(entry);
	times[1] = times[0];
}

static int take_space(struct extract *extract, uint64_t size, struct error *err)
{
	uint64_t used = atomic_fetch_add(&extract->usage->bytes, size) + size;

	extract->bytes += size;
	if (used <= extract->limits.bytes)
		return 0;
	return error_set(err, ENOSPC, "the image needs more than the %llu MB that are free",
			 (unsigned long long)(extract->limits.bytes >> 20));
}

/* *ret_end: where the last block ended. */
static int write_blocks(struct extract *extract, int file, int64_t *ret_end, struct error *err)
{
	const char *data;
	int64_t offset;
	size_t size;
	int r;

	while ((r = tar_reader_block(extract->reader, (const void **)&data, &size, &offset, err)) >
	       0) {
		r = take_space(extract, size, err);
		if (r < 0)
			return r;
		while (size > 0) {
			ssize_t n = pwrite(file, data, size, offset);

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return error_errno(err, "write it");
			data += n;
			size -= (size_t)n;
			offset += n;
		}
		*ret_end = offset;
	}
	return r;
}

static bool xattr_wanted(const char *name)
{
	/* Not "trusted." nor overlay's own: an archive must not tell overlayfs where to look. */
	if (str_starts_with(name, "user.overlay."))
		return false;
	return str_starts_with(name, "user.") || strcmp(name, "security.capability") == 0;
}

/* By name in the parent, made the working directory: there is no /proc here to name an fd. */
static int set_xattrs(struct extract *extract, struct archive_entry *entry, const char *name,
		      struct error *err)
{
	const char *key;
	const void *value;
	size_t size;

	if (extract->lib->archive_entry_xattr_reset(entry) == 0)
		return 0;
	if (fchdir(extract->parent) < 0)
		return error_errno(err, "its directory");
	while (extract->lib->archive_entry_xattr_next(entry, &key, &value, &size) == ARCHIVE_OK) {
		if (!key || !xattr_wanted(key) || size > XATTR_SIZE_LIMIT)
			continue;
		/* Where the file system has none (ENOTSUP), or not on this kind (EPERM): as
		 * Docker. */
		if (lsetxattr(name, key, value, size, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			return error_errno(err, "set its %.60s", key);
	}
	return 0;
}

/* The owner first: chown takes setuid bits and capabilities away. */
static int set_owner_and_mode(struct extract *extract, struct archive_entry *entry, int file,
			      struct error *err)
{
	uid_t uid = (uid_t)extract->lib->archive_entry_uid(entry);
	gid_t gid = (gid_t)extract->lib->archive_entry_gid(entry);
	mode_t mode = mode_of(extract, entry);
	bool made_so = extract->parent_plain && uid == 0 && gid == 0;

	if (!made_so && fchown(file, uid, gid) < 0)
		return rootless_id_error(uid, gid, "give it to", err);
	if ((!made_so || (mode & ~0777U)) && fchmod(file, mode) < 0)
		return error_errno(err, "set its mode");
	return 0;
}

static int make_file(struct extract *extract, struct archive_entry *entry, const char *name,
		     struct error *err)
{
	int64_t size = extract->lib->archive_entry_size(entry), end = 0;
	_cleanup_close_ int file = -EBADF;
	struct timespec times[2];
	int r;

	file = openat(extract->parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      mode_of(extract, entry) & 0777);
	if (file < 0)
		return errno == EEXIST ? -EEXIST : error_errno(err, "make the file");
	r = write_blocks(extract, file, &end, err);
	if (r < 0)
		return r;
	/* A hole at the end is in the size only. */
	if (size > end && ftruncate(file, size) < 0)
		return error_errno(err, "set its size");
	r = set_owner_and_mode(extract, entry, file, err);
	if (r == 0)
		r = set_xattrs(extract, entry, name, err);
	if (r < 0)
		return r;
	times_of(extract, entry, times);
	return futimens(file, times) < 0 ? error_errno(err, "set its time") : 0;
}

static int set_owner(struct extract *extract, struct archive_entry *entry, const char *name,
		     struct error *err)
{
	uid_t uid = (uid_t)extract->lib->archive_entry_uid(entry);
	gid_t gid = (gid_t)extract->lib->archive_entry_gid(entry);

	if (fchownat(extract->parent, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
		return rootless_id_error(uid, gid, "give it to", err);
	return 0;
}

static int make_directory(struct extract *extract, struct archive_entry *entry, const char *name,
			  struct error *err)
{
	if (mkdirat(extract->parent, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, "make the directory");
	if (set_owner(extract, entry, name, err) < 0)
		return -err->code;
	/* make_room() has seen to it that this is no link. */
	if (fchmodat(extract->parent, name, mode_of(extract, entry), 0) < 0)
		return error_errno(err, "set its mode");
	return set_xattrs(extract, entry, name, err);
}

static int finish(struct extract *extract, struct archive_entry *entry, const char *name,
		  struct error *err)
{
	struct timespec times[2];
	int r = set_xattrs(extract, entry, name, err);

	if (r < 0)
		return r;
	times_of(extract, entry, times);
	(void)utimensat(extract->parent, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int make_symlink(struct extract *extract, struct archive_entry *entry, const char *name,
			struct error *err)
{
	const char *target = extract->lib->archive_entry_symlink(entry);

	if (!target || !*target || strlen(target) >= PATH_MAX)
		return error_set(err, EBADMSG, "a symbolic link to nothing");
	/* Its target may be anything: whoever follows it does so inside the container's root. */
	if (symlinkat(target, extract->parent, name) < 0)
		return error_errno(err, "make the link");
	if (set_owner(extract, entry, name, err) < 0)
		return -err->code;
	return finish(extract, entry, name, err);
}

static int make_hardlink(struct extract *extract, const char *target, const char *name,
			 struct error *err)
{
	_cleanup_free_ char *path = alloc_string(target);
	_cleanup_close_ int dir = -EBADF;
	char *slash, *base = path;
	int r = extract_clean_path(path);

	if (r < 0)
		return error_set(err, EBADMSG, "a hard link to '%.100s', which leads out", target);
	slash = strrchr(path, '/');
	if (slash) {
		*slash = '\0';
		base = slash + 1;
	}
	dir = extract_open_directory(extract, slash ? path : "");
	if (dir < 0)
		return error_code(err, dir, "a hard link to '%.100s'", target);
	/* Without AT_SYMLINK_FOLLOW: the link itself, wherever it points. */
	if (linkat(dir, base, extract->parent, name, 0) < 0)
		return error_errno(err, "a hard link to '%.100s'", target);
	return 0;
}

static int make_node(struct extract *extract, struct archive_entry *entry, const char *name,
		     struct error *err)
{
	const struct libarchive *lib = extract->lib;
	mode_t type = lib->archive_entry_filetype(entry);
	dev_t device = 0;

	if (type != AE_IFIFO)
		device = makedev(lib->archive_entry_rdevmajor(entry),
				 lib->archive_entry_rdevminor(entry));
	if (mknodat(extract->parent, name, type | 0600, device) < 0) {
		/* An ordinary user makes no devices; a container has its own in /dev. */
		if (errno == EPERM && device)
			return 0;
		return error_errno(err, "make the special file");
	}
	if (set_owner(extract, entry, name, err) < 0)
		return -err->code;
	if (fchmodat(extract->parent, name, mode_of(extract, entry), 0) < 0)
		return error_errno(err, "set its mode");
	return finish(extract, entry, name, err);
}

int entry_make(struct extract *extract, struct archive_entry *entry, const char *name,
	       struct error *err)
{
	const char *hardlink = extract->lib->archive_entry_hardlink(entry);

	if (hardlink)
		return make_hardlink(extract, hardlink, name, err);
	switch (extract->lib->archive_entry_filetype(entry)) {
	case AE_IFREG:
		return make_file(extract, entry, name, err);
	case AE_IFDIR:
		return make_directory(extract, entry, name, err);
	case AE_IFLNK:
		return make_symlink(extract, entry, name, err);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return make_node(extract, entry, name, err);
	case AE_IFSOCK:
		return 0; /* nobody listens on a socket out of an archive */
	}
	return error_set(err, EBADMSG, "a kind of file that does not belong in an image");
}
