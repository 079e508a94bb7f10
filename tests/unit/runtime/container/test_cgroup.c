// SPDX-License-Identifier: GPL-2.0-or-later
/* In groups of our own below "berth-test-PID", removed at the end. Root only. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/process.h"
#include "common/str.h"

#include "runtime/container/cgroup/internal.h"

#include "tests/support/namespaces.h"
#include "tests/unit/runtime/container/box.h"

#define CHECK(condition, ...)                                           \
	do {                                                            \
		if (!(condition)) {                                     \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
			fprintf(stderr, __VA_ARGS__);                   \
			fprintf(stderr, "\n");                          \
			failures++;                                     \
		}                                                       \
	} while (0)
static int failures;
static char base[64];

static void in_box(int (*fn)(void *))
{
	/* Nothing of the groups is opened before the mount namespace that they are bound from. */
	if (geteuid() != 0 || !can_have_namespaces(CLONE_NEWNS) ||
	    access("/bin/busybox", X_OK) < 0 || access("/sys/fs/cgroup", W_OK) < 0)
		cr_skip_test("needs root, namespaces, control groups and a static busybox");
	snprintf(base, sizeof(base), "berth-test-%d/project", getpid());
	cr_assert_eq(in_namespaces(CLONE_NEWNS, fn, NULL), 0);
}

static bool await_death(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return poll(&p, 1, 5000) == 1;
}

static int run_memory(void *unused)
{
	static struct box box;
	struct resources_spec limits = {
		.memory_bytes = 16 << 20, .memory_swap_bytes = 16 << 20, .pids = 20};
	struct cgroup *cgroup = NULL, *again = NULL;
	struct cgroup_stats stats;
	struct error err = ERROR_INIT;

	box_prepare();
	CHECK(cgroup_create(base, "oom", &limits, &cgroup, &err) == 0, "%s", err.message);
	if (!cgroup)
		return 1;
	box_init(&box, SH("dd if=/dev/zero of=/dev/null bs=64M count=1; echo $?"));
	box.spec.cgroup_handle = cgroup;
	CHECK(box_run(&box) == 0 && strstr(box.text, "137\n"), "dd: %d '%s' %s", box.status,
	      box.text, box.err.message);
	CHECK(cgroup_oom_kills(cgroup) == 1, "%lu kills", (unsigned long)cgroup_oom_kills(cgroup));
	CHECK(cgroup_stats(cgroup, &stats, &err) == 0 && stats.memory_limit_bytes == 16 << 20 &&
		      stats.pids_limit == 20 && stats.cpu_usec > 0 && stats.pids == 0,
	      "stats: %lu %lu %lu", (unsigned long)stats.memory_limit_bytes,
	      (unsigned long)stats.pids_limit, (unsigned long)stats.cpu_usec);

	/* Up and down again, memory and swap in the right order each time. */
	limits.memory_bytes = limits.memory_swap_bytes = 64 << 20;
	CHECK(cgroup_update(cgroup, &limits, &err) == 0, "%s", err.message);
	limits.memory_bytes = 32 << 20;
	CHECK(cgroup_update(cgroup, &limits, &err) == 0, "%s", err.message);
	CHECK(cgroup_open(base, "oom", 0, &again, &err) == 0, "%s", err.message);
	CHECK(again && cgroup_stats(again, &stats, &err) == 0 &&
		      stats.memory_limit_bytes == 32 << 20,
	      "opened: %lu", (unsigned long)stats.memory_limit_bytes);
	CHECK(cgroup_remove(again, &err) == 0, "%s", err.message);
	cgroup_free(again);
	CHECK(cgroup_open(base, "oom", 0, &again, &err) == -ENOENT, "it is still there");
	cgroup_free(cgroup);
	return failures != 0;
}

Test(cgroup, memory, .timeout = 60)
{
	in_box(run_memory);
}

