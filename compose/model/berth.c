// SPDX-License-Identifier: GPL-2.0-or-later
/* berth.c - `x-berth` of a service: probes without a shell, what to do when they fail, and jobs. */
#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/calendar.h"

#include "compose/model/shapes.h"

#define STATUS_MIN 100
#define STATUS_MAX 599

static void port_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *port = slot->field;

	port->set = decode_int(d, node, &port->value);
	if (port->set && (port->value < 1 || port->value > UINT16_MAX))
		decode_problem(d, node, "must be a port, between 1 and 65535");
}

static void string_release(const struct slot *slot)
{
	free(TAKE_PTR(*(char **)slot->field));
}

/* What goes into a request or a path as it is. */
static bool is_printable(const char *text)
{
	for (const char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			return false;
	return true;
}

static void absolute_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	if (decode_string(d, node, text) && (**text != '/' || !is_printable(*text)))
		decode_problem(d, node, "must begin with \"/\", not \"%s\"", *text);
}

static void url_path_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;

	absolute_decode(d, node, slot);
	if (*text && strchr(*text, ' '))
		decode_problem(d, node, "must not have a space in it: write %%20");
}

/* 204, "200-299" */
static void status_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct probe_config *probe = slot->field;
	_cleanup_free_ char *text = NULL;
	int end = 0;

	if (!decode_text(d, node, &text))
		return;
	if (sscanf(text, "%3u-%3u%n", &probe->http.first, &probe->http.last, &end) != 2) {
		end = 0;
		(void)sscanf(text, "%3u%n", &probe->http.first, &end);
		probe->http.last = probe->http.first;
	}
	if (!end || text[end] || probe->http.first < STATUS_MIN || probe->http.last > STATUS_MAX ||
	    probe->http.first > probe->http.last)
		decode_problem(d, node, "must be a status as 204, or a range as \"200-299\"");
}

static void headers_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	const struct mapping *headers = slot->field;

	shape_labels.decode(d, node, slot);
	for (size_t i = 0; i < headers->count; i++)
		if (!headers->items[i].key[0] || strpbrk(headers->items[i].key, ": \t") ||
		    !is_printable(headers->items[i].key) || !is_printable(headers->items[i].value))
			decode_problem(d, node, "\"%s\" is not a header", headers->items[i].key);
}

static void headers_release(const struct slot *slot)
{
	mapping_release(slot->field);
}

static void pattern_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field, why[128];
	regex_t pattern;
	int r;

	if (!decode_string(d, node, text))
		return;
	r = regcomp(&pattern, *text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &pattern, why, sizeof(why));
		decode_problem(d, node, "is no extended regular expression: %s", why);
		return;
	}
	regfree(&pattern);
}

static const struct shape shape_port = {port_decode};
static const struct shape shape_absolute = {absolute_decode, NULL, string_release};
static const struct shape shape_url_path = {url_path_decode, NULL, string_release};
static const struct shape shape_status = {status_decode};
static const struct shape shape_headers = {headers_decode, NULL, headers_release};
static const struct shape shape_pattern = {pattern_decode, NULL, string_release};

#define PROBE(field) offsetof(struct probe_config, field), NO_FIELD
/* clang-format off */
static const struct attribute http_attributes[] = {
	{"port",    PROBE(http.port),    &shape_port},
	{"path",    PROBE(http.path),    &shape_url_path},
	{"status",  NO_FIELD, NO_FIELD,  &shape_status},
	{"headers", PROBE(http.headers), &shape_headers, MERGE_MAPPING},
};
static const struct attribute https_attributes[] = {
	{"port",    PROBE(http.port),    &shape_port},
	{"path",    PROBE(http.path),    &shape_url_path},
	{"status",  NO_FIELD, NO_FIELD,  &shape_status},
	{"headers", PROBE(http.headers), &shape_headers, MERGE_MAPPING},
	{"ca",      PROBE(http.ca),      &shape_absolute},
};
/* clang-format on */
static const struct schema http_schema = {"http", http_attributes, ARRAY_SIZE(http_attributes),
					  NO_FIELD};
