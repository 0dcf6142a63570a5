# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots a kernel under QEMU.

# KVM runs a host of its own only if it has nested guests; that /dev/kvm is there
# says nothing about that.
accelerator() {
	local parameter

	case ${LAB_ACCEL:-auto} in
	tcg | kvm)
		printf '%s' "$LAB_ACCEL"
		return
		;;
	auto) ;;
	*) die_usage "LAB_ACCEL is auto, tcg or kvm, not '$LAB_ACCEL'" ;;
	esac
	for parameter in /sys/module/kvm_{intel,amd}/parameters/nested; do
		if [[ -r $parameter && $(<"$parameter") == [Y1] && -r /dev/kvm && -w /dev/kvm ]]; then
			printf kvm
			return
		fi
	done
	printf tcg
}

# cpus: of the emulated host.
#
# Where guests take interrupts, one. QEMU (7.2 to 10) forgets to forget the vector that
# VMRUN injected: should the emulation be asked to do something else before the guest's
# next exit or interrupt, it delivers the vector once more, whether the guest has
# interrupts enabled or not, and the guest waits for a lock of its own, for ever. With
# several CPUs it is asked to give each its turn ten times a second: a stock guest
# hangs within seconds. With one it is not asked.
cpus() {
	if [[ -n ${LAB_CPUS-} ]]; then
		printf '%s' "$LAB_CPUS"
	elif [[ $(accelerator) == tcg ]] && needs_guest; then
		printf 1
	else
		printf 2
	fi
}

# memory_of SERIES: of the emulated host. kmemleak looks at all of it, again and again.
memory_of() {
	local memory=12G

	[[ $1 != debug ]] || memory=6G
	printf '%s' "${LAB_MEMORY:-$memory}"
}

# tsc_khz SERIES: the frequency of this machine's time stamp counter. Whoever calls has the
# lock of build/<series>.
tsc_khz() {
	local source=$LAB_DIR/tsc_khz.c program

	program=$(kernel_build_dir "$1")/tsc_khz
	[[ $program -nt $source ]] ||
		gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$program" "$source"
	"$program"
}

# qemu_command SERIES INITRAMFS: fills the array qemu, without serial ports.
qemu_command() {
	local series=$1 initramfs=$2 accel append cpu

	accel=$(accelerator)
	# -cpu max has 40 bits of guest-physical addresses, which are too few
	# for 1 TiB above 4 GiB.
	#
	# One thread emulates all CPUs in turn. With a thread for each, QEMU 7.2
	# drops its translation of code before the code is overwritten, and
	# another CPU may translate the old code once more, for good. Linux
	# patches its scheduler whenever the first VM comes or the last one goes
	# (preempt notifiers), and soon a CPU runs into a breakpoint that is no
	# longer there: an int3 oops on 6.12, a CPU stuck in finish_task_switch()
	# on 6.1. One thread is as fast: the tests are mostly sequential.
	#
	# Without ERMS, which has Linux and libc copy and clear memory by "rep movsb" and
	# "rep stosb": of these QEMU emulates byte by byte.
	case $accel in
	tcg) cpu=max,phys-bits=46,erms=off accel=tcg,thread=${LAB_TCG:-single} ;;
	kvm) cpu=host ;;
	esac
	# With five levels of page tables KASAN may have a false report at boot (wild-memory-access
	# in do_raw_spin_lock): in identify_cpu() the kernel forgets for a moment that it has
	# five, and an interrupt may come just then. After one report it has no other, and
	# lockdep none at all. The stock kernels keep the five.
	[[ $series != debug ]] || cpu+=,la57=off
	# An oops ends the run at once. An emulated CPU may be slow without
	# being stuck, and its timer late without being disconnected.
	append="console=ttyS0,115200 panic=-1 oops=panic rcupdate.rcu_cpu_stall_timeout=60 no_timer_check"
	# What a slab cache has is what its name says (counts.c), and not others' too.
	append+=" slab_nomerge"
	append+=" watchdog_thresh=30 loglevel=${LAB_LOGLEVEL:-5} ${LAB_APPEND-}"
	# All emulated CPUs have this machine's counter. What Linux makes of it by the emulated
	# timers depends on what else this machine does: 340 MHz were seen for 2.6 GHz, and
	# the counter given up for that, or kept. Guests then have a counter and a clock that
	# part, and nobody's migration is to blame.
	if [[ $accel == tcg* ]]; then
		append+=" tsc=reliable tsc_early_khz=$(tsc_khz "$series")"
	fi
	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot -display none
		-accel "$accel" -cpu "$cpu" -smp "$(cpus)" -m "$(memory_of "$series")"
		-kernel "$(kernel_dir "$series")/root/boot/vmlinuz-$(kernel_release "$series")"
		-initrd "$initramfs" -append "$append")
}
