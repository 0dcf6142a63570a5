// SPDX-License-Identifier: GPL-2.0
/*
 * A hostile guest writes every unplugged page of a device, also of memslots that
 * have plugged blocks: how many pages does it gain?
 */
#include <errno.h>

#include "bench.h"

#define BLOCK (2 * MiB)
#define REGION (64 * MiB)
#define PAGE 4096

void bench_hostile(void)
{
	uint64_t offset, resident, nb_attempts = 0, nb_through = 0;
	struct kvm_vmem_get_info info;
	struct bench_device device;
	int ret;

	bench_create(&device, REGION, BLOCK);
	/* Every other block, so that the memslot is there. */
	for (offset = 0; offset < REGION; offset += 2 * BLOCK)
		bench_ack(vmem_plug(device.dev, BENCH_ADDR + offset, 1),
			  "PLUG");

	for (offset = 0; offset < REGION; offset += PAGE) {
		if (!(offset / BLOCK % 2))
			continue;
		nb_attempts++;
		ret = guest_write(&device.vm.vcpus[0], BENCH_ADDR + offset, 1);
		nb_through += ret != -EFAULT;
	}

	bench_check(vmem_get_info(device.dev, &info), "GET_INFO");
	bench_check(sysfs_read_u64(info.out_id, "resident", &resident),
		    "resident");
	bench_result("hostile_pages", "group", NULL,
		     (double)resident / PAGE + nb_through, "pages");
	bench_result("hostile_attempts", "group", NULL, nb_attempts, "writes");
	bench_result("hostile_violations", "group", NULL,
		     info.out_nb_violations, "faults");
	bench_destroy(&device);
}
