// SPDX-License-Identifier: GPL-2.0-or-later
/* Any bytes as a YAML file: parsed within bounds, copied, compared, and turned into JSON. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/alloc.h"

#include "compose/tree/json_node.h"
#include "compose/tree/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source *source = source_new("fuzz.yaml", NULL);
	struct yaml_documents documents;
	struct error err = ERROR_INIT;

	source->text = alloc_zero(size + 1, 1);
	memcpy(source->text, data, size);
	source->size = size;
	if (yaml_parse(source, &documents, &err) < 0) {
		assert(err.code && err.message[0]);
	} else {
		for (size_t i = 0; i < documents.count; i++) {
			struct node *copy = node_copy(documents.items[i]);

			json_decref(node_to_json(copy));
			node_free(copy);
		}
		yaml_documents_done(&documents);
	}
	source_free(source);
	return 0;
}
