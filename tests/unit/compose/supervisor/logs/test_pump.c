// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/alloc.h"
#include "common/fd.h"
#include "common/fs.h"
#include "common/str.h"
#include "common/units.h"

#include "compose/supervisor/logs/log_driver.h"

#include "tests/support/namespaces.h"
#include "tests/support/scratch.h"

/* The reader lives in another room, and what matters is that the two agree. */
#include "compose/cli/logs/log_files.c"
#include "compose/cli/logs/log_reader.c"

struct world {
	sd_event *event;
	int dir, run;
	struct log_journal *journal;
	struct log_pump *pump;
};

static void must(int r, const struct error *err)
{
	cr_assert_geq(r, 0, "%s", err->message);
}

static struct world open_world(const char *driver, int64_t max_size, unsigned int max_file)
{
	struct world world;
	struct error err = ERROR_INIT;
	struct log_options options = {
		.driver = driver, .max_size_bytes = max_size, .max_file = max_file};
	int scratch = scratch_open();

	world.dir = fs_mkdir_open(scratch, "log", 0755, &err);
	must(world.dir, &err);
	world.run = fs_mkdir_open(scratch, "run", 0755, &err);
	must(world.run, &err);
	close(scratch);
	cr_assert_geq(sd_event_new(&world.event), 0);
	must(log_journal_open(world.run, &world.journal, &err), &err);
	options.dirfd = world.dir;
	must(log_pump_new(world.event, world.journal, &options, &world.pump, &err), &err);
	return world;
}

static void close_world(struct world *world)
{
	log_pump_free(world->pump);
	log_journal_close(world->journal);
	close(world->dir);
	close(world->run);
	sd_event_unref(world->event);
}

static char *log_path(void)
{
	return str_printf("%s/log", scratch_path());
}

/* "o:text|" for each line, "e:" for stderr, "~" instead of "|" when it is unfinished. */
static char *read_log(int64_t tail)
{
	struct log_reader_options options = {.tail = tail};
	struct strbuf text = {0};
	struct log_reader *reader;
	struct log_record record;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = log_path();

	must(log_reader_open(path, &options, &reader, &err), &err);
	while (log_reader_next(reader, &record) == 1) {
		strbuf_add(&text, record.stream == 1 ? "o:" : "e:");
		strbuf_add_n(&text, record.text, record.size);
		strbuf_addc(&text, record.unfinished ? '~' : '|');
	}
	cr_expect(log_reader_ended(reader));
	log_reader_free(reader);
	return strbuf_take(&text);
}

/* The file without times: what is behind the first space of each line. */
static char *read_raw(int dir, const char *name)
{
	_cleanup_free_ char *data = NULL;
	struct strbuf text = {0};
	struct error err = ERROR_INIT;
	size_t size;

	must(fs_read(dir, name, 100 << 20, &data, &size, &err), &err);
	for (char *at = data; at < data + size;) {
		char *end = memchr(at, '\n', data + size - at);

		cr_assert_not_null(end, "the file ends within a line");
		cr_assert_eq(at[30], ' ');
		cr_assert_eq(at[29], 'Z');
		strbuf_add_n(&text, at + 31, end + 1 - at - 31);
		at = end + 1;
	}
	return strbuf_take(&text);
}

static void pump_pipe(struct world *world, enum log_stream stream, int *ret_write)
{
	struct error err = ERROR_INIT;
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	must(log_pump_add_stream(world->pump, fds[0], stream, &err), &err);
	*ret_write = fds[1];
}

static void say(struct world *world, int fd, const char *text)
{
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	log_pump_drain(world->pump);
}

