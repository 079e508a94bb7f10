// SPDX-License-Identifier: GPL-2.0-or-later
/* `alpha viz`: the project as a drawing for graphviz, in the form that docker compose has it. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/command.h"
#include "compose/cli/view/output.h"

#define INDENTATION_MAX 64

static bool image, networks, ports, spaces;
static int indentation_size = 1;

static const struct option options[] = {
	{"image", 0, OPTION_FLAG, &image, NULL, "With the services' images"},
	{"indentation-size", 0, OPTION_INT, &indentation_size, "int",
	 "So many tabulators or spaces before each line"},
	{"networks", 0, OPTION_FLAG, &networks, NULL, "With the services' networks"},
	{"ports", 0, OPTION_FLAG, &ports, NULL, "With the services' published ports"},
	{"spaces", 0, OPTION_FLAG, &spaces, NULL, "Spaces before each line, not tabulators"},
	{NULL},
};

DEFINE_CLEANUP(struct project *, project_free);

static void indent(void)
{
	for (int i = 0; i < indentation_size; i++)
		putchar(spaces ? ' ' : '\t');
}

static void print_ports(const struct service *service)
{
	fputs("<br/><br/><b>Ports:</b>", stdout);
	for (size_t i = 0; i < service->port_count; i++) {
		const struct port *port = &service->ports[i];
		static const char *const protocols[] = {
			[PORT_TCP] = "tcp", [PORT_UDP] = "udp", [PORT_SCTP] = "sctp"};

		printf("<br/>%s%s%s%s%u (%s, %s)", port->host_ip ?: "", port->host_ip ? ":" : "",
		       port->published ?: "", port->published ? ":" : "",
		       (unsigned int)port->target, protocols[port->protocol],
		       port->mode ?: "ingress");
	}
}

static void print_node(const struct service *service)
{
	bool with_networks = networks && service->network_count;
	bool with_ports = ports && service->port_count, with_image = image && service->image;

	indent();
	printf("\"%s\" [style=\"filled\" label=<<font point-size=\"15\">%s</font>", service->name,
	       service->name);
	if (with_networks || with_ports || with_image)
		fputs("<font point-size=\"10\">", stdout);
	if (with_networks)
		fputs("<br/><br/><b>Networks:</b>", stdout);
	for (size_t i = 0; with_networks && i < service->network_count; i++)
		printf("<br/>%s", service->networks[i].name);
	if (with_ports)
		print_ports(service);
	if (with_image)
		printf("<br/><br/><b>Image:</b><br/>%s", service->image);
	if (with_networks || with_ports || with_image)
		fputs("</font>", stdout);
	fputs(">];\n", stdout);
}

static int run_viz(struct project_args *args, int argc, char **argv)
{
	_cleanup_(cleanup_project_free) struct project *project = NULL;
	struct error err = ERROR_INIT;

	if (indentation_size < 0 || indentation_size > INDENTATION_MAX) {
		error_set(&err, EINVAL, "--indentation-size: between 0 and %d", INDENTATION_MAX);
		return output_fail(args, &err);
	}
	if (project_args_load(args, NULL, &project, &err) < 0)
		return output_fail(args, &err);
	printf("digraph \"%s\" {\n", project->name);
	indent();
	puts("layout=dot;");
	for (size_t i = 0; i < project->service_count; i++)
		print_node(&project->services[i]);
	putchar('\n');
	for (size_t i = 0; i < project->service_count; i++) {
		const struct service *service = &project->services[i];

		for (size_t k = 0; k < service->dependency_count; k++) {
			indent();
			printf("\"%s\" -> \"%s\";\n", service->name,
			       service->depends_on[k].service);
		}
	}
	puts("}");
	return 0;
}

static const struct command viz = {
	.name = "viz",
	.operands = "[OPTIONS]",
	.summary = "Draw the services and what they depend on, for graphviz",
	.options = options,
	.run = run_viz,
};

extern const struct command command_alpha_generate;

static const struct command *const children[] = {&command_alpha_generate, &viz, NULL};

const struct command command_alpha = {
	.name = "alpha",
	.operands = "COMMAND",
	.summary = "Commands that docker compose has for trial",
	.children = children,
};
