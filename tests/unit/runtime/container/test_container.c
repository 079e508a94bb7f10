// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole containers of busybox, in mount namespaces of the tests' own. Root only. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/process.h"

#include "runtime/container/confine/seccomp.h"
#include "runtime/container/rootfs.h"

#include "tests/support/namespaces.h"
#include "tests/unit/runtime/container/box.h"

/* In the forked child asserts of Criterion mean nothing: it says what is wrong, and returns 1. */
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

static void in_box(int (*fn)(void *))
{
	if (geteuid() != 0 || !can_have_namespaces(CLONE_NEWNS) || access("/bin/busybox", X_OK) < 0)
		cr_skip_test("needs root, namespaces and a static busybox");
	cr_assert_eq(in_namespaces(CLONE_NEWNS, fn, NULL), 0);
}

static void as_web(struct box *b)
{
	b->spec.user = "web";
}

static void as_numbers(struct box *b)
{
	static const char *const groups[] = {"103", "staff", NULL};

	b->spec.user = "4242:102";
	b->spec.groups = groups;
}

static void as_last(struct box *b)
{
	b->spec.user = "last";
}

static void as_nobody_known(struct box *b)
{
	b->spec.user = "phantom";
}

static void with_group_unknown(struct box *b)
{
	b->spec.user = "web:phantoms";
}

static void read_only(struct box *b)
{
	b->spec.rootfs.read_only = true;
}

static void layers_only(struct box *b)
{
	b->spec.rootfs.upper_fd = b->spec.rootfs.work_fd = -EBADF;
	b->spec.rootfs.read_only = true;
	b->spec.rootfs.layer_count = 1;
}

static void with_init(struct box *b)
{
	b->spec.init = true;
}

static void with_cwd(struct box *b)
{
	b->spec.cwd = "/made/for/it";
}

static void cwd_out(struct box *b)
{
	b->spec.cwd = "/proc/self/fd/9";
}

static void no_new_privileges(struct box *b)
{
	b->spec.no_new_privileges = true;
}

static void with_seccomp(struct box *b)
{
	const struct sock_fprog *program;

	if (seccomp_default_program(b->spec.capabilities, &program, &b->err) == 0)
		b->spec.seccomp_program = program;
}

static void web_with_seccomp(struct box *b)
{
	with_seccomp(b);
	as_web(b);
}

static void seccomp_and_nnp(struct box *b)
{
	with_seccomp(b);
	b->spec.no_new_privileges = true;
	b->spec.init = true;
}

static void no_capabilities(struct box *b)
{
	b->spec.capabilities = 0;
}

static void with_rlimits(struct box *b)
{
	static const struct rlimit_spec limits[] = {
		{RLIMIT_NOFILE, {77, 99}},
		{RLIMIT_CORE, {0, 0}},
	};

	b->spec.rlimits = limits;
	b->spec.rlimit_count = ARRAY_SIZE(limits);
}

static void with_sysctls(struct box *b)
{
	static const struct sysctl_spec sysctls[] = {
		{"net/ipv4/ip_unprivileged_port_start", "0"},
		{"kernel/msgmax", "7777"},
	};

	b->spec.sysctls = sysctls;
	b->spec.sysctl_count = ARRAY_SIZE(sysctls);
	b->spec.domainname = "box.domain";
}

static void bad_sysctl(struct box *b)
{
	static const struct sysctl_spec sysctls[] = {{"net/ipv4/no_such_thing", "0"}};

	b->spec.sysctls = sysctls;
	b->spec.sysctl_count = 1;
}

static void with_oom_score(struct box *b)
{
	b->spec.set_oom_score_adj = true;
	b->spec.oom_score_adj = 500;
}

static void host_uts(struct box *b)
{
	b->spec.uts.source = NAMESPACE_HOST;
	b->spec.hostname = "not-set";
}

static void privileged(struct box *b)
{
	b->spec.capabilities = capability_all();
	b->spec.all_devices = true;
	b->spec.proc_unmasked = true;
	b->spec.sys_writable = true;
}

static void with_devices(struct box *b)
{
	static const struct device_spec devices[] = {
		{"/dev/net/tun", 'c', 10, 200, 0600, 101, 102},
		{"/dev/null", 'c', 1, 3, 0640, 0, 0},
	};

	b->spec.devices = devices;
	b->spec.device_count = ARRAY_SIZE(devices);
}

