// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/supervisor/slices.h"

#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/log.h"
#include "common/rootless.h"
#include "common/str.h"

#include "runtime/container/cgroup/layout.h"

#include "compose/control/requests.h"
#include "compose/control/systemd_bus.h"
#include "compose/supervisor/instance.h"

#define SUFFIX        ".slice"
#define NAME_MAX_UNIT 200
#define TRIES         20
#define RETRY_MSEC    50
#define ANSWER_MSEC   6000
#define TEXT_BYTES    (1 << 16)

/* A name of systemd's, not a path: systemd.slice(5). */
static bool is_slice(const char *parent)
{
	size_t length = parent ? strlen(parent) : 0;

	if (length <= strlen(SUFFIX) || length > NAME_MAX_UNIT || !str_ends_with(parent, SUFFIX))
		return false;
	for (const char *c = parent; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(":-_.\\@", *c))
			return false;
	return true;
}

static bool has_slices(void)
{
	struct error ignored = ERROR_INIT;
	const struct cgroup_layout *layout = cgroup_layout(&ignored);

	return layout && layout->v2_controllers && systemd_booted() && !rootless();
}

const char *slices_base(const struct instance *instance)
{
	const char *parent = instance->service->cgroup_parent;

	if (instance->slice_scope)
		return instance->slice_scope;
	return parent ? parent + strspn(parent, "/") : instance->supervisor->cgroup_base;
}

/* "berth-shop-my.scope" for my.slice. */
static char *scope_name(const struct instance *instance, const char *slice)
{
	char *name = str_printf("%s-%.*s.scope", instance->supervisor->cgroup_base,
				(int)(strlen(slice) - strlen(SUFFIX)), slice);

	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '-';
	return name;
}

/* One that is just ending takes nobody: a moment later it is made anew. */
static int enter_scope(const char *scope, const char *slice, const char *description,
		       struct error *err)
{
	struct systemd_bus *bus = NULL;
	int r = systemd_bus_open(false, &bus, err);

	for (int i = 0; r == 0; i++) {
		r = systemd_bus_scope(bus, scope, slice, description, getpid(), err);
		if (r == 0 || i == TRIES)
			break;
		error_clear(err);
		r = 0;
		(void)poll(NULL, 0, RETRY_MSEC);
	}
	systemd_bus_close(bus);
	return r;
}

/* The child: goes into the scope, says so, and stays there until it is killed. */
static _Noreturn void hold(const char *scope, const char *slice, const char *description,
			   int report)
{
	struct error err = ERROR_INIT;
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* The descriptors of the supervisor are not its own. */
	if (dup2(report, STDIN_FILENO) < 0)
		_exit(1);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	(void)enter_scope(scope, slice, description, &err);
	(void)fd_write_all(STDIN_FILENO, &err, sizeof(err));
	close(STDIN_FILENO);
	while (!err.code)
		pause();
	_exit(1);
}

static int await_answer(int report, struct error *err)
{
	struct pollfd answer = {.fd = report, .events = POLLIN};
	struct error said = ERROR_INIT;

	if (poll(&answer, 1, ANSWER_MSEC) <= 0)
		return error_set(err, ETIMEDOUT, "systemd does not answer");
	if (fd_read_full(report, &said, sizeof(said)) != sizeof(said))
		return error_set(err, EIO, "who was to ask systemd ended");
	*err = said;
	return -err->code;
}

/* "/my.slice/berth-shop-my.scope" of the group that @pid is in; NULL: it is in another one. */
static char *scope_path(pid_t pid, const char *scope)
{
	_cleanup_free_ char *file = str_printf("/proc/%d/cgroup", pid), *text = NULL;
	struct error ignored = ERROR_INIT;
	char *line, *found;

	if (fs_read(AT_FDCWD, file, TEXT_BYTES, &text, NULL, &ignored) < 0)
		return NULL;
	for (char *at = text; (line = strsep(&at, "\n"));) {
		found = str_starts_with(line, "0::/") ? strstr(line, scope) : NULL;
		if (!found || found[-1] != '/' || !strchr("/", found[strlen(scope)]))
			continue;
		found[strlen(scope)] = 0;
		return alloc_string(line + strlen("0::"));
	}
	return NULL;
}

static int enter(struct instance *instance, const char *slice, struct slice_visit *visit,
		 struct error *err)
{
	_cleanup_free_ char *scope = scope_name(instance, slice), *path = NULL;
	_cleanup_free_ char *description =
		str_printf("Compose project %s in %s", instance->supervisor->project, slice);
	_cleanup_close_ int report = -EBADF;
	int pair[2], r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	report = pair[0];
	visit->holder = fork();
	if (visit->holder == 0)
		hold(scope, slice, description, pair[1]);
	close(pair[1]);
	if (visit->holder < 0) {
		visit->holder = 0;
		return error_errno(err, "fork");
	}
	r = await_answer(report, err);
	if (r < 0)
		return r;
	path = scope_path(visit->holder, scope);
	if (!path)
		return error_set(err, EIO, "%s: it has no control group", scope);
	instance->slice_scope = str_printf(CGROUP_ELSEWHERE "%s", path);
	return 0;
}

int slices_enter(struct instance *instance, struct slice_visit *ret, struct error *err)
{
	const char *parent = instance->service->cgroup_parent;
	int r;

	*ret = (struct slice_visit){0};
	free(TAKE_PTR(instance->slice_scope));
	if (!is_slice(parent) || !has_slices())
		return 0;
	r = enter(instance, parent, ret, err);
	if (r < 0)
		slices_entered(ret);
	return r < 0 ? error_wrap(err, "cgroup_parent %s", parent) : 0;
}

void slices_entered(struct slice_visit *visit)
{
	if (!visit->holder)
		return;
	kill(visit->holder, SIGKILL);
	while (waitpid(visit->holder, NULL, 0) < 0 && errno == EINTR)
		;
	visit->holder = 0;
}
