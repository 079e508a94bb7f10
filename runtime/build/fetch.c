// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ADD brings from elsewhere: files by URL (libcurl), repositories (the git program). In the
 * step's process, into staging, before it is known whether the step has to run at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its macros know the functions by their own names only. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"

#define CONNECT_SECONDS 30L
#define STALL_SECONDS   60L
#define REDIRECTS_MAX   10L
#define GIT_HEAD_MAX    65536

static CURL *(*easy_init)(void);
static void (*easy_cleanup)(CURL *);
static __typeof__(curl_easy_setopt) *easy_setopt;
static __typeof__(curl_easy_getinfo) *easy_getinfo;
static __typeof__(curl_easy_perform) *easy_perform;
static __typeof__(curl_easy_strerror) *easy_strerror;
static __typeof__(curl_global_init) *global_init;

static int load_curl(struct error *err)
{
	static void *handle;
	const struct dl_symbol symbols[] = {
		DL_SYMBOL(easy_init, curl_easy_init),
		DL_SYMBOL(easy_cleanup, curl_easy_cleanup),
		DL_SYMBOL(easy_setopt, curl_easy_setopt),
		DL_SYMBOL(easy_getinfo, curl_easy_getinfo),
		DL_SYMBOL(easy_perform, curl_easy_perform),
		DL_SYMBOL(easy_strerror, curl_easy_strerror),
		DL_SYMBOL(global_init, curl_global_init),
	};
	int r = dl_load("libcurl.so.4", &handle, symbols, ARRAY_SIZE(symbols), err);

	if (r == 0)
		global_init(CURL_GLOBAL_DEFAULT);
	return r;
}

static bool is_web(const char *source)
{
	return str_starts_with(source, "http://") || str_starts_with(source, "https://");
}

bool fetch_is_git(const char *source)
{
	_cleanup_free_ char *url = alloc_string_n(source, strcspn(source, "#"));

	if (str_starts_with(url, "git://") || str_starts_with(url, "git@") ||
	    str_starts_with(url, "ssh://") || str_starts_with(url, "github.com/"))
		return true;
	return (is_web(url) || str_starts_with(url, "file://")) && str_ends_with(url, ".git");
}

bool fetch_is_remote(const char *source)
{
	return is_web(source) || fetch_is_git(source);
}

struct download {
	int fd;
	struct sha256 sha;
	struct error *err;
};

static size_t receive(char *data, size_t size, size_t count, void *user)
{
	struct download *download = user;
	int r = fd_write_all(download->fd, data, size * count);

	if (r < 0) {
		error_code(download->err, r, "write it");
		return 0;
	}
	sha256_update(&download->sha, data, size * count);
	return size * count;
}

