# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Boots a kernel and has it run the tests, a command or a shell.

# build_and_match_tests SERIES: fills tests_dir and matching, from the kselftests
# or the programs in LAB_FROM, with those whose names match LAB_TESTS.
build_and_match_tests() {
	local series=$1 name
	local -a all

	if [[ -n $LAB_FROM ]]; then
		tests_dir=$LAB_FROM
		mapfile -t all < <(find "$LAB_FROM" -maxdepth 1 -type f -perm -u+x -printf '%f\n' | sort)
	else
		build_tests "$series"
		tests_dir=$(kernel_build_dir "$series")/tests
		mapfile -t all < <(list_tests "$series")
		if [[ $series == debug ]]; then
			cp "$LAB_DIR/kunit" "$tests_dir/"
			all=(kunit "${all[@]}")
		fi
	fi
	matching=()
	for name in "${all[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $name != $LAB_TESTS ]] || matching+=("$name")
	done
	[[ ${#matching[@]} -gt 0 ]] || die_usage "no test matches '$LAB_TESTS'"
}

# The stock guest is large, and only some need it.
needs_guest() {
	[[ -n $LAB_GUEST || " ${tests[*]}" == *' linux_'* ]]
}

# choose_tests WHICH: of those that match, fills tests with those that have a stock
# guest ("guests"), or with the others. They run in boots of their own: see
# qemu_command.
choose_tests() {
	local name is_guests

	tests=()
	for name in "${matching[@]}"; do
		is_guests=''
		[[ $name != linux_* ]] || is_guests=guests
		[[ $is_guests != "$1" ]] || tests+=("$name")
	done
}

# prepare_root SERIES ROOT MODE [COMMAND]: all but what pack_initramfs adds.
# LAB_ADD: further files and directories, which go to /lab.
prepare_root() {
	local series=$1 root=$2 mode=$3 build name

	build=$(kernel_build_dir "$series")
	rm -rf "$root"
	mkdir -p "$root/lab/tests" "$root/bin"
	for name in "${lab_tools[@]}"; do
		cp "$(tools_dir "$series")/$name" "$root/bin/"
	done
	if [[ ${#LAB_ADD[@]} -gt 0 ]]; then
		cp -rL "${LAB_ADD[@]}" "$root/lab/"
	fi
	build_mini "$series"
	mkdir -p "$root/lab/guest"
	cp "$build/mini/mini" "$root/lab/guest/"
	if needs_guest; then
		build_guest "$series"
		cp "$(guest_dir "$series")"/{bzImage,initrd} "$root/lab/guest/"
	fi
	for name in "${tests[@]}"; do
		cp "$tests_dir/$name" "$root/lab/tests/" ||
			die_environment "the tests' makefile lists $name and does not build it"
		printf '%s\n' "$name"
	done >"$root/lab/list"
	printf 'MODE=%s\nTIMEOUT=%q\nHUGEPAGES=%q\nCOMMAND=%q\n' "$mode" \
		"$LAB_TIMEOUT" "${LAB_HUGEPAGES:-256}" "${4-}" >"$root/lab/config"
	if [[ -n ${KVM_VMEM_SECONDS-} ]]; then
		printf 'export KVM_VMEM_SECONDS=%q\n' "$KVM_VMEM_SECONDS" >>"$root/lab/config"
	fi
	pack_modules "$series" "$root" "${lab_modules[@]}"
	install_module "$series" "$root"
}

# run_kernel SERIES MODE [COMMAND]: the last thing that a shell does, as it keeps
# the lock and a trap. Exits as the lab does; with the status of a command.
run_kernel() {
	local series mode build out tests_dir='' which status worst=0
	local -a matching=() tests=() qemu

	series=$1 mode=$2
	# What looks over every access's shoulder is slow.
	if [[ $series == debug ]]; then
		: "${LAB_TIMEOUT:=900}" "${KVM_VMEM_SECONDS:=20}"
	else
		: "${LAB_TIMEOUT:=240}"
	fi
	build=$(kernel_build_dir "$series")
	out=${LAB_OUT:-$LAB_BUILD/out}
	mkdir -p "$out"
	take_lock "$build/lock" "$series" "build/$series"

	say "$series" "building"
	build_module "$series"
	build_tools "$series"
	if [[ $mode != tests ]]; then
		[[ $mode != shell ]] || build_and_match_tests "$series"
		tests=("${matching[@]}")
		prepare_boot "$@"
		if [[ $mode == shell ]]; then
			"${qemu[@]}" -serial mon:stdio
			return
		fi
		boot_and_read "$series" "$mode" "$out/$series"
		return
	fi
	build_and_match_tests "$series"
	for which in '' guests; do
		choose_tests "$which"
		rm -f "$out/$series${which:+-$which}.tap"
		[[ ${#tests[@]} -gt 0 ]] || continue
		prepare_boot "$@"
		status=0
		boot_and_read "$series" "$mode" "$out/$series${which:+-$which}" || status=$?
		[[ $status -le $worst ]] || worst=$status
	done
	return "$worst"
}

# prepare_boot SERIES MODE [COMMAND]: fills qemu.
prepare_boot() {
	prepare_root "$1" "$build/root" "$2" "${3-}"
	pack_initramfs "$1" "$build/root" "$build/initramfs"
	qemu_command "$1" "$build/initramfs"
}

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
	trap 'exit 143' TERM
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
