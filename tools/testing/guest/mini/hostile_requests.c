// SPDX-License-Identifier: GPL-2.0
/* Well-formed chains with requests that no driver sends. */
#include "hostile.h"

#define GROUP	"requests"

enum base {
	REGION,
	USABLE,
	END,
	ZERO,
};

/* Before each, blocks 0 and 1 are plugged; the offset counts in half blocks. */
struct wrong {
	const char *name;
	uint16_t type;
	enum base base;
	int64_t halves;
	uint16_t nb_blocks;
	int response;
};

#define PLUG	VIRTIO_MEM_REQ_PLUG
#define UNPLUG	VIRTIO_MEM_REQ_UNPLUG
#define STATE	VIRTIO_MEM_REQ_STATE
#define ERROR	VIRTIO_MEM_RESP_ERROR
#define NACK	VIRTIO_MEM_RESP_NACK
#define ACK	VIRTIO_MEM_RESP_ACK

static const struct wrong wrongs[] = {
	{ "plug_no_block", PLUG, REGION, 4, 0, ERROR },
	{ "plug_65535_blocks", PLUG, REGION, 4, 65535, ERROR },
	{ "plug_half_a_block_further", PLUG, REGION, 5, 1, ERROR },
	{ "plug_a_plugged_block", PLUG, REGION, 0, 1, ERROR },
	{ "plug_a_plugged_and_an_unplugged_block", PLUG, REGION, 2, 2, ERROR },
	{ "plug_before_the_region", PLUG, REGION, -2, 1, ERROR },
	{ "plug_from_before_the_region_on", PLUG, REGION, -2, 6, ERROR },
	{ "plug_beyond_the_usable_region", PLUG, USABLE, 0, 1, ERROR },
	{ "plug_across_the_end_of_the_usable_region", PLUG, USABLE, -2, 2, ERROR },
	{ "plug_the_last_usable_block", PLUG, USABLE, -2, 1, ACK },
	{ "plug_beyond_the_region", PLUG, END, 0, 1, ERROR },
	{ "plug_at_address_0", PLUG, ZERO, 0, 1, ERROR },
	{ "plug_at_the_end_of_addresses", PLUG, ZERO, -2, 1, ERROR },
	{ "plug_across_the_end_of_addresses", PLUG, ZERO, -2, 65535, ERROR },

	{ "unplug_no_block", UNPLUG, REGION, 0, 0, ERROR },
	{ "unplug_65535_blocks", UNPLUG, REGION, 0, 65535, ERROR },
	{ "unplug_half_a_block_further", UNPLUG, REGION, 1, 1, ERROR },
	{ "unplug_an_unplugged_block", UNPLUG, REGION, 4, 1, ERROR },
	{ "unplug_a_plugged_and_an_unplugged_block", UNPLUG, REGION, 2, 2, ERROR },
	{ "unplug_before_the_region", UNPLUG, REGION, -2, 2, ERROR },
	{ "unplug_beyond_the_usable_region", UNPLUG, USABLE, 0, 1, ERROR },
	{ "unplug_at_address_0", UNPLUG, ZERO, 0, 1, ERROR },
	{ "unplug_across_the_end_of_addresses", UNPLUG, ZERO, -2, 65535, ERROR },

	{ "state_of_no_block", STATE, REGION, 0, 0, ERROR },
	{ "state_of_65535_blocks", STATE, REGION, 0, 65535, ERROR },
	{ "state_of_half_a_block_further", STATE, REGION, 1, 1, ERROR },
	{ "state_beyond_the_usable_region", STATE, USABLE, 0, 1, ERROR },
	{ "state_across_the_end_of_addresses", STATE, ZERO, -2, 65535, ERROR },
	{ "state_of_the_usable_region", STATE, REGION, 0, 0xfffe, ACK },
};

static uint64_t wrong_addr(const struct wrong *w)
{
	const uint64_t bases[] = {
		[REGION] = config.addr,
		[USABLE] = config.addr + config.usable_region_size,
		[END] = config.addr + config.region_size,
		[ZERO] = 0,
	};

	return bases[w->base] + w->halves * (int64_t)(config.block_size / 2);
}

