// SPDX-License-Identifier: GPL-2.0
/* Who is told of what: eventfds, poll() and read() of the device. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#define BLOCK (2 * MiB)
#define MAX_LISTENERS 64

FIXTURE(notify) {
	struct rig rig;
	int dev;
	uint64_t addr;
	int size, config, memslots;
};

FIXTURE_SETUP(notify)
{
	const struct rig_options options = { .backing = BACKING_MEMFD };

	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->addr = self->rig.addr;
	self->size = eventfd(0, EFD_NONBLOCK);
	self->config = eventfd(0, EFD_NONBLOCK);
	self->memslots = eventfd(0, EFD_NONBLOCK);
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, self->size));
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG,
				 self->config));
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_MEMSLOTS,
				 self->memslots));
}

FIXTURE_TEARDOWN(notify)
{
	close(self->size);
	close(self->config);
	close(self->memslots);
	rig_destroy(&self->rig);
}

/* How often it was signalled since the last time; of the device, too. */
static int take(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) == sizeof(count))
		return count;
	return errno == EAGAIN ? 0 : -errno;
}

static int set_nonblock(int fd)
{
	return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST_F(notify, every_change_of_the_size_is_told)
{
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->size));
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 5));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	ASSERT_EQ(2, take(self->size));
	test_ack(vmem_unplug_all(self->dev));
	ASSERT_EQ(1, take(self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
	ASSERT_EQ(2, take(self->size));
	ASSERT_EQ(0, take(self->config));
}

TEST_F(notify, what_changes_no_size_is_not_told)
{
	uint16_t state;

	test_ack(vmem_unplug_all(self->dev));
	test_ok(vmem_action(self->dev, KVM_VMEM_RESET, 0));
	test_error(vmem_unplug(self->dev, self->addr, 1));
	test_ack(vmem_state(self->dev, self->addr, 1, &state));
	test_ok(vmem_set_requested_size(self->dev, BLOCK));
	test_nack(vmem_plug(self->dev, self->addr, 2));
	ASSERT_EQ(0, take(self->size));
	ASSERT_EQ(0, take(self->memslots));
}

TEST_F(notify, every_write_of_the_requested_size_is_told)
{
	test_ok(vmem_set_requested_size(self->dev, GiB));
	ASSERT_EQ(1, take(self->config));
	test_ok(vmem_set_requested_size(self->dev, GiB));
	ASSERT_EQ(1, take(self->config));
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_ok(vmem_set_requested_size(self->dev, 0));
	ASSERT_EQ(2, take(self->config));
	test_err(EINVAL, vmem_set_requested_size(self->dev, 1));
	ASSERT_EQ(0, take(self->config));
	ASSERT_EQ(0, take(self->size));
}

TEST_F(notify, a_write_of_the_operators_is_told)
{
	test_ok(sysfs_write(self->rig.setup.out_id, "requested_size", "1G"));
	ASSERT_EQ(1, take(self->config));
}

TEST_F(notify, memslots_that_come_and_go_are_told)
{
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_LT(0, take(self->memslots));
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	ASSERT_EQ(0, take(self->memslots));
	test_ack(vmem_unplug(self->dev, self->addr + BLOCK, 1));
	ASSERT_LT(0, take(self->memslots));
}

TEST_F(notify, all_listeners_are_told)
{
	int other = eventfd(0, EFD_NONBLOCK);

	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, other));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->size));
	ASSERT_EQ(1, take(other));
}

TEST_F(notify, one_eventfd_can_listen_to_several_events)
{
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG, self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ok(vmem_set_requested_size(self->dev, GiB));
	ASSERT_EQ(2, take(self->size));
}

TEST_F(notify, one_eventfd_can_listen_to_several_devices)
{
	const struct rig_options options = {};
	struct rig other;

	test_ok(rig_create(&other, &options));
	test_ok(vmem_add_eventfd(other.dev, KVM_VMEM_EVENT_SIZE, self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_plug(other.dev, other.addr, 1));
	ASSERT_EQ(2, take(self->size));
	rig_destroy(&other);
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1));
	ASSERT_EQ(1, take(self->size));
}

TEST_F(notify, a_removed_listener_is_not_told)
{
	test_ok(vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
				    self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(0, take(self->size));
	ASSERT_LT(0, take(self->memslots));
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, self->size));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->size));
}

TEST_F(notify, a_listener_twice_is_EEXIST)
{
	test_err(EEXIST, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					  self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->size));
}

TEST_F(notify, a_listener_that_is_not_there_is_ENOENT)
{
	test_err(ENOENT, vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG,
					     self->size));
	test_ok(vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
				    self->size));
	test_err(ENOENT, vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					     self->size));
}

TEST_F(notify, what_is_no_eventfd_is_EINVAL)
{
	test_err(EINVAL, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					  self->rig.backing.fd));
	test_err(EINVAL, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					  self->dev));
	test_err(EINVAL, vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					     self->rig.vm.fd));
}

