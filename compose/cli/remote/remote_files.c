// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/remote/remote_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/map.h"
#include "common/path.h"
#include "common/sha256.h"
#include "common/str.h"

#include "runtime/build/fetch.h"

struct kind {
	const char *folder, *switch_variable, *what;
	int (*resolve)(struct remote_meaning *meaning, struct error *err);
	int (*fetch)(const struct remote_meaning *meaning, const char *path, struct error *err);
};

static const struct kind git = {
	.folder = "git",
	.switch_variable = "COMPOSE_EXPERIMENTAL_GIT_REMOTE",
	.what = "git",
	.resolve = remote_git_resolve,
	.fetch = remote_git_fetch,
};

static const struct kind oci = {
	.folder = "oci",
	.switch_variable = "COMPOSE_EXPERIMENTAL_OCI_REMOTE",
	.what = "OCI",
	.resolve = remote_oci_resolve,
	.fetch = remote_oci_fetch,
};

static const struct kind *kind_of(const char *reference)
{
	if (str_starts_with(reference, "oci://"))
		return &oci;
	return fetch_is_git(reference) ? &git : NULL;
}

static bool is_off(const char *variable)
{
	static const char *const words[] = {"0", "f", "false"};
	const char *value = getenv(variable);

	for (size_t i = 0; value && i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(value, words[i]))
			return true;
	return false;
}

static int open_cache(const char *folder, char **ret_path, struct error *err)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (cache && *cache == '/')
		*ret_path = str_printf("%s/berth/%s", cache, folder);
	else if (home && *home == '/')
		*ret_path = str_printf("%s/.cache/berth/%s", home, folder);
	else
		return error_set(
			err, ENOENT,
			"there is no place for it: neither XDG_CACHE_HOME nor HOME is set");
	return fs_mkdir_path(*ret_path, 0700, err);
}

/* Once its folder bears its name it is whole; of two that fetch it at a time, one is thrown away.
 */
static int fetch_into(const struct kind *kind, const struct remote_meaning *meaning, int cache,
		      const char *cache_path, const char *name, struct error *err)
{
	_cleanup_free_ char *staging = NULL, *path = NULL;
	_cleanup_close_ int dir = -EBADF;
	struct error ignored = ERROR_INIT;
	int r;

	if (faccessat(cache, name, F_OK, 0) == 0)
		return 0;
	dir = fs_mkdir_unique(cache, ".new-", &staging, err);
	if (dir < 0)
		return dir;
	path = str_printf("%s/%s", cache_path, staging);
	r = kind->fetch(meaning, path, err);
	if (r >= 0 && renameat(cache, staging, cache, name) < 0 && errno != EEXIST &&
	    errno != ENOTEMPTY)
		r = error_errno(err, "keep it in %s", cache_path);
	(void)fs_remove_tree(cache, staging, &ignored);
	return r;
}

/* @path itself, or the file in it that has one of the usual names. */
static int find_file(const char *path, const char *within, char **ret, struct error *err)
{
	static const char *const names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
					    "docker-compose.yaml"};
	struct stat st;

	if (stat(path, &st) < 0)
		return error_set(err, ENOENT, "it has no %s", within && *within ? within : "files");
	if (!S_ISDIR(st.st_mode)) {
		*ret = alloc_string(path);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *file = str_printf("%s/%s", path, names[i]);

		if (access(file, F_OK) < 0)
			continue;
		*ret = TAKE_PTR(file);
		return 0;
	}
	return error_set(err, ENOENT, "there is no compose.yaml in %s",
			 within && *within ? within : "it");
}

/* Links of a repository may lead anywhere: what is read has to lie in it. */
static int check_inside(const char *root, const char *file, struct error *err)
{
	_cleanup_free_ char *real_root = realpath(root, NULL), *real = realpath(file, NULL);
	size_t length = real_root ? strlen(real_root) : 0;

	if (!real_root || !real)
		return error_errno(err, "read it");
	if (strncmp(real, real_root, length) != 0 || real[length] != '/')
		return error_set(err, EPERM, "its file is a link that leads out of it");
	return 0;
}

static int fetch_meaning(const struct kind *kind, struct remote_meaning *meaning, char **ret,
			 struct error *err)
{
	_cleanup_free_ char *cache_path = NULL, *name = NULL, *root = NULL, *path = NULL;
	_cleanup_close_ int cache = -EBADF;
	int r;

	if (is_off(kind->switch_variable))
		return error_set(err, EPERM, "%s remote resource is disabled by \"%s\"", kind->what,
				 kind->switch_variable);
	cache = open_cache(kind->folder, &cache_path, err);
	if (cache < 0)
		return cache;
	r = kind->resolve(meaning, err);
	if (r < 0)
		return r;
	name = alloc_string(meaning->name);
	r = fetch_into(kind, meaning, cache, cache_path, name, err);
	if (r < 0)
		return r;
	root = str_printf("%s/%s", cache_path, name);
	path = meaning->within && *meaning->within ? str_printf("%s/%s", root, meaning->within)
						   : alloc_string(root);
	r = find_file(path, meaning->within, ret, err);
	return r < 0 ? r : check_inside(root, *ret, err);
}

int remote_files_fetch(const char *reference, char **ret_path, struct error *err)
{
	/* For the whole command: a branch that moves meanwhile does not change what it means. */
	static struct map known;
	struct remote_meaning meaning = {0};
	const char *there = map_get(&known, reference);
	char *path = NULL;
	int r = 0;

	if (!there) {
		meaning.reference = str_starts_with(reference, "github.com/")
					    ? str_printf("https://%s", reference)
					    : alloc_string(reference);
		if (!kind_of(meaning.reference))
			r = error_set(err, EINVAL,
				      "it is neither a git repository (https://HOST/PATH.git, "
				      "git@HOST:PATH) nor an OCI artifact (oci://IMAGE)");
		else
			r = fetch_meaning(kind_of(meaning.reference), &meaning, &path, err);
		if (r >= 0)
			map_set(&known, reference, path);
		there = path;
	}
	free(meaning.reference);
	free(meaning.name);
	free(meaning.within);
	free(meaning.manifest);
	if (r < 0)
		free(path);
	else
		*ret_path = alloc_string(there);
	return r < 0 ? r : 0;
}
