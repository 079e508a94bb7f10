// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of the table is the substance here:
 * - control groups before namespaces, so that a new cgroup namespace has its root at our group;
 * - the root's overlay before the mount namespace, since overlayfs takes layers only from the
 *   mount namespace that their descriptors were opened in;
 * - sysctls before /proc/sys turns read-only, masks after the mounts of the user;
 * - the user is looked up in the final root, the program as that user, as Docker does it.
 */
#include "runtime/container/birth.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/container/cgroup/cgroup.h"

static int step_signals(struct newborn *self, struct error *err)
{
	const struct sigaction otherwise = {.sa_handler = SIG_DFL};
	struct sigaction now;

	/* CLONE_CLEAR_SIGHAND took the handlers; what the parent ignores (SIGPIPE) is left. */
	for (int i = 1; i < NSIG; i++)
		if (sigaction(i, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
			sigaction(i, &otherwise, NULL);
	umask(0);
	return 0;
}

static int step_cgroup(struct newborn *self, struct error *err)
{
	int r;

	if (!self->spec->cgroup_handle)
		return 0;
	r = cgroup_join(self->spec->cgroup_handle);
	if (r < 0)
		return error_code(err, r, "join the control group");
	return 0;
}

/* Hands the pty and the network's descriptors to the parent. */
static int step_report_ready(struct newborn *self, struct error *err)
{
	struct birth_message message = {.kind = BIRTH_MESSAGE_READY};
	int fds[1 + NETWORK_HOOK_FDS];
	size_t count = 0;
	ssize_t n;

	if (self->pty_master >= 0) {
		message.has_pty = 1;
		fds[count++] = self->pty_master;
	}
	for (size_t i = 0; i < self->network_fd_count; i++)
		fds[count++] = self->network_fds[i];
	if (!count)
		return 0;
	n = fd_send(self->plan->report_fd, &message, sizeof(message), fds, count);
	if (n < 0)
		return error_code(err, (int)n, "hand the terminal to the supervisor");
	return 0;
}

static _Noreturn void leave(const struct newborn *self, const struct birth_message *message)
{
	(void)fd_send(self->plan->report_fd, message, sizeof(*message), NULL, 0);
	_exit(message->exit_status);
}

/* Not before the change of user, with which the kernel forgets it (prctl(2)). */
static int die_with_parent(const struct newborn *self, struct error *err)
{
	struct pollfd parent = {.fd = self->plan->report_fd};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_errno(err, "ask to die with the parent");
	/* In another pid namespace, getppid() would not tell that it has died already. */
	if (poll(&parent, 1, 0) == 1 && (parent.revents & POLLHUP))
		_exit(125);
	return 0;
}

/* The parent has written down who we are, or died before it could: then nothing has happened. */
static int step_wait(struct newborn *self, struct error *err)
{
	static const struct birth_message alone = {.kind = BIRTH_MESSAGE_NOT_RELEASED,
						   .exit_status = 125};
	char byte;
	ssize_t n;

	if (self->plan->own_child)
		return die_with_parent(self, err);
	do
		n = read(self->plan->release_fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		leave(self, &alone);
	return 0;
}

static int by_number(const int *fds, size_t count, int above)
{
	int next = INT32_MAX;

	for (size_t i = 0; i < count; i++)
		if (fds[i] > above && fds[i] < next)
			next = fds[i];
	return next;
}

/* Closes everything above 2 that is not in @fds (negative ones are skipped). */
static void close_all_but(const int *fds, size_t count)
{
	int from = 3;

	for (;;) {
		int keep = by_number(fds, count, from - 1);

		if (keep > from)
			close_range((unsigned int)from,
				    keep == INT32_MAX ? ~0U : (unsigned int)keep - 1, 0);
		if (keep == INT32_MAX)
			return;
		from = keep + 1;
	}
}

/*
 * The descriptors of the host must be gone before the container's own paths are walked: a cwd or
 * program of /proc/self/fd/7/... would else lead out of the root.
 */
static int step_close(struct newborn *self, struct error *err)
{
	int keep[5 + LISTEN_FDS_MAX] = {self->plan->report_fd, self->plan->release_fd,
					self->plan->init_fd, self->lsm_fd, self->root_fd};
	size_t count = 5;

	for (size_t i = 0; i < self->spec->listen_count; i++)
		keep[count++] = self->spec->listen_fds[i];
	close_all_but(keep, count);
	return 0;
}

/* An exec is seen by its container from its first moment on, so it lets go of all else at once. */
static int step_close_early(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	int keep[8 + 16] = {self->plan->report_fd, self->plan->release_fd,
			    self->plan->init_fd,   self->plan->container_pidfd,
			    spec->stdin_fd,        spec->stdout_fd,
			    spec->stderr_fd};
	size_t count = 7;

	if (spec->cgroup_handle)
		count += cgroup_join_fds(spec->cgroup_handle, keep + count,
					 ARRAY_SIZE(keep) - count);
	close_all_but(keep, count);
	return 0;
}

/* clang-format off */
static birth_step *const container_steps[] = {
	step_signals,
	credentials_oom_score,
	step_cgroup,
	stdio_open_null,
	namespaces_enter,
	namespaces_network,
	mounts_gather,
	mounts_take_shm,
	rootfs_step_make,
	rootfs_step_attach,
	mounts_kernel,
	devices_populate,
	stdio_make_pty,
	step_report_ready,
	namespaces_names,
	mounts_given,
	mounts_mask,
	rootfs_step_pivot,
	rootfs_step_seal,
	stdio_take,
	lsm_open,
	step_close,
	account_resolve,
	program_cwd,
	credentials_drop,
	program_cwd_as_user,
	program_find,
	step_wait,
	credentials_seal,
	NULL,
};
/* clang-format on */

static birth_step *const exec_steps[] = {
	step_signals,   step_close_early,  credentials_oom_score,
	step_cgroup,    stdio_open_null,   namespaces_enter_container,
	stdio_join_pty, step_report_ready, stdio_take,
	lsm_open,       step_close,        account_resolve,
	program_cwd,    credentials_drop,  program_cwd_as_user,
	program_find,   step_wait,         credentials_seal,
	NULL,
};

static _Noreturn void fail(struct newborn *self, const struct error *err)
{
	struct birth_message message = {
		.kind = BIRTH_MESSAGE_FAILED, .exit_status = self->exit_status, .error = *err};

	leave(self, &message);
}

/* Decimal digits of a descriptor or -1; no stdio here. */
static char *put_number(char *at, int value)
{
	char digits[12];
	size_t n = 0;

	if (value < 0) {
		*at++ = '-';
		value = 1;
	}
	do
		digits[n++] = (char)('0' + value % 10);
	while (value /= 10);
	while (n)
		*at++ = digits[--n];
	return at;
}

/*
 * Runs pid1/init.c, which runs the program. That step between is what keeps our own executable
 * out of the container: an image whose program is a script of "#!/proc/self/exe" would else run
 * us inside the container, and could then open the file for writing (CVE-2019-5736).
 */
static _Noreturn void execute(struct newborn *self, struct error *err)
{
	const struct container_spec *spec = self->spec;
	const char **argv = self->plan->argv, *label = "";
	char numbers[40 + 12 * LISTEN_FDS_MAX], *at = numbers;

	if (self->lsm_fd >= 0)
		label = spec->apparmor_profile ?: spec->selinux_label;
	*at++ = spec->init && !self->plan->exec ? 'i' : 'x';
	at = put_number(at, self->plan->report_fd);
	*at++ = ',';
	at = put_number(at, self->lsm_fd);
	*at++ = ',';
	*at++ = spec->apparmor_profile ? 'a' : 's';
	for (size_t i = 0; i < spec->listen_count; i++) {
		*at++ = ',';
		at = put_number(at, spec->listen_fds[i]);
		(void)fd_set_cloexec(spec->listen_fds[i], false);
	}
	*at = 0;
	argv[0] = "init";
	argv[1] = numbers;
	argv[2] = label;
	argv[3] = self->program;

	close(self->root_fd);
	close(self->plan->release_fd);
	(void)fd_set_cloexec(self->plan->report_fd, false);
	if (self->lsm_fd >= 0)
		(void)fd_set_cloexec(self->lsm_fd, false);
	syscall(SYS_execveat, self->plan->init_fd, "", argv, self->plan->env, AT_EMPTY_PATH);
	self->exit_status = 126;
	error_errno(err, "exec %s", self->program);
	fail(self, err);
}

_Noreturn void birth_run(const struct birth_plan *plan)
{
	/* Not static: others may be born in the same memory (clone_shared()). */
	struct newborn self;
	birth_step *const *steps = plan->exec ? exec_steps : container_steps;
	struct error err = ERROR_INIT;

	self = (struct newborn){
		.spec = plan->spec,
		.plan = plan,
		.exit_status = plan->exec ? 126 : 125,
		.root_fd = -EBADF,
		.proc_fd = -EBADF,
		.sys_fd = -EBADF,
		.dev_fd = -EBADF,
		.pts_fd = -EBADF,
		.shm_fd = -EBADF,
		.null_fd = -EBADF,
		.pty_master = -EBADF,
		.pty_slave = -EBADF,
		.lsm_fd = -EBADF,
	};
	for (; *steps; steps++)
		if ((*steps)(&self, &err) < 0)
			fail(&self, &err);
	execute(&self, &err);
}
