/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_BUILD_BUILD_ATTEST_H
#define COMPOSE_CLI_BUILD_BUILD_ATTEST_H

/*
 * build_attest.h - images of several builds: one for several platforms, or with provenance.
 *
 * Provenance is what BuildKit attaches: an in-toto statement with SLSA's predicate v0.2, in the
 * image's index. mode=min leaves out the values of build arguments, mode=max has them.
 */

#include "compose/cli/build/build_process.h"

struct build_attest {
	bool provenance, max;
	char *builder_id; /* or NULL */
};

/*
 * From --attest, --provenance and --sbom; warns of an SBOM, which needs a scanner. -EINVAL: not
 * known.
 */
int build_attest_parse(char *const *attest, const char *provenance, const char *sbom,
		       struct build_attest *ret, struct error *err);
void build_attest_done(struct build_attest *attest);

/* Whether these builds make one image together, whose names are given afterwards. */
bool build_attest_joins(const struct build_attest *attest, size_t platform_count);

/*
 * Makes one image of what @jobs have built, under @names. *ret_best: the index of the job whose
 * image suits this machine. *ret_digest: of the OCI index, new.
 */
int build_attest_join(const struct build_attest *attest, struct build_job *jobs, size_t count,
		      char *const *names, size_t *ret_best, char **ret_digest, struct error *err);

#endif
