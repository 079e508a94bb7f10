/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef RUNTIME_IMAGE_TRANSPORT_H
#define RUNTIME_IMAGE_TRANSPORT_H

/*
 * transport.h - HTTP exchanges, several at once in one thread (libcurl).
 *
 * An exchange is one request and its answer, whatever that says: redirects, refusals and broken
 * connections are the caller's to deal with (registry.c). Proxies are those of the environment.
 */

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/str.h"

#include "runtime/image/libcurl.h"

#define TRANSPORT_TEXT_MAX (8 << 20)  /* of an answer that nobody receives piece by piece */
#define TRANSPORT_PAGE_MAX (64 << 10) /* of a refusal */

/* Whom to believe, and who we are. All may be NULL. */
struct transport_tls {
	bool insecure;           /* any certificate will do */
	char *authorities;       /* PEM, beside those of the system */
	char *certificate, *key; /* paths of PEM files */
};

enum exchange_failure {
	EXCHANGE_ANSWERED,    /* there is a whole answer; its status is another matter */
	EXCHANGE_UNREACHABLE, /* no such host, no connection */
	EXCHANGE_TLS,         /* a connection, but no TLS on it */
	EXCHANGE_UNTRUSTED,   /* the certificate is not one to believe */
	EXCHANGE_UNKNOWN,     /* it does not take the certificate that says who we are, or none */
	EXCHANGE_BROKEN,      /* it ended in the middle, or stalled */
	EXCHANGE_PROXY,   /* the proxy in between, which the error names, is not there or refuses */
	EXCHANGE_REFUSED, /* by receive() or by what we allow */
};

struct exchange {
	/* The request; owned, from exchange_new() on. */
	char *method, *url;
	char **headers;                  /* "Name: value" */
	const struct transport_tls *tls; /* borrowed; may be NULL */
	bool direct;                     /* no proxy */
	bool connected;                  /* to be made over `socket`, which stands already; taken */
	int socket;
	/* What is sent: a text (owned), or so many bytes of a file (borrowed). */
	char *body;
	size_t body_size;
	int body_fd; /* negative: none */
	uint64_t body_offset, body_bytes, body_sent;

	/*
	 * Takes a piece of the body of an answer of status 200 or 206. Negative, with the error
	 * filled in: enough. NULL: the body is gathered in text.
	 */
	int (*receive)(struct exchange *exchange, const void *data, size_t size, struct error *err);
	/* Told when bytes of the body went out. May be NULL. */
	void (*sent)(struct exchange *exchange);
	/* At the end; may free the exchange and start others. */
	void (*done)(struct exchange *exchange);
	void *data;

	/* The answer. */
	enum exchange_failure failure;
	struct error error; /* unless EXCHANGE_ANSWERED */
	int status;
	char *content_type, *location, *content_digest, *content_range, *retry_after, *range;
	char **challenges;      /* WWW-Authenticate, one a header */
	int64_t content_length; /* -1: it does not say */
	struct strbuf text;     /* of others than 200 and 206 the beginning */

	/* transport.c's own */
	struct transport *transport;
	CURL *easy;
	struct curl_slist *sent_headers, *connect_to;
	char said[CURL_ERROR_SIZE]; /* by libcurl, when it failed */
};

struct exchange *exchange_new(const char *method, const char *url);
void exchange_header(struct exchange *exchange, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Also one that is under way; its done() is not called then. */
void exchange_free(struct exchange *exchange);

struct transport;

int transport_new(struct transport **ret, struct error *err);
/* Its exchanges have to be gone. */
void transport_free(struct transport *transport);
/* done() is called from transport_step(), also for what fails at once. */
void transport_start(struct transport *transport, struct exchange *exchange);
/* Waits for something to happen there or on one of @fds, and deals with it. */
void transport_step(struct transport *transport, struct pollfd *fds, size_t fd_count,
		    int timeout_msec);
size_t transport_active(const struct transport *transport);

#endif
