// SPDX-License-Identifier: GPL-2.0
/*
 * vmem-vmm's reader of streams: what was written is read; what was cut, reordered,
 * damaged or made up is refused, and it is said why. Under ASan and UBSan.
 */
#include "incoming_rig.h"

#include <kselftest_harness.h>

#define MOST_SECTIONS 128

/* A section that is to be written, as it is or as somebody wants it. */
struct piece {
	uint16_t type;
	uint16_t instance;
	size_t size;
	uint8_t *data;
};

FIXTURE(incoming) {
	struct incoming_rig rig;
	struct machine_state *sent;
	struct piece pieces[MOST_SECTIONS];
	unsigned int nb;
};

#define incoming_data FIXTURE_DATA(incoming)

/* Takes a good stream apart. */
static unsigned int take_apart(const struct tape *tape, struct piece *pieces)
{
	size_t at = sizeof(struct stream_preface);
	unsigned int nb = 0;

	for (; at < tape->size && nb < MOST_SECTIONS; nb++) {
		struct stream_section section;

		memcpy(&section, tape->data + at, sizeof(section));
		at += sizeof(section);
		pieces[nb] = (struct piece){
			.type = section.type, .instance = section.instance,
			.size = section.length, .data = malloc(section.length + 1),
		};
		memcpy(pieces[nb].data, tape->data + at, section.length);
		at += section.length;
	}
	return nb;
}

/* And together again, as if it had been written so. */
static int put_together(struct tape *tape, const struct piece *pieces, unsigned int nb)
{
	struct stream_writer *writer = calloc(1, sizeof(*writer));
	int ret;

	if (!writer)
		return -ENOMEM;
	tape->size = 0;
	writer->write = tape_write;
	writer->owner = tape;
	ret = stream_write_preface(writer);
	for (unsigned int i = 0; i < nb; i++)
		ret |= stream_write(writer, pieces[i].type, pieces[i].instance, pieces[i].data,
				    pieces[i].size);
	free(writer);
	return ret;
}

FIXTURE_SETUP(incoming)
{
	self->sent = calloc(1, sizeof(*self->sent));
	ASSERT_NE(NULL, self->sent);
	rig_fill_state(self->sent);
	ASSERT_TRUE(incoming_rig_reset(&self->rig));
	ASSERT_EQ(0, rig_write_stream(&self->rig.tape, self->sent));
	self->nb = take_apart(&self->rig.tape, self->pieces);
	ASSERT_LE(45, self->nb);
	ASSERT_GT(MOST_SECTIONS, self->nb);
}

FIXTURE_TEARDOWN(incoming)
{
	for (unsigned int i = 0; i < self->nb; i++)
		free(self->pieces[i].data);
	incoming_rig_destroy(&self->rig);
	free(self->sent);
}

static int read_tape(struct incoming_rig *rig)
{
	if (!incoming_rig_reset(rig))
		return -ENOMEM;
	memset(&rig->state, 0, sizeof(rig->state));
	return incoming_read(&rig->incoming);
}

static const char *why(const struct incoming_rig *rig)
{
	return rig->incoming.reader.wrong;
}

/* Refused, and it is said why. */
#define test_refused(text) do { \
	ASSERT_GT(0, read_tape(&self->rig)); \
	ASSERT_NE(NULL, strstr(why(&self->rig), text)) \
		TH_LOG("'%s'", why(&self->rig)); \
} while (0)

static struct piece *find(incoming_data *self, enum stream_type type, unsigned int instance)
{
	for (unsigned int i = 0; i < self->nb; i++)
		if (self->pieces[i].type == type && self->pieces[i].instance == instance)
			return &self->pieces[i];
	abort();
}

/* The good stream, but that one of its sections has other content. */
#define test_lie(text, type, which, structure, ...) do { \
	struct piece *piece_ = find(self, type, which); \
	structure before_, *lie; \
