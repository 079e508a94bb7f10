// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "tests/support/scratch.h"
#include "tests/unit/compose/cli/fake.h"

#define PROJECT                                                                                \
	"{\"name\": \"p\", \"services\": {\"web\": {\"command\": null, \"entrypoint\": null, " \
	"\"image\": \"nginx\", \"networks\": {\"default\": null}}}, "                          \
	"\"networks\": {\"default\": {\"name\": \"p_default\", \"ipam\": {}}}}"

#define CONTAINER                                                                              \
	"{\"id\": \"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\","       \
	"\"name\": \"p-web-1\", \"service\": \"web\", \"number\": 1, \"image\": \"nginx\","    \
	"\"command\": [\"nginx\", \"-g\", \"daemon off;\"], \"created\": 1700000000000000000," \
	"\"started\": 1700000000000000000, \"state\": \"running\", \"health\": \"\","          \
	"\"publishers\": [{\"url\": \"0.0.0.0\", \"target\": 80, \"published\": 8080,"         \
	"\"protocol\": \"tcp\"}], \"labels\": {\"b\": \"2\", \"a\": \"1\"},"                   \
	"\"networks\": [{\"name\": \"p_default\"}], \"mounts\": [], \"log\": {\"path\": \"%s\"}}"

static const char *member(const json_t *request, const char *key)
{
	return json_get_string(request, key) ?: "";
}

/* Breaks the connection so many times, each time in another place, before it answers. */
static void serve(struct message_stream *stream, const json_t *request, int index)
{
	_cleanup_free_ char *log = str_printf("%s/log", scratch_path());
	_cleanup_free_ char *ps = str_printf(
		"{\"reply\": \"done\", \"project\": \"p\", \"config_files\": [\"/x/compose.yaml\"],"
		"\"containers\": [" CONTAINER "]}",
		log);
	const char *what = member(request, "request");
	const json_t *options = json_object_get(request, "options");

	if (!strcmp(what, "ps")) {
		fake_reply(stream, ps, NULL, 0);
	} else if (!strcmp(what, "converge") && json_get_bool(request, "dry_run", false)) {
		fake_reply(stream,
			   "{\"event\": \"plan\", \"text\": \"stop container p-web-1 (asked)\\n\"}",
			   NULL, 0);
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	} else if (!strcmp(what, "converge") && !strcmp(member(options, "goal"), "kill")) {
		fake_reply(
			stream,
			"{\"reply\": \"error\", \"code\": 2, \"message\": \"no such service: x\","
			"\"exit\": 3}",
			NULL, 0);
	} else if (!strcmp(what, "converge")) {
		if (index == 0)
			return; /* killed before it said anything */
		fake_reply(stream,
			   "{\"event\": \"progress\", \"id\": \"Container p-web-1\", \"status\":"
			   "\"Working\", \"text\": \"Stopping\"}",
			   NULL, 0);
		if (index == 1)
			return; /* and in the middle */
		fake_reply(stream, "{\"event\": \"warning\", \"message\": \"careful\"}", NULL, 0);
		fake_reply(stream,
			   "{\"event\": \"progress\", \"id\": \"Container p-web-1\", \"status\":"
			   "\"Done\", \"text\": \"Stopped\"}",
			   NULL, 0);
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	} else if (!strcmp(what, "exec")) {
		/* It starts the program and dies. */
		fake_reply(stream, "{\"event\": \"started\", \"exec\": \"e1\"}", NULL, 0);
	} else if (!strcmp(what, "exec_wait") && !strcmp(member(request, "exec"), "e1")) {
		fake_reply(stream, "{\"reply\": \"done\", \"exit_code\": 42}", NULL, 0);
	} else if (!strcmp(what, "wait")) {
		fake_reply(stream,
			   "{\"event\": \"exited\", \"service\": \"web\", \"container\": \"abc\","
			   "\"exit_code\": 7}",
			   NULL, 0);
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	} else {
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	}
}

static void expect(const char *args, int code, const char *out, const char *err)
{
	int got = fake_berth(args, NULL);

	cr_expect_eq(got, code, "berth %s: exit %d: %s", args, got, fake_stderr);
	if (out)
		cr_expect_str_eq(fake_stdout, out, "berth %s", args);
	if (err)
		cr_expect_str_eq(fake_stderr, err, "berth %s", args);
}

