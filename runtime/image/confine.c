// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <iconv.h>
#include <locale.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/image/archive.h"

#define CHILD_MEMORY_LIMIT (UINT64_C(2) << 30) /* xz and zstd name their own window */
#define OUTPUT_MAX         (256 << 20)
#define KEEP_MAX           8

/* Making files of any owner and mode, and nothing else. */
static int keep_capabilities(struct error *err)
{
	static const cap_value_t kept[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,
					   CAP_FSETID, CAP_MKNOD,        CAP_SETFCAP};
	cap_t caps = cap_init();
	int r = 0;

	if (!caps || cap_set_flag(caps, CAP_PERMITTED, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
	    cap_set_flag(caps, CAP_EFFECTIVE, ARRAY_SIZE(kept), kept, CAP_SET) < 0 ||
	    cap_set_proc(caps) < 0)
		r = error_errno(err, "give up capabilities");
	cap_free(caps);
	return r;
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

/*
 * The layer becomes the root of a process whose C library still opens files there (gconv): no
 * code may come from it, nor may any go anywhere.
 */
static int forbid_code(struct error *err)
{
	static const int denied[] = {SCMP_SYS(execve),
				     SCMP_SYS(execveat),
				     SCMP_SYS(socket),
				     SCMP_SYS(connect),
				     SCMP_SYS(ptrace),
				     SCMP_SYS(mount),
				     SCMP_SYS(unshare),
				     SCMP_SYS(setns),
				     SCMP_SYS(bpf),
				     SCMP_SYS(io_uring_setup),
				     SCMP_SYS(process_vm_writev),
				     SCMP_SYS(clone3),
				     SCMP_SYS(fork),
				     SCMP_SYS(vfork)};
	static const int mapping[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r = filter ? 0 : -ENOMEM;

	array_foreach(call, denied)
		if (r == 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), *call, 0);
	array_foreach(call, mapping)
		if (r == 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), *call, 1,
					     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	/* A kernel or an outer sandbox without seccomp: the other walls stand. */
	if (r < 0 && r != -EINVAL && r != -ECANCELED)
		return error_code(err, r, "give up running code");
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
	return forbid_code(err);
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

int confined_run(const struct confined *job, struct strbuf *ret_output, struct error *err)
{
	int pipes[2], r;
	pid_t pid;

	/* Before the fork: the child's root has no libraries. */
	if (!libarchive_load(err))
		return -err->code;
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
	r = read_output(pipes[0], ret_output, err);
	/* A child that still writes ends by that. */
	close(pipes[0]);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}
