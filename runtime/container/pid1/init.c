// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The container's init: see pid1.h. Freestanding, so that it is small, needs nothing of the image
 * and has nothing of the host in it.
 *
 * argv: "init", "MODE REPORT,LSM,KIND[,SOCKET...]", label, path, then the program's own argv. MODE
 * is 'x' to become the program, 'i' to stay and mind it; REPORT is the socket to tell of a failed
 * execve; LSM the directory of "exec" for label (-1: none), KIND 'a' for AppArmor, 's' for SELinux;
 * each SOCKET is one that the program gets from descriptor 3 on, sd_listen_fds(3).
 */
#include <asm/ioctls.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/time.h>
#include <linux/wait.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start\n\thlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl start\n\tbrk #0\n");
#else
#	error "the container's init knows x86_64 and aarch64"
#endif

static long call(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = 0;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
#else
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
#endif
}

static void copy(char *to, const char *from, long n)
{
	while (n-- > 0)
		*(volatile char *)to++ = *from++;
}

static long length(const char *s)
{
	long n = 0;

	while (*(const volatile char *)(s + n))
		n++;
	return n;
}

static const char *number(const char *s, int *ret)
{
	int value = 0, sign = 1;

	if (*s == '-') {
		sign = -1;
		s++;
	}
	while (*s >= '0' && *s <= '9')
		value = value * 10 + (*s++ - '0');
	*ret = value * sign;
	return *s ? s + 1 : s;
}

/* The layout of struct birth_message: kind, exit status (here errno), has_pty, error. */
struct not_executed {
	unsigned int kind;
	int code;
	unsigned int has_pty;
	int error_code;
	char where[128];
	char message[384];
};

static void report(int fd, int code, const char *path)
{
	static struct not_executed message;
	long n = length(path);

	message.kind = 3;
	message.code = code;
	if (n > (long)sizeof(message.message) - 1)
		n = sizeof(message.message) - 1;
	copy(message.message, path, n);
	call(SYS_write, fd, (long)&message, sizeof(message), 0);
}

static int set_label(int dir, char kind, const char *label)
{
	static char text[512];
	long n = length(label), prefix = kind == 'a' ? 5 : 0, fd, r;

	if (n + prefix >= (long)sizeof(text))
		return -36; /* ENAMETOOLONG */
	copy(text, "exec ", prefix);
	copy(text + prefix, label, n);
	fd = call(SYS_openat, dir, (long)"exec", O_WRONLY | O_CLOEXEC, 0);
	call(SYS_close, dir, 0, 0, 0);
	if (fd < 0)
		return (int)fd;
	r = call(SYS_write, fd, (long)text, n + prefix, 0);
	call(SYS_close, fd, 0, 0, 0);
	return r < 0 ? (int)r : 0;
}

#define SOCKETS_MAX 16
#define FIRST_FD    3

struct job {
	int report_fd, lsm_fd;
	int sockets[SOCKETS_MAX], socket_count;
	char kind;
	const char *label, *path;
	char **argv, **env;
};

/* The value in LISTEN_PID=..., which is wide enough for any pid. */
static char *pid_variable(char **env)
{
	static const char name[] = "LISTEN_PID=";

	for (; *env; env++) {
		long n = 0;

		while (n < (long)sizeof(name) - 1 && (*env)[n] == name[n])
			n++;
		if (n == (long)sizeof(name) - 1 && length(*env + n) == 10)
			return *env + n;
	}
	return 0;
}

static void tell_pid(char **env)
{
	char digits[10], *value = pid_variable(env);
	long pid = call(SYS_getpid, 0, 0, 0, 0), n = 0;

	if (!value)
		return;
	do
		digits[n++] = (char)('0' + pid % 10);
	while (pid /= 10);
	while (n)
		*value++ = digits[--n];
	*value = 0;
}

