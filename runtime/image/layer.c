/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/image/layer.h"

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
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/rootpath.h"
#include "common/str.h"

#include "runtime/image/extract.h"

#define SPACE_RESERVE      (UINT64_C(32) << 20) /* stays free whatever an image wants */
#define CHILD_MEMORY_LIMIT (UINT64_C(2) << 30)  /* xz and zstd name their own window */
#define OPAQUE_LIST_MAX    (64 << 20)

/* What the child tells, followed by the names of the opaque directories, each with its NUL. */
struct report {
	struct error error;
	struct layer_result result;
};

static void limits_of(int dir, struct extract_limits *limits)
{
	struct statvfs fs;

	*limits = (struct extract_limits){.bytes = UINT64_MAX, .entries = EXTRACT_ENTRIES_MAX};
	if (fstatvfs(dir, &fs) < 0)
		return;
	limits->bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	limits->bytes -= limits->bytes > SPACE_RESERVE ? SPACE_RESERVE : limits->bytes;
	/* btrfs and others count no inodes. */
	if (fs.f_files && fs.f_favail < limits->entries)
		limits->entries = fs.f_favail;
}

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

static int unpack(int fd, int dir, int copy_fd, struct report *report, struct extract *extract)
{
	struct extract_limits limits;
	struct fd_source source;
	struct tar_reader reader = {0};
	int r;

	limits_of(dir, &limits);
	r = confine(dir, &report->error);
	if (r < 0)
		return r;
	fd_source_init(&source, fd);
	r = tar_reader_open(&reader, &source.base, copy_fd, &report->error);
	if (r < 0)
		return r;
	reader.limit = copy_fd >= 0 ? limits.bytes : UINT64_MAX;
	extract_init(extract, &reader, dir, &limits);
	r = extract_run(extract, &report->error);
	if (r == 0)
		r = tar_reader_finish(&reader, report->result.diff_hex, &report->error);
	report->result.archive_bytes = reader.bytes;
	report->result.tree_bytes = extract->bytes;
	report->result.entries = extract->entries;
	tar_reader_close(&reader);
	fd_source_done(&source);
	return r;
}

static void child(int fd, int dir, int copy_fd, int out)
{
	const int keep[] = {fd, dir, copy_fd, out};
	struct report report = {0};
	struct extract extract = {0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-unpack");
	close_others(keep, ARRAY_SIZE(keep));
	/* libarchive converts the names of pax headers to the locale's; these stay as they are. */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	(void)iconv_close(
		iconv_open("UTF-8", "UTF-16LE")); /* reads the host's tables, not theirs */
	unpack(fd, dir, copy_fd, &report, &extract);
	(void)fd_write_all(out, &report, sizeof(report));
	strv_foreach(path, extract.opaque)(void) fd_write_all(out, path, strlen(path) + 1);
	_exit(report.error.code ? 1 : 0);
}

/* Done out here: trusted.* attributes take CAP_SYS_ADMIN, which the child has not. */
static int mark_opaque(int dir, const char *path, struct error *err)
{
	_cleanup_close_ int fd =
		rootpath_open(dir, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP) {
		error_clear(err); /* replaced further on in the archive */
		return 0;
	}
	if (fd < 0)
		return fd;
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return error_errno(err, "mark '%.200s' as opaque", path);
	return 0;
}

static int mark_all_opaque(int dir, const struct strbuf *list, struct error *err)
{
	for (size_t at = 0; at < list->length; at += strlen(list->data + at) + 1) {
		int r = mark_opaque(dir, list->data + at, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_report(int fd, struct report *report, struct strbuf *opaque, struct error *err)
{
	char buffer[65536];
	ssize_t n = fd_read_full(fd, report, sizeof(*report));

	if (n != sizeof(*report))
		return error_set(err, EIO, "unpacking ended before its time");
	report->error.message[sizeof(report->error.message) - 1] = '\0';
	report->error.where[sizeof(report->error.where) - 1] = '\0';
	report->result.diff_hex[SHA256_HEX_SIZE - 1] = '\0';
	while ((n = fd_read_full(fd, buffer, sizeof(buffer))) > 0) {
		if (opaque->length + (size_t)n > OPAQUE_LIST_MAX)
			return error_set(err, EFBIG, "too many opaque directories");
		strbuf_add_n(opaque, buffer, (size_t)n);
	}
	if (report->error.code) {
		*err = report->error;
		return -err->code;
	}
	return n < 0 ? error_code(err, (int)n, "unpack") : 0;
}

static void wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int layer_unpack(int fd, int dir, int copy_fd, struct layer_result *ret, struct error *err)
{
	_cleanup_strbuf_ struct strbuf opaque = {0};
	struct report report;
	int pipes[2], r;
	pid_t pid;

	/* Before the fork: the child's root has no libraries. */
	if (!libarchive_load(err))
		return -err->code;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "unpack");
	pid = fork();
	if (pid == 0)
		child(fd, dir, copy_fd, pipes[1]);
	close(pipes[1]);
	if (pid < 0) {
		close(pipes[0]);
		return error_errno(err, "start a process to unpack");
	}
	r = read_report(pipes[0], &report, &opaque, err);
	close(pipes[0]);
	wait_for(pid);
	if (r == 0)
		r = mark_all_opaque(dir, &opaque, err);
	if (r == 0)
		*ret = report.result;
	return r;
}
