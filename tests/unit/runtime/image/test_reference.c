// SPDX-License-Identifier: GPL-2.0-or-later
#include <criterion/criterion.h>

#include "common/cleanup.h"
#include "common/str.h"

#include "runtime/image/image.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *name, *normalized, *repository, *tag;
} good[] = {
	{"nginx", "docker.io/library/nginx:latest", "nginx", "latest"},
	{"nginx:alpine", "docker.io/library/nginx:alpine", "nginx", "alpine"},
	{"library/nginx", "docker.io/library/nginx:latest", "nginx", "latest"},
	{"me/app", "docker.io/me/app:latest", "me/app", "latest"},
	{"docker.io/nginx", "docker.io/library/nginx:latest", "nginx", "latest"},
	{"index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx", "latest"},
	{"docker.io/me/app:1", "docker.io/me/app:1", "me/app", "1"},
	{"ghcr.io/a/b", "ghcr.io/a/b:latest", "ghcr.io/a/b", "latest"},
	{"localhost/app", "localhost/app:latest", "localhost/app", "latest"},
	{"localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app", "v1"},
	{"host:5000/app", "host:5000/app:latest", "host:5000/app", "latest"},
	{"[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app", "latest"},
	{"a.b/c__d/e-f--g.h_i:T_a.g-1", "a.b/c__d/e-f--g.h_i:T_a.g-1", "a.b/c__d/e-f--g.h_i",
	 "T_a.g-1"},
	{"UPPER/app", "UPPER/app:latest", "UPPER/app", "latest"},
	{"nginx@sha256:" HEX, "docker.io/library/nginx@sha256:" HEX, "nginx", "<none>"},
	{"nginx:1@sha256:" HEX, "docker.io/library/nginx:1@sha256:" HEX, "nginx", "1"},
	{"abcdef", "docker.io/library/abcdef:latest", "abcdef", "latest"},
};

static const char *const bad[] = {
	"",
	"Nginx",
	"nginx:",
	"nginx:-x",
	":tag",
	"a//b",
	"/a",
	"a/",
	"-a",
	"a_",
	"a..b",
	"a___b",
	"nginx@sha256:12",
	"nginx@md5:" HEX,
	"nginx@sha256:" HEX "0",
	"host:port/a",
	"-host.x/a",
	"nginx tag",
	"nginx:a b",
	HEX,
	"a:b:c",
	"\303\274ber",
	"a\nb",
	"host.:5000x/a",
	"../../etc/passwd",
};

Test(reference, normalised_and_familiar)
{
	array_foreach(c, good) {
		_cleanup_free_ char *normalized = NULL, *repository = NULL, *tag = NULL;
		struct error err = ERROR_INIT;

		cr_assert_eq(reference_parse(c->name, &normalized, &err), 0, "%s: %s", c->name,
			     err.message);
		cr_expect_str_eq(normalized, c->normalized, "%s: %s", c->name, normalized);
		reference_familiar(normalized, &repository, &tag);
		cr_expect_str_eq(repository, c->repository, "%s: %s", c->name, repository);
		cr_expect_str_eq(tag, c->tag, "%s: %s", c->name, tag);
	}
}

Test(reference, refused)
{
	array_foreach(name, bad) {
		_cleanup_free_ char *normalized = NULL;
		struct error err = ERROR_INIT;

		cr_expect_eq(reference_parse(*name, &normalized, &err), -EINVAL, "'%s' is '%s'",
			     *name, normalized ? normalized : "");
		cr_expect(str_starts_with(err.message, "image '"), "%s", err.message);
	}
}

/* 255 characters with all that is left away, so that what is accepted can be read again. */
Test(reference, as_long_as_it_may_be)
{
	char name[255 - sizeof("docker.io/library/") + 3];

	for (int more = 0; more < 2; more++) {
		size_t n = 255 - strlen("docker.io/library/") + (size_t)more;
		_cleanup_free_ char *normalized = NULL, *again = NULL;
		struct error err = ERROR_INIT;

		memset(name, 'x', n);
		name[n] = '\0';
		cr_assert_eq(reference_parse(name, &normalized, &err), more ? -EINVAL : 0, "%s",
			     err.message);
		cr_expect(more || reference_parse(normalized, &again, &err) == 0);
	}
}
