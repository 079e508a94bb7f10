// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/store.h"

int image_read_config(struct image_store *store, const struct image *image, json_t **ret,
		      struct error *err)
{
	int r = store_read_json(store, image->id, ret, err);

	return r < 0 ? error_wrap(err, "image %s", image->reference ?: image->id) : 0;
}

uint64_t image_layer_bytes(struct image_store *store, const char *chain)
{
	_cleanup_free_ char *name = str_printf("%s.json", chain);
	_cleanup_json_ json_t *record = NULL;
	struct error ignored = ERROR_INIT;

	if (json_read(store->layers, name, 4096, &record, &ignored) < 0)
		return 0;
	return (uint64_t)json_get_int(record, "size", 0);
}
