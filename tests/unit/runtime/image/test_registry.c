// SPDX-License-Identifier: GPL-2.0-or-later
/* What is pure about registries: names, challenges, manifests, credentials. */
#include <criterion/criterion.h>
#include <string.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/auth.h"
#include "runtime/image/auth_challenge.h"
#include "runtime/image/manifest.h"
#include "runtime/image/platform.h"
#include "runtime/image/registry.h"

static const struct {
	const char *name, *expect; /* registry|repository|tag|digest */
} names[] = {
	{"nginx", "docker.io|library/nginx|latest|"},
	{"nginx:alpine", "docker.io|library/nginx|alpine|"},
	{"team/app", "docker.io|team/app|latest|"},
	{"index.docker.io/team/app:1", "docker.io|team/app|1|"},
	{"localhost/app", "localhost|app|latest|"},
	{"localhost:5000/app:2", "localhost:5000|app|2|"},
	{"ghcr.io/a/b/c:1.2", "ghcr.io|a/b/c|1.2|"},
	{"[::1]:5000/app", "[::1]:5000|app|latest|"},
};

Test(registry, names)
{
	array_foreach(c, names) {
		struct registry_name name = {0};
		struct error err = ERROR_INIT;
		_cleanup_free_ char *is = NULL;

		cr_assert_eq(registry_name_parse(c->name, &name, &err), 0, "%s: %s", c->name,
			     err.message);
		is = str_printf("%s|%s|%s|%s", name.registry, name.repository, name.tag ?: "",
				name.digest ?: "");
		cr_expect_str_eq(is, c->expect, "%s: %s", c->name, is);
		registry_name_done(&name);
	}
}

static const struct {
	const char *header, *expect; /* scheme|realm|service|scope, or "error" */
} challenges[] = {
	{"Basic realm=\"r\"", "1|||"},
	{"Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
	 "2|https://a/t|s|repository:x:pull,push"},
	{"bearer   realm = https://a/t , service=\"a \\\"b\\\"\"", "2|https://a/t|a \"b\"|"},
	{"Basic realm=\"r\", Bearer realm=\"https://a/t\"", "2|https://a/t||"},
	{"Negotiate, Basic realm=\"r\"", "1|||"},
	{"Bearer service=\"no realm\"", "error"},
	{"Bearer realm=\"open", "error"},
	{"Digest realm=\"x\", nonce=\"y\"", "error"},
	{"", "error"},
};

Test(registry, challenges)
{
	array_foreach(c, challenges) {
		char *headers[] = {(char *)c->header, NULL};
		struct auth_challenge challenge = {0};
		struct error err = ERROR_INIT;
		_cleanup_free_ char *is = NULL;
		bool basic;

		if (auth_challenge_parse(headers, &challenge, &err) < 0) {
			cr_expect_str_eq("error", c->expect, "%s: %s", c->header, err.message);
			continue;
		}
		basic = challenge.scheme == AUTH_BASIC;
		is = str_printf("%d|%s|%s|%s", challenge.scheme,
				basic || !challenge.realm ? "" : challenge.realm,
				challenge.service ?: "", challenge.scope ?: "");
		cr_expect_str_eq(is, c->expect, "%s: %s", c->header, is);
		auth_challenge_done(&challenge);
	}
}

#define DIGEST(c)        "sha256:" c c c c c c c c
#define ROW(c, platform) "{\"digest\":\"" DIGEST(c) "\",\"size\":1,\"platform\":{" platform "}}"

static const struct {
	const char *wanted, *list;
	char expect; /* the digest's first digit; 0: there is none */
} choices[] = {
	{"linux/amd64",
	 ROW("11111111", "\"os\":\"linux\",\"architecture\":\"arm64\"") "," ROW(
		 "22222222", "\"os\":\"linux\",\"architecture\":\"amd64\""),
	 '2'},
	{"linux/amd64", ROW("11111111", "\"os\":\"windows\",\"architecture\":\"amd64\""), 0},
	{"linux/amd64", ROW("11111111", "\"os\":\"unknown\",\"architecture\":\"unknown\""), 0},
	{"linux/arm/v7",
	 ROW("11111111", "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"") "," ROW(
		 "22222222", "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\""),
	 '2'},
	{"linux/arm/v6",
	 ROW("11111111", "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v6\"") "," ROW(
		 "22222222", "\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\""),
	 '1'},
	/* Of equals the first. */
	{"linux/amd64",
	 ROW("11111111", "\"os\":\"linux\",\"architecture\":\"amd64\"") "," ROW(
		 "22222222", "\"os\":\"linux\",\"architecture\":\"amd64\""),
	 '1'},
	{"linux/amd64", "", 0},
};

Test(registry, platform_choice)
{
	array_foreach(c, choices) {
		_cleanup_free_ char *text = str_printf("{\"manifests\":[%s]}", c->list);
		_cleanup_json_ json_t *index = NULL, *platform = json_object();
		struct descriptor chosen = {0};
		struct error err = ERROR_INIT;
		int r;

		cr_assert_eq(json_parse(text, strlen(text), &index, &err), 0, "%s", err.message);
		cr_assert_eq(platform_describe(c->wanted, platform, &err), 0);
		r = manifest_choose(index, platform, &chosen, &err);
		cr_expect_eq(r == 0 ? chosen.digest[7] : 0, c->expect, "%s of %s", c->wanted,
			     c->list);
	}
}

static const struct {
	const char *config, *registry, *expect; /* user:password:token, "none" or "error" */
} credentials[] = {
	{"{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6c2VjcmV0\"}}}", "ghcr.io", "me:secret:"},
	{"{\"auths\":{\"https://ghcr.io/v2/\":{\"auth\":\"bWU6c2VjcmV0\"}}}", "ghcr.io",
	 "me:secret:"},
	{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"bWU6c2VjcmV0\"}}}", "docker.io",
	 "me:secret:"},
	{"{\"auths\":{\"ghcr.io\":{\"auth\":\"bWU6c2VjcmV0\"}}}", "quay.io", "none"},
	{"{\"auths\":{\"a\":{\"username\":\"u\",\"password\":\"p\"}}}", "a", "u:p:"},
	{"{\"auths\":{\"a\":{\"identitytoken\":\"t\"}}}", "a", "::t"},
	{"{\"auths\":{\"a\":{}}}", "a", "none"},
	{"{\"auths\":{\"a\":{\"auth\":\"bm9jb2xvbg==\"}}}", "a", "error"},
	{"{\"auths\":{\"a\":{\"auth\":\"***\"}}}", "a", "error"},
	{"{\"auths\":[1]}", "a", "none"},
	{"{\"auths\":{\"a\":7}}", "a", "none"},
};

Test(registry, credentials)
{
	array_foreach(c, credentials) {
		struct auth_credentials found = {0};
		_cleanup_json_ json_t *config = NULL;
		struct error err = ERROR_INIT;
		_cleanup_free_ char *is = NULL;
		int r;

		cr_assert_eq(json_parse(c->config, strlen(c->config), &config, &err), 0);
		r = auth_decode(config, c->registry, &found, &err);
		is = r < 0    ? alloc_string("error")
		     : r == 0 ? alloc_string("none")
			      : str_printf("%s:%s:%s", found.username ?: "", found.password ?: "",
					   found.identity_token ?: "");
		cr_expect_str_eq(is, c->expect, "%s: %s", c->config, is);
		auth_credentials_done(&found);
	}
}
