// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/ps_rows.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#define COMMAND_WIDTH 20

struct port_row {
	const char *ip, *protocol;
	int64_t target, published;
};

/* Consecutive ports of one address and protocol, published under their own number. */
struct port_group {
	const char *ip, *protocol;
	int64_t first, last;
};

static int compare_ports(const void *a, const void *b)
{
	const struct port_row *l = a, *r = b;
	int order;

	if (l->target != r->target)
		return l->target < r->target ? -1 : 1;
	order = strcmp(l->ip, r->ip);
	if (order)
		return order;
	if (l->published != r->published)
		return l->published < r->published ? -1 : 1;
	return strcmp(l->protocol, r->protocol);
}

static void add_text(struct strbuf *out, const char *text)
{
	if (out->length)
		strbuf_add(out, ", ");
	strbuf_add(out, text);
}

static void add_address(struct strbuf *out, const char *ip)
{
	strbuf_addf(out, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
}

static void add_group(struct strbuf *out, const struct port_group *group)
{
	_cleanup_free_ char *range = NULL;
	_cleanup_strbuf_ struct strbuf text = {0};

	if (group->first == group->last)
		range = str_printf("%jd", (intmax_t)group->first);
	else
		range = str_printf("%jd-%jd", (intmax_t)group->first, (intmax_t)group->last);
	if (group->ip[0]) {
		add_address(&text, group->ip);
		strbuf_addf(&text, "%s->", range);
	}
	strbuf_addf(&text, "%s/%s", range, group->protocol);
	add_text(out, text.data);
}

static size_t read_ports(const json_t *publishers, struct port_row **ret)
{
	size_t i, count = json_array_size(publishers);
	struct port_row *rows = new_array(struct port_row, count + 1);
	json_t *publisher;

	json_array_foreach(publishers, i, publisher) {
		rows[i] = (struct port_row){
			.ip = json_get_string(publisher, "url") ?: "",
			.protocol = json_get_string(publisher, "protocol") ?: "tcp",
			.target = json_get_int(publisher, "target", 0),
			.published = json_get_int(publisher, "published", 0),
		};
		if (!rows[i].published)
			rows[i].ip = "";
	}
	qsort(rows, count, sizeof(*rows), compare_ports);
	*ret = rows;
	return count;
}

static struct port_group *find_group(struct port_group *groups, size_t count,
				     const struct port_row *row)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(groups[i].ip, row->ip) && !strcmp(groups[i].protocol, row->protocol))
			return &groups[i];
	return NULL;
}

char *ps_ports(const json_t *publishers)
{
	_cleanup_strbuf_ struct strbuf single = {0};
	_cleanup_free_ struct port_row *rows = NULL;
	_cleanup_free_ struct port_group *groups = NULL;
	size_t count = read_ports(publishers, &rows), used = 0;
	struct strbuf out = {0};

	groups = new_array(struct port_group, count + 1);
	for (size_t i = 0; i < count; i++) {
		const struct port_row *row = &rows[i];
		struct port_group *group = find_group(groups, used, row);

		if (row->ip[0] && row->published != row->target) {
			_cleanup_strbuf_ struct strbuf text = {0};

			add_address(&text, row->ip);
			strbuf_addf(&text, "%jd->%jd/%s", (intmax_t)row->published,
				    (intmax_t)row->target, row->protocol);
			add_text(&single, text.data);
			continue;
		}
		if (group && row->target == group->last + 1) {
			group->last = row->target;
			continue;
		}
		if (group && row->target == group->last)
			continue;
		if (group)
			add_group(&out, group);
		else
			group = &groups[used++];
		*group = (struct port_group){row->ip, row->protocol, row->target, row->target};
	}
	for (size_t i = 0; i < used; i++)
		add_group(&out, &groups[i]);
	if (single.length)
		add_text(&out, single.data);
	return strbuf_take(&out);
}

static void ago(int64_t nsec, int64_t now_nsec, char *buffer, size_t size)
{
	int64_t usec = (now_nsec - nsec) / 1000;

	units_format_ago(usec < 0 ? 0 : usec, buffer, size);
}

char *ps_status(const json_t *container, int64_t now_nsec)
{
	const char *state = json_get_string(container, "state") ?: "";
	const char *health = json_get_string(container, "health") ?: "";
	const char *note = json_get_string(container, "health_note") ?: "";
	const char *comma = note[0] ? ", " : "";
	int exit_code = (int)json_get_int(container, "exit_code", 0);
	char up[64], down[64];

	ago(json_get_int(container, "started", 0), now_nsec, up, sizeof(up));
	ago(json_get_int(container, "finished", 0), now_nsec, down, sizeof(down));
	if (!strcmp(state, "running") && !strcmp(health, "starting"))
		return str_printf("Up %s (health: starting%s%s)", up, comma, note);
	if (!strcmp(state, "running") && health[0])
		return str_printf("Up %s (%s%s%s)", up, health, comma, note);
	if (!strcmp(state, "running"))
		return str_printf("Up %s", up);
	if (!strcmp(state, "paused"))
		return str_printf("Up %s (Paused)", up);
	if (!strcmp(state, "restarting"))
		return str_printf("Restarting (%d) %s ago", exit_code, down);
	if (!strcmp(state, "exited") && note[0])
		return str_printf("Exited (%d) %s ago (%s)", exit_code, down, note);
	if (!strcmp(state, "exited"))
		return str_printf("Exited (%d) %s ago%s", exit_code, down,
				  json_get_bool(container, "oom_killed", false) ? " (OOM killed)"
										: "");
	if (!strcmp(state, "created"))
		return alloc_string("Created");
	if (!strcmp(state, "removing"))
		return alloc_string("Removal In Progress");
	return alloc_string("Dead");
}

