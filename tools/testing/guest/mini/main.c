// SPDX-License-Identifier: GPL-2.0
/*
 * A guest kernel that does one thing, which its command line says:
 *
 *   bench [n=N]          time N requests of each type
 *   hostile=GROUP[/TEST] what no driver does (hostile.h); "all" for all groups
 *   touch=HOW            access unplugged memory (touch.c)
 *   reboot               plug a block, then restart the machine
 *   work                 work until told otherwise, and check all of it (work.c)
 *
 * Its last line is "mini: end", unless the machine was ended under it. What did
 * not go well has FAILED in its line.
 */
#include "devices.h"

/* Forever: whoever reads the output counts. */
static void __noreturn reboot_with_a_block(void)
{
	print("mini: reboot: plugged=%llu plug=%d\n", (unsigned long long)config.plugged_size,
	      vmem_plug(0, 1));
	/* As the stock guest says that it has booted. */
	print("\n@ready\n");
	restart();
}

void main(const struct boot_params *params)
{
	boot_init(params);
	cpu_init();
	clock_init();
	print("mini: up\n");
	if (!devices_init()) {
		print("mini: FAILED no working virtio-mem and virtio-rng\n");
		power_off();
	}
	if (boot_word("bench"))
		run_benchmark();
	if (boot_word("hostile"))
		run_hostile(boot_word("hostile"));
	if (boot_word("touch"))
		run_touch(boot_word("touch"));
	if (boot_word("work"))
		run_work();
	if (boot_word("reboot"))
		reboot_with_a_block();
	print("mini: end\n");
	power_off();
}
