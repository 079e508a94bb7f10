// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RUN: a container upon the stage's layers, in berth's own runtime; what it writes is the layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/rootless.h"
#include "common/str.h"

#include "runtime/build/build.h"
#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/confine/seccomp.h"
#include "runtime/container/container.h"

static struct sysctl_spec network_sysctls[] = {
	{"net/ipv4/ip_unprivileged_port_start", "0"},
	{"net/ipv4/ping_group_range", NULL},
};

static int confine(const struct step *step, struct container_spec *spec, struct error *err)
{
	const struct sock_fprog *program = NULL;
	int r;

	spec->capabilities = CAPABILITY_MASK_DOCKER_DEFAULT;
	if (step->insecure) {
		spec->capabilities = capability_all();
		spec->all_devices = spec->proc_unmasked = true;
		spec->sys_writable = spec->cgroup_writable = true;
		return 0;
	}
	r = seccomp_default_program(spec->capabilities, &program, err);
	spec->seccomp_program = program;
	return r;
}

static void set_network(const struct step *step, struct container_spec *spec)
{
	spec->network.source = NAMESPACE_NEW;
	if (!strcmp(step->network, "host")) {
		spec->network.source = NAMESPACE_HOST;
		return;
	}
	network_sysctls[1].value = rootless_group_range();
	spec->sysctls = network_sysctls;
	spec->sysctl_count = ARRAY_SIZE(network_sysctls);
	spec->network_hook = step->attachment.hook;
	spec->network_data = step->attachment.hook_data;
}

static int make_spec(struct step_room *room, struct container_spec *spec, char **env,
		     struct error *err)
{
	const struct step *step = room->step;
	const struct build_options *options = room->build->options;

	*spec = (struct container_spec){
		.id = step->id,
		.args = (const char *const *)step->args,
		.env = (const char *const *)env,
		.cwd = step->cwd,
		.user = step->user,
		.stdin_fd = -EBADF,
		.stdout_fd = room->log_fd,
		.stderr_fd = room->log_fd,
		.init = true,
		.hostname = "buildkitsandbox",
		.shm_fd = -EBADF,
		.shm_container = -EBADF,
		.shm_bytes = options->shm_bytes,
		.rlimits = options->rlimits,
		.rlimit_count = options->rlimit_count,
		.cgroup_handle = step->cgroup,
	};
	spec->rootfs = (struct rootfs_spec){.upper_fd = room->upper,
					    .work_fd = room->work,
					    .userns_fd = -EBADF,
					    .becomes_layer = true};
	set_network(step, spec);
	return confine(step, spec, err);
}

/* 0: it runs. */
static int wait_for_birth(struct birth *birth, struct error *err)
{
	for (;;) {
		struct birth_report report = {.pty_master = -EBADF};
		struct pollfd news = {birth->report_fd, POLLIN};
		int r = container_report(birth, &report, err);

		for (size_t i = 0; i < report.network_fd_count; i++)
			close(report.network_fds[i]);
		if (r == BIRTH_PENDING)
			(void)poll(&news, 1, -1);
		else if (r == BIRTH_EXECUTED)
			return 0;
		else if (r == BIRTH_FAILED)
			return -err->code;
		else if (r < 0)
			return r;
	}
}

static int exit_error(const struct step *step, const siginfo_t *info, struct step_report *report,
		      struct error *err)
{
	int code = info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;

	if (code == 0)
		return 0;
	report->exit_code = code;
	if (step->cgroup && cgroup_oom_kills(step->cgroup))
		return error_set(err, ECHILD,
				 "the command was killed: it needs more memory than there is "
				 "(exit code %d)",
				 code);
	return error_set(err, ECHILD, "the command failed with exit code %d%s", code,
			 code == 127   ? " (no such command)"
			 : code == 126 ? " (it cannot be executed)"
				       : "");
}

static int run_container(struct step_room *room, struct container_spec *spec,
			 struct step_report *report, struct error *err)
{
	struct birth birth;
	siginfo_t info = {0};
	int r = container_clone(spec, false, &birth, err);

	if (r < 0)
		return r;
	r = container_release(&birth);
	if (r < 0 && r != -EPIPE)
		error_code(err, r, "let the command go");
	else
		r = wait_for_birth(&birth, err);
	while (waitid(P_PID, (id_t)birth.pid, &info, WEXITED) < 0 && errno == EINTR)
		;
	birth_done(&birth);
	if (r < 0) {
		report->exit_code = r == -ENOENT ? 127 : 126;
		return r;
	}
	return exit_error(room->step, &info, report, err);
}

/* Made and put away here: control groups are found by the mount namespace one is in. */
static int make_cgroup(struct step_room *room, struct error *err)
{
	const struct resources_spec resources = {.memory_bytes = room->build->options->memory_bytes,
						 .memory_swappiness = -1};
	char base[BUILD_CGROUP_BASE_MAX];

	snprintf(base, sizeof(base), BUILD_CGROUP_BASE, room->step->id);
	return cgroup_create(base, room->step->id, &resources, &room->step->cgroup, err);
}

static void drop_cgroup(struct step *step)
{
	struct error ignored = ERROR_INIT;

	if (step->cgroup)
		(void)cgroup_remove(step->cgroup, &ignored);
	cgroup_free(step->cgroup);
	step->cgroup = NULL;
}

int step_run(struct step_room *room, struct step_report *report, struct error *err)
{
	struct step *step = room->step;
	_cleanup_strv_ char **env = strv_dup(step->arg_env);
	_cleanup_free_ struct mount_spec *mounts = NULL;
	_cleanup_free_ int *layers = NULL;
	struct container_spec spec;
	int r;

	strv_foreach(row, step->env) {
		char *value = strchr(row, '=');
		_cleanup_free_ char *key = alloc_string_n(row, value ? (size_t)(value - row) : 0);

		if (value)
			strv_env_set(&env, key, value + 1);
	}
	r = mounting_make(room, &mounts, &spec.mount_count, &env, err);
	if (r < 0)
		return r;
	r = make_cgroup(room, err);
	if (r < 0)
		return r;
	{
		size_t count = spec.mount_count;

		r = make_spec(room, &spec, env, err);
		spec.mounts = mounts;
		spec.mount_count = count;
	}
	if (r == 0)
		r = room_open_layers(room, step->below, &layers, &spec.rootfs.layer_count, err);
	spec.rootfs.layer_fds = layers;
	if (r == 0)
		r = run_container(room, &spec, report, err);
	drop_cgroup(step);
	return r;
}
