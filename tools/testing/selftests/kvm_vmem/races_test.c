// SPDX-License-Identifier: GPL-2.0
/*
 * Everything at once: two threads plug and unplug the same blocks while two
 * vCPUs and the VMM read and write them. Whenever it is quiet, the memory is
 * where the plugged blocks are; and at no time is a byte seen that was written
 * before its block was unplugged, or an unplugged block accessed.
 *
 * How a stale word is told: every writer numbers what it writes, ever upwards,
 * and says which number it has done with. Who is about to plug a block notes
 * these. Whatever it notes was written to an earlier life of the block, or to
 * none: if the plug is acknowledged, no such number is ever to be seen there
 * again.
 *
 * How a block out of reach is told: a block whose unplug was acknowledged, with
 * no plug of it having been tried from before that until now, is unplugged. An
 * access that begins and ends in such a time is to be denied.
 *
 * KVM_VMEM_SECONDS in the environment: for how long (5).
 */
#include "harness.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "access.h"
#include "ending.h"

#define PAGE 4096
#define NR_BLOCKS 24
/* Some memslots have some of the blocks. */
#define MEMSLOT (16 * MiB)
#define REGION (256 * MiB)
#define NR_VCPUS 2
/* The VMM is the last of them. */
#define NR_WRITERS (NR_VCPUS + 1)
#define NR_PLUGGERS 2
#define NR_THREADS (NR_WRITERS + NR_PLUGGERS)
/* A word is the writer's number above this, and its own below. */
#define WRITER_SHIFT 56
/* For longer than it is to take, if nothing was seen in that time: a machine may be busy. */
#define PATIENCE_MS (60000 * SLOWNESS)

/**
 * struct race - what all threads know
 * @rig: The device
 * @done: Per writer, the last number it is through with
 * @floor: Per block and writer, the last number that is stale there
 * @begun: Per block, plugs that were tried
 * @ended: Per block, those of them that have returned
 * @unplugged: Per block, the value of @begun with which it is unplugged, plus 1
 * @stop: Threads wait at @quiet
 * @quit: Threads end
 * @quiet: All threads and the test, before and after a quiet moment
 * @nr_stale: Words that were seen and must not be
 * @stale: One of them
 * @nr_trespasses: Accesses to unplugged blocks that were not denied
 * @nr_barred: Those that were
 * @nr_seen: Words that were seen and may be, other than 0
 * @nr_denied: Accesses that were refused
 * @nr_acks: Requests that changed something
 * @failure: What should never be returned
 */
struct race {
	struct rig *rig;
	atomic_uint_fast64_t done[NR_WRITERS];
	atomic_uint_fast64_t floor[NR_BLOCKS][NR_WRITERS];
	atomic_uint_fast64_t begun[NR_BLOCKS];
	atomic_uint_fast64_t ended[NR_BLOCKS];
	atomic_uint_fast64_t unplugged[NR_BLOCKS];
	atomic_bool stop;
	atomic_bool quit;
	pthread_barrier_t quiet;
	atomic_uint_fast64_t nr_stale;
	atomic_uint_fast64_t stale;
	atomic_uint_fast64_t nr_trespasses;
	atomic_uint_fast64_t nr_barred;
	atomic_uint_fast64_t nr_seen;
	atomic_uint_fast64_t nr_denied;
	atomic_uint_fast64_t nr_acks;
	atomic_int failure;
};

struct racer {
	struct race *race;
	unsigned int id;
	unsigned int seed;
	pthread_t thread;
};

static uint64_t offset_of(const struct race *race, unsigned int block)
{
	return block * race->rig->block;
}

static char *memory_of(const struct race *race, unsigned int block)
{
	return race->rig->backing.addr + offset_of(race, block);
}

static void raise_floor(atomic_uint_fast64_t *floor, uint64_t number)
{
	uint64_t old = atomic_load(floor);

	/* The other plugger may know better. */
	while (old < number && !atomic_compare_exchange_weak(floor, &old,
							     number))
		;
}

static void note_failure(struct race *race, int ret)
{
	int none = 0;

	atomic_compare_exchange_strong(&race->failure, &none, ret);
}

