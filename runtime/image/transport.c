// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/transport.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#define CONNECT_SECONDS 30L
#define STALL_SECONDS   60L /* without a byte */
#define WAIT_MSEC       60000
#define BUFFER_SIZE     (512L << 10)

struct transport {
	const struct libcurl *lib;
	CURLM *multi;
	struct exchange **failed; /* that could not even be started */
	size_t failed_count, active;
};

struct exchange *exchange_new(const char *method, const char *url)
{
	struct exchange *exchange = new (struct exchange);

	exchange->method = alloc_string(method);
	exchange->url = alloc_string(url);
	exchange->body_fd = -EBADF;
	exchange->content_length = -1;
	return exchange;
}

void exchange_header(struct exchange *exchange, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	strv_take(&exchange->headers, str_vprintf(format, list));
	va_end(list);
}

static void end(struct exchange *exchange)
{
	struct transport *transport = exchange->transport;

	if (!exchange->easy)
		return;
	transport->lib->curl_multi_remove_handle(transport->multi, exchange->easy);
	transport->lib->curl_easy_cleanup(exchange->easy);
	transport->lib->curl_slist_free_all(exchange->sent_headers);
	transport->lib->curl_slist_free_all(exchange->connect_to);
	exchange->easy = NULL;
	exchange->sent_headers = exchange->connect_to = NULL;
	transport->active--;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	end(exchange);
	for (size_t i = 0; exchange->transport && i < exchange->transport->failed_count; i++)
		if (exchange->transport->failed[i] == exchange)
			exchange->transport->failed[i] = NULL;
	free(exchange->method);
	free(exchange->url);
	strv_free(exchange->headers);
	free(exchange->body);
	free(exchange->content_type);
	free(exchange->location);
	free(exchange->content_digest);
	free(exchange->content_range);
	free(exchange->retry_after);
	free(exchange->range);
	strv_free(exchange->challenges);
	strbuf_done(&exchange->text);
	free(exchange);
}

int transport_new(struct transport **ret, struct error *err)
{
	const struct libcurl *lib = libcurl_load(err);
	struct transport *transport;

	if (!lib)
		return -err->code;
	transport = new (struct transport);
	transport->lib = lib;
	transport->multi = lib->curl_multi_init();
	if (!transport->multi)
		abort();
	*ret = transport;
	return 0;
}

void transport_free(struct transport *transport)
{
	if (!transport)
		return;
	transport->lib->curl_multi_cleanup(transport->multi);
	free(transport->failed);
	free(transport);
}

static bool ok(const struct exchange *exchange)
{
	return exchange->status == 200 || exchange->status == 206;
}

static size_t take_body(char *data, size_t size, size_t count, void *pointer)
{
	struct exchange *exchange = pointer;
	size_t n = size * count, max = ok(exchange) ? TRANSPORT_TEXT_MAX : TRANSPORT_PAGE_MAX, room;

	if (exchange->receive && ok(exchange)) {
		if (exchange->receive(exchange, data, n, &exchange->error) >= 0)
			return n;
		exchange->failure = EXCHANGE_REFUSED;
		return 0;
	}
	room = max - exchange->text.length;
	if (n > room && ok(exchange)) {
		error_set(&exchange->error, EFBIG, "its answer is larger than %zu bytes", max);
		exchange->failure = EXCHANGE_REFUSED;
		return 0;
	}
	/* Of a refusal's page the beginning will do. */
	strbuf_add_n(&exchange->text, data, n < room ? n : room);
	return n;
}

/* "Name: value\r\n" of @n bytes: the value, when it is that header. New string. */
static char *header_value(const char *line, size_t n, const char *name)
{
	size_t length = strlen(name);
	char *copy, *value;

	if (n <= length || line[length] != ':' || strncasecmp(line, name, length) != 0)
		return NULL;
	copy = alloc_string_n(line + length + 1, n - length - 1);
	value = alloc_string(str_trim(copy));
	free(copy);
	return value;
}

static void forget_answer(struct exchange *exchange)
{
	char **fields[] = {&exchange->content_type,   &exchange->location,
			   &exchange->content_digest, &exchange->content_range,
			   &exchange->retry_after,    &exchange->range};

	array_foreach(field, fields) {
		free(**field);
		**field = NULL;
	}
	strv_free(exchange->challenges);
	exchange->challenges = NULL;
	exchange->content_length = -1;
	exchange->text.length = 0;
	exchange->status = 0;
}

static void take_status(struct exchange *exchange, const char *line, size_t n)
{
	_cleanup_free_ char *text = alloc_string_n(line, n);
	const char *space = strchr(text, ' ');

	/* One of several: 100 Continue, or a proxy's answer to CONNECT. */
	forget_answer(exchange);
	exchange->status = space ? atoi(space + 1) : 0;
}

