// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/dl.h"
#include "common/rootless.h"
#include "common/str.h"

#include "netmgr/firewall/dead.h"
#include "netmgr/firewall/iptables_entry.h"
#include "netmgr/firewall/ruleset.h"

/*
 * The two libraries are one source compiled twice: same functions, entries of different layout.
 * An entry is opaque here; iptables_entry.c knows both.
 */
struct xt_library {
	int family;
	struct xtc_handle *(*init)(const char *table);
	void (*free)(struct xtc_handle *handle);
	int (*is_chain)(const char *chain, struct xtc_handle *handle);
	const char *(*first_chain)(struct xtc_handle *handle);
	const char *(*next_chain)(struct xtc_handle *handle);
	int (*builtin)(const char *chain, struct xtc_handle *handle);
	const char *(*policy)(const char *chain, struct xt_counters *counters,
			      struct xtc_handle *handle);
	const void *(*first)(const char *chain, struct xtc_handle *handle);
	const void *(*next)(const void *entry, struct xtc_handle *handle);
	const char *(*target)(const void *entry, struct xtc_handle *handle);
	int (*append)(const char *chain, const void *entry, struct xtc_handle *handle);
	int (*insert)(const char *chain, const void *entry, unsigned int at,
		      struct xtc_handle *handle);
	int (*drop)(const char *chain, unsigned int number, struct xtc_handle *handle);
	int (*flush)(const char *chain, struct xtc_handle *handle);
	int (*create)(const char *chain, struct xtc_handle *handle);
	int (*delete)(const char *chain, struct xtc_handle *handle);
	int (*commit)(struct xtc_handle *handle);
	const char *(*strerror)(int code);
};

#define FAMILIES 2
static struct xt_library libraries[FAMILIES] = {{.family = AF_INET}, {.family = AF_INET6}};

#define LIBRARY(lib, prefix)                                                                      \
	{                                                                                         \
		{prefix "_init", &(lib).init}, {prefix "_free", &(lib).free},                     \
			{prefix "_is_chain", &(lib).is_chain},                                    \
			{prefix "_first_chain", &(lib).first_chain},                              \
			{prefix "_next_chain", &(lib).next_chain},                                \
			{prefix "_builtin", &(lib).builtin},                                      \
			{prefix "_get_policy", &(lib).policy},                                    \
			{prefix "_first_rule", &(lib).first}, {prefix "_next_rule", &(lib).next}, \
			{prefix "_get_target", &(lib).target},                                    \
			{prefix "_append_entry", &(lib).append},                                  \
			{prefix "_insert_entry", &(lib).insert},                                  \
			{prefix "_delete_num_entry", &(lib).drop},                                \
			{prefix "_flush_entries", &(lib).flush},                                  \
			{prefix "_create_chain", &(lib).create},                                  \
			{prefix "_delete_chain", &(lib).delete},                                  \
			{prefix "_commit", &(lib).commit}, {prefix "_strerror", &(lib).strerror}, \
	}

static int load_libraries(struct error *err)
{
	static void *handles[FAMILIES];
	static const struct dl_symbol v4[] = LIBRARY(libraries[0], "iptc");
	static const struct dl_symbol v6[] = LIBRARY(libraries[1], "ip6tc");
	int r = dl_load("libip4tc.so.2", &handles[0], v4, ARRAY_SIZE(v4), err);

	return r < 0 ? r : dl_load("libip6tc.so.2", &handles[1], v6, ARRAY_SIZE(v6), err);
}

/* Our chains, the table they are in, and how packets get there. Order: as they are met. */
static const struct {
	const char *table, *name;
	const char *from[2]; /* chains that jump to it, at their top */
	bool hooked_last;    /* at their end instead */
	bool if_local;       /* only what is addressed to the host */
	int rules;           /* enum rule_chain, -1: none of ours */
} chains[] = {
	{"raw", "BERTH-RAW", {"PREROUTING"}, false, false, RULE_RAW},
	{"filter", "BERTH-FORWARD", {"FORWARD"}, false, false, -1},
	{"filter", "BERTH-USER", {"BERTH-FORWARD"}, true, false, -1},
	{"filter", "DOCKER-USER", {"BERTH-FORWARD"}, true, false, -1},
	{"filter", "BERTH-ESTABLISHED", {"BERTH-FORWARD"}, true, false, RULE_ESTABLISHED},
	{"filter", "BERTH-INTERNAL", {"BERTH-FORWARD"}, true, false, RULE_INTERNAL},
	{"filter", "BERTH-PORTS", {"BERTH-FORWARD"}, true, false, RULE_PORTS},
	{"filter", "BERTH-DENY", {"BERTH-FORWARD"}, true, false, RULE_DENY},
	{"filter", "BERTH-LEAVE", {"BERTH-FORWARD"}, true, false, RULE_LEAVE},
	{"nat", "BERTH-DNAT", {"PREROUTING", "OUTPUT"}, false, true, RULE_DNAT},
	{"nat", "BERTH-MASQUERADE", {"POSTROUTING"}, false, false, RULE_MASQUERADE},
};

