// SPDX-License-Identifier: GPL-2.0-or-later
#include "netmgr/dns/resolvers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>

#include "common/alloc.h"
#include "common/fs.h"
#include "common/str.h"

#define RESOLV_CONF     "/etc/resolv.conf"
#define RESOLV_CONF_MAX (64 * 1024)
#define DNS_PORT        53

struct dns_resolvers {
	char *path;
	bool read;
	struct timespec mtime;
	ino_t inode;
	off_t size;
	union dns_address addresses[DNS_RESOLVERS_MAX];
	size_t count;
};

static bool parse_port(const char *text, in_port_t *ret)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	if (end == text || *end || !port || port > 65535)
		return false;
	*ret = htons(port);
	return true;
}

static bool parse4(const char *text, union dns_address *ret)
{
	char address[INET_ADDRSTRLEN];
	size_t length = strcspn(text, ":");

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	ret->in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	return inet_pton(AF_INET, address, &ret->in.sin_addr) == 1 &&
	       (!text[length] || parse_port(text + length + 1, &ret->in.sin_port));
}

static bool parse6(const char *text, union dns_address *ret)
{
	char address[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	bool bracket = *text == '[';
	size_t length = bracket ? strcspn(++text, "]") : strlen(text);
	char *scope;

	if (length >= sizeof(address) || (bracket && !text[length]))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	ret->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
	scope = strchr(address, '%');
	if (scope) {
		*scope++ = '\0';
		ret->in6.sin6_scope_id = if_nametoindex(scope);
		if (!ret->in6.sin6_scope_id)
			ret->in6.sin6_scope_id = strtoul(scope, NULL, 10);
	}
	if (inet_pton(AF_INET6, address, &ret->in6.sin6_addr) != 1)
		return false;
	if (!bracket || !text[length + 1])
		return true;
	return text[length + 1] == ':' && parse_port(text + length + 2, &ret->in6.sin6_port);
}

bool dns_address_parse(const char *text, union dns_address *ret)
{
	*ret = (union dns_address){0};
	return parse4(text, ret) || parse6(text, ret);
}

bool dns_address_equal(const union dns_address *a, const union dns_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->in.sin_port == b->in.sin_port &&
		       a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
	return a->in6.sin6_port == b->in6.sin6_port &&
	       !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

socklen_t dns_address_size(const union dns_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->in) : sizeof(address->in6);
}

struct dns_resolvers *dns_resolvers_new(const char *path)
{
	struct dns_resolvers *resolvers = new (struct dns_resolvers);

	resolvers->path = alloc_string(path ? path : RESOLV_CONF);
	return resolvers;
}

void dns_resolvers_free(struct dns_resolvers *resolvers)
{
	if (!resolvers)
		return;
	free(resolvers->path);
	free(resolvers);
}

static void take_line(struct dns_resolvers *resolvers, const char *line)
{
	_cleanup_strv_ char **words = strv_split(line, " \t\r");
	union dns_address *address = &resolvers->addresses[resolvers->count];

	if (strv_length(words) < 2 || !str_equal(words[0], "nameserver") ||
	    resolvers->count == DNS_RESOLVERS_MAX)
		return;
	resolvers->count += dns_address_parse(words[1], address);
}

static void read_again(struct dns_resolvers *resolvers)
{
	_cleanup_strv_ char **lines = NULL;
	_cleanup_free_ char *text = NULL;
	struct error err = ERROR_INIT;

	resolvers->count = 0;
	if (!fs_read(AT_FDCWD, resolvers->path, RESOLV_CONF_MAX, &text, NULL, &err))
		lines = strv_split(text, "\n");
	strv_foreach(line, lines)
		take_line(resolvers, line);
	if (!resolvers->count) {
		(void)dns_address_parse("8.8.8.8", &resolvers->addresses[0]);
		(void)dns_address_parse("8.8.4.4", &resolvers->addresses[1]);
		resolvers->count = 2;
	}
}

const union dns_address *dns_resolvers_get(struct dns_resolvers *resolvers, size_t *ret_count)
{
	struct stat st = {0};

	(void)!stat(resolvers->path, &st);
	if (!resolvers->read || st.st_ino != resolvers->inode || st.st_size != resolvers->size ||
	    st.st_mtim.tv_sec != resolvers->mtime.tv_sec ||
	    st.st_mtim.tv_nsec != resolvers->mtime.tv_nsec)
		read_again(resolvers);
	resolvers->read = true;
	resolvers->inode = st.st_ino;
	resolvers->size = st.st_size;
	resolvers->mtime = st.st_mtim;
	*ret_count = resolvers->count;
	return resolvers->addresses;
}