static size_t take_header(char *line, size_t size, size_t count, void *pointer)
{
	struct exchange *exchange = pointer;
	const struct {
		const char *name;
		char **field;
	} wanted[] = {
		{"Content-Type", &exchange->content_type},
		{"Location", &exchange->location},
		{"Docker-Content-Digest", &exchange->content_digest},
		{"Content-Range", &exchange->content_range},
		{"Retry-After", &exchange->retry_after},
		{"Range", &exchange->range},
	};
	size_t n = size * count;
	char *value;

	if (n > 5 && strncmp(line, "HTTP/", 5) == 0) {
		take_status(exchange, line, n);
		return n;
	}
	array_foreach(header, wanted) {
		value = header_value(line, n, header->name);
		if (value) {
			free(*header->field);
			*header->field = value;
			return n;
		}
	}
	value = header_value(line, n, "WWW-Authenticate");
	if (value && strv_length(exchange->challenges) < 16)
		strv_take(&exchange->challenges, value);
	else
		free(value);
	value = header_value(line, n, "Content-Length");
	if (value && *value && strspn(value, "0123456789") == strlen(value) && strlen(value) < 19)
		exchange->content_length = strtoll(value, NULL, 10);
	free(value);
	return n;
}

static size_t give_body(char *data, size_t size, size_t count, void *pointer)
{
	struct exchange *exchange = pointer;
	uint64_t left = exchange->body_bytes - exchange->body_sent;
	size_t n = size * count;
	ssize_t got;

	n = n < left ? n : (size_t)left;
	if (exchange->body_fd < 0) {
		memcpy(data, exchange->body + exchange->body_sent, n);
		got = (ssize_t)n;
	} else {
		got = pread(exchange->body_fd, data, n,
			    (off_t)(exchange->body_offset + exchange->body_sent));
	}
	if (got < 0 || (got == 0 && n > 0)) {
		exchange->failure = EXCHANGE_REFUSED;
		error_code(&exchange->error, got < 0 ? errno : EIO, "read what is to be sent");
		return CURL_READFUNC_ABORT;
	}
	exchange->body_sent += (uint64_t)got;
	if (exchange->sent)
		exchange->sent(exchange);
	return (size_t)got;
}

/* The body once more: the connection that was to be used again had been closed meanwhile. */
static int rewind_body(void *pointer, curl_off_t offset, int origin)
{
	struct exchange *exchange = pointer;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->body_bytes)
		return CURL_SEEKFUNC_FAIL;
	exchange->body_sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

#define SET(option, value) lib->curl_easy_setopt(easy, option, value)

static void set_tls(const struct libcurl *lib, CURL *easy, const struct transport_tls *tls)
{
	/* As Go programs have it, the registry's usual clients. */
	const char *file = getenv("SSL_CERT_FILE"), *folder = getenv("SSL_CERT_DIR");

	if (file && *file)
		SET(CURLOPT_CAINFO, file);
	if (folder && *folder)
		SET(CURLOPT_CAPATH, folder);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (!tls)
		return;
	if (tls->insecure) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (tls->authorities) {
		struct curl_blob blob = {.data = tls->authorities,
					 .len = strlen(tls->authorities),
					 .flags = CURL_BLOB_NOCOPY};

		SET(CURLOPT_CAINFO_BLOB, &blob);
	}
	if (tls->certificate) {
		SET(CURLOPT_SSLCERT, tls->certificate);
		SET(CURLOPT_SSLKEY, tls->key);
	}
}

static void set_proxy(const struct libcurl *lib, CURL *easy, const struct exchange *exchange)
{
	/* libcurl passes over this one, in which a CGI program would find a request's header. */
	const char *upper = getenv("HTTP_PROXY"), *lower = getenv("http_proxy");

	if (exchange->direct)
		SET(CURLOPT_NOPROXY, "*");
	else if (upper && *upper && !lower && !getenv("REQUEST_METHOD") &&
		 strncmp(exchange->url, "http:", 5) == 0)
		SET(CURLOPT_PROXY, upper);
}

static void set_method(const struct libcurl *lib, CURL *easy, struct exchange *exchange)
{
	bool sends = exchange->body || exchange->body_fd >= 0;

	if (strcmp(exchange->method, "HEAD") == 0) {
		SET(CURLOPT_NOBODY, 1L);
		return;
	}
	SET(CURLOPT_CUSTOMREQUEST, exchange->method);
	if (!sends && strcmp(exchange->method, "GET") == 0)
		return;
	if (!sends) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_POSTFIELDSIZE, 0L);
		return;
	}
	if (exchange->body_fd < 0)
		exchange->body_bytes = exchange->body_size;
	SET(CURLOPT_UPLOAD, 1L);
	SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->body_bytes);
	SET(CURLOPT_READFUNCTION, give_body);
	SET(CURLOPT_READDATA, exchange);
	SET(CURLOPT_SEEKFUNCTION, rewind_body);
	SET(CURLOPT_SEEKDATA, exchange);
	SET(CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_SIZE);
}

