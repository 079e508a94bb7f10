// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"

#include "runtime/image/registry_internal.h"

/* For a terminal: what a registry says is whatever it likes. */
static char *printable(const char *text, size_t size)
{
	struct strbuf out = {0};

	for (size_t i = 0; i < size && out.length < 200; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c > ' ' && c < 0x7f)
			strbuf_addc(&out, (char)c);
		else if (out.length && out.data[out.length - 1] != ' ')
			strbuf_addc(&out, ' ');
	}
	while (out.length && out.data[out.length - 1] == ' ')
		out.data[--out.length] = '\0';
	return strbuf_take(&out);
}

char *registry_error_text(const char *text, size_t size)
{
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	const char *message = NULL;
	const json_t *first;

	if (!size || json_parse(text, size, &json, &ignored) < 0)
		return NULL;
	first = json_array_get(json_object_get(json, "errors"), 0);
	message = json_get_string(first, "message");
	if (!message || !*message)
		message = json_get_string(first, "code");
	if (!message) /* token servers, and some proxies */
		message = json_get_string(json, "details");
	if (!message)
		message = json_get_string(json, "message");
	if (!message)
		message = json_get_string(json, "error");
	return message && *message ? printable(message, strlen(message)) : NULL;
}

int registry_explain(const struct registry_request *request, struct error *err)
{
	const struct exchange *answer = request->answer;
	const char *name = request->endpoint->name;
	_cleanup_free_ char *said = registry_error_text(answer->text.data, answer->text.length);
	const char *more = said ? said : "", *colon = said ? ": " : "";

	switch (answer->status) {
	case 401:
	case 403:
		return error_set(err, EACCES,
				 "registry %s denies %s to %s: there is no such repository, or it "
				 "takes `berth login %s`%s%s",
				 name, request->writes ? "pushing" : "access",
				 request->repository ? request->repository : "it",
				 strcmp(name, REGISTRY_HUB) == 0 ? "" : name, colon, more);
	case 404:
		return error_set(err, ENOENT, "registry %s has it not%s%s", name, colon, more);
	case 407:
		return error_set(err, EACCES,
				 "registry %s: the proxy in between wants (other) credentials: "
				 "HTTP_PROXY=http://USER:PASSWORD@HOST:PORT",
				 name);
	case 429:
		return error_set(err, EBUSY,
				 "registry %s: too many requests%s%s; wait%s%s%s, or log in where "
				 "that allows more",
				 name, colon, more, answer->retry_after ? " " : "",
				 answer->retry_after ? answer->retry_after : "",
				 answer->retry_after ? " seconds" : "");
	default:
		return error_set(err, EPROTO, "registry %s answers %s with status %d%s%s", name,
				 request->method, answer->status, colon, more);
	}
}

/* What to do depends on what is wrong with the certificate: another authority helps only some. */
void registry_error_untrusted(const struct registry_endpoint *endpoint, const char *said,
			      struct error *err)
{
	static const struct {
		const char *word, *hint;
	} hints[] = {
		{"has expired", "whoever runs the registry must renew it, unless this machine's "
				"clock is wrong"},
		{"not yet valid", "is this machine's clock right?"},
		{"subject name", "it was made for another name than the one that was asked for"},
	};

	array_foreach(row, hints)
		if (strstr(said, row->word)) {
			error_set(err, EPROTO, "registry %s: %.160s: %s", endpoint->name, said,
				  row->hint);
			return;
		}
	error_set(err, EPROTO,
		  "registry %s: %.120s; put the authority that signed it into "
		  "/etc/berth/certs.d/%s/ca.crt",
		  endpoint->name, said, endpoint->authority);
}
