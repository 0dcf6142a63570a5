# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What terminals show: top, and the bar of resize.

# drawn PATTERN [N]: waits until the terminal has shown it, N times.
drawn() {
	until [[ $(grep -o -- "$1" "$scratch/drawn" 2>/dev/null | wc -l) -ge ${2-1} ]]; do
		sleep 0.05
	done
}

# on_terminal COLUMNS ROWS COMMAND [PATTERN N KEY]...: each key is pressed when the pattern
# was drawn N times. $out is what was drawn, $status that of the command.
on_terminal() {
	local columns=$1 rows=$2 command=$3 keyboard

	shift 3
	rm -f "$scratch/status" "$scratch/drawn"
	mkfifo "$scratch/keys" 2>/dev/null || true
	# script(1) ends the terminal with its input.
	exec {keyboard}<>"$scratch/keys"
	(
		while [[ $# -gt 0 ]]; do
			drawn "$1" "$2"
			printf '%b' "$3" >"$scratch/keys"
			shift 3
		done
	) &
	terminal "$columns" "$rows" "$command; echo \$? >$scratch/status; stty -a >$scratch/stty" \
		<&"$keyboard" >"$scratch/drawn"
	exec {keyboard}>&-
	out=$(<"$scratch/drawn")
	status=$(<"$scratch/status")
}

test_top_draws_until_q() {
	vmem vmem0 label=web
	vmem vmem1 size=0 requested_size=0
	on_terminal 120 24 "$vmemctl --sysfs $sysfs top --interval 0.1" '2 devices' 3 q
	[[ $status -eq 0 ]]
	has "$out" '2 devices: 1G plugged of 4G requested, 1G resident' 'SIZE/S' \
		'[###---------]' '[------------]'
	# A screen apart, and back; and the terminal is as before.
	[[ $out == $'\e[?1049h\e[?25l'*$'\e[?25h\e[?1049l'* ]] || fail "$out"
	has "$(<"$scratch/stty")" ' icanon' ' echo '
}

test_top_shows_how_fast_it_is() {
	local guest

	vmem vmem0
	(
		for i in {1..400}; do
			sleep 0.05
			put "$sysfs/vmem0/size" $(((1 << 30) + (i << 21)))
			put "$sysfs/vmem0/counters/acks" $((7 + i))
		done
	) &
	guest=$!
	on_terminal 120 24 "$vmemctl --sysfs $sysfs top --interval 0.4" 'SIZE/S' 1 x '+[0-9.]*M' 1 q
	kill "$guest"
	[[ $out =~ \+[0-9.]+M\ +[1-9][0-9]*\ +512M ]] || fail "$out"
}

test_top_gives_the_terminal_back_when_it_is_killed() {
	local signal

	vmem vmem0
	for signal in TERM HUP; do
		on_terminal 80 24 "$vmemctl --sysfs $sysfs top </dev/tty & \
			until grep -q device $scratch/drawn; do sleep 0.05; done; kill -$signal \$!; wait \$!"
		[[ $status -gt 128 ]] || fail "$signal: status $status"
		[[ $out == *$'\e[?25h\e[?1049l'* ]] || fail "$signal: $out"
		has "$(<"$scratch/stty")" ' icanon' ' echo '
	done
	# By the key.
	on_terminal 80 24 "trap : INT; $vmemctl --sysfs $sysfs top" device 1 '\003'
	[[ $status -eq 130 && $out == *$'\e[?25h\e[?1049l'* ]] || fail "status $status: $out"
}

test_top_says_what_is_wrong_on_the_terminal_that_it_gave_back() {
	vmem vmem0
	(
		drawn device
		put "$sysfs/vmem0/size" much
	) &
	on_terminal 80 24 "$vmemctl --sysfs $sysfs top --interval 0.1"
	[[ $status -eq 1 ]]
	[[ ${out##*$'\e[?1049l'} == *"no number"* ]] || fail "$out"
}

test_top_fits() {
	local i line

	for i in {0..40}; do vmem "vmem$i"; done
	on_terminal 50 10 "$vmemctl --sysfs $sysfs top" more 1 q
	has "$out" '... and 35 more'
	[[ $out != *vmem6* ]]
	sed 's/\x1b\[[?0-9]*[a-zA-Z]//g; s/\r//g' <<<"$out" | while IFS= read -r line; do
		[[ ${#line} -le 50 ]] || fail "$line"
	done
	on_terminal 10 2 "$vmemctl --sysfs $sysfs top" devices 1 q
	[[ $status -eq 0 ]]
}

test_top_elsewhere_prints_once() {
	vmem vmem0 label=web
	expect 0 top
	[[ $(wc -l <<<"$out") -eq 2 ]]
	has "$out" web '[###---------]'
	[[ $out != *$'\e'* ]]
	expect 0 top --json
	json '.[0].name == "vmem0"'
	out=$(TERM=dumb script -qec "$vmemctl --sysfs $sysfs top" /dev/null </dev/null)
	[[ $out == *web* && $out != *$'\e'* ]]
}

test_wait_draws_a_bar() {
	vmem vmem0 label=web
	(
		drawn '1G of'
		put "$sysfs/vmem0/size" $((5 << 29))
		drawn '2.50G of'
		put "$sysfs/vmem0/size" $((4 << 30))
	) &
	on_terminal 60 24 "$vmemctl --sysfs $sysfs resize web 4G --wait"
	[[ $status -eq 0 ]]
	has "$out" $'\rvmem0 (web) [----------' '[#####------] 2.50G of 4G, ' '[###########] 4G of 4G, '
	# Too narrow for a bar, and for the words.
	vmem vmem0 label=web size=0
	on_terminal 20 24 "$vmemctl --sysfs $sysfs resize web 4G --wait --stall 0.1"
	[[ $status -eq 6 ]]
	[[ $out == *$'\rvmem0 (web) 0 of 4G'* ]] || fail "$out"
}
