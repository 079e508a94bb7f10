// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/fd.h"

#include "runtime/image/archive.h"
#include "runtime/image/pull_internal.h"

#define PIPE_SIZE (1 << 20)

/* What the child says at the end. */
struct verdict {
	struct error error;
	struct layer_result result;
};

struct pull_layer *pull_layer_get(struct pull *pull, const char *chain, const char *diff_hex,
				  struct pull_blob *blob)
{
	struct pull_layer *layer = map_get(&pull->layers, chain);

	/* The same content packed twice is unpacked twice: each has to prove what it is. */
	if (layer && layer->blob == blob)
		return layer;
	layer = new (struct pull_layer);
	*layer = (struct pull_layer){
		.pull = pull, .blob = blob, .tree = -EBADF, .feed = -EBADF, .result = -EBADF};
	memcpy(layer->chain, chain, SHA256_HEX_SIZE);
	memcpy(layer->diff_hex, diff_hex, SHA256_HEX_SIZE);
	if (!map_get(&pull->layers, chain)) {
		map_set(&pull->layers, chain, layer);
	} else {
		_cleanup_free_ char *key = str_printf("%s %s", chain, blob->hex);
		struct pull_layer *other = map_get(&pull->layers, key);

		if (other) {
			free(layer);
			return other;
		}
		map_set(&pull->layers, key, layer);
	}
	return layer;
}

/* The end of a pipe that another child has inherited would keep it open. */
static void keep_only(int fds[3])
{
	for (int i = 0; i < 3; i++)
		fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 16);
	for (int i = 0; i < 3; i++)
		fds[i] = dup3(fds[i], 3 + i, O_CLOEXEC);
	(void)close_range(6, ~0U, 0);
}

static void child(int in, int tree, int out)
{
	struct verdict verdict = {0};
	int fds[] = {in, tree, out};
	pid_t parent = getppid();

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "berth-layer");
	if (getppid() != parent)
		_exit(1);
	keep_only(fds);
	(void)layer_unpack(fds[0], fds[1], -1, &verdict.result, &verdict.error);
	(void)fd_write_all(fds[2], &verdict, sizeof(verdict));
	_exit(0);
}

/* What it reads: the file itself when that is whole, else a pipe that we feed. */
static int open_input(struct pull_layer *layer, int *ret_feed, struct error *err)
{
	int pipes[2];

	if (layer->blob->stage == PULL_DONE)
		return pull_blob_open(layer->blob, err);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	(void)fcntl(pipes[1], F_SETPIPE_SZ, PIPE_SIZE);
	(void)fd_set_nonblock(pipes[1], true);
	*ret_feed = pipes[1];
	return pipes[0];
}

static int start(struct pull_layer *layer, struct error *err)
{
	_cleanup_close_ int in = -EBADF, feed = -EBADF;
	int pipes[2];

	/* Once, before all children. */
	if (!libarchive_load(err))
		return -err->code;
	layer->tree = staging_directory(&layer->pull->staging, &layer->tree_name, err);
	if (layer->tree < 0)
		return layer->tree;
	in = open_input(layer, &feed, err);
	if (in < 0)
		return in;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return error_errno(err, "make a pipe");
	layer->result = pipes[0];
	layer->pid = fork();
	if (layer->pid == 0)
		child(in, layer->tree, pipes[1]);
	close(pipes[1]);
	if (layer->pid < 0)
		return error_errno(err, "start a process to unpack");
	layer->feed = TAKE_FD(feed);
	return 0;
}

void pull_layer_start(struct pull_layer *layer)
{
	struct error error = ERROR_INIT;

	layer->stage = PULL_RUNNING;
	layer->pull->unpacking++;
	if (start(layer, &error) < 0) {
		pull_layer_fail(layer, &error);
		return;
	}
	if (layer->blob->stage == PULL_DONE)
		pull_tell_blob(layer->blob, PULL_LAYER_EXTRACTING, 0);
}

static void close_feed(struct pull_layer *layer)
{
	cleanup_close_fd(&layer->feed);
	layer->feed = -EBADF;
}

void pull_layer_feed(struct pull_layer *layer)
{
	struct pull_blob *blob = layer->blob;

	while (layer->feed >= 0 && layer->fed < blob->received) {
		loff_t offset = (loff_t)layer->fed;
		uint64_t left = blob->received - layer->fed;
		ssize_t n = splice(blob->fd, &offset, layer->feed, NULL,
				   left < PIPE_SIZE ? (size_t)left : PIPE_SIZE, SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		/* It needs no more, or has failed: then it says so itself. */
		if (n <= 0) {
			close_feed(layer);
			return;
		}
		layer->fed += (uint64_t)n;
	}
	if (blob->stage == PULL_DONE && layer->fed == blob->size)
		close_feed(layer);
}

static void reap(struct pull_layer *layer, bool by_force)
{
	if (layer->pid > 0) {
		if (by_force)
			(void)kill(layer->pid, SIGKILL);
		while (waitpid(layer->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	layer->pid = 0;
	close_feed(layer);
	cleanup_close_fd(&layer->result);
	cleanup_close_fd(&layer->tree);
	layer->result = layer->tree = -EBADF;
}

static void stop(struct pull_layer *layer, bool by_force)
{
	reap(layer, by_force);
	if (layer->stage == PULL_RUNNING)
		layer->pull->unpacking--;
}

void pull_layer_fail(struct pull_layer *layer, const struct error *error)
{
	stop(layer, true);
	layer->stage = PULL_FAILED;
	layer->error = *error;
}

void pull_layer_restart(struct pull_layer *layer)
{
	stop(layer, true);
	free(TAKE_PTR(layer->tree_name)); /* what lies there goes with the staging */
	layer->stage = PULL_WAITING;
	layer->fed = 0;
	error_clear(&layer->error);
}

static int take_verdict(struct pull_layer *layer, struct verdict *verdict, struct error *err)
{
	struct staging *staging = &layer->pull->staging;

	verdict->error.message[sizeof(verdict->error.message) - 1] = '\0';
	verdict->result.diff_hex[SHA256_HEX_SIZE - 1] = '\0';
	if (verdict->error.code) {
		*err = verdict->error;
		return error_wrap(err, "layer sha256:%.12s", layer->blob->hex);
	}
	if (strcmp(verdict->result.diff_hex, layer->diff_hex) != 0)
		return error_set(err, EBADMSG,
				 "layer sha256:%.12s: its content is sha256:%.12s, and not what "
				 "the config names",
				 layer->blob->hex, verdict->result.diff_hex);
	if (staging_has_layer(staging, layer->chain))
		return 0;
	return staging_add_layer(staging, layer->chain, layer->diff_hex, verdict->result.tree_bytes,
				 TAKE_PTR(layer->tree_name), err);
}

void pull_layer_end(struct pull_layer *layer)
{
	struct verdict verdict;
	struct error error = ERROR_INIT;
	ssize_t n = fd_read_full(layer->result, &verdict, sizeof(verdict));

	if (n != sizeof(verdict))
		error_set(&error, EIO, "layer sha256:%.12s: unpacking ended before its time",
			  layer->blob->hex);
	else
		take_verdict(layer, &verdict, &error);
	/* What came incomplete fails for that reason, not for how the unpacking took it. */
	if (error.code && layer->blob->stage == PULL_FAILED)
		error = layer->blob->error;
	if (error.code) {
		pull_layer_fail(layer, &error);
		return;
	}
	stop(layer, false);
	layer->stage = PULL_DONE;
}

void pull_layer_free(void *pointer)
{
	struct pull_layer *layer = pointer;

	stop(layer, true);
	free(layer->tree_name);
	free(layer);
}
