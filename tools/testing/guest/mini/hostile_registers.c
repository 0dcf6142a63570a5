// SPDX-License-Identifier: GPL-2.0
/* Registers and configuration space: all widths, all offsets, all directions. */
#include "hostile.h"

#define GROUP		"registers"
#define NR_REGISTERS	(VIRTIO_MMIO_CONFIG / 4)
#define CONFIG_SIZE	sizeof(struct virtio_mem_config)

#define QUEUE_RESET	0x0c0

static const uint16_t read_only[] = {
	VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_VERSION, VIRTIO_MMIO_DEVICE_ID,
	VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_DEVICE_FEATURES, VIRTIO_MMIO_QUEUE_NUM_MAX,
	VIRTIO_MMIO_INTERRUPT_STATUS, VIRTIO_MMIO_SHM_LEN_LOW, VIRTIO_MMIO_SHM_LEN_HIGH,
	VIRTIO_MMIO_SHM_BASE_LOW, VIRTIO_MMIO_SHM_BASE_HIGH, VIRTIO_MMIO_CONFIG_GENERATION,
};

static const uint16_t write_only[] = {
	VIRTIO_MMIO_DEVICE_FEATURES_SEL, VIRTIO_MMIO_DRIVER_FEATURES,
	VIRTIO_MMIO_DRIVER_FEATURES_SEL, VIRTIO_MMIO_QUEUE_SEL, VIRTIO_MMIO_QUEUE_NUM,
	VIRTIO_MMIO_QUEUE_NOTIFY, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_QUEUE_DESC_LOW,
	VIRTIO_MMIO_QUEUE_DESC_HIGH, VIRTIO_MMIO_QUEUE_AVAIL_LOW, VIRTIO_MMIO_QUEUE_AVAIL_HIGH,
	VIRTIO_MMIO_QUEUE_USED_LOW, VIRTIO_MMIO_QUEUE_USED_HIGH, VIRTIO_MMIO_SHM_SEL,
};

static uint64_t read_width(uint64_t addr, unsigned int width)
{
	switch (width) {
	case 1:
		return mmio_read8(addr);
	case 2:
		return mmio_read16(addr);
	case 4:
		return mmio_read32(addr);
	default:
		return mmio_read64(addr);
	}
}

static void write_width(uint64_t addr, unsigned int width, uint64_t value)
{
	switch (width) {
	case 1:
		mmio_write8(addr, value);
		break;
	case 2:
		mmio_write16(addr, value);
		break;
	case 4:
		mmio_write32(addr, value);
		break;
	default:
		mmio_write64(addr, value);
	}
}

static void say_what_the_device_is(void)
{
	uint32_t version = virtio_read(&vmem, VIRTIO_MMIO_VERSION);

	check(version == 2, "version %u", version);
	check(virtio_read(&rng, VIRTIO_MMIO_VERSION) == 2, "version of the other device");
	check(virtio_read(&vmem, VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_MEM, "device id");
	check(virtio_read(&rng, VIRTIO_MMIO_DEVICE_ID) == VIRTIO_ID_RNG, "the other's id");
}

static void that_are_read_only_keep_their_value(void)
{
	uint32_t before, after;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(read_only); i++) {
		before = virtio_read(&vmem, read_only[i]);
		virtio_write(&vmem, read_only[i], ~before);
		after = virtio_read(&vmem, read_only[i]);
		check(after == before, "0x%03x: 0x%x, then 0x%x", read_only[i], before, after);
	}
	expect_answers();
}

static void that_are_write_only_read_as_zero(void)
{
	uint32_t value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(write_only); i++) {
		value = virtio_read(&vmem, write_only[i]);
		check(!value, "0x%03x: 0x%x", write_only[i], value);
	}
	expect_answers();
}

/* Only aligned accesses of 32 bits are accesses of registers. */
static bool is_an_access(unsigned int offset, unsigned int width)
{
	return width == 4 && !(offset % 4);
}

static void do_not_answer_to_odd_reads(void)
{
	unsigned int offset, width;
	uint64_t value;

	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset + width <= VIRTIO_MMIO_CONFIG; offset++) {
			if (is_an_access(offset, width))
				continue;
			value = read_width(vmem.base + offset, width);
			check(!value, "%u bytes at 0x%03x: 0x%llx", width, offset,
			      (unsigned long long)value);
		}
	}
	expect_answers();
}