static void with_shm(struct box *b)
{
	b->spec.shm_bytes = 1 << 20;
}

static const struct {
	const char *args[4]; /* one alone is a program, two are sh -c */
	void (*change)(struct box *);
	int status;
	const char *expect; /* in the output or the error; NULL: nothing */
} cases[] = {
	/* exit codes, and Docker's words */
	{{"true"}, NULL, 0, ""},
	{{"sh", "-c", "exit 42"}, NULL, 42, ""},
	{{"sh", "-c", "kill -TERM $$"}, NULL, 0, ""}, /* process 1 has no default actions */
	{{"nosuch"}, NULL, 127, "exec: \"nosuch\": executable file not found in $PATH"},
	{{"/nosuch"}, NULL, 127, "exec: \"/nosuch\": stat /nosuch: no such file or directory"},
	{{"/bin/plain"}, NULL, 126, "exec: \"/bin/plain\": permission denied"},
	{{"/etc"}, NULL, 126, "exec: \"/etc\": is a directory"},
	{{"noshebang"}, NULL, 126, "exec /bin/noshebang: exec format error"},
	{{"badinterpreter"}, NULL, 127, "exec /bin/badinterpreter: no such file or directory"},
	/* our own program is not what an image finds behind /proc/self/exe */
	{{"selfexe"}, NULL, 125, ""},
	/* users */
	{{"sh", "-c", "id; echo $HOME"},
	 NULL,
	 0,
	 "uid=0(root) gid=0(root) groups=0(root)\n/root\n"},
	{{"sh", "-c", "id; echo $HOME"},
	 as_web,
	 0,
	 "uid=101(web) gid=102(web) groups=102(web),103(extra)\n/home/web\n"},
	{{"sh", "-c", "id; echo $HOME"},
	 as_numbers,
	 0,
	 "uid=4242 gid=102(web) groups=102(web),103(extra),104(staff)\n/\n"},
	{{"sh", "-c", "id -u; id -g; echo $HOME"}, as_last, 0, "7\n8\n/last\n"},
	{{"true"}, as_nobody_known, 125, "unable to find user phantom"},
	{{"true"}, with_group_unknown, 125, "unable to find group phantoms"},
	/* capabilities */
	{{"grep", "Cap", "/proc/self/status"},
	 NULL,
	 0,
	 "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
	 "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"},
	{{"grep", "Cap", "/proc/self/status"},
	 web_with_seccomp,
	 0,
	 "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
	 "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n"},
	{{"grep", "Cap", "/proc/self/status"},
	 no_capabilities,
	 0,
	 "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"},
	{{"grep", "CapEff", "/proc/self/status"}, with_seccomp, 0, "CapEff:\t00000000a80425fb\n"},
	{{"grep", "NoNewPrivs", "/proc/self/status"}, NULL, 0, "NoNewPrivs:\t0\n"},
	{{"grep", "NoNewPrivs", "/proc/self/status"}, no_new_privileges, 0, "NoNewPrivs:\t1\n"},
	/* the filter */
	{{"grep", "Seccomp:", "/proc/self/status"}, with_seccomp, 0, "Seccomp:\t2\n"},
	{{"grep", "Seccomp:", "/proc/self/status"}, seccomp_and_nnp, 0, "Seccomp:\t2\n"},
	{{"sh", "-c", "unshare -U true"}, with_seccomp, 1, "Operation not permitted"},
	{{"sh", "-c", "mount -t tmpfs t /tmp"}, NULL, 1, "permission denied"},
	{{"sh", "-c", "sh -c 'exit 5'; echo $?"}, with_seccomp, 0, "5\n"},
	/* file systems */
	{{"sh", "-c", "touch /x && echo made; touch /dev/y /dev/shm/z && echo too"},
	 NULL,
	 0,
	 "made\ntoo\n"},
	{{"touch", "/x"}, read_only, 1, "Read-only file system"},
	{{"touch", "/dev/shm/x"}, read_only, 0, ""},
	{{"true"}, layers_only, 125, "/proc: Read-only file system"},
	{{"cat", "/proc/keys", "/proc/timer_list"}, NULL, 0, ""},
	{{"ls", "/sys/firmware"}, NULL, 0, ""},
	{{"sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"}, NULL, 1, "Read-only file system"},
	{{"sh", "-c", "echo 1 > /sys/power/state"}, NULL, 1, ""},
	{{"grep", " /dev/shm ", "/proc/mounts"}, NULL, 0, "nosuid,nodev,noexec"},
	{{"grep", " /dev/shm ", "/proc/mounts"}, with_shm, 0, "size=1024k"},
	{{"sh", "-c", "grep -c ' /proc/' /proc/mounts"}, privileged, 1, "0\n"},
	{{"sh", "-c", "readlink /dev/ptmx; readlink /dev/core"},
	 NULL,
	 0,
	 "pts/ptmx\n/proc/kcore\n"},
	{{"stat", "-c", "%t:%T %a %u:%g"}, NULL, 1, ""},
	{{"sh", "-c", "stat -c '%t:%T %a %u:%g' /dev/net/tun /dev/null"},
	 with_devices,
	 0,
	 "a:c8 600 101:102\n1:3 640 0:0\n"},
	{{"sh", "-c", "test -c /dev/zero && test -c /dev/vda -o -b /dev/vda || ls /dev"},
	 privileged,
	 0,
	 ""},
	{{"pwd"}, with_cwd, 0, "/made/for/it\n"},
	{{"pwd"}, cwd_out, 125, "working directory /proc/self/fd/9"},
	{{"ls", "/proc/self/fd"}, NULL, 0, "0\n1\n2\n3\n"}, /* 3 is ls's own */
	{{"sh", "-c", "umask"}, NULL, 0, "0022\n"},
	/* limits and names */
	{{"sh", "-c", "ulimit -n; ulimit -Hn; ulimit -c"}, with_rlimits, 0, "77\n99\n0\n"},
	{{"sh", "-c",
	  "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start; hostname; "
	  "cat /proc/sys/kernel/domainname"},
	 with_sysctls,
	 0,
	 "7777\n0\nboxhost\nbox.domain\n"},
	{{"true"}, bad_sysctl, 125, "sysctl net/ipv4/no_such_thing"},
	{{"cat", "/proc/self/oom_score_adj"}, with_oom_score, 0, "500\n"},
	{{"sh", "-c", "test $(hostname) != boxhost"}, host_uts, 0, ""},
	{{"sh", "-c", "echo $$; ls /proc | grep -c '^[0-9]'"}, NULL, 0, "1\n"},
	{{"ip", "link", "show", "lo"}, NULL, 0, "LOWER_UP"},
	/* init */
	{{"sh", "-c", "exit 9"}, with_init, 9, ""},
	{{"sh", "-c", "kill -KILL $$"}, with_init, 137, ""},
	{{"nosuch"}, with_init, 127, "executable file not found"},
	{{"noshebang"}, with_init, 126, "exec format error"},
	{{"sh", "-c", "echo $$; readlink /proc/1/exe; cat /proc/1/comm"},
	 with_init,
	 0,
	 "2\n/memfd:init (deleted)\ninit\n"},
};

