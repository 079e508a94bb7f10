// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/build/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/rootpath.h"
#include "common/str.h"

#define DEPTH_MAX   256
#define READ_SIZE   (256 << 10)
#define PART        256 /* entries that one thread looks at before it asks for more */
#define HELPERS_MAX 7

/* Some entries of a folder that is open. */
struct part {
	struct walk_folder *folder;
	size_t first;
};

struct walk {
	int root;
	const struct walk_filter *filter;
	struct statcache *known;
	pthread_mutex_t lock;
	pthread_cond_t news;
	/* Parts go first, so that few folders are open at a time. */
	struct part *parts;
	size_t part_count;
	struct walk_folder *folders;
	unsigned int busy; /* threads that may add more */
	pthread_t helpers[HELPERS_MAX];
	unsigned int helper_count, helper_limit;
};

struct worker {
	struct walk *walk;
	char *buffer; /* READ_SIZE, once a file is read */
	char path[2 * PATH_MAX];
};

static void add_capability(struct sha256 *sha, int fd)
{
	char value[64];
	ssize_t n = fgetxattr(fd, "security.capability", value, sizeof(value));

	if (n > 0)
		sha256_update(sha, value, (size_t)n);
}

/* Content and capabilities of a file, which must be the one that @st is of. */
static int read_file(struct worker *worker, int dir, const char *name, const struct stat *st,
		     unsigned char ret[STATCACHE_DIGEST], struct error *err)
{
	char path[FD_PATH_MAX];
	_cleanup_close_ int file =
		*name ? openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
		      : open(fd_path(dir, path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat opened;
	struct sha256 sha;
	ssize_t n;

	if (file < 0 || fstat(file, &opened) < 0)
		return error_errno(err, "open it");
	if (opened.st_ino != st->st_ino || !S_ISREG(opened.st_mode))
		return error_set(err, EAGAIN, "it was replaced while it was read: build again");
	if (!worker->buffer)
		worker->buffer = alloc(READ_SIZE);
	sha256_init(&sha);
	while ((n = read(file, worker->buffer, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, "read it");
		sha256_update(&sha, worker->buffer, (size_t)n);
	}
	add_capability(&sha, file);
	sha256_bytes(&sha, ret);
	return 0;
}

static int look_at_file(struct worker *worker, int dir, struct walk_entry *entry,
			const struct stat *st, struct error *err)
{
	struct statcache *known = worker->walk->known;

	entry->digest = known ? statcache_find(known, st) : NULL;
	if (entry->digest)
		return 0;
	entry->fresh = new (struct walk_fresh);
	entry->fresh->st = *st;
	entry->digest = entry->fresh->digest;
	return read_file(worker, dir, entry->name, st, entry->fresh->digest, err);
}

static int look_at_link(int dir, struct walk_entry *entry, struct error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, entry->name, target, sizeof(target));

	if (n < 0)
		return error_errno(err, "read the link");
	entry->target = alloc_string_n(target, (size_t)n);
	return 0;
}

static bool left_out(const struct walk_filter *filter, const char *path, size_t below,
		     bool directory)
{
	const char *shown = path + below;

	if (filter->ignore && *path &&
	    (directory ? ignore_prunes(filter->ignore, path)
		       : ignore_matches(filter->ignore, path, NULL)))
		return true;
	return filter->exclude && *shown &&
	       (directory ? ignore_prunes(filter->exclude, shown)
			  : ignore_matches(filter->exclude, shown, NULL));
}

/* The paths of its entries: what the filter's starts with, then the folder's. */
static int path_in(struct worker *worker, const struct walk_folder *folder, const char *name,
		   size_t *ret_below)
{
	const char *parts[] = {worker->walk->filter->path, folder ? folder->path : "", name};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		size_t length = strlen(parts[i]);

		if (n + length + 2 > sizeof(worker->path))
			return -ENAMETOOLONG;
		if (n && length)
			worker->path[n++] = '/';
		if (i == 1)
			*ret_below = n;
		memcpy(worker->path + n, parts[i], length + 1);
		n += length;
	}
	/* The slash is no part of what is below. */
	*ret_below += worker->path[*ret_below] == '/';
	return 0;
}

static void add_folder(struct worker *worker, struct walk_entry *entry, const char *path,
		       unsigned int depth)
{
	struct walk_folder *folder = new (struct walk_folder);
	struct walk *walk = worker->walk;

	folder->path = alloc_string(path);
	folder->depth = depth;
	folder->fd = -EBADF;
	entry->inside = folder;
	pthread_mutex_lock(&walk->lock);
	folder->next = walk->folders;
	walk->folders = folder;
	pthread_cond_signal(&walk->news);
	pthread_mutex_unlock(&walk->lock);
}

static int look_at(struct worker *worker, int dir, struct walk_folder *folder,
		   struct walk_entry *entry, struct error *err)
{
	unsigned int depth = folder ? folder->depth + 1 : 0;
	size_t below = 0;
	struct stat st;

	if (fstatat(dir, entry->name, &st,
		    AT_SYMLINK_NOFOLLOW | (*entry->name ? 0 : AT_EMPTY_PATH)) < 0)
		return error_errno(err, "look at it");
	entry->mode = st.st_mode;
	entry->uid = st.st_uid;
	entry->gid = st.st_gid;
	entry->rdev = st.st_rdev;
	if (depth > DEPTH_MAX)
		return error_set(err, ELOOP, "more than %d folders deep", DEPTH_MAX);
	if (path_in(worker, folder, entry->name, &below) < 0)
		return error_set(err, ENAMETOOLONG, "its path is too long");
	entry->left_out = S_ISSOCK(st.st_mode) ||
			  left_out(worker->walk->filter, worker->path, below, S_ISDIR(st.st_mode));
	if (entry->left_out)
		return 0;
	if (S_ISDIR(st.st_mode))
		add_folder(worker, entry, worker->path + below, depth);
	else if (S_ISLNK(st.st_mode))
		return look_at_link(dir, entry, err);
	else if (S_ISREG(st.st_mode))
		return look_at_file(worker, dir, entry, &st, err);
	return 0;
}

static void look(struct worker *worker, int dir, struct walk_folder *folder,
		 struct walk_entry *entry)
{
	struct error err = ERROR_INIT;

	if (look_at(worker, dir, folder, entry, &err) == 0)
		return;
	entry->failure = new (struct error);
	*entry->failure = err;
}

/* One that cannot be read has an entry without a name that says so. */
static void open_folder(struct walk *walk, struct walk_folder *folder)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	folder->fd = rootpath_open_raw(walk->root, *folder->path ? folder->path : ".",
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (folder->fd < 0)
		error_code(&err, folder->fd, "open it");
	if (err.code || fs_list(folder->fd, ".", &names, &err) < 0) {
		folder->entries = new (struct walk_entry);
		folder->entries->name = alloc_string("");
		folder->entries->failure = new (struct error);
		*folder->entries->failure = err;
		folder->count = 1;
		return;
	}
	folder->count = strv_length(names);
	folder->entries = new_array(struct walk_entry, folder->count + 1);
	for (size_t i = 0; i < folder->count; i++)
		folder->entries[i].name = TAKE_PTR(names[i]);
}

static void *help(void *data);

/* Only where there is more than one thing to do. */
static void call_helper(struct walk *walk)
{
	if (walk->helper_count < walk->helper_limit &&
	    pthread_create(&walk->helpers[walk->helper_count], NULL, help, walk) == 0)
		walk->helper_count++;
	else
		walk->helper_limit = walk->helper_count;
}

/* Holding the lock. */
static void add_parts(struct walk *walk, struct walk_folder *folder)
{
	for (size_t first = 0; first < folder->count; first += PART) {
		*array_add(walk->parts, walk->part_count) = (struct part){folder, first};
		folder->parts++;
	}
	if (folder->parts > 1)
		pthread_cond_broadcast(&walk->news);
	if (!folder->parts)
		close(TAKE_FD(folder->fd));
}

static void do_part(struct worker *worker, struct part part)
{
	size_t end = part.first + PART;

	if (end > part.folder->count)
		end = part.folder->count;
	for (size_t i = part.first; i < end; i++)
		if (!part.folder->entries[i].failure)
			look(worker, part.folder->fd, part.folder, &part.folder->entries[i]);
}

/* Holding the lock, which is given up meanwhile. */
static void do_next(struct worker *worker)
{
	struct walk *walk = worker->walk;
	struct walk_folder *folder;
	struct part part;

	walk->busy++;
	if (walk->part_count) {
		part = walk->parts[--walk->part_count];
		pthread_mutex_unlock(&walk->lock);
		do_part(worker, part);
		pthread_mutex_lock(&walk->lock);
		if (--part.folder->parts == 0)
			cleanup_close_fd(&part.folder->fd);
	} else {
		folder = walk->folders;
		walk->folders = folder->next;
		pthread_mutex_unlock(&walk->lock);
		open_folder(walk, folder);
		pthread_mutex_lock(&walk->lock);
		add_parts(walk, folder);
	}
	walk->busy--;
}

static void work(struct walk *walk, bool may_call)
{
	struct worker worker = {.walk = walk};

	pthread_mutex_lock(&walk->lock);
	while (walk->part_count || walk->folders || walk->busy) {
		if (!walk->part_count && !walk->folders) {
			pthread_cond_wait(&walk->news, &walk->lock);
			continue;
		}
		if (may_call && walk->helper_count < walk->helper_limit &&
		    (walk->part_count > 1 || (walk->folders && walk->folders->next)))
			call_helper(walk);
		do_next(&worker);
	}
	pthread_cond_broadcast(&walk->news);
	pthread_mutex_unlock(&walk->lock);
	free(worker.buffer);
}

static void *help(void *data)
{
	work(data, false);
	return NULL;
}

void walk_tree(int fd, const struct walk_filter *filter, struct statcache *known,
	       struct walk_entry *ret)
{
	struct walk walk = {.root = fd, .filter = filter, .known = known};
	struct worker first = {.walk = &walk};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	walk.helper_limit = processors > HELPERS_MAX ? HELPERS_MAX
			    : processors > 1         ? (unsigned int)processors - 1
						     : 0;
	pthread_mutex_init(&walk.lock, NULL);
	pthread_cond_init(&walk.news, NULL);
	*ret = (struct walk_entry){.name = alloc_string("")};
	look(&first, fd, NULL, ret);
	free(first.buffer);
	work(&walk, true);
	for (unsigned int i = 0; i < walk.helper_count; i++)
		pthread_join(walk.helpers[i], NULL);
	free(walk.parts);
}

void walk_entry_done(struct walk_entry *entry)
{
	struct walk_folder *folder = entry->inside;

	free(entry->name);
	free(entry->fresh);
	free(entry->target);
	free(entry->failure);
	if (!folder)
		return;
	for (size_t i = 0; i < folder->count; i++)
		walk_entry_done(&folder->entries[i]);
	free(folder->entries);
	free(folder->path);
	free(folder);
}
