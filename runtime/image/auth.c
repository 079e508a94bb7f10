// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/auth.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/base64.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/auth_helper.h"

#define CONFIG_MAX (4 << 20)
#define CONFIG     "config.json"

void auth_credentials_done(struct auth_credentials *credentials)
{
	char *secrets[] = {credentials->username, credentials->password,
			   credentials->identity_token, credentials->registry_token};

	array_foreach(secret, secrets) {
		if (*secret)
			explicit_bzero(*secret, strlen(*secret));
		free(*secret);
	}
	*credentials = (struct auth_credentials){0};
}

static bool is_hub(const char *host)
{
	static const char *const names[] = {"docker.io", "index.docker.io", "registry-1.docker.io",
					    "registry.hub.docker.com"};

	array_foreach(name, names)
		if (strcmp(*name, host) == 0)
			return true;
	return false;
}

const char *auth_key(const char *registry)
{
	return is_hub(registry) ? AUTH_HUB_KEY : registry;
}

char *auth_registry_of(const char *server)
{
	const char *scheme = strstr(server, "://"), *host = scheme ? scheme + 3 : server;
	char *name = alloc_string_n(host, strcspn(host, "/"));

	if (!is_hub(name))
		return name;
	free(name);
	return alloc_string("docker.io");
}

static int open_folder(char **ret_path, struct error *err)
{
	const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	char *path;
	int fd;

	if (folder && *folder)
		path = alloc_string(folder);
	else if (home && *home)
		path = str_printf("%s/.docker", home);
	else
		return error_set(err, ENOENT, "credentials: neither DOCKER_CONFIG nor HOME is set");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != EACCES && errno != ENOTDIR) {
		error_errno(err, "credentials: %s", path);
		free(path);
		return -err->code;
	}
	*ret_path = path;
	return fd < 0 ? -EBADF : fd;
}

/* An empty object where there is no such file. */
static int read_config(int folder, const char *path, json_t **ret, struct error *err)
{
	int r = folder < 0 ? -ENOENT : json_read(folder, CONFIG, CONFIG_MAX, ret, err);

	if (r == -ENOENT || r == -EACCES) {
		error_clear(err);
		*ret = json_object();
		return 0;
	}
	if (r < 0)
		return error_wrap(err, "credentials: %s", path);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		*ret = NULL;
		return error_set(err, EBADMSG, "credentials: %s/" CONFIG ": it is not an object",
				 path);
	}
	return 0;
}

/* The entry whose name means this registry, written in whichever way. */
static const json_t *find_entry(const json_t *entries, const char *registry, const char **ret_name)
{
	const json_t *entry = json_object_get(entries, auth_key(registry));
	const char *name;
	json_t *value;

	*ret_name = auth_key(registry);
	if (entry)
		return entry;
	json_object_foreach((json_t *)entries, name, value) {
		_cleanup_free_ char *host = auth_registry_of(name);

		*ret_name = name;
		if (strcmp(host, is_hub(registry) ? "docker.io" : registry) == 0)
			return value;
	}
	return NULL;
}

const char *auth_helper_of(const json_t *config, const char *registry)
{
	const char *name, *helper;

	helper = json_string_value(
		find_entry(json_object_get(config, "credHelpers"), registry, &name));
	if (!helper)
		helper = json_get_string(config, "credsStore");
	return helper && *helper ? helper : NULL;
}

/* "auth": base64 of "user:password". */
static int decode_pair(const char *name, const char *text, struct auth_credentials *ret,
		       struct error *err)
{
	_cleanup_free_ char *plain = base64_decode(text, NULL);
	char *colon = plain ? strchr(plain, ':') : NULL;

	if (!colon)
		return error_set(err, EBADMSG,
				 "credentials: auths.%.100s.auth is not base64 of user:password; "
				 "`berth login` writes it anew",
				 name);
	*colon = '\0';
	ret->username = alloc_string(plain);
	ret->password = alloc_string(colon + 1);
	explicit_bzero(colon + 1, strlen(colon + 1));
	return 0;
}

