// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/log.h"
#include "common/units.h"

#include "runtime/image/registry_internal.h"
#include "runtime/image/url.h"

#define HOPS_MAX         10
#define RETRY_FIRST_MSEC 500
#define RETRY_MAX_MSEC   20000
#define RETRY_AFTER_MAX  60        /* seconds that we wait without asking */
#define PROGRESS_BYTES   (1 << 20) /* so much more, and an attempt does not count */

struct registry_request *registry_request_new(struct registry *registry, const char *registry_name,
					      const char *repository, const char *method,
					      const char *path)
{
	struct registry_request *request = new (struct registry_request);

	request->registry = registry;
	request->registry_name = alloc_string(registry_name);
	request->repository = alloc_string(repository);
	request->method = alloc_string(method);
	request->path = alloc_string(path);
	request->body_fd = -EBADF;
	request->next = registry->requests;
	if (request->next)
		request->next->previous = request;
	registry->requests = request;
	return request;
}

void registry_request_header(struct registry_request *request, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	strv_take(&request->headers, str_vprintf(format, list));
	va_end(list);
}

void registry_request_free(struct registry_request *request)
{
	if (!request)
		return;
	exchange_free(request->exchange);
	if (request->previous)
		request->previous->next = request->next;
	else
		request->registry->requests = request->next;
	if (request->next)
		request->next->previous = request->previous;
	free(request->registry_name);
	free(request->repository);
	free(request->method);
	free(request->path);
	free(request->url);
	free(request->mount_from);
	strv_free(request->headers);
	free(request->body);
	free(request->answered_by);
	free(request->hop);
	free(request);
}

static void finish(struct registry_request *request)
{
	request->answer = request->exchange;
	request->finished = true;
	request->registry->stirred = true;
	if (request->done)
		request->done(request); /* which may free it */
}

static void give_up(struct registry_request *request, const struct error *error)
{
	request->error = *error;
	finish(request);
}

static int backoff_msec(int attempt)
{
	int msec = RETRY_FIRST_MSEC;

	while (attempt-- > 1 && msec < RETRY_MAX_MSEC)
		msec *= 2;
	return msec < RETRY_MAX_MSEC ? msec : RETRY_MAX_MSEC;
}

/* Seconds; a date (the other form) is as good as nothing said. -1: longer than we would wait. */
static int wanted_msec(const char *retry_after)
{
	long seconds = retry_after ? strtol(retry_after, NULL, 10) : 0;

	return seconds > RETRY_AFTER_MAX ? -1 : seconds > 0 ? (int)seconds * 1000 : 0;
}

/* Another try starts where the first did: what a redirect led to may be good only once. */
static void start_over(struct registry_request *request)
{
	free(request->hop);
	request->hop = NULL;
	request->hops = 0;
}

static bool next_endpoint(struct registry_request *request, const struct error *error)
{
	struct error ignored = ERROR_INIT;
	struct registry_endpoint *next;

	if (request->writes || !request->endpoint || !request->endpoint->mirror)
		return false;
	next = registry_endpoint_at(request->registry, request->registry_name,
				    request->endpoint_index + 1, &ignored);
	if (!next)
		return false;
	log_debug("mirror %s: %s", request->endpoint->authority, error->message);
	request->endpoint_index++;
	request->endpoint = next;
	request->attempts = request->auth_rounds = 0;
	start_over(request);
	return true;
}

void registry_fail(struct registry_request *request, const struct error *error)
{
	if (next_endpoint(request, error))
		registry_resend(request);
	else
		give_up(request, error);
}