\
	ASSERT_LE(sizeof(before_), piece_->size); \
	lie = (void *)piece_->data; \
	before_ = *lie; \
	__VA_ARGS__; \
	ASSERT_EQ(0, put_together(&self->rig.tape, self->pieces, self->nb)); \
	test_refused(text); \
	*lie = before_; \
} while (0)

TEST_F(incoming, what_was_written_is_read)
{
	struct incoming_rig *rig = &self->rig;
	uint8_t page[FORMAT_PAGE + 8];

	ASSERT_EQ(0, read_tape(rig))
		TH_LOG("%s", why(rig));
	ASSERT_EQ(rig->tape.size, rig->tape.at);
	ASSERT_EQ(rig->tape.size, rig->incoming.reader.nb_bytes);
	for (unsigned int i = 0; i < FORMAT_NB_ITEMS; i++) {
		const struct format_item *item = &format_items[i];

		for (unsigned int j = 0; j < format_nb_instances(item, &rig_machine); j++) {
			uint32_t nb = item->most == 1 ? 1 : *format_count(item, self->sent, j);

			ASSERT_EQ(nb, item->most == 1 ? 1 : *format_count(item, &rig->state, j));
			ASSERT_EQ(0, memcmp(format_data(item, self->sent, j),
					    format_data(item, &rig->state, j), nb * item->unit));
		}
	}
	/* What it is not of is left alone. */
	ASSERT_EQ(0, rig->state.cpus[RIG_CPUS].regs.rax);
	for (uint64_t block = 0; block < RIG_BLOCKS; block++) {
		bool plugged = block < 2 || block == 5 || block == 63 || block == 64 ||
			       block == 65 || block == 69;

		ASSERT_EQ(plugged, rig_is_plugged(rig, 0, block));
		ASSERT_FALSE(rig_is_plugged(rig, 1, block));
	}
	ASSERT_EQ(2, rig->nb_plugs);
	rig_fill(page, sizeof(page), (RIG_VMEM(0) + 5 * RIG_BLOCK) >> 12);
	ASSERT_EQ(0, memcmp(page + 8, rig->regions[0] + 5 * RIG_BLOCK, FORMAT_PAGE));
	rig_fill(page, sizeof(page), 0);
	ASSERT_EQ(0, memcmp(page + 8, rig->ram, FORMAT_PAGE));
	ASSERT_NE(0, rig->ram[2 * FORMAT_PAGE - 1]);
	/* They were zero in the end. */
	for (unsigned int i = 2 * FORMAT_PAGE; i < 4 * FORMAT_PAGE; i++)
		ASSERT_EQ(0, rig->ram[i]);
}

TEST_F(incoming, a_stream_that_is_cut_is_refused)
{
	struct tape *tape = &self->rig.tape;
	size_t size = tape->size;

	for (tape->size = 0; tape->size < size; tape->size += tape->size < 1000 ? 1 : 97) {
		ASSERT_EQ(-ENODATA, read_tape(&self->rig));
		ASSERT_NE(NULL, strstr(why(&self->rig), "ends early"));
	}
	tape->size = size - 1;
	ASSERT_EQ(-ENODATA, read_tape(&self->rig));
}

TEST_F(incoming, a_stream_that_is_damaged_is_refused)
{
	struct tape *tape = &self->rig.tape;

	for (size_t at = 0; at < tape->size; at += at < 500 ? 1 : 89) {
		tape->data[at] ^= 1 << at % 8;
		ASSERT_GT(0, read_tape(&self->rig))
			TH_LOG("byte %zu", at);
		ASSERT_LT(0, strlen(why(&self->rig)));
		tape->data[at] ^= 1 << at % 8;
	}
	ASSERT_EQ(0, read_tape(&self->rig));
}