static void run_case(size_t i)
{
	static struct box box;

	box_init(&box, cases[i].args);
	if (cases[i].change)
		cases[i].change(&box);
	box_run(&box);
	if (box.news == BIRTH_FAILED)
		box.status = box.report.exit_status ? box.report.exit_status : 125;
	CHECK(box.status == cases[i].status, "case %zu (%s %s): status %d, not %d: %s%s", i,
	      cases[i].args[0], cases[i].args[1] ? cases[i].args[2] : "", box.status,
	      cases[i].status, box.text, box.err.message);
	CHECK(strstr(box.text, cases[i].expect) || strstr(box.err.message, cases[i].expect),
	      "case %zu (%s %s): '%s%s', not '%s'", i, cases[i].args[0],
	      cases[i].args[1] ? cases[i].args[2] : "", box.text, box.err.message, cases[i].expect);
}

static int run_cases(void *unused)
{
	box_prepare();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		run_case(i);
	return failures != 0;
}

Test(container, what_a_program_finds)
{
	in_box(run_cases);
}

static int make_tmpfs(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), fd;

	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	fd = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	close(fs);
	return fd;
}

/* Mounts come in order, so that one can lie in another; links in the image stay inside it. */
static int run_mounts(void *unused)
{
	static struct box box;
	struct mount_spec mounts[4];
	int file;

	box_prepare();
	if (symlink("/../../../../etc/inside", "/mnt/layer/link") < 0)
		return 1;
	mounts[0] = (struct mount_spec){make_tmpfs(), "/data", true};
	mounts[1] = (struct mount_spec){make_tmpfs(), "/data/below", true};
	file = open_tree(AT_FDCWD, "/mnt/layer/etc/passwd", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	mounts[2] = (struct mount_spec){file, "/data/below/new/file", false};
	mounts[3] = (struct mount_spec){make_tmpfs(), "/link", true};
	box_init(&box, SH("while read a b c; do case $b in /data*|*inside) echo $b;; esac; done < "
			  "/proc/mounts; "
			  "head -n 1 /data/below/new/file"));
	box.spec.mounts = mounts;
	box.spec.mount_count = ARRAY_SIZE(mounts);
	box_run(&box);
	CHECK(strcmp(box.text, "/data\n/data/below\n/data/below/new/file\n/etc/inside\n"
			       "# a comment\n") == 0,
	      "mounts: '%s' %s", box.text, box.err.message);
	CHECK(access("/etc/inside", F_OK) < 0, "a link led out of the root");
	return failures != 0;
}

Test(container, given_mounts)
{
	in_box(run_mounts);
}

/* Reads the pty until @until was there. */
static bool pty_says(int master, const char *until)
{
	static char text[4096];
	size_t used = 0;
	struct pollfd p = {.fd = master, .events = POLLIN};

	memset(text, 0, sizeof(text));
	while (used < sizeof(text) - 1 && poll(&p, 1, 5000) == 1) {
		ssize_t n = read(master, text + used, sizeof(text) - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
		if (strstr(text, until))
			return true;
	}
	fprintf(stderr, "the terminal said '%s', not '%s'\n", text, until);
	return false;
}

static int run_tty(void *unused)
{
	static struct box box, second;
	bool init[] = {false, true};

	box_prepare();
	array_foreach(with, init) {
		box_init(&box, SH("tty; stat -c %t:%T /dev/console; read x; "
				  "echo got $x; stty size; sleep 100"));
		box.spec.terminal = true;
		box.spec.init = *with;
		CHECK(box_start(&box) == BIRTH_EXECUTED, "tty: %s", box.err.message);
		CHECK(box.report.pty_master >= 0, "no pty came");
		CHECK(pty_says(box.report.pty_master, "/dev/pts/0\r\n88:0\r\n"), "tty");
		CHECK(container_resize(box.report.pty_master, 33, 99) == 0, "resize");
		CHECK(write(box.report.pty_master, "hello\n", 6) == 6, "write");
		CHECK(pty_says(box.report.pty_master, "got hello\r\n33 99\r\n"), "resized");

		box_init(&second, SH("tty; echo exec; stat -c %t:%T /dev/tty; sleep 100"));
		second.spec.terminal = true;
		CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_EXECUTED, "exec -t: %s",
		      second.err.message);
		CHECK(pty_says(second.report.pty_master, "/dev/pts/1\r\nexec\r\n5:0"), "exec -t");
		/* Ctrl-C reaches the foreground group. */
		CHECK(write(second.report.pty_master, "\003", 1) == 1, "write");
		CHECK(box_wait(&second) == 130, "exec -t: Ctrl-C gave %d", second.status);
		close(second.report.pty_master);
		box_kill(&box);
		close(box.report.pty_master);
	}
	return failures != 0;
}

Test(container, terminal, .timeout = 60)
{
	in_box(run_tty);
}

static int run_exec(void *unused)
{
	static struct box box, second;

	box_prepare();
	box_init(&box, SH("echo up; sleep 1000"));
	box.spec.user = "web";
	with_seccomp(&box);
	CHECK(box_start(&box) == BIRTH_EXECUTED, "start: %s", box.err.message);

	box_init(&second, SH("id -u; hostname; echo $HOME; pwd; ls /proc/self/fd | wc -l; "
			     "grep -E 'Seccomp:|CapEff' /proc/self/status; ps | grep -c sleep; "
			     "for n in net cgroup time; do readlink /proc/self/ns/$n; done"));
	second.spec.cwd = "/bin";
	with_seccomp(&second);
	CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_EXECUTED, "exec: %s", second.err.message);
	box_wait(&second);
	CHECK(strstr(second.text, "0\nboxhost\n/root\n/bin\n4\nCapEff:\t00000000a80425fb\n"
				  "Seccomp:\t2\n") == second.text,
	      "exec: '%s'", second.text);
	for (int i = 0; i < 3; i++) {
		static const char *const kinds[] = {"net", "cgroup", "time"};
		char link[64] = "", path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", box.birth.pid, kinds[i]);
		CHECK(readlink(path, link, sizeof(link) - 1) > 0, "readlink");
		CHECK(strstr(second.text, link), "exec: %s is not %s in '%s'", kinds[i], link,
		      second.text);
	}

	box_init(&second, ((const char *const[]){"nosuch", NULL}));
	CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_FAILED, "exec of nothing");
	CHECK(second.report.exit_status == 127, "exec of nothing: %d", second.report.exit_status);
	box_wait(&second);

	/* Our own pid namespace is what children get again. */
	box_init(&second, SH("echo $$"));
	CHECK(box_run(&second) == 0 && strcmp(second.text, "1\n") == 0, "after exec: '%s' %s",
	      second.text, second.err.message);
	box_kill(&box);
	CHECK(strcmp(box.text, "up\n") == 0, "output '%s'", box.text);
	box_init(&second, SH("true"));
	CHECK(box_exec(&second, box.birth.pidfd) == BIRTH_FAILED, "exec in a dead one");
	return failures != 0;
}

