// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * `container run` and `container create`: the flags become a project of one service, and that is
 * run as any other.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/image.h"
#include "volumes/volume.h"

#include "compose/cli/args/dry_run.h"
#include "compose/cli/command.h"
#include "compose/cli/container/container_flags.h"
#include "compose/cli/container/container_names.h"
#include "compose/cli/image/store_here.h"
#include "compose/cli/machine.h"
#include "compose/cli/registry/config_proxies.h"
#include "compose/cli/run/exec_session.h"
#include "compose/cli/run/run_session.h"
#include "compose/cli/up_options.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

/* As docker: the program did not run at all. */
#define EXIT_NOT_RUN 125
#define NAME_TRIES   20

DEFINE_CLEANUP(struct project *, project_free);
DEFINE_CLEANUP(struct image_store *, image_store_close);
DEFINE_CLEANUP(struct image *, image_free);
DEFINE_CLEANUP(struct volume_store *, volume_store_close);

/* What is being made. */
struct making {
	char *name;
	json_t *json;
	struct project *project;
	struct converge got; /* its images */
	bool create;         /* and not start */
};

static void making_done(struct making *making)
{
	free(making->name);
	json_decref(making->json);
	project_free(making->project);
	up_options_done(&making->got);
}
#define _cleanup_making_ _cleanup_(making_done)

/* Names are for all of the machine, whichever project has them. */
static int choose_name(struct making *making, struct error *err)
{
	_cleanup_json_ json_t *containers = NULL;
	struct error none = ERROR_INIT;
	const char *wanted = container_flags.name;
	json_t *there;

	if (wanted && !container_name_is_valid(wanted))
		return error_set(err, EINVAL,
				 "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
				 "allowed",
				 wanted);
	if (machine_containers(true, &containers, err) < 0)
		return -err->code;
	if (wanted && machine_pick(containers, wanted, &there, &none) >= 0 &&
	    str_equal(json_get_string(there, "name"), wanted))
		return error_set(err, EEXIST,
				 "container name \"%s\" is already in use by container %.12s: "
				 "remove that one (berth container rm %s), or take another name",
				 wanted, json_get_string(there, "id"), wanted);
	making->name = wanted ? alloc_string(wanted) : container_name_make();
	for (int i = 0; !wanted && i < NAME_TRIES &&
			machine_pick(containers, making->name, &there, &none) >= 0;
	     i++) {
		free(making->name);
		making->name = container_name_make();
	}
	return 0;
}

static bool is_attached(const char *stream)
{
	strv_foreach(word, container_flags.attach)
		if (!strcasecmp(word, stream))
			return true;
	return false;
}

static int check_attach(struct error *err)
{
	strv_foreach(word, container_flags.attach) {
		if (strcasecmp(word, "stdin") && strcasecmp(word, "stdout") &&
		    strcasecmp(word, "stderr"))
			return error_set(err, EINVAL,
					 "invalid argument \"%s\" for \"-a, --attach\" flag: valid "
					 "streams are STDIN, STDOUT and STDERR",
					 word);
	}
	if (container_flags.attach && container_flags.detach)
		return error_set(err, EINVAL,
				 "conflicting options: cannot specify both --attach and --detach");
	return 0;
}

static int check(struct error *err)
{
	const struct container_flags *flags = &container_flags;
	bool restarts = flags->restart && strcmp(flags->restart, "no") != 0;

	if (check_attach(err) < 0)
		return -err->code;
	if (flags->auto_remove && restarts)
		return error_set(err, EINVAL,
				 "conflicting options: cannot specify both --restart and --rm");
	if (restarts && !flags->detach)
		return error_set(err, EINVAL,
				 "--restart is for containers in the background: add -d, and "
				 "look at them with `berth container logs -f`");
	if (flags->cidfile && access(flags->cidfile, F_OK) == 0)
		return error_set(err, EEXIST,
				 "container ID file found, make sure the other container isn't "
				 "running or delete %s",
				 flags->cidfile);
	return 0;
}

/* The image is asked only for --publish-all: so it has to be here, which is seen to afterwards. */
static char **exposed_ports(const char *reference)
{
	_cleanup_(cleanup_image_store_close) struct image_store *store = NULL;
	_cleanup_(cleanup_image_free) struct image *image = NULL;
	struct error ignored = ERROR_INIT;

	if (!container_flags.publish_all || store_here_open(&store, &ignored) < 0 ||
	    image_find(store, reference, &image, &ignored) < 0)
		return NULL;
	return strv_dup(image->exposed_ports);
}