static void configure(CURL *curl, const char *url, struct download *download)
{
	easy_setopt(curl, CURLOPT_URL, url);
	easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
	easy_setopt(curl, CURLOPT_MAXREDIRS, REDIRECTS_MAX);
	easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
	easy_setopt(curl, CURLOPT_FILETIME, 1L);
	easy_setopt(curl, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
	easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	easy_setopt(curl, CURLOPT_WRITEDATA, download);
}

static int transfer(CURL *curl, const char *url, struct download *download, long *ret_time,
		    struct error *err)
{
	CURLcode code = easy_perform(curl);
	long status = 0;

	if (err->code)
		return -err->code;
	easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	easy_getinfo(curl, CURLINFO_FILETIME, ret_time);
	if (code == CURLE_HTTP_RETURNED_ERROR)
		return error_set(err, status == 404 ? ENOENT : EIO, "%s: the server says %ld", url,
				 status);
	if (code != CURLE_OK)
		return error_set(err, EIO, "%s: %s", url, easy_strerror(code));
	return 0;
}

/* The last part of the path: what the file will be called. */
static char *name_of(const char *url)
{
	_cleanup_free_ char *path = alloc_string_n(url, strcspn(url, "?#"));
	const char *host = strstr(path, "://"), *slash;

	host = host ? host + 3 : path;
	slash = strrchr(host, '/');
	return alloc_string(slash && slash[1] && strcmp(slash + 1, "..") ? slash + 1
									 : "index.html");
}

static int check(const char *url, const char *hex, const char *wanted, struct error *err)
{
	if (!wanted || !strcmp(hex, digest_hex(wanted)))
		return 0;
	return error_set(err, EBADMSG, "%s: its content is sha256:%s, and --checksum says %s", url,
			 hex, wanted);
}

int fetch_url(const char *url, int fd, char ret_hex[SHA256_HEX_SIZE], long *ret_modified,
	      struct error *err)
{
	struct download download = {.fd = fd, .err = err};
	CURL *curl;
	int r;

	if (load_curl(err) < 0)
		return -err->code;
	sha256_init(&download.sha);
	curl = easy_init();
	if (!curl)
		return error_set(err, ENOMEM, "%s: libcurl does not start", url);
	configure(curl, url, &download);
	r = transfer(curl, url, &download, ret_modified, err);
	easy_cleanup(curl);
	sha256_hex(&download.sha, ret_hex);
	return r;
}

static int fetch_file(struct step_room *room, const char *url, int folder, struct sha256 *sha,
		      struct error *err)
{
	_cleanup_free_ char *name = name_of(url);
	struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};
	_cleanup_close_ int fd = -EBADF;
	char hex[SHA256_HEX_SIZE];
	long modified = -1;

	fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "%s", url);
	dprintf(room->log_fd, "fetching %s\n", url);
	if (fetch_url(url, fd, hex, &modified, err) < 0)
		return -err->code;
	times[1].tv_sec = modified < 0 ? 0 : modified;
	(void)futimens(fd, times);
	sha256_update(sha, hex, sizeof(hex));
	sha256_update(sha, name, strlen(name) + 1);
	return check(url, hex, room->step->copy.checksum, err);
}

/* Its output goes to @log_fd; the first line of what it says when it fails is the error. */
static int run_git(const char *const *argv, int log_fd, struct error *err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return error_errno(err, "start git");
	if (pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)dup2(log_fd, STDOUT_FILENO);
		(void)dup2(log_fd, STDERR_FILENO);
		(void)setenv("GIT_TERMINAL_PROMPT", "0", 1);
		(void)setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
		execvp("git", (char *const *)argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ENOENT,
				 "repositories are fetched by the git program, which is not "
				 "installed here");
	return error_set(err, EIO, "git %s failed", argv[3]);
}

/* "URL#REF:FOLDER" */
struct repository {
	char *url, *ref, *folder;
};

static void repository_parse(const char *source, struct repository *ret)
{
	const char *fragment = strchr(source, '#'), *colon;

	*ret = (struct repository){0};
	ret->url = str_printf("%s%.*s", str_starts_with(source, "github.com/") ? "https://" : "",
			      (int)strcspn(source, "#"), source);
	if (!fragment)
		return;
	fragment++;
	colon = strchr(fragment, ':');
	ret->ref = alloc_string_n(fragment, colon ? (size_t)(colon - fragment) : strlen(fragment));
	ret->folder = colon && colon[1] ? alloc_string(colon + 1) : NULL;
}

static void repository_done(struct repository *repository)
{
	free(repository->url);
	free(repository->ref);
	free(repository->folder);
}

/* Any name or commit that the server gives out; it is checked out detached. */
static int clone_repository(const struct repository *repository, const char *path, int log_fd,
			    struct error *err)
{
	const char *ref = repository->ref && *repository->ref ? repository->ref : "HEAD";
	const char *const init[] = {"git", "-C", path, "init", "-q", NULL};
	const char *const fetch[] = {
		"git", "-C", path, "fetch", "-q", "--depth", "1", "--", repository->url, ref, NULL};
	const char *const checkout[] = {"git", "-C",       path,         "checkout",
					"-q",  "--detach", "FETCH_HEAD", NULL};

	if (*ref == '-')
		return error_set(err, EINVAL, "'%.60s' is no name of a commit", ref);
	if (run_git(init, log_fd, err) < 0 || run_git(fetch, log_fd, err) < 0)
		return -err->code;
	return run_git(checkout, log_fd, err);
}