Test(container, exec, .timeout = 60)
{
	in_box(run_exec);
}

/* network_mode, pid and ipc of another container. */
static int run_join(void *unused)
{
	static struct box box, second;
	const char *kinds[] = {"net", "ipc", "pid"};

	box_prepare();
	box_init(&box, SH("echo up; sleep 1000"));
	CHECK(box_start(&box) == BIRTH_EXECUTED, "start: %s", box.err.message);
	box_init(&second, SH("for n in net ipc pid; do readlink /proc/self/ns/$n; done; "
			     "ps | grep -c 'sleep 1000'; test $$ != 1"));
	second.spec.network.source = second.spec.ipc.source = second.spec.pid.source =
		NAMESPACE_JOIN;
	second.spec.network.fd = container_namespace(box.birth.pidfd, "net", &box.err);
	second.spec.ipc.fd = container_namespace(box.birth.pidfd, "ipc", &box.err);
	second.spec.pid.fd = container_namespace(box.birth.pidfd, "pid", &box.err);
	CHECK(second.spec.pid.fd >= 0, "%s", box.err.message);
	CHECK(box_run(&second) == 0, "join: %d %s %s", second.status, second.text,
	      second.err.message);
	array_foreach(kind, kinds) {
		char link[64] = "", path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", box.birth.pid, *kind);
		CHECK(readlink(path, link, sizeof(link) - 1) > 0, "readlink");
		CHECK(strstr(second.text, link), "join: %s is not in '%s'", link, second.text);
	}
	box_kill(&box);
	return failures != 0;
}

