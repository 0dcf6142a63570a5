# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# watch. Files are not told of, so it is to look.

# watching ARG...: starts it; its output goes to $scratch/events.
watching() {
	: >"$scratch/events"
	"$vmemctl" --sysfs "$sysfs" watch --interval 0.05 "$@" >"$scratch/events" 2>"$scratch/err" &
	watcher=$!
}

# said N: waits until there are so many events.
said() {
	local i

	for ((i = 0; i < 500; i++)); do
		[[ $(wc -l <"$scratch/events") -lt $1 ]] || break
		sleep 0.02
	done
	out=$(<"$scratch/events")
	[[ $(wc -l <"$scratch/events") -eq $1 ]] || fail "not $1 events: $out"
}

# event N FILTER: the Nth is JSON, of which the filter holds.
event() {
	sed -n "$1p" "$scratch/events" | jq -e "$2" >/dev/null || fail "event $1, not $2: $out"
}

test_watch_tells_what_changes() {
	vmem vmem0 label=web
	watching
	said 1
	has "$out" 'vmem0 (web) is there: size 1G, requested 4G, region 1T'
	put "$sysfs/vmem0/requested_size" 2147483648
	said 2
	has "$out" 'vmem0 (web) requested size 4G -> 2G, size 1G'
	put "$sysfs/vmem0/size" 1207959552
	said 3
	has "$out" 'size 1G -> 1.12G, requested 2G'
	put "$sysfs/vmem0/memslots_idle" 3
	said 4
	has "$out" 'memslots 1 active -> 1, 2 idle -> 3'
	put "$sysfs/vmem0/last_violation" 0x80005000
	put "$sysfs/vmem0/violations" 3
	said 5
	has "$out" 'VIOLATION: 3 more, 3 in all, the last at offset 0x80005000'
	[[ $(tail -n 1 <<<"$out") =~ ^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{3}' vmem0 (web) ' ]]
	# What does not change is not told.
	sleep 0.3
	said 5
	kill "$watcher"
}

test_watch_json_is_an_object_a_line() {
	local time

	vmem vmem0 'label=web "1"'
	watching --json
	said 1
	event 1 '.event == "present" and .name == "vmem0" and .label == "web \"1\"" and
		.device.size == 1073741824 and .device.counters.acks == 7'
	put "$sysfs/vmem0/requested_size" 2147483648
	said 2
	event 2 'del(.time) == {"event": "requested_size", "name": "vmem0", "label": "web \"1\"",
		"requested_size": 2147483648, "previous_requested_size": 4294967296,
		"size": 1073741824}'
	put "$sysfs/vmem0/size" 0
	said 3
	event 3 'del(.time) == {"event": "size", "name": "vmem0", "label": "web \"1\"", "size": 0,
		"previous_size": 1073741824, "requested_size": 2147483648}'
	put "$sysfs/vmem0/memslots_active" 0
	said 4
	event 4 'del(.time) == {"event": "memslots", "name": "vmem0", "label": "web \"1\"",
		"memslots_active": 0, "previous_memslots_active": 1, "memslots_idle": 2,
		"previous_memslots_idle": 2}'
	put "$sysfs/vmem0/last_violation" 0x1000
	put "$sysfs/vmem0/violations" 2
	said 5
	event 5 'del(.time) == {"event": "violation", "name": "vmem0", "label": "web \"1\"",
		"violations": 2, "previous_violations": 0, "last_violation": 4096}'
	rm -rf "$sysfs/vmem0"
	said 6
	event 6 'del(.time) == {"event": "removed", "name": "vmem0", "label": "web \"1\""}'
	time=$(jq -s '.[5].time' "$scratch/events")
	[[ ${time%.*} -ge $((EPOCHSECONDS - 10)) && ${time%.*} -le $EPOCHSECONDS ]] || fail "$time"
	[[ $(wc -l <"$scratch/events") -eq 6 ]]
	kill "$watcher"
}

test_watch_sees_devices_come_and_go() {
	vmem vmem0
	watching --json
	# It has looked once.
	said 1
	event 1 '.event == "present" and .name == "vmem0"'
	mkdir "$scratch/new"
	sysfs=$scratch/new vmem vmem7 label=db
	mv "$scratch/new/vmem7" "$sysfs/vmem7"
	said 2
	event 2 '.event == "added" and .name == "vmem7" and .device.label == "db"'
	# Another with the same number.
	sysfs=$scratch/new vmem vmem7 label=web
	mv "$sysfs/vmem7" "$scratch/old"
	mv "$scratch/new/vmem7" "$sysfs/vmem7"
	said 4
	event 3 '.event == "removed" and .label == "db"'
	event 4 '.event == "added" and .label == "web"'
	# The module goes, and all with it.
	rm -rf "$sysfs"
	status=0
	wait "$watcher" || status=$?
	[[ $status -eq 4 ]] || fail "status $status"
	said 6
	event 5 '.event == "removed"'
	event 6 '.event == "removed"'
	has "$(<"$scratch/err")" 'unloaded'
}

test_watch_of_one_sees_no_other_and_ends_with_it() {
	vmem vmem0 label=web
	vmem vmem1
	watching web vmem0
	said 1
	vmem vmem2
	put "$sysfs/vmem1/size" 0
	put "$sysfs/vmem0/size" 0
	said 2
	has "$out" 'vmem0 (web) size 1G -> 0'
	rm -rf "$sysfs/vmem0"
	status=0
	wait "$watcher" || status=$?
	[[ $status -eq 7 ]] || fail "status $status"
	said 3
	has "$out" 'vmem0 (web) is gone'
}

test_watch_of_many_needs_many_files() {
	local i

	for i in {0..29}; do vmem "vmem$i"; done
	ulimit -Sn 64
	watching
	said 30
	kill "$watcher"
}

test_watch_says_what_it_cannot_read() {
	vmem vmem0
	watching
	said 1
	put "$sysfs/vmem0/size" 'a lot'
	status=0
	wait "$watcher" || status=$?
	[[ $status -eq 1 ]]
	has "$(<"$scratch/err")" 'a lot'
}

# An hour of nothing is to cost nothing.
test_watch_does_not_look_without_need() {
	vmem vmem0
	: >"$scratch/events"
	"$vmemctl" --sysfs "$sysfs" watch --interval 0 >"$scratch/events" &
	watcher=$!
	said 1
	put "$sysfs/vmem0/size" 0
	sleep 1
	said 1
	# utime and stime, in hundredths of a second.
	read -r -a stat <"/proc/$watcher/stat"
	[[ $((stat[13] + stat[14])) -le 5 ]]
	kill "$watcher"
}