static void run_wrong(const void *arg)
{
	const struct wrong *w = arg;
	/* As many as there are. */
	uint16_t nb = w->nb_blocks == 0xfffe ? config.usable_region_size / config.block_size :
					       w->nb_blocks;
	uint64_t before, after;
	int resp;

	check(vmem_plug(0, 2) == ACK, "cannot plug");
	before = vmem_config(plugged_size);
	resp = vmem_request(w->type, wrong_addr(w), nb);
	after = vmem_config(plugged_size);
	check(resp == w->response, "response %d", resp);
	check(!virtio_needs_reset(&vmem), "a reset is asked for");
	check(resp == ACK || after == before, "0x%llx bytes are plugged, 0x%llx were",
	      (unsigned long long)after, (unsigned long long)before);
	check(vmem_state(0, 2) == VIRTIO_MEM_STATE_PLUGGED, "blocks were unplugged");
}

static void plug_more_than_was_asked_for(void)
{
	uint16_t nb = config.requested_size / config.block_size;

	check(vmem_plug(0, nb + 1) == NACK, "response %u", response.type);
	check(!vmem_config(plugged_size), "some are plugged");
	check(vmem_plug(0, nb) == ACK, "response %u", response.type);
	check(vmem_plug(nb, 1) == NACK, "response %u", response.type);
	check(vmem_config(plugged_size) == config.requested_size, "plugged_size");
	/* QEMU's order: whether there is room comes before what the block is. */
	check(vmem_plug(0, 1) == NACK, "response %u", response.type);
	check(vmem_plug(0, 0) == ERROR, "response %u", response.type);
	check(vmem_unplug(0, nb) == ACK, "response %u", response.type);
}

/* As QEMU does: there is no answer to them. */
static void of_unknown_types_are_faults(void)
{
	static const uint16_t types[] = { 4, 5, 255, 256, 0x7fff, 0x8000, 0xffff };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		vmem_prepare(types[i], block(0), 1);
		virtio_submit(&vmem, 0);
		expect_fault(&vmem, vmem.avail->idx - 1);
		check(response.type == 0xffff, "type %u: response %u", types[i], response.type);
		check(virtio_start(&vmem), "does not start again");
	}
}

static void states_are_told(void)
{
	check(vmem_plug(1, 2) == ACK, "response %u", response.type);
	check(vmem_state(0, 1) == VIRTIO_MEM_STATE_UNPLUGGED, "block 0");
	check(vmem_state(1, 2) == VIRTIO_MEM_STATE_PLUGGED, "blocks 1 and 2");
	check(vmem_state(0, 2) == VIRTIO_MEM_STATE_MIXED, "blocks 0 and 1");
	check(vmem_state(2, 2) == VIRTIO_MEM_STATE_MIXED, "blocks 2 and 3");
}

/* Only the type and what belongs to it counts. */
static void padding_is_ignored(void)
{
	vmem_prepare(VIRTIO_MEM_REQ_PLUG, block(0), 1);
	memset(request.padding, 0xff, sizeof(request.padding));
	memset(request.u.plug.padding, 0xff, sizeof(request.u.plug.padding));
	virtio_submit(&vmem, 0);
	check(virtio_await(&vmem, vmem.avail->idx), "no response");
	check(response.type == ACK, "response %u", response.type);
	vmem_prepare(VIRTIO_MEM_REQ_UNPLUG_ALL, ~0ULL, 0xffff);
	memset(request.padding, 0xff, sizeof(request.padding));
	virtio_submit(&vmem, 0);
	check(virtio_await(&vmem, vmem.avail->idx), "no response");
	check(response.type == ACK, "response %u", response.type);
	check(!vmem_config(plugged_size), "some are plugged");
}

/* A response says nothing of the VMM. */
static void responses_have_no_old_bytes(void)
{
	static const uint16_t types[] = { PLUG, STATE, UNPLUG, VIRTIO_MEM_REQ_UNPLUG_ALL };
	uint8_t *bytes = (uint8_t *)&response;
	unsigned int i, j, end;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		check(vmem_request(types[i], block(0), 1) != NO_RESPONSE, "no response");
		/* STATE's own follows the padding. */
		end = types[i] == STATE ? 8 : sizeof(response);
		for (j = sizeof(response.type); j < end; j++)
			check(!bytes[j], "type %u: byte %u is 0x%x", types[i], j, bytes[j]);
	}
}

static const struct test tests[] = {
	{ "plug_more_than_was_asked_for", plug_more_than_was_asked_for },
	{ "of_unknown_types_are_faults", of_unknown_types_are_faults },
	{ "states_are_told", states_are_told },
	{ "padding_is_ignored", padding_is_ignored },
	{ "responses_have_no_old_bytes", responses_have_no_old_bytes },
};

void hostile_requests(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(wrongs); i++)
		run_test(GROUP, wrongs[i].name, run_wrong, &wrongs[i]);
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