Test(commands, without_a_supervisor_and_without_records, .init = fake_setup, .fini = fake_done)
{
	static const struct {
		const char *args;
		int code;
		const char *out, *err;
	} cases[] = {
		{"-p p ps", 0,
		 "NAME      IMAGE     COMMAND   SERVICE   CREATED   STATUS    PORTS\n", ""},
		{"-p p ps --format json", 0, "", ""},
		{"-p p ps -q", 0, "", ""},
		{"-p p down", 0, "", "Warning: No resource found to remove for project \"p\".\n"},
		{"-p p stop", 0, "", ""},
		{"-p p pause", 0, "", ""},
		{"-p p kill", 0, "", "no container to kill\n"},
		{"-p p rm -f", 0, "", "No stopped containers\n"},
		{"-p p start web", 1, "", "service \"web\" has no container to start\n"},
		{"-p p exec web true", 1, "", "service \"web\" is not running\n"},
		{"-p p logs", 0, "", ""},
		{"-p p images", 0, NULL, ""},
		{"-p P ps", 1, "",
		 "invalid project name \"P\": must consist only of lowercase alphanumeric "
		 "characters, "
		 "hyphens, and underscores as well as start with a letter or number\n"},
		{"ls", 0, "NAME                STATUS              CONFIG FILES\n", ""},
		{"ls --format json", 0, "[]\n", ""},
		{"ps", 0,
		 "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n", ""},
		{"stop", 1, "", "no configuration file provided: not found\n"},
		{"stop x", 1, "", "No such container: x\n"},
		{"logs -f", 1, "", "no configuration file provided: not found\n"},
		{"up -d", 1, "", "no configuration file provided: not found\n"},
		{"version --short", 0, BERTH_VERSION "\n", ""},
		{"version -f json", 0, "{\"version\":\"" BERTH_VERSION "\"}\n", ""},
		{"up --build --no-build", 1, "", "--build and --no-build are incompatible\n"},
		{"up --force-recreate --no-recreate", 1, "",
		 "--force-recreate and --no-recreate are incompatible\n"},
		{"up -d --abort-on-container-exit", 1, "",
		 "--detach cannot be combined with --abort-on-container-exit, "
		 "--abort-on-container-failure, --attach, --attach-dependencies or --watch\n"},
		{"--progress x ps", 1, "", "unsupported --progress value \"x\"\n"},
		{"pss", 1, "",
		 "unknown command \"pss\" for \"berth\"\n\nDid you mean this?\n\tps\n\nRun 'berth "
		 "--help' for usage.\n"},
		{"-p p ps --nope", 1, "",
		 "unknown flag: --nope\n\nUsage:  berth ps [OPTIONS] [SERVICE...]\n\nRun 'berth ps "
		 "--help' for more information\n"},
		{"version x", 1, NULL, NULL},
		{"image rm", 1, NULL, NULL},
		{"--help", 0, NULL, ""},
		{"", 0, NULL, ""},
		{"help image load", 0, NULL, ""},
		{"up --help", 0, NULL, ""},
		{"image", 0, NULL, ""},
	};

	array_foreach(c, cases)
		expect(c->args, c->code, c->out, c->err);
	/* Nothing of this may have started anything or left anything. */
	cr_expect_neq(access(getenv("BERTH_RUNTIME_DIR"), F_OK), 0);
}

Test(commands, missing_images_are_all_named_before_anything_starts, .init = fake_setup,
     .fini = fake_done)
{
	fake_project = PROJECT;
	expect("up -d --pull never", 1, "",
	       "compose.yaml:3:5: service web: image nginx is not here; get it with \"berth pull\" "
	       "or \"berth image load\"\n");
	cr_expect_neq(access(getenv("BERTH_RUNTIME_DIR"), F_OK), 0);
	expect("up -d nope", 1, "", "no such service: nope\n");
	expect("up -d --scale web=x", 1, "",
	       "invalid --scale option \"web=x\". Should be SERVICE=NUM\n");
	expect("config --services", 0, "web\n", "");
	expect("config --images", 0, "nginx\n", "");
	expect("config --networks", 0, "default\n", "");
	expect("config -q", 0, "", "");
	expect("config --format toml", 1, "",
	       "unsupported format \"toml\": there are yaml and json\n");
}