static void plug(struct race *race, unsigned int first, unsigned int nb)
{
	uint64_t done[NR_WRITERS];
	unsigned int i, block;
	int ret;

	for (i = 0; i < NR_WRITERS; i++)
		done[i] = atomic_load(&race->done[i]);
	for (block = first; block < first + nb; block++)
		atomic_fetch_add(&race->begun[block], 1);
	ret = vmem_plug(race->rig->dev, race->rig->addr +
			offset_of(race, first), nb);
	for (block = first; block < first + nb; block++)
		atomic_fetch_add(&race->ended[block], 1);
	if (ret == VIRTIO_MEM_RESP_ACK) {
		atomic_fetch_add(&race->nr_acks, 1);
		for (block = first; block < first + nb; block++)
			for (i = 0; i < NR_WRITERS; i++)
				raise_floor(&race->floor[block][i], done[i]);
	} else if (ret != VIRTIO_MEM_RESP_ERROR) {
		note_failure(race, ret);
	}
}

/* Of a block that nobody is about to plug; else a number that never is. */
static uint64_t nr_begun(struct race *race, unsigned int block)
{
	uint64_t ended = atomic_load(&race->ended[block]);

	return atomic_load(&race->begun[block]) == ended ? ended : ~0ULL;
}

static void unplug(struct race *race, unsigned int first, unsigned int nb,
		   unsigned int how)
{
	uint64_t addr = race->rig->addr + offset_of(race, first);
	uint64_t begun[NR_BLOCKS];
	unsigned int block;
	int ret;

	for (block = 0; block < NR_BLOCKS; block++)
		begun[block] = nr_begun(race, block);
	if (!how) {
		first = 0;
		nb = NR_BLOCKS;
	}

	if (!how)
		ret = vmem_unplug_all(race->rig->dev);
	else if (how < 4)
		ret = vmem_unplug_sync(race->rig->dev, addr, nb);
	else
		ret = vmem_unplug(race->rig->dev, addr, nb);
	if (ret == VIRTIO_MEM_RESP_ACK) {
		atomic_fetch_add(&race->nr_acks, 1);
		for (block = first; block < first + nb; block++)
			if (begun[block] == atomic_load(&race->begun[block]))
				atomic_store(&race->unplugged[block],
					     begun[block] + 1);
	} else if (ret != VIRTIO_MEM_RESP_ERROR) {
		note_failure(race, ret);
	}
}

/* Before an access: 0, or what check_access() wants to know after it. */
static uint64_t is_unplugged_now(struct race *race, unsigned int block)
{
	uint64_t unplugged = atomic_load(&race->unplugged[block]);

	return atomic_load(&race->begun[block]) + 1 == unplugged ? unplugged :
								   0;
}

static void check_access(struct race *race, unsigned int block,
			 uint64_t unplugged, bool was_denied)
{
	if (!unplugged || atomic_load(&race->begun[block]) + 1 != unplugged)
		return;
	atomic_fetch_add(was_denied ? &race->nr_barred : &race->nr_trespasses,
			 1);
}

static void check_word(struct race *race, const uint64_t *floor, uint64_t word)
{
	unsigned int writer = word >> WRITER_SHIFT;
	uint64_t number = word & ((1ULL << WRITER_SHIFT) - 1);

	if (!word)
		return;
	if (writer >= NR_WRITERS || number <= floor[writer]) {
		atomic_store(&race->stale, word);
		atomic_fetch_add(&race->nr_stale, 1);
	} else {
		atomic_fetch_add(&race->nr_seen, 1);
	}
}

static void access_result(struct race *race, int ret, int denied)
{
	if (ret == denied)
		atomic_fetch_add(&race->nr_denied, 1);
	else if (ret)
		note_failure(race, ret);
}

/* The floor first: the word that is read then is younger. */
static void read_floor(struct race *race, unsigned int block, uint64_t *floor)
{
	unsigned int i;

	for (i = 0; i < NR_WRITERS; i++)
		floor[i] = atomic_load(&race->floor[block][i]);
}

static void guest_turn(struct racer *racer, uint64_t *number)
{
	struct race *race = racer->race;
	struct vcpu *vcpu = &race->rig->vm.vcpus[racer->id];
	unsigned int block = rand_r(&racer->seed) % NR_BLOCKS;
	unsigned int pages = race->rig->block / PAGE;
	uint64_t page = rand_r(&racer->seed) % pages;
	uint64_t addr = race->rig->addr + offset_of(race, block) + page * PAGE;
	uint64_t floor[NR_WRITERS], word, nb = 1;
	uint64_t unplugged = is_unplugged_now(race, block);
	int ret;

	if (rand_r(&racer->seed) % 2) {
		read_floor(race, block, floor);
		ret = guest_read(vcpu, addr, &word);
		/* No memslot is no memory. */
		if (!ret && !vcpu->nr_mmio)
			check_word(race, floor, word);
	} else {
		nb += rand_r(&racer->seed) % (pages - page);
		ret = guest_fill(vcpu, addr, nb, PAGE,
				 (uint64_t)racer->id << WRITER_SHIFT |
				 (*number + 1));
		*number += nb;
		atomic_store(&race->done[racer->id], *number);
	}
	check_access(race, block, unplugged, ret || vcpu->nr_mmio);
	access_result(race, ret, -EFAULT);
}

