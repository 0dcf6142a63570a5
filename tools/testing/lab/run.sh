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

# What tests read of the environment.
test_variables=(KVM_VMEM_SECONDS KVM_VMEM_KILLS KVM_VMEM_ORDERS KVM_VMEM_MIGRATIONS
	KVM_VMEM_SEED)

# The stock guest is large, and only some need it.
needs_guest() {
	[[ -n $LAB_GUEST || " ${tests[*]}" == *' linux_'* ]]
}

# The boots that tests are dealt out to, the longest first: those with a stock guest need
# one of their own (cpus in boot.sh), others have one so that none is too long.
lab_boots=(guests migrations vmms failures '')

boot_of() {
	case $1 in
	linux_*) printf guests ;;
	fail_nth_*) printf failures ;;
	migrate_*) printf migrations ;;
	death_* | holders_* | hostile_vmm_* | orders_* | suspend_* | usage_vmm_*) printf vmms ;;
	esac
}

# options_of SERIES TEST: of the harness. What VMMs do without the module says nothing of it:
# it is left out on the debug kernel, on which it would take a quarter of an hour.
options_of() {
	case $1/$2 in
	debug/hostile_vmm_test | debug/migrate_*)
		printf ' -V %s' {static,dynamic_user}{,_to_{static,dynamic_user}}
		;;
	esac
}

# choose_tests BOOT: of those that match, fills tests with its.
choose_tests() {
	local name

	tests=()
	for name in "${matching[@]}"; do
		[[ $(boot_of "$name") != "$1" ]] || tests+=("$name")
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
		printf '%s%s\n' "$name" "$(options_of "$series" "$name")"
	done >"$root/lab/list"
	printf 'MODE=%s\nTIMEOUT=%q\nHUGEPAGES=%q\nCOMMAND=%q\n' "$mode" \
		"$LAB_TIMEOUT" "${LAB_HUGEPAGES:-256}" "${4-}" >"$root/lab/config"
	for name in "${test_variables[@]}"; do
		[[ -z ${!name-} ]] ||
			printf 'export %s=%q\n' "$name" "${!name}" >>"$root/lab/config"
	done
	pack_modules "$series" "$root" "${lab_modules[@]}"
	install_module "$series" "$root"
}

# run_kernel SERIES MODE [COMMAND]: the last thing that a shell does, as it keeps
# a trap. Exits as the lab does; with the status of a command.
run_kernel() {
	local series mode build out tests_dir=''
	local -a matching=() tests=() qemu

	series=$1 mode=$2
	# What looks over every access's shoulder is slow.
	if [[ $series == debug ]]; then
		: "${LAB_TIMEOUT:=900}" "${KVM_VMEM_SECONDS:=10}"
	else
		: "${LAB_TIMEOUT:=240}"
	fi
	build=$(kernel_build_dir "$series")
	out=${LAB_OUT:-$LAB_BUILD/out}
	mkdir -p "$out"
	[[ $mode == shell ]] || take_lock "$out/.$series.lock" "$series" "the results in $out"
	take_lock "$build/lock" "$series" "build/$series"

	say "$series" "building"
	build_module "$series"
	build_tools "$series"
	[[ $mode == command ]] || build_and_match_tests "$series"
	if [[ $mode == tests ]]; then
		run_tests "$series"
		return
	fi
	tests=("${matching[@]}")
	prepare_boot "$@"
	release_lock
	if [[ $mode == shell ]]; then
		"${qemu[@]}" -serial mon:stdio
	else
		boot_and_read "$series" "$mode" "$out/$series"
	fi
}

# run_tests SERIES: in as many boots as it takes, side by side.
run_tests() {
	local series=$1 boot status worst=0
	local -a pids=()

	for boot in "${lab_boots[@]}"; do
		choose_tests "$boot"
		rm -f "$out/$series${boot:+-$boot}.tap"
		[[ ${#tests[@]} -gt 0 ]] || continue
		prepare_boot "$series" tests
		boot_and_read "$series" tests "$out/$series${boot:+-$boot}" &
		pids+=($!)
	done
	release_lock
	# shellcheck disable=SC2064 # these
	trap "kill ${pids[*]} 2>/dev/null; wait; exit 143" TERM
	for pid in "${pids[@]}"; do
		status=0
		wait "$pid" || status=$?
		[[ $status -le $worst ]] || worst=$status
	done
	return "$worst"
}

# prepare_boot SERIES MODE [COMMAND]: fills qemu, and opens what it boots from: others
# may build the next one before it has begun to read.
prepare_boot() {
	local initramfs

	prepare_root "$1" "$build/root" "$2" "${3-}"
	rm -f "$build/initramfs"
	pack_initramfs "$1" "$build/root" "$build/initramfs"
	exec {initramfs}<"$build/initramfs"
	qemu_command "$1" "/dev/fd/$initramfs"
}

# boot_and_read SERIES MODE OUT
boot_and_read() {
	local series=$1 mode=$2 out=$3 status=0 splats port pid

	take_slot
	say "${out##*/}" "booting Linux $(kernel_release "$series") under QEMU ($(accelerator))"
	results_begin "${out##*/}" "$out.tap" "${#tests[@]}"
	exec {port}< <(exec "${qemu[@]}" -serial "file:$out.console" -serial stdio \
		</dev/null 2>"$out.qemu")
	pid=$!
	# shellcheck disable=SC2064 # this process, now
	trap "kill $pid 2>/dev/null || true" EXIT
	trap 'exit 143' TERM
	read_results "$out.log" $((LAB_TIMEOUT + 30)) <&"$port"
	[[ -n $finished ]] || kill "$pid" 2>/dev/null || true
	wait_for "$pid"
	wait "$pid" 2>/dev/null || true
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
	[[ $mode != tests ]] || say_cpu_time "${out##*/}" "$out.times"
	[[ $status -eq 0 ]] || say "${out##*/}" "see $out.tap, $out.log and $out.console"
	if [[ $mode == command && -n $command_status && $status -eq 0 ]]; then
		status=$command_status
	fi
	return "$status"
}

# say_cpu_time WHO FILE: of all that this shell has waited for, QEMU in the first place. A
# command substitution would have waited for nothing.
say_cpu_time() {
	times >"$2"
	say "$1" "CPU time of this machine: $(awk 'NR == 2 {
		split($0, part, /[ms ]+/)
		printf "%d", 60 * (part[1] + part[3]) + part[2] + part[4]
	}' "$2") s"
	rm -f "$2"
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
