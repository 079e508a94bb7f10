// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
/* Needs the line before it: the kernel's own idea of addresses then stays away. */
#include <linux/netfilter.h>
#include <nftables/libnftables.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "common/cleanup.h"
#include "common/dl.h"
#include "common/fd.h"
#include "common/str.h"

#include "netmgr/firewall/ruleset.h"
#include "netmgr/netlink/batch.h"

#define LIBRARY "libnftables.so.1"

static struct nft_ctx *(*dl_nft_ctx_new)(uint32_t flags);
static void (*dl_nft_ctx_free)(struct nft_ctx *context);
static int (*dl_nft_ctx_buffer_error)(struct nft_ctx *context);
static const char *(*dl_nft_ctx_get_error_buffer)(struct nft_ctx *context);
static int (*dl_nft_run_cmd_from_buffer)(struct nft_ctx *context, const char *text);

static int load_library(struct error *err)
{
	static void *handle;
	const struct dl_symbol symbols[] = {
		DL_SYMBOL(dl_nft_ctx_new, nft_ctx_new),
		DL_SYMBOL(dl_nft_ctx_free, nft_ctx_free),
		DL_SYMBOL(dl_nft_ctx_buffer_error, nft_ctx_buffer_error),
		DL_SYMBOL(dl_nft_ctx_get_error_buffer, nft_ctx_get_error_buffer),
		DL_SYMBOL(dl_nft_run_cmd_from_buffer, nft_run_cmd_from_buffer),
	};

	return dl_load(LIBRARY, &handle, symbols, ARRAY_SIZE(symbols), err);
}

static const char base_owner[] = "berth";

/* Chain of each enum rule_chain in `table inet berth`. */
static const char *const chain_names[RULE_CHAINS] = {
	[RULE_RAW] = "guard",         [RULE_ESTABLISHED] = "established",
	[RULE_INTERNAL] = "internal", [RULE_PORTS] = "ports",
	[RULE_DENY] = "deny",         [RULE_LEAVE] = "leave",
	[RULE_DNAT] = "published",    [RULE_MASQUERADE] = "postrouting",
};

static const char base_text[] =
	"table inet berth {\n"
	"chain user { comment \"yours: berth never writes here\"; }\n"
	"chain established { }\n"
	"chain internal { }\n"
	"chain ports { }\n"
	"chain deny { }\n"
	"chain leave { }\n"
	"chain published { }\n"
	"chain guard { type filter hook prerouting priority raw; policy accept;\n"
	"  iifname lo return comment \"berth\"; }\n"
	"chain forward { type filter hook forward priority filter; policy accept;\n"
	"  jump user comment \"berth\"; jump established comment \"berth\"\n"
	"  jump internal comment \"berth\"; jump ports comment \"berth\"\n"
	"  jump deny comment \"berth\"; jump leave comment \"berth\"; }\n"
	"chain prerouting { type nat hook prerouting priority dstnat; policy accept;\n"
	"  fib daddr type local jump published comment \"berth\"; }\n"
	"chain output { type nat hook output priority -100; policy accept;\n"
	"  ip6 daddr ::1 return comment \"berth\"\n"
	"  fib daddr type local jump published comment \"berth\"; }\n"
	"chain postrouting { type nat hook postrouting priority srcnat; policy accept; }\n"
	"}\n";

/* What a dump of rules tells. */
struct survey {
	const struct ruleset *set;
	const char *family, *table; /* being dumped */
	struct strbuf deletes;
	size_t base, others; /* rules of ours that every owner needs; of owners who stay */
	size_t user;         /* rules in the user's chain */
};

struct generic_message {
	struct nlmsghdr header;
	struct nfgenmsg family;
};

