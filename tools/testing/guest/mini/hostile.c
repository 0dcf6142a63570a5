// SPDX-License-Identifier: GPL-2.0
#include "hostile.h"

#define FREE_RAM	(32 * MiB)
#define NOWHERE		0xc0000000
#define MEMSLOT		(128 * MiB)

static const char *chosen;
static char name[128], why[256];
static unsigned int nr_ok, nr_failed;
static void *end_of_test[5];

/* GROUP, GROUP/TEST or all. */
static bool is_chosen(void)
{
	const char *want = chosen, *have = name;

	if (streq(want, "all"))
		return true;
	while (*want && *want == *have) {
		want++;
		have++;
	}
	return !*want && (!*have || *have == '/');
}

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vformat(why, sizeof(why), format, args);
	va_end(args);
	__builtin_longjmp(end_of_test, 1);
}

static void begin(void)
{
	check(virtio_start(&vmem), "does not start");
	check(vmem_unplug_all() == VIRTIO_MEM_RESP_ACK, "cannot unplug all");
	/* So that all indices are 0. */
	check(virtio_start(&vmem), "does not start again");
}

static void recover(void)
{
	check(virtio_start(&vmem), "cannot be brought back by a reset");
	check(vmem_state(0, 1) != NO_RESPONSE, "does not answer after a reset");
	check(rng_works(), "the other device does not work");
}

static bool succeeds(void (*run)(const void *arg), const void *arg)
{
	if (__builtin_setjmp(end_of_test))
		return false;
	begin();
	run(arg);
	recover();
	return true;
}

void run_test(const char *group, const char *test, void (*run)(const void *arg), const void *arg)
{
	format_into(name, sizeof(name), "%s/%s", group, test);
	if (!is_chosen())
		return;
	if (succeeds(run, arg)) {
		nr_ok++;
		print("mini: %s: ok\n", name);
	} else {
		nr_failed++;
		print("mini: %s: FAILED %s\n", name, why);
	}
}

static void call(const void *arg)
{
	const struct test *test = arg;

	test->run();
}

void run_tests(const char *group, const struct test *tests, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		run_test(group, tests[i].name, call, &tests[i]);
}

void expect_fault(struct virtio_device *dev, uint16_t used)
{
	uint32_t status;

	check(virtio_await_reset(dev), "no reset is asked for: status 0x%x, used %u",
	      virtio_read(dev, VIRTIO_MMIO_STATUS), dev->used->idx);
	status = virtio_read(dev, VIRTIO_MMIO_STATUS);
	if (status & VIRTIO_CONFIG_S_DRIVER_OK)
		check(virtio_read(dev, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG,
		      "no interrupt for the reset that is asked for");
	check(READ_ONCE(dev->used->idx) == used, "used %u, not %u", dev->used->idx, used);

	virtio_notify(dev);
	wait_us(MOMENT_US);
	check(READ_ONCE(dev->used->idx) == used, "goes on without a reset");
	check(virtio_needs_reset(dev), "asks for a reset no longer");
}

void expect_silence(const struct virtio_device *dev, uint16_t used)
{
	wait_us(MOMENT_US);
	check(READ_ONCE(dev->used->idx) == used, "used %u, not %u", dev->used->idx, used);
	check(!virtio_needs_reset(dev), "a reset is asked for");
}

void expect_answers(void)
{
	check(!virtio_needs_reset(&vmem), "a reset is asked for");
	check(vmem_state(0, 1) != NO_RESPONSE, "does not answer");
}

uint64_t place(enum place place)
{
	switch (place) {
	case IN_RAM:
		return FREE_RAM;
	case RAM_END:
		return boot_ram_end();
	case NOTHING:
		return NOWHERE;
	case ADDRESS_END:
		return 0;
	case REGISTERS:
		return vmem.base;
	case UNPLUGGED:
		return block(4);
	case UNUSABLE:
		return config.addr + config.usable_region_size;
	case REGION_START:
		return config.addr;
	case REGION_END:
		return config.addr + config.region_size;
	case PLUGGED:
		return block(1);
	case PLUGGED_END:
		return block(2);
	case BLOCK_BORDER:
		return block(1);
	case MEMSLOT_BORDER:
		return config.addr + MEMSLOT;
	}
	return 0;
}

bool plug_places(void)
{
	uint64_t border = MEMSLOT / config.block_size;

	map(config.addr, MEMSLOT + config.block_size);
	return vmem_plug(0, 2) == VIRTIO_MEM_RESP_ACK &&
	       vmem_plug(border - 1, 2) == VIRTIO_MEM_RESP_ACK;
}

/*
 * What a device finds if it looks beyond the end of its table are good chains, so
 * that nothing but its own check keeps it from them.
 */
static void use_large_table(void)
{
	struct vring_desc *table = (struct vring_desc *)(FREE_RAM + 16 * MiB);
	uint32_t i;

	for (i = 0; i <= UINT16_MAX; i += 2) {
		table[i] = (struct vring_desc){
			.addr = (uint64_t)&request, .len = sizeof(request),
			.flags = VRING_DESC_F_NEXT, .next = i + 1,
		};
		table[i + 1] = (struct vring_desc){
			.addr = (uint64_t)&response, .len = sizeof(response),
			.flags = VRING_DESC_F_WRITE,
		};
	}
	vmem.queue.desc = (uint64_t)table;
}

void run_hostile(const char *tests)
{
	chosen = tests;
	map(config.addr, 4 * config.block_size);
	use_large_table();
	hostile_registers();
	hostile_features();
	hostile_setup();
	hostile_ring();
	hostile_chains();
	hostile_requests();
	hostile_memory();
	hostile_fuzz();
	print("mini: hostile: %u ok, %u failed\n", nr_ok, nr_failed);
}
