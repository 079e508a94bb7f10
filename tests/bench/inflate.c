// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * inflate - the processor's time that gzip layers cost whoever checks their digests: each FILE is
 * hashed, inflated by ISA-L, and what comes out is hashed; nothing is unpacked or written.
 *
 *     inflate FILE...
 *
 * Prints the milliseconds. With those of `tar -x` of the same layers, shared out among the
 * processors, it is the least that `berth image load` can take.
 */

#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/sha256.h"

static _Noreturn void fail(const char *path)
{
	perror(path);
	exit(1);
}

static double cpu_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void inflate_all(const char *path, uint8_t *packed, size_t size)
{
	static struct inflate_state state;
	static uint8_t buffer[128 << 10];
	unsigned char digest[32];
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, packed, size);
	sha256_bytes(&sha, digest);
	sha256_init(&sha);
	isal_inflate_init(&state);
	state.crc_flag = ISAL_GZIP;
	state.next_in = packed;
	state.avail_in = (uint32_t)size;
	do {
		state.next_out = buffer;
		state.avail_out = sizeof(buffer);
		if (isal_inflate(&state) != ISAL_DECOMP_OK)
			fail(path);
		sha256_update(&sha, buffer, sizeof(buffer) - state.avail_out);
	} while (state.block_state != ISAL_BLOCK_FINISH);
	sha256_bytes(&sha, digest);
}

int main(int argc, char **argv)
{
	double begin = cpu_msec();

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		struct stat st;
		void *packed;

		if (fd < 0 || fstat(fd, &st) < 0)
			fail(argv[i]);
		packed = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_POPULATE, fd, 0);
		if (packed == MAP_FAILED)
			fail(argv[i]);
		inflate_all(argv[i], packed, (size_t)st.st_size);
		munmap(packed, (size_t)st.st_size);
		close(fd);
	}
	printf("%.0f\n", cpu_msec() - begin);
	return 0;
}