int auth_decode(const json_t *config, const char *registry, struct auth_credentials *ret,
		struct error *err)
{
	const char *name, *text;
	const json_t *entry = find_entry(json_object_get(config, "auths"), registry, &name);

	if (!entry)
		return 0;
	text = json_get_string(entry, "auth");
	if (text && *text) {
		if (decode_pair(name, text, ret, err) < 0)
			return -err->code;
	} else if (json_get_string(entry, "username")) {
		ret->username = alloc_string(json_get_string(entry, "username"));
		ret->password = alloc_string(json_get_string(entry, "password"));
	}
	text = json_get_string(entry, "identitytoken");
	ret->identity_token = text && *text ? alloc_string(text) : NULL;
	text = json_get_string(entry, "registrytoken");
	ret->registry_token = text && *text ? alloc_string(text) : NULL;
	if (!ret->password && ret->username)
		ret->password = alloc_string("");
	return ret->username || ret->identity_token || ret->registry_token;
}

/* An empty object where nobody can say which file it is. */
static int find_config(char **ret_path, json_t **ret, struct error *err)
{
	_cleanup_close_ int folder = -EBADF;

	if (!getenv("DOCKER_CONFIG") && !getenv("HOME")) {
		*ret = json_object();
		return 0;
	}
	folder = open_folder(ret_path, err);
	if (folder < 0 && folder != -EBADF)
		return folder;
	return read_config(folder, *ret_path, ret, err);
}

int auth_proxies(const char *host, char ***ret, struct error *err)
{
	static const struct {
		const char *key, *name, *small;
	} rows[] = {
		{"httpProxy", "HTTP_PROXY", "http_proxy"},
		{"httpsProxy", "HTTPS_PROXY", "https_proxy"},
		{"noProxy", "NO_PROXY", "no_proxy"},
		{"ftpProxy", "FTP_PROXY", "ftp_proxy"},
		{"allProxy", "ALL_PROXY", "all_proxy"},
	};
	_cleanup_json_ json_t *config = NULL;
	_cleanup_free_ char *path = NULL;
	const json_t *all, *proxies;
	int r = find_config(&path, &config, err);

	*ret = NULL;
	if (r < 0)
		return r;
	all = json_object_get(config, "proxies");
	proxies = json_object_get(all, host) ?: json_object_get(all, "default");
	array_foreach(row, rows) {
		const char *value = json_get_string(proxies, row->key);

		if (!value || !*value)
			continue;
		strv_env_set(ret, row->name, value);
		strv_env_set(ret, row->small, value);
	}
	return 0;
}

int auth_find(const char *registry, struct auth_credentials *ret, struct error *err)
{
	_cleanup_json_ json_t *config = NULL;
	_cleanup_free_ char *path = NULL;
	struct auth_credentials found = {0};
	const char *helper;
	int r;

	r = find_config(&path, &config, err);
	if (r < 0)
		return r;
	helper = auth_helper_of(config, registry);
	r = helper ? auth_helper_get(helper, auth_key(registry), &found, err) : 0;
	if (r == 0)
		r = auth_decode(config, registry, &found, err);
	if (r <= 0) {
		auth_credentials_done(&found);
		return r < 0 ? error_wrap(err, "%s/" CONFIG, path) : 0;
	}
	*ret = found;
	return 1;
}

/*
 * The folder that the file is in, and its name there: a config.json that is a link (into a folder
 * of dot files, say) stays one, and what it leads to is written.
 */
static int where_it_is(int folder, char **ret_name, struct error *err)
{
	char link[PATH_MAX], path[FD_PATH_MAX], at[FD_PATH_MAX + sizeof(CONFIG)], *slash;
	int fd;

	*ret_name = alloc_string(CONFIG);
	if (readlinkat(folder, CONFIG, link, sizeof(link)) < 0)
		return fcntl(folder, F_DUPFD_CLOEXEC, 3);
	snprintf(at, sizeof(at), "%s/" CONFIG, fd_path(folder, path));
	if (!realpath(at, link))
		return error_errno(err, "what the link " CONFIG " leads to");
	slash = strrchr(link, '/');
	free(*ret_name);
	*ret_name = alloc_string(slash + 1);
	slash[slash == link] = '\0';
	fd = open(link, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "%.200s", link) : fd;
}