static int run_life(void *unused)
{
	static struct box box, second;
	struct resources_spec limits = {.cpu_shares = 512, .cpu_quota_usec = 50000};
	struct cgroup *cgroup = NULL;
	struct error err = ERROR_INIT;
	pid_t *pids;
	size_t count;

	box_prepare();
	CHECK(cgroup_create(base, "life", &limits, &cgroup, &err) == 0, "%s", err.message);
	if (!cgroup)
		return 1;
	box_init(&box,
		 SH("cat /proc/self/cgroup; ls /sys/fs/cgroup; while :; do sleep 0.01; done"));
	box.spec.cgroup_handle = cgroup;
	CHECK(box_start(&box) == BIRTH_EXECUTED, "%s", box.err.message);
	CHECK(cgroup_pids(cgroup, &pids, &count, &err) == 0 && count >= 1, "%zu pids", count);
	free(pids);

	/* An exec is in the same groups, of which the container sees itself as the root. */
	box_init(&second, SH("cat /proc/self/cgroup"));
	second.spec.cgroup_handle = cgroup;
	CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_EXECUTED, "%s", second.err.message);
	box_wait(&second);
	CHECK(!strstr(second.text, base) && strstr(second.text, ":/\n"), "'%s'", second.text);
	box_init(&second, SH("sleep 1000"));
	second.spec.cgroup_handle = cgroup;
	CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_EXECUTED, "%s", second.err.message);
	CHECK(cgroup_remove(cgroup, &err) == -EBUSY, "removed with processes in it");
	error_clear(&err);

	CHECK(cgroup_freeze(cgroup, true, &err) == 0, "%s", err.message);
	CHECK(cgroup_freeze(cgroup, false, &err) == 0, "%s", err.message);
	CHECK(cgroup_freeze(cgroup, true, &err) == 0, "%s", err.message);
	CHECK(cgroup_kill(cgroup, &err) == 0, "%s", err.message);
	/* Process 1 ends only when everybody in its pid namespace has been reaped. */
	CHECK(await_death(second.birth.pidfd), "the exec survived");
	box_wait(&second);
	CHECK(await_death(box.birth.pidfd), "the container survived");
	CHECK(box_wait(&box) == 137, "%d", box.status);
	CHECK(cgroup_remove(cgroup, &err) == 0, "%s", err.message);
	cgroup_free(cgroup);
	return failures != 0;
}

Test(cgroup, life_and_death, .timeout = 60)
{
	in_box(run_life);
}

static const struct {
	bool all;
	struct device_rule rule;
	const char *expect;
} devices[] = {
	{false, {0}, "0\nno\nno\n"},
	{false, {'c', 10, 229, "r", true}, "0\nread\nno\n"},
	{false, {'c', 10, -1, "rw", true}, "0\nread\nwrite\n"},
	{false, {'c', 1, 5, "rwm", false}, "1\nno\nno\n"},
	{true, {0}, "0\nread\nwrite\n"},
};

/* /dev/zero, which is among the defaults, and fuse, which is not, and which anybody may open. */
#define DEVICE_SCRIPT                                                            \
	"exec 2>/dev/null; mknod /tmp/fuse c 10 229; (: < /dev/zero); echo $?; " \
	"(: < /tmp/fuse) && echo read || echo no; (: > /tmp/fuse) && echo write || echo no"

static int run_devices(void *unused)
{
	static struct box box;

	box_prepare();
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct resources_spec limits = {.all_devices = devices[i].all,
						.device_rules = &devices[i].rule,
						.device_rule_count = devices[i].rule.type != 0};
		struct cgroup *cgroup = NULL;
		struct error err = ERROR_INIT;

		CHECK(cgroup_create(base, "dev", &limits, &cgroup, &err) == 0, "%s", err.message);
		box_init(&box, SH(DEVICE_SCRIPT));
		box.spec.cgroup_handle = cgroup;
		box_run(&box);
		CHECK(strcmp(box.text, devices[i].expect) == 0, "devices %zu: '%s' %s", i, box.text,
		      box.err.message);
		if (cgroup)
			CHECK(cgroup_remove(cgroup, &err) == 0, "%s", err.message);
		cgroup_free(cgroup);
	}
	return failures != 0;
}

Test(cgroup, devices, .timeout = 60)
{
	in_box(run_devices);
}

/* The BPF form of the same rules; a v2 tree is there on hybrid machines too. */
static int run_bpf(void *unused)
{
	static struct box box;
	struct error err = ERROR_INIT;
	struct cgroup_layout v2 = *cgroup_layout(&err);

	if (v2.v2.fd < 0)
		return 0;
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		v2.v1[i].fd = -EBADF;
	box_prepare();
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct resources_spec limits = {.all_devices = devices[i].all,
						.device_rules = &devices[i].rule,
						.device_rule_count = devices[i].rule.type != 0};
		struct cgroup cgroup = {.layout = &v2, .base = base, .id = "bpf"};
		char name[128];

		snprintf(name, sizeof(name), "%s-bpf", base);
		*strchr(name, '/') = '-';
		cgroup.v2 = name;
		CHECK(mkdirat(v2.v2.fd, name, 0755) == 0, "mkdir %s: %s", name, strerror(errno));
		CHECK(devices_apply_v2(v2.v2.fd, name, &limits, &err) == 0, "%s", err.message);
		box_init(&box, SH(DEVICE_SCRIPT));
		box.spec.cgroup_handle = &cgroup;
		box_run(&box);
		CHECK(strcmp(box.text, devices[i].expect) == 0, "bpf %zu: '%s' %s", i, box.text,
		      box.err.message);
		CHECK(unlinkat(v2.v2.fd, name, AT_REMOVEDIR) == 0, "rmdir %s", name);
	}
	return failures != 0;
}

