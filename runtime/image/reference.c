// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "common/alloc.h"
#include "common/str.h"

#include "runtime/image/image.h"
#include "runtime/image/store.h"

/*
 * The grammar is that of distribution/reference: [domain/]path[:tag][@digest]. The first piece is
 * a domain when it looks like one: it has a dot or a port, is "localhost", or has upper case.
 */

#define NAME_MAX_LENGTH      255
#define REFERENCE_MAX_LENGTH 1024

static bool lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One path component: runs of [a-z0-9] parted by ".", "_", "__" or dashes. */
static bool component_valid(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n) {
		size_t start = i;

		while (i < n && lower_alnum(s[i]))
			i++;
		if (i == start)
			return false;
		if (i == n)
			return true;
		if (s[i] == '.')
			i++;
		else if (s[i] == '_')
			i += i + 1 < n && s[i + 1] == '_' ? 2 : 1;
		else if (s[i] == '-')
			i += strspn(s + i, "-");
		else
			return false;
	}
	return false;
}

static bool path_valid(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (!component_valid(path, n))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static bool host_valid(const char *s, size_t n)
{
	bool label = false;

	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		for (size_t i = 1; i < n - 1; i++)
			if (!isxdigit((unsigned char)s[i]) && s[i] != ':')
				return false;
		return true;
	}
	for (size_t i = 0; i < n; i++) {
		bool alnum = isalnum((unsigned char)s[i]);

		if (!alnum && (!label || (s[i] != '.' && s[i] != '-') || i + 1 == n))
			return false;
		label = alnum || s[i] == '-';
	}
	return n > 0;
}

static bool domain_valid(const char *domain)
{
	const char *bracket = strrchr(domain, ']');
	const char *colon = strrchr(bracket ? bracket : domain, ':');
	size_t host = colon ? (size_t)(colon - domain) : strlen(domain);

	if (colon && (!colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1)))
		return false;
	return host_valid(domain, host);
}

static bool tag_valid(const char *tag)
{
	size_t n = strlen(tag);

	if (n == 0 || n > 128 || tag[0] == '.' || tag[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)tag[i]) && !strchr("_.-", tag[i]))
			return false;
	return true;
}

static bool is_domain(const char *first)
{
	if (strpbrk(first, ".:") || strcmp(first, "localhost") == 0)
		return true;
	for (const char *c = first; *c; c++)
		if (isupper((unsigned char)*c))
			return true;
	return false;
}

/* Splits off the domain; what remains is the path (with tag). */
static char *split_domain(char **remainder)
{
	char *slash = strchr(*remainder, '/');
	char *domain = *remainder;

	if (!slash)
		return alloc_string("docker.io");
	*slash = '\0';
	if (!is_domain(domain)) {
		*slash = '/';
		return alloc_string("docker.io");
	}
	*remainder = slash + 1;
	return alloc_string(strcmp(domain, "index.docker.io") == 0 ? "docker.io" : domain);
}

static int invalid(const char *name, const char *why, struct error *err)
{
	return error_set(err, EINVAL, "image '%.200s': invalid reference format%s", name, why);
}

/* What comes before the path of a name that leaves it away. */
static const char *implied_folder(const char *domain, const char *path)
{
	return strcmp(domain, "docker.io") == 0 && !strchr(path, '/') ? "library/" : "";
}

static int check_parts(const char *name, const char *domain, const char *path, const char *tag,
		       const char *digest, struct error *err)
{
	const char *implied = implied_folder(domain, path);

	if (!path_valid(path)) {
		for (const char *c = path; *c; c++)
			if (isupper((unsigned char)*c))
				return invalid(name, ": repository name must be lowercase", err);
		return invalid(name, "", err);
	}
	if (!domain_valid(domain))
		return invalid(name, ": the registry's name is not a valid one", err);
	if (tag && !tag_valid(tag))
		return invalid(name, ": the tag is not a valid one", err);
	if (digest && !digest_hex(digest))
		return invalid(name, ": the digest is not a sha256 one", err);
	if (strlen(domain) + 1 + strlen(implied) + strlen(path) > NAME_MAX_LENGTH)
		return invalid(name, ": repository name must not be more than 255 characters", err);
	return 0;
}

int reference_parse(const char *name, char **ret_normalized, struct error *err)
{
	_cleanup_free_ char *copy = NULL, *domain = NULL;
	char *path, *tag, *digest;
	struct strbuf text = {0};
	int r;

	if (strlen(name) > REFERENCE_MAX_LENGTH)
		return invalid(name, ": it is too long", err);
	if (strlen(name) == 64 && is_hex(name, 64))
		return invalid(name, ": 64 hexadecimal digits are an id, not a name", err);
	path = copy = alloc_string(name);
	digest = strchr(copy, '@');
	if (digest)
		*digest++ = '\0';
	domain = split_domain(&path);
	tag = strchr(path, ':');
	if (tag)
		*tag++ = '\0';
	r = check_parts(name, domain, path, tag, digest, err);
	if (r < 0)
		return r;
	strbuf_addf(&text, "%s/%s%s", domain, implied_folder(domain, path), path);
	if (tag || !digest)
		strbuf_addf(&text, ":%s", tag ? tag : "latest");
	if (digest)
		strbuf_addf(&text, "@%s", digest);
	*ret_normalized = strbuf_take(&text);
	return 0;
}

void reference_familiar(const char *normalized, char **ret_repository, char **ret_tag)
{
	size_t length = strcspn(normalized, "@");
	const char *repository = normalized, *tag = NULL;

	for (const char *c = normalized; c < normalized + length; c++) {
		if (*c == '/')
			tag = NULL;
		else if (*c == ':')
			tag = c + 1;
	}
	size_t end = tag ? (size_t)(tag - 1 - normalized) : length;

	if (str_starts_with(repository, "docker.io/library/"))
		repository += strlen("docker.io/library/");
	else if (str_starts_with(repository, "docker.io/"))
		repository += strlen("docker.io/");
	*ret_repository = alloc_string_n(repository, (size_t)(normalized + end - repository));
	*ret_tag = tag ? alloc_string_n(tag, (size_t)(normalized + length - tag))
		       : alloc_string("<none>");
}
