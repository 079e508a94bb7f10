/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_AUTH_H
#define RUNTIME_IMAGE_AUTH_H

/*
 * auth.h - the user's credentials: docker's config.json ($DOCKER_CONFIG, or ~/.docker), and the
 * programs it names (docker-credential-X, by the protocol of docker-credential-helpers); and the
 * proxies that the same file names.
 *
 * The file is written beside its name and renamed, mode 0600, and keeps whatever else stands in it.
 */

#include <jansson.h>
#include <stdbool.h>

#include "common/error.h"

#define AUTH_HUB_KEY "https://index.docker.io/v1/" /* docker.io's entry, since ever */

struct auth_credentials {
	char *username, *password;
	char *identity_token; /* instead of a password, for the token server */
	char *registry_token; /* is a bearer token already */
};

void auth_credentials_done(struct auth_credentials *credentials);

/* The entry's name for a registry as references name it: "docker.io", "ghcr.io", "localhost:5000".
 */
const char *auth_key(const char *registry);
/* "https://ghcr.io/v2/" to "ghcr.io"; docker.io's many names to "docker.io". New string. */
char *auth_registry_of(const char *server);

/* 1: *ret is filled in, 0: there are none for it. */
int auth_find(const char *registry, struct auth_credentials *ret, struct error *err);

/*
 * Stores them. *ret_helper is the program that keeps them, or NULL: the file does, *ret_path, and
 * readable for whoever can read it. New strings.
 */
int auth_store(const char *registry, const struct auth_credentials *credentials, char **ret_helper,
	       char **ret_path, struct error *err);
/* Forgets them. 1: there were some, 0: there were none. */
int auth_erase(const char *registry, struct error *err);

/*
 * What config.json has under "proxies" for the engine at @host ("unix:///var/run/docker.sock") or
 * else under "default": NAME=VALUE in capitals and in small letters. NULL: nothing. New list.
 */
int auth_proxies(const char *host, char ***ret, struct error *err);

/* The credentials for @registry as config.json's text says (not asking programs); for tests. */
int auth_decode(const json_t *config, const char *registry, struct auth_credentials *ret,
		struct error *err);
/* The helper that config.json names for it ("pass"), or NULL. Borrowed from @config. */
const char *auth_helper_of(const json_t *config, const char *registry);

#endif
