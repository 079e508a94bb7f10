// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/model/cdi.h"

#include <errno.h>
#include <fcntl.h>

#include "common/fs.h"

#include "compose/tree/json_node.h"
#include "compose/tree/yaml.h"

#define SPEC_SIZE_MAX (4 << 20)

static int parse(struct source *source, json_t **ret, struct error *err)
{
	struct yaml_documents documents = {0};
	int r = yaml_parse(source, &documents, err);

	if (r < 0)
		return r;
	if (!documents.count || documents.items[0]->kind != NODE_MAPPING)
		r = error_set(err, EINVAL, "is not a mapping");
	else
		*ret = node_to_json(documents.items[0]);
	yaml_documents_done(&documents);
	return r;
}

int cdi_read(const char *path, json_t **ret, struct error *err)
{
	struct source *source = source_new(path, path);
	int r = fs_read(AT_FDCWD, path, SPEC_SIZE_MAX, &source->text, &source->size, err);

	if (r >= 0)
		r = parse(source, ret, err);
	source_free(source);
	return r;
}
