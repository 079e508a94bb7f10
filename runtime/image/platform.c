// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

#include "runtime/image/image.h"

static const struct machine {
	const char *uname, *architecture, *variant;
} machines[] = {
	{"x86_64", "amd64", NULL},        {"aarch64", "arm64", "v8"},   {"armv7l", "arm", "v7"},
	{"armv6l", "arm", "v6"},          {"i686", "386", NULL},        {"i586", "386", NULL},
	{"riscv64", "riscv64", NULL},     {"ppc64le", "ppc64le", NULL}, {"s390x", "s390x", NULL},
	{"loongarch64", "loong64", NULL}, {"mips64", "mips64le", NULL},
};

static const struct machine *this_machine(void)
{
	static struct utsname name;
	static struct machine unknown;

	if (uname(&name) == 0)
		array_foreach(machine, machines)
			if (strcmp(machine->uname, name.machine) == 0)
				return machine;
	unknown.architecture = name.machine;
	return &unknown;
}

const char *platform_architecture(void)
{
	return this_machine()->architecture;
}

const char *platform_variant(void)
{
	return this_machine()->variant;
}

static bool word_valid(const char *word)
{
	return *word && strlen(word) <= 32 &&
	       strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == strlen(word);
}

int platform_describe(const char *text, json_t *object, struct error *err)
{
	_cleanup_strv_ char **words = strv_split(text ? text : "", "/");
	size_t n = strv_length(words);

	strv_foreach(word, words)
		if (!word_valid(word))
			n = 99;
	if (n > 3)
		return error_set(err, EINVAL,
				 "platform '%.80s': it must be OS/ARCHITECTURE[/VARIANT]", text);
	if (n == 0) {
		json_put_string(object, "architecture", platform_architecture());
		json_put_string(object, "os", "linux");
		json_put_string(object, "variant", platform_variant());
		return 0;
	}
	/* One word is the one or the other, as for docker. */
	if (n == 1 && strcmp(words[0], "linux") != 0) {
		json_put_string(object, "architecture", words[0]);
		json_put_string(object, "os", "linux");
		return 0;
	}
	json_put_string(object, "architecture", n > 1 ? words[1] : platform_architecture());
	json_put_string(object, "os", words[0]);
	json_put_string(object, "variant", n > 2 ? words[2] : NULL);
	return 0;
}

json_t *platform_copy(const json_t *object)
{
	static const char *const keys[] = {"architecture", "os", "variant"};
	json_t *copy = json_object();

	array_foreach(key, keys)
		json_put_string(copy, *key, json_get_string(object, *key));
	return copy;
}

char *platform_text(const json_t *object)
{
	const char *os = json_get_string(object, "os"),
		   *variant = json_get_string(object, "variant");
	const char *architecture = json_get_string(object, "architecture");

	return str_printf("%s/%s%s%s", os ? os : "linux", architecture ? architecture : "unknown",
			  variant ? "/" : "", variant ? variant : "");
}

char *platform_package(const char *name, const json_t *object)
{
	_cleanup_free_ char *text = platform_text(object), *normalized = NULL;
	_cleanup_free_ char *repository = NULL, *tag = NULL;
	struct error ignored = ERROR_INIT;
	struct strbuf url = {0};

	if (reference_parse(name, &normalized, &ignored) == 0)
		reference_familiar(normalized, &repository, &tag);
	strbuf_addf(&url, "pkg:docker/%s@%s?platform=", repository ?: name, tag ?: "latest");
	for (const char *c = text; *c; c++)
		strbuf_addf(&url, *c == '/' ? "%%2F" : "%c", *c);
	return strbuf_take(&url);
}

/* Other names of the same. */
static const char *architecture_of(const json_t *platform)
{
	static const char *const names[][2] = {
		{"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"},
		{"i386", "386"},     {"armhf", "arm"},
	};
	const char *architecture = json_get_string(platform, "architecture");

	array_foreach(name, names)
		if (str_equal(architecture, (*name)[0]))
			return (*name)[1];
	return architecture;
}

/* The variant's number; the one that is meant where none is named. */
static int variant_of(const json_t *platform, const char *architecture)
{
	const char *variant = json_get_string(platform, "variant");

	if (variant && *variant) {
		variant += *variant == 'v';
		return *variant >= '1' && *variant <= '9' ? *variant - '0' : -1;
	}
	return str_equal(architecture, "arm64") ? 8 : str_equal(architecture, "arm") ? 7 : 1;
}

int platform_rank(const json_t *wanted, const json_t *platform)
{
	const char *architecture = architecture_of(platform), *own = architecture_of(wanted);
	int variant = variant_of(platform, architecture), limit = variant_of(wanted, own);

	if (!platform)
		return 1; /* it does not say: maybe */
	if (!str_equal(json_get_string(platform, "os"), json_get_string(wanted, "os")))
		return 0;
	if (str_equal(architecture, own))
		return variant >= 0 && variant <= limit ? 100 + variant : 0;
	if (str_equal(own, "arm64") && str_equal(architecture, "arm"))
		return variant >= 5 && variant <= 8 ? 50 + variant : 0;
	return str_equal(own, "amd64") && str_equal(architecture, "386") ? 10 : 0;
}

int platform_score(const json_t *platform)
{
	_cleanup_json_ json_t *own = json_object();

	json_put_string(own, "architecture", this_machine()->architecture);
	json_put_string(own, "os", "linux");
	json_put_string(own, "variant", this_machine()->variant);
	return platform_rank(own, platform);
}
