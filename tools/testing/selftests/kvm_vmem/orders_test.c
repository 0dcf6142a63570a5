// SPDX-License-Identifier: GPL-2.0
/*
 * A VMM and another process, a vhost-user back end say, that was sent the device, let go
 * of everything in any order: 1135 of them. Whatever is left is there for as long as
 * somebody has it and no longer, and the module can be removed when nobody has.
 *
 * In the environment:
 * KVM_VMEM_ORDERS: how many of them, evenly spread (40; on a debug kernel 12)
 * KVM_VMEM_SEED: with which to begin (the time; it is printed)
 */
#include "harness.h"

#include <sys/socket.h>
#include <time.h>

#include "actor.h"
#include "counts.h"
#include "ending.h"
#include "patience.h"

#define DEFAULT_ORDERS (SLOWNESS > 1 ? 12 : 40)
#define NR_ORDERS 1135

/*
 * An order is a string. Lower case is what the VMM does, upper case the other process:
 * v: close the VM and its vCPUs; d: close the device; m: unmap the memory; x: die.
 */
#define MAX_ORDER 8
#define VMM_ACTIONS "vdmx"
#define OTHER_ACTIONS "DMX"

FIXTURE(orders) {
	struct counts before;
	struct actor vmm, other;
	unsigned int seed;
	/* Which of the orders are tried: every so many, from a certain one on. */
	unsigned int stride, first;
	unsigned int nr_orders;
	unsigned int nr_tried;
	enum backing_kind backing;
	char order[MAX_ORDER];
	/* What went wrong. */
	const char *failure;
};

FIXTURE_VARIANT(orders) {
	enum backing_kind backing;
};

FIXTURE_VARIANT_ADD(orders, protected) {
	.backing = BACKING_PROTECTED,
};

FIXTURE_VARIANT_ADD(orders, user) {
	.backing = BACKING_MEMFD,
};

#define orders_data FIXTURE_DATA(orders)

FIXTURE_SETUP(orders)
{
	unsigned int nr = environment("KVM_VMEM_ORDERS", DEFAULT_ORDERS);

	ASSERT_LT(0, nr);
	self->backing = variant->backing;
	self->seed = environment("KVM_VMEM_SEED", time(NULL));
	self->stride = nr < NR_ORDERS ? NR_ORDERS / nr : 1;
	self->first = self->seed % self->stride;
	TH_LOG("KVM_VMEM_SEED=%u", self->seed);
	test_ok(counts_open());
}

FIXTURE_TEARDOWN(orders)
{
	counts_close();
	/* A failure may have left it removed. */
	module_load();
}

static int start(orders_data *self)
{
	int socks[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	ret = actor_start_vmm(&self->vmm, self->backing, socks[0]);
	if (!ret)
		ret = actor_start_other(&self->other, socks[1]);
	close(socks[0]);
	close(socks[1]);
	if (!ret && !(actor_is_ready(&self->vmm) &&
		      actor_is_ready(&self->other)))
		ret = -EPIPE;
	return ret;
}

/* Not done yet, nor cut off by a death. */
static bool has(const char *done, char action, char death)
{
	return !strchr(done, action) && !strchr(done, death);
}

static bool come_to(int expected, int (*count)(void))
{
	return becomes(count() == expected, 60 * SLOWNESS);
}

/* What there is has to follow from what was done. */
static const char *check(orders_data *self, const char *done)
{
	bool device = has(done, 'd', 'x') || has(done, 'D', 'X');
	bool mapped = has(done, 'm', 'x') || has(done, 'M', 'X');
	/* The device keeps the VM, but not beyond its process. */
	bool vm = !strchr(done, 'x') && (!strchr(done, 'v') || device);

	if (!come_to(device, count_devices))
		return "the device";
	if (!come_to(vm, count_vms))
		return "the VM";
	if ((device || (mapped && self->backing == BACKING_PROTECTED)) &&
	    module_remove() != -EAGAIN)
		return "the module";
	return NULL;
}

static const char *do_order(orders_data *self)
{
	char done[MAX_ORDER] = "";
	const char *wrong = NULL;
	struct actor *actor;
	unsigned int i;
	char action;

	if (start(self))
		wrong = "setup";
	for (i = 0; !wrong && self->order[i]; i++) {
		action = self->order[i];
		actor = strchr(VMM_ACTIONS, action) ? &self->vmm :
						      &self->other;
		action |= 0x20;
		if (!(action == ACTOR_EXITS ?
		      actor_ends(actor, self->nr_tried + i) :
		      actor_tell(actor, action)))
			wrong = "an actor";
		done[i] = self->order[i];
		if (!wrong)
			wrong = check(self, done);
	}
	actor_destroy(&self->vmm);
	actor_destroy(&self->other);
	if (!wrong && counts_grown(&self->before, false, 0))
		wrong = "what is left";
	if (!wrong && (module_remove_soon() || module_load()))
		wrong = "removal of the module";
	return wrong;
}

static void try_order(orders_data *self)
{
	if (self->nr_orders++ % self->stride != self->first)
		return;
	self->failure = do_order(self);
	self->nr_tried++;
}

/* All that can follow what was done, until both are dead. */
static void try_orders(orders_data *self, unsigned int length)
{
	const char *action;

	self->order[length] = 0;
	if (strchr(self->order, 'x') && strchr(self->order, 'X')) {
		try_order(self);
		return;
	}
	for (action = VMM_ACTIONS OTHER_ACTIONS; *action; action++) {
		self->order[length] = 0;
		if (!has(self->order, *action, *action & 0x20 ? 'x' : 'X'))
			continue;
		self->order[length] = *action;
		try_orders(self, length + 1);
		if (self->failure)
			return;
	}
}

TEST_F_TIMEOUT(orders, of_ends_leave_nothing, 3600 * SLOWNESS)
{
	/* What is allocated once is no leak: with nothing before it, nothing has grown. */
	strcpy(self->order, "vdmxDMX");
	ASSERT_EQ(NULL, do_order(self));
	test_ok(counts_read(&self->before, false));

	try_orders(self, 0);
	ASSERT_EQ(NULL, self->failure)
		TH_LOG("order %s: %s is not as it should be", self->order,
		       self->failure);
	ASSERT_EQ(NR_ORDERS, self->nr_orders);
	TH_LOG("%u of %u orders", self->nr_tried, self->nr_orders);
}

TEST_HARNESS_MAIN
