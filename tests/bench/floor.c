// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * floor - what the kernel alone charges for N containers: five namespaces, an overlay root with
 * /proc, a veth into a bridge with an address, a cgroup, an exec; then all of it taken down.
 *
 *     floor N LOWER WORK PARALLEL      LOWER: a root with /bin/busybox; WORK: a scratch folder
 *
 * Prints "up MS down MS". Nothing is written down, supervised, logged or confined: it is the bare
 * minimum that `berth up` and `berth down` are compared with. Run it in a network and a mount
 * namespace of its own.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUP 77

static const char *const controllers[] = {"memory", "pids"};

struct request {
	struct nlmsghdr header;
	char data[1024];
};

static int report = -1; /* in a child: a byte here says that it failed */

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	if (report >= 0 && write(report, "!", 1) < 0)
		_exit(2);
	_exit(1);
}

static void *put(struct request *r, const void *data, size_t size)
{
	void *at = (char *)r + NLMSG_ALIGN(r->header.nlmsg_len);

	if (data)
		memcpy(at, data, size);
	else
		memset(at, 0, size);
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + size;
	return at;
}

static struct rtattr *attribute(struct request *r, unsigned short type, const void *data,
				size_t size)
{
	struct rtattr a = {.rta_len = RTA_LENGTH(size), .rta_type = type};
	struct rtattr *at = put(r, &a, sizeof(a));

	if (size)
		put(r, data, size);
	return at;
}

static void nest_end(struct request *r, struct rtattr *nest)
{
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len);
	nest->rta_len = (char *)r + r->header.nlmsg_len - (char *)nest;
}

static void begin(struct request *r, int type, int flags, const void *body, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->header.nlmsg_len = NLMSG_HDRLEN;
	r->header.nlmsg_type = type;
	r->header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	put(r, body, size);
}

static void talk(int nl, struct request *r, const char *what)
{
	char buffer[4096];
	const struct nlmsghdr *answer = (void *)buffer;

	if (send(nl, r, r->header.nlmsg_len, 0) < 0 || recv(nl, buffer, sizeof(buffer), 0) < 0)
		die(what);
	if (answer->nlmsg_type == NLMSG_ERROR) {
		errno = -((const struct nlmsgerr *)NLMSG_DATA(answer))->error;
		/* Links may have gone with their namespaces before they are deleted. */
		if (errno && !(r->header.nlmsg_type == RTM_DELLINK && errno == ENODEV))
			die(what);
	}
}

