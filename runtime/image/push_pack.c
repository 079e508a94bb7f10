// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plain layers are for the store; registries and those who pull want them packed. That is done in a
 * process of its own, so that whoever pushes goes on showing how it goes, and can be interrupted.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/image/compress.h"
#include "runtime/image/push_internal.h"

/* What the child says at the end. */
struct packed {
	struct error error;
	char digest[DIGEST_SIZE];
};

static _Noreturn void child(struct push_image *image, int out, pid_t parent)
{
	struct packed packed = {.error = ERROR_INIT};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-pack");
	if (getppid() != parent)
		_exit(1);
	(void)compress_image(image->push->store, image->digest, packed.digest, &packed.error);
	(void)fd_write_all(out, &packed, sizeof(packed));
	_exit(0);
}

int push_pack_begin(struct push_image *image, struct error *err)
{
	pid_t parent = getpid();
	int pipes[2];

	if (image->as_is || !compress_needed(image->push->store, image->digest))
		return 0;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	image->packer = fork();
	if (image->packer == 0)
		child(image, pipes[1], parent);
	close(pipes[1]);
	image->packed_fd = pipes[0];
	return image->packer < 0 ? error_errno(err, "start a process to pack its layers") : 1;
}

static void reap(struct push_image *image)
{
	while (image->packer > 0 && waitpid(image->packer, NULL, 0) < 0 && errno == EINTR)
		;
	image->packer = 0;
	cleanup_close_fd(&image->packed_fd);
	image->packed_fd = -EBADF;
}

int push_pack_end(struct push_image *image, struct error *err)
{
	struct packed packed;
	ssize_t n = fd_read_full(image->packed_fd, &packed, sizeof(packed));

	reap(image);
	if (n != sizeof(packed))
		return error_set(err, EIO, "packing its layers ended before its time");
	if (packed.error.code) {
		*err = packed.error;
		return -err->code;
	}
	image->push->packed = true;
	memcpy(image->digest, packed.digest, sizeof(image->digest));
	/* The index was written: it is read anew for those who look through it. */
	return store_refresh(image->push->store, err);
}

void push_pack_kill(struct push_image *image)
{
	if (image->packer <= 0)
		return;
	(void)kill(image->packer, SIGKILL);
	reap(image);
	store_sweep(image->push->store);
}