Test(pump, lines_are_records_and_pieces_are_partial)
{
	struct world world = open_world(NULL, 0, 0);
	_cleanup_free_ char *raw = NULL, *text = NULL;
	int out, errors;

	pump_pipe(&world, LOG_STDOUT, &out);
	pump_pipe(&world, LOG_STDERR, &errors);
	say(&world, out, "one\ntwo\n\nthr");
	say(&world, errors, "bad\n");
	say(&world, out, "ee\n");
	say(&world, out, "end");
	close(out);
	close(errors);
	log_pump_drain(world.pump);
	cr_expect_not(log_pump_has_streams(world.pump));
	close_world(&world);

	world.dir = open(scratch_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	raw = read_raw(world.dir, "log/00000001");
	cr_expect_str_eq(raw, "stdout F one\nstdout F two\nstdout F \nstdout P thr\n"
			      "stderr F bad\nstdout F ee\nstdout P end\nstdout F \n");
	text = read_log(LOG_TAIL_ALL);
	cr_expect_str_eq(text, "o:one|o:two|o:|e:bad|o:three|o:end|");
	close(world.dir);
	scratch_remove();
}

/* A new supervisor knows from the file that a line is unfinished, and ends it. */
Test(pump, finish_after_a_restart)
{
	struct world world = open_world(NULL, 0, 0);
	_cleanup_free_ char *text = NULL;
	int out;

	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "prompt> ");
	close_world(&world);
	close(out);
	world = open_world(NULL, 0, 0);
	log_pump_finish(world.pump);
	log_pump_finish(world.pump);
	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "next\n");
	close(out);
	close_world(&world);
	text = read_log(LOG_TAIL_ALL);
	cr_expect_str_eq(text, "o:prompt> |o:next|");
	scratch_remove();
}

Test(pump, long_and_binary_lines)
{
	static const size_t sizes[] = {1, 16383, 16384, 16385, 32768, 40000, 300000};
	struct world world = open_world(NULL, 100000, 100);
	struct log_reader_options options = {.tail = LOG_TAIL_ALL};
	struct log_reader *reader;
	struct log_record record;
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = log_path(), *line = alloc(300001);
	int out;

	for (size_t i = 0; i < 300000; i++)
		line[i] = i * 7 % 251 == '\n' ? 'x' : i * 7 % 251; /* NULs and all */
	pump_pipe(&world, LOG_STDOUT, &out);
	array_foreach(size, sizes) {
		cr_assert_lt(fcntl(out, F_SETPIPE_SZ, 1 << 20), (1 << 20) + 1);
		cr_assert_eq(fd_write_all(out, line, *size), 0);
		cr_assert_eq(fd_write_all(out, "\n", 1), 0);
		log_pump_drain(world.pump);
	}
	must(log_reader_open(path, &options, &reader, &err), &err);
	array_foreach(size, sizes) {
		cr_assert_eq(log_reader_next(reader, &record), 1);
		cr_expect_eq(record.size, *size, "%zu, not %zu", record.size, *size);
		cr_expect(!memcmp(record.text, line, *size));
	}
	cr_expect_eq(log_reader_next(reader, &record), 0);
	log_reader_free(reader);
	close(out);
	close_world(&world);
	scratch_remove();
}

Test(pump, rotates_between_records)
{
	struct world world = open_world("local", 50, 3);
	_cleanup_free_ char *now = NULL, *one = NULL, *two = NULL;
	int out;

	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "a\nb\nc\nd\ne\n");
	now = read_raw(world.dir, "00000005");
	one = read_raw(world.dir, "00000004");
	two = read_raw(world.dir, "00000003");
	cr_expect_str_eq(now, "stdout F e\n");
	cr_expect_str_eq(one, "stdout F d\n");
	cr_expect_str_eq(two, "stdout F c\n");
	cr_expect_lt(faccessat(world.dir, "00000002", F_OK, 0), 0);
	close(out);
	close_world(&world);

	world = open_world("local", 50, 1);
	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "f\ng\n");
	free(now);
	now = read_raw(world.dir, "00000007");
	cr_expect_str_eq(now, "stdout F g\n");
	for (int number = 1; number < 7; number++) {
		_cleanup_free_ char *name = str_printf("%08d", number);

		cr_expect_lt(faccessat(world.dir, name, F_OK, 0), 0, "%s", name);
	}
	close(out);
	close_world(&world);
	scratch_remove();
}

static void on_ended(struct log_pump *pump, enum log_stream stream, void *userdata)
{
	struct world *world = userdata;

	if (log_pump_has_streams(pump))
		return;
	/* Allowed: the pump's owner may be done with it. */
	log_pump_free(pump);
	world->pump = NULL;
	sd_event_exit(world->event, 0);
}

static pid_t write_lines(int fd, unsigned int count, const char *padding)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	FILE *file = fdopen(fd, "w");

	setvbuf(file, NULL, _IOFBF, 8192);
	for (unsigned int i = 0; i < count; i++)
		fprintf(file, "%u%s\n", i, padding);
	_exit(fclose(file) != 0);
}