static void drop_sys_resource(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		abort();
	data[0].effective &= ~(1U << CAP_SYS_RESOURCE);
	data[0].permitted &= ~(1U << CAP_SYS_RESOURCE);
	if (syscall(SYS_capset, &header, data) < 0)
		abort();
}

/* What is quietly less than asked for can be told; with the capability there is nothing. */
static int run_lacks(void *unused)
{
	static struct box box;
	const struct rlimit less = {64, 64};
	struct rlimit_spec limits[] = {
		{RLIMIT_CORE, {0, 0}},
		{RLIMIT_NOFILE, {100, 100}},
	};
	char text[300], small[20];

	box_prepare();
	box_init(&box, SH("ulimit -n"));
	CHECK(!container_lacks(&box.spec, text, sizeof(text)) && !*text, "nothing: '%s'", text);
	CHECK(setrlimit(RLIMIT_NOFILE, &less) == 0, "setrlimit");
	box.spec.rlimits = limits;
	box.spec.rlimit_count = ARRAY_SIZE(limits);
	box.spec.set_oom_score_adj = true;
	box.spec.oom_score_adj = -1000;
	drop_sys_resource();
	CHECK(container_lacks(&box.spec, text, sizeof(text)), "lacks");
	CHECK(strncmp(text, "ulimit nofile is 64, the most that berth itself has; oom_score_adj",
		      66) == 0,
	      "'%s'", text);
	CHECK(container_lacks(&box.spec, small, sizeof(small)) && strlen(small) == 19, "'%s'",
	      small);
	CHECK(box_run(&box) == 0 && strcmp(box.text, "64\n") == 0, "'%s' %s", box.text,
	      box.err.message);
	return failures != 0;
}

