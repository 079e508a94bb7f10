// SPDX-License-Identifier: GPL-2.0-or-later
/* dependencies.c - services that need one that is not there, or in a circle. */
#include <string.h>

#include "common/alloc.h"

#include "compose/load/check/parts.h"

/* Where @attribute says that @service shares a namespace of @other; NULL: it does not. */
static const struct position *at_sharing(const struct loader *l, const struct service *service,
					 const char *attribute, const char *value,
					 const char *other)
{
	if (!value || !str_starts_with(value, "service:") ||
	    strcmp(value + strlen("service:"), other) != 0)
		return NULL;
	return loader_at(l, "services", service->name, attribute, NULL);
}

/* Where the file says that @service needs @other: by name, by a link, by what it shares. */
static const struct position *at_dependency(const struct loader *l, const struct service *service,
					    const char *other)
{
	static const char *const lists[] = {"depends_on", "links", "volumes_from"};
	const struct position *whole = loader_at(l, "services", service->name, NULL);

	array_foreach(list, lists) {
		const struct position *at =
			loader_at(l, "services", service->name, *list, other, NULL);

		if (at != whole && at != loader_at(l, "services", service->name, *list, NULL))
			return at;
	}
	return at_sharing(l, service, "network_mode", service->network_mode, other)
		       ?: at_sharing(l, service, "ipc", service->ipc, other)
		       ?: at_sharing(l, service, "pid", service->pid, other)
		       ?: at_sharing(l, service, "uts", service->uts, other)
		       ?: at_sharing(l, service, "cgroup", service->cgroup, other)
		       ?: whole;
}

static void undefined_service(struct loader *l, const struct service *service, const char *name)
{
	const struct project *p = l->project;
	_cleanup_free_ const char **known = new_array(const char *, p->service_count + 1);
	const char *meant = NULL;
	size_t n = 0;

	for (size_t i = 0; i < p->service_count && l->report.kept < REPORT_MAX; i++)
		if (&p->services[i] != service)
			known[n++] = p->services[i].name;
	meant = str_suggest(name, known, n);
	report_add(&l->report, at_dependency(l, service, name),
		   "service \"%s\" depends on undefined service \"%s\": invalid compose "
		   "project%s%s%s",
		   service->name, name, meant ? "; did you mean '" : "", meant ? meant : "",
		   meant ? "'?" : "");
}

void check_dependencies(struct loader *l, const struct service *service)
{
	if (l->incomplete || check_is_broken(l, "services", service->name, "depends_on"))
		return;
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *dependency = &service->depends_on[i];

		if (!project_service(l->project, dependency->service) && dependency->required)
			undefined_service(l, service, dependency->service);
	}
}

/* Walks dependencies depth first; @path is the way from the first one. */
struct cycle_search {
	struct loader *l;
	unsigned char *state; /* 0: not seen, 1: on the way, 2: done */
	size_t *path, depth;
};

static void report_cycle(const struct cycle_search *search, size_t to)
{
	const struct project *p = search->l->project;
	const struct service *last = &p->services[search->path[search->depth - 1]];
	_cleanup_strbuf_ struct strbuf text = {0};
	size_t i = search->depth;

	while (i && search->path[i - 1] != to)
		i--;
	for (i = i ? i - 1 : 0; i < search->depth; i++)
		strbuf_addf(&text, "%s -> ", p->services[search->path[i]].name);
	strbuf_add(&text, p->services[to].name);
	report_add(&search->l->report, at_dependency(search->l, last, p->services[to].name),
		   "dependency cycle detected: %s", text.data);
}

/* With a stack of its own: a chain may be as long as the file. */
static bool find_cycle_from(struct cycle_search *search, size_t start, size_t *next)
{
	const struct project *p = search->l->project;

	search->depth = 0;
	search->path[search->depth++] = start;
	search->state[start] = 1;
	while (search->depth) {
		size_t at = search->path[search->depth - 1];
		const struct service *service = &p->services[at], *other;
		size_t number;

		if (next[at] >= service->dependency_count) {
			search->state[at] = 2;
			search->depth--;
			continue;
		}
		other = project_service(p, service->depends_on[next[at]++].service);
		number = other ? (size_t)(other - p->services) : 0;
		if (!other || search->state[number] == 2)
			continue;
		if (search->state[number] == 1) {
			report_cycle(search, number);
			return true;
		}
		search->state[number] = 1;
		search->path[search->depth++] = number;
	}
	return false;
}

void check_cycles(struct loader *l)
{
	size_t count = l->project->service_count;
	_cleanup_free_ unsigned char *state = new_array(unsigned char, count + 1);
	_cleanup_free_ size_t *path = new_array(size_t, count + 1);
	_cleanup_free_ size_t *next = new_array(size_t, count + 1);
	struct cycle_search search = {.l = l, .state = state, .path = path};

	for (size_t i = 0; i < count; i++)
		if (!state[i] && find_cycle_from(&search, i, next))
			return;
}
