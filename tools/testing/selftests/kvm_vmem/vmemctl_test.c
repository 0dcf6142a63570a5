// SPDX-License-Identifier: GPL-2.0
/*
 * vmemctl with what only a kernel does: telling of changes, and devices that go at any
 * moment. The rest is tested by tools/kvm-vmem/ctl/test.
 */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/eventfd.h>

#include "access.h"

#define BLOCK (2 * MiB)
#define NOBODY 65534
#define ROUNDS (30 / SLOWNESS)
#define PATIENCE_MS (30000 * SLOWNESS)
#define NO_LOOKING "--interval=0"

FIXTURE(vmemctl) {
	struct rig rig;
	int dev;
	uint32_t id;
	uint64_t addr;
	char name[16];
	/* What the last one said, on both of its outputs. */
	char said[65536];
	/* A watcher and what it said that was not looked at. */
	pid_t watcher;
	FILE *events;
	char event[8192];
};

#define vmemctl_data FIXTURE_DATA(vmemctl)

static const struct rig_options options = {
	.backing = BACKING_PROTECTED,
	.requested_size = GiB,
};

FIXTURE_SETUP(vmemctl)
{
	test_ok(rig_create(&self->rig, &options));
	self->dev = self->rig.dev;
	self->id = self->rig.setup.out_id;
	self->addr = self->rig.addr;
	snprintf(self->name, sizeof(self->name), "vmem%u", self->id);
	test_ok(sysfs_write(self->id, "retire_delay_ms", "600000"));
}

FIXTURE_TEARDOWN(vmemctl)
{
	if (self->watcher) {
		kill(self->watcher, SIGKILL);
		waitpid(self->watcher, NULL, 0);
		fclose(self->events);
	}
	rig_destroy(&self->rig);
}

enum as { AS_ROOT, AS_NOBODY, IN_CONTAINER };

/* Uevents go to network namespaces of the first user namespace only. */
static bool become(enum as as)
{
	switch (as) {
	case AS_NOBODY:
		return !setgid(NOBODY) && !setuid(NOBODY);
	case IN_CONTAINER:
		return !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	default:
		return true;
	}
}

static pid_t start(enum as as, int output, const char *const *args)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	if (become(as))
		execvp("vmemctl", (char *const *)args);
	_exit(127);
}

static int wait_for_exit(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Returns the exit status. */
static int run(vmemctl_data *self, enum as as, const char *const *args)
{
	FILE *file = tmpfile();
	int status;

	self->said[0] = 0;
	if (!file)
		return -1;
	status = wait_for_exit(start(as, fileno(file), args));
	if (!fseek(file, 0, SEEK_SET))
		self->said[fread(self->said, 1, sizeof(self->said) - 1, file)] = 0;
	fclose(file);
	return status;
}

#define ctl_as(as, ...) \
	run(self, as, (const char *const []){ "vmemctl", __VA_ARGS__, NULL })
#define ctl(...) ctl_as(AS_ROOT, __VA_ARGS__)

#define test_said(word) ASSERT_NE(NULL, strstr(self->said, word)) \
	TH_LOG("%s", self->said)

static void watch(vmemctl_data *self, enum as as, const char *interval, const char *name)
{
	const char *const args[] = { "vmemctl", "watch", "--json", interval, name, NULL };
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC))
		return;
	self->watcher = start(as, pipes[1], args);
	close(pipes[1]);
	self->events = fdopen(pipes[0], "r");
	/* What there is, poll() has to see. */
	if (self->events)
		setvbuf(self->events, NULL, _IONBF, 0);
}

/*
 * Waits for an event that has both words; others may come before: what happens together
 * is told together or in parts.
 */
static bool is_told(vmemctl_data *self, const char *word, const char *other)
{
	struct pollfd pollfd = { .fd = fileno(self->events), .events = POLLIN };

	while (poll(&pollfd, 1, PATIENCE_MS) == 1 &&
	       fgets(self->event, sizeof(self->event), self->events))
		if (strstr(self->event, word) && strstr(self->event, other))
			return true;
	return false;
}

#define test_told(what, word) \
	ASSERT_TRUE(is_told(self, "\"event\":\"" what "\"", word)) \
		TH_LOG("no %s with %s after %s", what, word, self->event)

