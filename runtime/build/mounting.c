// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The mounts of a RUN step: resolv.conf and hosts, and what --mount asks for. Their places are in
 * the skeleton, a layer below all others, so that none of them shows in the step's own layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/overlay.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/build/cache.h"

#define SECRET_MAX   (500 << 10)
#define HOST_GATEWAY "host-gateway"

struct mounting {
	struct step_room *room;
	struct mount_spec *mounts;
	size_t count;
	int view; /* what the step stands upon, to see where links lead */
	char ***env;
	unsigned int ssh;
};

static int clone_of(int fd, bool read_only, struct error *err)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	_cleanup_close_ int mount =
		open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (mount < 0)
		return error_errno(err, "clone a mount");
	if (read_only && mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return error_errno(err, "make a mount read-only");
	return TAKE_FD(mount);
}

/* The target as it is once links of the image are followed: "/var/run/x" to "/run/x". */
static char *resolve(const struct mounting *m, const char *target)
{
	_cleanup_free_ char *prefix = alloc_string(target);
	char link[FD_PATH_MAX], found[PATH_MAX], top[PATH_MAX];
	ssize_t n, root;

	for (;;) {
		_cleanup_close_ int fd = rootpath_open_raw(m->view, prefix, O_PATH, 0);
		char *slash;

		if (fd >= 0) {
			n = readlink(fd_path(fd, link), found, sizeof(found) - 1);
			root = readlink(fd_path(m->view, link), top, sizeof(top) - 1);
			if (n < 0 || root < 0 || n < root || strncmp(found, top, (size_t)root) != 0)
				return alloc_string(target);
			found[n] = '\0';
			return str_printf("%s%s", found + root, target + strlen(prefix));
		}
		slash = strrchr(prefix, '/');
		if (!slash || slash == prefix)
			return alloc_string(target);
		*slash = '\0';
	}
}

static int add_mount(struct mounting *m, int fd, const char *target, bool directory,
		     struct error *err)
{
	_cleanup_free_ char *resolved = resolve(m, target);
	_cleanup_close_ int place = rootpath_open_raw(m->view, resolved, O_PATH, 0);
	struct mount_spec *mount;

	if (place < 0) {
		place = rootpath_make_target(m->room->skeleton, resolved, directory, err);
		if (place < 0) {
			close(fd);
			return place;
		}
	}
	mount = array_add(m->mounts, m->count);
	*mount = (struct mount_spec){fd, TAKE_PTR(resolved), directory};
	return 0;
}

/* A small file of ours on the scratch tmpfs. */
static int add_text(struct mounting *m, const char *target, const void *data, size_t size,
		    mode_t mode, uid_t uid, gid_t gid, struct error *err)
{
	_cleanup_free_ char *name = str_printf("f%u", m->room->next++);
	_cleanup_close_ int fd =
		openat(m->room->scratch, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int mount, r;

	if (fd < 0)
		return error_errno(err, "make %s", target);
	r = fd_write_all(fd, data, size);
	if (r < 0)
		return error_code(err, r, "write %s", target);
	if (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0)
		return error_errno(err, "make %s", target);
	mount = clone_of(fd, true, err);
	return mount < 0 ? mount : add_mount(m, mount, target, false, err);
}

static bool is_loopback(const char *line)
{
	const char *address = line + strcspn(line, " \t");

	address += strspn(address, " \t");
	return !strncmp(address, "127.", 4) || !strncmp(address, "::1", 3);
}

/* Name servers on the host's loopback are out of reach from another network namespace. */
static void filter_resolvers(const char *text, bool own_network, struct strbuf *out,
			     size_t *servers)
{
	_cleanup_strv_ char **lines = strv_split(text, "\n");

	strv_foreach(line, lines) {
		bool server = str_starts_with(line, "nameserver");

		if (server && own_network && is_loopback(line))
			continue;
		*servers += server;
		strbuf_addf(out, "%s\n", line);
	}
}

static int add_resolvers(struct mounting *m, struct error *err)
{
	static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
	bool own = strcmp(m->room->step->network, "host") != 0;
	_cleanup_strbuf_ struct strbuf text = {0};
	size_t servers = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files) && !servers; i++) {
		_cleanup_free_ char *content = NULL;
		struct error ignored = ERROR_INIT;

		if (fs_read(AT_FDCWD, files[i], 65536, &content, NULL, &ignored) < 0)
			continue;
		text.length = 0;
		filter_resolvers(content, own, &text, &servers);
	}
	if (!servers)
		strbuf_add(&text, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	return add_text(m, "/etc/resolv.conf", text.data, text.length, 0644, 0, 0, err);
}