static void vmm_turn(struct racer *racer, uint64_t *number)
{
	struct race *race = racer->race;
	unsigned int block = rand_r(&racer->seed) % NR_BLOCKS;
	char *memory = memory_of(race, block) +
		       rand_r(&racer->seed) % (race->rig->block / PAGE) * PAGE;
	uint64_t floor[NR_WRITERS], word;
	uint64_t unplugged = is_unplugged_now(race, block);
	int ret = 0;

	switch (rand_r(&racer->seed) % 64) {
	case 0:
		/* Pages may vanish while they are faulted in. */
		madvise(memory_of(race, block), race->rig->block, MADV_REMOVE);
		return;
	case 1:
		madvise(memory_of(race, block), race->rig->block,
			MADV_POPULATE_WRITE);
		return;
	case 2:
		madvise(memory_of(race, block), race->rig->block,
			MADV_DONTNEED);
		return;
	case 3 ... 32:
		read_floor(race, block, floor);
		ret = try_read(memory, &word);
		if (!ret)
			check_word(race, floor, word);
		break;
	default:
		++*number;
		ret = try_write(memory, (uint64_t)racer->id << WRITER_SHIFT |
				*number);
		atomic_store(&race->done[racer->id], *number);
	}
	check_access(race, block, unplugged, ret);
	access_result(race, ret, -SIGBUS);
}

static void plugger_turn(struct racer *racer)
{
	unsigned int first = rand_r(&racer->seed) % NR_BLOCKS;
	unsigned int nb = 1 + rand_r(&racer->seed) % 4;

	if (nb > NR_BLOCKS - first)
		nb = NR_BLOCKS - first;
	if (rand_r(&racer->seed) % 3)
		plug(racer->race, first, nb);
	else
		unplug(racer->race, first, nb, rand_r(&racer->seed) % 32);
}

static void *run_racer(void *arg)
{
	struct racer *racer = arg;
	struct race *race = racer->race;
	uint64_t number = 0;

	while (!atomic_load(&race->quit)) {
		if (atomic_load(&race->stop)) {
			pthread_barrier_wait(&race->quiet);
			pthread_barrier_wait(&race->quiet);
			continue;
		}
		if (racer->id < NR_VCPUS)
			guest_turn(racer, &number);
		else if (racer->id < NR_WRITERS)
			vmm_turn(racer, &number);
		else
			plugger_turn(racer);
	}
	return NULL;
}

FIXTURE(races) {
	struct rig rig;
	struct race race;
	struct racer racers[NR_THREADS];
	uint32_t id;
};

FIXTURE_VARIANT(races) {
	struct rig_options options;
};

#define RACES(...) { \
	{ \
		.backing = BACKING_PROTECTED, \
		.nr_vcpus = NR_VCPUS, \
		.region_size = REGION, \
		__VA_ARGS__ \
	} \
}

FIXTURE_VARIANT_ADD(races, huge_pages) RACES(.memslot_size = MEMSLOT);
FIXTURE_VARIANT_ADD(races, small_pages) RACES(.memslot_size = MEMSLOT,
					      .block_size = MiB);
FIXTURE_VARIANT_ADD(races, prealloc) RACES(.memslot_size = MEMSLOT,
					   .block_size = MiB,
					   .prealloc = true);
FIXTURE_VARIANT_ADD(races, one_memslot) RACES(.is_static = true);

FIXTURE_SETUP(races)
{
	unsigned int i;

	test_ok(rig_create(&self->rig, &variant->options));
	self->id = self->rig.setup.out_id;
	/* Retirement is to take part. */
	test_ok(sysfs_write(self->id, "retire_delay_ms", "2"));
	self->race.rig = &self->rig;
	pthread_barrier_init(&self->race.quiet, NULL, NR_THREADS + 1);
	for (i = 0; i < NR_THREADS; i++) {
		self->racers[i] = (struct racer){
			.race = &self->race,
			.id = i,
			.seed = 1000 + i,
		};
	}
}

FIXTURE_TEARDOWN(races)
{
	rig_destroy(&self->rig);
}

