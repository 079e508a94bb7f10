// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/publish/publish_secrets.h"

static const struct {
	const char *text, *expect; /* "kind offset length;" of each */
} cases[] = {
	{"", ""},
	{"key: AKIAIOSFODNN7EXAMPLE", "AWS access key 5 20;"},
	{"key: AKIAIOSFODNN7EXAMPL", ""},
	{"notAKIAIOSFODNN7EXAMPLE", ""},
	{"ghp_0123456789012345678901234567890123456789,", "GitHub token 0 44;"},
	{"a=xoxb-1234567890-a b=xoxp-0123456789", "Slack token 2 17;Slack token 22 15;"},
	{"-----BEGIN RSA PRIVATE KEY-----\nMII", "private key 0 31;"},
	{"-----BEGIN PUBLIC KEY-----", ""},
	{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_", "JSON Web Token 0 42;"},
};

static void add(void *data, const char *kind, size_t offset, size_t length)
{
	strbuf_addf(data, "%s %zu %zu;", kind, offset, length);
}

Test(publish_secrets, known_by_their_marks)
{
	array_foreach(c, cases) {
		_cleanup_strbuf_ struct strbuf found = {0};

		publish_secrets_find(c->text, strlen(c->text), add, &found);
		cr_expect_str_eq(found.data ?: "", c->expect, "%s", c->text);
	}
}
