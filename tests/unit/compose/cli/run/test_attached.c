// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/cli/command.h"

#include "tests/support/scratch.h"
#include "tests/unit/compose/cli/fake.h"

/* Without an image there is none to be missed. */
#define PROJECT                                                                                \
	"{\"name\": \"p\", \"services\": {\"web\": {\"command\": null, \"entrypoint\": null, " \
	"\"networks\": {\"default\": null}}}, "                                                \
	"\"networks\": {\"default\": {\"name\": \"p_default\", \"ipam\": {}}}}"

static int exit_code;
static int64_t started;

static void write_log(void)
{
	_cleanup_free_ char *folder = str_printf("%s/log", scratch_path());
	_cleanup_free_ char *file = str_printf("%s/log/00000001", scratch_path());
	char when[UNITS_TIME_MAX];
	_cleanup_close_ int fd = -EBADF;

	mkdir(folder, 0700);
	units_format_time(started, when, sizeof(when));
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dprintf(fd, "%s stdout F hello\n", when);
}

static json_t *event(const char *action, int64_t time)
{
	return json_pack("{s:s, s:I, s:s, s:s, s:s, s:{s:s}}", "event", "container", "time",
			 (json_int_t)time, "action", action, "service", "web", "container_id", "c1",
			 "attributes", "exitCode", exit_code ? "3" : "0");
}

static void send_event(struct message_stream *stream, const char *action, int64_t time)
{
	_cleanup_json_ json_t *message = event(action, time);
	_cleanup_free_ char *text = json_text(message);

	fake_reply(stream, text, NULL, 0);
}

static void send_ps(struct message_stream *stream)
{
	_cleanup_free_ char *text = str_printf(
		"{\"reply\": \"done\", \"containers\": [{\"id\": \"c1\", \"name\": \"p-web-1\","
		"\"service\": \"web\", \"number\": 1, \"state\": \"exited\", \"exit_code\": %d,"
		"\"finished\": %jd, \"log\": {\"path\": \"%s/log\"}}]}",
		exit_code, (intmax_t)units_now_nsec(), scratch_path());

	fake_reply(stream, text, NULL, 0);
}

/* A container that starts, says hello, and ends. Events are told again to who asks again. */
static void serve_short_lived(struct message_stream *stream, const json_t *request, int index)
{
	const char *what = json_get_string(request, "request");

	if (!started)
		started = units_now_nsec();
	if (!strcmp(what, "converge")) {
		fake_reply(stream,
			   "{\"event\": \"progress\", \"id\": \"Container p-web-1\", \"status\":"
			   "\"Done\", \"text\": \"Started\"}",
			   NULL, 0);
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
		write_log();
	} else if (!strcmp(what, "events")) {
		send_event(stream, "start", started);
		send_event(stream, "die", started + 1);
	} else if (!strcmp(what, "ps")) {
		send_ps(stream);
	} else {
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	}
}

Test(attached, shows_what_a_short_lived_container_said_and_how_it_ended, .init = fake_setup,
     .fini = fake_done)
{
	static const struct {
		const char *args;
		int container, code;
	} cases[] = {
		{"up", 0, 0},
		{"up", 3, 0},
		{"up --exit-code-from web", 3, 3},
		{"up --abort-on-container-failure", 3, 3},
		{"up --abort-on-container-exit", 0, 0},
	};

	fake_project = PROJECT;
	array_foreach(c, cases) {
		_cleanup_free_ char *expect = str_printf(
			"Attaching to web-1\nweb-1  | hello\nweb-1 exited with code %d\n",
			c->container);
		int code;

		exit_code = c->container;
		fake_supervisor(serve_short_lived);
		code = fake_berth(c->args, NULL);
		cr_expect_eq(code, c->code, "%s: exit %d: %s", c->args, code, fake_stderr);
		cr_expect_str_eq(fake_stdout, expect, "%s: %s", c->args, fake_stderr);
		cr_expect_not_null(strstr(fake_stderr, " Container p-web-1 Started\n"), "%s: %s",
				   c->args, fake_stderr);
		fake_supervisor_end();
	}
}

