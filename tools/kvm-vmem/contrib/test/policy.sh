# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# kvm-vmem-policy, on trees of files.

# policy AVAILABLE LINE...: with so many GiB free, and these lines in the configuration.
policy() {
	local available=$1

	shift
	printf 'MemTotal: 99999999 kB\nMemAvailable: %d kB\n' $((available << 20)) >"$scratch/meminfo"
	printf '%s\n' 'reserve_low 4G' 'reserve_high 8G' 'step 1G' "$@" >"$scratch/conf"
	status=0
	# shellcheck disable=SC2086 # none, or an option
	out=$(KVM_VMEM_POLICY_MEMINFO=$scratch/meminfo \
		KVM_VMEM_POLICY_VMEMCTL="$vmemctl --sysfs $sysfs" \
		"$here/../policy/kvm-vmem-policy" ${dry_run-} "$scratch/conf" 2>"$scratch/err") || status=$?
	err=$(<"$scratch/err")
}

# full NAME GIB LABEL: it has what it is asked to have, and uses it.
full() {
	vmem "$1" size=$(($2 << 30)) requested_size=$(($2 << 30)) resident=$(($2 << 30)) \
		label="$3" "${@:4}"
}

# asked NAME GIB: what it is asked to have now.
asked() {
	[[ $(number "$1/requested_size") -eq $(($2 << 30)) ]] ||
		fail "$1 is asked to have $(number "$1/requested_size"): $out $err"
}

test_between_the_reserves_nothing_is_done() {
	full vmem0 4 web
	policy 6 'device web 2G 16G'
	[[ $status -eq 0 && -z $out && -z $err ]] || fail "$status $out $err"
	asked vmem0 4
}

test_guests_furthest_above_their_minimum_give_what_is_missing() {
	full vmem0 4 web1
	full vmem1 9 web2
	full vmem2 40 db
	# 3 GiB are missing: of 2, 7 and 0 above their minimum.
	policy 1 'device web* 2G 16G' 'device db 40G 64G'
	[[ $status -eq 0 ]] || fail "$err"
	asked vmem0 4
	asked vmem1 6
	asked vmem2 40
	has "$out" 'vmem1: 6144 MiB' 'vmem1 (web2)'
}

test_no_guest_is_asked_to_go_below_its_minimum() {
	full vmem0 4 web1
	full vmem1 3 web2
	policy 0 'device web* 3G 16G'
	asked vmem0 3
	asked vmem1 3
}

test_what_guests_are_giving_back_counts() {
	full vmem0 10 web
	full vmem1 10 web2 requested_size=$((7 << 30))
	policy 2 'device web* 2G 16G'
	asked vmem0 10
	asked vmem1 7
}

test_what_guests_were_promised_counts() {
	full vmem0 10 web
	vmem vmem1 label=new size=0 requested_size=$((3 << 30)) resident=0
	policy 6 'device web 2G 16G'
	asked vmem0 9
	asked vmem1 3
}

test_guests_that_use_what_they_have_get_more() {
	full vmem0 4 web1
	full vmem1 4 web2 resident=$((3 << 30))
	full vmem2 4 web3 size=$((2 << 30))
	policy 16 'device web* 2G 16G'
	asked vmem0 5
	# It does not use what it has, and this one does not even have it.
	asked vmem1 4
	asked vmem2 4
}

test_no_guest_gets_more_than_its_maximum_its_region_or_what_is_there() {
	full vmem0 4 web1
	full vmem1 4 db region_size=$((4 << 30))
	policy 64 'device web1 2G 4G' 'device db 2G 16G'
	asked vmem0 4
	asked vmem1 4
	# Half a step is there for one of them.
	full vmem0 4 web1 block_size=$((512 << 20))
	full vmem2 4 web2
	policy 8 'device web* 2G 16G'
	asked vmem0 4
	printf 'MemAvailable: %d kB\n' $((17 << 19)) >"$scratch/meminfo"
	KVM_VMEM_POLICY_MEMINFO=$scratch/meminfo KVM_VMEM_POLICY_VMEMCTL="$vmemctl --sysfs $sysfs" \
		"$here/../policy/kvm-vmem-policy" "$scratch/conf" >/dev/null
	[[ $(number vmem0/requested_size) -eq $((9 << 29)) ]]
	asked vmem2 4
}

test_devices_that_are_not_named_or_frozen_are_left_alone() {
	full vmem0 40 other
	full vmem1 40 web1 frozen=1
	full vmem2 8 web2
	policy 3 'device web* 2G 16G'
	asked vmem0 40
	asked vmem1 40
	asked vmem2 7
}

test_the_first_line_that_fits_counts() {
	full vmem0 8 web1
	policy 1 'device web1 8G 8G' 'device web* 2G 16G'
	asked vmem0 8
}

test_a_dry_run_only_says_it() {
	full vmem0 8 web
	dry_run=--dry-run policy 3 'device web 2G 16G'
	[[ $out == 'vmem0: 7168 MiB' ]] || fail "$out $err"
	asked vmem0 8
}

test_sizes_are_multiples_of_blocks() {
	# 1124 MiB are missing.
	full vmem0 8 web block_size=$((512 << 20)) resident=$((8092 << 20))
	dry_run=--dry-run policy 3 'device web 2G 16G'
	[[ $out == 'vmem0: 6656 MiB' ]] || fail "$out $err"
	full vmem0 8 web block_size=$((1 << 30))
	policy 3 'device web 2500M 16G'
	asked vmem0 7
}

test_nothing_to_decide_is_no_error() {
	policy 1 'device web 2G 16G'
	[[ $status -eq 0 && -z $out ]] || fail "$status $out $err"
	full vmem0 8 web
	policy 1
	[[ $status -eq 0 && -z $out ]] || fail "$status $out $err"
}

test_a_configuration_that_makes_no_sense_is_refused() {
	local line

	full vmem0 8 web
	while IFS= read -r line; do
		policy 1 "$line"
		[[ $status -eq 1 && -z $out ]] || fail "$line: $status $out"
		has "$err" kvm-vmem-policy
		asked vmem0 8
	done <<-'END'
		device web 2G
		device web 2G 16G 1G
		device web 2X 16G
		device web 2G much
		devices web 2G 16G
		step 1G 2G
		step lots
	END
	policy 1 'reserve_high 1G'
	[[ $status -ne 0 ]]
	has "$err" 'the first below the second'
	status=0
	"$here/../policy/kvm-vmem-policy" "$scratch/nowhere" 2>"$scratch/err" || status=$?
	[[ $status -eq 1 ]]
	has "$(<"$scratch/err")" "cannot read $scratch/nowhere"
}

test_a_resize_that_fails_is_told() {
	full vmem0 8 web
	full vmem1 8 web
	rm "$sysfs/vmem0/requested_size"
	mkdir "$sysfs/vmem0/requested_size"
	policy 1 'device web 2G 16G'
	[[ $status -ne 0 ]]
	rm -rf "$sysfs"
	policy 1 'device web 2G 16G'
	[[ $status -ne 0 ]]
	has "$err" 'modprobe kvm-vmem'
}
