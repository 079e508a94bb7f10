// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/logs/log_session.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/target.h"
#include "compose/cli/logs/journal_reader.h"
#include "compose/cli/view/output.h"
#include "compose/control/requests.h"

static void source_done(struct log_source *source)
{
	log_reader_free(source->reader);
	journal_reader_free(source->journal);
	free(source->id);
	free(source->service);
	free(source->name);
	free(source->path);
}

void log_session_done(struct log_session *session)
{
	for (size_t i = 0; i < session->count; i++)
		source_done(&session->sources[i]);
	free(session->sources);
	json_decref(session->coming);
	client_free(session->events);
	log_printer_done(&session->printer);
	session->sources = NULL;
	session->coming = NULL;
	session->events = NULL;
	session->count = 0;
}

static struct log_source *find_source(struct log_session *session, const char *id)
{
	for (size_t i = 0; i < session->count; i++)
		if (str_equal(session->sources[i].id, id))
			return &session->sources[i];
	return NULL;
}

static bool belongs(const struct log_session *session, const json_t *container)
{
	const char *service = json_get_string(container, "service");
	int64_t number = json_get_int(container, "number", 0);

	if (session->container)
		return str_equal(json_get_string(container, "id"), session->container);
	if (!service || json_get_bool(container, "oneoff", false))
		return false;
	if (session->index && number != session->index)
		return false;
	return !session->services || !session->services[0] ||
	       strv_contains(session->services, service);
}

static bool is_shown(const struct log_session *session, const char *service)
{
	if (session->not_shown && strv_contains(session->not_shown, service))
		return false;
	return !session->shown || !session->shown[0] || strv_contains(session->shown, service);
}

static bool is_awaited(const struct log_session *session, const char *service)
{
	return !session->awaited || strv_contains(session->awaited, service);
}

static void open_reader(struct log_session *session, struct log_source *source)
{
	struct error err = ERROR_INIT;

	/* One reader as long as the container is there: it goes on where it is. */
	if (source->reader || !source->path || !is_shown(session, source->service))
		return;
	if (log_reader_open(source->path, &session->options, &source->reader, &err) < 0 &&
	    err.code != ENOENT)
		output_warn("%s: %s", source->name, err.message);
	error_clear(&err);
	/* In files then is only what the journal did not take. */
	if (source->reader &&
	    journal_reader_open(source->path, source->id, &session->options, &source->journal,
				&err) < 0 &&
	    err.code)
		output_warn("%s: %s", source->name, err.message);
}

/* It ended since we listen, so the event is on its way to us. */
static bool end_will_be_told(const struct log_session *session, const json_t *container)
{
	return session->events && session->events_since_nsec &&
	       str_equal(json_get_string(container, "state"), "exited") &&
	       json_get_int(container, "finished", 0) >= session->events_since_nsec;
}

/* All containers of a service have one colour, in the order in which services are first seen. */
static unsigned int color_of(const struct log_session *session, const struct log_source *of)
{
	unsigned int next = 0;

	for (size_t i = 0; i < session->count; i++) {
		const struct log_source *source = &session->sources[i];

		if (source == of)
			continue;
		if (str_equal(source->service, of->service))
			return source->color;
		if (source->color >= next)
			next = source->color + 1;
	}
	return next;
}

static void add_container(struct log_session *session, const json_t *container)
{
	const char *id = json_get_string(container, "id"), *path;
	struct log_source *source = id ? find_source(session, id) : NULL;

	if (!id || !belongs(session, container))
		return;
	if (source)
		return;
	source = array_add(session->sources, session->count);
	path = json_get_string(json_object_get(container, "log"), "path");
	source->id = alloc_string(id);
	source->service = alloc_string(json_get_string(container, "service"));
	source->name = alloc_string(target_short_name(
		session->project, json_get_string(container, "name") ?: source->id));
	source->path = path && path[0] ? alloc_string(path) : NULL;
	source->running = container_is_running(container) || end_will_be_told(session, container);
	source->awaited = is_awaited(session, source->service);
	source->color = color_of(session, source);
	if (is_shown(session, source->service))
		log_printer_add_name(&session->printer, source->name);
	open_reader(session, source);
}

static void container_ended(struct log_session *session, struct log_source *source, int exit_code,
			    int64_t nsec);

/* What a supervisor that died did not tell us any more. */
static void catch_up(struct log_session *session, const json_t *container)
{
	struct log_source *source = find_source(session, json_get_string(container, "id"));

	if (source && source->running && !container_is_running(container))
		container_ended(session, source, (int)json_get_int(container, "exit_code", 0),
				json_get_int(container, "finished", 0) ?: INT64_MAX);
	else if (source)
		source->running = container_is_running(container);
}