/* A rule's userdata is a list of (type, size, bytes); nft's comment is type 0. */
static const char *comment_of(const struct nlattr *userdata)
{
	const uint8_t *data = userdata ? netlink_attr_data(userdata) : NULL;
	size_t size = userdata ? netlink_attr_size(userdata) : 0;

	while (size > 2 && (size_t)data[1] + 2 <= size) {
		if (data[0] == 0 && data[1] && !data[1 + data[1]])
			return (const char *)data + 2;
		size -= data[1] + 2;
		data += data[1] + 2;
	}
	return NULL;
}

static uint64_t handle_of(const struct nlattr *attr)
{
	uint64_t value = 0;

	if (attr && netlink_attr_size(attr) == sizeof(value))
		memcpy(&value, netlink_attr_data(attr), sizeof(value));
	return be64toh(value);
}

static int survey_rule(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *header = NLMSG_DATA(message);
	const struct nlattr *table[NFTA_RULE_MAX + 1];
	struct survey *survey = data;
	const char *owner, *chain;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
		return 0;
	netlink_parse((const uint8_t *)header + NLMSG_ALIGN(sizeof(*header)),
		      NLMSG_PAYLOAD(message, sizeof(*header)), table, NFTA_RULE_MAX);
	if (!table[NFTA_RULE_CHAIN])
		return 0;
	owner = comment_of(table[NFTA_RULE_USERDATA]);
	chain = netlink_attr_data(table[NFTA_RULE_CHAIN]);
	if (str_equal(survey->family, "inet") && str_equal(chain, "user"))
		survey->user++;
	else if (str_equal(owner, base_owner))
		survey->base++;
	else if (owner && ruleset_has_owner(survey->set, owner))
		strbuf_addf(&survey->deletes, "delete rule %s %s %s handle %llu\n", survey->family,
			    survey->table, chain,
			    (unsigned long long)handle_of(table[NFTA_RULE_HANDLE]));
	else if (str_equal(survey->family, "inet"))
		survey->others++;
	return 0;
}

static int dump_rules(int fd, uint8_t family, const char *table, struct survey *survey,
		      struct error *err)
{
	struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
	struct batch batch = {0};
	int r;

