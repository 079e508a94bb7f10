/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_ARGS_NETWORK_WORDS_H
#define COMPOSE_CLI_ARGS_NETWORK_WORDS_H

/*
 * network_words.h - `--network` and what is said beside it, as a service's networks: a name, a mode
 * ("host", "none", "container:NAME"), or docker's long form "name=X,alias=Y,ip=Z".
 */

#include <jansson.h>

#include "common/error.h"

struct network_words {
	char *const *networks;                        /* NULL: the default bridge */
	char *const *aliases, *const *link_local_ips; /* of the first network, as the next */
	const char *ip, *ip6;
};

int network_words_put(json_t *project, json_t *service, const struct network_words *words,
		      struct error *err);

#endif
