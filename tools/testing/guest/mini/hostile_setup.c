// SPDX-License-Identifier: GPL-2.0
/* Queues as no driver sets them up, and notifications of what is not there. */
#include "hostile.h"

#define GROUP	"setup"

enum part {
	DESC,
	AVAIL,
	USED,
};

/* One part of the queue is elsewhere; all else is as it should be. */
struct ring_case {
	const char *name;
	enum part part;
	enum place place;
	int64_t offset;
};

static const struct ring_case ring_cases[] = {
	{ "descriptors_that_are_not_aligned", DESC, IN_RAM, 8 },
	{ "descriptors_at_an_odd_address", DESC, IN_RAM, 1 },
	{ "descriptors_at_the_end_of_ram", DESC, RAM_END, 0 },
	{ "descriptors_across_the_end_of_ram", DESC, RAM_END, -16 },
	{ "descriptors_nowhere", DESC, NOTHING, 0 },
	{ "descriptors_in_registers", DESC, REGISTERS, 0 },
	{ "descriptors_at_the_end_of_addresses", DESC, ADDRESS_END, -16 },
	{ "descriptors_in_an_unplugged_block", DESC, UNPLUGGED, 0 },
	{ "descriptors_that_run_into_an_unplugged_block", DESC, PLUGGED_END, -16 },
	{ "descriptors_that_run_out_of_the_region", DESC, REGION_END, -16 },
	{ "descriptors_in_the_unusable_region", DESC, UNUSABLE, 0 },
	{ "avail_at_an_odd_address", AVAIL, IN_RAM, 1 },
	{ "avail_at_the_end_of_ram", AVAIL, RAM_END, 0 },
	{ "avail_across_the_end_of_ram", AVAIL, RAM_END, -4 },
	{ "avail_nowhere", AVAIL, NOTHING, 0 },
	{ "avail_in_registers", AVAIL, REGISTERS, 0 },
	{ "avail_at_the_end_of_addresses", AVAIL, ADDRESS_END, -4 },
	{ "avail_in_an_unplugged_block", AVAIL, UNPLUGGED, 0 },
	{ "avail_that_runs_into_an_unplugged_block", AVAIL, PLUGGED_END, -4 },
	{ "avail_that_runs_into_the_region", AVAIL, REGION_START, -4 },
	{ "used_that_is_not_aligned", USED, IN_RAM, 2 },
	{ "used_at_an_odd_address", USED, IN_RAM, 1 },
	{ "used_at_the_end_of_ram", USED, RAM_END, 0 },
	{ "used_across_the_end_of_ram", USED, RAM_END, -4 },
	{ "used_nowhere", USED, NOTHING, 0 },
	{ "used_in_registers", USED, REGISTERS, 0 },
	{ "used_at_the_end_of_addresses", USED, ADDRESS_END, -4 },
	{ "used_in_an_unplugged_block", USED, UNPLUGGED, 0 },
	{ "used_that_runs_into_an_unplugged_block", USED, PLUGGED_END, -4 },
};

struct size_case {
	const char *name;
	uint32_t size;
	bool works;
};

static const struct size_case size_cases[] = {
	{ "no_entry", 0, false },
	{ "two_entries", 2, true },
	{ "three_entries", 3, false },
	{ "four_entries", 4, true },
	{ "127_entries", 127, false },
	{ "128_entries", 128, true },
	{ "256_entries", 256, false },
	{ "32768_entries", 32768, false },
	{ "65536_entries", 65536, false },
	{ "entries_of_which_16_bits_are_left", 65536 + 2, false },
	{ "entries_without_end", ~0U, false },
	{ "entries_that_are_negative", 1U << 31, false },
};

/* Without touching rings that are not there. */
static void set_ready(const struct virtio_queue *queue)
{
	virtio_reset(&vmem);
	virtio_negotiate(&vmem, vmem.features);
	virtio_set_queue(&vmem, queue);
	vmem.size = vmem.queue.size;
	vmem.desc = (struct vring_desc *)vmem.queue.desc;
	vmem.avail = (struct vring_avail *)vmem.queue.avail;
	vmem.used = (struct vring_used *)vmem.queue.used;
	virtio_set_ready(&vmem);
	virtio_drive(&vmem);
}

