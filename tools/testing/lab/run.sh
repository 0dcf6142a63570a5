# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots a kernel and has it run the tests, a command or a shell.

# choose_tests SERIES: those whose names match LAB_TESTS.
choose_tests() {
	local name

	while IFS= read -r name; do
		# shellcheck disable=SC2053 # a pattern
		[[ -z $name || $name != ${LAB_TESTS:-*} ]] || printf '%s\n' "$name"
	done < <(list_tests "$1")
}

# prepare_root SERIES ROOT MODE [COMMAND]: all but what pack_initramfs adds.
# LAB_ADD: further files, which go to /lab.
prepare_root() {
	local series=$1 root=$2 mode=$3 build name

	build=$(kernel_build_dir "$series")
	rm -rf "$root"
	mkdir -p "$root/lab/tests"
	if [[ ${#LAB_ADD[@]} -gt 0 ]]; then
		cp -L "${LAB_ADD[@]}" "$root/lab/"
	fi
	for name in "${tests[@]}"; do
		cp "$build/tests/$name" "$root/lab/tests/" ||
			die_environment "the tests' makefile lists $name and does not build it"
		printf '%s\n' "$name"
	done >"$root/lab/list"
	printf 'MODE=%s\nTIMEOUT=%q\nHUGEPAGES=%q\nCOMMAND=%q\n' "$mode" \
		"$LAB_TIMEOUT" "${LAB_HUGEPAGES:-256}" "${4-}" >"$root/lab/config"
	pack_modules "$series" "$root" "$build/src/drivers/virt/kvm_vmem/kvm_vmem.ko"
}

# run_kernel SERIES MODE [COMMAND]: in a shell of its own. Exits as the lab does;
# a command's own status is its exit status.
run_kernel() (
	set -e
	series=$1 mode=$2
	build=$(kernel_build_dir "$series")
	out=$LAB_BUILD/out
	mkdir -p "$out"
	take_lock "$build/lock" "$series" "build/$series"

	[[ $mode == command ]] || say "$series" "building the tests"
	build_module "$series"
	tests=()
	if [[ $mode != command ]]; then
		build_tests "$series"
		mapfile -t tests < <(choose_tests "$series")
		[[ ${#tests[@]} -gt 0 ]] || die_usage "no test matches '${LAB_TESTS:-*}'"
	fi
	prepare_root "$series" "$build/root" "$mode" "${3-}"
	pack_initramfs "$series" "$build/root" "$build/initramfs"

	qemu_command "$series" "$build/initramfs"
	if [[ $mode == shell ]]; then
		"${qemu[@]}" -serial mon:stdio
		return
	fi
	boot_and_read "$series" "$mode" "$out/$series"
)

# boot_and_read SERIES MODE OUT
boot_and_read() {
	local series=$1 mode=$2 out=$3 status=0 splats port pid

	say "$series" "booting Linux $(kernel_release "$series") under QEMU ($(accelerator))"
	results_begin "$series" "$out.tap" "${#tests[@]}"
	exec {port}< <(exec "${qemu[@]}" -serial "file:$out.console" -serial stdio \
		</dev/null 2>"$out.qemu")
	pid=$!
	# shellcheck disable=SC2064 # this process, now
	trap "kill $pid 2>/dev/null || true" EXIT
	read_results "$out.log" $((LAB_TIMEOUT + 30)) <&"$port"
	[[ -n $finished ]] || kill "$pid" 2>/dev/null || true
	wait_for "$pid"
	exec {port}<&-
	if [[ -s $out.qemu && -z $finished ]]; then
		show_log "$out.qemu"
	fi

	if splats=$(awk -f "$LAB_DIR/splats.awk" "$out.console"); then
		pass "the kernel has nothing to complain of"
	else
		fail "the kernel has nothing to complain of" "${splats//$'\n'/$'\n# '}"
	fi
	results_end "${tests[@]}" || status=$LAB_EXIT_FAILED
	[[ $status -eq 0 ]] || say "$series" "see $out.tap, $out.log and $out.console"
	if [[ $mode == command && -n $command_status && $status -eq 0 ]]; then
		status=$command_status
	fi
	return "$status"
}

# It powers off by itself; give it the time, then end it.
wait_for() {
	local pid=$1 i

	for ((i = 0; i < 100; i++)); do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$pid" 2>/dev/null || true
}