TEST_F(incoming, something_else_is_refused)
{
	struct tape *tape = &self->rig.tape;

	tape->data[0] = 'K';
	test_refused("no saved machine");
	tape->data[0] = 'k';
	tape->data[8] = STREAM_VERSION + 1;
	test_refused("of version 2.0, not 1.0");
	tape->data[8] = STREAM_VERSION;
	tape->data[12] = 7;
	test_refused("of version 1.7, not 1.0");
}

static bool may_be_missing(const struct piece *pieces, unsigned int i)
{
	return pieces[i].type == STREAM_PAGES || pieces[i].type == STREAM_ZEROS ||
	       (pieces[i].type == STREAM_ROUND && pieces[i].data[0] == 1);
}

TEST_F(incoming, a_stream_without_one_of_its_sections_is_refused)
{
	struct piece less[MOST_SECTIONS];

	for (unsigned int i = 0; i < self->nb; i++) {
		memcpy(less, self->pieces, i * sizeof(*less));
		memcpy(less + i, self->pieces + i + 1, (self->nb - i - 1) * sizeof(*less));
		ASSERT_EQ(0, put_together(&self->rig.tape, less, self->nb - 1));
		ASSERT_EQ(may_be_missing(self->pieces, i), read_tape(&self->rig) == 0)
			TH_LOG("section %u: %s", i, why(&self->rig));
	}
}

TEST_F(incoming, a_stream_with_a_section_twice_is_refused)
{
	struct piece more[MOST_SECTIONS + 1];
	int ret;

	for (unsigned int i = 0; i < self->nb - 1; i++) {
		memcpy(more, self->pieces, (i + 1) * sizeof(*more));
		memcpy(more + i + 1, self->pieces + i, (self->nb - i) * sizeof(*more));
		ASSERT_EQ(0, put_together(&self->rig.tape, more, self->nb + 1));
		ret = read_tape(&self->rig);
		ASSERT_EQ(self->pieces[i].type == STREAM_PAGES ||
			  self->pieces[i].type == STREAM_ZEROS, ret == 0)
			TH_LOG("section %u: %s", i, why(&self->rig));
	}
}

static bool is_memory(const struct piece *piece)
{
	return piece->type == STREAM_PAGES || piece->type == STREAM_ZEROS ||
	       (piece->type == STREAM_ROUND && piece->data[0]);
}

static bool is_state(const struct piece *piece)
{
	return piece->type >= STREAM_CPU_CPUID && piece->type < STREAM_END;
}

/* Within memory, and within the state, the order is nobody's affair. */
TEST_F(incoming, a_stream_in_another_order_is_refused)
{
	struct piece moved[MOST_SECTIONS];

	for (unsigned int i = 0; i < self->nb - 1; i++) {
		const struct piece *a = &self->pieces[i], *b = &self->pieces[i + 1];

		memcpy(moved, self->pieces, sizeof(moved));
		moved[i] = *b;
		moved[i + 1] = *a;
		ASSERT_EQ(0, put_together(&self->rig.tape, moved, self->nb));
		ASSERT_EQ((is_memory(a) && is_memory(b)) || (is_state(a) && is_state(b)),
			  read_tape(&self->rig) == 0)
			TH_LOG("section %u: %s", i, why(&self->rig));
	}
}

TEST_F(incoming, sections_that_changed_places_are_refused)
{
	struct tape *tape = &self->rig.tape;
	struct stream_section *first = (void *)(tape->data + sizeof(struct stream_preface));

	first->sequence = 1;
	test_refused("section 1 of the stream is where 0 should be");
}

TEST_F(incoming, a_length_that_nobody_has_is_refused)
{
	static const uint64_t lengths[] = {
		STREAM_MOST + 1, 1ULL << 31, 1ULL << 32, 1ULL << 63, UINT64_MAX, UINT64_MAX - 31,
	};
	struct tape *tape = &self->rig.tape;
	struct stream_section *first = (void *)(tape->data + sizeof(struct stream_preface));

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		first->length = lengths[i];
		test_refused("bytes, over");
	}
}

