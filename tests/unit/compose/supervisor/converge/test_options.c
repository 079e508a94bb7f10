// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/json.h"

#include "compose/supervisor/converge/options.h"

static const struct {
	const char *json, *error; /* NULL: it is fine */
} cases[] = {
	{"{\"goal\": \"up\"}", NULL},
	{"{\"goal\": \"down\", \"volumes\": true, \"timeout_usec\": 0}", NULL},
	{"{\"goal\": \"up\", \"scales\": {\"web\": 3}}", NULL},
	{"{}", "request: it has no goal"},
	{"{\"goal\": \"fly\"}", "is 'fly', which is none"},
	{"{\"goal\": \"up\", \"recreate\": \"x\"}", "recreate is 'x'"},
	{"{\"goal\": \"up\", \"scales\": {\"web\": -1}}", "web cannot have -1 replicas"},
	{"{\"goal\": \"kill\", \"signal\": 99}", "there is no signal 99"},
};

Test(options, words_of_a_request)
{
	array_foreach(c, cases) {
		_cleanup_json_ json_t *json = NULL;
		struct parsed_options parsed = {0};
		struct error err = ERROR_INIT;
		int r;

		cr_assert_eq(json_parse(c->json, strlen(c->json), &json, &err), 0);
		r = options_parse(json, &parsed, &err);
		if (c->error)
			cr_expect(r < 0 && strstr(err.message, c->error), "%s: %s", c->json,
				  err.message);
		else
			cr_expect_eq(r, 0, "%s: %s", c->json, err.message);
		options_done(&parsed);
	}
}

Test(options, defaults)
{
	_cleanup_json_ json_t *json = json_pack("{s:s}", "goal", "stop");
	struct parsed_options parsed = {0};
	struct error err = ERROR_INIT;

	cr_assert_eq(options_parse(json, &parsed, &err), 0);
	cr_expect_eq(parsed.options.goal, PLAN_STOP);
	cr_expect_eq(parsed.options.timeout_usec, -1);
	cr_expect_eq(parsed.options.recreate, RECREATE_DIVERGED);
	cr_expect_null(parsed.options.services);
	options_done(&parsed);
}