static void check_refused_or_fault(void)
{
	bool refused = virtio_needs_reset(&vmem);

	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	check(virtio_await_reset(&vmem), "no reset is asked for");
	if (!refused)
		expect_fault(&vmem, 0);
	check(!READ_ONCE(vmem.used->idx), "the ring that is not its own was used");
}

static void run_ring_case(const void *arg)
{
	const struct ring_case *c = arg;
	struct virtio_queue queue = vmem.queue;
	uint64_t addr = place(c->place) + c->offset;

	check(plug_places(), "cannot plug");
	if (c->part == DESC)
		queue.desc = addr;
	else if (c->part == AVAIL)
		queue.avail = addr;
	else
		queue.used = addr;
	set_ready(&queue);
	check_refused_or_fault();
}

static void run_size_case(const void *arg)
{
	const struct size_case *c = arg;
	struct virtio_queue queue = vmem.queue;

	queue.size = c->size;
	set_ready(&queue);
	if (c->works) {
		vmem.size = c->size;
		expect_answers();
		expect_answers();
		expect_answers();
		return;
	}
	check(!virtio_read(&vmem, VIRTIO_MMIO_QUEUE_READY), "the queue is ready");
	check_refused_or_fault();
}

static void the_queue_may_be_in_plugged_memory(void)
{
	struct virtio_queue queue = vmem.queue;
	unsigned int i;

	check(plug_places(), "cannot plug");
	queue.desc = place(PLUGGED) + PAGE;
	queue.avail = place(BLOCK_BORDER) - 8;
	queue.used = place(MEMSLOT_BORDER) - 8;
	virtio_reset(&vmem);
	virtio_negotiate(&vmem, vmem.features);
	virtio_set_queue(&vmem, &queue);
	virtio_set_ready(&vmem);
	virtio_drive(&vmem);
	for (i = 0; i < 2U * vmem.size; i++)
		expect_answers();
}

/* There is no queue 1, and asking for it does nothing to queue 0. */
static void another_queue_is_not_there(void)
{
	static const uint32_t others[] = { 1, 2, 0x10000, 0x80000000, 0xffffffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_SEL, others[i]);
		check(!virtio_read(&vmem, VIRTIO_MMIO_QUEUE_NUM_MAX), "queue 0x%x", others[i]);
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_NUM, 4);
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_READY, 1);
		check(!virtio_read(&vmem, VIRTIO_MMIO_QUEUE_READY), "0x%x is ready", others[i]);
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_READY, 0);
	}
	virtio_write(&vmem, VIRTIO_MMIO_QUEUE_SEL, 0);
	check(virtio_read(&vmem, VIRTIO_MMIO_QUEUE_READY), "queue 0 is not ready");
	expect_answers();
}

static void a_ready_queue_stays_where_it_is(void)
{
	struct virtio_queue elsewhere = {
		.desc = place(NOTHING), .avail = place(NOTHING), .used = place(NOTHING),
		.size = 3,
	};
	struct virtio_device dev = vmem;

	virtio_set_queue(&dev, &elsewhere);
	virtio_write(&vmem, VIRTIO_MMIO_QUEUE_READY, 1);
	expect_answers();
}

static void a_queue_that_is_not_ready_is_left_alone(void)
{
	virtio_reset(&vmem);
	virtio_negotiate(&vmem, vmem.features);
	virtio_set_queue(&vmem, &vmem.queue);
	virtio_drive(&vmem);
	vmem.used->idx = 0;
	vmem.avail->idx = 0;
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	expect_silence(&vmem, 0);
}

static void a_queue_that_is_taken_back_is_left_alone(void)
{
	expect_answers();
	virtio_write(&vmem, VIRTIO_MMIO_QUEUE_READY, 0);
	check(!virtio_read(&vmem, VIRTIO_MMIO_QUEUE_READY), "still ready");
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	expect_silence(&vmem, vmem.avail->idx - 1);
}