TEST_F(incoming, another_machine_is_refused)
{
	test_lie("boot memory is 135168 there and 131072 here", STREAM_MACHINE, 0,
		 struct format_machine, lie->memory_size += 4096);
	test_lie("number of vCPUs is 1 there and 2 here", STREAM_MACHINE, 0,
		 struct format_machine, lie->nb_cpus = 1);
	test_lie("number of virtio-mem devices", STREAM_MACHINE, 0, struct format_machine,
		 lie->nb_vmems = 0xffffffff);
	test_lie("number of virtio devices", STREAM_MACHINE, 0, struct format_machine,
		 lie->nb_devices = 4);
	test_lie("kind of a virtio device is 24 there and 4 here", STREAM_MACHINE, 0,
		 struct format_machine, lie->devices[2] = 24);
	test_lie("address of virtio-mem", STREAM_VMEM, 0, struct format_vmem, lie->addr++);
	test_lie("region size of virtio-mem", STREAM_VMEM, 0, struct format_vmem,
		 lie->region_size *= 2);
	test_lie("block size of virtio-mem", STREAM_VMEM, 1, struct format_vmem,
		 lie->block_size = 0);
	test_lie("node of virtio-mem is 0 there and -1 here", STREAM_VMEM, 0, struct format_vmem,
		 lie->node = 0);
}

TEST_F(incoming, blocks_that_cannot_be_plugged_are_refused)
{
	struct runs {
		struct format_run run[4];
	};

	test_lie("cannot have", STREAM_VMEM, 0, struct format_vmem, lie->plugged_size++);
	test_lie("cannot have", STREAM_VMEM, 0, struct format_vmem,
		 lie->plugged_size = RIG_REGION + RIG_BLOCK);
	test_lie("cannot have", STREAM_VMEM, 0, struct format_vmem,
		 lie->plugged_size = -RIG_BLOCK);
	test_lie("is not where it should be", STREAM_VMEM, 0, struct format_vmem,
		 lie->plugged_size += RIG_BLOCK);
	test_lie("more blocks plugged than it said", STREAM_VMEM, 0, struct format_vmem,
		 lie->plugged_size -= RIG_BLOCK);
	test_lie("is not where it should be", STREAM_VMEM, 0, struct format_vmem,
		 lie->plugged_size = 0);
	test_lie("cannot be restored: Cannot allocate memory", STREAM_VMEM, 1, struct format_vmem,
		 lie->requested_size = UINT64_MAX);
	test_lie("has no 1 blocks from block 70 on", STREAM_PLUGGED, 0, struct runs,
		 lie->run[3].first_block = 70);
	test_lie("has no 2 blocks from block 69 on", STREAM_PLUGGED, 0, struct runs,
		 lie->run[3].nb_blocks = 2);
	test_lie("has no", STREAM_PLUGGED, 0, struct runs, lie->run[3].nb_blocks = UINT64_MAX);
	test_lie("has no", STREAM_PLUGGED, 0, struct runs, lie->run[3].first_block = UINT64_MAX);
	test_lie("has no 0 blocks", STREAM_PLUGGED, 0, struct runs, lie->run[1].nb_blocks = 0);
	/* Not twice, and not in another order. */
	test_lie("has no 1 blocks from block 1 on", STREAM_PLUGGED, 0, struct runs,
		 lie->run[1].first_block = 1);
	test_lie("has no 3 blocks from block 3 on", STREAM_PLUGGED, 0, struct runs,
		 lie->run[2].first_block = 3);
}