static int netlink_open(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static void link_up(int nl, int index)
{
	const struct ifinfomsg body = {
		.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct request r;

	begin(&r, RTM_NEWLINK, 0, &body, sizeof(body));
	talk(nl, &r, "link up");
}

static void bridge_add(int nl)
{
	const struct ifinfomsg body = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct rtattr *info = NULL;
	struct request r;

	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	attribute(&r, IFLA_IFNAME, "floor0", 7);
	info = attribute(&r, IFLA_LINKINFO, NULL, 0);
	attribute(&r, IFLA_INFO_KIND, "bridge", 7);
	nest_end(&r, info);
	talk(nl, &r, "bridge");
}

/* One message: both ends, the peer in the caller's namespace, the other up and in the bridge. */
static void veth_add(int host_nl, int netns, unsigned int number, uint32_t bridge)
{
	const struct ifinfomsg body = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	const struct ifinfomsg peer = {0}; /* it can go up only once the pair is complete */
	struct rtattr *info = NULL, *data = NULL, *end = NULL;
	const uint32_t group = GROUP;
	struct request r;
	char name[IFNAMSIZ];
	int size = snprintf(name, sizeof(name), "floor%u", number + 1) + 1;

	begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof(body));
	attribute(&r, IFLA_IFNAME, name, size);
	attribute(&r, IFLA_GROUP, &group, sizeof(group));
	attribute(&r, IFLA_MASTER, &bridge, sizeof(bridge));
	info = attribute(&r, IFLA_LINKINFO, NULL, 0);
	attribute(&r, IFLA_INFO_KIND, "veth", 5);
	data = attribute(&r, IFLA_INFO_DATA, NULL, 0);
	end = attribute(&r, VETH_INFO_PEER, NULL, 0);
	put(&r, &peer, sizeof(peer));
	attribute(&r, IFLA_IFNAME, "eth0", 5);
	attribute(&r, IFLA_NET_NS_FD, &netns, sizeof(netns));
	nest_end(&r, end);
	nest_end(&r, data);
	nest_end(&r, info);
	talk(host_nl, &r, "veth");
}

static void address_add(int nl, int index, unsigned int number)
{
	const struct ifaddrmsg body = {
		.ifa_family = AF_INET, .ifa_prefixlen = 16, .ifa_index = (unsigned int)index};
	const uint32_t address = htonl(0xac1e0000 + number + 2);
	struct request r;

	begin(&r, RTM_NEWADDR, NLM_F_CREATE, &body, sizeof(body));
	attribute(&r, IFA_LOCAL, &address, sizeof(address));
	attribute(&r, IFA_ADDRESS, &address, sizeof(address));
	talk(nl, &r, "address");
}

struct place {
	char merged[512], options[2048];
	char groups[2][256];
};

static void network(int host_nl, unsigned int number, uint32_t bridge)
{
	int own = netlink_open(), netns = ioctl(own, SIOCGSKNS);

	veth_add(host_nl, netns, number, bridge);
	link_up(own, 1);
	link_up(own, (int)if_nametoindex("eth0"));
	address_add(own, (int)if_nametoindex("eth0"), number);
}

static void root(const struct place *place)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", place->merged, "overlay", 0, place->options) < 0)
		die("overlay");
	if (chdir(place->merged) < 0 || mount("proc", "proc", "proc", 0, NULL) < 0)
		die("proc");
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		die("pivot_root");
}

static void join(const struct place *place)
{
	/* v2: born there. */
	if (!place->groups[1][0])
		return;
	for (size_t i = 0; i < 2; i++) {
		int fd = -1;

		if (!place->groups[i][0])
			continue;
		fd = open(place->groups[i], O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) < 0)
			die(place->groups[i]);
		close(fd);
	}
}

static void child(const struct place *place, int host_nl, unsigned int number, uint32_t bridge)
{
	char *const args[] = {"sleep", "1000", NULL}, *const env[] = {NULL};

	join(place);
	network(host_nl, number, bridge);
	root(place);
	if (sethostname("floor", 5) < 0)
		die("hostname");
	execve("/bin/busybox", args, env);
	die("exec");
}

static void prepare(struct place *place, const char *lower, const char *work, unsigned int number)
{
	static const char *const parts[] = {"", "/upper", "/work", "/merged"};
	char path[400];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%u%s", work, number, parts[i]);
		if (mkdir(path, 0755) < 0)
			die(path);
	}
	snprintf(place->merged, sizeof(place->merged), "%s/%u/merged", work, number);
	snprintf(place->options, sizeof(place->options),
		 "lowerdir=%s,upperdir=%s/%u/upper,workdir=%s/%u/work", lower, work, number, work,
		 number);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/floor-%d", controllers[i],
			 (int)getpid());
		if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
			snprintf(path, sizeof(path), "/sys/fs/cgroup/floor-%d", (int)getpid());
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			die(path);
		snprintf(place->groups[i], sizeof(place->groups[i]), "%.200s/%u", path, number);
		if (mkdir(place->groups[i], 0755) < 0 && errno != EEXIST)
			die(place->groups[i]);
	}
	if (strcmp(place->groups[0], place->groups[1]) == 0)
		place->groups[1][0] = 0;
	/* v1: one thread moves cheaper than a process; v2 would want a threaded group for that. */
	for (size_t i = 0; i < 2; i++)
		if (place->groups[i][0])
			strcat(place->groups[i], place->groups[1][0] ? "/tasks" : "/cgroup.procs");
}

struct running {
	int pidfd, report;
	pid_t pid;
};

