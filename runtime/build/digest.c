// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The content of files as a digest: names, kinds, modes, bytes, links, attributes; no times.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/build/walk.h"

/* A word and a NUL, or what ends with one. */
static void add(struct digest *digest, const char *text)
{
	sha256_update(&digest->sha, text, strlen(text) + 1);
}

struct adding {
	struct digest *digest;
	struct strbuf path; /* of the entry, in the root */
	size_t below;       /* where what is below the source begins */
};

/* "PATH MODE", the mode in octal digits: for 10,000 files snprintf() takes milliseconds. */
static void add_name(struct adding *adding, mode_t mode)
{
	const struct strbuf *path = &adding->path;
	char text[16] = "";
	char *at = text + sizeof(text) - 1;

	do
		*--at = (char)('0' + mode % 8);
	while (mode /= 8);
	*--at = ' ';
	if (path->length > adding->below)
		sha256_update(&adding->digest->sha, path->data + adding->below,
			      path->length - adding->below);
	add(adding->digest, at);
}

static void add_pair(struct digest *digest, unsigned int a, unsigned int b)
{
	char text[32];

	snprintf(text, sizeof(text), "%u:%u", a, b);
	add(digest, text);
}

static int add_object(struct adding *adding, const struct walk_entry *entry, struct error *err);

static int add_inside(struct adding *adding, const struct walk_folder *folder, struct error *err)
{
	struct strbuf *path = &adding->path;
	size_t length = path->length;
	int r = 0;

	for (size_t i = 0; r == 0 && i < folder->count; i++) {
		const struct walk_entry *entry = &folder->entries[i];

		if (length > adding->below && *entry->name)
			strbuf_addc(path, '/');
		strbuf_add(path, entry->name);
		r = add_object(adding, entry, err);
		path->length = length;
	}
	return r;
}

static int add_object(struct adding *adding, const struct walk_entry *entry, struct error *err)
{
	struct digest *digest = adding->digest;

	if (entry->failure) {
		*err = *entry->failure;
		return error_wrap(err, "'%.*s'",
				  (int)(adding->path.length < 200 ? adding->path.length : 200),
				  adding->path.data ?: "");
	}
	if (entry->left_out)
		return 0;
	digest->files++;
	add_name(adding, entry->mode);
	if (digest->owners)
		add_pair(digest, entry->uid, entry->gid);
	if (entry->inside)
		return add_inside(adding, entry->inside, err);
	if (entry->target)
		sha256_update(&digest->sha, entry->target, strlen(entry->target));
	else if (entry->digest)
		sha256_update(&digest->sha, entry->digest, STATCACHE_DIGEST);
	else
		add_pair(digest, major(entry->rdev), minor(entry->rdev));
	if (entry->fresh && digest->known)
		statcache_put(digest->known, &entry->fresh->st, entry->digest);
	return 0;
}

int digest_path(struct digest *digest, const char *path, struct error *err)
{
	const struct walk_filter filter = {digest->ignore, path, digest->exclude};
	_cleanup_close_ int fd = rootpath_open_raw(digest->root, path, O_PATH, 0);
	struct adding adding = {.digest = digest};
	struct walk_entry entry;
	int r;

	if (fd < 0)
		return error_code(err, fd, "%s", path);
	sha256_update(&digest->sha, "source ", strlen("source "));
	add(digest, path);
	strbuf_add(&adding.path, path);
	if (*path)
		strbuf_addc(&adding.path, '/');
	adding.below = adding.path.length;
	walk_tree(fd, &filter, digest->known, &entry);
	r = add_object(&adding, &entry, err);
	walk_entry_done(&entry);
	strbuf_done(&adding.path);
	return r;
}
