// SPDX-License-Identifier: GPL-2.0
#include <json-c/json.h>

#include "memory.h"
#include "migrate.h"
#include "migrate_report.h"
#include "vmm.h"

static const char *const states[] = {
	[MIGRATE_NONE] = "none",
	[MIGRATE_ACTIVE] = "active",
	[MIGRATE_HANDOVER] = "handover",
	[MIGRATE_COMPLETED] = "completed",
	[MIGRATE_FAILED] = "failed",
	[MIGRATE_CANCELLED] = "cancelled",
	[MIGRATE_UNDECIDED] = "undecided",
};

static void add_text(struct json_object *report, const char *name, const char *text)
{
	json_object_object_add(report, name, json_object_new_string(text));
}

static void add_number(struct json_object *report, const char *name, uint64_t value)
{
	json_object_object_add(report, name, json_object_new_uint64(value));
}

struct json_object *migrate_report(void)
{
	struct json_object *report = json_object_new_object();
	const struct precopy_progress *progress;
	struct migrate_status status;

	migrate_get_status(&status);
	progress = status.progress;
	add_text(report, "state", states[status.state]);
	if (status.state == MIGRATE_NONE)
		return report;
	add_text(report, "target", status.target);
	if (*status.wrong)
		add_text(report, "error", status.wrong);
	add_number(report, "rounds", progress->nb_rounds);
	add_number(report, "memory_bytes", status.memory_size);
	add_number(report, "page_bytes", progress->nb_pages * MEMORY_PAGE);
	add_number(report, "zero_bytes", progress->nb_zeros * MEMORY_PAGE);
	add_number(report, "dirtied_bytes", progress->nb_dirtied * MEMORY_PAGE);
	add_number(report, "left_bytes", progress->nb_left * MEMORY_PAGE);
	add_number(report, "wire_bytes", progress->wire_bytes);
	add_number(report, "bytes_per_second", progress->bytes_per_second);
	add_number(report, "expected_downtime_ms", progress->expected_downtime_ms);
	add_number(report, "elapsed_ms", status.elapsed_ms);
	if (status.state != MIGRATE_ACTIVE)
		add_number(report, "downtime_ms", status.downtime_ms);
	return report;
}

void migrate_say_completed(void)
{
	struct json_object *report;
	struct migrate_status status;

	migrate_get_status(&status);
	if (status.state != MIGRATE_COMPLETED)
		return;
	report = migrate_report();
	complain("migrated: %s", json_object_to_json_string_ext(report, JSON_C_TO_STRING_PLAIN));
	json_object_put(report);
}
