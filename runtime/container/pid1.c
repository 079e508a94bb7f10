// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/container/pid1.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>

#include "common/cleanup.h"
#include "common/fd.h"

#ifndef MFD_EXEC
#	define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

/* PID1_PROGRAM: the file that the Makefile links from pid1/init.c. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"pid1_start:\n"
	".incbin \"" PID1_PROGRAM "\"\n"
	"pid1_end:\n"
	".popsection\n");
extern const char pid1_start[], pid1_end[];

int pid1_program(struct error *err)
{
	static int program = -EBADF;
	_cleanup_close_ int fd = -EBADF;
	int r;

	if (program >= 0)
		return program;
	fd = memfd_create("init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_errno(err, "container's init: make an executable memfd (see "
					"vm.memfd_noexec)");
	r = fd_write_all(fd, pid1_start, (size_t)(pid1_end - pid1_start));
	if (r < 0)
		return error_code(err, r, "container's init");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return error_errno(err, "container's init: seal it");
	program = TAKE_FD(fd);
	return program;
}
