/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_BUILD_TRANSFER_INTERNAL_H
#define RUNTIME_BUILD_TRANSFER_INTERNAL_H

/*
 * transfer_internal.h - where caches are, and what is known of them.
 */

#include "runtime/build/build.h"
#include "runtime/build/transfer.h"
#include "runtime/image/manifest.h"
#include "runtime/image/registry.h"

enum transfer_kind { TRANSFER_LOCAL, TRANSFER_REGISTRY, TRANSFER_INLINE };

struct transfer_place {
	enum transfer_kind kind;
	char *at;          /* a folder, a reference; inline: NULL */
	bool all;          /* mode=max: steps of all stages, not of the image's own only */
	bool ignore_error; /* of an export */
	/* of a source, once it was read */
	bool read;
	json_t *manifest, *config;
	struct map records; /* key to json_t, borrowed from @config */
	struct registry *registry;
	struct registry_name name;
	/* of a destination */
	char digest[DIGEST_SIZE];
};

struct transfer {
	struct build *build;
	struct transfer_place *from, *to;
	size_t from_count, to_count;
};

/* transfer_source.c: reads manifest and config, which are then checked. */
int transfer_read(struct transfer_place *place, struct error *err);
/* A blob of it into @fd, of so many bytes; the digest is held against it. */
int transfer_read_blob(struct transfer_place *place, const struct descriptor *blob, int fd,
		       struct error *err);

#endif