/* Of those that were to start, what a supervisor that died did not tell us any more. */
static void expect_fewer(struct log_session *session, const json_t *containers)
{
	json_t *coming = json_object(), *container;
	size_t i;

	json_array_foreach(containers, i, container) {
		const char *id = json_get_string(container, "id");

		if (json_object_get(session->coming, id) &&
		    str_equal(json_get_string(container, "state"), "created"))
			json_put_bool(coming, id, true);
	}
	json_decref(session->coming);
	session->coming = coming;
}

static int refresh(struct log_session *session, bool missed_events, struct error *err)
{
	struct target target = {.name = (char *)session->project};
	_cleanup_json_ json_t *containers = NULL;
	json_t *container;
	size_t i;
	int r = target_containers(&target, true, NULL, &containers, err);

	if (r < 0)
		return r;
	json_array_foreach(containers, i, container) {
		add_container(session, container);
		if (missed_events)
			catch_up(session, container);
	}
	if (missed_events)
		expect_fewer(session, containers);
	return 0;
}

int log_session_open(struct log_session *session, struct error *err)
{
	return refresh(session, false, err);
}

int log_session_follow(struct log_session *session, struct error *err)
{
	_cleanup_json_ json_t *arguments = json_object();

	if (session->events_since_nsec)
		json_put_int(arguments, "since", session->events_since_nsec);
	return client_request(session->project, CLIENT_START_FOR_STATE, REQUEST_EVENTS, arguments,
			      NULL, 0, &session->events, err);
}

static void tell_lost(struct log_session *session, const struct log_source *source)
{
	uint64_t files = log_reader_lost(source->reader);

	if (!files)
		return;
	log_printer_flush(&session->printer);
	output_warn("%s: lines are missing here: %ju log file%s filled and deleted faster "
		    "than they could be read (logging option max-file keeps more)",
		    source->name, (uintmax_t)files, files == 1 ? " was" : "s were");
}

/* The older of those that wait, of its files and of the journal; NULL: there is none. */
static struct log_pending *fetch(struct log_session *session, struct log_source *source)
{
	struct log_pending *file = &source->pending[0], *entry = &source->pending[1];

	if (!file->given && source->reader) {
		file->given = log_reader_next(source->reader, &file->record) == 1;
		tell_lost(session, source);
	}
	if (!entry->given && source->journal)
		entry->given = journal_reader_next(source->journal, &entry->record) == 1;
	if (entry->given && (!file->given || entry->record.nsec < file->record.nsec))
		return entry;
	return file->given ? file : NULL;
}

static void print_pending(struct log_session *session, struct log_source *source,
			  struct log_pending *pending)
{
	log_printer_print(&session->printer, source->name, source->color, &pending->record);
	pending->given = false;
}

void log_session_drain(struct log_session *session)
{
	for (;;) {
		struct log_source *source = NULL;
		struct log_pending *oldest = NULL;

		for (size_t i = 0; i < session->count; i++) {
			struct log_pending *next = fetch(session, &session->sources[i]);

			if (next && (!oldest || next->record.nsec < oldest->record.nsec)) {
				oldest = next;
				source = &session->sources[i];
			}
		}
		if (!oldest)
			break;
		print_pending(session, source, oldest);
	}
	log_printer_flush(&session->printer);
}

/* What it wrote until then; a later line stays pending. */
static void drain_source(struct log_session *session, struct log_source *source, int64_t until_nsec)
{
	struct log_pending *pending;

	while ((pending = fetch(session, source)) && pending->record.nsec <= until_nsec)
		print_pending(session, source, pending);
}

static void sync_logs(struct log_session *session)
{
	struct error ignored = ERROR_INIT;

	(void)client_call(session->project, CLIENT_START_FOR_STATE, REQUEST_LOGS_SYNC, NULL, NULL,
			  &ignored);
}

/* It may have started again long since: then the log goes on with what it says now. */
static void container_ended(struct log_session *session, struct log_source *source, int exit_code,
			    int64_t nsec)
{
	source->running = false;
	source->exit_code = exit_code;
	/* What it wrote last may still be on its way to the file. */
	sync_logs(session);
	if (source->reader) {
		log_reader_cut(source->reader, nsec);
		if (source->journal)
			journal_reader_settle(source->journal);
		drain_source(session, source, nsec);
		if (!session->quiet_exits)
			log_printer_exited(&session->printer, source->name, source->color,
					   exit_code);
		log_printer_flush(&session->printer);
	}
	source->ended = true;
	if (session->ended)
		session->ended(session->data, session, source);
}

/* It will start, or go without: `up` that recreates makes the new one before the old one ends. */
static void expect_start(struct log_session *session, const json_t *event)
{
	if (!belongs(session, event) || !is_awaited(session, json_get_string(event, "service")))
		return;
	if (!session->coming)
		session->coming = json_object();
	json_put_bool(session->coming, json_get_string(event, "container_id"), true);
}

static int event_exit_code(const json_t *event)
{
	const json_t *attributes = json_object_get(event, "attributes");
	const char *text = json_get_string(attributes, "exitCode");

	return text ? atoi(text) : (int)json_get_int(attributes, "exitCode", 0);
}

