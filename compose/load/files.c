// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/load/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"

#include "compose/tree/utf16.h"

/* Of one project: a file that is included twice counts twice. */
#define FILES_MAX 20000
#define BYTES_MAX (128 << 20)

static int read_stdin(struct source *source, size_t limit, struct error *err)
{
	struct strbuf text = {0};
	char buffer[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		strbuf_add_n(&text, buffer, (size_t)n);
		if (text.length > limit)
			break;
	}
	source->size = text.length;
	source->text = strbuf_take(&text);
	if (n < 0)
		return error_errno(err, "read standard input");
	if (source->size > limit)
		return error_set(err, EFBIG, "standard input: larger than %zu MiB", limit >> 20);
	return 0;
}

static char *shown_name(const struct loader *l, const char *path)
{
	size_t length = strlen(l->working_dir);

	if (!strncmp(path, l->working_dir, length) && path[length] == '/')
		return alloc_string(path + length + 1);
	return alloc_string(path);
}

static void decode(struct source *source)
{
	char *text = utf16_to_utf8(source->text, source->size, &source->size);

	if (!text)
		return;
	free(source->text);
	source->text = text;
}

int files_read(struct loader *l, const char *path, size_t limit, struct source **ret,
	       struct error *err)
{
	_cleanup_free_ char *name = shown_name(l, path);
	struct source *source;
	int r;

	if (l->source_count >= FILES_MAX)
		return error_set(err, E2BIG, "%s: the project has more than %d files", name,
				 FILES_MAX);
	source = source_new(name, strcmp(path, "-") ? path : NULL);
	*array_add(l->sources, l->source_count) = source;
	source->number = l->source_count;
	if (!source->path)
		r = read_stdin(source, limit, err);
	else
		r = fs_read(AT_FDCWD, path, limit, &source->text, &source->size, err);
	if (r == -ENOENT)
		return error_set(err, ENOENT, "open %s: no such file or directory", path);
	if (r < 0)
		return r;
	decode(source);
	l->bytes += source->size;
	if (l->bytes > BYTES_MAX)
		return error_set(err, EFBIG, "%s: the project's files are larger than %d MiB", name,
				 BYTES_MAX >> 20);
	if (strlen(source->text) != source->size)
		return error_set(err, EINVAL, "%s: is not text: it has a zero byte", name);
	*ret = source;
	return 0;
}
