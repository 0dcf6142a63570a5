// SPDX-License-Identifier: GPL-2.0
/*
 * Work without end on all that a migration has to take along, and constant doubt whether
 * it did: pages that the guest writes to, and that devices do; the used ring; what is
 * plugged; registers, clocks.
 *
 *   work [nr=N] [stride=N]   N blocks are plugged, one in STRIDE
 *   stray=1                  it writes to blocks beside them that are not, as nothing but
 *                            kvm_vmem's groups keeps a driver from, when it begins and while
 *                            it is migrated
 *
 * Letters on the console: c, check all and say so; g, grow by a block, and shrink again;
 * r, restart; p, power off.
 */
#include "devices.h"
#include "work.h"

#define COM1		0x3f8
#define COM1_LSR	(COM1 + 5)
#define LSR_DR		1

#define MOST_BLOCKS	256
#define PAGES_A_BLOCK	6
#define RAM_PAGES	64
#define MOST_PAGES	(RAM_PAGES + MOST_BLOCKS * PAGES_A_BLOCK)
#define BUFFERS		16
#define BUFFER_SIZE	256

static uint8_t ram_pages[RAM_PAGES][PAGE] __aligned(PAGE);
/* Of the device alone. */
static uint8_t ram_buffers[BUFFERS / 2][PAGE] __aligned(PAGE);

static uint64_t *pages[MOST_PAGES];
static uint32_t generations[MOST_PAGES];
static unsigned int nr_pages, nr_blocks, stride;

static uint8_t *buffers[BUFFERS];
static uint8_t expected[BUFFERS][BUFFER_SIZE];
static uint16_t used_idx;
static bool more_is_plugged, strays;
static uint64_t rounds, busies, state = 88172645463325252ULL;

void __noreturn work_failed(const char *what, uint64_t n)
{
	print("mini: work: FAILED %s %llu after %llu rounds\n", what, (unsigned long long)n,
	      (unsigned long long)rounds);
	power_off();
}

static uint64_t random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* One generation in eight is of zeros. */
static uint64_t word_of(unsigned int page, uint32_t generation, unsigned int word)
{
	if (generation % 8 == 0)
		return 0;
	return (page + 1) * 0x9e3779b97f4a7c15ULL + generation * 0xd1b54a32d192ed03ULL +
	       word * 0xbf58476d1ce4e5b9ULL;
}

static void write_page(unsigned int page)
{
	unsigned int i;

	generations[page]++;
	for (i = 0; i < PAGE / 8; i++)
		pages[page][i] = word_of(page, generations[page], i);
}

static void check_page(unsigned int page)
{
	unsigned int i;

	for (i = 0; i < PAGE / 8; i++) {
		if (pages[page][i] != word_of(page, generations[page], i))
			work_failed("page", page);
	}
}

static uint64_t nth_block(unsigned int n)
{
	return block((uint64_t)n * stride);
}

/* The last page of a block is for the device. */
static uint64_t last_page(unsigned int n)
{
	return nth_block(n) + config.block_size - PAGE;
}

/* Nobody has to keep that, nor may anybody be confused by it. */
static void stray(void)
{
	unsigned int i;

	for (i = 0; i < nr_blocks; i++)
		mmio_write64(nth_block(i) + config.block_size, rounds + 1);
}

static void plug_blocks(void)
{
	unsigned int i, j;

	nr_blocks = boot_number("nr", 16);
	stride = boot_number("stride", 1);
	strays = boot_number("stray", 0);
	if (nr_blocks < BUFFERS / 2 + 1 || nr_blocks > MOST_BLOCKS)
		work_failed("number of blocks", nr_blocks);
	for (i = 0; i < nr_blocks; i++) {
		if (vmem_plug(i * stride, 1) != VIRTIO_MEM_RESP_ACK)
			work_failed("plug", i);
		map(nth_block(i), config.block_size);
		if (strays)
			map(nth_block(i) + config.block_size, config.block_size);
		for (j = 0; j < PAGES_A_BLOCK; j++)
			pages[nr_pages++] = (uint64_t *)(nth_block(i) + j * j * 17 * PAGE);
	}
	if (strays)
		stray();
	for (i = 0; i < RAM_PAGES; i++)
		pages[nr_pages++] = (uint64_t *)ram_pages[i];
	for (i = 0; i < BUFFERS; i++)
		buffers[i] = i < BUFFERS / 2 ? ram_buffers[i] :
					       (uint8_t *)last_page(i - BUFFERS / 2);
}