static void do_not_answer_to_odd_writes(void)
{
	uint32_t before[NR_REGISTERS], after;
	unsigned int offset, width, i;

	for (i = 0; i < NR_REGISTERS; i++)
		before[i] = virtio_read(&vmem, 4 * i);
	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset + width <= VIRTIO_MMIO_CONFIG; offset++) {
			if (is_an_access(offset, width))
				continue;
			write_width(vmem.base + offset, width, 0);
			write_width(vmem.base + offset, width, ~0ULL);
		}
	}
	for (i = 0; i < NR_REGISTERS; i++) {
		after = virtio_read(&vmem, 4 * i);
		check(after == before[i], "0x%03x: 0x%x, then 0x%x", 4 * i, before[i], after);
	}
	expect_answers();
}

/* Across the end of this device, and of its page. */
static void are_no_others_where_they_end(void)
{
	unsigned int width, i;
	uint64_t end = vmem.base + PAGE, last = rng.base + PAGE;

	for (width = 2; width <= 8; width *= 2) {
		for (i = 1; i < width; i++) {
			check(!(read_width(end - i, width) & ((1ULL << (8 * i)) - 1)),
			      "%u bytes, %u before the end", width, i);
			write_width(end - i, width, ~0ULL);
			read_width(last - i, width);
			write_width(last - i, width, ~0ULL);
		}
	}
	expect_answers();
}

static void beyond_the_configuration_space_read_as_zero(void)
{
	unsigned int offset;
	uint32_t value;

	for (offset = VIRTIO_MMIO_CONFIG + CONFIG_SIZE; offset < PAGE; offset += 4) {
		virtio_write(&vmem, offset, ~0);
		value = virtio_read(&vmem, offset);
		check(!value, "0x%03x: 0x%x", offset, value);
	}
	expect_answers();
}

static void tell_of_no_shared_memory(void)
{
	unsigned int i, reg;
	uint32_t value;

	for (i = 0; i < 3; i++) {
		virtio_write(&vmem, VIRTIO_MMIO_SHM_SEL, i);
		for (reg = VIRTIO_MMIO_SHM_LEN_LOW; reg <= VIRTIO_MMIO_SHM_BASE_HIGH; reg += 4) {
			value = virtio_read(&vmem, reg);
			check(value == ~0U, "region %u, 0x%03x: 0x%x", i, reg, value);
		}
	}
}

static void know_nothing_of_resetting_a_queue(void)
{
	virtio_write(&vmem, VIRTIO_MMIO_QUEUE_SEL, 0);
	virtio_write(&vmem, QUEUE_RESET, 1);
	check(!virtio_read(&vmem, QUEUE_RESET), "nobody negotiated RING_RESET");
	expect_answers();
}

static void of_the_configuration_are_readable_at_all_widths(void)
{
	uint8_t bytes[CONFIG_SIZE + 8] = { 0 };
	unsigned int offset, width;
	uint64_t value, expected;

	for (offset = 0; offset < CONFIG_SIZE; offset++)
		bytes[offset] = mmio_read8(vmem.base + VIRTIO_MMIO_CONFIG + offset);
	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset + width <= CONFIG_SIZE; offset++) {
			expected = 0;
			memcpy(&expected, bytes + offset, width);
			value = read_width(vmem.base + VIRTIO_MMIO_CONFIG + offset, width);
			check(value == expected, "%u bytes at %u: 0x%llx, not 0x%llx", width,
			      offset, (unsigned long long)value, (unsigned long long)expected);
		}
	}
}

/* Bytes that are not the device's are zero, whatever becomes of the others. */
static void of_the_configuration_end_where_it_ends(void)
{
	unsigned int offset, width, inside;
	uint64_t value;

	for (width = 2; width <= 8; width *= 2) {
		for (inside = 0; inside < width; inside++) {
			offset = VIRTIO_MMIO_CONFIG + CONFIG_SIZE - inside;
			value = read_width(vmem.base + offset, width);
			check(!(value >> (8 * inside)), "%u bytes at 0x%03x: 0x%llx", width, offset,
			      (unsigned long long)value);
		}
	}
}

