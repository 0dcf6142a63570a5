# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# export. PROMTOOL names Prometheus' own checker, if it is not on the path.

# exports [FILTER]: what was exported is what Prometheus takes; the samples, sorted.
exports() {
	"${PROMTOOL:-promtool}" check metrics <<<"$out" >"$scratch/promtool" 2>&1 ||
		fail "promtool: $(<"$scratch/promtool") of $out"
	[[ ! -s $scratch/promtool ]] || fail "promtool: $(<"$scratch/promtool") of $out"
	samples=$(grep -v '^#' <<<"$out" | sort)
}

test_export_has_all_facts_as_metrics() {
	vmem vmem0 label=web violations=3 discard_pending=2097152 retire_delay_ms=1500 frozen=1 \
		usable_region_size=4563402752 counters/{nacks=5,busies=6,errors=8,kvm_calls=9}
	expect 0 export
	exports
	diff - <(printf '%s\n' "$samples") <<-'END' || fail "$out"
		kvm_vmem_block_size_bytes{device="vmem0",label="web"} 2097152
		kvm_vmem_device_info{device="vmem0",label="web",pid="4711",addr="0x100000000",node="1"} 1
		kvm_vmem_dirty_log{device="vmem0",label="web"} 0
		kvm_vmem_discard_pending_bytes{device="vmem0",label="web"} 2097152
		kvm_vmem_frozen{device="vmem0",label="web"} 1
		kvm_vmem_kvm_calls_total{device="vmem0",label="web"} 9
		kvm_vmem_memslot_size_bytes{device="vmem0",label="web"} 1073741824
		kvm_vmem_memslots{device="vmem0",label="web",state="absent"} 1021
		kvm_vmem_memslots{device="vmem0",label="web",state="active"} 1
		kvm_vmem_memslots{device="vmem0",label="web",state="idle"} 2
		kvm_vmem_module_loaded 1
		kvm_vmem_region_size_bytes{device="vmem0",label="web"} 1099511627776
		kvm_vmem_requested_size_bytes{device="vmem0",label="web"} 4294967296
		kvm_vmem_requests_total{device="vmem0",label="web",response="ack"} 7
		kvm_vmem_requests_total{device="vmem0",label="web",response="busy"} 6
		kvm_vmem_requests_total{device="vmem0",label="web",response="error"} 8
		kvm_vmem_requests_total{device="vmem0",label="web",response="nack"} 5
		kvm_vmem_resident_bytes{device="vmem0",label="web"} 536870912
		kvm_vmem_retire_delay_seconds{device="vmem0",label="web"} 1.500
		kvm_vmem_size_bytes{device="vmem0",label="web"} 1073741824
		kvm_vmem_usable_region_size_bytes{device="vmem0",label="web"} 4563402752
		kvm_vmem_violations_total{device="vmem0",label="web"} 3
	END
	[[ -z $err ]]
}