static int start(struct racer *racers)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < NR_THREADS && !ret; i++)
		ret = pthread_create(&racers[i].thread, NULL, run_racer,
				     &racers[i]);
	return -ret;
}

static void join(struct racer *racers)
{
	unsigned int i;

	for (i = 0; i < NR_THREADS; i++)
		pthread_join(racers[i].thread, NULL);
}

/* Of all that is to be seen there was something. */
static bool has_raced(struct race *race)
{
	return atomic_load(&race->nr_acks) && atomic_load(&race->nr_seen) &&
	       atomic_load(&race->nr_denied) && atomic_load(&race->nr_barred);
}

/* With all threads waiting: the bitmap and the memory agree. */
#define test_quiet() do { \
	uint64_t bytes_, sum_ = 0, plugged_ = 0; \
	unsigned int block_; \
	uint16_t state_; \
\
	test_becomes(0, device_value(self->id, "discard_pending")); \
	for (block_ = 0; block_ < NR_BLOCKS; block_++) { \
		ASSERT_EQ(0, vmem_state(self->rig.dev, self->rig.addr + \
					offset_of(race, block_), 1, \
					&state_)); \
		bytes_ = cached_bytes(memory_of(race, block_), \
				      self->rig.block); \
		ASSERT_GE(self->rig.block, bytes_); \
		sum_ += bytes_; \
		if (state_ == VIRTIO_MEM_STATE_PLUGGED) \
			plugged_ += self->rig.block; \
		else \
			ASSERT_EQ(0, bytes_); \
	} \
	ASSERT_EQ(plugged_, device_value(self->id, "size")); \
	ASSERT_EQ(sum_, device_value(self->id, "resident")); \
	ASSERT_GE(plugged_, sum_); \
} while (0)

#define test_race() do { \
	ASSERT_EQ(0, atomic_load(&race->nr_stale)) \
		TH_LOG("a stale word: 0x%llx", \
		       (unsigned long long)atomic_load(&race->stale)); \
	ASSERT_EQ(0, atomic_load(&race->nr_trespasses)); \
	ASSERT_EQ(0, atomic_load(&race->failure)); \
} while (0)

TEST_F_TIMEOUT(races, no_stale_byte_and_no_unplugged_memory, 600 * SLOWNESS)
{
	int64_t end = now_ms() + environment("KVM_VMEM_SECONDS", 5) * 1000LL;
	int64_t last = end + PATIENCE_MS;
	unsigned int round = 0;
	struct race *race = &self->race;

	test_ok(start(self->racers));
	while (now_ms() < (has_raced(race) ? end : last)) {
		usleep(300000);
		atomic_store(&race->stop, true);
		pthread_barrier_wait(&race->quiet);
		test_quiet();
		test_race();
		if (round++ % 3 == 2) {
			test_ack(vmem_unplug_sync(self->rig.dev, 0, 0));
			ASSERT_EQ(0, device_value(self->id, "resident"));
		}
		atomic_store(&race->stop, false);
		pthread_barrier_wait(&race->quiet);
	}
	atomic_store(&race->quit, true);
	join(self->racers);
	test_quiet();
	test_race();
	TH_LOG("%llu changes, %llu words seen, %llu accesses denied, %llu to blocks unplugged",
	       (unsigned long long)atomic_load(&race->nr_acks),
	       (unsigned long long)atomic_load(&race->nr_seen),
	       (unsigned long long)atomic_load(&race->nr_denied),
	       (unsigned long long)atomic_load(&race->nr_barred));
	ASSERT_EQ(true, has_raced(race));
	ASSERT_LT(0, device_value(self->id, "violations"));
}

/* What a VMM that ends in disorder does. */
TEST_F(races, closing_the_device_under_load_frees_all)
{
	struct race *race = &self->race;
	uint64_t shmem = host_shmem();
	unsigned int block;

	test_ok(start(self->racers));
	usleep(300000);
	/* The threads' requests fail from here on; their accesses go on. */
	close(self->rig.dev);
	self->rig.dev = -1;
	usleep(300000);
	atomic_store(&race->quit, true);
	join(self->racers);
	ASSERT_EQ(0, atomic_load(&race->nr_stale));
	test_becomes(0, count_devices());
	for (block = 0; block < NR_BLOCKS; block++) {
		ASSERT_EQ(-SIGBUS, try_touch(memory_of(race, block)));
		ASSERT_EQ(0, cached_bytes(memory_of(race, block),
					  self->rig.block));
	}
	test_at_most(shmem + 8 * MiB, host_shmem());
}

TEST_HARNESS_MAIN
