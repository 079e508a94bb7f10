// SPDX-License-Identifier: GPL-2.0-or-later
/* `system events`: what happens to containers, images, volumes and networks, in the order of time.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/client.h"
#include "compose/cli/command.h"
#include "compose/cli/converge.h"
#include "compose/cli/machine.h"
#include "compose/cli/projects.h"
#include "compose/cli/system/system_objects.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

/* An event waits this long for older ones of other projects; new projects are looked for as often.
 */
#define SETTLE_MSEC 200
/* Events of the past come at once, but not in no time. */
#define ARRIVAL_NSEC 1000000000
#define LABEL        "com.docker.compose."

static char **filters;
static const char *format, *since, *until;

static const struct option options[] = {
	{"filter", 'f', OPTION_LIST, &filters, "filter",
	 "type=container, image, volume or network; event=ACTION; container=, image=, volume=, "
	 "network=NAME or id; label=KEY or KEY=VALUE"},
	{"format", 0, OPTION_STRING, &format, "string",
	 "json, or a template such as '{{.Action}}'"},
	{"since", 0, OPTION_STRING, &since, "string",
	 "From this time on (a timestamp, or 10m for ten minutes ago)"},
	{"until", 0, OPTION_STRING, &until, "string", "Up to this time"},
	{NULL},
};

/* One project's events. */
struct source {
	char *project;
	struct client *client; /* NULL: it has no supervisor now */
	int64_t last_nsec;     /* everything up to here has been received */
};

struct sources {
	struct source *items;
	size_t count;
	json_t **events; /* received, not yet told */
	size_t event_count;
	int64_t since_nsec, until_nsec;
	struct system_objects *objects;
};

/* Whether a filter of @key, or none, has one of these values; @id also by its beginning. */
static bool allows(const char *key, const char *value, const char *other, const char *id)
{
	bool any = false;

	strv_foreach(filter, filters) {
		const char *wanted = filter + strlen(key);

		if (!str_starts_with(filter, key))
			continue;
		any = true;
		if (!strcmp(wanted, value) || str_equal(wanted, other) ||
		    (id && wanted[0] && str_starts_with(id, wanted)))
			return true;
	}
	return !any;
}

static const char *type_of(const json_t *event)
{
	return json_get_string(event, "type") ?: "container";
}

static const char *id_of(const json_t *event)
{
	return json_get_string(event, "container_id") ?: json_get_string(event, "id") ?: "";
}

/* container=x is for containers, volume=x for volumes: with either the other kinds are left out. */
static bool passes_names(const json_t *event)
{
	static const char *const types[] = {"container", "image", "volume", "network"};
	const char *name = json_get_string(json_object_get(event, "attributes"), "name");

	array_foreach(type, types) {
		_cleanup_free_ char *key = str_printf("%s=", *type);
		bool own = !strcmp(*type, type_of(event));

		if (!allows(key, own ? id_of(event) : "",
			    own ? json_get_string(event, "container") ?: name : NULL,
			    own ? id_of(event) : NULL))
			return false;
	}
	return true;
}

/* Unlike with other keys, every label that is asked for has to be there. */
static bool passes_labels(const json_t *event)
{
	static const char key[] = "label=";
	const json_t *attributes = json_object_get(event, "attributes");

	strv_foreach(filter, filters) {
		const char *wanted = filter + strlen(key), *equals;
		_cleanup_free_ char *name = NULL;
		const char *value;

		if (!str_starts_with(filter, key))
			continue;
		equals = strchr(wanted, '=');
		name = alloc_string_n(wanted, strcspn(wanted, "="));
		value = json_get_string(attributes, name);
		if (!value || (equals && strcmp(value, equals + 1) != 0))
			return false;
	}
	return true;
}

/* Filters of one key are alternatives, those of several keys all hold: docker's rule. */
static bool passes(const json_t *event)
{
	const char *action = json_get_string(event, "action") ?: "";
	/* "health_status" of "health_status: healthy" */
	_cleanup_free_ char *kind = alloc_string_n(action, strcspn(action, ":"));

	return passes_names(event) && passes_labels(event) &&
	       allows("event=", action, kind, NULL) && allows("type=", type_of(event), NULL, NULL);
}

static int check_filters(struct error *err)
{
	static const char *const keys[] = {
		"container=", "event=", "image=", "label=", "network=", "type=", "volume="};

	strv_foreach(filter, filters) {
		bool known = false;

		array_foreach(key, keys)
			known |= str_starts_with(filter, *key);
		if (!known)
			return error_set(err, EINVAL, "invalid filter '%s'", filter);
	}
	return 0;
}