test_export_has_each_metric_once_for_all_devices() {
	vmem vmem0 label=web
	vmem vmem1 label=web
	vmem vmem10 size=18446744073709551615
	expect 0 export
	exports
	[[ $(grep -c '^# TYPE kvm_vmem_size_bytes gauge$' <<<"$out") -eq 1 ]]
	[[ $(grep -c '^# TYPE kvm_vmem_violations_total counter$' <<<"$out") -eq 1 ]]
	# Each has its header right above its samples.
	[[ $(grep -A 3 '^# TYPE kvm_vmem_size_bytes' <<<"$out" | sed 1d) == \
		'kvm_vmem_size_bytes{device="vmem0",label="web"} 1073741824
kvm_vmem_size_bytes{device="vmem1",label="web"} 1073741824
kvm_vmem_size_bytes{device="vmem10",label=""} 18446744073709551615' ]] || fail "$out"
}

test_export_escapes_odd_labels() {
	vmem vmem0 'label=a "b" c\d {x="y"} '$'\xff\x1b'
	expect 0 export
	exports
	has "$out" 'label="a \"b\" c\\d {x=\"y\"} '$'\xef\xbf\xbd\x1b''"} 4294967296'
}

test_export_of_no_device_and_of_no_module() {
	expect 0 export
	exports
	[[ $samples == 'kvm_vmem_module_loaded 1' && -z $err ]]
	rm -rf "$sysfs"
	expect 4 export
	exports
	[[ $samples == 'kvm_vmem_module_loaded 0' ]]
	has "$err" 'modprobe kvm-vmem'
	# What was there of devices is not there any more.
	echo 'kvm_vmem_size_bytes{device="vmem0",label=""} 1' >"$scratch/vmem.prom"
	expect 4 export "$scratch/vmem.prom"
	out=$(<"$scratch/vmem.prom") exports
	[[ $samples == 'kvm_vmem_module_loaded 0' ]]
}

test_export_replaces_a_file_as_a_whole() {
	local old

	vmem vmem0 label=web
	mkdir "$scratch/textfile"
	expect 0 export
	old=$out
	expect 0 export "$scratch/textfile/vmem.prom"
	[[ -z $out ]]
	[[ $(<"$scratch/textfile/vmem.prom") == "$old" ]]
	# Whoever has it open reads what it was: it is another file now.
	exec {open}<"$scratch/textfile/vmem.prom"
	vmem vmem1
	expect 0 export "$scratch/textfile/vmem.prom"
	[[ $(cat <&"$open") == "$old" ]]
	has "$(<"$scratch/textfile/vmem.prom")" vmem1
	# Nothing else is left, and others may read it.
	[[ $(ls -A "$scratch/textfile") == vmem.prom ]]
	[[ $(stat -c %a "$scratch/textfile/vmem.prom") == 644 ]]
	(
		umask 027
		expect 0 export "$scratch/textfile/vmem.prom"
	)
	[[ $(stat -c %a "$scratch/textfile/vmem.prom") == 640 ]]
	# One that is relative.
	cd "$scratch/textfile"
	expect 0 export other.prom
	has "$(<other.prom)" vmem1
}

# The exporter must not find what is being written, by its name.
test_export_writes_under_a_name_that_is_not_exported() {
	vmem vmem0
	mkdir "$scratch/textfile"
	strace -f -qq -e trace=openat,rename -o "$scratch/calls" "$vmemctl" --sysfs "$sysfs" export \
		"$scratch/textfile/vmem.prom"
	grep -E 'openat.*textfile.*O_CREAT' "$scratch/calls" >"$scratch/created"
	[[ $(wc -l <"$scratch/created") -eq 1 ]]
	! grep -E '\.prom"' "$scratch/created" || fail "$(<"$scratch/created")"
	grep -E 'rename\("[^"]*vmem\.prom\.[^"]*", "[^"]*/vmem\.prom"\) *= 0' "$scratch/calls" >/dev/null
}

test_export_that_fails_leaves_the_file_as_it_was() {
	vmem vmem0
	mkdir "$scratch/textfile"
	echo old >"$scratch/textfile/vmem.prom"
	put "$sysfs/vmem0/size" much
	expect 1 export "$scratch/textfile/vmem.prom"
	[[ $(<"$scratch/textfile/vmem.prom") == old ]]
	put "$sysfs/vmem0/size" 0
	expect 1 export "$scratch/nowhere/vmem.prom"
	has "$err" "cannot write $scratch/nowhere/vmem.prom" 'No such file'
	mkdir "$scratch/textfile/dir.prom"
	expect 1 export "$scratch/textfile/dir.prom"
	has "$err" 'no regular file'
	mkfifo "$scratch/fifo"
	expect 1 export "$scratch/fifo"
	[[ -p $scratch/fifo ]]
	ln -s fifo "$scratch/link"
	expect 1 export "$scratch/link"
	[[ -L $scratch/link ]]
	expect 1 export ''
	status=0
	(
		ulimit -f 0
		trap '' XFSZ
		"$vmemctl" --sysfs "$sysfs" export "$scratch/textfile/vmem.prom"
	) 2>"$scratch/err" || status=$?
	[[ $status -eq 1 ]]
	[[ $(<"$scratch/textfile/vmem.prom") == old ]]
	[[ $(ls -A "$scratch/textfile") == $'dir.prom\nvmem.prom' ]] || ls -A "$scratch/textfile"
	status=0
	chmod 755 "$scratch/textfile"
	as_nobody "$vmemctl" --sysfs "$sysfs" export "$scratch/textfile/vmem.prom" 2>"$scratch/err" ||
		status=$?
	[[ $EUID -ne 0 || $status -eq 5 ]]
	[[ $(<"$scratch/textfile/vmem.prom") == old ]]
}