/* Follows until line @count - 1 was seen; fails at the first that is not the next one. */
static int follow_lines(const char *path, unsigned int count)
{
	struct log_reader_options options = {.tail = LOG_TAIL_ALL, .follow = true};
	struct log_reader *reader;
	struct log_record record;
	struct error err = ERROR_INIT;
	unsigned int next = 0;

	if (log_reader_open(path, &options, &reader, &err) < 0)
		return 2;
	while (next < count) {
		struct pollfd fd = {.fd = log_reader_fd(reader), .events = POLLIN};
		int r = log_reader_next(reader, &record);

		if (r < 0)
			return 3;
		if (!r && poll(&fd, 1, 20000) != 1)
			return 4;
		if (r && strtoul(record.text, NULL, 10) != next++) {
			fprintf(stderr, "line %u is %.*s\n", next - 1, (int)record.size,
				record.text);
			return 5;
		}
	}
	log_reader_free(reader);
	return 0;
}

Test(pump, a_follower_sees_every_line_once_across_rotations, .timeout = 60)
{
	const unsigned int count = 200000;
	struct world world = open_world(NULL, 200000, 1000);
	_cleanup_free_ char *path = log_path();
	pid_t writer, follower;
	int out, status;

	follower = fork();
	if (!follower)
		_exit(follow_lines(path, count));
	pump_pipe(&world, LOG_STDOUT, &out);
	writer = write_lines(out, count, "");
	close(out);
	log_pump_on_ended(world.pump, on_ended, &world);
	cr_assert_geq(sd_event_loop(world.event), 0);
	cr_assert_eq(waitpid(writer, &status, 0), writer);
	cr_assert_eq(waitpid(follower, &status, 0), follower);
	cr_expect_eq(status, 0, "follower: %d", WEXITSTATUS(status));
	close_world(&world);
	scratch_remove();
}

/* One that is killed between making a file and removing the oldest leaves the rest to the next. */
Test(pump, files_that_stayed_go_at_the_next_rotation)
{
	static const char *const stayed[] = {"00000003", "00000004", "00000005", "00000006"};
	struct world world = open_world("local", 50, 3);
	_cleanup_free_ char *text = NULL;
	int out;

	array_foreach(name, stayed)
		close(openat(world.dir, *name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close_world(&world);
	world = open_world("local", 50, 3);
	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "a\nb\n");
	cr_expect_lt(faccessat(world.dir, "00000003", F_OK, 0), 0);
	cr_expect_lt(faccessat(world.dir, "00000004", F_OK, 0), 0);
	cr_expect_eq(faccessat(world.dir, "00000007", F_OK, 0), 0);
	text = read_log(LOG_TAIL_ALL);
	cr_expect_str_eq(text, "o:a|o:b|");
	close(out);
	close_world(&world);
	scratch_remove();
}

/* Keeps the pipe as the keeper does, kills the pump again and again, and counts lines. */
Test(pump, killed_at_any_moment_no_line_is_lost_or_doubled, .timeout = 120)
{
	const unsigned int count = 600000, kills = 60;
	struct log_reader_options options = {.tail = LOG_TAIL_ALL};
	struct world world = open_world(NULL, 1000000, 1000);
	_cleanup_free_ char *path = log_path();
	struct log_reader *reader;
	struct log_record record;
	struct error err = ERROR_INIT;
	unsigned int next = 0, killed = 0, seed = 1;
	pid_t writer;
	int fds[2];

	close_world(&world);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	writer = write_lines(fds[1], count, " and so on");
	close(fds[1]);
	for (bool done = false; !done;) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			world = open_world(NULL, 1000000, 1000);
			log_pump_on_ended(world.pump, on_ended, &world);
			must(log_pump_add_stream(world.pump, fd_dup(fds[0]), LOG_STDOUT, &err),
			     &err);
			_exit(sd_event_loop(world.event) < 0);
		}
		if (killed < kills) {
			usleep(1000 + rand_r(&seed) % 4000);
			kill(pid, SIGKILL);
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		killed += WIFSIGNALED(status);
		done = WIFEXITED(status);
	}
	waitpid(writer, NULL, 0);
	must(log_reader_open(path, &options, &reader, &err), &err);
	while (log_reader_next(reader, &record) == 1) {
		cr_assert_eq(strtoul(record.text, NULL, 10), next, "line %u is '%.*s'", next,
			     (int)record.size, record.text);
		cr_assert_eq(record.text[record.size - 1], 'n');
		next++;
	}
	cr_expect_eq(next, count, "%u of %u lines", next, count);
	fprintf(stderr, "killed %u times within %u lines\n", killed, count);
	log_reader_free(reader);
	scratch_remove();
}

