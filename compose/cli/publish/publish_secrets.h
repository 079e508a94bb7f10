/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef COMPOSE_CLI_PUBLISH_PUBLISH_SECRETS_H
#define COMPOSE_CLI_PUBLISH_PUBLISH_SECRETS_H

/*
 * publish_secrets.h - keys and tokens in a text, known by the marks that their issuers give them.
 *
 * What has no such mark (a password) is not found.
 */

#include <stddef.h>

/* Calls @found for each: what kind it is, and so many bytes of @text from @offset. */
void publish_secrets_find(const char *text, size_t size,
			  void (*found)(void *data, const char *kind, size_t offset, size_t length),
			  void *data);

#endif