	batch_message(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, 0, &header,
		      sizeof(header));
	batch_attr_string(&batch, NFTA_RULE_TABLE, table);
	r = netlink_dump(fd, &batch, survey_rule, survey, err);
	batch_done(&batch);
	if (r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	return r;
}

/* True when a chain of this name exists: of iptables-nft, for whose policy DROP see below. */
static bool has_chain(int fd, uint8_t family, const char *table, const char *chain)
{
	struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
	struct batch batch = {0};
	struct error ignored = ERROR_INIT;
	int r;

	batch_message(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header,
		      sizeof(header));
	batch_attr_string(&batch, NFTA_CHAIN_TABLE, table);
	batch_attr_string(&batch, NFTA_CHAIN_NAME, chain);
	r = batch_send(&batch, fd, 0, &ignored);
	batch_done(&batch);
	return r == 0;
}

static void render_subnet(struct strbuf *text, const char *family, const char *field, bool negated,
			  const struct subnet *subnet)
{
	char buffer[SUBNET_TEXT_MAX];

	if (subnet->ip.family)
		strbuf_addf(text, " %s %s %s%s", family, field, negated ? "!= " : "",
			    subnet_format(subnet, buffer));
}

static void render_matches(struct strbuf *text, const struct rule *rule)
{
	const char *family = rule->family == AF_INET ? "ip" : "ip6";
	const char *protocol = rule->protocol == IPPROTO_TCP   ? "tcp"
			       : rule->protocol == IPPROTO_UDP ? "udp"
							       : "sctp";

	strbuf_addf(text, " meta nfproto %s", rule->family == AF_INET ? "ipv4" : "ipv6");
	if (rule->in[0])
		strbuf_addf(text, " iifname %s\"%s\"", rule->not_in ? "!= " : "", rule->in);
	if (rule->out[0])
		strbuf_addf(text, " oifname %s\"%s\"", rule->not_out ? "!= " : "", rule->out);
	render_subnet(text, family, "saddr", rule->not_source, &rule->source);
	render_subnet(text, family, "daddr", rule->not_destination, &rule->destination);
	if (rule->port)
		strbuf_addf(text, " %s dport %u", protocol, rule->port);
	if (rule->established)
		strbuf_add(text, " ct state established,related");
	if (rule->redirected)
		strbuf_add(text, " ct status dnat");
}

static void render_rule(struct strbuf *text, const struct rule *rule)
{
	static const char *const verdicts[] = {[RULE_ACCEPT] = "accept",
					       [RULE_DROP] = "drop",
					       [RULE_RETURN] = "return",
					       [RULE_AS_HOST] = "masquerade"};
	char address[INET6_ADDRSTRLEN];

	strbuf_addf(text, "add rule inet berth %s", chain_names[rule->chain]);
	render_matches(text, rule);
	if (rule->verdict == RULE_TO)
		strbuf_addf(text,
			    rule->family == AF_INET ? " dnat ip to %s:%u" : " dnat ip6 to [%s]:%u",
			    ip_format(&rule->to, address), rule->to_port);
	else
		strbuf_addf(text, " %s", verdicts[rule->verdict]);
	strbuf_addf(text, " comment \"%s\"\n", rule->owner);
}

/*
 * Another table's policy DROP is final whatever ours accepts. The one that is met in practice is
 * that of iptables-nft (Docker's, ufw's): what our chains let pass is accepted at its end, after
 * all that the host's rules say.
 */
static void render_foreign(struct strbuf *text, const struct rule *rule)
{
	const char *table = rule->family == AF_INET ? "ip" : "ip6";

	if (rule->chain == RULE_ESTABLISHED)
		strbuf_addf(text,
			    "add rule %s filter FORWARD oifname \"%s\" accept comment \"%s\"\n",
			    table, rule->out, rule->owner);
	else if (rule->chain == RULE_LEAVE)
		strbuf_addf(text,
			    "add rule %s filter FORWARD iifname \"%s\" accept comment \"%s\"\n",
			    table, rule->in, rule->owner);
}

static void render(struct strbuf *text, const struct survey *survey, bool foreign4, bool foreign6)
{
	const struct ruleset *set = survey->set;

	if (!survey->base && set->count)
		strbuf_add(text, base_text);
	if (survey->deletes.length)
		strbuf_add(text, survey->deletes.data);
	for (size_t i = 0; i < set->count; i++) {
		render_rule(text, &set->rules[i]);
		if (set->rules[i].family == AF_INET ? foreign4 : foreign6)
			render_foreign(text, &set->rules[i]);
	}
	/* The last owner has left, and the user has nothing here either. */
	if (survey->base && !set->count && !survey->others && !survey->user)
		strbuf_add(text, "delete table inet berth\n");
}

static int run_here(const char *text, struct error *err)
{
	struct nft_ctx *context;
	int r = 0;

	context = dl_nft_ctx_new(0);
	if (!context)
		return error_set(err, ENOMEM, "nftables: cannot start");
	dl_nft_ctx_buffer_error(context);
	errno = 0;
	if (dl_nft_run_cmd_from_buffer(context, text))
		r = error_set(err, errno ? errno : EINVAL, "nftables: %.200s",
			      dl_nft_ctx_get_error_buffer(context));
	dl_nft_ctx_free(context);
	return r;
}

/* For the child: descriptors from 4 on belong to others, and make room for low ones. */
static void __attribute__((noreturn)) run_as_child(const char *text, int report)
{
	struct error err = ERROR_INIT;

	if (dup2(report, 3) < 0 || close_range(4, ~0U, 0) < 0)
		_exit(1);
	if (load_library(&err) >= 0)
		(void)run_here(text, &err);
	_exit(fd_write_all(3, &err, sizeof(err)) < 0);
}

/*
 * In a child: the library and what it pulls in take 1.5 MB, which a supervisor would carry for ever
 * for the sake of some commits; and it select()s on its socket and dies of a descriptor above
 * FD_SETSIZE, which a project of some hundred containers has.
 */
static int run(const char *text, struct error *err)
{
	_cleanup_close_ int reading = -EBADF, writing = -EBADF;
	struct error report;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return error_errno(err, "nftables: make a pipe");
	reading = fds[0];
	writing = fds[1];
	pid = fork();
	if (pid < 0)
		return error_errno(err, "nftables: fork");
	if (pid == 0)
		run_as_child(text, writing);
	close(TAKE_FD(writing));
	if (fd_read_full(reading, &report, sizeof(report)) != sizeof(report))
		error_set(&report, EIO, "nftables: the process that sets the rules died");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (report.code)
		*err = report;
	return -report.code;
}

static int nftables_commit(const struct ruleset *set, struct error *err)
{
	struct survey survey = {.set = set, .family = "inet", .table = "berth"};
	_cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER, err);
	_cleanup_strbuf_ struct strbuf text = {0};
	bool foreign4 = false, foreign6 = false;
	int r;