static int fill_disk(void *data)
{
	struct error err = ERROR_INIT;
	_cleanup_free_ char *path = log_path(), *text = NULL;
	struct world world;
	int out, ballast;

	(void)mkdir(path, 0755);
	if (mount("none", path, "tmpfs", 0, "size=256k") < 0)
		return 77;
	world = open_world(NULL, -1, 0);
	pump_pipe(&world, LOG_STDOUT, &out);
	say(&world, out, "before\n");
	ballast = openat(world.dir, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(ballast, path, 1) == 1)
		if (lseek(ballast, 4095, SEEK_CUR) < 0)
			break;
	for (int i = 0; i < 100; i++) {
		char line[101];

		memset(line, 'x', 99);
		line[99] = '\n';
		line[100] = '\0';
		say(&world, out, line);
	}
	say(&world, out, "half a ");
	close(ballast);
	unlinkat(world.dir, "ballast", 0);
	say(&world, out, "line\nafter\n");
	close(out);
	close_world(&world);
	(void)err;
	text = read_log(LOG_TAIL_ALL);
	if (!str_starts_with(text, "o:before|o:xxx") ||
	    !strstr(text, " lines lost: No space left on device|o:line|o:after|"))
		fprintf(stderr, "%s\n", text);
	return !strstr(text, " lines lost: No space left on device|o:line|o:after|");
}

Test(pump, a_full_disk_blocks_nobody_and_is_confessed)
{
	int r;

	scratch_path();
	if (!can_have_namespaces(CLONE_NEWNS))
		cr_skip_test("needs a mount namespace");
	close(scratch_open());
	r = in_namespaces(CLONE_NEWNS, fill_disk, NULL);
	cr_expect(!r || r == 77, "%d", r);
	scratch_remove();
}

static void collect(struct log_pump *pump, enum log_stream stream, const void *data, size_t size,
		    void *userdata)
{
	strbuf_add_n(userdata, data, size);
}

Test(pump, attached_clients_get_copies_and_never_slow_it_down)
{
	struct world world = open_world("none", 0, 0);
	struct error err = ERROR_INIT;
	struct strbuf seen = {0};
	char block[4096], got[16] = {0};
	int out, fast[2], slow[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fast), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, slow), 0);
	pump_pipe(&world, LOG_STDOUT, &out);
	log_pump_on_data(world.pump, collect, &seen);
	must(log_pump_tee(world.pump, fast[0], 1u << LOG_STDOUT, &err), &err);
	must(log_pump_tee(world.pump, slow[0], 1u << LOG_STDOUT | 1u << LOG_STDERR, &err), &err);
	say(&world, out, "hello\n");
	cr_expect_eq(read(fast[1], got, sizeof(got)), 6);
	cr_expect_str_eq(got, "hello\n");
	cr_expect_str_eq(seen.data, "hello\n");
	close(fast[1]);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 1024; i++) {
		cr_assert_eq(fd_write_all(out, block, sizeof(block)), 0);
		log_pump_drain(world.pump);
	}
	/* Four MiB later the slow one was cut off: the end comes after what its socket held. */
	for (ssize_t n, total = 0;; total += n) {
		n = read(slow[1], block, sizeof(block));
		cr_assert_geq(n, 0);
		cr_assert_lt(total, 2 << 20);
		if (!n)
			break;
	}
	strbuf_done(&seen);
	close(slow[1]);
	close(out);
	close_world(&world);
	scratch_remove();
}

Test(pump, terminals_end_with_their_last_user)
{
	struct world world = open_world(NULL, 0, 0);
	struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	int master, slave;

	cr_assert_eq(openpty(&master, &slave, NULL, NULL, NULL), 0);
	must(log_pump_add_stream(world.pump, master, LOG_STDOUT, &err), &err);
	log_pump_on_ended(world.pump, on_ended, &world);
	cr_assert_eq(fd_write_all(slave, "hello\n$ ", 8), 0);
	close(slave);
	cr_assert_geq(sd_event_loop(world.event), 0);
	close_world(&world);
	text = read_log(LOG_TAIL_ALL);
	cr_expect_str_eq(text, "o:hello\r|o:$ |");
	scratch_remove();
}

