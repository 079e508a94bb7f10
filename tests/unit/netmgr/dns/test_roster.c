// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fs.h"
#include "common/process.h"
#include "common/str.h"

#include "netmgr/dns/roster.h"
#include "netmgr/dns/roster_line.h"

#include "tests/support/scratch.h"

#define LINE "{\"id\":\"c1\",\"pid\":7,\"start_ticks\":9,\"names\":[\"web\",\"www\"]"

static const struct {
	const char *line;
	const char *expect; /* its names and addresses; NULL: refused */
} lines[] = {
	{LINE "}", "web www"},
	{LINE ",\"ipv4\":\"10.0.0.2\",\"ipv6\":\"fd00::2\"}", "web www 4 6"},
	{LINE ",\"ipv4\":\"10.0.0\",\"ipv6\":7,\"more\":{}}", "web www"},
	{"", NULL},
	{"[]", NULL},
	{"{\"id\":\"c1\"", NULL},
	{"{\"id\":\"c1\",\"pid\":7,\"start_ticks\":9}", NULL},
	{"{\"id\":\"c1\",\"pid\":7,\"start_ticks\":9,\"names\":[]}", NULL},
	{"{\"id\":\"c1\",\"pid\":7,\"start_ticks\":9,\"names\":[\"\"]}", NULL},
	{"{\"id\":\"c1\",\"pid\":7,\"start_ticks\":9,\"names\":[1]}", NULL},
	{"{\"id\":\"a/b\",\"pid\":7,\"start_ticks\":9,\"names\":[\"x\"]}", NULL},
	{"{\"id\":\"c1\",\"pid\":0,\"start_ticks\":9,\"names\":[\"x\"]}", NULL},
	{"{\"id\":\"c1\",\"pid\":4294967303,\"start_ticks\":9,\"names\":[\"x\"]}", NULL},
	{"{\"id\":\"c1\",\"pid\":7,\"start_ticks\":-1,\"names\":[\"x\"]}", NULL},
};

Test(dns_roster, a_line_is_taken_or_refused_whole)
{
	array_foreach(c, lines) {
		struct roster_entry entry;
		int r = roster_line_parse(c->line, strlen(c->line), &entry);
		_cleanup_free_ char *names = strv_join(entry.names, " ");
		_cleanup_free_ char *found = str_printf("%s%s%s", names, entry.has_ipv4 ? " 4" : "",
							entry.has_ipv6 ? " 6" : "");

		cr_expect_eq(r == 0, c->expect != NULL, "%s", c->line);
		if (c->expect)
			cr_expect_str_eq(found, c->expect, "%s", c->line);
		roster_entry_done(&entry);
	}
}

Test(dns_roster, what_is_written_is_read)
{
	char long_name[300] = "";
	struct dns_names names = {
		.container_id = "c1",
		.names = (const char *[]){"a\"b\\c", long_name, "\xff", "web", NULL},
		.has_ipv6 = true,
	};
	_cleanup_free_ char *line = NULL, *found = NULL;
	struct roster_entry entry;

	memset(long_name, 'x', sizeof(long_name) - 1);
	inet_pton(AF_INET6, "fd00::9", &names.ipv6);
	line = roster_line(&names, 4711, 1234567890123);
	cr_assert_eq(roster_line_parse(line, strlen(line), &entry), 0);
	found = strv_join(entry.names, " ");
	cr_expect_str_eq(found, "a\"b\\c web");
	cr_expect_eq(entry.pid, 4711);
	cr_expect_eq(entry.start_ticks, 1234567890123);
	cr_expect(!entry.has_ipv4 && entry.has_ipv6 &&
		  !memcmp(&entry.ipv6, &names.ipv6, sizeof(names.ipv6)));
	roster_entry_done(&entry);
}

static void add(struct roster *roster, const char *network, const char *id)
{
	struct dns_names names = {.network = network,
				  .container_id = id,
				  .names = (const char *[]){id, NULL},
				  .has_ipv4 = true};
	struct error err = ERROR_INIT;
	uint64_t ticks = 0;

	cr_assert_eq(process_start_time(getpid(), &ticks), 0);
	cr_assert_eq(roster_add(roster, &names, getpid(), ticks, &err), 0, "%s", err.message);
}

static char *content(const char *file)
{
	_cleanup_close_ int dir = scratch_open();
	struct error err = ERROR_INIT;
	char *text = NULL;

	return fs_read(dir, file, 4096, &text, NULL, &err) < 0 ? alloc_string("gone") : text;
}

static void expect(const char *file, const char *word, bool there)
{
	_cleanup_free_ char *text = content(file);

	cr_expect_eq(strstr(text, word) != NULL, there, "%s: %s", file, text);
}

Test(dns_roster, files_are_there_as_long_as_their_owner_is)
{
	_cleanup_close_ int scratch = scratch_open();
	_cleanup_free_ char *path = str_printf("%s/names", scratch_path());
	struct error err = ERROR_INIT;
	struct dns_server *dns;
	struct roster *one, *two;
	sd_event *event;

	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(dns_server_new(event, NULL, &dns, &err), 0);
	one = roster_new(event, path, "one", dns);
	two = roster_new(event, path, "two", dns);
	add(one, "net", "c1");
	add(one, "net", "c2");
	add(one, "other", "c1");
	add(two, "net", "c3");
	roster_flush(one);
	roster_flush(two);
	expect("names/net/one", "c2", true);
	expect("names/net/two", "c3", true);
	roster_remove(one, NULL, "c1");
	roster_flush(one);
	expect("names/net/one", "c1", false);
	expect("names/other/one", "gone", true);
	roster_free(one);
	expect("names/net/one", "gone", true);
	/* Of an earlier process of the same owner: kept until it is known to be over. */
	cr_assert_eq(mkdirat(scratch, "names/old", 0700), 0);
	cr_assert_eq(fs_replace(scratch, "names/old/two", "x\n", 2, FS_ATOMIC, &err), 0);
	roster_settle(two);
	expect("names/old/two", "gone", true);
	expect("names/net/two", "c3", true);
	roster_free(two);
	cr_expect_lt(faccessat(scratch, "names", F_OK, 0), 0);
	dns_server_free(dns);
	sd_event_unref(event);
	scratch_remove();
}
