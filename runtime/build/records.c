// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finished steps on their way into the store and the cache, and out of it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/str.h"
#include "common/units.h"

#include "runtime/build/build.h"
#include "runtime/build/cache.h"

int step_record(struct build *build, struct step *step, struct error *err)
{
	struct cache_record row = {.tree_bytes = step->tree_bytes,
				   .created_nsec = step->created_nsec};

	if (!step->empty) {
		memcpy(row.diff, step->result->diff, sizeof(row.diff));
		memcpy(row.chain, step->result->chain, sizeof(row.chain));
	}
	step->recorded = true;
	/* Of what was found by its fast key the other one is not known. */
	if (!*step->key)
		return cache_put(build->dir, step->fast_key, &row, step->text, err);
	if (*step->fast_key && cache_put(build->dir, step->fast_key, &row, step->text, err) < 0)
		return -err->code;
	return cache_put(build->dir, step->key, &row, step->text, err);
}

int build_commit(struct build *build, struct error *err)
{
	int r;

	if (!build->staging_dirty)
		return 0;
	r = staging_commit(&build->staging, err);
	if (r < 0)
		return r;
	map_done(&build->staging.layers, free);
	map_done(&build->staging.blobs, free);
	build->staging_dirty = false;
	build->committed_usec = units_monotonic_usec();
	for (size_t i = 0; r == 0 && i < build->step_count; i++) {
		struct step *step = build->steps[i];

		if (step->state != STEP_DONE || !step->fresh || step->recorded)
			continue;
		r = step_record(build, step, err);
		cleanup_close_fd(&step->lock_fd);
		step->lock_fd = -EBADF;
	}
	return r;
}

bool step_cache_allowed(const struct build *build, const struct step *step)
{
	const char *name = step->stage->stage->name;

	if (build->options->no_cache)
		return false;
	return !name || !strv_contains(build->options->no_cache_filter, name);
}

/* From a cache elsewhere: its layer comes with it, and this machine's cache gets to know it. */
static bool fetch(struct build *build, struct step *step, const char *key, struct cache_record *ret)
{
	struct error err = ERROR_INIT;

	if (!transfer_find(build->transfer, key, ret) || build_open_staging(build, &err) < 0)
		return false;
	if (*ret->diff &&
	    transfer_fetch(build->transfer, tree_new(build, step->below, ret->diff), &err) < 0) {
		build_warn(build, "%s: %s", step->title, err.message);
		return false;
	}
	step->fresh = build->staging_dirty = true;
	return true;
}

bool step_from_cache(struct build *build, struct step *step, const char *key)
{
	struct cache_record row;
	bool here;

	if (!*key || !step_cache_allowed(build, step))
		return false;
	here = cache_find(build->dir, build->store, key, &row) == 0;
	if (!here && !fetch(build, step, key, &row))
		return false;
	if (*row.diff) {
		struct tree *tree = tree_new(build, step->below, row.diff);

		/* What it stands upon has the same chain, or the key were another. */
		if (here && strcmp(tree->chain, row.chain) != 0)
			return false;
		step->result = tree;
	} else {
		step->result = step->below;
		step->empty = true;
	}
	step->created_nsec = row.created_nsec;
	step->tree_bytes = row.tree_bytes;
	return true;
}

bool build_exports(const struct build *build, const struct build_stage *stage)
{
	if (build->options->output != BUILD_OUTPUT_IMAGE)
		return false;
	for (const struct build_stage *s = &build->stages[build->target]; s; s = s->base_stage)
		if (s == stage)
			return true;
	return false;
}
