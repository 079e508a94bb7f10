// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A Compose project of a registry: the first line is its name behind oci://, the rest the manifest.
 * What is told to be fetched has names that stay in their folder, and digests.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/image/registry.h"

#include "compose/cli/remote/remote_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = alloc_string_n((const char *)data, size);
	char *manifest = strchr(text, '\n');
	struct registry_name name = {0};
	struct remote_oci_files files;
	struct error err = ERROR_INIT;

	if (manifest)
		*manifest++ = '\0';
	if (registry_name_parse(text, &name, &err) < 0)
		assert(err.code && err.message[0]);
	registry_name_done(&name);
	error_clear(&err);
	if (remote_oci_parse(manifest ? manifest : "", &files, &err) < 0)
		assert(err.code && err.message[0] && !files.items);
	for (size_t i = 0; i < files.count; i++) {
		const char *file = files.items[i].name;

		assert(*file && !strchr(file, '/') && strcmp(file, "..") != 0 &&
		       strcmp(file, ".") != 0);
		assert(strncmp(files.items[i].digest, "sha256:", 7) == 0);
	}
	remote_oci_files_done(&files);
	return 0;
}