static const char base_owner[] = "berth";

static bool is_ours(const char *chain)
{
	return str_starts_with(chain, "BERTH-");
}

/*
 * The kernel loads tables and matches of iptables by itself, but not the module below them. An
 * interface of that name has it loaded as well (dev_load(), for CAP_SYS_MODULE).
 */
static void load_module(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0)
		(void)ioctl(fd, SIOCGIFFLAGS, &request);
}

static struct xtc_handle *open_table(const struct xt_library *library, const char *name)
{
	struct xtc_handle *handle = library->init(name);

	if (handle || errno != ENOPROTOOPT)
		return handle;
	load_module(library->family == AF_INET ? "ip_tables" : "ip6_tables");
	return library->init(name);
}

struct table {
	const struct xt_library *library;
	const char *name;
	struct xtc_handle *handle;
	struct dead_owners *dead; /* NULL: nobody looked for them */
	bool changed;
};

static int table_error(const struct table *table, struct error *err, const char *what)
{
	int code = errno;

	return error_set(err, code ? code : EINVAL, "%s: table %s: %s: %s",
			 table->library->family == AF_INET ? "iptables" : "ip6tables", table->name,
			 what, table->library->strerror(code));
}

static bool goes(struct table *table, const struct ruleset *set, const char *owner)
{
	return ruleset_has_owner(set, owner) ||
	       (table->dead && dead_owners_has(table->dead, owner));
}

/* Deletes rules of these owners, and of dead ones, from @chain. */
static int forget_owners(struct table *table, const char *chain, const struct ruleset *set,
			 struct error *err)
{
	const struct xt_library *lib = table->library;
	_cleanup_free_ unsigned int *doomed = NULL;
	unsigned int number = 0;
	size_t count = 0;

	for (const void *e = lib->first(chain, table->handle); e;
	     e = lib->next(e, table->handle), number++) {
		const char *owner = iptables_entry_owner(lib->family, e);

		if (owner && goes(table, set, owner))
			*array_add(doomed, count) = number;
	}
	while (count-- > 0) {
		if (!lib->drop(chain, doomed[count], table->handle))
			return table_error(table, err, "delete a rule");
		table->changed = true;
	}
	return 0;
}

static bool jumps_to(struct table *table, const char *from, const char *chain)
{
	const struct xt_library *lib = table->library;

	for (const void *e = lib->first(from, table->handle); e; e = lib->next(e, table->handle))
		if (str_equal(lib->target(e, table->handle), chain))
			return true;
	return false;
}

static int hook_chain(struct table *table, size_t i, const char *from, struct error *err)
{
	const struct xt_library *lib = table->library;
	struct iptables_entry entry;
	bool ok;

	iptables_entry_jump(&entry, lib->family, chains[i].name, chains[i].if_local, base_owner);
	if (chains[i].hooked_last)
		ok = lib->append(from, entry.bytes, table->handle);
	else
		ok = lib->insert(from, entry.bytes, 0, table->handle);
	table->changed = true;
	return ok ? 0 : table_error(table, err, "lead packets to our chain");
}

static int make_chain(struct table *table, size_t i, struct error *err)
{
	const struct xt_library *lib = table->library;
	const char *name = chains[i].name;

	if (!lib->is_chain(name, table->handle)) {
		if (!is_ours(name))
			return 0;
		if (!lib->create(name, table->handle))
			return table_error(table, err, "create a chain");
		table->changed = true;
		if (chains[i].rules == RULE_RAW) {
			struct iptables_entry entry;

			/* What the host sends to itself bears any of its addresses. */
			iptables_entry_loopback(&entry, lib->family, base_owner);
			if (!lib->append(name, entry.bytes, table->handle))
				return table_error(table, err, "append a rule");
		}
	}
	for (size_t j = 0; j < ARRAY_SIZE(chains[i].from) && chains[i].from[j]; j++)
		if (!jumps_to(table, chains[i].from[j], name) &&
		    hook_chain(table, i, chains[i].from[j], err) < 0)
			return -err->code;
	return 0;
}