static void set_headers(const struct libcurl *lib, CURL *easy, struct exchange *exchange)
{
	struct curl_slist *list = NULL;

	strv_foreach(header, exchange->headers)
		list = lib->curl_slist_append(list, header);
	list = lib->curl_slist_append(list, "Expect:"); /* one round trip less */
	exchange->sent_headers = list;
	SET(CURLOPT_HTTPHEADER, list);
}

static curl_socket_t give_socket(void *pointer, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct exchange *exchange = pointer;

	return exchange->socket;
}

static int is_connected(void *pointer, curl_socket_t socket, curlsocktype purpose)
{
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* Its name is for the certificate and the request: nothing is looked up. */
static void set_connection(const struct libcurl *lib, CURL *easy, struct exchange *exchange)
{
	if (!exchange->connected)
		return;
	exchange->connect_to = lib->curl_slist_append(NULL, "::127.0.0.1:");
	SET(CURLOPT_CONNECT_TO, exchange->connect_to);
	SET(CURLOPT_OPENSOCKETFUNCTION, give_socket);
	SET(CURLOPT_OPENSOCKETDATA, exchange);
	SET(CURLOPT_SOCKOPTFUNCTION, is_connected);
}

static void set_all(const struct libcurl *lib, CURL *easy, struct exchange *exchange)
{
	SET(CURLOPT_URL, exchange->url);
	SET(CURLOPT_PRIVATE, exchange);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	SET(CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	SET(CURLOPT_WRITEFUNCTION, take_body);
	SET(CURLOPT_WRITEDATA, exchange);
	SET(CURLOPT_HEADERFUNCTION, take_header);
	SET(CURLOPT_HEADERDATA, exchange);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_ERRORBUFFER, exchange->said);
	set_tls(lib, easy, exchange->tls);
	set_proxy(lib, easy, exchange);
	set_connection(lib, easy, exchange);
	set_method(lib, easy, exchange);
	set_headers(lib, easy, exchange);
}

void transport_start(struct transport *transport, struct exchange *exchange)
{
	exchange->transport = transport;
	exchange->easy = transport->lib->curl_easy_init();
	if (!exchange->easy)
		abort();
	transport->active++;
	set_all(transport->lib, exchange->easy, exchange);
	if (transport->lib->curl_multi_add_handle(transport->multi, exchange->easy) == CURLM_OK)
		return;
	exchange->failure = EXCHANGE_UNREACHABLE;
	error_set(&exchange->error, EIO, "the request cannot be started");
	*array_add(transport->failed, transport->failed_count) = exchange;
}

static enum exchange_failure failure_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return EXCHANGE_ANSWERED;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return EXCHANGE_UNREACHABLE;
	case CURLE_SSL_CONNECT_ERROR:
		return EXCHANGE_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return EXCHANGE_UNTRUSTED;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return EXCHANGE_REFUSED;
	default:
		return EXCHANGE_BROKEN;
	}
}

static int errno_of(enum exchange_failure failure)
{
	return failure == EXCHANGE_UNREACHABLE ? EHOSTUNREACH
	       : failure == EXCHANGE_REFUSED   ? EBADMSG
	       : failure == EXCHANGE_BROKEN    ? ECONNRESET
					       : EPROTO;
}

/* "host:port" of the proxy that the environment names for this address, or NULL. New. */
static char *proxy_of(const struct exchange *exchange)
{
	bool plain = strncmp(exchange->url, "http:", 5) == 0;
	const char *const names[] = {plain ? "http_proxy" : "https_proxy",
				     plain ? "HTTP_PROXY" : "HTTPS_PROXY", "all_proxy",
				     "ALL_PROXY"};
	const char *value = NULL, *at;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !(value && *value); i++)
		value = getenv(names[i]);
	if (!value || !*value || exchange->direct)
		return NULL;
	at = strstr(value, "://");
	value = at ? at + 3 : value;
	/* Not its user's name and password. */
	at = strrchr(value, '@');
	value = at ? at + 1 : value;
	return alloc_string_n(value, strcspn(value, "/"));
}

/* Whether it was the proxy's address that it failed to reach, not one that NO_PROXY excepts. */
static bool names_proxy(const struct exchange *exchange, const char *proxy)
{
	const char *colon = strrchr(proxy, ':');
	_cleanup_free_ char *words =
		str_printf(colon ? " %.*s port %s " : " %.*s port %s",
			   (int)(colon ? colon - proxy : (ptrdiff_t)strlen(proxy)), proxy,
			   colon ? colon + 1 : "");

	return strstr(exchange->said, words) != NULL;
}

