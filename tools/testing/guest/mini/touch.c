// SPDX-License-Identifier: GPL-2.0
/*
 * Accesses to a block that is not plugged, while its neighbour is, so that both
 * may be in one memslot: the machine should end there.
 *
 *   touch=read|write|string|execute|stack|tables|far
 *
 * "far" is the region's end, where no memslot has been.
 */
#include "devices.h"

#define FIRST	1	/* block */

static void call(uint64_t addr)
{
	((void (*)(void))addr)();
}

static void use_stack(uint64_t addr)
{
	asm volatile("mov %0, %%rsp; push $0" : : "r"(addr + PAGE) : "memory");
}

static void read_string(uint64_t addr)
{
	uint64_t count = 16;

	/* By KVM's own emulation, not by the CPU. */
	asm volatile("rep outsb" : "+S"(addr), "+c"(count) : "d"((uint16_t)0x3ff) : "memory");
}

void run_touch(const char *how)
{
	uint64_t addr = block(FIRST) + PAGE;

	if (vmem_plug(0, 1) != VIRTIO_MEM_RESP_ACK) {
		print("mini: touch: FAILED cannot plug\n");
		return;
	}
	if (streq(how, "far"))
		addr = config.addr + config.region_size - PAGE;
	map(block(0), 2 * config.block_size);
	map(addr, PAGE);
	mmio_write64(block(0), 1);
	print("mini: touch: %s 0x%llx\n", how, (unsigned long long)addr);
	if (streq(how, "read") || streq(how, "far"))
		mmio_read64(addr);
	else if (streq(how, "write"))
		mmio_write64(addr, 1);
	else if (streq(how, "string"))
		read_string(addr);
	else if (streq(how, "execute"))
		call(addr);
	else if (streq(how, "stack"))
		use_stack(addr);
	else if (streq(how, "tables"))
		load_page_tables(addr);
	print("mini: touch: goes on\n");
}
