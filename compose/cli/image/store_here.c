// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/image/store_here.h"

#include "compose/control/requests.h"

int store_here_open(struct image_store **ret, struct error *err)
{
	return image_store_open(paths_root(), ret, err);
}

bool store_here_has(struct image_store *store, const char *name)
{
	struct error ignored = ERROR_INIT;
	struct image *image = NULL;
	bool here = image_find(store, name, &image, &ignored) >= 0;

	image_free(image);
	return here;
}