static bool blame_proxy(const struct libcurl *lib, struct exchange *exchange, CURLcode code)
{
	_cleanup_free_ char *proxy = proxy_of(exchange);
	long status = 0, number = 0;

	if (!proxy)
		return false;
	lib->curl_easy_getinfo(exchange->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	lib->curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &number);
	if (status == 407)
		error_set(&exchange->error, EACCES,
			  "proxy %s wants (other) credentials: http://USER:PASSWORD@%s", proxy,
			  proxy);
	else if (status >= 300)
		error_set(&exchange->error, EACCES, "proxy %s refuses, with status %ld", proxy,
			  status);
	else if (code == CURLE_COULDNT_RESOLVE_PROXY)
		error_set(&exchange->error, EHOSTUNREACH, "proxy %s: its name cannot be resolved",
			  proxy);
	else if (code == CURLE_COULDNT_CONNECT && names_proxy(exchange, proxy))
		error_set(&exchange->error, EHOSTUNREACH, "proxy %s: %s", proxy,
			  number ? strerror((int)number) : "it cannot be reached");
	else
		return false;
	exchange->failure = EXCHANGE_PROXY;
	return true;
}

/* Since TLS 1.3 that is said once the connection stands; libcurl only hands on OpenSSL's words. */
static bool wants_certificate(const struct exchange *exchange)
{
	static const char *const alerts[] = {"alert certificate required", "alert bad certificate",
					     "alert unknown ca", "alert certificate unknown",
					     "alert certificate expired"};

	array_foreach(alert, alerts)
		if (strstr(exchange->said, *alert))
			return true;
	return false;
}

static void describe(const struct libcurl *lib, struct exchange *exchange, CURLcode code)
{
	long number = 0;

	if (exchange->failure == EXCHANGE_REFUSED && exchange->error.code)
		return; /* by ourselves, and said why */
	exchange->failure = failure_of(code);
	if (code == CURLE_OK || blame_proxy(lib, exchange, code))
		return;
	if (wants_certificate(exchange))
		exchange->failure = EXCHANGE_UNKNOWN;
	lib->curl_easy_getinfo(exchange->easy, CURLINFO_OS_ERRNO, &number);
	if (code == CURLE_COULDNT_CONNECT && number)
		error_set(&exchange->error, EHOSTUNREACH, "%s", strerror((int)number));
	else if (exchange->failure == EXCHANGE_UNTRUSTED && exchange->said[0])
		error_set(&exchange->error, EPROTO, "%s", exchange->said);
	else
		error_set(&exchange->error, errno_of(exchange->failure), "%s",
			  lib->curl_easy_strerror(code));
}

/* Whether any did end. */
static bool finish(struct transport *transport)
{
	const struct libcurl *lib = transport->lib;
	bool some = transport->failed_count > 0;
	CURLMsg *message;
	int left;

	for (size_t i = 0; i < transport->failed_count; i++) {
		struct exchange *exchange = TAKE_PTR(transport->failed[i]);

		if (!exchange)
			continue;
		end(exchange);
		exchange->done(exchange);
	}
	transport->failed_count = 0;
	while ((message = lib->curl_multi_info_read(transport->multi, &left))) {
		struct exchange *exchange = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		lib->curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		describe(lib, exchange, message->data.result);
		end(exchange);
		exchange->done(exchange);
		some = true;
	}
	return some;
}

void transport_step(struct transport *transport, struct pollfd *fds, size_t fd_count,
		    int timeout_msec)
{
	const struct libcurl *lib = transport->lib;
	struct curl_waitfd *waits = new_array(struct curl_waitfd, fd_count + 1);
	int running = 0, ready = 0;

	lib->curl_multi_perform(transport->multi, &running);
	if (finish(transport))
		timeout_msec = 0; /* which may be what the caller waits for */
	else if (timeout_msec < 0)
		timeout_msec = WAIT_MSEC; /* libcurl knows no "without limit" */
	for (size_t i = 0; i < fd_count; i++)
		waits[i] = (struct curl_waitfd){.fd = fds[i].fd, .events = fds[i].events};
	lib->curl_multi_poll(transport->multi, waits, (unsigned int)fd_count,
			     transport->failed_count ? 0 : timeout_msec, &ready);
	for (size_t i = 0; i < fd_count; i++)
		fds[i].revents = waits[i].revents;
	free(waits);
	lib->curl_multi_perform(transport->multi, &running);
	finish(transport);
}

size_t transport_active(const struct transport *transport)
{
	return transport->active;
}