TEST_F(notify, what_is_not_open_is_EBADF)
{
	test_err(EBADF, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, -1));
	test_err(EBADF, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, 987));
	test_err(EBADF, vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					    987));
}

TEST_F(notify, an_unknown_event_is_EINVAL)
{
	test_err(EINVAL, vmem_add_eventfd(self->dev, 4, self->size));
	test_err(EINVAL, vmem_add_eventfd(self->dev, ~0U, self->size));
	test_err(EINVAL, vmem_remove_eventfd(self->dev, 4, self->size));
}

TEST_F(notify, more_than_64_listeners_are_ENOSPC)
{
	int fds[MAX_LISTENERS];
	unsigned int i;

	/* Three are there. */
	for (i = 3; i < MAX_LISTENERS; i++) {
		fds[i] = eventfd(0, EFD_NONBLOCK);
		test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					 fds[i]));
	}
	test_err(ENOSPC, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
					  self->config));
	test_err(ENOSPC, vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG,
					  self->size));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	for (i = 3; i < MAX_LISTENERS; i++)
		ASSERT_EQ(1, take(fds[i]));
	test_ok(vmem_remove_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, fds[3]));
	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE,
				 self->config));
}

TEST_F(notify, a_listener_that_was_closed_does_not_harm)
{
	int other = eventfd(0, EFD_NONBLOCK);

	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_SIZE, other));
	ASSERT_EQ(0, close(other));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->size));
}

TEST_F(notify, a_full_eventfd_does_not_block)
{
	uint64_t full = ~0ULL - 1;

	ASSERT_EQ(sizeof(full), write(self->size, &full, sizeof(full)));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_plugged_size(self->dev, 0);
}

TEST_F(notify, listeners_can_be_added_before_attach)
{
	const struct rig_options options = {};
	struct rig other;

	test_ok(rig_prepare(&other, &options));
	test_ok(vmem_add_eventfd(other.dev, KVM_VMEM_EVENT_SIZE, self->size));
	test_ok(vmem_add_eventfd(other.dev, KVM_VMEM_EVENT_CONFIG,
				 self->config));
	test_ok(vmem_set_requested_size(other.dev, GiB));
	ASSERT_EQ(1, take(self->config));
	test_ok(rig_attach(&other));
	test_ack(vmem_plug(other.dev, other.addr, 1));
	ASSERT_EQ(1, take(self->size));
	rig_destroy(&other);
}

static short polled(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, 0) < 0 ? -1 : pollfd.revents;
}

TEST_F(notify, the_device_is_readable_while_changes_are_unread)
{
	ASSERT_EQ(0, polled(self->dev, POLLIN));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(POLLIN, polled(self->dev, POLLIN));
	test_ack(vmem_plug(self->dev, self->addr + BLOCK, 1));
	ASSERT_EQ(2, take(self->dev));
	ASSERT_EQ(0, polled(self->dev, POLLIN));
	/* The requested size is not the size. */
	test_ok(vmem_set_requested_size(self->dev, GiB));
	ASSERT_EQ(0, polled(self->dev, POLLIN));
}

TEST_F(notify, a_read_without_changes_is_EAGAIN_if_it_must_not_block)
{
	ASSERT_EQ(0, set_nonblock(self->dev));
	ASSERT_EQ(0, take(self->dev));
	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(1, take(self->dev));
	ASSERT_EQ(0, take(self->dev));
}

TEST_F(notify, a_short_read_is_EINVAL_and_takes_nothing)
{
	char buf[16];

	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(-1, read(self->dev, buf, 7));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(-1, read(self->dev, buf, 0));
	ASSERT_EQ(EINVAL, errno);
	ASSERT_EQ(8, read(self->dev, buf, 16));
	ASSERT_EQ(1, *(uint64_t *)buf);
}

TEST_F(notify, a_read_to_a_bad_address_is_EFAULT_and_takes_nothing)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	test_ack(vmem_plug(self->dev, self->addr, 1));
	ASSERT_EQ(-1, read(self->dev, page, 8));
	ASSERT_EQ(EFAULT, errno);
	ASSERT_EQ(1, take(self->dev));
}

TEST_F(notify, a_read_before_setup_has_nothing)
{
	int dev = vmem_open();

	ASSERT_EQ(0, set_nonblock(dev));
	ASSERT_EQ(0, polled(dev, POLLIN));
	ASSERT_EQ(0, take(dev));
	ASSERT_EQ(0, close(dev));
}

static void *plug_later(void *arg)
{
	struct rig *rig = arg;

	usleep(100000);
	vmem_plug(rig->dev, rig->addr, 1);
	return NULL;
}

TEST_F(notify, a_blocked_reader_is_woken)
{
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, plug_later, &self->rig));
	ASSERT_EQ(1, take(self->dev));
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_F(notify, a_poller_is_woken)
{
	struct pollfd pollfd = { .fd = self->dev, .events = POLLIN };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, plug_later, &self->rig));
	ASSERT_EQ(1, poll(&pollfd, 1, 60000));
	ASSERT_EQ(POLLIN, pollfd.revents);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

TEST_HARNESS_MAIN
