// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/changes.h"

static const struct {
	const char *before, *change, *expect; /* the config, or the beginning of the error */
} cases[] = {
	{"{}", "CMD [\"nginx\", \"-g\"]", "{\"Cmd\":[\"nginx\",\"-g\"]}"},
	{"{}", "cmd exec nginx", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"exec nginx\"]}"},
	{"{\"Shell\":[\"bash\",\"-ec\"]}", "CMD x",
	 "{\"Cmd\":[\"bash\",\"-ec\",\"x\"],\"Shell\":[\"bash\",\"-ec\"]}"},
	{"{}", "ENTRYPOINT [\"/e\"]", "{\"Entrypoint\":[\"/e\"]}"},
	{"{}", "SHELL [\"/bin/bash\",\"-c\"]", "{\"Shell\":[\"/bin/bash\",\"-c\"]}"},
	{"{}", "ENV A=1 B=\"x y\" C='$z' D=a\\ b",
	 "{\"Env\":[\"A=1\",\"B=x y\",\"C=$z\",\"D=a b\"]}"},
	{"{\"Env\":[\"A=0\",\"B=1\"]}", "ENV A=2", "{\"Env\":[\"A=2\",\"B=1\"]}"},
	{"{}", "ENV PATH /bin:/usr/bin now", "{\"Env\":[\"PATH=/bin:/usr/bin now\"]}"},
	{"{}", "ENV A=", "{\"Env\":[\"A=\"]}"},
	{"{}", "LABEL a.b=c \"d e\"=\"f g\"", "{\"Labels\":{\"a.b\":\"c\",\"d e\":\"f g\"}}"},
	{"{}", "EXPOSE 80 443/tcp 53/UDP 8000-8001",
	 "{\"ExposedPorts\":{\"443/tcp\":{},\"53/udp\":{},\"80/tcp\":{},\"8000/tcp\":{},\"8001/"
	 "tcp\":{}}}"},
	{"{}", "USER 1000:www", "{\"User\":\"1000:www\"}"},
	{"{}", "VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}"},
	{"{}", "VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}"},
	{"{}", "WORKDIR /srv", "{\"WorkingDir\":\"/srv\"}"},
	{"{\"WorkingDir\":\"/srv\"}", "WORKDIR app", "{\"WorkingDir\":\"/srv/app\"}"},
	{"{}", "STOPSIGNAL SIGQUIT", "{\"StopSignal\":\"SIGQUIT\"}"},
	{"{}", "HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}"},
	{"{}",
	 "HEALTHCHECK --interval=5s --timeout=1m --retries=2 --start-period=1s "
	 "--start-interval=500ms CMD curl -f x",
	 "{\"Healthcheck\":{\"Interval\":5000000000,\"Retries\":2,\"StartInterval\":500000000,"
	 "\"StartPeriod\":1000000000,\"Test\":[\"CMD-SHELL\",\"curl -f "
	 "x\"],\"Timeout\":60000000000}}"},
	{"{}", "HEALTHCHECK CMD [\"a\",\"b\"]",
	 "{\"Healthcheck\":{\"Test\":[\"CMD\",\"a\",\"b\"]}}"},
	{"{}", "ONBUILD RUN make", "{\"OnBuild\":[\"RUN make\"]}"},

	{"{}", "RUN x", "change 'RUN x': not one of CMD"},
	{"{}", "CMD", "change 'CMD': its value is missing"},
	{"{}", "", "change '': not one of CMD"},
	{"{}", "ENV =x", "change 'ENV =x': a name is missing"},
	{"{}", "ENV A=1 B", "change 'ENV A=1 B': 'B' must be given as NAME=VALUE"},
	{"{}", "EXPOSE 0", "change 'EXPOSE 0': '0' is not a port"},
	{"{}", "EXPOSE 70000", "change 'EXPOSE 70000': '70000' is not a port"},
	{"{}", "EXPOSE 2-1", "change 'EXPOSE 2-1': '2-1' is not a range"},
	{"{}", "EXPOSE 1/icmp", "change 'EXPOSE 1/icmp': '1/icmp': no such protocol"},
	{"{}", "STOPSIGNAL SIGNOT", "change 'STOPSIGNAL SIGNOT': 'SIGNOT' is not a signal"},
	{"{}", "USER a b", "change 'USER a b': it takes one word"},
	{"{}", "SHELL sh", "change 'SHELL sh': it must be a list"},
	{"{}", "HEALTHCHECK --often CMD x",
	 "change 'HEALTHCHECK --often CMD x': '--often': no such option"},
	{"{}", "HEALTHCHECK --interval=x CMD y",
	 "change 'HEALTHCHECK --interval=x CMD y': '--interval=x': not a duration"},
	{"{}", "HEALTHCHECK curl", "change 'HEALTHCHECK curl': it must be NONE or CMD"},
};

Test(changes, dockerfile_words)
{
	array_foreach(c, cases) {
		_cleanup_json_ json_t *config = json_loads(c->before, 0, NULL);
		_cleanup_free_ char *text = NULL;
		struct error err = ERROR_INIT;

		if (change_apply(config, c->change, &err) < 0) {
			cr_expect(str_starts_with(err.message, c->expect), "%s: %s", c->change,
				  err.message);
			continue;
		}
		text = json_text_sorted(config);
		cr_expect_str_eq(text, c->expect, "%s: %s", c->change, text);
	}
}
