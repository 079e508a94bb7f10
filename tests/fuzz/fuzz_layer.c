// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A layer's archive: the input is a tar (of any compression), unpacked within this process so
 * that coverage is seen, into a directory beside which a file must stay as it is.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"

#include "runtime/image/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char root[64];

static void remove_root(void)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	(void)fs_remove_tree(tmp, root + strlen("/tmp/"), &err);
}

static int open_root(void)
{
	int fd;

	if (!root[0]) {
		strcpy(root, "/tmp/berth-fuzz-XXXXXX");
		if (!mkdtemp(root))
			abort();
		(void)atexit(remove_root);
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		abort();
	return fd;
}

static void unpack(int tar, int dir)
{
	struct extract_limits limits = {.bytes = 1 << 20, .entries = 1000};
	struct error err = ERROR_INIT;
	char hex[SHA256_HEX_SIZE];
	struct tar_reader reader;
	struct extract extract;
	struct fd_source source;

	fd_source_init(&source, tar);
	if (tar_reader_open(&reader, &source.base, -EBADF, &err) == 0) {
		reader.limit = 16 << 20;
		extract_init(&extract, &reader, dir, &limits);
		if (extract_run(&extract, &err) == 0)
			(void)tar_reader_finish(&reader, hex, &err);
		extract_done(&extract);
		tar_reader_close(&reader);
	}
	fd_source_done(&source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int dir = -EBADF, beside = open_root(), tar = -EBADF;
	_cleanup_strv_ char **names = NULL;
	struct error err = ERROR_INIT;

	dir = fs_mkdir_open(beside, "layer", 0755, &err);
	tar = memfd_create("tar", MFD_CLOEXEC);
	if (dir < 0 || tar < 0 || fd_write_all(tar, data, size) < 0)
		abort();
	(void)lseek(tar, 0, SEEK_SET);
	unpack(tar, dir);
	if (fs_list(beside, ".", &names, &err) < 0 || strv_length(names) != 1)
		abort(); /* something came out */
	if (fs_remove_tree(beside, "layer", &err) < 0)
		abort();
	return 0;
}
