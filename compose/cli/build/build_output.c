// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/build/build_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/image.h"

#include "compose/cli/image/store_here.h"
#include "compose/cli/projects.h"
#include "compose/cli/registry/push_run.h"
#include "compose/cli/view/output.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

static const struct {
	const char *name;
	enum build_output_kind kind;
	bool push;
} types[] = {
	{"image", BUILD_TO_STORE, false},  {"docker", BUILD_TO_DOCKER, false},
	{"oci", BUILD_TO_OCI, false},      {"registry", BUILD_TO_STORE, true},
	{"local", BUILD_TO_FOLDER, false}, {"tar", BUILD_TO_TAR, false},
};

static int set_type(struct build_output_to *to, const char *text, const char *type,
		    struct error *err)
{
	const char *names[ARRAY_SIZE(types)], *meant;

	array_foreach(row, types) {
		names[row - types] = row->name;
		if (strcmp(row->name, type) != 0)
			continue;
		to->kind = row->kind;
		to->push = to->push || row->push;
		return 0;
	}
	meant = str_suggest(type, names, ARRAY_SIZE(names));
	return error_set(err, EINVAL, "--output %s: there is no type '%s'%s%s%s", text, type,
			 meant ? "; did you mean '" : " (local, tar, oci, docker, image, registry",
			 meant ?: "", meant ? "'?" : ")");
}

static int set_field(struct build_output_to *to, const char *text, char *field, struct error *err)
{
	char *equals = strchr(field, '='), *value;

	if (!equals)
		return error_set(err, EINVAL, "--output %s: '%s' must be KEY=VALUE", text, field);
	*equals = '\0';
	value = equals + 1;
	if (!strcmp(field, "type"))
		return set_type(to, text, value, err);
	if (!strcmp(field, "dest")) {
		free(to->path);
		to->path = strcmp(value, "-") ? alloc_string(value) : NULL;
	} else if (!strcmp(field, "name")) {
		strv_append(&to->names, value);
	} else if (!strcmp(field, "platform-split")) {
		to->split = !strcmp(value, "true");
	} else if (!strcmp(field, "push")) {
		to->push = !strcmp(value, "true");
	} else {
		output_warn("--output: %s has no effect", field);
	}
	return 0;
}

static int check(const struct build_output_to *to, const char *text, struct error *err)
{
	if (to->kind == BUILD_TO_FOLDER && !to->path)
		return error_set(err, EINVAL, "--output %s: dest=FOLDER is missing", text);
	if (to->kind == BUILD_TO_STORE && to->path)
		return error_set(err, EINVAL, "--output %s: an image in the store has no dest",
				 text);
	if (build_output_is_stdout(to) && isatty(STDOUT_FILENO))
		return error_set(err, EINVAL,
				 "--output %s: dest=FILE is missing, an archive is not written to "
				 "a terminal",
				 text);
	return 0;
}

int build_output_parse(struct build_output_to *ret, const char *text, struct error *err)
{
	_cleanup_strv_ char **fields = NULL;
	bool docker;

	*ret = (struct build_output_to){.fd = -EBADF};
	if (!text)
		return 0;
	if (!*text)
		return error_set(err, EINVAL, "--output: it is empty");
	if (!strcmp(text, "-")) {
		ret->kind = BUILD_TO_TAR;
		return check(ret, text, err);
	}
	if (!strchr(text, '=')) {
		ret->kind = BUILD_TO_FOLDER;
		ret->path = alloc_string(text);
		return 0;
	}
	fields = strv_split(text, ",");
	docker = strv_contains(fields, "type=docker");
	if (!str_starts_with(text, "type=") && !strstr(text, ",type="))
		return error_set(err, EINVAL, "--output %s: type=TYPE is missing", text);
	strv_foreach(field, fields)
		if (set_field(ret, text, field, err) < 0)
			return -err->code;
	/* Without a place it is the store. */
	if (docker && !ret->path && !strv_contains(fields, "dest=-") && !strstr(text, "dest="))
		ret->kind = BUILD_TO_STORE;
	return check(ret, text, err);
}

bool build_output_is_stdout(const struct build_output_to *to)
{
	return to->kind != BUILD_TO_STORE && to->kind != BUILD_TO_FOLDER && !to->path;
}

static char *path_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash ? alloc_string(".") : alloc_string_n(path, (size_t)(slash - path) + 1);
}