static int add_hosts(struct mounting *m, struct error *err)
{
	const char *gateway_address = m->room->step->attachment.gateway;
	const char *host = *gateway_address ? gateway_address : "127.0.0.1";
	_cleanup_strbuf_ struct strbuf text = {0};

	strbuf_add(&text, "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
	strv_foreach(line, m->room->build->options->extra_hosts) {
		bool gateway = str_starts_with(line, HOST_GATEWAY);

		strbuf_addf(&text, "%s%s\n", gateway ? host : "",
			    gateway ? line + strlen(HOST_GATEWAY) : line);
	}
	return add_text(m, "/etc/hosts", text.data, text.length, 0644, 0, 0, err);
}

static int add_heredoc(struct mounting *m, struct error *err)
{
	const struct step *step = m->room->step;
	_cleanup_free_ char *target = NULL;

	if (!step->shell_heredoc)
		return 0;
	target = str_printf("/dev/pipes/%s", step->copy.files[0].name);
	return add_text(m, target, step->copy.files[0].content, strlen(step->copy.files[0].content),
			0755, 0, 0, err);
}

/* An overlay over @layers whose writes are lost with the step. */
static int overlay(struct mounting *m, const int *layers, size_t count, bool writable,
		   struct error *err)
{
	_cleanup_close_ int fs = fsopen("overlay", FSOPEN_CLOEXEC), fd = -EBADF, upper = -EBADF,
			    work = -EBADF;
	_cleanup_strbuf_ struct strbuf lower = {0};
	_cleanup_free_ char *place = NULL;
	char path[FD_PATH_MAX];

	if (fs < 0)
		return error_errno(err, "this kernel has no overlayfs");
	overlay_configure(fs);
	for (size_t i = 0; i < count; i++)
		strbuf_addf(&lower, "%s%s", i ? ":" : "", fd_path(layers[i], path));
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", lower.data, 0) < 0)
		return error_errno(err, "stack folders");
	if (writable) {
		upper = room_directory(m->room, NULL, err);
		work = upper < 0 ? -EBADF : room_directory(m->room, NULL, err);
		if (work < 0)
			return -err->code;
		if (fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", fd_path(upper, path), 0) < 0 ||
		    fsconfig(fs, FSCONFIG_SET_STRING, "workdir", fd_path(work, path), 0) < 0)
			return error_errno(err, "stack folders");
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "stack folders");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (fd < 0)
		return error_errno(err, "mount stacked folders");
	{
		_cleanup_close_ int folder = room_directory(m->room, &place, err);

		if (folder < 0)
			return folder;
	}
	if (move_mount(fd, "", m->room->scratch, place, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, "mount stacked folders");
	return fs_open_dir(m->room->scratch, place, err);
}

/* Whiteouts in @mask for all of the context that is left out. */
static int mask_tree(int dir, int mask, const struct ignore *ignore, const char *prefix, int depth,
		     size_t *masked, struct error *err)
{
	_cleanup_strv_ char **names = NULL;

	if (depth > 128 || fs_list(dir, ".", &names, err) < 0)
		return -err->code;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("%s%s%s", prefix, *prefix ? "/" : "", name);
		_cleanup_close_ int inside =
			openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		_cleanup_close_ int below = -EBADF;
		size_t before = *masked;
		struct stat st;

		if (inside >= 0 ? ignore_prunes(ignore, path)
				: ignore_matches(ignore, path, NULL)) {
			if (mknodat(mask, name, S_IFCHR, makedev(0, 0)) < 0)
				return error_errno(err, "hide '%.100s'", path);
			++*masked;
			continue;
		}
		if (inside < 0 || fstat(inside, &st) < 0)
			continue;
		below = fs_mkdir_open(mask, name, 0700, err);
		if (below < 0 || mask_tree(inside, below, ignore, path, depth + 1, masked, err) < 0)
			return -err->code;
		if (*masked == before)
			(void)unlinkat(mask, name, AT_REMOVEDIR);
		else if (fchown(below, st.st_uid, st.st_gid) < 0 ||
			 fchmod(below, st.st_mode & 07777) < 0)
			return error_errno(err, "hide parts of '%.100s'", path);
	}
	return 0;
}

/* A source's tree, seen without what is left out. */
static int open_seen(struct mounting *m, const struct source *source, struct error *err)
{
	const struct ignore *ignore;
	_cleanup_close_ int root = room_open_source(m->room, source, &ignore, err);
	_cleanup_close_ int mask = -EBADF;
	size_t masked = 0;
	struct stat st;

	if (root < 0 || !ignore || !ignore->count)
		return root < 0 ? root : TAKE_FD(root);
	mask = room_directory(m->room, NULL, err);
	if (mask < 0 || mask_tree(root, mask, ignore, "", 0, &masked, err) < 0)
		return -err->code;
	if (!masked)
		return TAKE_FD(root);
	if (fstat(root, &st) < 0 || fchmod(mask, st.st_mode & 07777) < 0)
		return error_errno(err, "%s", source->name);
	return overlay(m, (const int[]){mask, root}, 2, false, err);
}

static bool is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int add_bind(struct mounting *m, const struct run_mount *mount, struct error *err)
{
	_cleanup_close_ int root = open_seen(m, &mount->source, err), inside = -EBADF,
			    writable = -EBADF;
	bool directory;
	int fd;

	if (root < 0)
		return root;
	inside = rootpath_open_raw(root, mount->path ?: "", O_PATH, 0);
	if (inside < 0)
		return error_code(err, inside, "--mount source=%s in %s", mount->path ?: "/",
				  mount->source.name);
	directory = is_directory(inside);
	if (mount->writable && directory) {
		writable = overlay(m, &inside, 1, true, err);
		if (writable < 0)
			return writable;
	}
	fd = clone_of(writable >= 0 ? writable : inside, !mount->writable || !directory, err);
	return fd < 0 ? fd : add_mount(m, fd, mount->target, directory, err);
}

static int add_cache(struct mounting *m, const struct run_mount *mount, struct error *err)
{
	_cleanup_close_ int dir = -EBADF;
	struct copying copying = {0};
	const struct ignore *ignore;
	bool fresh;
	int fd, lock;

	/* Its lock stays with the process, and goes with it. */
	dir = cache_mount_open(m->room->base, mount, &lock, &fresh, err);
	if (dir < 0)
		return error_wrap(err, "cache %s", mount->id);
	if (fresh && mount->source.kind != SOURCE_NONE) {
		copying.source_root = room_open_source(m->room, &mount->source, &ignore, err);
		copying.target_root = dir;
		copying.ignore = ignore;
		if (copying.source_root < 0 ||
		    copying_path(&copying, mount->path ?: "", "/", true, err) < 0)
			return error_wrap(err, "cache %s", mount->id);
		copying_done(&copying);
		close(copying.source_root);
	}
	fd = clone_of(dir, !mount->writable, err);
	return fd < 0 ? fd : add_mount(m, fd, mount->target, true, err);
}

static int add_tmpfs(struct mounting *m, const struct run_mount *mount, struct error *err)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char size[32];
	int fd;

	snprintf(size, sizeof(size), "%lld", (long long)mount->size_bytes);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "mode", "1777", 0) < 0 ||
	    (mount->size_bytes && fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno(err, "make a tmpfs");
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0)
		return error_errno(err, "make a tmpfs");
	return add_mount(m, fd, mount->target, true, err);
}

