// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mount.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "volumes/mount.h"
#include "volumes/options.h"

static const struct {
	const char *text;
	struct tmpfs_options expect;
	const char *error;
} tmpfs_cases[] = {
	{"", {0}},
	{NULL, {0}},
	{"size=64m", {.size_bytes = 64 << 20}},
	{"size=1g,mode=1777", {.size_bytes = 1 << 30, .mode = 01777}},
	{"mode=755,uid=1000,gid=33", {.mode = 0755, .uid = 1000, .gid = 33}},
	{"ro,exec,suid,dev", {.read_only = true, .exec = true, .suid = true, .dev = true}},
	{"ro,rw,exec,noexec", {0}},
	{"nr_inodes=10k", {.inodes = 10 << 10}},
	{"defaults,noatime", {0}},
	{"sise=1", .error = "tmpfs option 'sise=1': there is none of this name"},
	{"size=big", .error = "tmpfs option 'size=big': not a valid value"},
	{"size=101%", .error = "tmpfs option 'size=101%': not a valid value"},
	{"size=-1", .error = "tmpfs option 'size=-1': not a valid value"},
	{"mode=888", .error = "tmpfs option 'mode=888': not a valid value"},
	{"mode=10000", .error = "tmpfs option 'mode=10000': not a valid value"},
	{"uid=-1", .error = "tmpfs option 'uid=-1': not a valid value"},
	{"uid=4294967295", .error = "tmpfs option 'uid=4294967295': not a valid value"},
	{"what", .error = "tmpfs option 'what': there is none of this name"},
};

Test(options, tmpfs)
{
	array_foreach(c, tmpfs_cases) {
		struct error err = ERROR_INIT;
		struct tmpfs_options got = {0};
		int r = tmpfs_options_parse(c->text, &got, &err);

		if (c->error) {
			cr_expect_eq(r, -EINVAL, "%s", c->text);
			cr_expect_str_eq(err.message, c->error);
			continue;
		}
		cr_expect_eq(r, 0, "%s: %s", c->text, err.message);
		cr_expect(got.size_bytes == c->expect.size_bytes && got.mode == c->expect.mode &&
				  got.uid == c->expect.uid && got.gid == c->expect.gid &&
				  got.inodes == c->expect.inodes && got.exec == c->expect.exec &&
				  got.read_only == c->expect.read_only &&
				  got.suid == c->expect.suid && got.dev == c->expect.dev,
			  "%s", c->text);
	}
}

static const struct {
	const char *options, *type, *parameters;
	bool bind, recursive;
	uint64_t set;
	const char *error;
} driver_cases[] = {
	{"{}", NULL, ""},
	{"{'type':'tmpfs','device':'tmpfs','o':'size=10m,uid=1,nosuid,ro'}", "tmpfs",
	 "size=10m uid=1", .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY},
	{"{'type':'nfs','device':':/export','o':'addr=10.0.0.1,rw,nolock,vers=4'}", "nfs",
	 "nolock vers=4"},
	{"{'type':'none','device':'/srv','o':'bind'}", NULL, "", .bind = true},
	{"{'device':'/srv','o':'rbind,ro'}", NULL, "", .bind = true, .recursive = true,
	 .set = MOUNT_ATTR_RDONLY},
	{"{'type':'ext4','device':'/dev/sdb1','o':'defaults,noatime,noexec,exec'}", "ext4", "",
	 .set = MOUNT_ATTR_NOATIME},
	{"{'type':'ext4'}", .error = "driver option 'device': it is missing"},
	{"{'device':'/dev/sdb1'}", .error = "driver option 'type': it is missing"},
	{"{'device':'srv','o':'bind'}",
	 .error = "driver option 'device': 'srv' is not an absolute path"},
	{"{'typo':'x'}", .error = "driver option 'typo': the local driver has type, o and device"},
	{"{'type':1}", .error = "driver option 'type': it must be a text"},
};

Test(options, driver_opts)
{
	array_foreach(c, driver_cases) {
		_cleanup_free_ char *text = strdup(c->options), *parameters = NULL;
		_cleanup_json_ json_t *json = NULL;
		struct error err = ERROR_INIT;
		struct mount_words words;
		int r;

		for (char *q = text; (q = strchr(q, '\''));)
			*q = '"';
		json = json_loads(text, 0, NULL);
		r = mount_words_parse(json, &words, &err);
		if (c->error) {
			cr_expect_eq(r, -EINVAL, "%s", c->options);
			cr_expect_str_eq(err.message, c->error);
		} else {
			cr_expect_eq(r, 0, "%s: %s", c->options, err.message);
			parameters = strv_join(words.parameters, " ");
			cr_expect_str_eq(parameters ? parameters : "", c->parameters, "%s",
					 c->options);
			cr_expect(str_equal(words.type, c->type), "%s: %s", c->options, words.type);
			cr_expect(words.bind == c->bind && words.recursive == c->recursive &&
					  words.set == c->set,
				  "%s", c->options);
		}
		mount_words_done(&words);
	}
}
