// SPDX-License-Identifier: GPL-2.0-or-later
/* A seccomp profile as a user wrote it: refused with words, or a program that is not empty. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/container/confine/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *json = alloc_string_n((const char *)data, size);
	struct sock_fprog *program = NULL;
	struct error err = ERROR_INIT;

	if (seccomp_profile_program(json, size, &program, &err) < 0) {
		if (!err.message[0] || program)
			abort();
		return 0;
	}
	if (!program || !program->len)
		abort();
	seccomp_program_free(program);
	return 0;
}