static const struct schema https_schema = {"https", https_attributes, ARRAY_SIZE(https_attributes),
					   NO_FIELD};

static void http_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct probe_config *probe = slot->field;

	probe->http.given = true;
	decode_object(d, node, &http_schema, probe);
	if (node->kind == NODE_MAPPING && !node_get(node, "port"))
		decode_problem(d, node, "needs a port");
}

static void https_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct probe_config *probe = slot->field;

	probe->http.given = probe->http.tls = true;
	decode_object(d, node, &https_schema, probe);
	if (node->kind == NODE_MAPPING && !node_get(node, "port"))
		decode_problem(d, node, "needs a port");
}

/* Both are kept in the same place. */
static void http_release(const struct slot *slot)
{
	release_object(&https_schema, slot->field);
}

static const struct shape shape_http = {http_decode, NULL, http_release, &http_schema};
static const struct shape shape_https = {https_decode, NULL, NULL, &https_schema};

/* clang-format off */
static const struct attribute probe_attributes[] = {
	{"tcp",    PROBE(tcp),         &shape_port},
	{"http",   NO_FIELD, NO_FIELD, &shape_http},
	{"https",  NO_FIELD, NO_FIELD, &shape_https},
	{"unix",   PROBE(unix_socket), &shape_absolute},
	{"log",    PROBE(log),         &shape_pattern},
	{"file",   PROBE(file),        &shape_absolute},
	{"notify", PROBE(notify),      &shape_bool},
};
/* clang-format on */
static const struct schema probe_schema = {"probe", probe_attributes, ARRAY_SIZE(probe_attributes),
					   NO_FIELD};

static void probe_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct probe_config *probe = slot->field;

	decode_object(d, node, &probe_schema, probe);
	probe->given = true;
	if (node->kind == NODE_MAPPING && node->count != 1)
		decode_problem(d, node, "must be one of tcp, http, https, unix, log, file, notify");
	else if (node_get(node, "notify") && !probe->notify)
		decode_problem(d, node_get(node, "notify"), "can only be true");
}

static void probe_release(const struct slot *slot)
{
	release_object(&probe_schema, slot->field);
}

static const struct shape shape_probe = {probe_decode, NULL, probe_release, &probe_schema};

static void action_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const words[] = {"none", "restart", "stop"};
	_cleanup_free_ char *word = NULL;

	if (!decode_word(d, node, &word, words, ARRAY_SIZE(words)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], word))
			*(enum unhealthy_action *)slot->field = (enum unhealthy_action)i;
}

#define BUDGET_MAX 100

static void budget_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct optional_int *budget = slot->field;

	budget->set = decode_int(d, node, &budget->value);
	if (budget->set && (budget->value < 1 || budget->value > BUDGET_MAX))
		decode_problem(d, node, "must be between 1 and %d", BUDGET_MAX);
}

static const struct shape shape_action = {action_decode};
static const struct shape shape_budget = {budget_decode};

#define BERTH(field) offsetof(struct berth_extension, field), NO_FIELD
/* clang-format off */
static const struct attribute unhealthy_attributes[] = {
	{"action", BERTH(on_unhealthy.action), &shape_action},
	{"budget", BERTH(on_unhealthy.budget), &shape_budget},
	{"window", BERTH(on_unhealthy.window), &shape_duration},
};
/* clang-format on */
static const struct schema unhealthy_schema = {"on_unhealthy", unhealthy_attributes,
					       ARRAY_SIZE(unhealthy_attributes), NO_FIELD};

/* A word is its action. */
static void unhealthy_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct berth_extension *berth = slot->field;
	const struct slot action = {.field = &berth->on_unhealthy.action};

	berth->on_unhealthy.given = true;
	if (node->kind == NODE_STRING) {
		action_decode(d, node, &action);
		return;
	}
	decode_object(d, node, &unhealthy_schema, berth);
	if (node->kind == NODE_MAPPING && !node_get(node, "action"))
		decode_problem(d, node, "needs an action: none, restart or stop");
}

static const struct shape shape_unhealthy = {unhealthy_decode, NULL, NULL, &unhealthy_schema};

