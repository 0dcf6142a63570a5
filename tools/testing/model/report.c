// SPDX-License-Identifier: GPL-2.0
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include <json-c/json.h>

void report_failure(const struct failure *failure)
{
	char line[1024];

	printf("difference, after: %s\n", op_print(&failure->op, line, sizeof(line)));
	if (failure->seen_by != failure->op.kind)
		printf("seen by: %s\n", op_name(failure->seen_by));
	printf("%s\n", failure->difference.text);
}

void report_script(const struct script *script, uint64_t seed, unsigned int nr_threads)
{
	char line[1024];
	size_t i;

	printf("# vmem-model: --replay this; of seed %" PRIu64 ", %u thread%s\n", seed, nr_threads,
	       nr_threads == 1 ? "" : "s");
	for (i = 0; i < script->nr; i++)
		printf("%s\n", op_print(&script->ops[i], line, sizeof(line)));
	printf("# end of the script: %zu operations\n", script->nr);
}

void report_counts(const struct counts *counts)
{
	unsigned int i, j;

	for (i = 0; i < NR_OPS; i++) {
		if (!counts->by_kind[i].nr)
			continue;
		printf("%-16s", op_name(i));
		for (j = 0; j < counts->by_kind[i].nr; j++)
			printf(" %s:%" PRIu64, counts->by_kind[i].outcomes[j].name,
			       counts->by_kind[i].outcomes[j].count);
		printf("\n");
	}
	printf("operations: %" PRIu64 ", differences: %" PRIu64 "\n", counts->nr_run,
	       counts->nr_differences);
}

static struct json_object *outcomes_json(const struct counts *counts, unsigned int kind)
{
	struct json_object *object = json_object_new_object();
	unsigned int i;

	for (i = 0; i < counts->by_kind[kind].nr; i++)
		json_object_object_add(object, counts->by_kind[kind].outcomes[i].name,
				       json_object_new_uint64(counts->by_kind[kind].outcomes[i]
							      .count));
	return object;
}

void report_counts_as_json(const struct counts *counts, uint64_t seed)
{
	struct json_object *root = json_object_new_object();
	struct json_object *kinds = json_object_new_object();
	unsigned int i;

	for (i = 0; i < NR_OPS; i++)
		if (counts->by_kind[i].nr)
			json_object_object_add(kinds, op_name(i), outcomes_json(counts, i));
	json_object_object_add(root, "seed", json_object_new_uint64(seed));
	json_object_object_add(root, "operations", json_object_new_uint64(counts->nr_run));
	json_object_object_add(root, "differences", json_object_new_uint64(counts->nr_differences));
	json_object_object_add(root, "answers", kinds);
	printf("%s\n", json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN));
	json_object_put(root);
}
