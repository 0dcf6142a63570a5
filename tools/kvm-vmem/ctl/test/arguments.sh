# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The command line, and what is wrong with it, or with the machine.

test_help_is_help() {
	expect 0 --help
	has "$out" 'Usage: vmemctl list' 'vmemctl resize NAME' 'Exit status'
	expect 0 list -h
	expect 0 --version
	has "$out" 'vmemctl 0.'
}

test_what_makes_no_sense_is_refused() {
	local args

	vmem vmem0
	while read -r -a args; do
		expect 2 "${args[@]}"
		[[ -z $out ]] || fail "${args[*]}: said $out"
		has "$err" 'Try: vmemctl --help'
	done <<-'END'
		lst
		--nonsense list
		list vmem0
		list --wait
		list --interval 1
		show
		show vmem0 vmem1
		show vmem0 --stall 1
		resize
		resize vmem0
		resize vmem0 1G 2G
		resize vmem0 1G --interval 1
		resize vmem0 1G --timeout 1
		resize vmem0 -1G -1G
		watch --wait
		watch --interval
		watch --interval much
		watch --interval -1
		watch --interval 1s
		watch --interval inf
		watch --interval 1e9
		top vmem0
		top --interval 0
		map
		map vmem0 vmem1
		export x.prom y.prom
		export --json
		export --interval 1
		list --sysfs
	END
	# Not even a command.
	expect 2
	has "$err" 'Usage: vmemctl list'
}

test_the_module_is_to_be_loaded() {
	local args

	rm -rf "$sysfs"
	for args in list 'show vmem0' 'resize vmem0 1G' watch 'watch vmem0' top 'map vmem0'; do
		# shellcheck disable=SC2086 # words
		expect 4 $args
		has "$err" "$sysfs" 'modprobe kvm-vmem'
		# shellcheck disable=SC2086
		expect 4 $args --json
		[[ -z $out ]] || fail "said $out"
	done
}

test_the_default_is_that_of_the_kernel() {
	[[ ! -e /sys/class/kvm_vmem ]] || return 0
	status=0
	"$vmemctl" list 2>"$scratch/err" || status=$?
	[[ $status -eq 4 ]]
	has "$(<"$scratch/err")" /sys/class/kvm_vmem
}

test_a_device_that_is_not_there_is_said_with_those_that_are() {
	local command size

	vmem vmem0 label=web
	vmem vmem12
	for command in show map watch resize; do
		size=()
		[[ $command != resize ]] || size=(1G)
		expect 3 "$command" vmem1 "${size[@]}"
		has "$err" "no device 'vmem1'" 'vmem0 (web), vmem12'
	done
	expect 3 show ''
	expect 3 show vmem
	expect 3 show vmem012
	expect 3 show ../kvm_vmem/vmem0
	expect 3 show vmem99999999999999999999999999999999999999999
	rm -rf "$sysfs"/vmem*
	expect 3 show vmem0
	has "$err" 'nor any other'
	for i in {0..11}; do vmem "vmem$i"; done
	expect 3 show x
	has "$err" 'vmem7, ...'
}

test_labels_are_names() {
	vmem vmem3 label=db
	vmem vmem4 'label=odd one: "x"'
	vmem vmem5 label=vmem3
	expect 0 show db
	has "$out" vmem3
	expect 0 show 'odd one: "x"'
	has "$out" vmem4
	# A device's name goes first.
	expect 0 show vmem3
	has "$out" db
	expect 3 show 'odd'
}

test_an_ambiguous_label_names_the_candidates() {
	vmem vmem1 label=web
	vmem vmem2 label=db
	vmem vmem10 label=web
	expect 3 show web
	has "$err" "'web'" 'vmem1, vmem10'
	[[ $err != *vmem2* ]]
	expect 3 resize web 2G
	[[ $(number vmem1/requested_size) -eq 4294967296 ]]
	expect 0 resize vmem10 2G
}

test_files_that_are_not_the_module_s_are_errors() {
	vmem vmem0 label=web
	printf 'a lot\n' >"$sysfs/vmem0/size"
	expect 1 list
	has "$err" 'vmem0/size' 'a lot' 'no number'
	printf '\n' >"$sysfs/vmem0/size"
	expect 1 show vmem0
	printf -- '-1\n' >"$sysfs/vmem0/size"
	expect 1 show vmem0
	printf '99999999999999999999999\n' >"$sysfs/vmem0/size"
	expect 1 list --json
	[[ -z $out ]]
	rm "$sysfs/vmem0/resident"
	printf '0\n' >"$sysfs/vmem0/size"
	expect 1 show vmem0
	has "$err" 'no file resident'
	mkdir "$sysfs/vmem0/resident"
	expect 1 show vmem0
	has "$err" 'vmem0/resident'
}

test_no_permission_to_look_is_said() {
	vmem vmem0
	chmod 600 "$sysfs/vmem0/size"
	if [[ $EUID -eq 0 ]]; then
		find "$scratch" -path "$sysfs/vmem0/size" -o -exec chmod a+rX {} +
	fi
	chmod 0 "$sysfs/vmem0/size"
	status=0
	if [[ $EUID -eq 0 ]]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$vmemctl" --sysfs "$sysfs" list 2>"$scratch/err" || status=$?
	else
		"$vmemctl" --sysfs "$sysfs" list 2>"$scratch/err" || status=$?
	fi
	[[ $status -eq 5 ]] || fail "status $status"
	has "$(<"$scratch/err")" 'no permission' vmem0/size
}

test_output_that_cannot_be_written_is_an_error() {
	local command

	vmem vmem0
	truncate -s 65536 "$sysfs/vmem0/plugged_blocks"
	for command in 'list' 'list --json' 'show vmem0' 'map vmem0' 'watch' 'watch --json' 'top' \
		'resize vmem0 1G' 'resize vmem0 1G --wait' 'resize vmem0 1G --json --wait' export --help; do
		status=0
		# shellcheck disable=SC2086 # words
		"$vmemctl" --sysfs "$sysfs" $command >/dev/full 2>"$scratch/err" || status=$?
		[[ $status -eq 1 ]] || fail "$command: status $status"
		has "$(<"$scratch/err")" 'cannot write: No space left on device'
	done
}

test_a_pipe_that_is_closed_ends_it() {
	vmem vmem0
	# The reader goes with the first line; no event ever follows.
	{ timeout 20 "$vmemctl" --sysfs "$sysfs" watch --interval 0 || echo $? >"$scratch/status"; } |
		head -n 1 >/dev/null
	[[ $(<"$scratch/status") -eq 1 || $(<"$scratch/status") -eq 141 ]]
	# The same for those that ignore SIGPIPE, without a word.
	(
		trap '' PIPE
		{ timeout 20 "$vmemctl" --sysfs "$sysfs" watch --interval 0.01 2>"$scratch/err" ||
			echo $? >"$scratch/status"; } | head -n 1 >/dev/null
	)
	[[ $(<"$scratch/status") -eq 1 ]]
	[[ ! -s $scratch/err ]]
	(
		trap '' PIPE
		{ sleep 0.5; "$vmemctl" --sysfs "$sysfs" list 2>"$scratch/err" ||
			echo $? >"$scratch/status2"; } | :
	)
	[[ $(<"$scratch/status2") -eq 1 ]]
	[[ ! -s $scratch/err ]]
}