void registry_retry(struct registry_request *request, const struct error *error,
		    const char *retry_after)
{
	int msec = wanted_msec(retry_after);
	uint64_t there = request->resume ? *request->resume : 0;
	struct error last = *error;

	if (next_endpoint(request, error)) {
		registry_resend(request);
		return;
	}
	request->auth_rounds = 0;
	if (there >= request->progress_mark + PROGRESS_BYTES) {
		request->attempts = 0;
		request->progress_mark = there;
	}
	if (request->once || msec < 0 ||
	    ++request->attempts >= request->registry->config.attempts) {
		if (request->attempts > 1)
			error_wrap(&last, "after %d attempts", request->attempts);
		give_up(request, &last);
		return;
	}
	if (msec < backoff_msec(request->attempts))
		msec = backoff_msec(request->attempts);
	log_debug("%s, again in %d ms", error->message, msec);
	start_over(request);
	exchange_free(TAKE_PTR(request->exchange));
	request->due_usec = units_monotonic_usec() + (int64_t)msec * 1000;
	if (request->retrying)
		request->retrying(request, msec);
}

void registry_refuse(struct registry_request *request)
{
	struct error error = ERROR_INIT;

	request->answer = request->exchange;
	registry_explain(request, &error);
	request->answer = NULL;
	registry_fail(request, &error);
}

static bool at_endpoint(const struct registry_endpoint *endpoint, const char *address)
{
	_cleanup_free_ char *own =
		str_printf("%s://%s/", endpoint->plain ? "http" : "https", endpoint->authority);
	struct url url = {0}, origin = {0};
	struct error ignored = ERROR_INIT;
	bool same;

	same = url_resolve(NULL, address, &url, &ignored) == 0 &&
	       url_resolve(NULL, own, &origin, &ignored) == 0 && url_same_origin(&url, &origin);
	url_done(&url);
	url_done(&origin);
	return same;
}

static bool has_own_answer(const struct registry_request *request)
{
	return at_endpoint(request->endpoint, request->exchange->url);
}

/* Where the broken download goes on. */
static int check_range(struct registry_request *request, const struct exchange *exchange,
		       struct error *err)
{
	unsigned long long start;

	request->skip = exchange->status == 200 ? request->resumed_at : 0;
	if (exchange->status == 206 &&
	    (!exchange->content_range ||
	     sscanf(exchange->content_range, "bytes %llu-", &start) != 1 ||
	     start != request->resumed_at))
		return error_set(err, EBADMSG,
				 "registry %s: asked for bytes from %llu on, it sends '%.60s'",
				 request->endpoint->name, (unsigned long long)request->resumed_at,
				 exchange->content_range ? exchange->content_range : "");
	if (exchange->status == 200 && exchange->content_length >= 0 && request->resume &&
	    (uint64_t)exchange->content_length != request->length)
		return error_set(err, EBADMSG,
				 "registry %s sends %lld bytes, where the manifest says %llu",
				 request->endpoint->name, (long long)exchange->content_length,
				 (unsigned long long)request->length);
	return 0;
}

static int receive(struct exchange *exchange, const void *data, size_t size, struct error *err)
{
	struct registry_request *request = exchange->data;

	request->answer = exchange;
	if (!request->started) {
		request->started = true;
		if (check_range(request, exchange, err) < 0)
			return -err->code;
	}
	/* It starts from the beginning: what is here already is read over. */
	if (request->skip) {
		size_t n = size < request->skip ? size : (size_t)request->skip;

		request->skip -= n;
		data = (const char *)data + n;
		size -= n;
	}
	return size ? request->receive(request, data, size, err) : 0;
}

static void sent(struct exchange *exchange)
{
	struct registry_request *request = exchange->data;

	if (request->sent)
		request->sent(request, exchange->body_sent);
}