/* True when some owner still has a rule in this table, or is about to get one. */
static bool table_needed(struct table *table, const struct ruleset *set)
{
	const struct xt_library *lib = table->library;

	array_foreach(chain, chains) {
		if (chain->rules < 0 || !str_equal(chain->table, table->name))
			continue;
		for (size_t i = 0; i < set->count; i++)
			if ((int)set->rules[i].chain == chain->rules &&
			    set->rules[i].family == lib->family)
				return true;
		if (!lib->is_chain(chain->name, table->handle))
			continue;
		for (const void *e = lib->first(chain->name, table->handle); e;
		     e = lib->next(e, table->handle))
			if (!str_equal(iptables_entry_owner(lib->family, e), base_owner))
				return true;
	}
	return false;
}

static void unhook_chain(struct table *table, const char *from, const char *chain)
{
	const struct xt_library *lib = table->library;
	unsigned int number = 0;

	for (const void *e = lib->first(from, table->handle); e;
	     e = lib->next(e, table->handle), number++) {
		if (!str_equal(lib->target(e, table->handle), chain))
			continue;
		(void)lib->drop(from, number, table->handle);
		table->changed = true;
		return;
	}
}

/* The last owner is gone: so are our chains, save one that the user has written to. */
static int clear_table(struct table *table, struct error *err)
{
	const struct xt_library *lib = table->library;

	for (size_t i = ARRAY_SIZE(chains); i-- > 0;) {
		const char *name = chains[i].name;

		if (!str_equal(chains[i].table, table->name) || !is_ours(name) ||
		    !lib->is_chain(name, table->handle))
			continue;
		if (str_equal(name, "BERTH-FORWARD"))
			lib->flush(name, table->handle);
		for (size_t j = 0; j < ARRAY_SIZE(chains[i].from) && chains[i].from[j]; j++)
			if (lib->is_chain(chains[i].from[j], table->handle))
				unhook_chain(table, chains[i].from[j], name);
		if (str_equal(name, "BERTH-USER") && lib->first(name, table->handle))
			continue;
		lib->flush(name, table->handle);
		if (!lib->delete (name, table->handle))
			return table_error(table, err, "delete a chain");
		table->changed = true;
	}
	return 0;
}

static int append_rules(struct table *table, const struct ruleset *set, struct error *err)
{
	const struct xt_library *lib = table->library;

	for (size_t i = 0; i < set->count; i++) {
		const struct rule *rule = &set->rules[i];
		struct iptables_entry entry;

		array_foreach(chain, chains) {
			if (chain->rules != (int)rule->chain || rule->family != lib->family ||
			    !str_equal(chain->table, table->name))
				continue;
			iptables_entry_rule(&entry, rule);
			if (!lib->append(chain->name, entry.bytes, table->handle))
				return table_error(table, err, "append a rule");
			table->changed = true;
		}
	}
	return 0;
}

static int edit_table(struct table *table, const struct ruleset *set, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].rules >= 0 && str_equal(chains[i].table, table->name) &&
		    table->library->is_chain(chains[i].name, table->handle) &&
		    forget_owners(table, chains[i].name, set, err) < 0)
			return -err->code;
	if (!table_needed(table, set))
		return clear_table(table, err);
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (str_equal(chains[i].table, table->name) && make_chain(table, i, err) < 0)
			return -err->code;
	return append_rules(table, set, err);
}

/* EAGAIN: somebody without the lock changed the table since it was read. */
static int commit_table(const struct xt_library *library, const char *name,
			const struct ruleset *set, struct dead_owners *dead, struct error *err)
{
	for (int attempt = 0;; attempt++) {
		struct table table = {.library = library, .name = name, .dead = dead};
		int r;

		table.handle = open_table(library, name);
		if (!table.handle) {
			/* No IPv6, or no such table in this kernel: fine as long as nobody asks. */
			if (!table_needed(&table, set))
				return 0;
			return table_error(&table, err, "read it");
		}
		r = edit_table(&table, set, err);
		if (r >= 0 && table.changed && !library->commit(table.handle))
			r = table_error(&table, err, "commit");
		library->free(table.handle);
		if (r != -EAGAIN || attempt == 5)
			return r;
		error_clear(err);
	}
}