/* Only the folder that was asked for stays. */
static int keep_folder(const char *path, const char *folder, struct error *err)
{
	_cleanup_close_ int root = fs_open_dir(AT_FDCWD, path, err);
	_cleanup_free_ char *from = NULL, *aside = str_printf("%s.part", path);

	if (root < 0)
		return root;
	if (strstr(folder, ".."))
		return error_set(err, EINVAL, "'%.80s': no folder of the repository", folder);
	from = str_printf("%s/%s", path, folder);
	if (rename(from, aside) < 0)
		return error_errno(err, "folder %s of the repository", folder);
	close(TAKE_FD(root));
	if (fs_remove_tree(AT_FDCWD, path, err) < 0)
		return -err->code;
	return rename(aside, path) < 0 ? error_errno(err, "folder %s", folder) : 0;
}

/* A tag may be an object of its own: its name does as well. */
static int check_commit(const char *git, const char *wanted, struct error *err)
{
	static const char *const files[] = {"HEAD", "FETCH_HEAD"};
	_cleanup_close_ int dir = fs_open_dir(AT_FDCWD, git, err);
	_cleanup_free_ char *found = NULL;

	if (dir < 0)
		return dir;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *text = NULL;

		if (fs_read(dir, files[i], GIT_HEAD_MAX, &text, NULL, err) < 0)
			return -err->code;
		if (!strncasecmp(text, wanted, strlen(wanted)))
			return 0;
		if (!found)
			found = alloc_string_n(text, strspn(text, "0123456789abcdef"));
	}
	return error_set(err, EBADMSG, "it is at commit %s, and --checksum says %s", found, wanted);
}

int fetch_git(const char *url, const char *path, const char *commit, bool keep_git, int log_fd,
	      struct error *err)
{
	struct repository repository;
	_cleanup_free_ char *git = str_printf("%s/.git", path);
	int r;

	repository_parse(url, &repository);
	r = clone_repository(&repository, path, log_fd, err);
	if (r == 0 && commit)
		r = check_commit(git, commit, err);
	if (r == 0 && !keep_git)
		r = fs_remove_tree(AT_FDCWD, git, err);
	if (r == 0 && repository.folder)
		r = keep_folder(path, repository.folder, err);
	if (r < 0)
		error_wrap(err, "%s", repository.url);
	repository_done(&repository);
	return r;
}

static int fetch_repository(struct step_room *room, const char *url, const char *path,
			    struct sha256 *sha, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	struct digest digest = {0};
	char hex[SHA256_HEX_SIZE];
	int r = fetch_git(url, path, copy->checksum, copy->keep_git, room->log_fd, err);

	if (r < 0)
		return r;
	digest.root = fs_open_dir(AT_FDCWD, path, err);
	if (digest.root < 0)
		return digest.root;
	sha256_init(&digest.sha);
	r = digest_path(&digest, "", err);
	close(digest.root);
	sha256_hex(&digest.sha, hex);
	sha256_update(sha, hex, sizeof(hex));
	return r;
}

int fetch_remotes(struct step_room *room, struct sha256 *sha, struct error *err)
{
	const struct copy_spec *copy = &room->step->copy;
	_cleanup_free_ char *name = str_printf("%s.fetch", room->step->scratch);
	_cleanup_close_ int all = fs_mkdir_open(room->staging, name, 0755, err);

	if (all < 0)
		return all;
	for (size_t i = 0; copy->remotes[i]; i++) {
		_cleanup_free_ char *number = str_printf("%zu", i);
		_cleanup_close_ int folder = fs_mkdir_open(all, number, 0755, err);
		_cleanup_free_ char *path =
			str_printf("%s/layers/%s/%s/%s", room->build->with->root,
				   room->build->staging.name, name, number);
		int r;

		if (folder < 0)
			return folder;
		r = fetch_is_git(copy->remotes[i])
			    ? fetch_repository(room, copy->remotes[i], path, sha, err)
			    : fetch_file(room, copy->remotes[i], folder, sha, err);
		if (r < 0)
			return r;
	}
	return 0;
}
