// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io.c - weights and rates of block devices. v1: blkio.throttle.* and blkio.weight (or what the bfq
 * scheduler has); v2: io.max, io.bfq.weight, io.weight.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/cleanup.h"
#include "common/log.h"

#include "runtime/container/cgroup/internal.h"

#define LINE_MAX_BYTES 128

/* Rows of struct resources_spec.block_rates. */
static const struct {
	const char *v1, *v2, *what;
} rates[BLOCK_RATES] = {
	[BLOCK_READ_BPS] = {"blkio.throttle.read_bps_device", "rbps", "device_read_bps"},
	[BLOCK_WRITE_BPS] = {"blkio.throttle.write_bps_device", "wbps", "device_write_bps"},
	[BLOCK_READ_IOPS] = {"blkio.throttle.read_iops_device", "riops", "device_read_iops"},
	[BLOCK_WRITE_IOPS] = {"blkio.throttle.write_iops_device", "wiops", "device_write_iops"},
};

bool io_wanted(const struct resources_spec *resources)
{
	return resources->block_weight || resources->block_weight_count ||
	       resources->block_rate_count;
}

static int apply_rate(struct cgroup *cgroup, const struct block_limit *limit, struct error *err)
{
	const struct cgroup_layout *layout = cgroup->layout;
	bool v2 = layout->v1[CONTROLLER_BLKIO].fd < 0;
	const char *file = v2 ? "io.max" : rates[limit->kind].v1;
	char line[LINE_MAX_BYTES];
	int r;

	if (v2)
		snprintf(line, sizeof(line), "%u:%u %s=%" PRId64, limit->major, limit->minor,
			 rates[limit->kind].v2, limit->value);
	else
		snprintf(line, sizeof(line), "%u:%u %" PRId64, limit->major, limit->minor,
			 limit->value);
	r = v2 ? group_write(layout->v2.fd, cgroup->v2, file, line)
	       : group_write(layout->v1[CONTROLLER_BLKIO].fd, cgroup->v1[CONTROLLER_BLKIO], file,
			     line);
	if (r < 0)
		return error_code(err, r, "blkio_config: %s: write '%s' to %s",
				  rates[limit->kind].what, line, file);
	return 0;
}

/* 10..1000 onto io.weight's 1..10000, as the OCI runtimes do it; bfq has the first scale itself. */
static int64_t io_weight(int64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

/* Weights are the scheduler's: without one that has them there is no file. */
static int apply_weight(struct cgroup *cgroup, const char *device, int64_t weight)
{
	const struct cgroup_layout *layout = cgroup->layout;
	bool v2 = layout->v1[CONTROLLER_BLKIO].fd < 0;
	const struct {
		const char *file;
		int64_t value;
	} files[] = {
		{v2          ? "io.bfq.weight"
		 : device[0] ? "blkio.bfq.weight_device"
			     : "blkio.bfq.weight",
		 weight},
		{v2          ? "io.weight"
		 : device[0] ? "blkio.weight_device"
			     : "blkio.weight",
		 v2 ? io_weight(weight) : weight},
	};
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == -ENOENT; i++) {
		char line[LINE_MAX_BYTES];

		snprintf(line, sizeof(line), "%s%s%" PRId64, device, device[0] ? " " : "",
			 files[i].value);
		r = v2 ? group_write(layout->v2.fd, cgroup->v2, files[i].file, line)
		       : group_write(layout->v1[CONTROLLER_BLKIO].fd, cgroup->v1[CONTROLLER_BLKIO],
				     files[i].file, line);
	}
	return r;
}

int io_apply(struct cgroup *cgroup, const struct resources_spec *resources, struct error *err)
{
	int r = 0, weights = 0;

	if (!io_wanted(resources))
		return 0;
	if (cgroup->layout->v1[CONTROLLER_BLKIO].fd < 0 && !cgroup->layout->v2_controllers)
		return error_set(err, ENOENT,
				 "blkio_config: this machine has no io controller for containers");
	if (resources->block_weight)
		weights = apply_weight(cgroup, "", resources->block_weight);
	for (size_t i = 0; weights >= 0 && i < resources->block_weight_count; i++) {
		const struct block_limit *limit = &resources->block_weights[i];
		char device[32];

		snprintf(device, sizeof(device), "%u:%u", limit->major, limit->minor);
		weights = apply_weight(cgroup, device, limit->value);
	}
	if (weights < 0)
		log_warning("blkio_config: weights have no effect: no I/O scheduler of this "
			    "machine has them (bfq does)");
	for (size_t i = 0; r == 0 && i < resources->block_rate_count; i++)
		r = apply_rate(cgroup, &resources->block_rates[i], err);
	return r;
}
