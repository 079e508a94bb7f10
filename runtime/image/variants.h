/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_VARIANTS_H
#define RUNTIME_IMAGE_VARIANTS_H

/*
 * variants.h - a name that stands for images of several platforms, and for what is said of them.
 *
 * The entry of such a name is one image, which is what its containers get; an annotation has the
 * digest of an OCI index that lists this one and the others, each of them whole in the store. As
 * BuildKit writes it, the index also has attestations: manifests for the platform unknown/unknown
 * whose layers are in-toto statements, with an annotation that says about which manifest.
 */

#include "runtime/image/store.h"

#define ANNOTATION_INDEX "berth.index"

/* The digest of the entry's index, or NULL. Borrowed. */
const char *store_descriptor_index(const json_t *descriptor);

/*
 * The manifest of @entry that suits @platform ("linux/arm64"; NULL: the entry's own). -ENOENT: it
 * has none.
 */
int variants_find(struct image_store *store, const json_t *entry, const char *platform,
		  char ret_digest[DIGEST_SIZE], struct error *err);

/*
 * An image that was pulled for one platform does not drive out those of others that its name also
 * stands for: @descriptor (for @platform, an object of platform.h) gets an index with them all.
 */
int variants_keep(struct staging *staging, const char *reference, json_t *descriptor,
		  const json_t *platform, struct error *err);

/* A manifest of the store as an index lists it, with its platform. New. */
int variants_row(struct image_store *store, const char *digest, json_t **ret, struct error *err);

/* Under the lock, of an entry that was added: what its index lists needs no entry without a name.
 */
void variants_absorb(struct image_store *store, const json_t *descriptor);

struct image_part {
	const char *id;    /* of an image that is here */
	json_t *predicate; /* SLSA provenance of it, or NULL. Borrowed. */
};

/* join.c
 *
 * Makes one image of several, under @names (none: without a name), with what is said of each. Their
 * layers are packed, so that the index is that of the registry later. *ret_digest: the index,
 * *ret_best: the part that suits this machine best.
 */
int image_join(struct image_store *store, const struct image_part *parts, size_t count,
	       char *const *names, char ret_digest[DIGEST_SIZE], size_t *ret_best,
	       struct error *err);

/*
 * Takes one platform from what @name stands for. -ENOENT: it has no such; -EBUSY: no other, or a
 * container has it (@users as for image_remove()).
 */
int image_remove_platform(struct image_store *store, const char *name, const char *platform,
			  const struct image_users *users, char ret_digest[DIGEST_SIZE],
			  struct error *err);

/* variant_ids.c */

/* Whether a row of an index is about another one, not an image. */
bool variants_is_attestation(const json_t *row);
/* The ids of all images that @entry stands for, its own first. New list. */
char **variants_ids(struct image_store *store, const json_t *entry);
/*
 * As store_lookup(); also by the id of an image that only an index lists: then the entry is that of
 * the index. *ret_digest: the manifest that is meant.
 */
int variants_lookup(struct image_store *store, const char *name, json_t **ret_entry,
		    char **ret_reference, char ret_digest[DIGEST_SIZE], struct error *err);

#endif
