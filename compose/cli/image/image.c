// SPDX-License-Identifier: GPL-2.0-or-later
/* `berth image`: the store, beside any project. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "common/str.h"

#include "runtime/image/variants.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/image/image_filter.h"
#include "compose/cli/image/image_rows.h"
#include "compose/cli/image/image_tree.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/inspect/inspect.h"
#include "compose/cli/projects.h"
#include "compose/cli/registry/docker_config.h"
#include "compose/cli/view/output.h"

DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);

/* A file, a folder, or with "-" (or nothing) stdin. */
static int open_input(const char *path, struct error *err)
{
	int fd;

	if (path && strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? error_errno(err, "open %s", path) : fd;
	}
	if (isatty(STDIN_FILENO))
		return error_set(err, EINVAL, "requested load from stdin, but stdin is a terminal");
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? error_errno(err, "stdin") : fd;
}

/* What is behind an archive's end is read as well: its writer is not to fail for our haste. */
static void read_rest(int fd)
{
	char rest[4096];

	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

/* image import */

static char **import_changes;
static const char *import_message, *import_platform;

static const struct option import_options[] = {
	{"change", 'c', OPTION_LIST, &import_changes, "list",
	 "A Dockerfile instruction for the image's configuration: CMD, ENV, USER, ..."},
	{"message", 'm', OPTION_STRING, &import_message, "string",
	 "A note kept in the image's history"},
	{"platform", 0, OPTION_STRING, &import_platform, "string",
	 "os/architecture of what is imported"},
	{NULL},
};

static int import(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_close_ int fd = -EBADF;
	_cleanup_free_ char *id = NULL;
	struct error err = ERROR_INIT;
	const struct image_import_options options = {
		.reference = argc > 1 ? argv[1] : NULL,
		.message = import_message,
		.platform = docker_platform(import_platform),
		.changes = import_changes,
	};

	fd = open_input(argv[0], &err);
	if (fd < 0 || store_here_open(&store, &err) < 0 ||
	    image_import(store, fd, &options, &id, &err) < 0)
		return output_fail(args, &err);
	read_rest(fd);
	puts(id);
	return 0;
}

static const struct command command_import = {
	.name = "import",
	.operands = "[OPTIONS] FILE|DIRECTORY|- [REPOSITORY[:TAG]]",
	.summary = "Make an image of a root file system: a tar archive or a folder",
	.options = import_options,
	.min_operands = 1,
	.max_operands = 2,
	.run = import,
};

/* image load */

static const char *load_input, *load_platform;
static bool load_quiet;

static const struct option load_options[] = {
	{"input", 'i', OPTION_STRING, &load_input, "string",
	 "Read this file or folder rather than standard input"},
	{"platform", 0, OPTION_STRING, &load_platform, "string",
	 "Of an image for several platforms the one for this os/architecture"},
	{"quiet", 'q', OPTION_FLAG, &load_quiet, NULL, "Print nothing"},
	{NULL},
};

static int load(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_strv_ char **loaded = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;

	fd = open_input(load_input, &err);
	if (fd < 0 || store_here_open(&store, &err) < 0 ||
	    image_load(store, fd, load_platform, &loaded, &err) < 0)
		return output_fail(args, &err);
	read_rest(fd);
	strv_foreach(name, loaded) {
		bool id = str_starts_with(name, "sha256:");

		if (!load_quiet)
			printf("Loaded image%s: %s\n", id ? " ID" : "", name);
	}
	return 0;
}

static const struct command command_load = {
	.name = "load",
	.operands = "[OPTIONS]",
	.summary = "Take in images from an archive: docker save's, or an OCI layout",
	.options = load_options,
	.run = load,
};

/* image save */

static const char *save_output, *save_platform, *save_format = "docker";

static const struct option save_options[] = {
	{"format", 0, OPTION_STRING, &save_format, "string", "docker (default) or oci"},
	{"output", 'o', OPTION_STRING, &save_output, "string",
	 "Write to this file rather than to standard output"},
	{"platform", 0, OPTION_STRING, &save_platform, "string",
	 "Only the image for this os/architecture"},
	{NULL},
};

static int open_output(struct error *err)
{
	int fd;

	if (save_output) {
		fd = open(save_output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		return fd < 0 ? error_errno(err, "open %s", save_output) : fd;
	}
	if (isatty(STDOUT_FILENO))
		return error_set(err, EINVAL,
				 "cowardly refusing to save to a terminal. Use the -o flag or "
				 "redirect");
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? error_errno(err, "stdout") : fd;
}

static int save(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_close_ int fd = -EBADF;
	struct error err = ERROR_INIT;
	bool oci = !strcmp(save_format, "oci") || !strcmp(save_format, "oci-archive");

	if (!oci && strcmp(save_format, "docker") != 0) {
		error_set(&err, EINVAL, "unsupported --format value \"%s\"", save_format);
		return output_fail(args, &err);
	}
	if (store_here_open(&store, &err) < 0)
		return output_fail(args, &err);
	/* A name that is not there must not cost the file that was there before. */
	for (int i = 0; i < argc; i++) {
		_cleanup_(cleanup_image_free) struct image *image = NULL;

		if (image_find_platform(store, argv[i], save_platform, &image, &err) < 0)
			return output_fail(args, &err);
	}
	fd = open_output(&err);
	if (fd < 0)
		return output_fail(args, &err);
	if (image_save(store, argv, oci ? IMAGE_SAVE_OCI : IMAGE_SAVE_DOCKER, save_platform, fd,
		       &err) >= 0)
		return 0;
	if (save_output)
		unlink(save_output);
	return output_fail(args, &err);
}

static const struct command command_save = {
	.name = "save",
	.operands = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Write images into an archive",
	.options = save_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = save,
};

/* image ls */

static bool list_quiet, list_no_trunc, list_all, list_digests, list_tree;
static const char *list_format;
static char **list_filters;

static const struct option list_options[] = {
	{"all", 'a', OPTION_FLAG, &list_all, NULL, "Also those without a name"},
	{"digests", 0, OPTION_FLAG, &list_digests, NULL, "Show digests as well"},
	{"filter", 'f', OPTION_LIST, &list_filters, "filter",
	 "reference=PATTERN, dangling=true|false, label=KEY[=VALUE], before=, since=IMAGE, until="},
	{"format", 0, OPTION_STRING, &list_format, "string",
	 "table, json, or a template such as '{{.Name}}'"},
	{"no-trunc", 0, OPTION_FLAG, &list_no_trunc, NULL, "Show ids and commands whole"},
	{"quiet", 'q', OPTION_FLAG, &list_quiet, NULL, "Ids only"},
	{"tree", 0, OPTION_FLAG, &list_tree, NULL,
	 "The platforms of each as well, what they take, and whether a container uses them"},
	{NULL},
};

static const char *const list_columns[] = {
	"REPOSITORY", "Repository",   "TAG",  "Tag",  "IMAGE ID", "ID",
	"CREATED",    "CreatedSince", "SIZE", "Size", NULL,
};

static const char *const digest_columns[] = {
	"REPOSITORY", "Repository", "TAG",          "Tag",  "DIGEST", "Digest", "IMAGE ID",
	"ID",         "CREATED",    "CreatedSince", "SIZE", "Size",   NULL,
};

static bool selected(const struct image *image, const char *name)
{
	_cleanup_free_ char *repository = NULL, *tag = NULL, *both = NULL;

	if (!name)
		return true;
	if (!image->reference)
		return false;
	reference_familiar(image->reference, &repository, &tag);
	both = str_printf("%s:%s", repository ?: "", tag ?: "");
	return str_equal(repository, name) || !strcmp(both, name);
}

/* As docker: a tree is for people. */
static int check_tree(struct error *err)
{
	const char *flag = list_quiet      ? "quiet"
			   : list_no_trunc ? "no-trunc"
			   : list_digests  ? "digests"
			   : list_format   ? "format"
					   : NULL;

	return list_tree && flag ? error_set(err, EINVAL, "--%s is not possible with --tree", flag)
				 : 0;
}

static int list(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_json_ json_t *rows = json_array();
	_cleanup_(image_filter_done) struct image_filter filter = {0};
	struct error err = ERROR_INIT;
	struct image **images = NULL;
	size_t i, count = 0;
	json_t *row;

	if (check_tree(&err) < 0 || store_here_open(&store, &err) < 0 ||
	    image_filter_parse(list_filters, store, &filter, &err) < 0 ||
	    image_list(store, &images, &count, &err) < 0)
		return output_fail(args, &err);
	for (i = 0; i < count; i++) {
		if (selected(images[i], argc ? argv[0] : NULL) &&
		    image_filter_matches(&filter, images[i])) {
			if (list_tree)
				image_tree_add(store, images[i], rows);
			else
				json_array_append_new(rows, image_row(images[i], !list_no_trunc));
		}
		image_free(images[i]);
	}
	free(images);
	if (list_tree)
		return image_tree_print(rows, &err) < 0 ? output_fail(args, &err) : 0;
	if (list_quiet) {
		json_array_foreach(rows, i, row)
			puts(json_get_string(row, "ID"));
		return 0;
	}
	list_format = docker_config_format(list_format, "imagesFormat");
	if (output_rows(rows, list_format, list_digests ? digest_columns : list_columns,
			OUTPUT_LINES, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_list = {
	.name = "ls",
	.aliases = "list images",
	.operands = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "Show the images that are here",
	.options = list_options,
	.max_operands = 1,
	.run = list,
};

/* image rm */

static bool remove_force, remove_ignored;
static const char *remove_platform;

static const struct option remove_options[] = {
	{"force", 'f', OPTION_FLAG, &remove_force, NULL,
	 "Though it has several names, or a stopped container uses it"},
	{"no-prune", 0, OPTION_FLAG, &remove_ignored, NULL, NULL},
	{"platform", 0, OPTION_STRING, &remove_platform, "string",
	 "Of an image for several platforms only the one for this os/architecture"},
	{NULL},
};

static int remove_one(struct image_store *store, const char *name, char ***ret_removed,
		      struct error *err)
{
	char digest[DIGEST_SIZE];

	if (!remove_platform)
		return image_remove(store, name, remove_force, &projects_image_users, ret_removed,
				    err);
	if (image_remove_platform(store, name, remove_platform, &projects_image_users, digest,
				  err) < 0)
		return -err->code;
	strv_take(ret_removed, str_printf("Deleted: %s", digest));
	return 0;
}

static int rm(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct error err = ERROR_INIT;
	int exit_code = 0;

	if (store_here_open(&store, &err) < 0)
		return output_fail(args, &err);
	for (int i = 0; i < argc; i++) {
		_cleanup_strv_ char **removed = NULL;

		error_clear(&err);
		if (remove_one(store, argv[i], &removed, &err) < 0) {
			if (!(remove_force && err.code == ENOENT))
				exit_code = output_fail(args, &err);
			continue;
		}
		strv_foreach(line, removed)
			puts(line);
	}
	return exit_code;
}

static const struct command command_remove = {
	.name = "rm",
	.aliases = "rmi remove",
	.operands = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove images",
	.options = remove_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = rm,
};

static int tag(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	struct error err = ERROR_INIT;

	if (store_here_open(&store, &err) < 0 || image_tag(store, argv[0], argv[1], &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct command command_tag = {
	.name = "tag",
	.operands = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Give an image one more name",
	.min_operands = 2,
	.max_operands = 2,
	.run = tag,
};

/* image inspect */

static const char *inspect_format, *inspect_platform;

static const struct option inspect_options[] = {
	{"format", 'f', OPTION_STRING, &inspect_format, "string",
	 "json, or a template such as '{{.Id}}'"},
	{"platform", 0, OPTION_STRING, &inspect_platform, "string",
	 "Of an image for several platforms the one for this os/architecture"},
	{NULL},
};

int inspect_image(const char *name, json_t **ret, struct error *err)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;

	if (store_here_open(&store, err) < 0 ||
	    image_find_platform(store, name, inspect_platform, &image, err) < 0)
		return -err->code;
	return image_inspect(store, image, ret, err);
}

static int inspect(struct project_args *args, int argc, char **argv)
{
	return inspect_each(args, argv, inspect_format, inspect_image);
}

static const struct command command_inspect = {
	.name = "inspect",
	.operands = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Show all that is known of images",
	.options = inspect_options,
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect,
};

extern const struct command command_image_build, command_image_history, command_image_prune,
	command_image_pull, command_image_push;

static const struct command *const children[] = {
	&command_image_build,
	&command_image_history,
	&command_image_prune,
	&command_image_pull,
	&command_image_push,
	&command_import,
	&command_inspect,
	&command_load,
	&command_list,
	&command_remove,
	&command_save,
	&command_tag,
	NULL,
};

const struct command command_image = {
	.name = "image",
	.operands = "COMMAND",
	.summary = "Images: take in, list, name, save, remove",
	.children = children,
};