	if (fd < 0)
		return fd;
	r = dump_rules(fd, NFPROTO_INET, "berth", &survey, err);
	if (r >= 0 && ruleset_has_network(set)) {
		foreign4 = has_chain(fd, NFPROTO_IPV4, "filter", "FORWARD");
		foreign6 = has_chain(fd, NFPROTO_IPV6, "filter", "FORWARD");
		survey.table = "filter";
		survey.family = "ip";
		if (foreign4)
			r = dump_rules(fd, NFPROTO_IPV4, "filter", &survey, err);
		survey.family = "ip6";
		if (r >= 0 && foreign6)
			r = dump_rules(fd, NFPROTO_IPV6, "filter", &survey, err);
	}
	if (r >= 0)
		render(&text, &survey, foreign4, foreign6);
	strbuf_done(&survey.deletes);
	if (r < 0 || !text.length)
		return r;
	return run(text.data, err);
}

static int survey_table(const struct nlmsghdr *message, void *data)
{
	const struct nfgenmsg *header = NLMSG_DATA(message);
	const struct nlattr *table[NFTA_TABLE_MAX + 1];
	enum firewall_use *use = data;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE))
		return 0;
	netlink_parse((const uint8_t *)header + NLMSG_ALIGN(sizeof(*header)),
		      NLMSG_PAYLOAD(message, sizeof(*header)), table, NFTA_TABLE_MAX);
	if (*use == FIREWALL_UNUSED)
		*use = FIREWALL_OTHERS;
	if (header->nfgen_family == NFPROTO_INET && table[NFTA_TABLE_NAME] &&
	    str_equal(netlink_attr_data(table[NFTA_TABLE_NAME]), "berth"))
		*use = FIREWALL_OURS;
	return 0;
}

/* Use of nf_tables, or -errno where the kernel has none. */
static int ask_for_tables(enum firewall_use *ret)
{
	struct nfgenmsg header = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0};
	struct error ignored = ERROR_INIT;
	_cleanup_close_ int fd = netlink_open(NETLINK_NETFILTER, &ignored);
	struct batch batch = {0};
	int r;

	*ret = FIREWALL_UNUSED;
	if (fd < 0)
		return fd;
	batch_message(&batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETTABLE, 0, &header,
		      sizeof(header));
	r = netlink_dump(fd, &batch, survey_table, ret, &ignored);
	batch_done(&batch);
	return r;
}

enum firewall_use nftables_in_use(void)
{
	enum firewall_use use;

	return ask_for_tables(&use) < 0 ? FIREWALL_UNUSED : use;
}

bool nftables_works(void)
{
	enum firewall_use use;

	return ask_for_tables(&use) >= 0 && dl_available(LIBRARY);
}

const struct firewall_backend firewall_nftables = {"nftables", nftables_commit};