static json_t *event_row(const json_t *event)
{
	const char *id = id_of(event), *type = type_of(event);
	const char *action = json_get_string(event, "action") ?: "";
	json_t *attributes = json_object_get(event, "attributes");
	int64_t nsec = json_get_int(event, "time", 0);
	json_t *row = json_object(), *actor = json_object();

	json_put_string(actor, "ID", id);
	json_object_set_new(actor, "Attributes",
			    attributes ? json_incref(attributes) : json_object());
	if (!strcmp(type, "container") || !strcmp(type, "image")) {
		json_put_string(row, "status", action);
		json_put_string(row, "id", id);
	}
	if (!strcmp(type, "container"))
		json_put_string(row, "from", json_get_string(attributes, "image") ?: "");
	json_put_string(row, "Type", type);
	json_put_string(row, "Action", action);
	json_object_set_new(row, "Actor", actor);
	json_put_string(row, "scope", "local");
	json_put_int(row, "time", nsec / 1000000000);
	json_put_int(row, "timeNano", nsec);
	return row;
}

static void print_text(const json_t *event)
{
	int64_t nsec = json_get_int(event, "time", 0);
	_cleanup_free_ char *list = output_attributes(json_object_get(event, "attributes"));
	time_t seconds = (time_t)(nsec / 1000000000);
	char when[40], zone[8];
	bool utc;
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	strftime(zone, sizeof(zone), "%z", &tm);
	utc = !strcmp(zone, "+0000");
	printf("%s.%09jd%.3s%s%s %s %s %s (%s)\n", when, (intmax_t)(nsec % 1000000000),
	       utc ? "Z" : zone, utc ? "" : ":", utc ? "" : zone + 3, type_of(event),
	       json_get_string(event, "action") ?: "", id_of(event), list);
}

static int print_event(const json_t *event, struct error *err)
{
	_cleanup_json_ json_t *rows = NULL;
	int r = 0;

	if (!passes(event))
		return 0;
	if (!format || !format[0]) {
		print_text(event);
	} else {
		rows = json_array();
		json_array_append_new(rows, event_row(event));
		r = output_rows(rows, format, NULL, OUTPUT_LINES, err);
	}
	fflush(stdout);
	return r;
}

static int by_time(const void *a, const void *b)
{
	int64_t left = json_get_int(*(json_t *const *)a, "time", 0);
	int64_t right = json_get_int(*(json_t *const *)b, "time", 0);

	return left < right ? -1 : left > right;
}

/* Those up to @before_nsec. */
static int tell(struct sources *sources, int64_t before_nsec, struct error *err)
{
	size_t told = 0;
	int r = 0;

	if (sources->event_count)
		qsort(sources->events, sources->event_count, sizeof(*sources->events), by_time);
	while (told < sources->event_count && r >= 0) {
		json_t *event = sources->events[told];
		int64_t nsec = json_get_int(event, "time", 0);

		if (nsec > before_nsec)
			break;
		if (!sources->until_nsec || nsec <= sources->until_nsec)
			r = print_event(event, err);
		json_decref(event);
		told++;
	}
	if (!told)
		return r;
	sources->event_count -= told;
	memmove(sources->events, sources->events + told,
		sources->event_count * sizeof(*sources->events));
	return r;
}

static struct source *find_source(struct sources *sources, const char *project)
{
	struct source *source;

	for (size_t i = 0; i < sources->count; i++)
		if (!strcmp(sources->items[i].project, project))
			return &sources->items[i];
	source = array_add(sources->items, sources->count);
	*source = (struct source){alloc_string(project), NULL, sources->since_nsec - 1};
	return source;
}

static void drop(struct source *source)
{
	client_free(source->client);
	source->client = NULL;
}

/* One that cannot be asked now is asked again, and has kept what it would have told. */
static void connect_source(struct source *source)
{
	_cleanup_free_ char *socket = paths_control_socket(source->project);
	_cleanup_json_ json_t *arguments = json_pack("{s:b}", "guest", 1);
	struct error ignored = ERROR_INIT;

	if (access(socket, F_OK) < 0)
		return;
	json_put_int(arguments, "since", source->last_nsec + 1);
	if (client_request(source->project, CLIENT_NEVER_START, REQUEST_EVENTS, arguments, NULL, 0,
			   &source->client, &ignored) < 0)
		source->client = NULL;
	else
		client_stay(source->client);
}

