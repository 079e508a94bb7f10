// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files of the wanted stage, without an image: into a folder, or as a tar. In a process of its
 * own, since the layers are put together by a mount.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/image/layer.h"

#define CANCEL_POLL_MSEC 100

static int write_folder(int tree, int to, struct error *err)
{
	struct copying copying = {.source_root = tree,
				  .target_root = to,
				  .set_owner = true,
				  .uid = getuid(),
				  .gid = getgid(),
				  .now_nsec = units_now_nsec()};
	int r = copying_path(&copying, "", "/", true, err);

	copying_done(&copying);
	return r;
}

static _Noreturn void output_child(struct build *build, struct step *step, int result_fd)
{
	const struct build_options *options = build->options;
	struct step_report report = {0};
	struct step_room room;
	int tree = -EBADF;

	step_process_begin(build, step);
	room_init(&room, build, step, STDERR_FILENO);
	if (room_open(&room, &report.err) == 0)
		tree = room_open_tree(&room, stage_tree(&build->stages[build->target]),
				      &report.err);
	if (tree >= 0)
		(void)(options->output == BUILD_OUTPUT_FOLDER
			       ? write_folder(tree, options->output_fd, &report.err)
			       : layer_pack_write(tree, options->output_prefix, options->output_fd,
						  &report.err));
	step_process_finish(&report, result_fd);
}

static int wait_for(struct build *build, pid_t pid, int result_fd, struct error *err)
{
	struct pollfd news = {result_fd, POLLIN};
	struct step_report report;
	bool cancelled = false;
	ssize_t n;

	while (!cancelled && poll(&news, 1, CANCEL_POLL_MSEC) <= 0)
		cancelled = build->with->cancelled && *build->with->cancelled;
	if (cancelled)
		(void)kill(pid, SIGKILL);
	n = fd_read_full(result_fd, &report, sizeof(report));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (cancelled)
		return error_set(err, ECANCELED, "interrupted");
	if (n != sizeof(report))
		return error_set(err, EIO, "the process that writes the files was killed");
	if (!report.err.code)
		return 0;
	*err = report.err;
	return error_wrap(err, "output");
}

int output_files(struct build *build, struct error *err)
{
	struct step step = {.log_fd = -EBADF, .result_fd = -EBADF, .lock_fd = -EBADF};
	_cleanup_free_ char *scratch = NULL;
	int pipes[2], r;
	pid_t pid;

	if (build_open_staging(build, err) < 0)
		return -err->code;
	step.scratch = scratch = str_printf("scratch-%u", build->staging.next++);
	r = fs_mkdir_open(build->staging.dir, scratch, 0700, err);
	if (r < 0)
		return r;
	close(r);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	pid = fork();
	if (pid == 0) {
		close(pipes[0]);
		output_child(build, &step, pipes[1]);
	}
	close(pipes[1]);
	r = pid < 0 ? error_errno(err, "start a process") : wait_for(build, pid, pipes[0], err);
	close(pipes[0]);
	return r;
}
