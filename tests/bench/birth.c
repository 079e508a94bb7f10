// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a birth costs: N containers of busybox true, one after the other, from clone to executed,
 * beside the same kernel work without berth; and N exec of true in a living one.
 *
 * birth [N] [nocgroup]. As root; works in a mount namespace of its own, on a tmpfs.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/units.h"

#include "runtime/container/cgroup/cgroup.h"
#include "runtime/container/confine/seccomp.h"
#include "runtime/container/container.h"

#define BOX  "/mnt"
#define BASE "berth-bench"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int make_dir(const char *format, int n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), format, n);
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static void prepare(void)
{
	static char data[4 << 20];
	ssize_t n;
	int from, to;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", BOX, "tmpfs", 0, NULL) < 0)
		die("mount");
	close(make_dir(BOX "/layer", 0));
	close(make_dir(BOX "/layer/bin", 0));
	close(make_dir(BOX "/layer/proc", 0));
	close(make_dir(BOX "/layer/sys", 0));
	close(make_dir(BOX "/layer/dev", 0));
	from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	to = open(BOX "/layer/bin/true", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	n = fd_read_full(from, data, sizeof(data));
	if (n <= 0 || fd_write_all(to, data, (size_t)n) < 0)
		die("busybox");
	close(from);
	close(to);
	if (symlink("true", BOX "/layer/bin/sleep") < 0)
		die("sleep");
}

static void make_spec(struct container_spec *spec, const int *layer, int n, const char *const *args)
{
	static const char *const env[] = {"PATH=/bin", NULL};
	static const struct namespace_spec fresh = {.source = NAMESPACE_NEW, .fd = -EBADF};
	const struct sock_fprog *program;
	struct error err = ERROR_INIT;

	if (seccomp_default_program(CAPABILITY_MASK_DOCKER_DEFAULT, &program, &err) < 0)
		die(err.message);
	*spec = (struct container_spec){
		.id = "0123456789abcdef",
		.args = args,
		.env = env,
		.stdin_fd = -EBADF,
		.stdout_fd = -EBADF,
		.stderr_fd = -EBADF,
		.capabilities = CAPABILITY_MASK_DOCKER_DEFAULT,
		.network = fresh,
		.pid = fresh,
		.ipc = fresh,
		.uts = fresh,
		.cgroup = fresh,
		.hostname = "bench",
		.seccomp_program = program,
		.rootfs = {.layer_fds = layer,
			   .layer_count = 1,
			   .upper_fd = make_dir(BOX "/u%d", n),
			   .work_fd = make_dir(BOX "/w%d", n),
			   .userns_fd = -EBADF},
		.shm_fd = -EBADF,
	};
}

static void finish(struct birth *birth, bool reap)
{
	struct pollfd poll_fd = {.fd = birth->report_fd, .events = POLLIN};
	struct birth_report report;
	struct error err = ERROR_INIT;

	if (container_release(birth) < 0 || poll(&poll_fd, 1, -1) != 1 ||
	    container_report(birth, &report, &err) != BIRTH_EXECUTED)
		die(err.message);
	if (reap)
		waitpid(birth->pid, NULL, 0);
	birth_done(birth);
}

/* The floor: the same namespaces, overlay, proc, dev, devpts, sys, shm, mqueue, pivot and exec. */
static void floor_child(int layer, int n)
{
	static const struct {
		const char *type, *target;
	} rows[] = {{"proc", "proc"},      {"sysfs", "sys"},     {"tmpfs", "dev"},
		    {"devpts", "dev/pts"}, {"tmpfs", "dev/shm"}, {"mqueue", "dev/mqueue"}};
	char options[200], path[64];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(1);
	snprintf(options, sizeof(options),
		 "lowerdir=" BOX "/layer,upperdir=" BOX "/u%d,workdir=" BOX "/w%d", n, n);
	snprintf(path, sizeof(path), BOX "/m%d", n);
	mkdir(path, 0755);
	if (mount("overlay", path, "overlay", 0, options) < 0 || chdir(path) < 0)
		_exit(2);
	array_foreach(row, rows) {
		mkdir(row->target, 0755);
		if (mount(row->type, row->target, row->type, 0, NULL) < 0)
			_exit(3);
	}
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		_exit(4);
	execl("/bin/true", "true", NULL);
	_exit(5);
}

static void floor_one(int layer, int n)
{
	static char stack[65536];
	int status;
	pid_t pid;

	close(make_dir(BOX "/u%d", n));
	close(make_dir(BOX "/w%d", n));
	(void)stack;
	pid = (pid_t)syscall(SYS_clone,
			     SIGCHLD | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
				     CLONE_NEWCGROUP,
			     0, 0, 0, 0);
	if (pid == 0)
		floor_child(layer, n);
	if (waitpid(pid, &status, 0) != pid || status)
		die("floor");
}

int main(int argc, char **argv)
{
	static const char *const args[] = {"true", NULL};
	static const char *const sleeper[] = {"sleep", "1000", NULL};
	static const struct resources_spec none = {.memory_swappiness = -1};
	int n = argc > 1 ? atoi(argv[1]) : 100, layer, r = 0;
	bool cgroups = argc <= 2;
	struct container_spec spec;
	struct error err = ERROR_INIT;
	struct cgroup *keep = NULL;
	struct birth birth, living;
	int64_t start, spent = 0;

	prepare();
	layer = make_dir(BOX "/layer", 0);
	for (int i = 0; i < n; i++) {
		start = units_monotonic_usec();
		floor_one(layer, 10000 + i);
		spent += units_monotonic_usec() - start;
	}
	printf("floor:   %6.2f ms each\n", (double)spent / n / 1000);

	/* Keeps BASE, as the containers of a project do. */
	if (cgroups)
		r = cgroup_create(BASE, "keep", &none, &keep, &err);
	spent = 0;
	for (int i = 0; i < n && r == 0; i++) {
		struct cgroup *cgroup = NULL;
		char id[32];

		make_spec(&spec, &layer, i, args);
		snprintf(id, sizeof(id), "c%d", i);
		start = units_monotonic_usec();
		if (cgroups)
			r = cgroup_create(BASE, id, &none, &cgroup, &err);
		spec.cgroup_handle = cgroup;
		if (r == 0)
			r = container_clone(&spec, false, &birth, &err);
		if (r == 0)
			finish(&birth, true);
		spent += units_monotonic_usec() - start;
		close(spec.rootfs.upper_fd);
		close(spec.rootfs.work_fd);
		if (cgroup && cgroup_remove(cgroup, &err) < 0)
			fprintf(stderr, "%s\n", err.message);
		cgroup_free(cgroup);
	}
	if (r < 0)
		die(err.message);
	printf("birth:   %6.2f ms each, to the program's end, %s\n", (double)spent / n / 1000,
	       cgroups ? "with its cgroups" : "without cgroups");

	if (keep)
		cgroup_remove(keep, &err);
	cgroup_free(keep);

	make_spec(&spec, &layer, n, sleeper);
	if (container_clone(&spec, false, &living, &err) < 0)
		die(err.message);
	container_release(&living);
	spec.args = args;
	spent = 0;
	for (int i = 0; i < n; i++) {
		start = units_monotonic_usec();
		if (container_exec(living.pidfd, &spec, false, &birth, &err) < 0)
			die(err.message);
		finish(&birth, true);
		spent += units_monotonic_usec() - start;
	}
	printf("exec:    %6.2f ms each, to the program's end\n", (double)spent / n / 1000);
	kill(living.pid, SIGKILL);
	waitpid(living.pid, NULL, 0);
	return 0;
}
