// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "compose/supervisor/instance/instance.h"
#include "compose/supervisor/probes/probe_internal.h"

static void write_title(const struct probe_config *config, char *title, size_t size)
{
	if (config->tcp.set)
		snprintf(title, size, "tcp %d", (int)config->tcp.value);
	else if (config->http.given)
		snprintf(title, size, "http%s %d%s", config->http.tls ? "s" : "",
			 (int)config->http.port.value, config->http.path ?: "/");
	else if (config->unix_socket)
		snprintf(title, size, "unix %s", config->unix_socket);
	else if (config->file)
		snprintf(title, size, "file %s", config->file);
	else if (config->log)
		snprintf(title, size, "log \"%s\"", config->log);
	else
		snprintf(title, size, "notify");
}

struct probe *probe_new(struct instance *instance, const struct probe_config *config, bool resumed,
			probe_answered *answered, void *context)
{
	struct probe *probe;

	if (config->tcp.set || config->http.given)
		probe = probe_connection_new();
	else if (config->unix_socket || config->file)
		probe = probe_path_new();
	else
		probe = probe_news_new(resumed);
	probe->instance = instance;
	probe->config = config;
	probe->answered = answered;
	probe->context = context;
	write_title(config, probe->title, sizeof(probe->title));
	return probe;
}

void probe_free(struct probe *probe)
{
	if (probe)
		probe->ops->free(probe);
}

void probe_begin(struct probe *probe)
{
	probe->ops->begin(probe);
}

void probe_give_up(struct probe *probe)
{
	if (probe->ops->give_up)
		probe->ops->give_up(probe);
}

bool probe_is_settled(const struct probe *probe)
{
	return probe->settled;
}

const char *probe_title(const struct probe *probe)
{
	return probe->config ? probe->title : NULL;
}

void probe_answer(struct probe *probe, int exit_code, const char *format, ...)
{
	struct probe_answer answer = {.exit_code = exit_code};
	struct strbuf text = {0};
	char words[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	strbuf_addf(&text, "%s: %s", probe->title, words);
	/* It goes out as JSON. */
	for (size_t i = 0; !str_is_utf8(text.data, text.length); i++)
		text.data[i] = isascii(text.data[i]) ? text.data[i] : '?';
	answer.output = strbuf_take(&text);
	probe->answered(probe->context, &answer);
}

int probe_http_status(const char *data, size_t size, char ret_reason[PROBE_REASON_MAX])
{
	const char *end = memchr(data, '\n', size);
	size_t length = 0, known = size < 5 ? size : 5;

	if (memcmp(data, "HTTP/", known) != 0)
		return -EBADMSG;
	if (!end)
		return 0;
	/* "HTTP/1.1 200 OK" */
	if (end - data < 12 || data[8] != ' ' || !isdigit((unsigned char)data[9]) ||
	    !isdigit((unsigned char)data[10]) || !isdigit((unsigned char)data[11]) ||
	    data[9] == '0')
		return -EBADMSG;
	for (const char *c = data + 9; c < end && length < PROBE_REASON_MAX - 1; c++)
		if (isprint((unsigned char)*c))
			ret_reason[length++] = *c;
	ret_reason[length] = '\0';
	return (data[9] - '0') * 100 + (data[10] - '0') * 10 + (data[11] - '0');
}

void probe_read_message(const char *data, size_t size, bool *ret_ready, char **ret_status)
{
	static const char status[] = "STATUS=";
	const size_t key = sizeof(status) - 1;

	while (size) {
		const char *end = memchr(data, '\n', size);
		size_t length = end ? (size_t)(end - data) : size;

		if (length == 7 && memcmp(data, "READY=1", 7) == 0)
			*ret_ready = true;
		if (length >= key && memcmp(data, status, key) == 0 &&
		    str_is_utf8(data + key, length - key)) {
			free(*ret_status);
			*ret_status = alloc_string_n(data + key, length - key);
		}
		length += end != NULL;
		data += length;
		size -= length;
	}
}
