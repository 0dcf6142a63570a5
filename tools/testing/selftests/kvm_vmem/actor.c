// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include "actor.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "access.h"

#define REGION (4 * GiB)
#define BLOCK (2 * MiB)
#define NEVER "3600000"

/* All that can be left behind. */
static int be_busy(struct rig *rig)
{
	struct vcpu *vcpu = &rig->vm.vcpus[0];
	uint64_t next = rig->addr + GiB;

	if (sysfs_write(rig->setup.out_id, "retire_delay_ms", NEVER) ||
	    vmem_action(rig->dev, KVM_VMEM_SET_DIRTY_LOG,
			KVM_VMEM_DIRTY_LOG_ENABLE) ||
	    vmem_plug(rig->dev, rig->addr, 4) ||
	    vmem_plug(rig->dev, next, 4) ||
	    guest_fill(vcpu, rig->addr, 4, BLOCK, 1) ||
	    guest_fill(vcpu, next, 4, BLOCK, 1) ||
	    vmem_unplug(rig->dev, rig->addr, 2))
		return -EIO;
	return vmem_unplug(rig->dev, next, 4);
}

static void act(struct rig *rig, char action)
{
	switch (action) {
	case ACTOR_CLOSES_VM:
		vm_destroy(&rig->vm);
		break;
	case ACTOR_CLOSES_DEVICE:
		close(rig->dev);
		rig->dev = -1;
		break;
	case ACTOR_UNMAPS:
		munmap(rig->backing.reserved, rig->backing.reserved_size);
		break;
	case ACTOR_EXITS:
		_exit(0);
	case ACTOR_EXECS:
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
}

/* Do as one is told, and say so. */
static void serve(int sock, struct rig *rig)
{
	char action = 0;

	while (write(sock, &action, 1) == 1 && read(sock, &action, 1) == 1)
		act(rig, action);
	_exit(1);
}

static void be_vmm(enum backing_kind backing, int sock, int to)
{
	const struct rig_options options = {
		.backing = backing,
		.nr_vcpus = 1,
	};
	struct rig rig;
	int memory;

	if (rig_create(&rig, &options) || be_busy(&rig))
		_exit(1);
	memory = backing == BACKING_PROTECTED ? rig.dev : rig.backing.fd;
	if (send_fd(to, rig.dev) || send_fd(to, memory))
		_exit(1);
	close(to);
	/* It is mapped. */
	close(rig.backing.fd);
	serve(sock, &rig);
}

static void be_other(int sock, int from)
{
	struct rig rig = {
		.dev = recv_fd(from),
		.backing = { .reserved_size = REGION },
	};
	int memory = recv_fd(from);

	rig.backing.reserved = mmap(NULL, REGION, PROT_READ | PROT_WRITE,
				    MAP_SHARED, memory, 0);
	if (rig.dev < 0 || rig.backing.reserved == MAP_FAILED ||
	    try_write((char *)rig.backing.reserved + 3 * BLOCK, 1))
		_exit(1);
	close(memory);
	close(from);
	serve(sock, &rig);
}

/* Returns 0 in the process, its number in the caller; @actor has what each is to use. */
static int start(struct actor *actor)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks))
		return -errno;
	actor->pid = fork();
	actor->sock = socks[actor->pid ? 0 : 1];
	if (actor->pid)
		close(socks[1]);
	return actor->pid < 0 ? -errno : actor->pid;
}

int actor_start_vmm(struct actor *actor, enum backing_kind backing, int to)
{
	int pid = start(actor);

	if (!pid)
		be_vmm(backing, actor->sock, to);
	return pid < 0 ? pid : 0;
}

int actor_start_other(struct actor *actor, int from)
{
	int pid = start(actor);

	if (!pid)
		be_other(actor->sock, from);
	return pid < 0 ? pid : 0;
}

bool actor_is_ready(struct actor *actor)
{
	char byte;

	return read(actor->sock, &byte, 1) == 1;
}

static bool order(struct actor *actor, char action)
{
	return write(actor->sock, &action, 1) == 1;
}

bool actor_tell(struct actor *actor, enum actor_action action)
{
	return order(actor, action) && actor_is_ready(actor);
}

bool actor_ends(struct actor *actor, unsigned int how)
{
	bool does;

	if (how % 3 == 0)
		does = order(actor, ACTOR_EXITS);
	else if (how % 3 == 1)
		does = order(actor, ACTOR_EXECS);
	else
		does = !kill(actor->pid, SIGKILL);
	if (!does || waitpid(actor->pid, NULL, 0) != actor->pid)
		return false;
	actor->pid = 0;
	return true;
}

void actor_destroy(struct actor *actor)
{
	if (actor->pid > 0 && !kill(actor->pid, SIGKILL))
		waitpid(actor->pid, NULL, 0);
	close(actor->sock);
}