/* Beside its name and renamed, never to be read by others: not for a moment. */
static int write_config(int folder, const json_t *config, struct error *err)
{
	_cleanup_free_ char *text = json_dumps(config, JSON_INDENT(1)), *beside = NULL;
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int dir = where_it_is(folder, &name, err), fd = -EBADF;
	char random[17];
	int r;

	if (dir < 0)
		return dir;
	fs_random_hex(random, 8);
	beside = str_printf(".config.json.%s", random);
	fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "write " CONFIG);
	r = fd_write_all(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir, beside, dir, name) < 0)
		r = -errno;
	explicit_bzero(text, strlen(text));
	if (r == 0)
		return 0;
	(void)unlinkat(dir, beside, 0);
	return error_code(err, r, "write " CONFIG);
}

static json_t *object_of(json_t *config, const char *key)
{
	json_t *object = json_object_get(config, key);

	if (!json_is_object(object)) {
		object = json_object();
		json_object_set_new(config, key, object);
	}
	return object;
}

static void put_entry(json_t *config, const char *registry, const char *helper,
		      const struct auth_credentials *credentials)
{
	_cleanup_free_ char *plain = NULL, *encoded = NULL;
	json_t *entry = json_object();

	json_object_set_new(object_of(config, "auths"), auth_key(registry), entry);
	if (helper)
		return; /* an empty entry says who is logged in; the program knows the rest */
	plain = str_printf("%s:%s", credentials->username ? credentials->username : "",
			   credentials->identity_token ? "" : credentials->password);
	encoded = base64_encode(plain, strlen(plain));
	json_put_string(entry, "auth", encoded);
	json_put_string(entry, "identitytoken", credentials->identity_token);
	explicit_bzero(plain, strlen(plain));
}

/*
 * The folder, locked, so that two logins at once both stay. -EBADF without an error: there is none
 * and @make is false.
 */
static int lock_config(bool make, char **ret_path, json_t **ret, struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int folder = open_folder(&path, err);
	int r;

	if (folder == -EBADF && make) {
		folder = fs_mkdir_path(path, 0700, err);
		if (folder < 0)
			return error_wrap(err, "credentials: %s", path);
	}
	if (folder < 0)
		return folder;
	while (flock(folder, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(err, "credentials: lock %s", path);
	r = read_config(folder, path, ret, err);
	if (r < 0)
		return r;
	*ret_path = TAKE_PTR(path);
	return TAKE_FD(folder);
}

int auth_store(const char *registry, const struct auth_credentials *credentials, char **ret_helper,
	       char **ret_path, struct error *err)
{
	_cleanup_json_ json_t *config = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int folder = lock_config(true, &path, &config, err);
	const char *helper;
	int r;

	if (folder < 0)
		return folder;
	helper = auth_helper_of(config, registry);
	r = helper ? auth_helper_store(helper, auth_key(registry), credentials, err) : 0;
	if (r < 0)
		return r;
	*ret_helper = alloc_string(helper);
	put_entry(config, registry, helper, credentials);
	r = write_config(folder, config, err);
	if (r < 0)
		return error_wrap(err, "credentials: %s", path);
	*ret_path = str_printf("%s/" CONFIG, path);
	return 0;
}

int auth_erase(const char *registry, struct error *err)
{
	_cleanup_json_ json_t *config = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int folder = lock_config(false, &path, &config, err);
	const char *helper, *name;
	int r, found;

	if (folder < 0)
		return folder == -EBADF && !err->code ? 0 : folder;
	helper = auth_helper_of(config, registry);
	found = helper ? auth_helper_erase(helper, auth_key(registry), err) : 0;
	if (found < 0)
		return found;
	if (!find_entry(json_object_get(config, "auths"), registry, &name))
		return found;
	json_object_del(json_object_get(config, "auths"), name);
	r = write_config(folder, config, err);
	return r < 0 ? error_wrap(err, "credentials: %s", path) : 1;
}
