// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "compose/cli/watch/watch_rules.h"

static struct watch_rule rule_of(const char *root, const char *include, const char *ignore)
{
	struct watch_rule rule = {.root = (char *)root, .context = "/p"};
	struct error err = ERROR_INIT;

	if (include)
		cr_assert_eq(ignore_add(&rule.include, include, 0, &err), 0);
	if (ignore)
		cr_assert_eq(ignore_add(&rule.ignore, ignore, 0, &err), 0);
	cr_assert_eq(ignore_add(&rule.context_ignore, "src/out", 0, &err), 0);
	return rule;
}

Test(watch_rules, whose_business_a_path_is)
{
	static const struct {
		const char *root, *include, *ignore, *path;
		bool expect;
	} cases[] = {
		{"/p/src", NULL, NULL, "/p/src/a", true},
		{"/p/src", NULL, NULL, "/p/src", true},
		{"/p/src", NULL, NULL, "/p/srcs/a", false},
		{"/p/src", NULL, NULL, "/p", false},
		{"/p/src", NULL, NULL, "/p/src/out/x", false}, /* .dockerignore */
		{"/p/src", NULL, "node_modules", "/p/src/node_modules/x/y", false},
		{"/p/src", NULL, "node_modules", "/p/src/a/node_modules", true},
		{"/p/src", "*.js", NULL, "/p/src/a.js", true},
		{"/p/src", "*.js", NULL, "/p/src/a.css", false},
		{"/p/src", "**/*.js", "**/x.js", "/p/src/b/x.js", false},
		{"/p/a.conf", NULL, NULL, "/p/a.conf", true},
		{"/p/a.conf", NULL, "*.conf", "/p/a.conf", false},
		{"/", NULL, NULL, "/etc/x", true},
	};

	array_foreach(c, cases) {
		struct watch_rule rule = rule_of(c->root, c->include, c->ignore);

		cr_expect_eq(watch_rule_matches(&rule, c->path), c->expect, "%s in %s", c->path,
			     c->root);
		ignore_done(&rule.ignore);
		ignore_done(&rule.include);
		ignore_done(&rule.context_ignore);
	}
}

Test(watch_rules, where_it_belongs)
{
	static const struct {
		const char *root, *target, *path, *expect;
	} cases[] = {
		{"/p/src", "/app", "/p/src/a/b", "/app/a/b"},
		{"/p/src", "/app/", "/p/src/a", "/app/a"},
		{"/p/src", "app", "/p/src", "/app"},
		{"/p/one", "/etc/two", "/p/one", "/etc/two"},
	};

	array_foreach(c, cases) {
		struct watch_trigger trigger = {.target = (char *)c->target};
		struct watch_rule rule = {.root = (char *)c->root, .trigger = &trigger};
		_cleanup_free_ char *target = watch_rule_target(&rule, c->path);

		cr_expect_str_eq(target, c->expect);
	}
}

Test(watch_rules, folders_that_nobody_needs_are_not_watched)
{
	struct watch_rule rule = rule_of("/p/src", NULL, "node_modules");
	struct watch_rules rules = {&rule, 1};

	cr_expect(watch_rules_prune(&rules, "/p/src/node_modules"));
	cr_expect(watch_rules_prune(&rules, "/p/src/out"));
	cr_expect(watch_rules_prune(&rules, "/p/other"));
	cr_expect_not(watch_rules_prune(&rules, "/p/src/a"));
	cr_expect_not(watch_rules_prune(&rules, "/p"));
	ignore_done(&rule.ignore);
	ignore_done(&rule.context_ignore);
}