Test(commands, ps_of_a_running_project, .init = fake_setup, .fini = fake_done)
{
	_cleanup_json_ json_t *row = NULL;

	fake_supervisor(serve);
	expect("-p p ps -q", 0,
	       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n", "");
	expect("-p p ps --services", 0, "web\n", "");
	expect("-p p ps --status exited -q", 0, "", "");
	expect("-p p ps --filter status=running -q web", 0, NULL, "");
	expect("-p p ps --format {{.Name}}/{{.ID}}\\t{{.Ports}}", 0,
	       "p-web-1/0123456789ab\t0.0.0.0:8080->80/tcp\n", "");
	expect("-p p ps --format {{.Nope}}", 1, "", "template: can't evaluate field Nope\n");
	expect("-p p port web 80", 0, "0.0.0.0:8080\n", "");
	expect("-p p port web 81", 1, "", "no port 81/tcp for container p-web-1: 80/tcp\n");
	expect("ls --format json", 0,
	       "[{\"Name\":\"p\",\"Status\":\"running(1)\",\"ConfigFiles\":\"/x/compose.yaml\"}]\n",
	       "");
	expect("-p p ps --format json", 0, NULL, "");
	row = json_loads(fake_stdout, 0, NULL);
	cr_assert_not_null(row, "%s", fake_stdout);
	cr_expect_str_eq(json_get_string(row, "Command"), "\"nginx -g daemon off;\"");
	cr_expect_str_eq(json_get_string(row, "Labels"), "a=1,b=2");
	cr_expect_str_eq(json_get_string(row, "State"), "running");
	cr_expect_eq(json_array_size(json_object_get(row, "Publishers")), 1);
	cr_expect_eq(json_object_size(row), 20, "%zu members", json_object_size(row));
}

Test(commands, a_supervisor_that_dies_twice_is_asked_three_times, .init = fake_setup,
     .fini = fake_done)
{
	fake_supervisor(serve);
	expect("-p p stop", 0, "", NULL);
	cr_expect(str_starts_with(fake_stderr, " Container p-web-1 Stopping\n"
					       " Container p-web-1 Stopping\n"),
		  "%s", fake_stderr);
	cr_expect_not_null(strstr(fake_stderr, "level=warning msg=\"careful\"\n"));
	cr_expect(str_ends_with(fake_stderr, "\n Container p-web-1 Stopped\n"), "%s", fake_stderr);
	expect("-p p --progress quiet stop", 0, "", NULL);
	expect("-p p --progress json stop", 0, "", NULL);
	cr_expect_not_null(strstr(
		fake_stderr,
		"{\"id\":\"Container p-web-1\",\"status\":\"Done\",\"text\":\"Stopped\"}\n"));
	expect("-p p --dry-run stop", 0, "stop container p-web-1 (asked)\n", "");
	expect("-p p stop --dry-run", 0, "stop container p-web-1 (asked)\n", "");
	expect("-p p kill", 3, "", "no such service: x\n");
}

Test(commands, exec_goes_on_without_its_supervisor, .init = fake_setup, .fini = fake_done)
{
	fake_supervisor(serve);
	expect("-p p exec -T web sh -c x", 42, "from the container\n", "");
	expect("-p p exec web", 1, NULL, NULL);
	expect("-p p wait web", 7, "container \"abc\" exited with status code 7\n", "");
}

Test(commands, logs_come_from_the_files_with_their_streams, .init = fake_setup, .fini = fake_done)
{
	_cleanup_free_ char *log = str_printf("%s/log", scratch_path());
	_cleanup_free_ char *file = str_printf("%s/log/00000001", scratch_path());
	_cleanup_close_ int fd = -EBADF;

	fake_supervisor(serve);
	mkdir(log, 0700);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dprintf(fd, "2026-01-02T03:04:05.000000001Z stdout F one\n"
		    "2026-01-02T03:04:05.000000002Z stderr F two\n"
		    "2026-01-02T03:04:05.000000003Z stdout F three\n");
	expect("-p p logs", 0, "web-1  | one\nweb-1  | three\n", "web-1  | two\n");
	expect("-p p logs -n 1", 0, "web-1  | three\n", "");
	expect("-p p logs --no-log-prefix web", 0, "one\nthree\n", "two\n");
	expect("-p p logs -t --tail 1", 0, "web-1  | 2026-01-02T03:04:05.000000003Z three\n", "");
	expect("-p p logs other", 0, "", "");
	expect("-p p logs --since nonsense", 1, "", NULL);
}
