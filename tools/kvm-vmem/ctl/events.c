// SPDX-License-Identifier: GPL-2.0
#include "watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "json.h"
#include "size.h"

static const char *const event_names[] = {
	[EVENT_PRESENT] = "present",
	[EVENT_ADDED] = "added",
	[EVENT_REMOVED] = "removed",
	[EVENT_SIZE] = "size",
	[EVENT_REQUESTED_SIZE] = "requested_size",
	[EVENT_MEMSLOTS] = "memslots",
	[EVENT_VIOLATION] = "violation",
};

static struct timespec wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now;
}

static char *describe(const struct device *device, enum event event, const uint64_t *before)
{
	const uint64_t *facts = device->facts;

	switch (event) {
	case EVENT_PRESENT:
	case EVENT_ADDED:
		return text("%s: size %s, requested %s, region %s",
			    event == EVENT_ADDED ? "is new" : "is there",
			    format_size(facts[FACT_SIZE]).text,
			    format_size(facts[FACT_REQUESTED_SIZE]).text,
			    format_size(facts[FACT_REGION_SIZE]).text);
	case EVENT_REMOVED:
		return text("is gone");
	case EVENT_SIZE:
		return text("size %s -> %s, requested %s", format_size(before[FACT_SIZE]).text,
			    format_size(facts[FACT_SIZE]).text,
			    format_size(facts[FACT_REQUESTED_SIZE]).text);
	case EVENT_REQUESTED_SIZE:
		return text("requested size %s -> %s, size %s",
			    format_size(before[FACT_REQUESTED_SIZE]).text,
			    format_size(facts[FACT_REQUESTED_SIZE]).text,
			    format_size(facts[FACT_SIZE]).text);
	case EVENT_MEMSLOTS:
		return text("memslots %" PRIu64 " active -> %" PRIu64 ", %" PRIu64
			    " idle -> %" PRIu64, before[FACT_MEMSLOTS_ACTIVE],
			    facts[FACT_MEMSLOTS_ACTIVE], before[FACT_MEMSLOTS_IDLE],
			    facts[FACT_MEMSLOTS_IDLE]);
	case EVENT_VIOLATION:
		break;
	}
	return text("VIOLATION: %" PRIu64 " more, %" PRIu64
		    " in all, the last at offset 0x%" PRIx64,
		    facts[FACT_VIOLATIONS] - before[FACT_VIOLATIONS],
		    facts[FACT_VIOLATIONS], facts[FACT_LAST_VIOLATION]);
}

static int tell_people(const struct device *device, enum event event, const uint64_t *before)
{
	char *title = device_title(device), *description = describe(device, event, before);
	struct timespec now = wall_clock();
	char date[32];
	struct tm tm;

	strftime(date, sizeof(date), "%H:%M:%S", localtime_r(&now.tv_sec, &tm));
	printf("%s.%03ld %s %s\n", date, now.tv_nsec / 1000000, title, description);
	free(description);
	free(title);
	return flush();
}

static void add_change(struct json_object *object, const struct device *device, enum fact fact,
		       const uint64_t *before)
{
	char *previous = text("previous_%s", fact_files[fact]);

	json_add_number(object, fact_files[fact], device->facts[fact]);
	json_add_number(object, previous, before[fact]);
	free(previous);
}

static int tell_json(const struct device *device, enum event event, const uint64_t *before)
{
	struct timespec now = wall_clock();
	struct json_object *object = must(json_object_new_object());

	json_add_seconds(object, "time", now.tv_sec * 1000LL + now.tv_nsec / 1000000);
	json_add_text(object, "event", event_names[event]);
	json_add_text(object, "name", device->name);
	json_add_text(object, "label", device->label);
	switch (event) {
	case EVENT_PRESENT:
	case EVENT_ADDED:
		json_add(object, "device", json_device(device));
		break;
	case EVENT_REMOVED:
		break;
	case EVENT_SIZE:
		add_change(object, device, FACT_SIZE, before);
		json_add_number(object, "requested_size", device->facts[FACT_REQUESTED_SIZE]);
		break;
	case EVENT_REQUESTED_SIZE:
		add_change(object, device, FACT_REQUESTED_SIZE, before);
		json_add_number(object, "size", device->facts[FACT_SIZE]);
		break;
	case EVENT_MEMSLOTS:
		add_change(object, device, FACT_MEMSLOTS_ACTIVE, before);
		add_change(object, device, FACT_MEMSLOTS_IDLE, before);
		break;
	case EVENT_VIOLATION:
		add_change(object, device, FACT_VIOLATIONS, before);
		json_add_number(object, "last_violation", device->facts[FACT_LAST_VIOLATION]);
		break;
	}
	return json_print(object, true);
}

int tell_event(const struct device *device, enum event event, const uint64_t *before, bool json)
{
	return json ? tell_json(device, event, before) : tell_people(device, event, before);
}
