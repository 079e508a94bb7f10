// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A step starts: its places in staging, its name on disk, its network, its process.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/container/cgroup/cgroup.h"

int build_open_staging(struct build *build, struct error *err)
{
	if (build->staging_open)
		return 0;
	if (staging_open(build->store, &build->staging, err) < 0)
		return -err->code;
	build->staging_open = true;
	return 0;
}

static int make_places(struct build *build, struct step *step, struct error *err)
{
	int fd;

	if (!step->scratch) {
		step->scratch = str_printf("scratch-%u", build->staging.next++);
		fd = fs_mkdir_open(build->staging.dir, step->scratch, 0700, err);
		if (fd < 0)
			return fd;
		close(fd);
	}
	if (step->state == STEP_PREPARING)
		return 0;
	fd = staging_directory(&build->staging, &step->staged, err);
	if (fd < 0)
		return fd;
	close(fd);
	if (!build_exports(build, step->stage))
		return 0;
	fd = staging_file(&build->staging, &step->staged_blob, err);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Known by its id on disk, under a lock, so that the next build sweeps what a killed one left. */
static int note_run(struct build *build, struct step *step, struct error *err)
{
	_cleanup_free_ char *name = NULL;

	fs_random_hex(step->id, 32);
	/* No id begins with twelve decimal digits: such a one is taken for a number. */
	step->id[0] = 'b';
	name = str_printf("runs/%s", step->id);
	step->run_fd = openat(build->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (step->run_fd < 0 || flock(step->run_fd, LOCK_EX | LOCK_NB) < 0)
		return error_errno(err, "build/%s", name);
	return 0;
}

static int make_container_room(struct build *build, struct step *step, struct error *err)
{
	const struct build_network *network = build->with->network;
	int r;

	if (step->op != STEP_RUN)
		return 0;
	if (note_run(build, step, err) < 0)
		return -err->code;
	if (strcmp(step->network, "default") != 0 || !network)
		return 0;
	r = network->attach(network->data, step->id, &step->attachment, err);
	return r < 0 ? error_wrap(err, "network of the step") : 0;
}

void step_leave(struct build *build, struct step *step, bool clean)
{
	_cleanup_free_ char *name = str_printf("runs/%s", step->id);

	if (step->attachment.handle)
		build->with->network->detach(build->with->network->data, step->attachment.handle);
	step->attachment.handle = NULL;
	if (step->run_fd >= 0 && clean)
		(void)unlinkat(build->dir, name, 0);
	cleanup_close_fd(&step->run_fd);
	step->run_fd = -EBADF;
}

static void lock_key(struct build *build, struct step *step)
{
	char name[32];

	if (!build->options->shared || !step_cache_allowed(build, step))
		return;
	/* A few hundred locks for all keys: they are never removed. */
	snprintf(name, sizeof(name), "locks/%.2s", step->key);
	step->lock_fd = openat(build->dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

/* A fork into a pid namespace of its own, whose first process it is. */
static pid_t fork_step(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
}

static int start_process(struct build *build, struct step *step, struct error *err)
{
	int log_pipe[2], result_pipe[2];

	if (pipe2(log_pipe, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	if (pipe2(result_pipe, O_CLOEXEC) < 0) {
		close(log_pipe[0]);
		close(log_pipe[1]);
		return error_errno(err, "make a pipe");
	}
	fflush(NULL);
	step->pid = fork_step();
	if (step->pid == 0) {
		close(log_pipe[0]);
		close(result_pipe[0]);
		if (step->state == STEP_PREPARING)
			step_process_prepare(build, step, result_pipe[1], log_pipe[1]);
		step_process_run(build, step, result_pipe[1], log_pipe[1]);
	}
	close(log_pipe[1]);
	close(result_pipe[1]);
	step->log_fd = log_pipe[0];
	step->result_fd = result_pipe[0];
	if (step->pid < 0)
		return error_errno(err, "start a process for the step");
	(void)fd_set_nonblock(step->log_fd, true);
	build->running++;
	return 0;
}

int step_begin(struct build *build, struct step *step, enum step_state state, struct error *err)
{
	if (build_open_staging(build, err) < 0)
		return -err->code;
	step->state = state;
	if (!step->number) {
		step->number = ++build->last_number;
		step->started_usec = units_monotonic_usec();
		step_emit(build, step, BUILD_STEP_STARTED);
	}
	if (make_places(build, step, err) < 0)
		return -err->code;
	if (state == STEP_RUNNING) {
		step->fresh = true;
		lock_key(build, step);
		if (make_container_room(build, step, err) < 0)
			return -err->code;
	}
	return start_process(build, step, err);
}
/* Of builds that were killed: their containers are gone with them, not their control groups. */
static void sweep_here(int dir)
{
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	if (fs_list(dir, "runs", &names, &err) < 0)
		return;
	strv_foreach(name, names) {
		_cleanup_free_ char *path = str_printf("runs/%s", name);
		_cleanup_close_ int fd = openat(dir, path, O_RDWR | O_CLOEXEC);
		struct cgroup *cgroup = NULL;
		char base[BUILD_CGROUP_BASE_MAX];

		snprintf(base, sizeof(base), BUILD_CGROUP_BASE, name);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue;
		if (cgroup_open(base, name, 0, &cgroup, &err) == 0)
			(void)cgroup_remove(cgroup, &err);
		cgroup_free(cgroup);
		(void)unlinkat(dir, path, 0);
	}
}

/* In a process of its own: this one must not look at control groups, since its children have to
 * find them in their own mount namespaces. */
void start_sweep(int dir)
{
	_cleanup_strv_ char **names = NULL;
	struct error ignored = ERROR_INIT;
	pid_t pid;

	if (fs_list(dir, "runs", &names, &ignored) < 0 || !names[0])
		return;
	pid = fork();
	if (pid == 0) {
		sweep_here(dir);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
