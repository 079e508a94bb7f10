// SPDX-License-Identifier: GPL-2.0-or-later
#include "compose/cli/help/docker_version.h"

#include <stdio.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "common/json.h"

#include "runtime/image/platform.h"

#include "compose/cli/args/project_args.h"
#include "compose/cli/view/output.h"

/* Whose commands, flags and JSON these are. */
#define DOCKER_VERSION "28.2.2"
#define API_VERSION    "1.50"

static const char *format;

static const struct option options[] = {
	{"format", 'f', OPTION_STRING, &format, "string", "json, or a Go template"},
	{NULL},
};

static json_t *side(const char *api_key)
{
	json_t *side = json_object();
	struct utsname name = {0};

	(void)uname(&name);
	json_object_set_new(side, "Platform", json_pack("{s:s}", "Name", "berth " BERTH_VERSION));
	json_put_string(side, "Version", DOCKER_VERSION);
	json_put_string(side, "ApiVersion", API_VERSION);
	json_put_string(side, api_key, API_VERSION);
	json_put_string(side, "Os", "linux");
	json_put_string(side, "Arch", platform_architecture());
	json_put_string(side, "KernelVersion", name.release);
	return side;
}

static void print_side(const char *heading, const json_t *side)
{
	printf("%s: berth " BERTH_VERSION "\n", heading);
	printf(" Version:           %s\n", json_get_string(side, "Version"));
	printf(" API version:       %s\n", json_get_string(side, "ApiVersion"));
	printf(" OS/Arch:           linux/%s\n", json_get_string(side, "Arch"));
}

static int run(struct project_args *args, int argc, char **argv)
{
	_cleanup_json_ json_t *rows = json_array();
	json_t *client = side("DefaultAPIVersion"), *server = side("MinAPIVersion");
	struct error err = ERROR_INIT;

	json_put_string(client, "Context", "default");
	json_array_append_new(rows, json_pack("{s:o, s:o}", "Client", client, "Server", server));
	if (format && format[0])
		return output_rows(rows, format, NULL, OUTPUT_LINES, &err) < 0
			       ? output_fail(args, &err)
			       : 0;
	print_side("Client", client);
	putchar('\n');
	print_side("Server", server);
	return 0;
}

void docker_version_line(void)
{
	puts("Docker version " DOCKER_VERSION ", build berth-" BERTH_VERSION);
}

const struct command command_docker_version = {
	.name = "version",
	.operands = "[OPTIONS]",
	.summary = "Show which version of docker's commands these are, and berth's own",
	.options = options,
	.outside = true,
	.run = run,
};
