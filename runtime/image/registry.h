/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_REGISTRY_H
#define RUNTIME_IMAGE_REGISTRY_H

/*
 * registry.h - requests to registries (OCI distribution-spec 1.1), many at once in one thread.
 *
 * A request gets its answer through whatever stands in the way: mirrors are asked first and passed
 * over when they fail; an insecure registry is spoken to in plain HTTP when it has no TLS; a
 * challenge is met with the user's credentials or a token; redirects are followed, a bounded number
 * of them, and nothing secret is said to another host than the one it is for; what may be temporary
 * (a broken connection, 429, 5xx) is tried again, later each time, and a download goes on where it
 * broke off.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#include "runtime/image/auth.h"
#include "runtime/image/registry_config.h"
#include "runtime/image/transport.h"

#define REGISTRY_HUB "docker.io"

/* "docker.io/library/nginx:alpine" in its pieces. */
struct registry_name {
	char *registry, *repository;
	char *tag, *digest; /* NULL where there is none */
};

/* As a user writes it, or normalised. registry_name_done() releases. */
int registry_name_parse(const char *name, struct registry_name *ret, struct error *err);
void registry_name_done(struct registry_name *name);

struct registry;
struct registry_request;

int registry_open(struct registry **ret, struct error *err);
/* Its requests have to be gone. */
void registry_close(struct registry *registry);
const struct registry_config *registry_config_of(const struct registry *registry);
/* Instead of those that the user has stored. Copies. */
void registry_set_credentials(struct registry *registry, const char *name,
			      const struct auth_credentials *credentials);
/* A token that was given for a login, and is better kept than the password; or NULL. Borrowed. */
const char *registry_identity_token(const struct registry *registry, const char *name);

struct registry_request {
	/* What is asked, until registry_send(). Owned by the request. */
	char *registry_name, *repository; /* no repository: /v2/ itself */
	char *method, *path;              /* below /v2/REPOSITORY/ */
	char *url;                        /* instead of these: where an upload goes on */
	char *mount_from;                 /* another repository that has to be read for it */
	char **headers;
	bool writes;  /* needs the right to push; no mirrors */
	bool patient; /* a registry that cannot be reached is tried again as well */
	bool once;    /* never tried again: what it does must not be done twice */
	/* A body: a text (owned), or so many bytes of a file (borrowed). */
	char *body;
	size_t body_size;
	int body_fd;
	uint64_t body_offset, body_bytes;
	/* Of a download: how much is there already, and how much it shall be in the end. */
	const uint64_t *resume; /* receive() has to keep it up to date */
	uint64_t length;

	/* The next piece of the answer; what was received before does not come again. */
	int (*receive)(struct registry_request *request, const void *data, size_t size,
		       struct error *err);
	void (*sent)(struct registry_request *request, uint64_t bytes);
	void (*retrying)(struct registry_request *request, int msec);
	/* At the end, well or not. May free the request and send others. */
	void (*done)(struct registry_request *request);
	void *data;

	/* The answer. */
	struct error error; /* code 0: status is 2xx */
	const struct exchange
		*answer;   /* its headers and text, until the request is freed; or NULL */
	char *answered_by; /* the address that a relative Location is relative to */

	/* registry_request.c's own */
	struct registry *registry;
	struct registry_endpoint *endpoint;
	size_t endpoint_index;
	struct exchange *exchange;
	char *hop; /* where a redirect led */
	int hops, attempts, auth_rounds;
	bool started, finished;
	uint64_t skip, resumed_at, progress_mark;
	int64_t due_usec; /* 0: not waiting */
	struct registry_request *next, *previous;
};

struct registry_request *registry_request_new(struct registry *registry, const char *registry_name,
					      const char *repository, const char *method,
					      const char *path);
void registry_request_header(struct registry_request *request, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Also one that is under way; done() is not called then. */
void registry_request_free(struct registry_request *request);
void registry_send(struct registry_request *request);
/* For a request that is alone: sends it, and waits. Its done() must not free it; may be NULL. */
int registry_call(struct registry_request *request, struct error *err);

/* Goes on with all; waits for the network, a retry's time, or @fds. -1: without limit. */
void registry_step(struct registry *registry, struct pollfd *fds, size_t fd_count,
		   int timeout_msec);

#endif
