// SPDX-License-Identifier: GPL-2.0
/* vmem-vmm: it has the modes group, static and dynamic-user. */
#include <errno.h>
#include <stdio.h>

#include "bench.h"
#include "vmm.h"

static int start(struct vmm *vmm)
{
	char memory[64], append[VMM_APPEND_SIZE];
	const char *const argv[] = {
		"vmem-vmm", "--kernel", LINUX_KERNEL, "--initrd", LINUX_INITRD,
		"--append", append, "--memory", memory, "--vmem",
		vmm->machine->region, "--vmem-mode", vmm->mode->memory,
		"--control", VMM_CONTROL, NULL,
	};

	snprintf(memory, sizeof(memory), "%s%s", vmm->machine->memory,
		 vmm->machine->small_pages ? ",hugepages=off" : "");
	vmm_append(vmm, append);
	return linux_start(&vmm->guest, argv);
}

static struct json_object *ask(struct vmm *vmm, const char *command)
{
	struct json_object *answer = vmm_ask(vmm, "%s\n", command);
	struct json_object *error;

	if (!json_object_object_get_ex(answer, "error", &error))
		return answer;
	bench_say("%s", json_object_get_string(error));
	vmm_check(vmm, -EINVAL, command);
	return NULL;
}

static void set_requested_size(struct vmm *vmm, uint64_t size)
{
	char command[64];

	snprintf(command, sizeof(command), "resize %llu", (unsigned long long)size);
	json_object_put(ask(vmm, command));
}

static uint64_t get_size(struct vmm *vmm)
{
	struct json_object *answer = ask(vmm, "info"), *vmems, *size = NULL;
	uint64_t value;

	if (!json_object_object_get_ex(answer, "vmem", &vmems) ||
	    !json_object_object_get_ex(json_object_array_get_idx(vmems, 0), "size", &size))
		vmm_check(vmm, -EPROTO, "info");
	value = json_object_get_uint64(size);
	json_object_put(answer);
	return value;
}

const struct vmm_program vmm_vmem = {
	.path = "vmem-vmm",
	.start = start,
	.set_requested_size = set_requested_size,
	.get_size = get_size,
};
