/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_COMPRESS_H
#define RUNTIME_IMAGE_COMPRESS_H

/*
 * compress.h - layers that lie in the store as plain tars get gzip, before they go to a registry.
 *
 * The image stays what it is, its id and its layers' trees included: only its manifest is another,
 * that names the packed blobs. The same tar gives the same bytes, wherever the same library packs
 * it; and since the store keeps the new manifest, it is done once.
 */

#include "runtime/image/store.h"

/* Whether the manifest @digest has layers that are not packed. */
bool compress_needed(struct image_store *store, const char *digest);

/*
 * The manifest @digest with all layers packed: *ret_digest, which is @digest where there is nothing
 * to pack. What bore the old one's names in the index bears them on.
 *
 * The caller holds store_use(); what the old manifest alone needed goes with the next collection.
 */
int compress_image(struct image_store *store, const char *digest, char ret_digest[DIGEST_SIZE],
		   struct error *err);

#endif
