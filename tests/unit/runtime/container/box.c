// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/runtime/container/box.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/fd.h"

#define BOX "/mnt"

static const char *const applets[] = {
	"sh",    "true",     "false", "cat",   "echo",   "ls",     "id",      "grep",
	"mount", "hostname", "sleep", "ps",    "stat",   "tty",    "unshare", "readlink",
	"dd",    "kill",     "touch", "mkdir", "ip",     "ulimit", "test",    "wc",
	"env",   "pwd",      "head",  "stty",  "printf", "tail",   "mknod",   "setsid"};

static void put(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		abort();
	fchmod(fd, mode);
	close(fd);
}

static void copy_busybox(const char *to)
{
	static char data[4 << 20];
	int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	ssize_t n = fd_read_full(from, data, sizeof(data));

	if (n <= 0 || fd_write_all(fd, data, (size_t)n) < 0)
		abort();
	close(from);
	close(fd);
}

void box_prepare(void)
{
	static const char *const directories[] = {"layer", "layer/bin", "layer/etc", "layer/home",
						  "layer/tmp"};
	char path[128];

	if (mount("tmpfs", BOX, "tmpfs", 0, NULL) < 0)
		abort();
	array_foreach(d, directories) {
		snprintf(path, sizeof(path), BOX "/%s", *d);
		if (mkdir(path, 0755) < 0)
			abort();
	}
	copy_busybox(BOX "/layer/bin/busybox");
	array_foreach(applet, applets) {
		snprintf(path, sizeof(path), BOX "/layer/bin/%s", *applet);
		if (symlink("busybox", path) < 0)
			abort();
	}
	put(BOX "/layer/etc/passwd",
	    "# a comment\nroot:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/home/web:/bin/sh\n"
	    "broken\nlast:x:7:8::/last:/bin/sh",
	    0644);
	put(BOX "/layer/etc/group",
	    "root:x:0:\nweb:x:102:\nextra:x:103:other,web\nstaff:x:104:webs\n", 0644);
	put(BOX "/layer/bin/noshebang", "true\n", 0755);
	put(BOX "/layer/bin/badinterpreter", "#!/nowhere\n", 0755);
	put(BOX "/layer/bin/selfexe", "#!/proc/self/exe\n", 0755);
	put(BOX "/layer/bin/plain", "true\n", 0644);
}

void box_init(struct box *box, const char *const *args)
{
	static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
	static const struct namespace_spec fresh = {.source = NAMESPACE_NEW, .fd = -EBADF};
	static unsigned int number;
	char path[128];
	int pair[2];

	memset(box, 0, sizeof(*box));
	number++;
	snprintf(path, sizeof(path), BOX "/u%u", number);
	mkdir(path, 0755);
	box->upper = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), BOX "/w%u", number);
	mkdir(path, 0755);
	box->work = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	box->layer = open(BOX "/layer", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (box->upper < 0 || box->work < 0 || box->layer < 0 || pipe2(pair, O_CLOEXEC) < 0)
		abort();
	box->output = pair[0];
	box->spec = (struct container_spec){
		.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.args = args,
		.env = env,
		.cwd = "/",
		.user = "",
		.stdin_fd = -EBADF,
		.stdout_fd = pair[1],
		.stderr_fd = pair[1],
		.capabilities = CAPABILITY_MASK_DOCKER_DEFAULT,
		.network = fresh,
		.pid = fresh,
		.ipc = fresh,
		.uts = fresh,
		.cgroup = fresh,
		.time_namespace = true,
		.hostname = "boxhost",
		.rootfs = {.layer_fds = &box->layer,
			   .layer_count = 1,
			   .upper_fd = box->upper,
			   .work_fd = box->work,
			   .userns_fd = -EBADF},
		.shm_fd = -EBADF,
	};
}

static enum birth_news await(struct box *box)
{
	struct pollfd poll_fd = {.fd = box->birth.report_fd, .events = POLLIN};

	for (;;) {
		struct birth_report report;
		int news;

		if (poll(&poll_fd, 1, 10000) != 1) {
			box->status = -1;
			return box->news = BIRTH_PENDING;
		}
		news = container_report(&box->birth, &report, &box->err);
		if (news == BIRTH_READY) {
			box->report = report;
			container_report_taken(&box->birth);
			continue;
		}
		if (news == BIRTH_PENDING)
			continue;
		box->report.exit_status = report.exit_status;
		return box->news = (enum birth_news)news;
	}
}

static enum birth_news go(struct box *box, int cloned)
{
	if (cloned < 0) {
		box->status = -1;
		return box->news = BIRTH_FAILED;
	}
	close(box->spec.stdout_fd);
	box->spec.stdout_fd = -EBADF;
	container_release(&box->birth);
	return await(box);
}

enum birth_news box_start(struct box *box)
{
	return go(box, container_clone(&box->spec, false, &box->birth, &box->err));
}

enum birth_news box_exec(struct box *box, int container_pidfd)
{
	return go(box, container_exec(container_pidfd, &box->spec, false, &box->birth, &box->err));
}

int box_wait(struct box *box)
{
	size_t used = 0;
	int status;
	ssize_t n;

	while (used < sizeof(box->text) - 1 &&
	       (n = read(box->output, box->text + used, sizeof(box->text) - 1 - used)) > 0)
		used += (size_t)n;
	box->text[used] = 0;
	if (box->status != -1 && waitpid(box->birth.pid, &status, 0) == box->birth.pid)
		box->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	birth_done(&box->birth);
	close(box->output);
	return box->status;
}

int box_run(struct box *box)
{
	box_start(box);
	return box_wait(box);
}

void box_kill(struct box *box)
{
	kill(box->birth.pid, SIGKILL);
	box_wait(box);
}
