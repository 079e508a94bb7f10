// SPDX-License-Identifier: GPL-2.0-or-later
/* image_tree.c - an image, or a part of one, as a detached read-only mount. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/overlay.h"
#include "common/str.h"

#include "volumes/mount.h"

#include "compose/supervisor/translate/translate.h"

static int overlay_of(const int *layers, size_t count, struct error *err)
{
	_cleanup_close_ int context = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	_cleanup_strbuf_ struct strbuf lower = {0};
	char path[FD_PATH_MAX];
	int fd;

	if (context < 0)
		return error_errno(err, "open an overlay");
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&lower, "%s%s", i ? ":" : "", fd_path(layers[i], path));
	if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "lowerdir", lower.data, 0) < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "stack the image's layers");
	fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	return fd < 0 ? error_errno(err, "mount the image's layers") : fd;
}

int translate_image_tree(struct image_store *store, const struct image *image, struct error *err)
{
	_cleanup_free_ int *layers = NULL;
	size_t count = 0;
	int fd = image_open_layers(store, image, &layers, &count, err);

	if (fd < 0)
		return fd;
	if (count == 1)
		return layers[0];
	fd = count ? overlay_of(layers, count, err)
		   : error_set(err, ENOENT, "the image has no layers");
	for (size_t i = 0; i < count; i++)
		close(layers[i]);
	return fd;
}

static bool is_opaque(int directory)
{
	char path[FD_PATH_MAX], value[4];

	return getxattr(fd_path(directory, path), overlay_note(OVERLAY_OPAQUE), value,
			sizeof(value)) == 1 &&
	       value[0] == 'y';
}

enum layer_says { LAYER_NOTHING, LAYER_HAS, LAYER_HIDES };

/*
 * Where one layer has @parts, and whether those below it show through: not behind a whiteout (a
 * device 0:0), an opaque directory, or what is no directory (kernel's overlayfs.rst).
 */
static enum layer_says look_into(int layer, char *const *parts, int *ret_fd, bool *ret_last)
{
	int at = fd_dup(layer);

	*ret_last = false;
	strv_foreach(part, parts) {
		int next = at < 0 ? -EBADF : openat(at, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		struct stat st;

		cleanup_close_fd(&at);
		at = next;
		if (at < 0)
			return *ret_last ? LAYER_HIDES : LAYER_NOTHING;
		if (fstat(at, &st) < 0 || (S_ISCHR(st.st_mode) && !st.st_rdev)) {
			close(at);
			return LAYER_HIDES;
		}
		*ret_last = *ret_last || !S_ISDIR(st.st_mode) || is_opaque(at);
	}
	*ret_fd = at;
	return at < 0 ? LAYER_NOTHING : LAYER_HAS;
}

static int check_parts(char *const *parts, const char *subpath, struct error *err)
{
	if (subpath[0] == '/' || strv_contains(parts, "..") || strv_contains(parts, "."))
		return error_set(err, EINVAL, "subpath '%.200s': it must be relative, without '..'",
				 subpath);
	return 0;
}

/* Of each layer that part, topmost first, down to the one that hides the others. */
static int open_parts(struct image_store *store, const struct image *image, const char *subpath,
		      int **ret, size_t *ret_count, struct error *err)
{
	_cleanup_strv_ char **parts = strv_split(subpath, "/");
	_cleanup_free_ int *layers = NULL;
	size_t count = 0;
	bool last = false;

	if (check_parts(parts, subpath, err) < 0 ||
	    image_open_layers(store, image, &layers, &count, err) < 0)
		return -err->code;
	for (size_t i = 0; i < count; i++) {
		enum layer_says says = LAYER_NOTHING;
		int fd = -EBADF;

		if (!last)
			says = look_into(layers[i], parts, &fd, &last);
		if (says == LAYER_HAS)
			*array_add(*ret, *ret_count) = fd;
		last = last || says == LAYER_HIDES;
		close(layers[i]);
	}
	return *ret_count ? 0
			  : error_set(err, ENOENT,
				      "subpath '%.200s': there is no such file or directory in it",
				      subpath);
}

/* One of them is cloned, several are stacked. A file is the topmost layer's. */
static int mount_parts(const int *parts, size_t count, bool *ret_directory, struct error *err)
{
	struct stat st;

	if (fstat(parts[0], &st) < 0)
		return error_errno(err, "look at it");
	*ret_directory = S_ISDIR(st.st_mode);
	if (S_ISLNK(st.st_mode))
		return error_set(err, ELOOP, "subpath: a symbolic link");
	if (count > 1)
		return overlay_of(parts, count, err);
	return mount_clone(parts[0], NULL, true, err);
}

int translate_image_part(struct image_store *store, const struct image *image, const char *subpath,
			 bool *ret_directory, struct error *err)
{
	_cleanup_free_ int *parts = NULL;
	size_t count = 0;
	int r;

	r = subpath && *subpath ? open_parts(store, image, subpath, &parts, &count, err)
				: image_open_layers(store, image, &parts, &count, err);
	if (r == 0 && !count)
		r = error_set(err, ENOENT, "the image has no layers");
	if (r == 0)
		r = mount_parts(parts, count, ret_directory, err);
	for (size_t i = 0; i < count; i++)
		close(parts[i]);
	return r;
}
