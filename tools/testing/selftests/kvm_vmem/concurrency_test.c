// SPDX-License-Identifier: GPL-2.0
/*
 * Many threads on one device, and devices that end while others are used. The
 * threads do a number of rounds, not seconds, so that a slow host does the same.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#define BLOCK (2 * MiB)
#define ROUNDS (400 / SLOWNESS)
#define NR_PLUGGERS 3

FIXTURE(concurrency) {
	struct rig rig;
	int dev;
	bool stop;
};

FIXTURE_SETUP(concurrency)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.nr_vcpus = 2,
		.region_size = 512 * MiB,
		.memslot_size = 8 * MiB,
	};

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
}

FIXTURE_TEARDOWN(concurrency)
{
	rig_destroy(&self->rig);
}

/* The harness's macro reads as a product, to checkpatch. */
#define concurrency_data FIXTURE_DATA(concurrency)

struct thread {
	pthread_t thread;
	concurrency_data *self;
	unsigned int seed;
	/* Blocks that are plugged by this thread's doing. */
	long plugged;
	/* Something that must not be. */
	int wrong;
};

static bool is_response(int ret)
{
	return ret == VIRTIO_MEM_RESP_ACK || ret == VIRTIO_MEM_RESP_ERROR;
}

/* Ranges of all threads overlap: ACK and ERROR are all there may be. */
static void *plug_and_unplug(void *arg)
{
	struct thread *thread = arg;
	int dev = thread->self->dev;
	unsigned int i, nb;
	uint64_t addr;
	int ret;

	for (i = 0; i < ROUNDS; i++) {
		nb = 1 + rand_r(&thread->seed) % 6;
		addr = 4 * GiB + rand_r(&thread->seed) % (256 - nb) * BLOCK;
		if (rand_r(&thread->seed) % 2) {
			ret = vmem_plug(dev, addr, nb);
			thread->plugged += ret ? 0 : nb;
		} else {
			ret = vmem_unplug(dev, addr, nb);
			thread->plugged -= ret ? 0 : nb;
		}
		thread->wrong += !is_response(ret);
	}
	return NULL;
}

/* Whatever is read is consistent in itself. */
static void *look(void *arg)
{
	struct thread *thread = arg;
	struct kvm_vmem_memslot_info list[64];
	struct kvm_vmem_get_info info;
	uint64_t size, sum;
	int nb, i;

	while (!__atomic_load_n(&thread->self->stop, __ATOMIC_RELAXED)) {
		thread->wrong += !!vmem_get_info(thread->self->dev, &info);
		nb = vmem_get_memslots(thread->self->dev, list, 64);
		thread->wrong += nb < 0;
		for (sum = 0, i = 0; i < nb; i++) {
			sum += list[i].plugged_size;
			thread->wrong += !list[i].plugged_size ||
					 list[i].plugged_size > 8 * MiB;
		}
		thread->wrong += sum > 512 * MiB;
		thread->wrong += !!sysfs_read_u64(info.out_id, "size", &size);
		thread->wrong += size % BLOCK || size > 512 * MiB;
	}
	return NULL;
}

/* Never below what is plugged: no NACK for the others. */
static void *change_settings(void *arg)
{
	struct thread *thread = arg;
	int dev = thread->self->dev;
	int event = eventfd(0, EFD_NONBLOCK);
	uint16_t state;

	while (!__atomic_load_n(&thread->self->stop, __ATOMIC_RELAXED)) {
		thread->wrong += !!vmem_add_eventfd(dev, KVM_VMEM_EVENT_SIZE,
						    event);
		thread->wrong += !!vmem_set_requested_size(dev, 512 * MiB);
		thread->wrong += !!vmem_state(dev, 4 * GiB, 256, &state);
		thread->wrong += !!vmem_remove_eventfd(dev,
						       KVM_VMEM_EVENT_SIZE,
						       event);
	}
	close(event);
	return NULL;
}