static void a_device_that_is_not_driven_is_silent(void)
{
	virtio_reset(&vmem);
	virtio_negotiate(&vmem, vmem.features);
	virtio_set_queue(&vmem, &vmem.queue);
	virtio_set_ready(&vmem);
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	expect_silence(&vmem, 0);
	virtio_drive(&vmem);
	virtio_notify(&vmem);
	check(virtio_await(&vmem, 1), "does not answer once it is driven");
}

static void a_device_after_a_reset_is_silent(void)
{
	uint16_t used;

	expect_answers();
	virtio_reset(&vmem);
	used = vmem.used->idx;
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	expect_silence(&vmem, used);
	check(!virtio_read(&vmem, VIRTIO_MMIO_STATUS), "status");
}

static void a_reset_ends_what_was_asked_for(void)
{
	uint16_t used, i, j;

	for (i = 0; i < 50; i++) {
		vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
		for (j = 0; j < vmem.size; j++)
			virtio_offer(&vmem, 0);
		virtio_notify(&vmem);
		wait_us(i * 20);
		virtio_reset(&vmem);
		used = READ_ONCE(vmem.used->idx);
		wait_us(200);
		check(READ_ONCE(vmem.used->idx) == used, "goes on after a reset");
		check(virtio_start(&vmem), "does not start again");
	}
}

static void a_notification_of_another_queue_is_none(void)
{
	static const uint32_t others[] = { 1, 2, 0xffff, 0x10000, 0x80000000, 0xffffffff };
	unsigned int i;

	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_offer(&vmem, 0);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		virtio_write(&vmem, VIRTIO_MMIO_QUEUE_NOTIFY, others[i]);
	expect_silence(&vmem, 0);
	virtio_notify(&vmem);
	check(virtio_await(&vmem, 1), "does not answer");
}

static void a_notification_of_another_width_is_none(void)
{
	uint64_t reg = vmem.base + VIRTIO_MMIO_QUEUE_NOTIFY;

	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_offer(&vmem, 0);
	mmio_write8(reg, 0);
	mmio_write16(reg, 0);
	mmio_write64(reg, 0);
	mmio_write64(reg - 4, 0);
	mmio_write32(reg + 1, 0);
	expect_silence(&vmem, 0);
	virtio_notify(&vmem);
	check(virtio_await(&vmem, 1), "does not answer");
}

static void notifications_of_nothing_do_nothing(void)
{
	unsigned int i;

	expect_answers();
	for (i = 0; i < 1000; i++)
		virtio_notify(&vmem);
	expect_silence(&vmem, vmem.avail->idx);
}

static const struct test tests[] = {
	{ "the_queue_may_be_in_plugged_memory", the_queue_may_be_in_plugged_memory },
	{ "another_queue_is_not_there", another_queue_is_not_there },
	{ "a_ready_queue_stays_where_it_is", a_ready_queue_stays_where_it_is },
	{ "a_queue_that_is_not_ready_is_left_alone", a_queue_that_is_not_ready_is_left_alone },
	{ "a_queue_that_is_taken_back_is_left_alone",
	  a_queue_that_is_taken_back_is_left_alone },
	{ "a_device_that_is_not_driven_is_silent", a_device_that_is_not_driven_is_silent },
	{ "a_device_after_a_reset_is_silent", a_device_after_a_reset_is_silent },
	{ "a_reset_ends_what_was_asked_for", a_reset_ends_what_was_asked_for },
	{ "a_notification_of_another_queue_is_none", a_notification_of_another_queue_is_none },
	{ "a_notification_of_another_width_is_none", a_notification_of_another_width_is_none },
	{ "notifications_of_nothing_do_nothing", notifications_of_nothing_do_nothing },
};

void hostile_setup(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ring_cases); i++)
		run_test(GROUP, ring_cases[i].name, run_ring_case, &ring_cases[i]);
	for (i = 0; i < ARRAY_SIZE(size_cases); i++)
		run_test(GROUP, size_cases[i].name, run_size_case, &size_cases[i]);
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