Test(container, what_it_lacks)
{
	in_box(run_lacks);
}

/* One /dev/shm for two containers: the first one's own, or a mount that was made for it. */
static void share_shm(int shm_fd)
{
	static struct box box, second;
	const char *size = shm_fd >= 0 ? "256" : "16384";
	int pidfd;

	box_init(&box, SH("echo hello > /dev/shm/first; until [ -e /dev/shm/second ]; do :; done; "
			  "cat /dev/shm/second; df -k /dev/shm | tail -n 1 | tr -s ' ' | "
			  "cut -d ' ' -f 2"));
	box.spec.shm_fd = shm_fd;
	box.spec.shm_bytes = 16 << 20;
	CHECK(box_start(&box) == BIRTH_EXECUTED, "start: %s", box.err.message);
	box_init(&second, SH("until [ -s /dev/shm/first ]; do :; done; cat /dev/shm/first; "
			     "grep /dev/shm /proc/mounts; echo back > /dev/shm/new; "
			     "mv /dev/shm/new /dev/shm/second"));
	second.spec.ipc = (struct namespace_spec){
		NAMESPACE_JOIN, container_namespace(box.birth.pidfd, "ipc", &box.err)};
	second.spec.shm_container = box.birth.pidfd;
	CHECK(box_run(&second) == 0, "second: %d %s", second.status, second.err.message);
	CHECK(strncmp(second.text, "hello\n", 6) == 0, "second: '%s'", second.text);
	CHECK(strstr(second.text, " /dev/shm tmpfs rw,nosuid,nodev,noexec"), "options: '%s'",
	      second.text);
	close(second.spec.ipc.fd);
	pidfd = fcntl(box.birth.pidfd, F_DUPFD_CLOEXEC, 3);
	box_wait(&box);
	CHECK(strncmp(box.text, "back\n", 5) == 0 && strstr(box.text, size), "first: '%s'",
	      box.text);
	/* A /dev/shm of nobody is not quietly made a private one. */
	box_init(&second, SH("true"));
	second.spec.shm_container = pidfd;
	CHECK(box_run(&second) == 125, "of a dead one: %d", second.status);
	close(pidfd);
}

static int run_share_shm(void *unused)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	box_prepare();
	share_shm(-EBADF);
	fsconfig(fs, FSCONFIG_SET_STRING, "size", "256k", 0);
	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	share_shm(fsmount(fs, FSMOUNT_CLOEXEC, 0));
	close(fs);
	return failures != 0;
}

Test(container, shares_shm, .timeout = 60)
{
	in_box(run_share_shm);
}

Test(container, joins_namespaces, .timeout = 60)
{
	in_box(run_join);
}

/* Signals go through init to the program; orphans are reaped. */
static int run_init(void *unused)
{
	static struct box box;

	box_prepare();
	box_init(&box, SH("trap 'echo term; exit 3' TERM; (sh -c 'sleep 0.01 &'); echo up; "
			  "while true; do sleep 0.05; done"));
	box.spec.init = true;
	CHECK(box_start(&box) == BIRTH_EXECUTED, "start: %s", box.err.message);
	while (!strstr(box.text, "up") && read(box.output, box.text, 3) > 0)
		;
	process_pidfd_signal(box.birth.pidfd, SIGTERM);
	CHECK(box_wait(&box) == 3, "init: status %d", box.status);
	CHECK(strcmp(box.text, "term\n") == 0, "init: '%s'", box.text);
	return failures != 0;
}

