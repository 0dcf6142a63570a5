# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# list and show.

test_list_has_a_line_for_each_in_the_order_of_numbers() {
	vmem vmem10 label=ten size=0 requested_size=0
	vmem vmem9 label=nine violations=3
	vmem vmem2
	mkdir "$sysfs/other" "$sysfs/vmemx"
	expect 0 list
	[[ $(awk '{ print $1 }' <<<"$out" | tr '\n' ' ') == 'NAME vmem2 vmem9 vmem10 ' ]]
	[[ $(sed -n 3p <<<"$out") =~ ^vmem9\ +nine\ +4711\ +1G\ +4G\ +1T\ +2M\ +512M\ +1\+2/1024\ +3$ ]] ||
		fail "$out"
}

test_list_of_nothing_is_no_error() {
	expect 0 list
	[[ -z $out ]]
	has "$err" 'no devices'
	expect 0 list --json
	json '. == []'
	[[ -z $err ]]
}

test_list_json_has_all_files() {
	vmem vmem0 label=web
	vmem vmem1 violations=2 last_violation=0x201000 size=18446744073709551615
	expect 0 list --json
	json 'length == 2'
	json '.[0] == {"name": "vmem0", "label": "web", "pid": 4711, "addr": 4294967296,
		"region_size": 1099511627776, "block_size": 2097152, "node_id": 1,
		"size": 1073741824, "requested_size": 4294967296,
		"usable_region_size": 4563402752, "memslot_size": 1073741824,
		"memslots_total": 1024, "memslots_active": 1, "memslots_idle": 2,
		"frozen": 0, "dirty_log": 0, "retire_delay_ms": 1000, "resident": 536870912, "discard_pending": 0,
		"violations": 0, "last_violation": null,
		"counters": {"acks": 7, "nacks": 7, "busies": 7, "errors": 7, "kvm_calls": 7}}'
	json '.[1].label == "" and .[1].last_violation == 2101248'
	has "$out" '"size": 18446744073709551615'
}

test_show_says_all() {
	vmem vmem0 label=web region_size=1610612736 resident=1576960
	expect 0 show vmem0
	for file in "$sysfs"/vmem0/* "$sysfs"/vmem0/counters/*; do
		[[ -d $file ]] || has "$out" "${file#"$sysfs"/vmem0/}"
	done
	has "$out" 'web' '1.50G' '1.50M' '0x100000000' '1000 ms'
	[[ $out =~ last_violation\ +-\  ]]
	[[ $out =~ frozen\ +no\ .*dirty_log\ +no\  ]] || fail "$out"
	vmem vmem1 frozen=1 dirty_log=1
	expect 0 show vmem1
	[[ $out =~ frozen\ +yes\ .*dirty_log\ +yes\  ]] || fail "$out"
	expect 0 show web --json
	json '.name == "vmem0" and .counters.acks == 7 and .region_size == 1610612736'
}

# The kernel makes the files of a device one after another.
test_a_device_in_the_making_is_waited_for() {
	local word

	for word in list 'show web'; do
		vmem vmem0 label=web
		mv "$sysfs/vmem0/counters" "$scratch/counters"
		(sleep 0.1 && mv "$scratch/counters" "$sysfs/vmem0/counters") &
		# shellcheck disable=SC2086 # a command and its argument
		expect 0 $word
		wait
		has "$out" web
	done
}

test_a_vm_of_another_pid_namespace_has_no_pid() {
	vmem vmem0 pid=0
	expect 0 list
	[[ $(sed -n 2p <<<"$out") =~ ^vmem0\ +-\  ]]
	expect 0 show vmem0
	[[ $out =~ pid\ +-\  ]]
}

test_odd_labels_harm_neither_terminals_nor_json() {
	local label=$'\e]0;x\a \t"quoted" back\\slash \xff\xc3\xa4 {}'

	vmem vmem0 "label=$label"
	expect 0 list
	has "$out" '\x1b]0;x\x07 \x09"quoted" back\slash \xff\xc3\xa4 {}'
	expect 0 show vmem0
	[[ $out != *$'\e'* ]]
	expect 0 list --json
	iconv -f UTF-8 -t UTF-8 <<<"$out" >/dev/null
	json '.[0].label == "\u001b]0;x\u0007 \t\"quoted\" back\\slash \ufffd\ufffd\ufffd {}"'
	expect 0 show "$label"
	expect 3 show $'\e[31m'
	[[ $err != *$'\e'* ]]
}

test_a_long_label_is_cut_by_nobody() {
	local label

	label=$(printf 'x%.0s' {1..63})
	vmem vmem0 "label=$label"
	expect 0 list
	has "$out" "$label"
	expect 0 show "$label"
}

# What matters least goes first, and no line is longer than the terminal.
test_a_narrow_terminal_gets_a_narrow_table() {
	local columns lines

	vmem vmem0 label=a-label-of-some-length
	vmem vmem1 label=b
	for columns in 200 80 60 40 20 7 1; do
		lines=$(terminal "$columns" 24 "$vmemctl --sysfs $sysfs list" </dev/null)
		[[ $(wc -l <<<"$lines") -eq 3 ]] || fail "$columns: $lines"
		[[ $(awk '{ if (length() > n) n = length() } END { print n }' <<<"$lines") -le $columns ]] ||
			fail "$columns: $lines"
		case $columns in
		200) has "$lines" VIOLATIONS BLOCK MEMSLOTS ;;
		80) has "$lines" a-label SIZE VIOLATIONS ;;
		20) has "$lines" vmem0 1G ;;
		esac
	done
	# Elsewhere, all there is.
	expect 0 list
	has "$out" BLOCK
}

test_sizes_are_read_by_people() {
	local -A sizes=([0]=0 [1]=1 [1023]=1023 [1024]=1K [1536]=1.50K [1048575]=1023.99K
		[1572864]=1.50M [1099511627776]=1T [1101659111424]=1.00T [5497558138880]=5T
		[18446744073709551615]=16777215.99T)
	local bytes

	for bytes in "${!sizes[@]}"; do
		vmem vmem0 "resident=$bytes"
		expect 0 show vmem0
		[[ $out =~ resident\ +"${sizes[$bytes]}"\  ]] ||
			fail "$bytes is not ${sizes[$bytes]}: $out"
	done
}
