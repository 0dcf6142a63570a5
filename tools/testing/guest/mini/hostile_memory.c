// SPDX-License-Identifier: GPL-2.0
/* Queues and buffers in memory that is unplugged under the device. */
#include "hostile.h"

#define GROUP	"memory"
#define ROUNDS	100

/* Blocks 1 and 2 are plugged; the test says which ring is in block 1. */
static void start_with(struct virtio_device *dev, const struct virtio_queue *queue)
{
	virtio_reset(dev);
	virtio_negotiate(dev, dev->features);
	virtio_set_queue(dev, queue);
	virtio_set_ready(dev);
	virtio_drive(dev);
}

static void submit_unplug(uint16_t type)
{
	vmem_prepare(type, block(1), 1);
	virtio_submit(&vmem, 0);
}

/* The guest may not look at the ring any more. */
static void check_gone(void)
{
	check(virtio_await_reset(&vmem), "no reset is asked for");
	check(virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS) & VIRTIO_MMIO_INT_CONFIG,
	      "no interrupt for the reset that is asked for");
	check(virtio_start(&vmem), "does not start again");
	check(vmem_state(1, 1) == VIRTIO_MEM_STATE_UNPLUGGED, "not unplugged");
}

static void unplug_the_whole_queue(uint16_t type)
{
	const struct virtio_queue queue = {
		.desc = block(1), .avail = block(1) + PAGE, .used = block(1) + 2 * PAGE,
		.size = vmem.queue.size,
	};

	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	start_with(&vmem, &queue);
	expect_answers();
	submit_unplug(type);
	check_gone();
}

static void of_the_queue_is_unplugged_through_it(void)
{
	unplug_the_whole_queue(VIRTIO_MEM_REQ_UNPLUG);
}

static void of_the_queue_is_unplugged_with_all_other(void)
{
	unplug_the_whole_queue(VIRTIO_MEM_REQ_UNPLUG_ALL);
}

static void of_used_alone_is_unplugged(void)
{
	struct virtio_queue queue = vmem.queue;

	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	queue.used = block(1);
	start_with(&vmem, &queue);
	expect_answers();
	submit_unplug(VIRTIO_MEM_REQ_UNPLUG);
	check_gone();
}

static void check_gone_at_the_next_request(void)
{
	check(virtio_await(&vmem, vmem.avail->idx), "no response");
	check(response.type == VIRTIO_MEM_RESP_ACK, "response %u", response.type);
	expect_silence(&vmem, vmem.avail->idx);
	virtio_notify(&vmem);
}

static void of_the_descriptors_alone_is_unplugged(void)
{
	struct virtio_queue queue = vmem.queue;

	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	queue.desc = block(1);
	start_with(&vmem, &queue);
	expect_answers();
	submit_unplug(VIRTIO_MEM_REQ_UNPLUG);
	check_gone_at_the_next_request();
	virtio_submit(&vmem, 0);
	expect_fault(&vmem, vmem.avail->idx - 1);
}

static void of_avail_alone_is_unplugged(void)
{
	struct virtio_queue queue = vmem.queue;

	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	queue.avail = block(1);
	start_with(&vmem, &queue);
	expect_answers();
	submit_unplug(VIRTIO_MEM_REQ_UNPLUG);
	check_gone();
}

static void of_the_response_is_unplugged(void)
{
	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	vmem_prepare(VIRTIO_MEM_REQ_UNPLUG, block(1), 1);
	vmem.desc[1].addr = block(1) + PAGE;
	virtio_submit(&vmem, 0);
	expect_fault(&vmem, vmem.avail->idx - 1);
	check(virtio_start(&vmem), "does not start again");
	check(vmem_state(1, 1) == VIRTIO_MEM_STATE_UNPLUGGED, "not unplugged");
	check(vmem_state(2, 1) == VIRTIO_MEM_STATE_PLUGGED, "block 2 was, too");
}

