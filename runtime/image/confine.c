// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <linux/capability.h>
#include <locale.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/libseccomp.h"

#include "runtime/image/archive.h"
#include "runtime/image/stream.h"

#define CHILD_MEMORY_LIMIT (UINT64_C(2) << 30) /* xz and zstd name their own window */
#define OUTPUT_MAX         (256 << 20)
#define KEEP_MAX           8

/* Making files of any owner and mode, and nothing else. */
static int keep_capabilities(struct error *err)
{
	static const int kept[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
				   CAP_FSETID, CAP_MKNOD,        CAP_SETFCAP};
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	array_foreach(cap, kept)
		data[CAP_TO_INDEX(*cap)].permitted |= CAP_TO_MASK(*cap);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &header, data) < 0)
		return error_errno(err, "give up capabilities");
	return 0;
}

static void close_others(const int *keep, size_t count)
{
	unsigned int from = 3;

	for (;;) {
		unsigned int next = ~0U;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= (int)from && (unsigned int)keep[i] < next)
				next = (unsigned int)keep[i];
		if (next > from)
			(void)close_range(from, next == ~0U ? ~0U : next - 1, 0);
		if (next == ~0U)
			return;
		from = next + 1;
	}
}

/* All that reading an archive and making files takes; a row for each reason. */
static const int allowed[] = {
	/* bytes */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(dup),
	SCMP_SYS(fcntl),
	/* files, below the root that the child has */
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(fchdir),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(readlinkat),
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	/* memory, threads, the end */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(getrandom),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getegid),
	SCMP_SYS(getuid),
	SCMP_SYS(getgid),
	SCMP_SYS(tgkill),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(sigaltstack),
	SCMP_SYS(prctl),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(readlink),
	SCMP_SYS(open),
	SCMP_SYS(stat),
#endif
};

/* Memory that holds code is neither made nor given to what is there. */
static int allow_memory(scmp_filter_ctx filter)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	int r = 0;

	array_foreach(call, calls)
		if (r == 0)
			r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, *call, 1, &no_code);
	return r;
}

/* A thread, not a process. Of clone3 the kernel cannot see which: glibc then takes the other. */
static int allow_threads(scmp_filter_ctx filter)
{
	const struct scmp_arg_cmp thread = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
	int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &thread);

	return r ? r
		 : seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0,
					  NULL);
}

/*
 * The layer becomes the root of a process whose C library still opens files there (gconv): no
 * code may come from it, nor may any go anywhere.
 */
static int forbid_others(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? 0 : -ENOMEM;

	array_foreach(call, allowed)
		if (r == 0)
			r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, *call, 0, NULL);
	if (r == 0)
		r = allow_memory(filter);
	if (r == 0)
		r = allow_threads(filter);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	/* A kernel or an outer sandbox without seccomp: the other walls stand. */
	if (r < 0 && r != -EINVAL && r != -ECANCELED)
		return error_code(err, r, "give up other system calls");
	return 0;
}

static int confine(int dir, struct error *err)
{
#ifndef __SANITIZE_ADDRESS__ /* whose shadow is larger than any limit */
	struct rlimit memory = {CHILD_MEMORY_LIMIT, CHILD_MEMORY_LIMIT};

	(void)setrlimit(RLIMIT_DATA, &memory);
#endif
	struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	umask(0);
	if (fchdir(dir) < 0)
		return error_errno(err, "enter the layer's directory");
	/* Without privileges there is no chroot; names are resolved beneath the directory anyway.
	 */
	if (chroot(".") < 0 && errno != EPERM)
		return error_errno(err, "confine to the layer's directory");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, "give up privileges");
	if (geteuid() == 0 && keep_capabilities(err) < 0)
		return -err->code;
	return forbid_others(err);
}

static void child(const struct confined *job, int out)
{
	int keep[KEEP_MAX + 2];
	struct strbuf output = {0};
	struct error err = ERROR_INIT;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-unpack");
	for (size_t i = 0; i < job->keep_count; i++)
		keep[i] = job->keep[i];
	keep[job->keep_count] = job->dir;
	keep[job->keep_count + 1] = out;
	close_others(keep, job->keep_count + 2);
	/* libarchive converts the names of pax headers to the locale's; these stay as they are. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)iconv_close(iconv_open("UTF-8", "UTF-16LE")); /* the host's tables, not theirs */
	if (confine(job->dir, &err) == 0)
		job->run(job->data, &output, &err);
	if (output.length)
		(void)fd_write_all(out, output.data, output.length);
	(void)fd_write_all(out, &err, sizeof(err));
	_exit(err.code ? 1 : 0);
}

/* What the child made of it, then its error. */
static int read_output(int fd, struct strbuf *output, struct error *err)
{
	struct error failure;
	char buffer[65536];
	ssize_t n;

	while ((n = fd_read_full(fd, buffer, sizeof(buffer))) > 0) {
		if (output->length + (size_t)n > OUTPUT_MAX)
			return error_set(err, EFBIG, "the archive has too many entries");
		strbuf_add_n(output, buffer, (size_t)n);
	}
	if (n < 0)
		return error_code(err, (int)n, "unpack");
	if (output->length < sizeof(failure))
		return error_set(err, EIO, "unpacking ended before its time");
	output->length -= sizeof(failure);
	memcpy(&failure, output->data + output->length, sizeof(failure));
	output->data[output->length] = '\0';
	if (!failure.code)
		return 0;
	failure.message[sizeof(failure.message) - 1] = '\0';
	failure.where[sizeof(failure.where) - 1] = '\0';
	*err = failure;
	return -err->code;
}

int confined_start(const struct confined *job, struct confined_child *ret, struct error *err)
{
	int pipes[2];
	pid_t pid;

	/* Before the fork: the child's root has no libraries. */
	if (!libarchive_load(err) || libseccomp_load(err) < 0)
		return -err->code;
	plain_source_prepare();
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "unpack");
	pid = fork();
	if (pid == 0)
		child(job, pipes[1]);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return error_errno(err, "start a process to unpack");
	}
	*ret = (struct confined_child){.fd = pipes[0], .pid = pid};
	return 0;
}

int confined_end(struct confined_child *child, struct strbuf *ret_output, struct error *err)
{
	int r = read_output(child->fd, ret_output, err);

	/* A child that still writes ends by that. */
	close(child->fd);
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

void confined_kill(struct confined_child *child)
{
	_cleanup_strbuf_ struct strbuf output = {0};
	struct error ignored = ERROR_INIT;

	(void)kill(child->pid, SIGKILL);
	(void)confined_end(child, &output, &ignored);
}

int confined_run(const struct confined *job, struct strbuf *ret_output, struct error *err)
{
	struct confined_child running;
	int r = confined_start(job, &running, err);

	return r < 0 ? r : confined_end(&running, ret_output, err);
}