static void calendar_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	char **text = slot->field;
	struct error err = ERROR_INIT;
	struct calendar calendar;

	if (decode_string(d, node, text) && calendar_parse(*text, &calendar, &err) < 0)
		decode_problem(d, node, "%s", err.message);
}

static void overlap_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const words[] = {"skip", "queue", "replace"};
	_cleanup_free_ char *word = NULL;

	if (!decode_word(d, node, &word, words, ARRAY_SIZE(words)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], word))
			*(enum schedule_overlap *)slot->field = (enum schedule_overlap)i;
}

static const struct shape shape_calendar = {calendar_decode, NULL, string_release};
static const struct shape shape_overlap = {overlap_decode};

/* clang-format off */
static const struct attribute schedule_attributes[] = {
	{"calendar",   BERTH(schedule.calendar),   &shape_calendar},
	{"overlap",    BERTH(schedule.overlap),    &shape_overlap},
	{"persistent", BERTH(schedule.persistent), &shape_bool},
};
/* clang-format on */
static const struct schema schedule_schema = {"schedule", schedule_attributes,
					      ARRAY_SIZE(schedule_attributes), NO_FIELD};

/* A string is its calendar. */
static void schedule_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	struct berth_extension *berth = slot->field;
	const struct slot calendar = {.field = &berth->schedule.calendar};

	if (node->kind == NODE_STRING) {
		calendar_decode(d, node, &calendar);
		return;
	}
	decode_object(d, node, &schedule_schema, berth);
	if (node->kind == NODE_MAPPING && !node_get(node, "calendar"))
		decode_problem(d, node, "needs a calendar, as \"daily\" or \"Mon..Fri 03:30\"");
}

static void schedule_release(const struct slot *slot)
{
	struct berth_extension *berth = slot->field;

	free(TAKE_PTR(berth->schedule.calendar));
}

static const struct shape shape_schedule = {schedule_decode, NULL, schedule_release,
					    &schedule_schema};

#define SOCKETS \
	offsetof(struct berth_extension, sockets), offsetof(struct berth_extension, socket_count)
/* clang-format off */
static const struct attribute berth_attributes[] = {
	{"probe",                     BERTH(probe),          &shape_probe, MERGE_REPLACE},
	{"interval",                  BERTH(interval),       &shape_duration},
	{"timeout",                   BERTH(timeout),        &shape_duration},
	{"retries",                   BERTH(retries),        &shape_count},
	{"start_period",              BERTH(start_period),   &shape_duration},
	{"start_interval",            BERTH(start_interval), &shape_duration},
	{"on_unhealthy",              NO_FIELD, NO_FIELD,    &shape_unhealthy, MERGE_REPLACE},
	{"schedule",                  NO_FIELD, NO_FIELD,    &shape_schedule, MERGE_REPLACE},
	{"socket",                    SOCKETS,               &shape_sockets, MERGE_REPLACE},
	{"restart_with_dependencies", BERTH(restart_with_dependencies), &shape_bool},
	{"systemd",                   BERTH(systemd),        &shape_tristate},
	{"cpuset_mems",               BERTH(cpuset_mems),    &shape_string},
};
/* clang-format on */
static const struct schema berth_schema = {"x-berth", berth_attributes,
					   ARRAY_SIZE(berth_attributes), NO_FIELD};

static void berth_decode(struct decoder *d, const struct node *node, const struct slot *slot)
{
	static const char *const times[] = {"interval", "timeout", "retries", "start_period",
					    "start_interval"};
	struct berth_extension *berth = slot->field;

	berth->given = true;
	decode_object(d, node, &berth_schema, berth);
	array_foreach(name, times) {
		const struct node *child = node_get(node, *name);

		if (child && !berth->probe.given) {
			decode_problem(
				d, child,
				"%s is of a probe, and there is none: those of a healthcheck "
				"belong to it",
				*name);
			return;
		}
	}
}

static void berth_release(const struct slot *slot)
{
	release_object(&berth_schema, slot->field);
}

/* Not encoded: the service keeps it as it was written, as every extension. */
const struct shape shape_berth = {berth_decode, NULL, berth_release, &berth_schema};