/* With a used ring that the guest never writes to. */
static void start_rng(void)
{
	rng.queue.used = last_page(BUFFERS / 2);
	if (!virtio_start(&rng))
		work_failed("virtio-rng", 0);
}

static void fill_buffer(unsigned int n)
{
	rng.desc[0] = (struct vring_desc){
		.addr = (uint64_t)buffers[n], .len = BUFFER_SIZE, .flags = VRING_DESC_F_WRITE,
	};
	virtio_submit(&rng, 0);
	used_idx++;
	if (!virtio_await(&rng, used_idx))
		work_failed("virtio-rng", n);
	memcpy(expected[n], buffers[n], BUFFER_SIZE);
}

static void check_device(unsigned int n)
{
	if (memcmp(expected[n], buffers[n], BUFFER_SIZE))
		work_failed("buffer", n);
	if (READ_ONCE(rng.used->idx) != used_idx)
		work_failed("used ring", rng.used->idx);
	if (used_idx && rng.used->ring[(uint16_t)(used_idx - 1) % rng.size].len != BUFFER_SIZE)
		work_failed("used ring", used_idx);
}

/* A block beyond comes and goes, but while a migration runs. */
static void plug_more(void)
{
	uint64_t n = (uint64_t)nr_blocks * stride;
	int answer = more_is_plugged ? vmem_unplug(n, 1) : vmem_plug(n, 1);

	if (answer == VIRTIO_MEM_RESP_ACK)
		more_is_plugged = !more_is_plugged;
	else if (answer == VIRTIO_MEM_RESP_BUSY)
		busies++;
	else
		work_failed("plugging more: response", answer);
	if (strays && answer == VIRTIO_MEM_RESP_BUSY)
		stray();
}

static void check_plugged(void)
{
	uint64_t plugged = nr_blocks + more_is_plugged;
	unsigned int i;

	if (vmem_config(plugged_size) != plugged * config.block_size)
		work_failed("plugged size", vmem_config(plugged_size));
	for (i = 0; i < nr_blocks; i++) {
		if (vmem_state(i * stride, 1) != VIRTIO_MEM_STATE_PLUGGED)
			work_failed("state of block", i * stride);
		if (stride > 1 && vmem_state(i * stride + 1, 1) != VIRTIO_MEM_STATE_UNPLUGGED)
			work_failed("state of block", i * stride + 1);
	}
}

static void check_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_pages; i++)
		check_page(i);
	for (i = 0; i < BUFFERS; i++)
		check_device(i);
	check_plugged();
	registers_check();
	clocks_check();
	print("mini: work: ok rounds=%llu busy=%llu plugged=%llu\n", (unsigned long long)rounds,
	      (unsigned long long)busies, (unsigned long long)vmem_config(plugged_size));
}

static void grow(void)
{
	uint64_t n = config.requested_size / config.block_size - 1;

	if (vmem_plug(n, 1) != VIRTIO_MEM_RESP_ACK)
		work_failed("growing", n);
	map(block(n), config.block_size);
	mmio_write64(block(n), rounds);
	if (mmio_read64(block(n)) != rounds || mmio_read64(block(n) + PAGE))
		work_failed("new block", n);
	if (vmem_unplug(n, 1) != VIRTIO_MEM_RESP_ACK)
		work_failed("shrinking", n);
	print("mini: work: grown\n");
}

static void obey(void)
{
	if (!(in8(COM1_LSR) & LSR_DR))
		return;
	switch (in8(COM1)) {
	case 'c':
		check_all();
		break;
	case 'g':
		grow();
		break;
	case 'r':
		restart();
		break;
	case 'p':
		power_off();
		break;
	}
}

void __noreturn run_work(void)
{
	unsigned int i;

	plug_blocks();
	start_rng();
	registers_set();
	clocks_set();
	for (i = 0; i < BUFFERS; i++)
		fill_buffer(i);
	print("\n@ready\n");
	for (;; rounds++) {
		i = random() % nr_pages;
		check_page(i);
		write_page(i);
		i = random() % BUFFERS;
		check_device(i);
		if (rounds % 4 == 0)
			fill_buffer(random() % BUFFERS);
		if (rounds % 16 == 0)
			plug_more();
		clocks_check();
		obey();
	}
}