TEST_F(concurrency, of_requests_and_readers_keeps_the_device_consistent)
{
	struct thread pluggers[NR_PLUGGERS], looker, setter;
	struct kvm_vmem_memslot_info list[64];
	struct kvm_vmem_get_info info;
	long plugged = 0;
	uint64_t sum = 0;
	unsigned int i;
	int nb;

	looker = (struct thread) { .self = self };
	setter = (struct thread) { .self = self };
	ASSERT_EQ(0, pthread_create(&looker.thread, NULL, look, &looker));
	ASSERT_EQ(0, pthread_create(&setter.thread, NULL, change_settings,
				    &setter));
	for (i = 0; i < NR_PLUGGERS; i++) {
		pluggers[i] = (struct thread) { .self = self, .seed = i };
		ASSERT_EQ(0, pthread_create(&pluggers[i].thread, NULL,
					    plug_and_unplug, &pluggers[i]));
	}
	for (i = 0; i < NR_PLUGGERS; i++) {
		ASSERT_EQ(0, pthread_join(pluggers[i].thread, NULL));
		ASSERT_EQ(0, pluggers[i].wrong);
		plugged += pluggers[i].plugged;
	}
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(looker.thread, NULL));
	ASSERT_EQ(0, pthread_join(setter.thread, NULL));
	ASSERT_EQ(0, looker.wrong);
	ASSERT_EQ(0, setter.wrong);

	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(plugged * BLOCK, info.out_size);
	nb = vmem_get_memslots(self->dev, list, 64);
	ASSERT_EQ(info.out_nb_active, nb);
	for (i = 0; i < nb; i++)
		sum += list[i].plugged_size;
	ASSERT_EQ(info.out_size, sum);
	test_ack(vmem_unplug_all(self->dev));
	test_group(self->dev, 0, 0);
}

/* Two guests' worth of touching in blocks that stay, beside blocks that go. */
TEST_F(concurrency, of_vcpus_and_requests_loses_no_write)
{
	struct vcpu *one = &self->rig.vm.vcpus[0];
	struct vcpu *two = &self->rig.vm.vcpus[1];
	uint64_t addr = self->rig.addr;
	unsigned int i;

	test_ack(vmem_plug(self->dev, addr, 1));
	test_ack(vmem_plug(self->dev, addr + 64 * MiB, 1));
	test_ok(vcpu_start(one, GUEST_FILL, addr, 20000, 64, 1));
	test_ok(vcpu_start(two, GUEST_FILL, addr + 64 * MiB, 20000, 64, 2));
	for (i = 0; i < 30; i++) {
		test_ack(vmem_plug(self->dev, addr + 8 * MiB, 12));
		test_ack(vmem_unplug(self->dev, addr + 8 * MiB, 12));
	}
	test_ok(vcpu_join(one));
	test_ok(vcpu_join(two));
	ASSERT_EQ(0, one->nr_mmio + two->nr_mmio);
	ASSERT_EQ(0, guest_verify(one, addr, 20000, 64, 1));
	ASSERT_EQ(0, guest_verify(two, addr + 64 * MiB, 20000, 64, 2));
}

/* Closes its device while others look at sysfs, ask, and wait. */
static bool race_close(void)
{
	struct kvm_vmem_setup setup = {
		.flags = KVM_VMEM_SETUP_USER_BACKING,
		.region_size = GiB,
		.backing_fd = -1,
	};
	int dev = vmem_open();

	return dev >= 0 && !vmem_setup(dev, &setup) &&
	       !vmem_set_requested_size(dev, GiB) && !close(dev);
}

static void *read_all_sysfs(void *arg)
{
	struct thread *thread = arg;
	uint64_t value;
	unsigned int id;
	int ret;

	while (!__atomic_load_n(&thread->self->stop, __ATOMIC_RELAXED)) {
		for (id = 0; id < 4; id++) {
			ret = sysfs_read_u64(id, "requested_size", &value);
			thread->wrong += ret && ret != -ENOENT &&
					 ret != -ENODEV;
			ret = sysfs_write(id, "requested_size", "0");
			thread->wrong += ret && ret != -ENOENT &&
					 ret != -ENODEV;
		}
	}
	return NULL;
}

TEST_F(concurrency, of_close_and_sysfs_is_harmless)
{
	struct thread reader = { .self = self };
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, read_all_sysfs,
				    &reader));
	for (i = 0; i < ROUNDS; i++)
		ASSERT_TRUE(race_close());
	__atomic_store_n(&self->stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(reader.thread, NULL));
	ASSERT_EQ(0, reader.wrong);
	ASSERT_EQ(1, count_devices());
}

static void *ask_until_closed(void *arg)
{
	struct thread *thread = arg;
	int ret;

	do {
		ret = vmem_plug(thread->self->dev, 4 * GiB, 1);
		if (!ret)
			ret = vmem_unplug(thread->self->dev, 4 * GiB, 1);
	} while (ret != -EBADF);
	return NULL;
}