static void follow(struct registry_request *request)
{
	struct exchange *exchange = request->exchange;
	bool any = exchange->status == 307 || exchange->status == 308;
	struct url from = {0}, to = {0};
	struct error error = ERROR_INIT;

	if (!any && strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
		error_set(&error, EPROTO, "registry %s redirects a %s", request->endpoint->name,
			  request->method);
	else if (++request->hops > HOPS_MAX)
		error_set(&error, ELOOP, "registry %s: more than %d redirects",
			  request->endpoint->name, HOPS_MAX);
	else if (url_resolve(NULL, exchange->url, &from, &error) < 0 ||
		 url_resolve(exchange->url, exchange->location, &to, &error) < 0)
		error_wrap(&error, "registry %s: redirect", request->endpoint->name);
	else if (strcmp(from.scheme, "https") == 0 && strcmp(to.scheme, "http") == 0 &&
		 !request->endpoint->tls.insecure)
		error_set(&error, EPROTO, "registry %s redirects from https to %.150s",
			  request->endpoint->name, to.text);
	url_done(&from);
	if (error.code) {
		url_done(&to);
		registry_fail(request, &error);
		return;
	}
	free(request->hop);
	request->hop = TAKE_PTR(to.text);
	url_done(&to);
	exchange_free(TAKE_PTR(request->exchange));
	registry_resend(request);
}

static void failed(struct registry_request *request)
{
	struct exchange *exchange = request->exchange;
	struct registry_endpoint *endpoint = request->endpoint;
	enum exchange_failure failure = exchange->failure;
	struct error error = exchange->error;

	if (failure == EXCHANGE_REFUSED) {
		give_up(request, &error);
		return;
	}
	/* Of several requests at once each finds out by itself that there is no TLS. */
	if (endpoint->tls.insecure && !request->hop && !(endpoint->decided && !endpoint->plain) &&
	    strncmp(exchange->url, "https:", 6) == 0) {
		endpoint->plain = true;
		exchange_free(TAKE_PTR(request->exchange));
		registry_resend(request);
		return;
	}
	if (failure == EXCHANGE_TLS)
		error_set(&error, EPROTO,
			  "registry %s does not speak TLS; if it is to be trusted without, list it "
			  "in \"insecure-registries\" of /etc/berth/registries.json",
			  endpoint->name);
	else if (failure == EXCHANGE_UNTRUSTED)
		registry_error_untrusted(endpoint, exchange->error.message, &error);
	else if (failure == EXCHANGE_UNKNOWN)
		error_set(&error, EACCES,
			  "registry %s %s: put one that it knows, and its key, into client.cert "
			  "and client.key of /etc/berth/certs.d/%s",
			  endpoint->name,
			  endpoint->tls.certificate ? "does not take our certificate"
						    : "wants a certificate of ours",
			  endpoint->authority);
	else if (failure == EXCHANGE_BROKEN && endpoint->tls.certificate && !endpoint->decided)
		/* Who refuses a certificate says so, but may close before we have heard it. */
		error_set(&error, error.code,
			  "registry %s: %.120s; perhaps it does not take our certificate, of "
			  "/etc/berth/certs.d/%s",
			  endpoint->name, exchange->error.message, endpoint->authority);
	else
		error_wrap(&error, "registry %s", endpoint->name);
	if (failure == EXCHANGE_BROKEN ||
	    ((failure == EXCHANGE_UNREACHABLE || failure == EXCHANGE_PROXY) && request->patient))
		registry_retry(request, &error, NULL);
	else
		registry_fail(request, &error);
}

/* The connection was closed before its time, without anybody saying so. */
static bool is_short(const struct registry_request *request)
{
	return request->resume && *request->resume < request->length;
}

static void succeed(struct registry_request *request)
{
	struct error error = ERROR_INIT;

	if (is_short(request)) {
		error_set(&error, ECONNRESET, "registry %s: it ended after %llu of %llu bytes",
			  request->endpoint->name, (unsigned long long)*request->resume,
			  (unsigned long long)request->length);
		registry_retry(request, &error, NULL);
		return;
	}
	free(request->answered_by);
	request->answered_by = alloc_string(request->exchange->url);
	error_clear(&request->error);
	finish(request);
}

static void answered(struct exchange *exchange)
{
	struct registry_request *request = exchange->data;
	int status = exchange->status;
	struct error error = ERROR_INIT;

	if (exchange->failure != EXCHANGE_ANSWERED) {
		failed(request);
		return;
	}
	request->endpoint->decided = true;
	if (status >= 200 && status < 300) {
		succeed(request);
	} else if (status >= 300 && status < 400 && exchange->location) {
		follow(request);
	} else if (status == 401 && has_own_answer(request)) {
		registry_authenticate(request);
	} else if (status == 429 || status >= 500 || (request->hop && status != 404)) {
		request->answer = exchange;
		registry_explain(request, &error);
		request->answer = NULL;
		registry_retry(request, &error, exchange->retry_after);
	} else {
		registry_refuse(request);
	}
}

static char *address(const struct registry_request *request)
{
	const struct registry_endpoint *endpoint = request->endpoint;

	if (request->hop)
		return alloc_string(request->hop);
	if (request->url)
		return alloc_string(request->url);
	if (!request->repository)
		return str_printf("%s://%s/%s", endpoint->plain ? "http" : "https",
				  endpoint->authority, request->path ? request->path : "v2/");
	return str_printf("%s://%s/v2/%s/%s", endpoint->plain ? "http" : "https",
			  endpoint->authority, request->repository, request->path);
}

static int tls_for(struct registry_request *request, struct exchange *exchange, bool own,
		   struct error *err)
{
	struct url url = {0};
	int r;

	if (url_resolve(NULL, exchange->url, &url, err) < 0)
		return -err->code;
	exchange->direct = registry_is_local(url.authority);
	exchange->tls = own ? &request->endpoint->tls
			    : registry_foreign_tls(request->registry, url.authority, err);
	r = exchange->tls ? 0 : -err->code;
	url_done(&url);
	return r;
}

static void add_headers(struct registry_request *request, struct exchange *exchange, bool own)
{
	_cleanup_free_ char *authorization = own ? registry_authorization(request) : NULL;

	strv_foreach(header, request->headers)
		strv_append(&exchange->headers, header);
	if (authorization)
		exchange_header(exchange, "Authorization: %s", authorization);
	if (authorization)
		explicit_bzero(authorization, strlen(authorization));
	if (request->resumed_at)
		exchange_header(exchange, "Range: bytes=%llu-",
				(unsigned long long)request->resumed_at);
}

/* Sends what the request is by now: another endpoint, another address, with a token. */
void registry_resend(struct registry_request *request)
{
	_cleanup_free_ char *url = address(request);
	struct exchange *exchange = exchange_new(request->method, url);
	bool own = at_endpoint(request->endpoint, url);
	struct error error = ERROR_INIT;

	exchange_free(request->exchange);
	request->exchange = exchange;
	request->resumed_at = request->resume ? *request->resume : 0;
	request->started = false;
	if (tls_for(request, exchange, own, &error) < 0) {
		registry_fail(request, &error);
		return;
	}
	add_headers(request, exchange, own);
	if (request->body)
		exchange->body = alloc_copy(request->body, request->body_size + 1);
	exchange->body_size = request->body_size;
	exchange->body_fd = request->body_fd;
	exchange->body_offset = request->body_offset;
	exchange->body_bytes = request->body_bytes;
	exchange->receive = request->receive ? receive : NULL;
	exchange->sent = request->sent ? sent : NULL;
	exchange->done = answered;
	exchange->data = request;
	transport_start(request->registry->transport, exchange);
}

static struct registry_endpoint *own_endpoint(struct registry_request *request, struct error *err)
{
	struct registry_endpoint *endpoint, *last = NULL;
	size_t i = 0;

	while ((endpoint =
			registry_endpoint_at(request->registry, request->registry_name, i, err))) {
		last = endpoint;
		request->endpoint_index = i++;
		if (!request->writes)
			break;
	}
	return last;
}

void registry_send(struct registry_request *request)
{
	struct error error = ERROR_INIT;

	request->endpoint = own_endpoint(request, &error);
	if (request->endpoint)
		registry_resend(request);
	else
		registry_fail(request, &error);
}

int registry_call(struct registry_request *request, struct error *err)
{
	registry_send(request);
	while (!request->finished)
		registry_step(request->registry, NULL, 0, -1);
	if (!request->error.code)
		return 0;
	*err = request->error;
	return -err->code;
}