/* As docker's, they belong to nobody, and stay when their first container goes. */
static int make_volumes(struct making *making, bool dry_run, struct error *err)
{
	_cleanup_(cleanup_volume_store_close) struct volume_store *store = NULL;
	struct volume_options options = {0};

	if (making->project->volume_count && !dry_run &&
	    volume_store_open(paths_root(), &store, err) < 0)
		return -err->code;
	for (size_t i = 0; i < making->project->volume_count; i++) {
		struct volume *volume = &making->project->volumes[i];
		int r = store ? volume_create(store, volume->name, &options, err) : 0;

		if (r == -EEXIST) {
			error_clear(err);
			r = volume_keep(store, volume->name, err);
		}
		if (r < 0)
			return error_wrap(err, "volume %s", volume->name);
		volume->external = store != NULL;
	}
	return 0;
}

/* 0 to go on; else the exit code. */
static int prepare(struct project_args *args, char *const *argv, struct making *making)
{
	_cleanup_strv_ char **exposed = exposed_ports(argv[0]);
	_cleanup_json_ json_t *json = NULL;
	struct error err = ERROR_INIT;

	up_options.pull = container_flags.pull;
	up_options.quiet_pull = container_flags.quiet;
	if (up_options_check(&err) < 0 || check(&err) < 0 || choose_name(making, &err) < 0 ||
	    container_flags_project(making->name, argv, exposed, &json, &err) < 0 ||
	    project_from_json(json, &making->project, &err) < 0)
		return output_fail(args, &err), EXIT_NOT_RUN;
	if (!args->dry_run && client_check_privileges(making->project->name, &err) < 0)
		return output_fail(args, &err), EXIT_NOT_RUN;
	if (up_options_images(args, making->project, NULL, true, &making->got) != 0)
		return EXIT_NOT_RUN;
	if (make_volumes(making, args->dry_run, &err) < 0)
		return output_fail(args, &err), EXIT_NOT_RUN;
	making->json = project_to_json(making->project, true);
	config_proxies_put(making->json);
	return 0;
}

static int write_id(const char *id, struct error *err)
{
	_cleanup_close_ int fd = -EBADF;

	if (!container_flags.cidfile || !id)
		return 0;
	fd = open(container_flags.cidfile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, id, strlen(id)) < 0)
		return error_errno(err, "%s", container_flags.cidfile);
	return 0;
}

static int go(struct project_args *args, const struct making *making)
{
	const struct container_flags *flags = &container_flags;
	const char *services[] = {making->name, NULL};
	struct converge converge = {
		.name = making->project->name,
		.project = making->project,
		.verb = "run",
		.options = {.goal = PLAN_UP,
			    .services = services,
			    .no_start = making->create,
			    .oneoff = making->name,
			    .images = making->got.options.images,
			    .image_count = making->got.options.image_count,
			    .timeout_usec = -1},
	};
	struct run_session session = {
		.converge = &converge,
		.oneoff_project = making->json,
		.detach_keys = flags->detach_keys,
		.detach = flags->detach || making->create,
		.interactive = flags->interactive,
		.tty = flags->tty && !flags->detach && !making->create,
		.auto_remove = flags->auto_remove,
		.use_aliases = true,
		.quiet = !args->dry_run,
		.no_signals = !flags->sig_proxy,
		.no_stdout = flags->attach && !is_attached("stdout"),
		.no_stderr = flags->attach && !is_attached("stderr"),
	};
	struct error err = ERROR_INIT;
	int r;

	if (args->dry_run && !client_project_known(converge.name))
		return dry_run_print(making->project, &converge.options, &err) < 0
			       ? output_fail(args, &err)
			       : 0;
	r = run_session(args, &session, &err);
	if (r >= 0)
		r = write_id(session.id, &err);
	if (r < 0 && !session.interrupted)
		output_fail(args, &err);
	else if (r >= 0 && session.detach && session.id)
		puts(session.id);
	free(session.id);
	return r < 0 && session.exit_code == 1 ? EXIT_NOT_RUN : session.exit_code;
}

static int make(struct project_args *args, char **argv, bool create)
{
	_cleanup_making_ struct making making = {.create = create};
	struct error err = ERROR_INIT;
	int r;

	if (container_flags.tty && !container_flags.detach && !create &&
	    container_flags.interactive && !isatty(STDIN_FILENO)) {
		error_set(&err, ENOTTY, "the input device is not a TTY");
		return output_fail(args, &err), EXIT_NOT_RUN;
	}
	r = prepare(args, argv, &making);
	return r ? r : go(args, &making);
}

static int run(struct project_args *args, int argc, char **argv)
{
	return make(args, argv, false);
}

static int run_create(struct project_args *args, int argc, char **argv)
{
	struct error err = ERROR_INIT;

	if (container_flags.detach) {
		error_set(&err, EINVAL,
			  "--detach: a container that is only created runs nowhere yet");
		return output_fail(args, &err);
	}
	return make(args, argv, true);
}

const struct command command_container_run = {
	.name = "run",
	.operands = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Make and start a single container",
	.options = container_options,
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run,
};

const struct command command_container_create = {
	.name = "create",
	.operands = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
	.summary = "Make a single container, to be started later",
	.options = container_options,
	.min_operands = 1,
	.max_operands = -1,
	.stop_at_operand = true,
	.run = run_create,
};
