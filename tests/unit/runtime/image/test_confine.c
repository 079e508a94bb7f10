// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/image/confine.h"

#include "tests/support/scratch.h"

/* Says what it could do that it must not. */
static int try_everything(void *data, struct strbuf *output, struct error *err)
{
	int kept_out = *(int *)data;

	if (access("/etc/passwd", F_OK) == 0)
		strbuf_add(output, "sees the host; ");
	if (execl("/proc/self/exe", "x", NULL) < 0 && errno != EPERM)
		strbuf_add(output, "may run programs; ");
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		strbuf_add(output, "has sockets; ");
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
	    MAP_FAILED)
		strbuf_add(output, "maps code; ");
	if (mount("none", "/", "tmpfs", 0, NULL) == 0 || chroot(".") == 0)
		strbuf_add(output, "mounts; ");
	if (fcntl(kept_out, F_GETFD) >= 0)
		strbuf_add(output, "has a descriptor too many; ");
	if (setuid(1000) == 0)
		strbuf_add(output, "changes its user; ");
	return 0;
}

static int fail(void *data, struct strbuf *output, struct error *err)
{
	strbuf_add(output, "as far as it came");
	return error_set(err, EBADMSG, "entry 'x': %s", "words");
}

static int die(void *data, struct strbuf *output, struct error *err)
{
	_exit(0);
}

Test(confine, can_only_read_archives, .fini = scratch_remove)
{
	_cleanup_close_ int dir = scratch_open(), other = open("/etc", O_RDONLY | O_CLOEXEC);
	struct confined job = {.dir = dir, .run = try_everything, .data = &other};
	struct strbuf output = {0};
	struct error err = ERROR_INIT;

	if (geteuid() != 0)
		cr_skip_test("a root of its own takes root");
	cr_assert_eq(confined_run(&job, &output, &err), 0, "%s", err.message);
	cr_expect_eq(output.length, 0, "%s", output.data);
	strbuf_done(&output);
	job.run = fail;
	cr_expect_eq(confined_run(&job, &output, &err), -EBADMSG);
	cr_expect_str_eq(err.message, "entry 'x': words");
	cr_expect_str_eq(output.data, "as far as it came");
	strbuf_done(&output);
	job.run = die;
	cr_expect_eq(confined_run(&job, &output, &err), -EIO);
	strbuf_done(&output);
}