TEST_F(concurrency, of_close_and_requests_is_harmless)
{
	struct thread asker = { .self = self };

	ASSERT_EQ(0, pthread_create(&asker.thread, NULL, ask_until_closed,
				    &asker));
	usleep(100000);
	ASSERT_EQ(0, close(self->dev));
	ASSERT_EQ(0, pthread_join(asker.thread, NULL));
	self->rig.dev = -1;
	ASSERT_EQ(0, count_devices());
}

static bool vmm_dies_while_asked(concurrency_data *self)
{
	const struct rig_options options = {
		.backing = BACKING_MEMFD,
		.memslot_size = 2 * MiB,
		.region_size = 512 * MiB,
	};
	struct thread asker = { .self = self };
	struct rig rig;

	if (rig_create(&rig, &options))
		return false;
	self->dev = rig.dev;
	if (pthread_create(&asker.thread, NULL, plug_and_unplug, &asker))
		return false;
	usleep(20000);
	_exit(0);
}

TEST_F(concurrency, of_exit_and_requests_is_harmless)
{
	unsigned int i;

	for (i = 0; i < 5; i++)
		test_child(vmm_dies_while_asked(self));
	ASSERT_EQ(1, count_devices());
}

/* ATTACH of many devices to one VM at once: each gets ids of its own. */
struct attacher {
	pthread_t thread;
	struct rig *rig;
	uint64_t addr;
	struct kvm_vmem_attach attach;
	int dev;
	int ret;
};

static void *attach_one(void *arg)
{
	const struct rig_options options = {};
	struct attacher *attacher = arg;
	struct kvm_vmem_setup setup;
	struct backing backing;

	attacher->dev = vmem_open();
	attacher->ret = backing_create(&backing, BACKING_ANON, 2 * GiB, 0);
	if (attacher->ret)
		return NULL;
	fill_setup(&setup, &backing, &options);
	setup.addr = attacher->addr;
	fill_attach(&attacher->attach, &attacher->rig->vm, &backing);
	attacher->ret = vmem_setup(attacher->dev, &setup);
	if (!attacher->ret)
		attacher->ret = vmem_attach(attacher->dev, &attacher->attach);
	if (!attacher->ret)
		attacher->ret = vmem_plug(attacher->dev, setup.addr, 513);
	return NULL;
}

TEST_F(concurrency, of_attaches_gives_each_its_own_ids)
{
	struct attacher attachers[6] = {};
	uint32_t a, b;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(attachers); i++) {
		attachers[i].rig = &self->rig;
		attachers[i].addr = 16 * GiB + i * 2 * GiB;
		ASSERT_EQ(0, pthread_create(&attachers[i].thread, NULL,
					    attach_one, &attachers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(attachers); i++) {
		ASSERT_EQ(0, pthread_join(attachers[i].thread, NULL));
		ASSERT_EQ(0, attachers[i].ret);
		for (j = 0; j < i; j++) {
			a = attachers[i].attach.out_first_memslot_id;
			b = attachers[j].attach.out_first_memslot_id;
			ASSERT_LE(2, a > b ? a - b : b - a);
		}
	}
	for (i = 0; i < ARRAY_SIZE(attachers); i++)
		ASSERT_EQ(0, close(attachers[i].dev));
}

static void *attach_same(void *arg)
{
	struct attacher *attacher = arg;

	attacher->ret = vmem_attach(attacher->dev, &attacher->attach);
	return NULL;
}

TEST_F(concurrency, of_attaches_of_one_device_lets_one_win)
{
	const struct rig_options options = { .addr = 16 * GiB };
	struct attacher attachers[4] = {};
	unsigned int i, winners = 0;
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	for (i = 0; i < ARRAY_SIZE(attachers); i++) {
		attachers[i].dev = other.dev;
		attachers[i].attach = other.attach;
		ASSERT_EQ(0, pthread_create(&attachers[i].thread, NULL,
					    attach_same, &attachers[i]));
	}
	for (i = 0; i < ARRAY_SIZE(attachers); i++) {
		ASSERT_EQ(0, pthread_join(attachers[i].thread, NULL));
		if (attachers[i].ret)
			ASSERT_EQ(-EBUSY, attachers[i].ret);
		winners += !attachers[i].ret;
	}
	ASSERT_EQ(1, winners);
	rig_destroy(&other);
}

TEST_HARNESS_MAIN
