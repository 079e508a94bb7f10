/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_REGISTRY_INTERNAL_H
#define RUNTIME_IMAGE_REGISTRY_INTERNAL_H

/*
 * registry_internal.h - what the files of registry.h share: endpoints, and the stages of a request.
 */

#include "runtime/image/auth_challenge.h"
#include "runtime/image/registry.h"

/* A server that answers for a registry: itself, or a mirror. */
struct registry_endpoint {
	char *authority; /* "registry-1.docker.io", "localhost:5000" */
	char *name;      /* for credentials, and for the user: "docker.io" */
	bool mirror;
	bool plain;   /* HTTP without TLS */
	bool decided; /* whether plain: it has answered */
	struct transport_tls tls;
	struct auth_challenge challenge;
	bool asked_credentials, has_credentials;
	struct auth_credentials credentials;
	char *identity_token; /* that a token server gave */
	struct map tokens;    /* what for, to char * */
};

struct registry {
	struct registry_config config;
	struct transport *transport;
	struct map endpoints; /* registry to struct endpoint_list * */
	struct map foreign;   /* authority of another host to struct transport_tls * */
	struct map given;     /* registry to struct auth_credentials * */
	struct registry_request *requests;
	bool stirred; /* some request has ended since the last step */
};

/* Number @index of those that answer for it, its own being the last; NULL: no more. */
struct registry_endpoint *registry_endpoint_at(struct registry *registry, const char *name,
					       size_t index, struct error *err);
/* How to speak TLS with a host that a redirect leads to. Borrowed. */
const struct transport_tls *registry_foreign_tls(struct registry *registry, const char *authority,
						 struct error *err);

/* registry_auth.c: the value of the Authorization header, or NULL. New string. */
char *registry_authorization(struct registry_request *request);
/* Meets the challenge that was answered, then sends anew; or ends the request. */
void registry_authenticate(struct registry_request *request);

/* registry_request.c */
void registry_resend(struct registry_request *request);
/* Ends it, unless it was only a mirror that failed. */
void registry_fail(struct registry_request *request, const struct error *error);
/* Later, at another endpoint, or not at all: then with @error. */
void registry_retry(struct registry_request *request, const struct error *error,
		    const char *retry_after);

/* What the answer says is final; unless it is only a mirror that says so. */
void registry_refuse(struct registry_request *request);

/* registry_error.c: words for an answer that is not the one hoped for. */
int registry_explain(const struct registry_request *request, struct error *err);
/* The registry's own words in @text, or NULL. New string. */
char *registry_error_text(const char *text, size_t size);
/* A certificate that is not to be trusted, with what to do about it; @said: in libcurl's words. */
void registry_error_untrusted(const struct registry_endpoint *endpoint, const char *said,
			      struct error *err);

#endif