TEST_F(incoming, memory_where_there_is_none_is_refused)
{
	static const uint64_t nowhere[] = {
		/* Four pages: behind boot memory, over its end, unaligned. */
		RIG_RAM_SIZE, RIG_RAM_SIZE - 3 * FORMAT_PAGE, 1, FORMAT_PAGE / 2,
		/* Unplugged, half of it, beyond the region, nothing at all. */
		RIG_VMEM(0) + 2 * RIG_BLOCK, RIG_VMEM(0) + 2 * RIG_BLOCK - 3 * FORMAT_PAGE,
		RIG_VMEM(0) + RIG_REGION - 3 * FORMAT_PAGE, RIG_VMEM(0) - FORMAT_PAGE,
		RIG_VMEM(1), 1ULL << 63, -FORMAT_PAGE, UINT64_MAX,
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		test_lie("where there is none", STREAM_PAGES, 0, struct format_pages,
			 lie->gpa = nowhere[i]);
		test_lie("where there is none", STREAM_ZEROS, 0, struct format_zeros,
			 lie->gpa = nowhere[i], lie->nb_pages = 4);
	}
	test_lie("where there is none", STREAM_ZEROS, 0, struct format_zeros, lie->nb_pages = 0);
	test_lie("where there is none", STREAM_ZEROS, 0, struct format_zeros, lie->nb_pages = 31);
	test_lie("where there is none", STREAM_ZEROS, 0, struct format_zeros,
		 lie->nb_pages = UINT64_MAX);
	test_lie("where there is none", STREAM_ZEROS, 0, struct format_zeros,
		 lie->nb_pages = (1ULL << 52) + 1);
}

TEST_F(incoming, rounds_are_counted)
{
	test_lie("number of a round is 1 there and 0 here", STREAM_ROUND, 0, struct format_round,
		 lie->number = 1);
}

/* Every section shorter, by a byte and by all, and longer. */
TEST_F(incoming, a_section_of_another_length_is_refused)
{
	static const size_t most = 20000;
	int ret;

	for (unsigned int i = 0; i < self->nb; i++) {
		struct piece *piece = &self->pieces[i];
		const size_t size = piece->size;
		const size_t sizes[] = { size - 1, size + 1, 0, size + 8, most };
		uint8_t *data = realloc(piece->data, most);

		ASSERT_NE(NULL, data);
		piece->data = data;
		memset(piece->data + size, 0, most - size);
		for (unsigned int j = 0; j < ARRAY_SIZE(sizes); j++) {
			if (sizes[j] > most || sizes[j] == size)
				continue;
			piece->size = sizes[j];
			ASSERT_EQ(0, put_together(&self->rig.tape, self->pieces, self->nb));
			ret = read_tape(&self->rig);
			/* Lists may be of any length, up to the most that there is room for. */
			ASSERT_TRUE(ret < 0 || piece->type == STREAM_CPU_NESTED ||
				    (piece->type == STREAM_CPU_CPUID && !piece->size) ||
				    (piece->type == STREAM_CPU_MSRS && piece->size % 16 == 0))
				TH_LOG("section %u, of type %u: %zu", i, piece->type, piece->size);
		}
		piece->size = size;
	}
}

TEST_F(incoming, a_section_of_something_that_there_is_not_is_refused)
{
	for (unsigned int i = 0; i < self->nb; i++) {
		struct piece *piece = &self->pieces[i];
		const uint16_t instance = piece->instance, type = piece->type;

		if (type == STREAM_VMEM || type == STREAM_PLUGGED ||
		    (type >= STREAM_CPU_CPUID && type < STREAM_END)) {
			piece->instance = type == STREAM_IRQCHIP ? FORMAT_NB_IRQCHIPS : 64;
			ASSERT_EQ(0, put_together(&self->rig.tape, self->pieces, self->nb));
			test_refused("is not where it should be");
			piece->instance = 0xffff;
			ASSERT_EQ(0, put_together(&self->rig.tape, self->pieces, self->nb));
			test_refused("is not where it should be");
		}
		piece->instance = instance;
		piece->type = 77;
		ASSERT_EQ(0, put_together(&self->rig.tape, self->pieces, self->nb));
		test_refused("of type 77");
		piece->type = type;
	}
}

TEST_HARNESS_MAIN