/* Of the group in cgroup v2, into which the process is born; in v1 it joins by itself. */
static int open_group(const struct place *place)
{
	char path[sizeof(place->groups[0])];
	int fd;

	snprintf(path, sizeof(path), "%s", place->groups[0]);
	*strrchr(path, '/') = 0;
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static struct running start(const struct place *place, unsigned int number, uint32_t bridge)
{
	struct running c = {.pidfd = -1};
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC |
			 CLONE_PIDFD,
		.exit_signal = SIGCHLD,
		.pidfd = (uint64_t)(uintptr_t)&c.pidfd,
	};
	int pipes[2], host_nl = netlink_open(), group = -1;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		die("pipe");
	if (!place->groups[1][0]) {
		group = open_group(place);
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)group;
	}
	c.pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (c.pid < 0)
		die("clone3");
	report = c.pid == 0 ? pipes[1] : -1;
	if (c.pid == 0)
		child(place, host_nl, number, bridge);
	if (group >= 0)
		close(group);
	close(pipes[1]);
	close(host_nl);
	c.report = pipes[0];
	return c;
}

static void wait_for_exec(struct running *c)
{
	char byte = 0;

	if (read(c->report, &byte, 1) != 0)
		die("a container failed");
	close(c->report);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void remove_place(const struct place *place, const char *work, unsigned int number)
{
	static const char *const parts[] = {"/work/work", "/work", "/upper", "/merged", ""};
	char path[512];

	for (size_t i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "%s/%u%s", work, number, parts[i]);
		(void)rmdir(path);
	}
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s", place->groups[i]);
		if (!path[0])
			continue;
		*strrchr(path, '/') = 0;
		while (rmdir(path) < 0 && errno == EBUSY)
			usleep(200);
		*strrchr(path, '/') = 0;
		(void)rmdir(path);
	}
}

static void down(int nl, struct running *all, const struct place *places, const char *work,
		 unsigned int count)
{
	const struct ifinfomsg any = {0};
	struct ifinfomsg bridge = {.ifi_index = (int)if_nametoindex("floor0")};
	const uint32_t group = GROUP;
	struct request r;

	for (unsigned int i = 0; i < count; i++)
		syscall(SYS_pidfd_send_signal, all[i].pidfd, SIGKILL, NULL, 0);
	for (unsigned int i = 0; i < count; i++)
		waitpid(all[i].pid, NULL, 0);
	begin(&r, RTM_DELLINK, 0, &any, sizeof(any));
	attribute(&r, IFLA_GROUP, &group, sizeof(group));
	talk(nl, &r, "delete links");
	begin(&r, RTM_DELLINK, 0, &bridge, sizeof(bridge));
	talk(nl, &r, "delete bridge");
	for (unsigned int i = 0; i < count; i++)
		remove_place(&places[i], work, i);
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 3 ? (unsigned int)strtoul(argv[1], NULL, 10) : 0;
	unsigned int parallel = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 10) : 1;
	struct place *places = calloc(count + 1, sizeof(*places));
	struct running *all = calloc(count + 1, sizeof(*all));
	double begin_ms = 0, up_ms = 0, down_ms = 0;
	int nl = netlink_open();
	uint32_t bridge = 0;

	if (!count || !places || !all) {
		fprintf(stderr, "usage: floor N LOWER WORK [PARALLEL]\n");
		return 2;
	}
	begin_ms = now_ms();
	bridge_add(nl);
	bridge = if_nametoindex("floor0");
	for (unsigned int i = 0; i < count; i++) {
		prepare(&places[i], argv[2], argv[3], i);
		all[i] = start(&places[i], i, bridge);
		if (i + 1 >= parallel)
			wait_for_exec(&all[i + 1 - parallel]);
	}
	for (unsigned int i = count >= parallel ? count - parallel + 1 : 0; i < count; i++)
		wait_for_exec(&all[i]);
	up_ms = now_ms() - begin_ms;
	begin_ms = now_ms();
	down(nl, all, places, argv[3], count);
	down_ms = now_ms() - begin_ms;
	printf("up %.1f down %.1f\n", up_ms, down_ms);
	return 0;
}
