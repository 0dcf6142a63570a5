// SPDX-License-Identifier: GPL-2.0
/* A stock guest grows and shrinks with each --vmem-mode, by the VMM's control socket. */
#include "linux_harness.h"

#include <sys/stat.h>

#include "patience.h"

#define SOCKET "/tmp/control"

FIXTURE(mode) {
	struct linux_guest guest;
	char said[4096];
};

FIXTURE_VARIANT(mode) {
	const char *name;
	/* The module has a device. */
	bool has_device;
};

#define MODE(id, ...) FIXTURE_VARIANT_ADD(mode, id) { __VA_ARGS__ }

MODE(group, "group", true);
MODE(static, "static", false);
MODE(dynamic_user, "dynamic-user", false);

FIXTURE_SETUP(mode)
{
}

FIXTURE_TEARDOWN(mode)
{
	linux_stop(&self->guest);
	unlink(SOCKET);
}

/* The plugged size, as the VMM has it. */
static uint64_t plugged_size(char *said, size_t size)
{
	unsigned long long plugged;
	const char *found;

	if (linux_control(SOCKET, "info", said, size))
		return UINT64_MAX;
	found = strstr(said, "\"size\":");
	return found && sscanf(found, "\"size\":%llu", &plugged) == 1 ? plugged : UINT64_MAX;
}

static int wait_plugged(uint64_t plugged, char *said, size_t size)
{
	return becomes(plugged_size(said, size) == plugged, LINUX_RESIZE_TIME) ? 0 : -ETIMEDOUT;
}

/* Bytes of memory that the VMM's process has, with the guest's. */
static uint64_t resident(pid_t pid)
{
	char path[64], status[4096], *found;
	unsigned long long kib;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_file(path, status, sizeof(status)) < 0)
		return UINT64_MAX;
	found = strstr(status, "VmRSS:");
	return found && sscanf(found, "VmRSS: %llu", &kib) == 1 ? kib * 1024 : UINT64_MAX;
}

#define control_resize(size, plugged) do { \
	guest_eq(guest, 0, linux_control(SOCKET, "resize " size, self->said, \
					 sizeof(self->said))); \
	guest_eq(guest, 0, wait_plugged(plugged, self->said, sizeof(self->said))); \
} while (0)

TEST_F(mode, resizes)
{
	struct linux_guest *guest = &self->guest;
	struct stat st;
	int64_t before;

	guest_eq(guest, 0, linux_vmm_boot(guest, LINUX_APPEND, "--vmem", "16G,label=mode",
					  "--vmem-mode", variant->name, "--control", SOCKET,
					  NULL));
	ASSERT_EQ(variant->has_device, linux_device("mode") >= 0);
	before = linux_memtotal(guest);

	control_resize("512M", 512 * MiB);
	guest_memtotal(guest, before + 512 * (int64_t)MiB);
	guest_runs(guest, "memory fill /memory/a 400M 1");
	guest_runs(guest, "memory verify /memory/a 400M 1");
	guest_le(guest, 400 * MiB, resident(guest->pid));

	guest_runs(guest, "rm /memory/a");
	control_resize("0", 0);
	guest_memtotal(guest, before);
	/* Boot memory, and the VMM's own. */
	guest_le(guest, resident(guest->pid), 300 * MiB);

	control_resize("128M", 128 * MiB);
	guest_runs(guest, "memory fill /memory/a 100M 2");
	guest_runs(guest, "memory verify /memory/a 100M 2");

	guest_eq(guest, 0, linux_control(SOCKET, "quit", self->said, sizeof(self->said)));
	guest_eq(guest, 0, linux_wait_exit(guest, LINUX_END_TIME));
	ASSERT_EQ(-1, stat(SOCKET, &st));
}

TEST_HARNESS_MAIN