static bool is_old(struct log_session *session, const json_t *event)
{
	int64_t time = json_get_int(event, "time", 0);

	if (time && time <= session->last_event_nsec)
		return true;
	session->last_event_nsec = time;
	return false;
}

static int take_event(struct log_session *session, const json_t *event, struct error *err)
{
	const char *action = json_get_string(event, "action");
	const char *id = json_get_string(event, "container_id");
	struct log_source *source;
	bool start, die;

	session->in_doubt |= str_equal(json_get_string(event, "event"), "settled");
	if (!action || !id || is_old(session, event))
		return 0;
	start = !strcmp(action, "start");
	die = !strcmp(action, "die");
	if (!strcmp(action, "create"))
		expect_start(session, event);
	else if (start || !strcmp(action, "destroy"))
		json_object_del(session->coming, id);
	source = find_source(session, id);
	if (!source && (start || die)) {
		if (refresh(session, false, err) < 0)
			return -err->code;
		source = find_source(session, id);
	}
	if (!source)
		return 0;
	if (start) {
		source->running = true;
		open_reader(session, source);
		source->ended = false;
	} else if (die && !source->ended) {
		container_ended(session, source, event_exit_code(event),
				json_get_int(event, "time", 0) ?: INT64_MAX);
	} else if (!strcmp(action, "destroy")) {
		source->running = false;
	}
	return 0;
}

size_t log_session_polls_max(const struct log_session *session)
{
	return 2 * session->count + 1;
}

size_t log_session_polls(const struct log_session *session, struct pollfd *polls)
{
	size_t n = 0;

	polls[n++] = (struct pollfd){session->events ? client_fd(session->events) : -1, POLLIN};
	for (size_t i = 0; i < session->count; i++) {
		const struct log_source *source = &session->sources[i];
		int fd = source->reader && !log_reader_ended(source->reader)
				 ? log_reader_fd(source->reader)
				 : -1;

		polls[n++] = (struct pollfd){fd, POLLIN};
		fd = source->journal ? journal_reader_fd(source->journal) : -1;
		polls[n++] = (struct pollfd){fd, POLLIN};
	}
	return n;
}

int log_session_work(struct log_session *session, bool event_ready, struct error *err)
{
	_cleanup_json_ json_t *event = NULL;
	unsigned int before;
	int r;

	log_session_drain(session);
	if (!event_ready || !session->events)
		return 0;
	before = client_reconnects(session->events);
	r = client_next(session->events, &event, NULL, NULL, err);
	if (r == 0) {
		client_free(session->events);
		session->events = NULL;
	}
	if (r <= 0)
		return r;
	/* A new supervisor: what happened while nobody told us shows in who is there. */
	if (client_reconnects(session->events) != before && refresh(session, true, err) < 0)
		return -err->code;
	r = take_event(session, event, err);
	/* What a container said before we watched its log wakes nobody. */
	log_session_drain(session);
	return r;
}

void log_session_finish(struct log_session *session)
{
	struct pollfd poll_fd = {.events = POLLIN};
	struct error err = ERROR_INIT;

	if (session->events)
		client_stay(session->events);
	/* What the supervisor has told us already, so that nobody's end goes unsaid. */
	while (session->events) {
		poll_fd.fd = client_fd(session->events);
		if (poll(&poll_fd, 1, 0) != 1 || log_session_work(session, true, &err) < 0)
			break;
	}
	sync_logs(session);
	for (size_t i = 0; i < session->count; i++) {
		if (session->sources[i].reader)
			log_reader_stop_following(session->sources[i].reader);
		if (session->sources[i].journal)
			journal_reader_settle(session->sources[i].journal);
	}
	log_session_drain(session);
}

static size_t count_running(const struct log_session *session)
{
	size_t running = json_object_size(session->coming);

	for (size_t i = 0; i < session->count; i++)
		running += session->sources[i].awaited && session->sources[i].running;
	return running;
}

size_t log_session_running(struct log_session *session)
{
	struct target target = {.name = (char *)session->project};
	_cleanup_json_ json_t *containers = NULL;
	struct error ignored = ERROR_INIT;
	json_t *container;
	size_t coming = 0, i;

	if ((count_running(session) && !session->in_doubt) || !session->events ||
	    target_containers(&target, true, NULL, &containers, &ignored) < 0)
		return count_running(session);
	session->in_doubt = false;
	json_array_foreach(containers, i, container) {
		const char *id = json_get_string(container, "id");
		struct log_source *source = id ? find_source(session, id) : NULL;

		if (source)
			source->running = container_is_running(container);
		coming += json_get_bool(container, "coming", false) &&
			  belongs(session, container) &&
			  is_awaited(session, json_get_string(container, "service"));
	}
	return count_running(session) + coming;
}
