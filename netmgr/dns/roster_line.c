// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/roster_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#define NAME_BYTES_MAX 253 /* of a name in the DNS, RFC 1035 2.3.4 */
#define ID_BYTES_MAX   80

static bool name_fits(const char *name)
{
	return name && name[0] && strlen(name) <= NAME_BYTES_MAX;
}

static json_t *names_array(const char *const *names)
{
	json_t *array = json_array();

	for (; *names && json_array_size(array) < ROSTER_NAMES_MAX; names++)
		/* One that is not UTF-8 is no JSON string, and nothing is appended. */
		if (name_fits(*names))
			(void)json_array_append_new(array, json_string(*names));
	return array;
}

char *roster_line(const struct dns_names *names, pid_t pid, uint64_t start_ticks)
{
	_cleanup_json_ json_t *json = json_object();
	char text[INET6_ADDRSTRLEN];

	json_put_string(json, "id", names->container_id);
	json_put_int(json, "pid", pid);
	json_put_int(json, "start_ticks", (int64_t)start_ticks);
	json_object_set_new(json, "names", names_array(names->names));
	if (names->has_ipv4)
		json_put_string(json, "ipv4", inet_ntop(AF_INET, &names->ipv4, text, sizeof(text)));
	if (names->has_ipv6)
		json_put_string(json, "ipv6",
				inet_ntop(AF_INET6, &names->ipv6, text, sizeof(text)));
	return json_text(json);
}

static int parse_names(const json_t *array, struct roster_entry *entry)
{
	size_t i;
	json_t *item;

	if (json_array_size(array) > ROSTER_NAMES_MAX)
		return -EBADMSG;
	json_array_foreach(array, i, item) {
		const char *name = json_string_value(item);

		if (!name_fits(name))
			return -EBADMSG;
		strv_append(&entry->names, name);
	}
	return entry->names ? 0 : -EBADMSG;
}

int roster_line_parse(const char *line, size_t size, struct roster_entry *ret)
{
	_cleanup_json_ json_t *json = NULL;
	struct error ignored = ERROR_INIT;
	const char *id, *ipv4, *ipv6;
	int64_t pid, ticks;

	*ret = (struct roster_entry){0};
	if (size > ROSTER_LINE_MAX || json_parse(line, size, &json, &ignored) < 0)
		return -EBADMSG;
	id = json_get_string(json, "id");
	ipv4 = json_get_string(json, "ipv4");
	ipv6 = json_get_string(json, "ipv6");
	pid = json_get_int(json, "pid", 0);
	ticks = json_get_int(json, "start_ticks", 0);
	if (!id || !id[0] || strlen(id) > ID_BYTES_MAX || strchr(id, '/') || pid <= 0 ||
	    pid > INT32_MAX || ticks < 0)
		return -EBADMSG;
	ret->container_id = alloc_string(id);
	ret->pid = (pid_t)pid;
	ret->start_ticks = (uint64_t)ticks;
	ret->has_ipv4 = ipv4 && inet_pton(AF_INET, ipv4, &ret->ipv4) == 1;
	ret->has_ipv6 = ipv6 && inet_pton(AF_INET6, ipv6, &ret->ipv6) == 1;
	return parse_names(json_object_get(json, "names"), ret);
}

void roster_entry_done(struct roster_entry *entry)
{
	free(entry->container_id);
	strv_free(entry->names);
	*entry = (struct roster_entry){0};
}
