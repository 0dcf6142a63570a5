// SPDX-License-Identifier: GPL-2.0
/*
 * VMMs as others have them: vmem-vmm with the miniature guest, which comes and goes, and
 * with a stock guest, which an operator resizes.
 */
#define _GNU_SOURCE
#include "soak.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "linux_vmm.h"
#include "vmem.h"

/* The guests share one emulated CPU with all other actors. */
#define BOOT_TIME 600
#define RUN_TIME 600
#define END_TIME 120

/* What the miniature guest does, and what its VMM ends with. */
static const struct {
	const char *append;
	int status;
	/* Not by itself. */
	bool is_ended;
} tasks[] = {
	{ "hostile=requests", 0 },
	{ "hostile=memory", 0 },
	{ "hostile=fuzz", 0 },
	{ "bench n=64", 0 },
	{ "touch=write", 3 },
	{ "reboot", 0, true },
};

static void explain_and_fail(struct linux_guest *guest, const char *what, int ret)
{
	linux_explain(guest);
	soak_wrong("%s: %s", what, ret < 0 ? strerror(-ret) : "not as it should");
}

/* A while of what the VMM does, in short waits. */
static int wait_for_end(struct linux_guest *guest, int seconds)
{
	int ret = -ETIMEDOUT;

	while (seconds-- && ret == -ETIMEDOUT && !soak_ends())
		ret = linux_wait_exit(guest, 1);
	return ret;
}

int mini_live(void)
{
	unsigned int task = soak_random(sizeof(tasks) / sizeof(tasks[0]));
	const char *const argv[] = {
		"vmem-vmm", "--kernel", "/lab/guest/mini", "--memory", "256M", "--vmem",
		"4G,requested=1G,block=2M,memslot=128M,label=mini", "--append",
		tasks[task].append, NULL,
	};
	struct linux_guest guest;
	int ret;

	ret = linux_start(&guest, argv);
	if (ret)
		soak_wrong("vmem-vmm does not start: %s", strerror(-ret));
	soak_count(SOAK_VMMS, 1);
	if (tasks[task].is_ended) {
		wait_for_end(&guest, 5 + soak_random(20));
		ret = linux_end(&guest, SIGTERM, END_TIME);
	} else {
		ret = wait_for_end(&guest, RUN_TIME);
		if (ret == -ETIMEDOUT && soak_ends())
			ret = tasks[task].status;
	}
	if (ret != tasks[task].status || strstr(guest.console.text ?: "", "FAILED"))
		explain_and_fail(&guest, tasks[task].append, ret);
	linux_stop(&guest);
	return 0;
}

static void run(struct linux_guest *guest, const char *command)
{
	int ret = linux_run(guest, command, NULL, 0, RUN_TIME);

	if (ret)
		explain_and_fail(guest, command, ret);
}

/* Up, used, and down again. Others may change what is requested, and win. */
static void resize_once(struct linux_guest *guest, const char *label, unsigned int round)
{
	unsigned int mib = 256 + 128 * soak_random(12);
	char size[32], command[160], said[512];
	int ret;

	snprintf(size, sizeof(size), "%uM", mib);
	ret = linux_tool(said, sizeof(said), RUN_TIME, "vmemctl", "resize", label, size, "--wait",
			 "--stall", "60", NULL);
	if (ret)
		explain_and_fail(guest, said, ret);
	soak_count(SOAK_RESIZES, 1);
	snprintf(command, sizeof(command),
		 "memory fill /memory/a %uM %u && memory verify /memory/a %uM %u && rm /memory/a",
		 mib / 4, round, mib / 4, round);
	run(guest, command);
	soak_count(SOAK_PAGES, mib * MiB / 4 / 4096);
	ret = linux_tool(said, sizeof(said), RUN_TIME, "vmemctl", "resize", label,
			 soak_chance(50) ? "0" : "128M", NULL);
	if (ret)
		explain_and_fail(guest, said, ret);
	soak_count(SOAK_RESIZES, 1);
}

static void end(struct linux_guest *guest)
{
	int ret;

	switch (soak_random(3)) {
	case 0:
		ret = linux_end(guest, SIGTERM, END_TIME);
		break;
	case 1:
		ret = linux_send(guest, "poweroff -f\n") ?: linux_wait_exit(guest, END_TIME);
		break;
	default:
		ret = linux_end(guest, SIGKILL, END_TIME) - 128 - SIGKILL;
	}
	if (ret)
		explain_and_fail(guest, "ending the stock guest", ret);
}

int stock_live(void)
{
	struct linux_guest guest;
	unsigned int round;
	int ret;

	ret = linux_vmm_start(&guest, LINUX_APPEND, "--vmem", "64G,label=stock", NULL);
	ret = ret ?: linux_wait_ready(&guest, BOOT_TIME);
	if (ret)
		explain_and_fail(&guest, "booting the stock guest", ret);
	soak_count(SOAK_VMMS, 1);
	for (round = 1; !soak_ends() && !soak_chance(20); round++) {
		resize_once(&guest, "stock", round);
		soak_pause_ms(soak_random(5000));
	}
	if (!soak_ends() && soak_chance(50)) {
		ret = linux_run(&guest, "reboot -f", NULL, 0, BOOT_TIME);
		if (ret != -ECONNRESET || linux_wait_ready(&guest, BOOT_TIME))
			explain_and_fail(&guest, "rebooting the stock guest", ret);
		resize_once(&guest, "stock", round);
	}
	end(&guest);
	linux_stop(&guest);
	return 0;
}
