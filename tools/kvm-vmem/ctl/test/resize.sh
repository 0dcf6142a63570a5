# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# resize, with guests that follow, stall, or go.

gib=$((1 << 30))

test_resize_writes_the_requested_size() {
	local size expected

	vmem vmem0 label=web
	while read -r size expected; do
		expect 0 resize web "$size"
		[[ $(number vmem0/requested_size) -eq $expected ]] || fail "$size: $(number vmem0/requested_size)"
		has "$out" 'vmem0 (web): asked for'
	done <<-END
		0 0
		2097152 2097152
		2048K $((2 << 20))
		64m $((64 << 20))
		3G $((3 * gib))
		+1g $((4 * gib))
		-512M $((3 * gib + gib / 2))
		+0 $((3 * gib + gib / 2))
		1T $((1024 * gib))
		-1T 0
		+1T $((1024 * gib))
	END
}

# Where getopt() would see options.
test_a_negative_size_may_stand_anywhere() {
	vmem vmem0
	expect 0 resize -1G vmem0
	expect 0 resize vmem0 -1G --json
	expect 0 resize vmem0 -- -1G
	expect 0 resize -- vmem0 -1G
	[[ $(number vmem0/requested_size) -eq 0 ]]
}

test_what_is_no_size_is_refused() {
	local size

	vmem vmem0
	while IFS= read -r size; do
		expect 2 resize vmem0 -- "$size"
		has "$err" "'$size' is no size" "$(
			case $size in
			*.* | *,*) echo fractions ;;
			999* | 18446744073709551616 | 16777216T) echo '64 bits' ;;
			[0-9]*) echo 'K, M, G, T' ;;
			*) echo 'begin with a number' ;;
			esac
		)"
		[[ $(number vmem0/requested_size) -eq $((4 * gib)) ]]
	done <<-'END'

		much
		G
		--1G
		+-1G
		 1G
		-
		1.5G
		1,5G
		1GG
		1GiB
		1P
		1 G
		0x10000000
		18446744073709551616
		16777216T
		99999999999999999999999999
	END
}

test_what_the_device_cannot_have_is_refused_with_the_nearest() {
	local size word

	vmem vmem0 label=web requested_size=$((1 << 30))
	while IFS='|' read -r size words; do
		IFS=';' read -r -a words <<<"$words"
		expect 2 resize vmem0 "$size"
		has "$err" "${words[@]}"
		[[ $(number vmem0/requested_size) -eq $gib ]]
	done <<-'END'
		1|no multiple;block size;2M;0 and 2M
		3M|3M is no multiple;2M and 4M
		+1M|1025M is no multiple;1G and 1026M
		2097153|2M and 4M
		-1K|1022M and 1G
		1025G|1025G is more than vmem0;region is 1T
		+1T|+1T is more than;1T;asked for 1G
		+16777215T|region is 1T
		16777215T|region is 1T
		18446744073709551615|region is 1T
		-2G|asked for 1G only
		-16777215T|asked for 1G only
	END
}

test_a_device_that_makes_no_sense_is_not_resized() {
	vmem vmem0 block_size=0
	expect 1 resize vmem0 1G
	has "$err" 'makes no sense'
	expect 1 map vmem0
	vmem vmem0 block_size=3145728
	expect 1 resize vmem0 3M
	vmem vmem0 block_size=2097152 requested_size=2199023255552
	expect 1 resize vmem0 +2M
}

test_only_root_resizes() {
	local command

	vmem vmem0 label=web
	chmod 444 "$sysfs/vmem0/requested_size"
	for command in '' --wait --json; do
		status=0
		# shellcheck disable=SC2086 # none is no argument
		as_nobody "$vmemctl" --sysfs "$sysfs" resize web 2G $command >"$scratch/out" \
			2>"$scratch/err" || status=$?
		[[ $status -eq 5 ]] || fail "status $status: $(<"$scratch/err")"
		has "$(<"$scratch/err")" 'vmem0/requested_size' 'only root' 'sudo' 'group kvm'
		[[ ! -s $scratch/out ]]
	done
	# To look, nobody needs to be anybody.
	as_nobody "$vmemctl" --sysfs "$sysfs" list >/dev/null
	as_nobody "$vmemctl" --sysfs "$sysfs" show web >/dev/null
	[[ $(number vmem0/requested_size) -eq $((4 * gib)) ]]
}

test_resize_json_says_what_was_asked() {
	vmem vmem0 label=web
	expect 0 resize vmem0 3G --json
	json '. == {"name": "vmem0", "label": "web", "requested_size": 3221225472,
		"size": 1073741824, "result": "requested"}'
}

# guest SIZE [FILE=VALUE...]: once it is asked for 2 GiB, it has SIZE, in units of 128 MiB,
# and does the rest.
guest() {
	local size=$1 i

	shift
	for ((i = 0; i < 500; i++)); do
		[[ $(number vmem0/requested_size 2>/dev/null) -ne $((2 * gib)) ]] || break
		sleep 0.02
	done
	put "$sysfs/vmem0/size" $((size * gib / 8))
	for i in "$@"; do
		put "$sysfs/vmem0/${i%%=*}" "${i#*=}"
	done
}

