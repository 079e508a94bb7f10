// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>
#include <sys/utsname.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/str.h"

#include "compose/model/replica.h"

static const struct replica replica = {"web", "p-web-3", "0123", 3};

Test(replica, placeholders)
{
	static const struct {
		const char *text, *expect; /* NULL: nothing to fill in */
	} cases[] = {
		{"web-{{.Task.Slot}}", "web-3"},
		{"{{ .Task.Slot }}{{.Task.Slot}}", "33"},
		{"{{.Service.Name}}/{{.Task.Name}}/{{.Task.ID}}!", "web/p-web-3/0123!"},
		{"{{.Task.Slots}}", NULL},
		{"{{.Task.Slot", NULL},
		{"{{ }}", NULL},
		{"{{}}", NULL},
		{"", NULL},
		{"Host(`{{ normalize .Name }}`) {{.Task.Slot}} {{.x}}",
		 "Host(`{{ normalize .Name }}`) 3 {{.x}}"},
		{"{{{.Task.Slot}}}", "{3}"},
		{"{{ {{.Task.Slot}}", "{{ 3"},
		{"}}{{.Task.Slot}}{{", "}}3{{"},
	};

	array_foreach(c, cases) {
		_cleanup_free_ char *text = replica_expand(&replica, c->text);

		cr_expect(str_equal(text, c->expect), "%s: %s", c->text, text ?: "(nothing)");
	}
	cr_expect_null(replica_expand(&replica, NULL));
}

Test(replica, the_machine)
{
	_cleanup_free_ char *text = replica_expand(&replica, "{{.Node.Hostname}}");
	struct utsname machine;

	cr_assert_eq(uname(&machine), 0);
	cr_expect_str_eq(text, machine.nodename);
}
