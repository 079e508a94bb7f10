/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_CONTAINER_EXEC_PACK_H
#define RUNTIME_CONTAINER_EXEC_PACK_H

/*
 * exec_pack.h - what container_exec() reads of a spec, as bytes for another process of the same
 * program on the same machine.
 *
 * Descriptors do not travel this way: stdin_fd, stdout_fd and stderr_fd are -EBADF afterwards.
 */

#include "common/str.h"

#include "runtime/container/spec.h"

/* Adds the bytes of @spec to @buffer. */
void exec_pack(const struct container_spec *spec, struct strbuf *buffer);

/* A spec that points into the bytes it was made of. */
struct exec_unpacked {
	struct container_spec spec;
	void *memory;
	struct cgroup *cgroup;
};

/* @bytes must be aligned as malloc() does it, and outlive @ret. -EBADMSG: they are none of ours. */
int exec_unpack(const char *bytes, size_t size, struct exec_unpacked *ret, struct error *err);
void exec_unpacked_done(struct exec_unpacked *unpacked);

#endif
