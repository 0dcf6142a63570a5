// SPDX-License-Identifier: GPL-2.0
/*
 * QEMU, with the memslots of a virtio-mem device made and deleted as needed
 * (dynamic-memslots=on), or with one for all of it. The lab has unpacked it, with its
 * libraries and firmware, into a directory.
 */
#include <errno.h>
#include <stdio.h>

#include "bench.h"
#include "vmm.h"

#define QEMU "/lab/qemu"
/* Their QOM paths. */
#define DEVICE "vmem"
#define BACKEND "vmem-memory"

static int start(struct vmm *vmm)
{
	char size[64], memory[64], boot_memory[64], device[128], append[VMM_APPEND_SIZE];
	const char *const argv[] = {
		QEMU "/ld-linux-x86-64.so.2", "--library-path", QEMU,
		QEMU "/qemu-system-x86_64", "-L", QEMU, "-nodefaults", "-no-user-config",
		"-display", "none", "-accel", "kvm", "-cpu", "host", "-m", size,
		"-object", boot_memory, "-machine", "q35,memory-backend=boot",
		"-object", memory, "-device", device,
		"-kernel", LINUX_KERNEL, "-initrd", LINUX_INITRD, "-append", append,
		"-serial", "stdio", "-qmp", "unix:" VMM_CONTROL ",server=on,wait=off", NULL,
	};

	/* Room for any region that is measured. */
	snprintf(size, sizeof(size), "%s,maxmem=20G", vmm->machine->memory);
	/* There is no option for the size of pages; a memfd's are small by default. */
	snprintf(boot_memory, sizeof(boot_memory), "memory-backend-%s,id=boot,size=%s",
		 vmm->machine->small_pages ? "memfd" : "ram", vmm->machine->memory);
	snprintf(memory, sizeof(memory), "memory-backend-%s,id=" BACKEND ",reserve=off,size=%s",
		 vmm->mode->memory, vmm->machine->region);
	snprintf(device, sizeof(device), "virtio-mem-pci,id=" DEVICE ",memdev=" BACKEND
		 ",dynamic-memslots=%s,unplugged-inaccessible=on", vmm->mode->dynamic);
	vmm_append(vmm, append);
	return linux_start(&vmm->guest, argv);
}

/* Of an answer, which is not an event: an object to be put. */
static struct json_object *result(struct vmm *vmm, struct json_object *answer)
{
	struct json_object *value;

	while (!json_object_object_get_ex(answer, "return", &value)) {
		if (json_object_object_get_ex(answer, "error", &value)) {
			bench_say("%s", json_object_get_string(value));
			vmm_check(vmm, -EINVAL, "QMP");
		}
		json_object_put(answer);
		answer = vmm_listen(vmm);
	}
	json_object_get(value);
	json_object_put(answer);
	return value;
}

/* Executes a command, and gives its result, to be put. */
static struct json_object *command(struct vmm *vmm, const char *name, const char *arguments)
{
	return result(vmm, vmm_ask(vmm, "{\"execute\":\"%s\",\"arguments\":{%s}}\n", name,
				   arguments));
}

static void connect_qmp(struct vmm *vmm)
{
	/* What comes first is its greeting. */
	json_object_put(vmm_listen(vmm));
	json_object_put(command(vmm, "qmp_capabilities", ""));
}

static void set_requested_size(struct vmm *vmm, uint64_t size)
{
	char arguments[128];

	snprintf(arguments, sizeof(arguments),
		 "\"path\":\"" DEVICE "\",\"property\":\"requested-size\",\"value\":%llu",
		 (unsigned long long)size);
	json_object_put(command(vmm, "qom-set", arguments));
}

static uint64_t get_size(struct vmm *vmm)
{
	struct json_object *size;
	uint64_t value;

	size = command(vmm, "qom-get", "\"path\":\"" DEVICE "\",\"property\":\"size\"");
	value = json_object_get_uint64(size);
	json_object_put(size);
	return value;
}

const struct vmm_program vmm_qemu = {
	.path = QEMU "/qemu-system-x86_64",
	.start = start,
	.connect = connect_qmp,
	.set_requested_size = set_requested_size,
	.get_size = get_size,
};
