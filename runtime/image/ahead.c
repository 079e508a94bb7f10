// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/alloc.h"
#include "common/cleanup.h"

#include "runtime/image/stream.h"

/*
 * A ring of what was read and not taken yet. The reader holds one more (what it was given last),
 * and the thread is about to fill another.
 */
#define DEPTH (STREAM_BUFFERS - 2)

struct ahead {
	struct ahead_source source;
	struct byte_source *from;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t filled, taken;
	struct {
		const void *data;
		ssize_t size;
	} ring[DEPTH];
	unsigned int first, count;
	bool unwanted;
	struct error failure; /* that came with a negative size */
};

static void *read_ahead(void *data)
{
	struct ahead *ahead = data;
	ssize_t n = 1;

	while (n > 0) {
		const void *block = NULL;

		n = ahead->from->read(ahead->from, &block, &ahead->failure);
		pthread_mutex_lock(&ahead->lock);
		while (ahead->count == DEPTH && !ahead->unwanted)
			pthread_cond_wait(&ahead->taken, &ahead->lock);
		if (ahead->unwanted)
			n = 0;
		else {
			unsigned int at = (ahead->first + ahead->count++) % DEPTH;

			ahead->ring[at].data = block;
			ahead->ring[at].size = n;
		}
		pthread_cond_signal(&ahead->filled);
		pthread_mutex_unlock(&ahead->lock);
	}
	return NULL;
}

static ssize_t ahead_read(struct byte_source *base, const void **ret_data, struct error *err)
{
	struct ahead *ahead = ((struct ahead_source *)base)->ahead;
	ssize_t n;

	pthread_mutex_lock(&ahead->lock);
	while (ahead->count == 0)
		pthread_cond_wait(&ahead->filled, &ahead->lock);
	*ret_data = ahead->ring[ahead->first].data;
	n = ahead->ring[ahead->first].size;
	/* The end stays, for whoever asks again. */
	if (n > 0) {
		ahead->first = (ahead->first + 1) % DEPTH;
		ahead->count--;
		pthread_cond_signal(&ahead->taken);
	}
	pthread_mutex_unlock(&ahead->lock);
	if (n < 0)
		*err = ahead->failure;
	return n;
}

int ahead_source_start(struct byte_source *source, struct ahead_source **ret, struct error *err)
{
	struct ahead *ahead = new (struct ahead);
	int r;

	ahead->source.base.read = ahead_read;
	ahead->source.ahead = ahead;
	ahead->from = source;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->filled, NULL);
	pthread_cond_init(&ahead->taken, NULL);
	r = pthread_create(&ahead->thread, NULL, read_ahead, ahead);
	if (r != 0) {
		free(ahead);
		return error_code(err, -r, "start a thread to read");
	}
	*ret = &ahead->source;
	return 0;
}

void ahead_source_end(struct ahead_source *source)
{
	struct ahead *ahead;

	if (!source)
		return;
	ahead = source->ahead;
	pthread_mutex_lock(&ahead->lock);
	ahead->unwanted = true;
	pthread_cond_signal(&ahead->taken);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	free(ahead);
}