Test(container, init_forwards_signals, .timeout = 60)
{
	in_box(run_init);
}

/* Who dies before the release takes the birth with him: nothing of the image has run. */
static int run_orphan(void *unused)
{
	static struct box box;
	struct pollfd p;
	pid_t parent;
	int pidfd;

	box_prepare();
	box_init(&box, SH("echo ran"));
	CHECK(container_clone(&box.spec, false, &box.birth, &box.err) == 0, "%s", box.err.message);
	pidfd = box.birth.pidfd;
	close(box.birth.release_fd);
	p = (struct pollfd){.fd = pidfd, .events = POLLIN};
	CHECK(poll(&p, 1, 5000) == 1, "the unreleased child lives on");
	CHECK(container_report(&box.birth, &box.report, &box.err) == BIRTH_FAILED ||
		      box.birth.release_fd >= 0,
	      "it says that it executed");
	box.birth.release_fd = -EBADF;
	close(box.spec.stdout_fd);
	box_wait(&box);
	CHECK(!*box.text, "it ran: '%s'", box.text);
	box_init(&box, SH("echo ran"));
	parent = fork();
	if (parent == 0) {
		container_clone(&box.spec, true, &box.birth, &box.err);
		_exit(box.birth.pid > 0 ? 0 : 1);
	}
	close(box.spec.stdout_fd);
	CHECK(waitpid(parent, NULL, 0) == parent, "the parent");
	/* as_sibling: it is our child now, and ends by itself. */
	CHECK(waitpid(-1, NULL, 0) > 0, "no child of ours");
	CHECK(read(box.output, box.text, 10) == 0, "it ran: '%s'", box.text);
	return failures != 0;
}

Test(container, unreleased_births_end, .timeout = 60)
{
	in_box(run_orphan);
}

static int network_fd;
static int network_hook(const void *data, int *fds, size_t *count, struct error *err)
{
	if (strcmp(data, "fail") == 0)
		return error_set(err, EADDRINUSE, "network: taken");
	fds[0] = dup(network_fd);
	fds[1] = dup(network_fd);
	*count = 2;
	return 0;
}

static int run_hook(void *unused)
{
	static struct box box;

	box_prepare();
	network_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	box_init(&box, SH("exit 4"));
	box.spec.network_hook = network_hook;
	box.spec.network_data = "pass";
	CHECK(box_run(&box) == 4, "hook: %s", box.err.message);
	CHECK(box.report.network_fd_count == 2 && box.report.pty_master < 0, "%zu fds",
	      box.report.network_fd_count);
	box_init(&box, SH("exit 4"));
	box.spec.network_hook = network_hook;
	box.spec.network_data = "fail";
	box_run(&box);
	CHECK(box.news == BIRTH_FAILED && strcmp(box.err.message, "network: taken") == 0, "'%s'",
	      box.err.message);
	return failures != 0;
}

Test(container, network_hook, .timeout = 60)
{
	in_box(run_hook);
}

/* The ways that kernels before 6.7 need, and that ours takes as well. */
static int run_old_overlays(void *unused)
{
	static struct box box;
	int layers[2], fd;
	bool own = false;

	box_prepare();
	box_init(&box, SH("true"));
	if (mkdir("/mnt/top", 0755) < 0)
		return 1;
	layers[0] = open("/mnt/top", O_PATH | O_DIRECTORY | O_CLOEXEC);
	layers[1] = box.layer;
	box.spec.rootfs.layer_fds = layers;
	box.spec.rootfs.layer_count = 2;
	fd = rootfs_overlay_by_names(&box.spec.rootfs, &box.err);
	CHECK(fd >= 0 && faccessat(fd, "etc/passwd", F_OK, 0) == 0, "by names: %s",
	      box.err.message);
	box_init(&box, SH("true"));
	box.spec.rootfs.layer_fds = layers;
	box.spec.rootfs.layer_count = 2;
	fd = rootfs_overlay_by_mount(&box.spec.rootfs, &own, &box.err);
	CHECK(fd >= 0 && own && faccessat(fd, "etc/passwd", F_OK, 0) == 0, "by mount: %s",
	      box.err.message);
	return failures != 0;
}

Test(container, overlays_of_old_kernels)
{
	in_box(run_old_overlays);
}
