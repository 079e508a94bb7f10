// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * graph.c - `berth graph`: which service waits for which, and for what. As a tree for the eyes, for
 * graphviz and mermaid, or as JSON.
 */
#include <stdio.h>
#include <string.h>

#include "common/alloc.h"
#include "common/json.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

static const char *format;

static const struct option options[] = {
	{"format", 0, OPTION_STRING, &format, "string", "tree (default), dot, mermaid or json"},
	{NULL},
};

static const char *const condition_words[] = {
	[CONDITION_STARTED] = "started",
	[CONDITION_HEALTHY] = "healthy",
	[CONDITION_COMPLETED] = "completed",
};

/* "healthy, restart, optional" */
static const char *edge_text(const struct dependency *edge, char buffer[64])
{
	(void)snprintf(buffer, 64, "%s%s%s", condition_words[edge->condition],
		       edge->restart ? ", restart" : "", edge->required ? "" : ", optional");
	return buffer;
}

struct drawing {
	const struct project *project;
	bool *needed, *shown;
	struct strbuf margin;
};

static size_t number_of(const struct drawing *d, const struct service *service)
{
	return (size_t)(service - d->project->services);
}

static void draw_needs(struct drawing *d, const struct service *service)
{
	size_t margin = d->margin.length;

	d->shown[number_of(d, service)] = true;
	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct dependency *edge = &service->depends_on[i];
		const struct service *to = project_service(d->project, edge->service);
		bool last = i + 1 == service->dependency_count;
		bool again = to && to->dependency_count && d->shown[number_of(d, to)];
		char text[64];

		printf("%s%s %s (%s)%s\n", d->margin.data ? d->margin.data : "", last ? "└─" : "├─",
		       edge->service, edge_text(edge, text),
		       !to     ? " not there"
		       : again ? " …"
			       : "");
		if (!to || again)
			continue;
		strbuf_add(&d->margin, last ? "   " : "│  ");
		draw_needs(d, to);
		d->margin.length = margin;
		d->margin.data[margin] = '\0';
	}
}

static void draw_root(struct drawing *d, const struct service *service)
{
	puts(service->name);
	draw_needs(d, service);
}

/* Whoever nobody needs stands at the left, with what it waits for below it. */
static void draw_tree(const struct project *project)
{
	_cleanup_free_ bool *needed = new_array(bool, project->service_count + 1);
	_cleanup_free_ bool *shown = new_array(bool, project->service_count + 1);
	struct drawing d = {.project = project, .needed = needed, .shown = shown};

	for (size_t i = 0; i < project->service_count; i++)
		for (size_t n = 0; n < project->services[i].dependency_count; n++) {
			const struct service *to = project_service(
				project, project->services[i].depends_on[n].service);

			if (to)
				needed[number_of(&d, to)] = true;
		}
	for (size_t i = 0; i < project->service_count; i++)
		if (!needed[i])
			draw_root(&d, &project->services[i]);
	/* What is left is on a circle, which --no-consistency lets pass. */
	for (size_t i = 0; i < project->service_count; i++)
		if (!shown[i])
			draw_root(&d, &project->services[i]);
	strbuf_done(&d.margin);
}

/* Names of services and projects have no character that would need a backslash. */
static void print_dot(const struct project *project)
{
	char text[64];

	printf("digraph \"%s\" {\n\trankdir=LR;\n\tnode [shape=box];\n", project->name);
	for (size_t i = 0; i < project->service_count; i++)
		printf("\t\"%s\";\n", project->services[i].name);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		for (size_t n = 0; n < service->dependency_count; n++) {
			const struct dependency *edge = &service->depends_on[n];

			printf("\t\"%s\" -> \"%s\" [label=\"%s\"%s];\n", service->name,
			       edge->service, edge_text(edge, text),
			       edge->required ? "" : ", style=dashed");
		}
	}
	puts("}");
}

/* Numbers as ids: a service may be called "end" or "a.b", which mermaid takes for its own. */
static void print_mermaid(const struct project *project)
{
	char text[64];

	puts("flowchart LR");
	for (size_t i = 0; i < project->service_count; i++)
		printf("    s%zu[\"%s\"]\n", i, project->services[i].name);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		for (size_t n = 0; n < service->dependency_count; n++) {
			const struct dependency *edge = &service->depends_on[n];
			const struct service *to = project_service(project, edge->service);

			if (to)
				printf("    s%zu %s|\"%s\"| s%zu\n", i,
				       edge->required ? "-->" : "-.->", edge_text(edge, text),
				       (size_t)(to - project->services));
		}
	}
}

/* The conditions in the file's own words. */
static json_t *json_edge(const struct project *project, const struct service *from,
			 const struct dependency *edge)
{
	static const char *const conditions[] = {
		[CONDITION_STARTED] = "service_started",
		[CONDITION_HEALTHY] = "service_healthy",
		[CONDITION_COMPLETED] = "service_completed_successfully",
	};
	json_t *json = json_object();

	json_put_string(json, "from", from->name);
	json_put_string(json, "to", edge->service);
	json_put_string(json, "condition", conditions[edge->condition]);
	json_put_bool(json, "restart", edge->restart);
	json_put_bool(json, "required", edge->required);
	json_put_bool(json, "present", project_service(project, edge->service) != NULL);
	return json;
}

/* {project, services: [{name, image, replicas}], edges: [{from, to, condition, ...}]} */
static void print_json(const struct project *project)
{
	_cleanup_json_ json_t *json = json_object();
	json_t *services = json_array(), *edges = json_array();
	_cleanup_free_ char *text = NULL;

	json_put_string(json, "project", project->name);
	json_object_set_new(json, "services", services);
	json_object_set_new(json, "edges", edges);
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];
		json_t *row = json_object();

		json_put_string(row, "name", service->name);
		json_put_string(row, "image", service->image);
		json_put_int(row, "replicas", service_replicas(service));
		json_array_append_new(services, row);
		for (size_t n = 0; n < service->dependency_count; n++)
			json_array_append_new(edges,
					      json_edge(project, service, &service->depends_on[n]));
	}
	text = json_dumps(json, JSON_INDENT(2));
	puts(text);
}

static int run(struct project_args *args, int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(const struct project *project);
	} formats[] = {{"tree", draw_tree},
		       {"dot", print_dot},
		       {"mermaid", print_mermaid},
		       {"json", print_json}};
	struct project *project = NULL;
	struct error err = ERROR_INIT;
	struct load_options load;

	project_args_load_options(args, &load);
	load.services = argv[0] ? argv : NULL;
	load.with_dependencies = true;
	load.no_env_resolution = true;
	array_foreach(row, formats) {
		if (strcmp(format ? format : "tree", row->name) != 0)
			continue;
		if (load_project(&load, &project, &args->report, &err) < 0)
			return output_fail(args, &err);
		row->print(project);
		project_free(project);
		return 0;
	}
	error_set(&err, EINVAL, "unsupported format \"%s\": there are tree, dot, mermaid and json",
		  format);
	return output_fail(args, &err);
}

const struct command command_graph = {
	.name = "graph",
	.operands = "[OPTIONS] [SERVICE...]",
	.summary = "Show which service waits for which, and for what",
	.options = options,
	.max_operands = -1,
	.run = run,
};
