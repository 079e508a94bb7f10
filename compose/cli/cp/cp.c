// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_root.h"
#include "compose/cli/cp/cp_tree.h"
#include "compose/cli/machine.h"
#include "compose/cli/view/output.h"
#include "compose/cli/view/progress.h"

static bool all, archive, follow_link, quiet;
static int container_index;

static const struct option options[] = {
	{"all", 0, OPTION_FLAG, &all, NULL, "Also to containers that `run` made"},
	{"archive", 'a', OPTION_FLAG, &archive, NULL, "Keep owners (uid and gid)"},
	{"follow-link", 'L', OPTION_FLAG, &follow_link, NULL,
	 "A source that is a symbolic link: copy what it leads to"},
	{"index", 0, OPTION_INT, &container_index, "int", "Which replica, by its number"},
	{NULL},
};

DEFINE_CLEANUP(struct progress *, progress_free);

/* "SERVICE:PATH"; a path of this machine has a slash, or none of that, before its colon. */
static char *service_of(const char *word, const char **ret_path)
{
	const char *colon = strchr(word, ':');

	*ret_path = word;
	if (!colon || word[0] == '/' || word[0] == '.' || colon == word)
		return NULL;
	*ret_path = colon + 1;
	return alloc_string_n(word, (size_t)(colon - word));
}

struct copying {
	const char *service, *from, *to; /* paths; from or to is the container's */
	bool into;
	int archive; /* for from "-": where the archive is read */
	struct cp_options options;
};

/* For several containers one after another: an archive that comes through a pipe comes once. */
static int keep_archive(int *ret, struct error *err)
{
	_cleanup_close_ int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char buffer[65536];
	ssize_t n;
	int r;

	if (fd < 0)
		return error_errno(err, "keep the archive in /var/tmp");
	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		r = fd_write_all(fd, buffer, (size_t)n);
		if (r < 0)
			return error_code(err, r, "keep the archive");
	}
	if (n < 0)
		return error_errno(err, "read the archive");
	*ret = TAKE_FD(fd);
	return 0;
}

static int copy_one(const char *project, const json_t *container, const struct copying *copying,
		    struct error *err)
{
	const char *path = copying->into ? copying->to : copying->from;
	_cleanup_free_ char *absolute = path[0] == '/' ? NULL : str_printf("/%s", path);
	const char *inside = absolute ? absolute : path;
	_cleanup_close_ int root = container_root_open(project, container, &inside, err);
	struct cp_place there = {root, inside};
	struct cp_place here = {AT_FDCWD, copying->into ? copying->from : copying->to};

	if (root < 0)
		return root;
	if (!strcmp(here.path, "-"))
		return copying->into ? cp_tar_read(copying->archive, &there, &copying->options, err)
				     : cp_tar_write(&there, &copying->options, STDOUT_FILENO, err);
	return copying->into ? cp_tree(&here, &there, &copying->options, err)
			     : cp_tree(&there, &here, &copying->options, err);
}

/* Into a service: all its containers, unless one is chosen; out of it: the first. */
static json_t *chosen(const json_t *containers, bool into)
{
	json_t *result = json_array(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		if ((json_get_bool(container, "oneoff", false) && !all) ||
		    (container_index && json_get_int(container, "number", 0) != container_index) ||
		    (!into && json_array_size(result)))
			continue;
		json_array_append(result, container);
	}
	return result;
}

static int copy_all(struct project_args *args, const char *project, const json_t *containers,
		    struct copying *copying, struct error *err)
{
	_cleanup_close_ int kept = -EBADF;
	_cleanup_(cleanup_progress_free) struct progress *progress = progress_new(args, "copy");
	json_t *container;
	size_t i;