static const struct build_secret *find_secret(const struct build *build, const char *id)
{
	for (size_t i = 0; i < build->options->secret_count; i++)
		if (!strcmp(build->options->secrets[i].id, id))
			return &build->options->secrets[i];
	return NULL;
}

static int add_secret(struct mounting *m, const struct run_mount *mount, struct error *err)
{
	const struct build_secret *secret = find_secret(m->room->build, mount->id);
	_cleanup_free_ char *data = NULL;
	size_t size = 0;
	int r;

	if (!secret && !mount->required)
		return 0;
	if (!secret)
		return error_set(err, EINVAL,
				 "secret %s is required and not given: --secret id=%s,src=FILE, or "
				 "build.secrets",
				 mount->id, mount->id);
	if (secret->path) {
		r = fs_read(AT_FDCWD, secret->path, SECRET_MAX, &data, &size, err);
		if (r < 0)
			return error_wrap(err, "secret %s", mount->id);
	} else {
		data = alloc_string(secret->value ?: "");
		size = strlen(data);
	}
	if (mount->env)
		strv_env_set(m->env, mount->env, data);
	if (!mount->target)
		return 0;
	return add_text(m, mount->target, data, size, mount->has_mode ? mount->mode : 0400,
			mount->uid, mount->gid, err);
}

