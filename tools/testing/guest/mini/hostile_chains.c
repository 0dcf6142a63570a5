// SPDX-License-Identifier: GPL-2.0
/* Chains of descriptors: how they are linked, and what they point to. */
#include "hostile.h"

#define GROUP		"chains"
#define MOST		4
#define N		VRING_DESC_F_NEXT
#define W		VRING_DESC_F_WRITE
#define REQUEST_SIZE	sizeof(struct virtio_mem_req)
#define RESPONSE_SIZE	sizeof(struct virtio_mem_resp)

/* Two pages each, in free RAM. */
enum buffer {
	REQUEST,
	RESPONSE,
};

struct link {
	enum buffer buffer;
	uint32_t offset, len;
	uint16_t flags, next;
};

/* All ask for a block to be plugged; the good ones get it. */
struct chain {
	const char *name;
	bool works;
	struct link links[MOST];
};

static const struct chain chains[] = {
	{ "one_of_a_request_and_a_response", true,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "one_that_jumps_about", true,
	  { { REQUEST, 0, 8, N, 3 }, { RESPONSE, 0, 2, N | W, 2 }, { RESPONSE, 2, 8, W },
	    { REQUEST, 8, 16, N, 1 } } },
	{ "a_request_longer_than_needed", true,
	  { { REQUEST, 0, 4000, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_response_longer_than_needed", true,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 4000, W } } },
	{ "a_request_and_more_buffers_than_needed", true,
	  { { REQUEST, 0, 24, N, 1 }, { REQUEST, 24, 64, N, 2 }, { RESPONSE, 0, 10, W | N, 3 },
	    { RESPONSE, 10, 64, W } } },
	{ "a_next_of_the_last_descriptor_is_ignored", true,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 10, W, 0xffff } } },

	{ "a_descriptor_that_follows_itself", false, { { REQUEST, 0, 24, N, 0 } } },
	{ "a_response_that_follows_itself", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 10, N | W, 1 } } },
	{ "a_loop_of_requests", false,
	  { { REQUEST, 0, 24, N, 1 }, { REQUEST, 0, 24, N, 2 }, { REQUEST, 0, 24, N, 0 } } },
	{ "a_loop_back_to_the_request", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 10, N | W, 0 } } },
	{ "a_next_at_the_end_of_the_table", false,
	  { { REQUEST, 0, 24, N, QUEUE_MOST }, { RESPONSE, 0, 10, W } } },
	{ "a_next_that_is_right_modulo_the_size", false,
	  { { REQUEST, 0, 24, N, QUEUE_MOST + 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_next_of_65535", false, { { REQUEST, 0, 24, N, 0xffff }, { RESPONSE, 0, 10, W } } },
	{ "a_table_of_descriptors", false, { { REQUEST, 0, 32, VRING_DESC_F_INDIRECT } } },
	{ "a_table_of_descriptors_after_a_request", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 32, VRING_DESC_F_INDIRECT } } },
	{ "a_table_of_descriptors_and_a_next", false,
	  { { REQUEST, 0, 32, VRING_DESC_F_INDIRECT | N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_response_before_the_request", false,
	  { { RESPONSE, 0, 10, W | N, 1 }, { REQUEST, 0, 24 } } },
	{ "a_response_amid_the_request", false,
	  { { REQUEST, 0, 8, N, 1 }, { RESPONSE, 0, 10, W | N, 2 }, { REQUEST, 8, 16 } } },

	{ "no_request", false, { { RESPONSE, 0, 10, W } } },
	{ "no_response", false, { { REQUEST, 0, 24 } } },
	{ "an_empty_request", false, { { REQUEST, 0, 0, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "an_empty_response", false, { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 0, W } } },
	{ "an_empty_buffer_amid_the_request", false,
	  { { REQUEST, 0, 8, N, 1 }, { REQUEST, 8, 0, N, 2 }, { REQUEST, 8, 16, N, 3 },
	    { RESPONSE, 0, 10, W } } },
	{ "a_request_of_its_type_alone", false,
	  { { REQUEST, 0, 2, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_request_that_is_a_byte_short", false,
	  { { REQUEST, 0, 23, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "two_parts_of_a_request_that_are_a_byte_short", false,
	  { { REQUEST, 0, 8, N, 1 }, { REQUEST, 8, 15, N, 2 }, { RESPONSE, 0, 10, W } } },
	{ "a_response_that_is_a_byte_short", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 9, W } } },
	{ "a_response_of_its_type_alone", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 2, W } } },

	{ "a_request_of_4_gib", false,
	  { { REQUEST, 0, ~0U, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_response_of_4_gib", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, ~0U, W } } },
	{ "a_request_of_2_gib", false,
	  { { REQUEST, 0, 1U << 31, N, 1 }, { RESPONSE, 0, 10, W } } },
	{ "a_last_buffer_of_4_gib", false,
	  { { REQUEST, 0, 24, N, 1 }, { RESPONSE, 0, 10, N | W, 2 }, { RESPONSE, 10, ~0U, W } } },
};

/* A buffer that is elsewhere. */
struct spot {
	const char *name;
	enum place place;
	int64_t offset;
	bool works;
};

static const struct spot spots[] = {
	{ "in_ram", IN_RAM, 0, true },
	{ "at_an_odd_address", IN_RAM, 1, true },
	{ "before_the_end_of_ram", RAM_END, -32, true },
	{ "across_the_end_of_ram", RAM_END, -8, false },
	{ "at_the_end_of_ram", RAM_END, 0, false },
	{ "nowhere", NOTHING, 0, false },
	{ "in_registers", REGISTERS, 0, false },
	{ "across_the_end_of_addresses", ADDRESS_END, -8, false },
	{ "at_the_end_of_addresses", ADDRESS_END, -24, false },
	{ "where_addresses_turn_negative", ADDRESS_END, INT64_MIN, false },
	{ "in_an_unplugged_block", UNPLUGGED, 0, false },
	{ "in_the_unusable_region", UNUSABLE, 0, false },
	{ "at_the_end_of_the_region", REGION_END, -24, false },
	{ "across_the_end_of_the_region", REGION_END, -8, false },
	{ "after_the_region", REGION_END, 0, false },
	{ "across_the_start_of_the_region", REGION_START, -8, false },
	{ "in_a_plugged_block", PLUGGED, 0, true },
	{ "at_the_end_of_a_plugged_block", PLUGGED_END, -32, true },
	{ "across_the_end_of_a_plugged_block", PLUGGED_END, -8, false },
	{ "in_two_plugged_blocks", BLOCK_BORDER, -8, true },
	{ "in_two_memslots", MEMSLOT_BORDER, -8, true },
};

static uint64_t buffer_addr(enum buffer buffer)
{
	return place(IN_RAM) + (buffer == REQUEST ? 0 : 2 * PAGE);
}

/* Only a chain that works is answered, and then it did what it asked for. */
static void submit(bool works, const struct virtio_mem_resp *resp, uint32_t len)
{
	const struct vring_used_elem *used = &vmem.used->ring[vmem.avail->idx % vmem.size];
	uint16_t idx = vmem.avail->idx;

	virtio_submit(&vmem, 0);
	if (!works) {
		expect_fault(&vmem, idx);
		check(virtio_start(&vmem), "does not start again");
		check(vmem_state(3, 1) == VIRTIO_MEM_STATE_UNPLUGGED, "was done all the same");
		return;
	}
	check(virtio_await(&vmem, idx + 1), "does not work");
	check(used->id == 0, "used: id %u", used->id);
	check(used->len == len, "used: %u bytes, not %u", used->len, len);
	check(resp->type == VIRTIO_MEM_RESP_ACK, "response %u", resp->type);
	check(vmem_state(3, 1) == VIRTIO_MEM_STATE_PLUGGED, "not done");
}

static void fill_in_buffers(void)
{
	struct virtio_mem_req *req = (struct virtio_mem_req *)buffer_addr(REQUEST);

	memset(req, 0, 2 * PAGE);
	memset((void *)buffer_addr(RESPONSE), 0xff, 2 * PAGE);
	req->type = VIRTIO_MEM_REQ_PLUG;
	req->u.plug.addr = block(3);
	req->u.plug.nb_blocks = 1;
}

static void run_chain(const void *arg)
{
	const struct chain *chain = arg;
	const struct link *link;
	unsigned int i;

	fill_in_buffers();
	for (i = 0; i < MOST; i++) {
		link = &chain->links[i];
		vmem.desc[i] = (struct vring_desc){
			.addr = buffer_addr(link->buffer) + link->offset,
			.len = link->len, .flags = link->flags, .next = link->next,
		};
	}
	submit(chain->works, (struct virtio_mem_resp *)buffer_addr(RESPONSE), RESPONSE_SIZE);
}

static void run_spot(const struct spot *spot, bool is_request)
{
	uint64_t addr = place(spot->place) + spot->offset;
	struct virtio_mem_resp resp;

	check(plug_places(), "cannot plug");
	vmem_prepare(VIRTIO_MEM_REQ_PLUG, block(3), 1);
	vmem.desc[is_request ? 0 : 1].addr = addr;
	if (spot->works && is_request)
		memcpy((void *)addr, &request, REQUEST_SIZE);
	if (!is_request && spot->works)
		memset((void *)addr, 0xff, RESPONSE_SIZE);
	submit(spot->works, is_request ? &response : (void *)addr, RESPONSE_SIZE);
	if (!spot->works || is_request)
		return;
	/* All of it was written, and no more. */
	memcpy(&resp, (void *)addr, RESPONSE_SIZE);
	check(!resp.u.state.state, "not written to its end");
}

static void run_request_spot(const void *arg)
{
	run_spot(arg, true);
}

static void run_response_spot(const void *arg)
{
	run_spot(arg, false);
}

static void one_of_single_bytes(void)
{
	const unsigned int nr = REQUEST_SIZE + RESPONSE_SIZE;
	unsigned int i;

	fill_in_buffers();
	for (i = 0; i < nr; i++) {
		bool is_request = i < REQUEST_SIZE;

		vmem.desc[i] = (struct vring_desc){
			.addr = is_request ? buffer_addr(REQUEST) + i :
				buffer_addr(RESPONSE) + i - REQUEST_SIZE,
			.len = 1,
			.flags = (i + 1 < nr ? N : 0) | (is_request ? 0 : W), .next = i + 1,
		};
	}
	submit(true, (struct virtio_mem_resp *)buffer_addr(RESPONSE), RESPONSE_SIZE);
}

/* All descriptors of the table: as long as a chain may be. */
static void prepare_longest(void)
{
	unsigned int i;

	fill_in_buffers();
	for (i = 0; i < vmem.size; i++) {
		vmem.desc[i] = (struct vring_desc){
			.addr = buffer_addr(i ? RESPONSE : REQUEST) + i * 16,
			.len = i ? 16 : REQUEST_SIZE,
			.flags = (i + 1U < vmem.size ? N : 0) | (i ? W : 0), .next = i + 1,
		};
	}
}

static void one_as_long_as_the_table(void)
{
	prepare_longest();
	submit(true, (struct virtio_mem_resp *)(buffer_addr(RESPONSE) + 16), RESPONSE_SIZE);
}

static void one_longer_than_the_table(void)
{
	prepare_longest();
	vmem.desc[vmem.size - 1].flags |= N;
	vmem.desc[vmem.size - 1].next = 1;
	submit(false, NULL, 0);
}

static void the_other_devices_that_are_malformed(void)
{
	static const struct vring_desc bad[] = {
		{ .len = 16 },
		{ .len = 0, .flags = W },
		{ .len = 16, .flags = W | N, .next = 0 },
		{ .len = 16, .flags = W | N, .next = 0xffff },
		{ .len = 16, .flags = VRING_DESC_F_INDIRECT },
		{ .len = ~0U, .flags = W },
		/* Nothing is for the device to read. */
		{ .len = 16, .flags = N, .next = 1 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		check(virtio_start(&rng), "%u: does not start", i);
		rng.desc[0] = bad[i];
		rng.desc[0].addr = buffer_addr(RESPONSE);
		rng.desc[1] = rng.desc[0];
		rng.desc[1].len = 16;
		rng.desc[1].flags = W;
		virtio_submit(&rng, 0);
		expect_fault(&rng, 0);
		expect_answers();
	}
	check(virtio_start(&rng), "does not start");
	check(rng_works(), "does not work");
}

static const struct test tests[] = {
	{ "one_of_single_bytes", one_of_single_bytes },
	{ "one_as_long_as_the_table", one_as_long_as_the_table },
	{ "one_longer_than_the_table", one_longer_than_the_table },
	{ "the_other_devices_that_are_malformed", the_other_devices_that_are_malformed },
};

static void run_spots(const char *prefix, void (*run)(const void *arg))
{
	const struct spot *spot;
	char name[64];

	for (spot = spots; spot < spots + ARRAY_SIZE(spots); spot++) {
		format_into(name, sizeof(name), "%s_%s", prefix, spot->name);
		run_test(GROUP, name, run, spot);
	}
}

void hostile_chains(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chains); i++)
		run_test(GROUP, chains[i].name, run_chain, &chains[i]);
	run_spots("a_request", run_request_spot);
	run_spots("a_response", run_response_spot);
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
