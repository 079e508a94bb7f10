/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_SYSTEM_PRUNE_H
#define COMPOSE_CLI_SYSTEM_PRUNE_H

/*
 * prune.h - what the prune commands have in common: the question, filters, and the parts of which
 * `system prune` is made.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"

/* Prints @warning and asks. False, and said so, unless the answer is y. */
bool prune_confirmed(const char *what, const char *warning);

/* --filter until=..., label=..., label!=...; the rest is -EINVAL unless @more names it ("all"). */
struct prune_filter {
	int64_t before_nsec; /* 0: whatever the time */
	char *const *filters;
	bool all; /* all=1 was among them */
};

int prune_filter_parse(char *const *filters, const char *more, struct prune_filter *ret,
		       struct error *err);
bool prune_filter_matches(const struct prune_filter *filter, const json_t *labels,
			  int64_t created_nsec);

/* Each prints what it removed and adds the bytes of it to *bytes. */
int prune_images(const struct prune_filter *filter, bool all, uint64_t *bytes, struct error *err);
int prune_volumes(const struct prune_filter *filter, bool all, uint64_t *bytes, struct error *err);
int prune_networks(const struct prune_filter *filter, struct error *err);

struct project_args;
int prune_containers(struct project_args *args, const struct prune_filter *filter, uint64_t *bytes,
		     struct error *err);
/* What a container has written, of a CONTAINER with its "project". */
uint64_t prune_container_bytes(const json_t *container);

void prune_print_total(uint64_t bytes);

#endif