Test(cgroup, devices_by_bpf, .timeout = 60)
{
	in_box(run_bpf);
}

/* As another process has it, of a container whose init made groups in the container's. */
static int run_packed(void *unused)
{
	struct cgroup *cgroup = NULL, *packed = NULL;
	struct error err = ERROR_INIT;
	struct strbuf bytes = {0};
	_cleanup_free_ char *below = NULL, *path = NULL;
	struct stat wanted, found;
	pid_t child;

	CHECK(cgroup_create(base, "packed", &(struct resources_spec){0}, &cgroup, &err) == 0, "%s",
	      err.message);
	if (!cgroup)
		return 1;
	cgroup_pack(cgroup, &bytes);
	CHECK(cgroup_unpack(bytes.data, bytes.length, &packed, &err) == 0, "%s", err.message);
	for (size_t size = 0; size < bytes.length; size++) {
		struct cgroup *part = NULL;

		CHECK(cgroup_unpack(bytes.data, size, &part, &err) == -EBADMSG, "%zu bytes", size);
	}
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	if (packed && cgroup->v2) {
		_cleanup_close_ int fd = -EBADF;
		char pid[16];

		below = str_printf("%s/init.scope", cgroup->v2);
		snprintf(pid, sizeof(pid), "%d", child);
		CHECK(group_make(cgroup->layout->v2.fd, below) >= 0, "make %s", below);
		CHECK(group_write(cgroup->layout->v2.fd, below, "cgroup.procs", pid) >= 0, "enter");
		fd = cgroup_clone_fd_of(packed, child);
		CHECK(fd >= 0 && fstat(fd, &found) == 0 &&
			      fstatat(cgroup->layout->v2.fd, below, &wanted, 0) == 0 &&
			      found.st_ino == wanted.st_ino,
		      "not the group of the init");
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	CHECK(cgroup_remove(cgroup, &err) == 0, "%s", err.message);
	cgroup_free(packed);
	cgroup_free(cgroup);
	strbuf_done(&bytes);
	return failures;
}

Test(cgroup, packed, .timeout = 60)
{
	in_box(run_packed);
}

Test(cgroup, names)
{
	static const char *const bad[] = {"", "..", "a/../b", "a//b", ".x", "a\nb"};
	struct resources_spec none = {0};
	struct error err = ERROR_INIT;
	struct cgroup *cgroup = NULL;

	if (!cgroup_layout(&err))
		cr_skip_test("needs control groups");
	array_foreach(name, bad)
		cr_expect_eq(cgroup_create("berth-test-names", *name, &none, &cgroup, &err),
			     -EINVAL, "'%s'", *name);
}

Test(cgroup, values)
{
	const char *events = "low 0\nhigh 0\noom 2\noom_kill 3\noom_group_kill 9\n";
	const char *io = "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=6 rios=1\n";

	cr_expect_eq(keyed_value(events, "oom_kill"), 3);
	cr_expect_eq(keyed_value(events, "oom"), 2);
	cr_expect_eq(keyed_value(events, "none"), 0);
	cr_expect_eq(keyed_sum(io, "rbytes"), 15);
	cr_expect_eq(keyed_sum(io, "wbytes"), 26);
}

/* One is removed between another's making and its child's entering. */
static int run_neighbours(void *unused)
{
	const struct resources_spec none = {0};
	struct cgroup *first = NULL, *second = NULL;
	struct error err = ERROR_INIT;

	box_prepare();
	CHECK(cgroup_create(base, "first", &none, &first, &err) == 0, "%s", err.message);
	CHECK(cgroup_create(base, "second", &none, &second, &err) == 0, "%s", err.message);
	if (!first || !second)
		return 1;
	cgroup_keep_base(first, base);
	CHECK(cgroup_remove(first, &err) == 0, "%s", err.message);
	CHECK(cgroup_join(second) == 0, "what they share went with the first");
	for (int i = 0; i < CONTROLLER_COUNT; i++)
		if (second->v1[i])
			(void)group_write(second->layout->v1[i].fd, ".", "tasks", "0");
	cgroup_keep_base(second, base);
	CHECK(cgroup_remove(second, &err) == 0, "%s", err.message);
	cgroup_remove_base(base);
	CHECK(!group_exists(second->layout->v1[CONTROLLER_DEVICES].fd, base), "it is left behind");
	cgroup_free(first);
	cgroup_free(second);
	return failures != 0;
}

Test(cgroup, neighbours, .timeout = 60)
{
	in_box(run_neighbours);
}