static int look_for_projects(struct sources *sources, struct error *err)
{
	_cleanup_strv_ char **projects = NULL;

	if (projects_list(&projects, err) < 0)
		return -err->code;
	strv_foreach(project, projects) {
		struct source *source = find_source(sources, project);

		if (!source->client)
			connect_source(source);
	}
	return 0;
}

/* What every container of a project is labelled with, and the supervisor does not repeat. */
static void add_labels(json_t *event, const char *project)
{
	json_t *attributes = json_object_get(event, "attributes");
	char number[24];

	if (single_is(project) || !attributes)
		return;
	snprintf(number, sizeof(number), "%jd", (intmax_t)json_get_int(event, "number", 0));
	json_put_string(attributes, LABEL "project", project);
	json_put_string(attributes, LABEL "service", json_get_string(event, "service") ?: "");
	json_put_string(attributes, LABEL "container-number", number);
	json_put_string(attributes, LABEL "oneoff",
			json_get_bool(event, "oneoff", false) ? "True" : "False");
}

static void receive(struct sources *sources, struct source *source)
{
	struct error ignored = ERROR_INIT;
	json_t *event = NULL;
	int64_t nsec;

	if (client_next(source->client, &event, NULL, NULL, &ignored) <= 0) {
		json_decref(event);
		drop(source);
		return;
	}
	nsec = json_get_int(event, "time", 0);
	/* A connection made anew tells again what is known. */
	if (!str_equal(json_get_string(event, "event"), "container") || nsec <= source->last_nsec) {
		json_decref(event);
		return;
	}
	add_labels(event, source->project);
	source->last_nsec = nsec;
	*array_add(sources->events, sources->event_count) = event;
}

static void receive_all(struct sources *sources)
{
	_cleanup_free_ struct pollfd *fds = new_array(struct pollfd, sources->count + 1);

	for (size_t i = 0; i < sources->count; i++) {
		const struct client *client = sources->items[i].client;

		fds[i] = (struct pollfd){client ? client_fd(client) : -1, POLLIN, 0};
	}
	if (poll(fds, sources->count, SETTLE_MSEC) <= 0)
		return;
	for (size_t i = 0; i < sources->count; i++)
		if (fds[i].revents)
			receive(sources, &sources->items[i]);
}

static int look_at_objects(struct sources *sources, struct error *err)
{
	_cleanup_json_ json_t *events = json_array();
	json_t *event;
	size_t i;
	int r = system_objects_look(sources->objects, events, err);

	json_array_foreach(events, i, event)
		*array_add(sources->events, sources->event_count) = json_incref(event);
	return r;
}

static int follow(struct sources *sources, struct error *err)
{
	int64_t begun = units_now_nsec(), looked = 0, settle = SETTLE_MSEC * INT64_C(1000000);
	int r = 0;

	while (r >= 0) {
		int64_t now = units_now_nsec();

		if (now - looked >= settle) {
			r = look_for_projects(sources, err);
			if (r >= 0)
				r = look_at_objects(sources, err);
			looked = units_now_nsec();
		}
		if (r >= 0)
			receive_all(sources);
		now = units_now_nsec();
		if (sources->until_nsec && now > sources->until_nsec + settle &&
		    now - begun > ARRIVAL_NSEC)
			return r < 0 ? r : tell(sources, INT64_MAX, err);
		if (r >= 0 && now - begun > settle)
			r = tell(sources, now - settle, err);
	}
	return r;
}

static int run(struct project_args *args, int argc, char **argv)
{
	struct sources sources = {.since_nsec = units_now_nsec()};
	int64_t now = sources.since_nsec;
	struct error err = ERROR_INIT;
	int r;

	if ((since && units_parse_time(since, now, &sources.since_nsec) < 0) ||
	    (until && units_parse_time(until, now, &sources.until_nsec) < 0)) {
		error_set(&err, EINVAL, "failed to parse --since or --until");
		return output_fail(args, &err);
	}
	if (check_filters(&err) < 0)
		return output_fail(args, &err);
	converge_exit_on_signals();
	r = system_objects_new(&sources.objects, &err);
	if (r >= 0)
		r = follow(&sources, &err);
	system_objects_free(sources.objects);
	for (size_t i = 0; i < sources.count; i++) {
		client_free(sources.items[i].client);
		free(sources.items[i].project);
	}
	for (size_t i = 0; i < sources.event_count; i++)
		json_decref(sources.events[i]);
	free(sources.items);
	free(sources.events);
	return r < 0 ? output_fail(args, &err) : 0;
}

const struct command command_system_events = {
	.name = "events",
	.operands = "[OPTIONS]",
	.summary = "Tell what happens to containers, images, volumes and networks, as it happens",
	.options = options,
	.run = run,
};
