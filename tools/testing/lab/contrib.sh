# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Tests what is in tools/kvm-vmem/contrib: what works with vmemctl on this machine, the
# bpftrace scripts on emulated hosts. For check.

contrib_needs() {
	cat <<-'END'
	cmd:systemd-analyze|systemd|to check the units
	END
}

contrib=$LAB_BUILD/contrib

check_contrib() {
	fetch_program prometheus usr/bin/promtool &&
		make --no-print-directory -s -C "$LAB_ROOT/tools/kvm-vmem/ctl" OUT="$contrib/tools" all &&
		PROMTOOL=$(program_dir prometheus)/promtool make --no-print-directory -s \
			-C "$LAB_ROOT/tools/kvm-vmem/contrib" VMEMCTL="$contrib/tools/vmemctl" check
}

# What the emulated hosts get, and how it is called there.
pack_bpftrace() {
	local from=$LAB_ROOT/tools/kvm-vmem/contrib

	fetch_program bpftrace usr/bin/bpftrace >/dev/null || return
	mkdir -p "$contrib/tests"
	ln -sfn "$(program_dir bpftrace)" "$contrib/bpftrace"
	ln -sfn "$from/bpftrace" "$contrib/scripts"
	cp "$from/test/bpftrace_test" "$contrib/tests/"
	gcc -std=gnu11 -O2 -Wall -Wextra -Werror -static -I"$LAB_ROOT/include/uapi" \
		-I"$LAB_ROOT/tools/kvm-vmem/lib" -isystem "$(kernel_dir "$LAB_OLDEST")/uapi" \
		-o "$contrib/activity" "$from/test/activity.c" \
		"$LAB_ROOT"/tools/kvm-vmem/lib/{device,requests}.c
}

part_contrib() {
	tap "what works with vmemctl" "$out/contrib.tap" check_contrib
	verify "bpftrace can be packed" pack_bpftrace
	run_lab "$out/contrib" all --from "$contrib/tests" --add "$contrib/bpftrace" \
		--add "$contrib/scripts" --add "$contrib/activity"
}