test_wait_ends_when_the_guest_is_there() {
	vmem vmem0 label=web
	(
		until grep -q '1G of 2G' "$scratch/out"; do sleep 0.02; done
		guest 16
	) &
	expect 0 resize web 2G --wait --timeout 20
	[[ $(number vmem0/size) -eq $((2 * gib)) ]]
	# Lines, where it is no terminal.
	[[ $(sed -n 1p <<<"$out") == 'vmem0 (web): 1G of 2G, 0 s' ]] || fail "$out"
	[[ $(tail -n 1 <<<"$out") =~ ^'vmem0 (web): 2G of 2G, '[0-9]+' s'$ ]] || fail "$out"
	[[ $out != *$'\r'* && $out != *$'\e'* ]]
	wait
}

test_wait_ends_when_there_is_nothing_to_wait_for() {
	vmem vmem0
	expect 0 resize vmem0 1G --wait --timeout 20
	[[ $out =~ ^'vmem0: 1G of 1G, 0 s'$ ]] || fail "$out"
}

test_wait_with_json_says_one_thing() {
	vmem vmem0
	guest 16 &
	expect 0 resize vmem0 2G --wait --json --timeout 20
	json '.result == "reached" and .size == 2147483648 and .requested_size == 2147483648 and
		.seconds >= 0 and .seconds < 20'
	wait
}

test_a_guest_that_stalls_is_told_apart() {
	local hint rest

	while IFS='|' read -r hint rest; do
		vmem vmem0 label=web size=$gib requested_size=$((4 * gib))
		# shellcheck disable=SC2086 # words
		guest 11 $rest &
		expect 6 resize vmem0 2G --wait --stall 2
		has "$err" 'vmem0 (web) stalled at 1.37G of 2G for 2 s' "$hint"
		# A line for each size, not for each second.
		[[ $(wc -l <<<"$out") -le 2 ]] || fail "$out"
		wait
	done <<-'END'
		made no request|
		answered ERROR|counters/errors=9
		answered BUSY|counters/busies=9
		less than it can use|counters/acks=9
	END
	vmem vmem0 size=$((3 * gib)) requested_size=$((4 * gib))
	guest 24 counters/acks=9 &
	expect 6 resize vmem0 2G --wait --stall 2 --json
	has "$err" 'stalled at 3G down to 2G' 'free no more'
	json '.result == "stalled" and .size == 3221225472'
	wait
}

test_progress_keeps_a_slow_guest_from_stalling() {
	vmem vmem0
	(
		for i in 1 2 3 4 5 6 7; do
			sleep 1.5
			put "$sysfs/vmem0/size" $((gib + i * gib / 8))
		done
		put "$sysfs/vmem0/size" $((2 * gib))
	) &
	# Much more than a step takes, and less than all of them.
	expect 0 resize vmem0 2G --wait --stall 8
	wait
}

test_the_time_is_over() {
	vmem vmem0
	guest 11 &
	expect 6 resize vmem0 2G --wait --stall 0 --timeout 3
	has "$err" 'is at 1.37G of 2G after 3 s'
	wait
	expect 6 resize vmem0 2G --wait --timeout 0.2 --json
	json '.result == "timeout"'
}

test_somebody_else_asks_for_another_size() {
	vmem vmem0
	guest 10 requested_size=$((8 * gib)) &
	expect 1 resize vmem0 2G --wait
	has "$err" 'at 1.25G' 'asked for 8G by somebody else'
	wait
	guest 10 requested_size=$((8 * gib)) &
	expect 1 resize vmem0 2G --wait --json
	json '.result == "replaced"'
	wait
}

test_a_device_that_goes_ends_the_wait() {
	vmem vmem0
	(
		guest 9
		rm -rf "$sysfs/vmem0"
	) &
	expect 7 resize vmem0 2G --wait
	has "$err" 'vmem0 is gone'
	wait
	# Nor is another with its number waited for.
	vmem vmem0 size=$gib requested_size=$((4 * gib))
	(
		guest 9
		mv "$sysfs/vmem0" "$sysfs/old"
		vmem vmem0 size=$((2 * gib)) requested_size=$((2 * gib))
	) &
	expect 7 resize vmem0 2G --wait --json
	json '.result == "failed"'
	wait
}

test_an_interrupted_wait_says_that_the_guest_goes_on() {
	local pid

	vmem vmem0
	# Job control: in the background, SIGINT would be ignored.
	set -m
	"$vmemctl" --sysfs "$sysfs" resize vmem0 2G --wait >"$scratch/out" 2>"$scratch/err" &
	pid=$!
	set +m
	guest 9
	kill -INT "$pid"
	status=0
	wait "$pid" || status=$?
	[[ $status -eq 130 ]] || fail "status $status"
	has "$(<"$scratch/err")" 'still asked for it'
	# What is ignored stays so.
	vmem vmem0 size=$gib requested_size=$((4 * gib))
	(
		trap '' HUP
		exec "$vmemctl" --sysfs "$sysfs" resize vmem0 2G --wait >"$scratch/out" 2>&1
	) &
	pid=$!
	guest 12
	kill -HUP "$pid"
	guest 16
	wait "$pid"
}