static void of_the_request_is_unplugged_by_it(void)
{
	check(vmem_plug(1, 2) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	vmem_prepare(VIRTIO_MEM_REQ_UNPLUG, block(1), 1);
	memcpy((void *)block(1), &request, sizeof(request));
	vmem.desc[0].addr = block(1);
	virtio_submit(&vmem, 0);
	check(virtio_await(&vmem, vmem.avail->idx), "no response");
	check(response.type == VIRTIO_MEM_RESP_ACK, "response %u", response.type);
	check(vmem_state(1, 1) == VIRTIO_MEM_STATE_UNPLUGGED, "not unplugged");
}

static void ask_for_random_bytes(uint64_t addr, uint32_t len)
{
	rng.desc[0] = (struct vring_desc){
		.addr = addr, .len = len, .flags = VRING_DESC_F_WRITE,
	};
	virtio_submit(&rng, 0);
}

static void of_the_others_buffer_is_unplugged(void)
{
	uint64_t *at = (uint64_t *)block(1);

	check(vmem_plug(1, 1) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	check(virtio_start(&rng), "does not start");
	*at = 0;
	ask_for_random_bytes(block(1), 64);
	check(virtio_await(&rng, 1), "no random bytes");
	check(READ_ONCE(*at), "just zeros");
	check(vmem_unplug(1, 1) == VIRTIO_MEM_RESP_ACK, "cannot unplug");
	ask_for_random_bytes(block(1), 64);
	expect_fault(&rng, 1);
	check(virtio_start(&rng), "does not start again");
}

static void of_the_others_queue_is_unplugged(void)
{
	const struct virtio_queue queue = {
		.desc = block(1), .avail = block(1) + PAGE, .used = block(1) + 2 * PAGE,
		.size = rng.queue.size,
	};

	check(vmem_plug(1, 1) == VIRTIO_MEM_RESP_ACK, "cannot plug");
	start_with(&rng, &queue);
	check(rng_works(), "does not work in plugged memory");
	check(vmem_unplug(1, 1) == VIRTIO_MEM_RESP_ACK, "cannot unplug");
	virtio_notify(&rng);
	check(virtio_await_reset(&rng), "no reset is asked for");
	check(virtio_start(&rng), "does not start again");
}

/* Who wins does not matter; that both live does. */
static void of_the_others_buffer_is_unplugged_meanwhile(void)
{
	unsigned int i, j;

	for (i = 0; i < ROUNDS; i++) {
		check(vmem_plug(1, 1) == VIRTIO_MEM_RESP_ACK, "cannot plug");
		check(virtio_start(&rng), "does not start");
		rng.desc[0] = (struct vring_desc){
			.addr = block(1), .len = 256, .flags = VRING_DESC_F_WRITE,
		};
		for (j = 0; j < rng.size; j++)
			virtio_offer(&rng, 0);
		vmem_prepare(VIRTIO_MEM_REQ_UNPLUG, block(1), 1);
		virtio_offer(&vmem, 0);
		virtio_notify(i % 2 ? &rng : &vmem);
		virtio_notify(i % 2 ? &vmem : &rng);
		check(virtio_await(&vmem, vmem.avail->idx), "no response");
		check(response.type == VIRTIO_MEM_RESP_ACK, "response %u", response.type);
		check(virtio_await(&rng, rng.size) || virtio_needs_reset(&rng), "no end");
	}
	check(virtio_start(&rng), "does not start again");
}

static const struct test tests[] = {
	{ "of_the_queue_is_unplugged_through_it", of_the_queue_is_unplugged_through_it },
	{ "of_the_queue_is_unplugged_with_all_other", of_the_queue_is_unplugged_with_all_other },
	{ "of_used_alone_is_unplugged", of_used_alone_is_unplugged },
	{ "of_the_descriptors_alone_is_unplugged", of_the_descriptors_alone_is_unplugged },
	{ "of_avail_alone_is_unplugged", of_avail_alone_is_unplugged },
	{ "of_the_response_is_unplugged", of_the_response_is_unplugged },
	{ "of_the_request_is_unplugged_by_it", of_the_request_is_unplugged_by_it },
	{ "of_the_others_buffer_is_unplugged", of_the_others_buffer_is_unplugged },
	{ "of_the_others_queue_is_unplugged", of_the_others_queue_is_unplugged },
	{ "of_the_others_buffer_is_unplugged_meanwhile",
	  of_the_others_buffer_is_unplugged_meanwhile },
};

void hostile_memory(void)
{
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