	if (copying->into && !strcmp(copying->from, "-") && json_array_size(containers) > 1 &&
	    !args->dry_run && keep_archive(&kept, err) < 0)
		return -err->code;
	copying->archive = kept >= 0 ? kept : STDIN_FILENO;
	json_array_foreach(containers, i, container) {
		const char *name = json_get_string(container, "name") ?: "";
		_cleanup_free_ char *id = str_printf("Container %s", name);

		if (args->dry_run) {
			printf("copy %s%s%s to %s%s%s (asked for)\n", copying->into ? "" : name,
			       copying->into ? "" : ":", copying->from, copying->into ? name : "",
			       copying->into ? ":" : "", copying->to);
			continue;
		}
		progress_set(progress, id, PROGRESS_WORKING, "Copying", NULL);
		if (kept >= 0)
			(void)lseek(kept, 0, SEEK_SET);
		if (copy_one(project, container, copying, err) < 0) {
			progress_set(progress, id, PROGRESS_ERROR, "Error", err->message);
			return error_wrap(err, "container %s", name);
		}
		progress_set(progress, id, PROGRESS_DONE, "Copied", NULL);
	}
	return 0;
}

static int read_words(char **argv, char **ret_service, struct copying *ret, struct error *err)
{
	_cleanup_free_ char *from = service_of(argv[0], &ret->from);
	_cleanup_free_ char *to = service_of(argv[1], &ret->to);

	if (from && to)
		return error_set(err, EINVAL, "copying between services is not supported");
	if (!from && !to)
		return error_set(err, EINVAL,
				 "unknown copy direction: one of the two is to be SERVICE:PATH");
	ret->into = to != NULL;
	ret->service = *ret_service = to ? TAKE_PTR(to) : TAKE_PTR(from);
	ret->options = (struct cp_options){.archive = archive, .follow_link = follow_link};
	if (!(ret->into ? ret->to : ret->from)[0])
		return error_set(err, EINVAL, "the path in service %s is missing", ret->service);
	return 0;
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_target_ struct target target = {0};
	_cleanup_json_ json_t *containers = NULL, *wanted = NULL;
	_cleanup_free_ char *service = NULL;
	struct copying copying = {0};
	struct error err = ERROR_INIT;
	char *services[2] = {NULL, NULL};

	if (read_words(argv, &service, &copying, &err) < 0)
		return output_fail(args, &err);
	services[0] = service;
	if (target_open(args, services, &target, &err) < 0 ||
	    target_containers(&target, true, services, &containers, &err) < 0)
		return output_fail(args, &err);
	wanted = chosen(containers, copying.into);
	if (!json_array_size(wanted) && container_index)
		error_set(&err, ENOENT, "service \"%s\" is not running container #%d", service,
			  container_index);
	else if (!json_array_size(wanted))
		error_set(&err, ENOENT, "no container found for service \"%s\"", service);
	else
		(void)copy_all(args, target.name, wanted, &copying, &err);
	return err.code ? output_fail(args, &err) : 0;
}

const struct command command_cp = {
	.name = "cp",
	.operands = "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n"
		    "        berth cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
	.summary = "Copy files between a service's containers and this machine",
	.options = options,
	.min_operands = 2,
	.max_operands = 2,
	.run = run,
};

static int run_container(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *container = NULL, *containers = json_array();
	_cleanup_free_ char *name = NULL;
	struct copying copying = {0};
	struct error err = ERROR_INIT;

	if (quiet)
		args->progress = "quiet";
	if (read_words(argv, &name, &copying, &err) < 0 || machine_find(name, &container, &err) < 0)
		return output_fail(args, &err);
	json_array_append(containers, container);
	if (copy_all(args, json_get_string(container, "project"), containers, &copying, &err) < 0)
		return output_fail(args, &err);
	return 0;
}

static const struct option container_only[] = {
	{"archive", 'a', OPTION_FLAG, &archive, NULL, "Keep owners (uid and gid)"},
	{"follow-link", 'L', OPTION_FLAG, &follow_link, NULL,
	 "A source that is a symbolic link: copy what it leads to"},
	{"quiet", 'q', OPTION_FLAG, &quiet, NULL, "No progress"},
	{NULL},
};

const struct command command_container_cp = {
	.name = "cp",
	.operands = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n"
		    "        berth container cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
	.summary = "Copy files between a container and this machine",
	.options = container_only,
	.min_operands = 2,
	.max_operands = 2,
	.run = run_container,
};