static void see_chain(struct table *table, size_t i, const struct ruleset *set)
{
	const struct xt_library *lib = table->library;

	for (const void *e = lib->first(chains[i].name, table->handle); e;
	     e = lib->next(e, table->handle)) {
		const char *owner = iptables_entry_owner(lib->family, e);
		struct iptables_trace trace;

		if (!owner || str_equal(owner, base_owner) || ruleset_has_owner(set, owner))
			continue;
		trace = iptables_entry_trace(lib->family, e);
		if (trace.in[0])
			dead_owners_see_interface(table->dead, owner, trace.in);
		if (trace.out[0])
			dead_owners_see_interface(table->dead, owner, trace.out);
		if (chains[i].rules == RULE_DNAT)
			dead_owners_see_port(table->dead, owner, trace.protocol, trace.port);
	}
}

/* What all other owners have, in all tables: only then can it be said who is dead. */
static void see_table(const struct xt_library *library, const char *name, const struct ruleset *set,
		      struct dead_owners *dead)
{
	struct table table = {.library = library, .name = name, .dead = dead};

	table.handle = open_table(library, name);
	if (!table.handle)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		if (chains[i].rules >= 0 && str_equal(chains[i].table, name) &&
		    library->is_chain(chains[i].name, table.handle))
			see_chain(&table, i, set);
	library->free(table.handle);
}

/* Of the machine's rules, or of those in the network of an ordinary user's berth. */
static int take_lock(struct error *err)
{
	_cleanup_free_ char *own =
		rootless() ? str_printf("%s/xtables.lock", rootless_directory()) : NULL;
	const char *path = getenv("XTABLES_LOCKFILE");
	_cleanup_close_ int fd = -EBADF;

	path = own ? own : path ? path : "/run/xtables.lock";
	fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "iptables: open %s", path);
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno(err, "iptables: lock %s", path);
	return TAKE_FD(fd);
}

/*
 * They are committed one after the other, there being no transaction over several. What lets
 * packets in (filter) comes last, so that a failure in between leaves doors closed.
 */
static const char *const used[] = {"raw", "nat", "filter"};

static int commit_tables(const struct ruleset *set, struct dead_owners *dead, struct error *err)
{
	bool network = ruleset_has_network(set);

	/* With a network's, as nftables.c has it: that looks at everything anyway, and is rare. */
	if (network && !set->mend)
		array_foreach(library, libraries)
			array_foreach(table, used)
				see_table(library, *table, set, dead);
	array_foreach(library, libraries)
		array_foreach(table, used) {
			if (str_equal(*table, "raw") && !network)
				continue;
			if (commit_table(library, *table, set, dead, err) < 0)
				return -err->code;
		}
	return 0;
}

static int iptables_commit(const struct ruleset *set, struct error *err)
{
	_cleanup_(dead_owners_done) struct dead_owners dead;
	_cleanup_close_ int lock = -EBADF;

	dead_owners_init(&dead);
	if (load_libraries(err) < 0)
		return -err->code;
	lock = take_lock(err);
	return lock < 0 ? lock : commit_tables(set, &dead, err);
}

static bool table_loaded(const char *name)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/thread-self/net/ip_tables_names", "re");
	char line[64];

	while (file && fgets(line, sizeof(line), file))
		if (str_equal(str_trim(line), name))
			return true;
	return false;
}

static enum firewall_use use_of_table(const struct xt_library *lib, struct xtc_handle *handle)
{
	enum firewall_use use = FIREWALL_UNUSED;

	for (const char *c = lib->first_chain(handle); c; c = lib->next_chain(handle)) {
		if (is_ours(c))
			return FIREWALL_OURS;
		if (!lib->builtin(c, handle) || lib->first(c, handle) ||
		    str_equal(lib->policy(c, &(struct xt_counters){0}, handle), "DROP"))
			use = FIREWALL_OTHERS;
	}
	return use;
}

enum firewall_use iptables_in_use(void)
{
	static const char *const tables[] = {"filter", "nat", "raw", "mangle"};
	enum firewall_use use = FIREWALL_UNUSED;
	struct error ignored = ERROR_INIT;

	array_foreach(table, tables) {
		struct xtc_handle *handle;

		/* Asking for a table that is not there would make it. */
		if (!table_loaded(*table) || load_libraries(&ignored) < 0)
			continue;
		handle = libraries[0].init(*table);
		if (!handle)
			continue;
		if (use != FIREWALL_OURS) {
			enum firewall_use found = use_of_table(&libraries[0], handle);

			use = found > use ? found : use;
		}
		libraries[0].free(handle);
	}
	return use;
}

const struct firewall_backend firewall_iptables = {"iptables", iptables_commit};
