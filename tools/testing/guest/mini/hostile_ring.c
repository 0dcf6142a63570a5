// SPDX-License-Identifier: GPL-2.0
/* The ring of available chains: its index, its entries, its flags. */
#include "hostile.h"

#define GROUP	"ring"

/* The index after a good request is 1. */
static void check_index_faults(uint16_t idx)
{
	expect_answers();
	vmem_prepare(VIRTIO_MEM_REQ_PLUG, block(0), 1);
	WRITE_ONCE(vmem.avail->idx, idx);
	virtio_notify(&vmem);
	expect_fault(&vmem, 1);
	check(response.type == 0xffff, "there is a response");
}

static void an_index_one_too_many_ahead(void)
{
	check_index_faults(1 + vmem.size + 1);
}

static void an_index_far_ahead(void)
{
	check_index_faults(0x8001);
}

static void an_index_that_goes_back(void)
{
	check_index_faults(0);
}

static void check_head_faults(uint16_t head)
{
	vmem_prepare(VIRTIO_MEM_REQ_PLUG, block(0), 1);
	virtio_submit(&vmem, head);
	expect_fault(&vmem, 0);
}

static void a_head_at_the_end_of_the_table(void)
{
	check_head_faults(vmem.size);
}

static void a_head_that_is_right_modulo_the_size(void)
{
	check_head_faults(4 * vmem.size);
}

static void a_head_of_65534(void)
{
	check_head_faults(0xfffe);
}

static void a_head_of_65535(void)
{
	check_head_faults(0xffff);
}

static void good_requests_before_a_bad_one_are_answered(void)
{
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_offer(&vmem, 0);
	virtio_offer(&vmem, 0);
	virtio_offer(&vmem, vmem.size);
	virtio_offer(&vmem, 0);
	virtio_notify(&vmem);
	expect_fault(&vmem, 2);
	check(response.type == VIRTIO_MEM_RESP_ACK, "no response");
}

static void check_used(uint16_t from, uint16_t to)
{
	struct vring_used_elem *elem;

	for (; from != to; from++) {
		elem = &vmem.used->ring[from % vmem.size];
		check(elem->id == 0 && elem->len == sizeof(response), "used %u: id %u, %u bytes",
		      from, elem->id, elem->len);
	}
}

static void fill_and_check(void)
{
	uint16_t i, idx = vmem.avail->idx;

	memset(vmem.used->ring, 0xff, vmem.size * sizeof(vmem.used->ring[0]));
	for (i = 0; i < vmem.size; i++)
		virtio_offer(&vmem, 0);
	virtio_notify(&vmem);
	check(virtio_await(&vmem, idx + vmem.size), "used %u of %u", vmem.used->idx - idx,
	      vmem.size);
	check_used(idx, idx + vmem.size);
}

static void a_full_one_is_worked_off(void)
{
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	fill_and_check();
}

static void an_index_that_overflows_goes_on(void)
{
	unsigned int i;

	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	for (i = 0; i <= 65536U / vmem.size; i++)
		fill_and_check();
}

/*
 * A driver that never lets the queue run empty. The other gets its turn after one
 * or two rounds of it, and one more may pass until that is seen.
 */
static void a_device_kept_busy_leaves_the_other_alone(void)
{
	uint16_t rng_used, seen, now;
	uint32_t handled = 0;

	/* The longest request that there is. */
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), config.usable_region_size / config.block_size);
	fill_and_check();
	rng.desc[0] = vmem.desc[1];
	rng_used = rng.used->idx;
	seen = vmem.used->idx;
	/* All entries of the ring are what they should be. */
	WRITE_ONCE(vmem.avail->idx, seen + vmem.size);
	virtio_notify(&vmem);
	virtio_submit(&rng, 0);
	while (READ_ONCE(rng.used->idx) == rng_used) {
		now = READ_ONCE(vmem.used->idx);
		handled += (uint16_t)(now - seen);
		seen = now;
		check(handled <= 4U * vmem.size, "the other waits for %u requests", handled);
		WRITE_ONCE(vmem.avail->idx, now + vmem.size);
	}
	virtio_notify(&vmem);
	check(virtio_await(&vmem, vmem.avail->idx), "used %u of %u", vmem.used->idx,
	      vmem.avail->idx);
}

static void interrupts_come_as_the_driver_asks(void)
{
	virtio_write(&vmem, VIRTIO_MMIO_INTERRUPT_ACK, ~0);
	vmem.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	expect_answers();
	check(!virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS), "one that is not wanted");
	vmem.avail->flags = 0;
	expect_answers();
	check(virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_MMIO_INT_VRING, "none");
	/* What it does not know of, it ignores. */
	virtio_write(&vmem, VIRTIO_MMIO_INTERRUPT_ACK, ~0);
	vmem.avail->flags = 0xfffe;
	expect_answers();
	check(virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_MMIO_INT_VRING, "none");
}

static void what_the_driver_writes_to_used_is_ignored(void)
{
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	vmem.used->idx = 1234;
	vmem.used->flags = 0xffff;
	virtio_submit(&vmem, 0);
	check(virtio_await(&vmem, 1), "used %u", vmem.used->idx);
}

static const struct test tests[] = {
	{ "an_index_one_too_many_ahead", an_index_one_too_many_ahead },
	{ "an_index_far_ahead", an_index_far_ahead },
	{ "an_index_that_goes_back", an_index_that_goes_back },
	{ "a_head_at_the_end_of_the_table", a_head_at_the_end_of_the_table },
	{ "a_head_that_is_right_modulo_the_size", a_head_that_is_right_modulo_the_size },
	{ "a_head_of_65534", a_head_of_65534 },
	{ "a_head_of_65535", a_head_of_65535 },
	{ "good_requests_before_a_bad_one_are_answered",
	  good_requests_before_a_bad_one_are_answered },
	{ "a_full_one_is_worked_off", a_full_one_is_worked_off },
	{ "an_index_that_overflows_goes_on", an_index_that_overflows_goes_on },
	{ "a_device_kept_busy_leaves_the_other_alone",
	  a_device_kept_busy_leaves_the_other_alone },
	{ "interrupts_come_as_the_driver_asks", interrupts_come_as_the_driver_asks },
	{ "what_the_driver_writes_to_used_is_ignored",
	  what_the_driver_writes_to_used_is_ignored },
};

void hostile_ring(void)
{
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
