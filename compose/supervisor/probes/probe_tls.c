// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * probe_tls.c - `https`: a request over a connection that stands already, made by a job.
 *
 * A handshake takes milliseconds of computing and a library of thirty megabytes: neither belongs
 * into the supervisor, whose one thread serves everybody and which lives as long as the project.
 * So each question is a short-lived child, with libcurl's reading of certificates and of HTTP, that
 * gets the socket which the supervisor connected inside the container's network namespace.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"
#include "common/str.h"

#include "runtime/image/transport.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/probe_internal.h"
#include "compose/supervisor/requests/usage.h"

#define BODY_MAX      ((size_t)256 << 10)
#define AUTHORITY_MAX ((size_t)1 << 20)

/* As plain HTTP has it: to its end, unless that is far. */
static int pass_over(struct exchange *exchange, const void *data, size_t size, struct error *err)
{
	size_t *seen = exchange->data;

	*seen += size;
	return *seen > BODY_MAX ? error_set(err, EFBIG, "the answer is long") : 0;
}

static void done(struct exchange *exchange)
{
}

/* The certificates to believe, a file of the container's. */
static int read_authorities(const struct instance *instance, const char *path, char **ret,
			    struct error *err)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int root = usage_running_root(instance, err), fd = -EBADF;
	_cleanup_free_ char *text = NULL;
	ssize_t n;

	if (root < 0)
		return root;
	fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (fd < 0)
		return error_set(err, errno, "ca %s: %s", path, strerror(errno));
	text = alloc(AUTHORITY_MAX + 1);
	n = fd_read_full(fd, text, AUTHORITY_MAX);
	if (n < 0)
		return error_set(err, (int)-n, "ca %s: %s", path, strerror((int)-n));
	text[n] = '\0';
	*ret = TAKE_PTR(text);
	return 0;
}

/* Whose certificate is asked for: the Host header's, without a port. */
static char *server_of(const struct probe_config *config)
{
	const struct mapping *headers = &config->http.headers;

	for (size_t i = 0; i < headers->count; i++) {
		const char *value = headers->items[i].value ?: "";

		if (!strcasecmp(headers->items[i].key, "Host") && *value)
			return *value == '[' ? alloc_string_n(value, strcspn(value, "]") + 1)
					     : alloc_string_n(value, strcspn(value, ":/?#@ "));
	}
	return alloc_string("localhost");
}

static struct exchange *make_exchange(const struct probe_config *config, int socket)
{
	const struct mapping *headers = &config->http.headers;
	_cleanup_free_ char *server = server_of(config);
	_cleanup_free_ char *url = str_printf(
		"https://%s:%d%s", server, (int)config->http.port.value, config->http.path ?: "/");
	struct exchange *exchange = exchange_new("GET", url);

	for (size_t i = 0; i < headers->count; i++)
		exchange_header(exchange, "%s: %s", headers->items[i].key,
				headers->items[i].value ?: "");
	exchange_header(exchange, "User-Agent: berth-probe");
	exchange_header(exchange, "Connection: close");
	exchange->direct = exchange->connected = true;
	exchange->socket = socket;
	exchange->receive = pass_over;
	exchange->done = done;
	return exchange;
}

int probe_tls_ask(struct probe *probe, int socket, int status_fd, struct error *err)
{
	const char *authority = probe->config->http.ca;
	_cleanup_free_ char *authorities = NULL;
	struct transport_tls tls = {.insecure = !authority};
	struct transport *transport = NULL;
	struct exchange *exchange;
	size_t seen = 0;

	if (authority && read_authorities(probe->instance, authority, &authorities, err) < 0)
		return -err->code;
	tls.authorities = authorities;
	if (transport_new(&transport, err) < 0)
		return -err->code;
	exchange = make_exchange(probe->config, socket);
	exchange->tls = &tls;
	exchange->data = &seen;
	transport_start(transport, exchange);
	while (transport_active(transport))
		transport_step(transport, NULL, 0, -1);
	if (exchange->status)
		(void)fd_write_all(status_fd, &exchange->status, sizeof(exchange->status));
	else if (exchange->error.code)
		*err = exchange->error;
	else
		error_set(err, EBADMSG, "it hung up without an answer");
	exchange_free(exchange);
	transport_free(transport);
	return -err->code;
}
