/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_REGISTRY_CONFIG_H
#define RUNTIME_IMAGE_REGISTRY_CONFIG_H

/*
 * registry_config.h - what the machine's administrator says of registries.
 *
 * $BERTH_REGISTRIES, or /etc/berth/registries.json, or (so that a machine that had docker goes on
 * as it was) /etc/docker/daemon.json; the first that is there. The keys are those of daemon.json:
 *
 *     registry-mirrors          addresses asked before docker.io
 *     insecure-registries       "host:port" or networks: any certificate will do, or plain HTTP
 *     max-concurrent-downloads  (3), max-concurrent-uploads (5), max-download-attempts (5)
 *
 * and one of our own, {"mirrors": {"ghcr.io": ["https://mirror.example"]}}, for other registries.
 * Registries on this machine itself (localhost, 127.0.0.0/8, ::1) are always insecure in that
 * sense, as for docker.
 *
 * Certificates are in /etc/berth, /etc/docker or /etc/containers, certs.d/HOST[:PORT]: *.crt whom
 * to believe besides the system's, X.cert and X.key who we are.
 */

#include <stdbool.h>

#include "common/error.h"
#include "common/map.h"

#include "runtime/image/transport.h"

struct registry_config {
	struct map mirrors; /* registry to char **, addresses */
	char **insecure;
	int downloads, uploads, attempts;
};

int registry_config_read(struct registry_config *ret, struct error *err);
void registry_config_done(struct registry_config *config);

/* Of a registry's host[:port]. Asks the resolver only when networks are listed. */
bool registry_config_insecure(const struct registry_config *config, const char *authority);
/* localhost, 127.0.0.0/8, ::1 */
bool registry_is_local(const char *authority);
/* The address's host part, without brackets. New string. */
char *registry_host_of(const char *authority);

/* What certs.d says of host[:port]. Owned by the caller. */
int registry_config_tls(const struct registry_config *config, const char *authority,
			struct transport_tls *ret, struct error *err);
void registry_tls_done(struct transport_tls *tls);

#endif