static int add_ssh(struct mounting *m, const struct run_mount *mount, struct error *err)
{
	const struct build_options *options = m->room->build->options;
	_cleanup_free_ char *target = NULL;
	const char *socket = NULL;
	_cleanup_free_ char *name = str_printf("f%u", m->room->next++);
	_cleanup_close_ int agent = -EBADF, fd = -EBADF;
	int clone;

	for (size_t i = 0; i < options->ssh_count; i++)
		if (!strcmp(options->ssh[i].id, mount->id))
			socket = options->ssh[i].socket;
	if (!socket && !mount->required)
		return 0;
	if (!socket)
		return error_set(err, EINVAL, "ssh agent %s is required and not given (--ssh)",
				 mount->id);
	agent = open(socket, O_PATH | O_CLOEXEC);
	if (agent < 0)
		return error_errno(err, "ssh agent %s: %s", mount->id, socket);
	if (relay_start(agent, m->room->scratch, name, mount, err) < 0)
		return error_wrap(err, "ssh agent %s", mount->id);
	fd = openat(m->room->scratch, name, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "ssh agent %s", mount->id);
	clone = clone_of(fd, false, err);
	if (clone < 0)
		return clone;
	target = mount->target ? alloc_string(mount->target)
			       : str_printf("/run/buildkit/ssh_agent.%u", m->ssh);
	if (m->ssh++ == 0)
		strv_env_set(m->env, "SSH_AUTH_SOCK", target);
	return add_mount(m, clone, target, false, err);
}

static int (*const rows[])(struct mounting *, const struct run_mount *, struct error *) = {
	[MOUNT_BIND] = add_bind,     [MOUNT_CACHE] = add_cache, [MOUNT_TMPFS] = add_tmpfs,
	[MOUNT_SECRET] = add_secret, [MOUNT_SSH] = add_ssh,
};

/* What the runtime itself mounts upon. */
static int make_skeleton(struct mounting *m, struct error *err)
{
	static const char *const folders[] = {"/proc", "/sys", "/dev"};

	m->room->skeleton = room_directory(m->room, NULL, err);
	if (m->room->skeleton < 0)
		return m->room->skeleton;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		_cleanup_close_ int fd = rootpath_mkdirs(m->room->skeleton, folders[i], 0755, err);

		if (fd < 0)
			return fd;
	}
	return 0;
}

int mounting_make(struct step_room *room, struct mount_spec **ret, size_t *ret_count, char ***env,
		  struct error *err)
{
	struct mounting m = {.room = room, .env = env};
	_cleanup_close_ int view = room_open_tree(room, room->step->below, err);

	if (view < 0)
		return view;
	m.view = view;
	if (make_skeleton(&m, err) < 0 || add_resolvers(&m, err) < 0 || add_hosts(&m, err) < 0 ||
	    add_heredoc(&m, err) < 0)
		return -err->code;
	for (size_t i = 0; i < room->step->mount_count; i++) {
		const struct run_mount *mount = &room->step->mounts[i];

		/* Not what execve() says of a program that is not there: see hint_of_birth(). */
		if (rows[mount->kind](&m, mount, err) < 0) {
			err->code = err->code == ENOSPC ? ENOSPC : EINVAL;
			return -err->code;
		}
	}
	*ret = m.mounts;
	*ret_count = m.count;
	return 0;
}