/* First all out of the way, since one may be where another is to be. */
static long place_sockets(struct job *job)
{
	int end = FIRST_FD + job->socket_count;
	long r = call(SYS_fcntl, job->report_fd, F_DUPFD_CLOEXEC, end, 0);

	if (r < 0)
		return r;
	job->report_fd = (int)r;
	for (int i = 0; i < job->socket_count; i++) {
		r = call(SYS_fcntl, job->sockets[i], F_DUPFD_CLOEXEC, end, 0);
		if (r < 0)
			return r;
		call(SYS_close, job->sockets[i], 0, 0, 0);
		job->sockets[i] = (int)r;
	}
	for (int i = 0; i < job->socket_count; i++) {
		r = call(SYS_dup3, job->sockets[i], FIRST_FD + i, 0, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static void __attribute__((noreturn)) run(struct job *job)
{
	long r = 0;

	call(SYS_fcntl, job->report_fd, F_SETFD, 1 /* FD_CLOEXEC */, 0);
	if (job->lsm_fd >= 0)
		r = set_label(job->lsm_fd, job->kind, job->label);
	if (r == 0 && job->socket_count) {
		tell_pid(job->env);
		r = place_sockets(job);
	}
	if (r == 0)
		r = call(SYS_execve, (long)job->path, (long)job->argv, (long)job->env, 0);
	report(job->report_fd, (int)-r, job->path);
	for (;;)
		call(SYS_exit_group, r == -2 /* ENOENT */ ? 127 : 126, 0, 0, 0);
}

static void mask(unsigned long set)
{
	call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&set, 0, sizeof(set));
}

static long fork_child(void)
{
	return call(SYS_clone, SIGCHLD, 0, 0, 0);
}

/* A group of its own in the foreground, as a shell would have it. Fails without a terminal. */
static void take_terminal(void)
{
	int group;

	call(SYS_setpgid, 0, 0, 0, 0);
	group = (int)call(SYS_getpid, 0, 0, 0, 0);
	call(SYS_ioctl, 0, TIOCSPGRP, (long)&group, 0);
}

/* Reaps all that ended. The exit code when the program itself did, else -1. */
static int reap(long child)
{
	int code = -1, status;

	for (;;) {
		long pid = call(SYS_wait4, -1, (long)&status, WNOHANG, 0);

		if (pid <= 0)
			return code;
		if (pid == child)
			code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
	}
}

/* Signals that tell of our own mistakes must kill us; all others are waited for. */
#define BIT(signal) (1UL << ((signal)-1))
#define OWN                                                                                     \
	(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP) | BIT(SIGABRT) | \
	 BIT(SIGSYS))

static void __attribute__((noreturn)) mind(struct job *job)
{
	unsigned long waited = ~OWN;
	long child;

	call(SYS_prctl, PR_SET_NAME, (long)"init", 0, 0);
	if (call(SYS_getpid, 0, 0, 0, 0) != 1)
		call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0);
	mask(waited);
	child = fork_child();
	if (child < 0) {
		report(job->report_fd, (int)-child, job->path);
		call(SYS_exit_group, 126, 0, 0, 0);
	}
	if (child == 0) {
		take_terminal(); /* SIGTTOU is still blocked, so that this does not stop us */
		mask(0);
		run(job);
	}
	call(SYS_close, job->report_fd, 0, 0, 0);
	if (job->lsm_fd >= 0)
		call(SYS_close, job->lsm_fd, 0, 0, 0);
	for (int i = 0; i < job->socket_count; i++)
		call(SYS_close, job->sockets[i], 0, 0, 0);
	for (;;) {
		long signal = call(SYS_rt_sigtimedwait, (long)&waited, 0, 0, sizeof(waited));
		int code;

		if (signal == SIGCHLD) {
			code = reap(child);
			if (code >= 0)
				call(SYS_exit_group, code, 0, 0, 0);
		} else if (signal > 0) {
			call(SYS_kill, child, signal, 0, 0);
		}
	}
}

void __attribute__((noreturn, used)) start(long *stack);

void start(long *stack)
{
	long argc = stack[0];
	char **argv = (char **)(stack + 1);
	struct job job;
	const char *numbers;

	if (argc < 5)
		for (;;)
			call(SYS_exit_group, 125, 0, 0, 0);
	numbers = number(argv[1] + 1, &job.report_fd);
	numbers = number(numbers, &job.lsm_fd);
	job.kind = *numbers;
	job.socket_count = 0;
	if (*numbers)
		numbers++;
	while (*numbers == ',' && job.socket_count < SOCKETS_MAX) {
		int n = 0;

		for (numbers++; *numbers >= '0' && *numbers <= '9'; numbers++)
			n = n * 10 + (*numbers - '0');
		job.sockets[job.socket_count++] = n;
	}
	job.label = argv[2];
	job.path = argv[3];
	job.argv = argv + 4;
	job.env = argv + argc + 1;
	if (argv[1][0] == 'i')
		mind(&job);
	run(&job);
}