TEST_F(vmemctl, shows_what_there_is)
{
	char expected[64];

	test_ack(vmem_plug(self->dev, self->addr, 3));
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "list"));
	test_said(self->name);
	test_said(" 6M ");
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "show", "test", "--json"));
	snprintf(expected, sizeof(expected), "\"pid\": %d,", getpid());
	test_said(expected);
	test_said("\"size\": 6291456,");
	test_said("\"requested_size\": 1073741824,");
	test_said("\"acks\": 1,");
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "top"));
	test_said("6M");
}

TEST_F(vmemctl, draws_the_map)
{
	test_ack(vmem_plug(self->dev, self->addr + 2 * BLOCK, 2));
	test_ack(vmem_plug(self->dev, self->addr + 7 * BLOCK, 1));
	/* 2048 blocks: two a sign. */
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "map", self->name));
	test_said("6M of 4G plugged, in blocks of 2M; each sign is 4M\n0x000100000000 .#.+....");
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "map", self->name, "--json"));
	test_said("\"offset\": 4194304,");
	test_said("\"offset\": 14680064,");
}

/* Their form is tested elsewhere: with promtool. */
TEST_F(vmemctl, exports_what_there_is)
{
	char dir[] = "/tmp/vmemctl.XXXXXX", path[64], sample[128];

	test_ack(vmem_plug(self->dev, self->addr, 3));
	test_nack(vmem_plug(self->dev, self->addr + 3 * BLOCK, GiB / BLOCK));
	ASSERT_EQ(-SIGBUS, try_touch(self->rig.backing.addr + 3 * BLOCK));
	ASSERT_EQ(0, ctl_as(AS_NOBODY, "export"));
	test_said("\nkvm_vmem_module_loaded 1\n");
	snprintf(sample, sizeof(sample), "device_info{device=\"%s\",label=\"test\",pid=\"%d\",",
		 self->name, getpid());
	test_said(sample);
	snprintf(sample, sizeof(sample),
		 "\nkvm_vmem_size_bytes{device=\"%s\",label=\"test\"} 6291456\n",
		 self->name);
	test_said(sample);
	test_said(",response=\"ack\"} 1\n");
	test_said(",response=\"nack\"} 1\n");
	test_said(",state=\"active\"} 1\n");
	test_said(",state=\"absent\"} 3\n");

	ASSERT_NE(NULL, mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/vmem.prom", dir);
	ASSERT_EQ(0, ctl("export", path));
	ASSERT_STREQ("", self->said);
	ASSERT_EQ(0, unlink(path));
	ASSERT_EQ(0, rmdir(dir));
}

TEST_F(vmemctl, resizes)
{
	int config = eventfd(0, EFD_NONBLOCK);
	struct kvm_vmem_get_info info;
	uint64_t count;

	test_ok(vmem_add_eventfd(self->dev, KVM_VMEM_EVENT_CONFIG, config));
	ASSERT_EQ(0, ctl("resize", "test", "+512M"));
	test_ok(vmem_get_info(self->dev, &info));
	ASSERT_EQ(GiB + 512 * MiB, info.out_requested_size);
	ASSERT_EQ(8, read(config, &count, sizeof(count)));
	ASSERT_EQ(2, ctl("resize", "test", "5G"));
	test_said("its region is 4G");
	ASSERT_EQ(2, ctl("resize", "test", "3M"));
	test_said("2M and 4M");
	ASSERT_EQ(-1, read(config, &count, sizeof(count)));
	ASSERT_EQ(0, close(config));
}

TEST_F(vmemctl, does_not_resize_for_nobody)
{
	ASSERT_EQ(5, ctl_as(AS_NOBODY, "resize", self->name, "2G"));
	test_said("only root");
}

TEST_F(vmemctl, does_not_resize_what_is_being_removed)
{
	test_ok(vmem_set_requested_size(self->dev, 0));
	test_ok(vmem_action(self->dev, KVM_VMEM_PREPARE_REMOVE, 0));
	ASSERT_EQ(1, ctl("resize", self->name, "2G"));
	test_said("is being removed");
}

struct guest {
	pthread_t thread;
	vmemctl_data *self;
	/* Blocks that it plugs, one after another, or closes the device. */
	unsigned int nb;
	bool dies;
};

static void *follow(void *arg)
{
	struct guest *guest = arg;
	vmemctl_data *self = guest->self;
	struct kvm_vmem_get_info info;
	unsigned int i;

	do {
		usleep(10000);
		vmem_get_info(self->dev, &info);
	} while (info.out_requested_size != 8 * BLOCK);
	for (i = 0; i < guest->nb; i++) {
		usleep(100000);
		vmem_plug(self->dev, self->addr + i * BLOCK, 1);
	}
	if (guest->dies) {
		close(self->dev);
		self->rig.dev = -1;
	}
	return NULL;
}

TEST_F(vmemctl, waits_for_the_guest)
{
	struct guest guest = { .self = self, .nb = 8 };

	ASSERT_EQ(0, pthread_create(&guest.thread, NULL, follow, &guest));
	ASSERT_EQ(0, ctl("resize", "test", "16M", "--wait"));
	ASSERT_EQ(0, pthread_join(guest.thread, NULL));
	test_said(" (test): 16M of 16M, ");
}

TEST_F(vmemctl, says_where_the_guest_stalled)
{
	struct guest guest = { .self = self, .nb = 3 };

	ASSERT_EQ(0, pthread_create(&guest.thread, NULL, follow, &guest));
	ASSERT_EQ(6, ctl("resize", "test", "16M", "--wait", "--stall", "3"));
	ASSERT_EQ(0, pthread_join(guest.thread, NULL));
	test_said("stalled at 6M of 16M");
	/* They were all answered by ACK. */
	test_said("the rest is less than it can use");
}

TEST_F(vmemctl, waits_for_no_guest_that_is_gone)
{
	struct guest guest = { .self = self, .nb = 2, .dies = true };

	ASSERT_EQ(0, pthread_create(&guest.thread, NULL, follow, &guest));
	ASSERT_EQ(7, ctl("resize", "test", "16M", "--wait", "--stall", "0"));
	ASSERT_EQ(0, pthread_join(guest.thread, NULL));
	test_said("is gone");
}

/* Nothing of it by looking, nor by anybody's rights. */
TEST_F(vmemctl, watch_is_told_of_what_happens)
{
	watch(self, AS_NOBODY, NO_LOOKING, NULL);
	test_told("present", self->name);
	test_ok(vmem_set_requested_size(self->dev, 2 * GiB));
	test_told("requested_size",
		  "\"requested_size\":2147483648,\"previous_requested_size\":1073741824");
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_told("size", "\"size\":2097152,\"previous_size\":0,");
	test_ack(vmem_plug(self->dev, self->addr + 2 * GiB, 1));
	test_told("memslots", "\"memslots_active\":2,");
	ASSERT_EQ(-SIGBUS, try_touch(self->rig.backing.addr + 3 * BLOCK));
	test_told("violation", "\"last_violation\":6291456");
	test_ack(vmem_unplug(self->dev, self->addr, 1));
	test_told("memslots", "\"memslots_idle\":1,");
	test_ok(sysfs_write(self->id, "retire", "1"));
	test_told("memslots", "\"memslots_idle\":0,\"previous_memslots_idle\":1");
}

TEST_F(vmemctl, watch_is_told_of_devices_that_come_and_go)
{
	struct rig other;

	watch(self, AS_NOBODY, NO_LOOKING, NULL);
	test_told("present", self->name);
	test_ok(rig_create(&other, &options));
	test_told("added", "\"region_size\":4294967296");
	test_ack(vmem_plug(other.dev, other.addr, 1));
	test_told("size", "\"size\":2097152");
	rig_destroy(&other);
	test_told("removed", "\"label\":\"test\"");
	/* The first one is still watched. */
	test_ack(vmem_plug(self->dev, self->addr, 2));
	test_told("size", "\"size\":4194304");
}

TEST_F(vmemctl, watch_in_a_container_looks_for_devices)
{
	struct rig other;

	watch(self, IN_CONTAINER, "--interval=0.1", NULL);
	test_told("present", self->name);
	test_ok(rig_create(&other, &options));
	test_told("added", "\"label\":\"test\"");
	rig_destroy(&other);
	test_told("removed", "\"label\":\"test\"");
}

TEST_F(vmemctl, watch_of_a_device_ends_with_it)
{
	watch(self, AS_NOBODY, NO_LOOKING, self->name);
	test_told("present", self->name);
	ASSERT_EQ(0, close(self->dev));
	self->rig.dev = -1;
	test_told("removed", self->name);
	ASSERT_EQ(7, wait_for_exit(self->watcher));
	self->watcher = 0;
	fclose(self->events);
}

/*
 * What there is for a moment only, a slow watcher finds gone whenever it looks: so each
 * of @lasting devices stays until somebody was told of a device once more.
 */
struct churn {
	pthread_t thread;
	bool stop;
	unsigned int lasting;
	unsigned int nr_told;
	unsigned int nr_made;
	int error;
};

/* @nr_told: before the device was there. */
static void last(struct churn *churn, unsigned int nr_told)
{
	while (nr_told == __atomic_load_n(&churn->nr_told, __ATOMIC_RELAXED) &&
	       !__atomic_load_n(&churn->stop, __ATOMIC_RELAXED))
		usleep(1000);
}

/* Devices that are there for a moment, without a VM. */
static void *make_and_end_devices(void *arg)
{
	struct churn *churn = arg;
	struct kvm_vmem_setup setup;
	struct backing backing = {
		.kind = BACKING_PROTECTED,
		.fd = -1,
		.size = GiB,
	};
	unsigned int nr_told;
	int dev;

	while (!churn->error && !__atomic_load_n(&churn->stop, __ATOMIC_RELAXED)) {
		dev = vmem_open();
		fill_setup(&setup, &backing, &options);
		strcpy((char *)setup.label, "churn");
		nr_told = __atomic_load_n(&churn->nr_told, __ATOMIC_RELAXED);
		churn->error = vmem_setup(dev, &setup);
		usleep(1000);
		if (churn->lasting && churn->nr_made % churn->lasting == 0)
			last(churn, nr_told);
		close(dev);
		churn->nr_made++;
	}
	return NULL;
}

/* Whatever it finds, it says so, and never reads a device that is another. */
TEST_F(vmemctl, is_not_surprised_by_devices_that_go)
{
	struct churn churn = {};
	unsigned int i;
	int status;

	ASSERT_EQ(0, pthread_create(&churn.thread, NULL, make_and_end_devices, &churn));
	for (i = 0; i < ROUNDS; i++) {
		ASSERT_EQ(0, ctl("list", "--json"))
			TH_LOG("%s", self->said);
		test_said(self->name);
		ASSERT_EQ(0, ctl("export"))
			TH_LOG("%s", self->said);
		test_said(self->name);
		status = ctl("show", "churn");
		ASSERT_TRUE(status == 0 || status == 3 || status == 7)
			TH_LOG("%d: %s", status, self->said);
		status = ctl("map", "churn");
		ASSERT_TRUE(status == 0 || status == 3 || status == 7)
			TH_LOG("%d: %s", status, self->said);
		status = ctl("resize", "churn", "-512M");
		ASSERT_TRUE(status == 0 || status == 3 || status == 7)
			TH_LOG("%d: %s", status, self->said);
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(churn.thread, NULL));
	ASSERT_EQ(0, churn.error);
	ASSERT_LT(ROUNDS, churn.nr_made);
	/* The other device was never meant. */
	ASSERT_EQ(GiB, device_value(self->id, "requested_size"));
}

TEST_F(vmemctl, watch_is_not_surprised_either)
{
	struct churn churn = { .lasting = 8 };
	unsigned int nr_removed = 0;

	watch(self, AS_NOBODY, NO_LOOKING, NULL);
	test_told("present", self->name);
	ASSERT_EQ(0, pthread_create(&churn.thread, NULL, make_and_end_devices, &churn));
	/* Each is told that it was added; that one before went, sooner or later. */
	while (__atomic_load_n(&churn.nr_made, __ATOMIC_RELAXED) < 10 * ROUNDS) {
		ASSERT_TRUE(is_told(self, "churn", "ed\""))
			TH_LOG("nothing after %s", self->event);
		if (strstr(self->event, "\"added\""))
			__atomic_fetch_add(&churn.nr_told, 1, __ATOMIC_RELAXED);
		else
			nr_removed += !!strstr(self->event, "\"removed\"");
	}
	ASSERT_LT(0, nr_removed);
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	ASSERT_EQ(0, pthread_join(churn.thread, NULL));
	ASSERT_EQ(0, churn.error);
	test_ack(vmem_plug(self->dev, self->addr, 1));
	test_told("size", "\"size\":2097152");
}

TEST_HARNESS_MAIN
