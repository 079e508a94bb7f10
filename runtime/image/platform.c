// SPDX-License-Identifier: GPL-2.0-or-later
#include "runtime/image/platform.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/cleanup.h"
#include "common/json.h"
#include "common/str.h"

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

int platform_score(const json_t *platform)
{
	const struct machine *machine = this_machine();
	const char *variant = json_get_string(platform, "variant");
	const char *os = json_get_string(platform, "os");
	const char *architecture = json_get_string(platform, "architecture");

	if (!platform)
		return 1; /* it does not say: maybe */
	if (!str_equal(os, "linux"))
		return 0;
	if (str_equal(architecture, machine->architecture))
		return !variant || str_equal(variant, machine->variant) ? 4 : 2;
	return str_equal(architecture, "386") && str_equal(machine->architecture, "amd64") ? 1 : 0;
}