/* A FIFO that the keeper holds read-write never ends; its O_NONBLOCK must stay as it is. */
Test(pump, a_fifo_that_others_hold_open)
{
	struct world world = open_world(NULL, 0, 0);
	struct error err = ERROR_INIT;
	_cleanup_free_ char *text = NULL;
	int fifo;

	cr_assert_eq(mkfifoat(world.run, "stdout", 0600), 0);
	fifo = openat(world.run, "stdout", O_RDWR | O_CLOEXEC);
	cr_assert_geq(fifo, 0);
	must(log_pump_add_stream(world.pump, fd_dup(fifo), LOG_STDOUT, &err), &err);
	log_pump_drain(world.pump);
	cr_expect(log_pump_has_streams(world.pump));
	say(&world, fifo, "hello\nworld");
	cr_expect_not(fcntl(fifo, F_GETFL) & O_NONBLOCK);
	cr_expect(log_pump_has_streams(world.pump));
	log_pump_finish(world.pump);
	close(fifo);
	close_world(&world);
	text = read_log(LOG_TAIL_ALL);
	cr_expect_str_eq(text, "o:hello|o:world|");
	scratch_remove();
}

static const struct {
	const char *driver;
	const char *const options[3];
	const char *expect;
} option_cases[] = {
	{NULL, {NULL}, "json-file 10000000 3"},
	{"", {NULL}, "json-file 10000000 3"},
	{"json-file", {"max-size=1m", NULL}, "json-file 1048576 3"},
	{"local", {"max-file=5", "compress=false", NULL}, "local 10000000 5"},
	{"json-file", {"max-size=-1", NULL}, "json-file -1 3"},
	{"none", {NULL}, "none 10000000 3"},
	{"syslog",
	 {NULL},
	 "logging driver 'syslog' is not one that berth has: use json-file, local, journald or "
	 "none"},
	{"journald", {"tag={{.Name}}", "labels=a,b", NULL}, "journald 10000000 3"},
	{"journald", {"max-size=1m", NULL}, "logging driver 'journald' has no option 'max-size'"},
	{"none", {"max-size=1m", NULL}, "logging driver 'none' has no option 'max-size'"},
	{"local",
	 {"max-sise=1m", NULL},
	 "logging driver 'local' has no option 'max-sise'; did you mean 'max-size'?"},
	{"local",
	 {"max-size=big", NULL},
	 "logging option max-size: 'big' is not a size such as 10m"},
	{"local",
	 {"max-file=0", NULL},
	 "logging option max-file: '0' is not a number from 1 to 1000"},
};

Test(pump, options_of_compose_files)
{
	array_foreach(c, option_cases) {
		struct log_options options = {0};
		struct error err = ERROR_INIT;
		_cleanup_free_ char *text = NULL;

		if (log_options_parse(c->driver, (char *const *)c->options, &options, &err) < 0)
			text = alloc_string(err.message);
		else
			text = str_printf("%s %lld %u", options.driver,
					  (long long)options.max_size_bytes, options.max_file);
		cr_expect_str_eq(text, c->expect);
	}
}

/* Measured, not asserted: a million lines of 100 bytes. */
Test(pump, speed, .timeout = 60)
{
	const size_t lines = 1000000;
	struct world world = open_world(NULL, 0, 0);
	_cleanup_free_ char *block = alloc(100 * 1000);
	int64_t start, cpu = 0;
	struct timespec used;
	int out;
	pid_t writer;

	for (int i = 0; i < 100000; i++)
		block[i] = i % 100 == 99 ? '\n' : 'a' + i % 26;
	pump_pipe(&world, LOG_STDOUT, &out);
	start = units_monotonic_usec();
	writer = fork();
	if (!writer) {
		for (size_t i = 0; i < lines; i += 1000)
			(void)!fd_write_all(out, block, 100000);
		_exit(0);
	}
	close(out);
	log_pump_on_ended(world.pump, on_ended, &world);
	cr_assert_geq(sd_event_loop(world.event), 0);
	start = units_monotonic_usec() - start;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	cpu = used.tv_sec * 1000000 + used.tv_nsec / 1000;
	waitpid(writer, NULL, 0);
	fprintf(stderr, "%zu lines of 100 bytes stored in %lld ms (CPU %lld ms): %.2f M/s\n", lines,
		(long long)start / 1000, (long long)cpu / 1000, (double)lines / start);
	close_world(&world);
	scratch_remove();
}