static int open_folder(struct build_output_to *to, struct error *err)
{
	for (char *slash = to->path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(to->path, 0755);
		*slash = '/';
	}
	if (mkdir(to->path, 0755) < 0 && errno != EEXIST)
		return error_errno(err, "output: make %s", to->path);
	to->fd = open(to->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return to->fd < 0 ? error_errno(err, "output: %s", to->path) : 0;
}

/* Without a name, where that is possible: who is killed leaves nothing. */
static int open_file(struct build_output_to *to)
{
	_cleanup_free_ char *folder = path_folder(to->path);
	int fd = open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644);

	to->temporary = str_printf("%s.new-%d", to->path, (int)getpid());
	to->unnamed = fd >= 0;
	return fd >= 0 ? fd : open(to->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

static int name_file(struct build_output_to *to, struct error *err)
{
	char path[FD_PATH_MAX];

	if (to->unnamed &&
	    linkat(AT_FDCWD, fd_path(to->fd, path), AT_FDCWD, to->temporary, AT_SYMLINK_FOLLOW) < 0)
		return error_errno(err, "output: %s", to->path);
	to->unnamed = false;
	if (rename(to->temporary, to->path) < 0)
		return error_errno(err, "output: %s", to->path);
	free(to->temporary);
	to->temporary = NULL;
	return 0;
}

int build_output_open(struct build_output_to *to, struct build_options *options, struct error *err)
{
	if (to->push && (!options->tags || !options->tags[0]))
		return error_set(err, EINVAL,
				 "tag is needed when pushing to registry: -t REGISTRY/NAME");
	if (to->kind == BUILD_TO_STORE)
		return 0;
	if (to->kind == BUILD_TO_FOLDER) {
		if (open_folder(to, err) < 0)
			return -err->code;
		options->output = BUILD_OUTPUT_FOLDER;
	} else {
		to->fd = to->path ? open_file(to) : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		if (to->fd < 0)
			return error_errno(err, "output: %s", to->path ?: "stdout");
		if (to->kind == BUILD_TO_TAR)
			options->output = BUILD_OUTPUT_TAR;
	}
	options->output_fd = to->fd;
	return 0;
}

bool build_output_is_archive(const struct build_output_to *to)
{
	return (to->kind == BUILD_TO_DOCKER || to->kind == BUILD_TO_OCI) && !to->push;
}

static int archive(const struct build_output_to *to, const struct build_job *job, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;

	if (store_here_open(&store, err) < 0)
		return -err->code;
	return image_save_as(store, job->image_id, job->options.tags,
			     to->kind == BUILD_TO_OCI ? IMAGE_SAVE_OCI : IMAGE_SAVE_DOCKER, to->fd,
			     err);
}

int build_output_forget(const struct build_output_to *to, const struct build_job *job,
			struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_strv_ char **removed = NULL;

	if (!build_output_is_archive(to) || !job->is_new)
		return 0;
	if (store_here_open(&store, err) < 0)
		return -err->code;
	return image_remove(store, job->image_id, false, &projects_image_users, &removed, err);
}

int build_output_finish(struct project_args *args, struct build_output_to *to,
			const struct build_job *job, bool quiet, struct error *err)
{
	const struct push_run_options pushing = {.quiet = quiet};

	if ((to->kind == BUILD_TO_DOCKER || to->kind == BUILD_TO_OCI) && archive(to, job, err) < 0)
		return error_wrap(err, "output");
	if (to->kind == BUILD_TO_TAR && build_output_append(to, err) < 0)
		return error_wrap(err, "output");
	if (to->temporary && name_file(to, err) < 0)
		return -err->code;
	return to->push ? push_run(args, job->options.tags, &pushing) : 0;
}

void build_output_done(struct build_output_to *to)
{
	if (to->temporary && !to->unnamed)
		(void)unlink(to->temporary);
	free(to->temporary);
	free(to->path);
	strv_free(to->names);
	cleanup_close_fd(&to->fd);
	build_output_forget_parts(to);
}

int build_output_metadata(const struct build_job *job, const char *index, const char *path,
			  struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	_cleanup_json_ json_t *file = json_object();
	_cleanup_strbuf_ struct strbuf names = {0};
	_cleanup_free_ char *text = NULL;

	if (job->image_id) {
		if (store_here_open(&store, err) < 0 ||
		    image_find(store, job->image_id, &image, err) < 0)
			return -err->code;
		strv_foreach(tag, job->options.tags) {
			_cleanup_free_ char *name = NULL;

			if (reference_parse(tag, &name, err) < 0)
				return -err->code;
			strbuf_addf(&names, "%s%s", names.length ? "," : "", name);
		}
		json_put_string(file, "containerimage.config.digest", job->image_id);
		json_put_string(file, "containerimage.digest", index ?: image->digest);
		if (names.length)
			json_put_string(file, "image.name", names.data);
	}
	text = json_dumps(file, JSON_INDENT(2));
	return fs_replace(AT_FDCWD, path, text, strlen(text), FS_ATOMIC, err);
}
