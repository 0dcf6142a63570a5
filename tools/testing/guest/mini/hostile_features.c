// SPDX-License-Identifier: GPL-2.0
/* Negotiation, and the order of its steps. */
#include "hostile.h"

#define GROUP		"features"
#define INACCESSIBLE	(1ULL << VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE)

static void check_refused(uint64_t features)
{
	virtio_reset(&vmem);
	check(!virtio_negotiate(&vmem, features), "0x%llx is accepted",
	      (unsigned long long)features);
}

static void that_were_not_offered_are_refused(void)
{
	uint64_t offered = virtio_offered(&vmem);
	unsigned int i;

	check((offered & vmem.features) == vmem.features, "0x%llx is offered",
	      (unsigned long long)offered);
	for (i = 0; i < 64; i++) {
		if (!(offered & (1ULL << i)))
			check_refused(vmem.features | 1ULL << i);
	}
	check_refused(~0ULL);
}

static void without_version_1_are_refused(void)
{
	check_refused(INACCESSIBLE);
	check_refused(0);
}

/*
 * Those who may access unplugged memory can only be given memory there, as one
 * memslot over the region is.
 */
static void without_unplugged_inaccessible_depend_on_the_memory(void)
{
	bool accepted;

	virtio_reset(&vmem);
	accepted = virtio_negotiate(&vmem, VERSION_1);
	check(accepted == !!boot_word("accessible"), "accepted: %d", accepted);
}

static void past_the_64th_are_refused(void)
{
	unsigned int page;

	for (page = 2; page < 5; page++) {
		virtio_reset(&vmem);
		virtio_write(&vmem, VIRTIO_MMIO_DEVICE_FEATURES_SEL, page);
		check(!virtio_read(&vmem, VIRTIO_MMIO_DEVICE_FEATURES), "page %u", page);
		virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES_SEL, page);
		virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES, 1);
		check(!virtio_negotiate(&vmem, vmem.features) || virtio_needs_reset(&vmem),
		      "page %u is accepted", page);
	}
	virtio_reset(&vmem);
	virtio_write(&vmem, VIRTIO_MMIO_DEVICE_FEATURES_SEL, ~0);
	check(!virtio_read(&vmem, VIRTIO_MMIO_DEVICE_FEATURES), "the last page");
}

static void do_not_change_once_they_are_agreed_on(void)
{
	virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES, ~0);
	virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	virtio_write(&vmem, VIRTIO_MMIO_DRIVER_FEATURES, 0);
	expect_answers();
}

static void are_none_after_a_reset(void)
{
	uint32_t status = DRIVING | VIRTIO_CONFIG_S_FEATURES_OK;

	virtio_reset(&vmem);
	virtio_write(&vmem, VIRTIO_MMIO_STATUS, status);
	status = virtio_read(&vmem, VIRTIO_MMIO_STATUS);
	check(status == DRIVING, "status 0x%x", status);
}

/* Whoever skips the negotiation is not served. */
static void that_nobody_agreed_on_serve_nobody(void)
{
	virtio_reset(&vmem);
	virtio_write(&vmem, VIRTIO_MMIO_STATUS, DRIVING);
	virtio_set_queue(&vmem, &vmem.queue);
	virtio_set_ready(&vmem);
	virtio_write(&vmem, VIRTIO_MMIO_STATUS, DRIVING | VIRTIO_CONFIG_S_DRIVER_OK);
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	wait_us(MOMENT_US);
	check(!READ_ONCE(vmem.used->idx), "a request was answered");
}

static void that_were_refused_serve_nobody(void)
{
	virtio_reset(&vmem);
	check(!virtio_negotiate(&vmem, ~0ULL), "all are accepted");
	virtio_set_queue(&vmem, &vmem.queue);
	virtio_set_ready(&vmem);
	virtio_drive(&vmem);
	vmem_prepare(VIRTIO_MEM_REQ_STATE, block(0), 1);
	virtio_submit(&vmem, 0);
	wait_us(MOMENT_US);
	check(!READ_ONCE(vmem.used->idx), "a request was answered");
}

static const struct test tests[] = {
	{ "that_were_not_offered_are_refused", that_were_not_offered_are_refused },
	{ "without_version_1_are_refused", without_version_1_are_refused },
	{ "without_unplugged_inaccessible_depend_on_the_memory",
	  without_unplugged_inaccessible_depend_on_the_memory },
	{ "past_the_64th_are_refused", past_the_64th_are_refused },
	{ "do_not_change_once_they_are_agreed_on", do_not_change_once_they_are_agreed_on },
	{ "are_none_after_a_reset", are_none_after_a_reset },
	{ "that_nobody_agreed_on_serve_nobody", that_nobody_agreed_on_serve_nobody },
	{ "that_were_refused_serve_nobody", that_were_refused_serve_nobody },
};

void hostile_features(void)
{
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