static void of_the_configuration_cannot_be_written(void)
{
	uint8_t before[CONFIG_SIZE], after;
	unsigned int offset, width;

	for (offset = 0; offset < CONFIG_SIZE; offset++)
		before[offset] = mmio_read8(vmem.base + VIRTIO_MMIO_CONFIG + offset);
	for (width = 1; width <= 8; width *= 2) {
		for (offset = 0; offset < CONFIG_SIZE; offset++)
			write_width(vmem.base + VIRTIO_MMIO_CONFIG + offset, width, ~0ULL);
	}
	for (offset = 0; offset < CONFIG_SIZE; offset++) {
		after = mmio_read8(vmem.base + VIRTIO_MMIO_CONFIG + offset);
		check(after == before[offset], "byte %u: 0x%x, then 0x%x", offset, before[offset],
		      after);
	}
	expect_answers();
}

/* The status: what the driver may set, and what it may not. */
static void of_status_bits_are_taken_back_by_a_reset_alone(void)
{
	uint32_t before = virtio_read(&vmem, VIRTIO_MMIO_STATUS), after;

	virtio_write(&vmem, VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	after = virtio_read(&vmem, VIRTIO_MMIO_STATUS);
	check(after == before, "0x%x, then 0x%x", before, after);
	virtio_write(&vmem, VIRTIO_MMIO_STATUS, before | VIRTIO_CONFIG_S_NEEDS_RESET | ~0xffU);
	after = virtio_read(&vmem, VIRTIO_MMIO_STATUS);
	check(after == before, "0x%x, then 0x%x", before, after);
	expect_answers();
}

static void of_interrupts_are_acknowledged_bit_by_bit(void)
{
	uint32_t pending;

	expect_answers();
	pending = virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS);
	check(pending == VIRTIO_MMIO_INT_VRING, "0x%x after a request", pending);
	virtio_write(&vmem, VIRTIO_MMIO_INTERRUPT_ACK, ~VIRTIO_MMIO_INT_VRING);
	pending = virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS);
	check(pending == VIRTIO_MMIO_INT_VRING, "0x%x after another was acknowledged", pending);
	virtio_write(&vmem, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
	pending = virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS);
	check(!pending, "0x%x after it was acknowledged", pending);
}

static void are_fresh_after_a_reset(void)
{
	expect_answers();
	virtio_reset(&vmem);
	check(!virtio_read(&vmem, VIRTIO_MMIO_INTERRUPT_STATUS), "an interrupt");
	check(!virtio_read(&vmem, VIRTIO_MMIO_QUEUE_READY), "a queue is ready");
}

static const struct test tests[] = {
	{ "say_what_the_device_is", say_what_the_device_is },
	{ "that_are_read_only_keep_their_value", that_are_read_only_keep_their_value },
	{ "that_are_write_only_read_as_zero", that_are_write_only_read_as_zero },
	{ "do_not_answer_to_odd_reads", do_not_answer_to_odd_reads },
	{ "do_not_answer_to_odd_writes", do_not_answer_to_odd_writes },
	{ "are_no_others_where_they_end", are_no_others_where_they_end },
	{ "beyond_the_configuration_space_read_as_zero",
	  beyond_the_configuration_space_read_as_zero },
	{ "tell_of_no_shared_memory", tell_of_no_shared_memory },
	{ "know_nothing_of_resetting_a_queue", know_nothing_of_resetting_a_queue },
	{ "of_the_configuration_are_readable_at_all_widths",
	  of_the_configuration_are_readable_at_all_widths },
	{ "of_the_configuration_end_where_it_ends", of_the_configuration_end_where_it_ends },
	{ "of_the_configuration_cannot_be_written", of_the_configuration_cannot_be_written },
	{ "of_status_bits_are_taken_back_by_a_reset_alone",
	  of_status_bits_are_taken_back_by_a_reset_alone },
	{ "of_interrupts_are_acknowledged_bit_by_bit",
	  of_interrupts_are_acknowledged_bit_by_bit },
	{ "are_fresh_after_a_reset", are_fresh_after_a_reset },
};

void hostile_registers(void)
{
	run_tests(GROUP, tests, ARRAY_SIZE(tests));
}
