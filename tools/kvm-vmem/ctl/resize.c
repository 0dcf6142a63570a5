// SPDX-License-Identifier: GPL-2.0
/* vmemctl resize: asks a guest for another size. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "names.h"
#include "size.h"
#include "wait.h"

static const char *const outcome_names[] = {
	[OUTCOME_REACHED] = "reached",
	[OUTCOME_STALLED] = "stalled",
	[OUTCOME_TIMEOUT] = "timeout",
	[OUTCOME_REPLACED] = "replaced",
	[OUTCOME_FAILED] = "failed",
};

static int not_a_multiple(const struct device *device, uint64_t target)
{
	uint64_t block = device->facts[FACT_BLOCK_SIZE];
	uint64_t below = target - target % block;

	return fail(STATUS_USAGE,
		    "%s is no multiple of the block size of %s, which is %s; the nearest are %s and %s",
		    format_exact(target).text, device->name, format_exact(block).text,
		    format_exact(below).text, format_exact(below + block).text);
}

/* Relative sizes are relative to what the guest was asked for last. */
static int find_target(const struct device *device, const struct new_size *size,
		       uint64_t *target)
{
	uint64_t requested = device->facts[FACT_REQUESTED_SIZE];
	uint64_t region = device->facts[FACT_REGION_SIZE];
	uint64_t block = device->facts[FACT_BLOCK_SIZE];

	if (!block || region % block || requested > region)
		return fail(STATUS_FAILED, "%s makes no sense: blocks of %s, %s of %s requested",
			    device->name, format_exact(block).text, format_exact(requested).text,
			    format_exact(region).text);
	if (size->sign == '-' && size->bytes > requested)
		return fail(STATUS_USAGE,
			    "%s is asked for %s only, which is less than the %s to take",
			    device->name, format_exact(requested).text,
			    format_exact(size->bytes).text);
	if (size->bytes > (size->sign == '+' ? region - requested : region))
		return fail(STATUS_USAGE,
			    "%s%s is more than %s can have: its region is %s, it is asked for %s",
			    size->sign == '+' ? "+" : "", format_exact(size->bytes).text,
			    device->name, format_exact(region).text,
			    format_exact(requested).text);
	*target = size->sign == '+' ? requested + size->bytes :
		  size->sign == '-' ? requested - size->bytes : size->bytes;
	return *target % block ? not_a_multiple(device, *target) : 0;
}

static int request_failed(const struct device *device, int error)
{
	const char *path = device->class->path;

	switch (error) {
	case -EACCES:
	case -EPERM:
		return fail(STATUS_PERMISSION,
			    "no permission to write %s/%s/requested_size: only root may, so try sudo (the group kvm may open /dev/kvm-vmem, as a VMM does, but not resize here)",
			    path, device->name);
	case -EROFS:
		return fail(STATUS_PERMISSION,
			    "%s cannot be written here, as in a container: resize on the host, as root",
			    path);
	case -EBUSY:
		return fail(STATUS_FAILED, "%s is being removed from its VM and cannot be resized",
			    device->name);
	case -EINVAL:
		return fail(STATUS_FAILED, "the module refuses this size for %s", device->name);
	}
	return device_failed(device, error);
}

/* Why a guest got no further, by what it was answered meanwhile. */
static const char *guess(struct device *device, const uint64_t *before)
{
	uint64_t now[NR_FACTS];
	bool moved = false;
	unsigned int fact;

	for (fact = FACT_ACKS; fact <= FACT_ERRORS; fact++) {
		if (device_read_fact(device, fact))
			return "its counters cannot be read";
		now[fact] = device->facts[fact];
		moved |= now[fact] != before[fact];
	}
	if (!moved)
		return "it made no request: has it a virtio_mem driver, and does its VMM tell it?";
	if (now[FACT_ERRORS] != before[FACT_ERRORS])
		return "a request was answered ERROR: Linux then gives the device up";
	if (now[FACT_BUSIES] != before[FACT_BUSIES])
		return "a request was answered BUSY: the host failed, and Linux waits a minute";
	if (device->facts[FACT_SIZE] > device->facts[FACT_REQUESTED_SIZE])
		return "it can free no more, it seems";
	return "the rest is less than it can use, it seems";
}

static int explain(struct wait *wait, enum outcome outcome, const uint64_t *before,
		   const struct options *options)
{
	const uint64_t *facts = wait->device->facts;
	char *way = way_text(wait);
	int status = 0;

	switch (outcome) {
	case OUTCOME_REACHED:
		break;
	case OUTCOME_STALLED:
		status = fail(STATUS_STALLED, "%s stalled at %s for %g s: %s", wait->title, way,
			      options->stall_ms / 1000.0, guess(wait->device, before));
		break;
	case OUTCOME_TIMEOUT:
		status = fail(STATUS_STALLED, "%s is at %s after %g s, and goes on",
			      wait->title, way, options->timeout_ms / 1000.0);
		break;
	case OUTCOME_REPLACED:
		status = fail(STATUS_FAILED, "%s, at %s, was asked for %s by somebody else",
			      wait->title, format_size(facts[FACT_SIZE]).text,
			      format_size(facts[FACT_REQUESTED_SIZE]).text);
		break;
	case OUTCOME_FAILED:
		status = device_failed(wait->device, wait->error);
		break;
	}
	free(way);
	return status;
}

static struct json_object *json_result(const struct device *device, const char *result)
{
	struct json_object *object = json_device_names(device);

	json_add_number(object, "requested_size", device->facts[FACT_REQUESTED_SIZE]);
	json_add_number(object, "size", device->facts[FACT_SIZE]);
	json_add_text(object, "result", result);
	return object;
}

static int resize_and_wait(struct device *device, uint64_t target, const struct options *options)
{
	char *title = device_title(device);
	struct wait wait = { .device = device, .title = title, .target = target };
	uint64_t before[NR_FACTS];
	struct json_object *object;
	enum outcome outcome;
	int ret, json_ret = 0;

	memcpy(before, device->facts, sizeof(before));
	outcome = wait_for_guest(&wait, options);
	if (options->json) {
		object = json_result(device, outcome_names[outcome]);
		json_add_seconds(object, "seconds", now_ms() - wait.started_ms);
		json_ret = json_print(object, false);
	}
	ret = explain(&wait, outcome, before, options);
	free(title);
	return ret ?: json_ret ?: flush();
}

static int say_requested(const struct device *device)
{
	char *title = device_title(device);

	printf("%s: asked for %s, has %s\n", title,
	       format_size(device->facts[FACT_REQUESTED_SIZE]).text,
	       format_size(device->facts[FACT_SIZE]).text);
	free(title);
	return flush();
}

static int resize(struct device *device, const struct options *options)
{
	struct new_size size;
	uint64_t target = 0;
	int ret;

	ret = parse_size(options->words[1], &size);
	if (!ret)
		ret = find_target(device, &size, &target);
	if (ret)
		return ret;
	if (options->wait)
		wait_catch_signals();
	ret = device_write_requested_size(device, target);
	if (ret)
		return request_failed(device, ret);
	device->facts[FACT_REQUESTED_SIZE] = target;
	if (options->wait)
		return resize_and_wait(device, target, options);
	return options->json ? json_print(json_result(device, "requested"), false) :
			       say_requested(device);
}

int cmd_resize(const struct options *options)
{
	return with_device(options, resize);
}