/* The far side of a pty that the fake supervisor made: a program of its own. */
static void serve_tty(struct message_stream *stream, const json_t *request, int index)
{
	struct winsize size = {0};
	int master, slave;
	char line[64] = "";
	pid_t pid;

	if (!strcmp(json_get_string(request, "request"), "exec_wait")) {
		fake_reply(stream, "{\"reply\": \"done\", \"exit_code\": 5}", NULL, 0);
		return;
	}
	if (openpty(&master, &slave, NULL, NULL, NULL) < 0)
		abort();
	fake_reply(stream, "{\"event\": \"started\", \"exec\": \"e\"}", &master, 1);
	close(master);
	pid = fork();
	if (pid == 0) {
		ssize_t n = read(slave, line, sizeof(line) - 1);

		ioctl(slave, TIOCGWINSZ, &size);
		if (n > 0)
			dprintf(slave, "got %.*s in %dx%d\n", (int)n - 1, line, size.ws_col,
				size.ws_row);
		_exit(0);
	}
	close(slave);
	/* And the supervisor dies here, with the program running. */
}

static void read_until(int fd, const char *what, char *buffer, size_t size)
{
	size_t used = strlen(buffer);
	ssize_t n;

	while (!strstr(buffer, what) && used + 1 < size &&
	       (n = read(fd, buffer + used, size - used - 1)) > 0) {
		used += (size_t)n;
		buffer[used] = 0;
	}
}

Test(attached, exec_on_a_terminal_outlives_the_supervisor, .init = fake_setup, .fini = fake_done,
     .timeout = 30)
{
	char *argv[] = {"berth", "-p", "p", "exec", "web", "cat", NULL};
	struct winsize size = {.ws_col = 123, .ws_row = 45};
	char screen[1024] = "";
	int master, status;
	pid_t pid;

	fake_supervisor(serve_tty);
	pid = forkpty(&master, NULL, NULL, &size);
	if (pid == 0) {
		alarm(20);
		_exit(command_main(6, argv));
	}
	cr_assert_eq(write(master, "hi\r", 3), 3);
	read_until(master, "45", screen, sizeof(screen));
	cr_expect_not_null(strstr(screen, "got hi in 123x45"), "%s", screen);
	waitpid(pid, &status, 0);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 5, "status %x: %s", status, screen);
	close(master);
}

/* Up that never gets healthy, until it is told to stop. */
static void serve_waiting(struct message_stream *stream, const json_t *request, int index)
{
	const char *what = json_get_string(request, "request");
	const json_t *options = json_object_get(request, "options");

	if (!strcmp(what, "converge") && !strcmp(json_get_string(options, "goal"), "up")) {
		fake_reply(stream,
			   "{\"event\": \"progress\", \"id\": \"Container p-web-1\", \"status\":"
			   "\"Working\", \"text\": \"Waiting\"}",
			   NULL, 0);
		/* The connection is not ours to close: a process of its own holds it. */
		if (fork() == 0) {
			alarm(10);
			pause();
		}
	} else if (!strcmp(what, "converge")) {
		if (!json_get_bool(request, "interrupt", false))
			abort();
		fake_reply(stream,
			   "{\"event\": \"progress\", \"id\": \"Container p-web-1\", \"status\":"
			   "\"Done\", \"text\": \"Stopped\"}",
			   NULL, 0);
		fake_reply(stream, "{\"reply\": \"done\"}", NULL, 0);
	} else if (!strcmp(what, "events")) {
		if (fork() == 0) {
			alarm(10);
			pause();
		}
	} else {
		fake_reply(stream, "{\"reply\": \"done\", \"containers\": []}", NULL, 0);
	}
}

Test(attached, ctrl_c_stops_and_exits_130, .init = fake_setup, .fini = fake_done, .timeout = 30)
{
	char *argv[] = {"berth", "--ansi", "never", "up", NULL};
	char screen[2048] = "";
	int master, status;
	pid_t pid;

	fake_project = PROJECT;
	fake_supervisor(serve_waiting);
	pid = forkpty(&master, NULL, NULL, NULL);
	if (pid == 0) {
		alarm(20);
		_exit(command_main(4, argv));
	}
	read_until(master, "Waiting", screen, sizeof(screen));
	cr_assert_eq(write(master, "\003", 1), 1);
	read_until(master, "Stopped", screen, sizeof(screen));
	waitpid(pid, &status, 0);
	cr_expect_not_null(strstr(screen, "Gracefully Stopping"), "%s", screen);
	cr_expect_not_null(strstr(screen, "Container p-web-1 Stopped"), "%s", screen);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 130, "status %x: %s", status, screen);
	close(master);
}