/* "command" may be a text or the list of words. */
static char *command_text(const json_t *container, bool truncate)
{
	const json_t *command = json_object_get(container, "command");
	_cleanup_strv_ char **words = json_get_strv(container, "command");
	_cleanup_free_ char *text = NULL, *cut = NULL;
	_cleanup_json_ json_t *quoted = NULL;
	size_t characters = 0, end = 0;

	text = json_is_string(command) ? alloc_string(json_string_value(command))
				       : strv_join(words, " ");
	for (; text && text[end]; end++) {
		if (((unsigned char)text[end] & 0xc0) == 0x80)
			continue;
		if (++characters == COMMAND_WIDTH)
			cut = cut ?: str_printf("%.*s…", (int)end, text);
	}
	quoted = json_string(truncate && characters > COMMAND_WIDTH ? cut : text ?: "");
	return json_dumps(quoted, JSON_ENCODE_ANY);
}

static json_t *publisher_rows(const json_t *publishers)
{
	json_t *rows = json_array(), *publisher;
	size_t i;

	json_array_foreach(publishers, i, publisher) {
		json_t *row = json_object();

		json_put_string(row, "URL", json_get_string(publisher, "url") ?: "");
		json_put_int(row, "TargetPort", json_get_int(publisher, "target", 0));
		json_put_int(row, "PublishedPort", json_get_int(publisher, "published", 0));
		json_put_string(row, "Protocol", json_get_string(publisher, "protocol") ?: "tcp");
		json_array_append_new(rows, row);
	}
	return rows;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *labels_text(const json_t *labels)
{
	_cleanup_strv_ char **list = NULL;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value) {
		strv_take(&list, str_printf("%s=%s", key, json_string_value(value) ?: ""));
	}
	if (!list)
		return alloc_string("");
	qsort(list, strv_length(list), sizeof(*list), compare_strings);
	return strv_join(list, ",");
}

static char *names_text(const json_t *rows, const char *key)
{
	struct strbuf names = {0};
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *name = json_get_string(row, key);

		/* An anonymous bind has no name: docker shows where it comes from. */
		if (!name || !name[0])
			name = json_get_string(row, "source");
		if (name && name[0])
			strbuf_addf(&names, "%s%s", names.length ? "," : "", name);
	}
	return strbuf_take(&names);
}

static size_t local_volumes(const json_t *mounts)
{
	size_t i, count = 0;
	json_t *mount;

	json_array_foreach(mounts, i, mount) {
		count += str_equal(json_get_string(mount, "type"), "volume");
	}
	return count;
}

/* Go's time.String(), which docker prints: "2026-01-02 15:04:05 +0100 CET". */
static void put_created(json_t *row, const json_t *container, int64_t now_nsec)
{
	int64_t created = json_get_int(container, "created", 0);
	time_t seconds = (time_t)(created / 1000000000);
	char text[64], since[64];
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm);
	json_put_string(row, "CreatedAt", text);
	ago(created, now_nsec, since, sizeof(since));
	strncat(since, " ago", sizeof(since) - strlen(since) - 1);
	json_put_string(row, "RunningFor", since);
}

static void put_owned(json_t *row, const char *key, char *text)
{
	json_put_string(row, key, text ? text : "");
	free(text);
}

/* What no column of the usual table shows. */
static void put_details(json_t *row, const char *project, const json_t *container)
{
	const json_t *mounts = json_object_get(container, "mounts");

	put_owned(row, "Labels", labels_text(json_object_get(container, "labels")));
	put_owned(row, "LocalVolumes", str_printf("%zu", local_volumes(mounts)));
	put_owned(row, "Mounts", names_text(mounts, "name"));
	put_owned(row, "Networks", names_text(json_object_get(container, "networks"), "name"));
	json_put_string(row, "Project", project);
	json_object_set_new(row, "Publishers",
			    publisher_rows(json_object_get(container, "publishers")));
	json_put_string(row, "Size", "0B");
}

json_t *ps_row(const char *project, const json_t *container, bool truncate, int64_t now_nsec)
{
	const char *id = json_get_string(container, "id") ?: "";
	const char *name = json_get_string(container, "name") ?: "";
	json_t *row = json_object();

	put_owned(row, "Command", command_text(container, truncate));
	put_created(row, container, now_nsec);
	json_put_int(row, "ExitCode", json_get_int(container, "exit_code", 0));
	json_put_string(row, "Health", json_get_string(container, "health") ?: "");
	put_owned(row, "ID", truncate ? alloc_string_n(id, 12) : alloc_string(id));
	json_put_string(row, "Image", json_get_string(container, "image") ?: "");
	json_put_string(row, "Name", name);
	json_put_string(row, "Names", name);
	put_owned(row, "Ports", ps_ports(json_object_get(container, "publishers")));
	json_put_string(row, "Service", json_get_string(container, "service") ?: "");
	json_put_string(row, "State", json_get_string(container, "state") ?: "");
	put_owned(row, "Status", ps_status(container, now_nsec));
	/* A BRIEF has none. */
	if (json_object_get(container, "labels"))
		put_details(row, project, container);
	return row;
}
