# SPDX-License-Identifier: GPL-2.0
#
# Makes a table of what the benchmarks found on one kernel: each figure, its
# ratio to what it is compared with, and the bar that the ratio has to meet.

function field(name,    at, rest) {
	at = index($0, "\"" name "\":")
	if (!at)
		return ""
	rest = substr($0, at + length(name) + 3)
	sub(/^"/, "", rest)
	sub(/[",}].*/, "", rest)
	return rest
}

{
	what = field("name") "," field("mode") "," field("page")
	value[what] = field("value") + 0
	unit[what] = field("unit")
	kernel = field("kernel")
}

# What is compared, with what, and at most how much of that it may be.
function compare(text, key, base, bar) {
	if (!(key in value) || !(base in value))
		return
	ratio = value[base] ? value[key] / value[base] : 0
	printf "%-46s %11.6g %-6s %11.6g   %6.3f   %6.3f  %s\n", text, value[key],
		unit[key], value[base], ratio, bar, ratio <= bar ? "met" : "MISSED"
}

# Without a bar.
function beside(text, key, base) {
	if (!(key in value) || !(base in value))
		return
	printf "%-46s %11.6g %-6s %11.6g   %6.3f\n", text, value[key], unit[key],
		value[base], value[base] ? value[key] / value[base] : 0
}

function exact(text, key, bar) {
	if (!(key in value))
		return
	printf "%-46s %11.6g %-6s %11s   %6s   %6d  %s\n", text, value[key], unit[key],
		"", "", bar, value[key] <= bar ? "met" : "MISSED"
}

END {
	printf "Linux %s\n\n%-46s %18s %11s   %6s   %6s\n", kernel, "",
		"kvm-vmem", "against", "ratio", "bar"
	compare("first touch, 4 KiB pages, against a memfd", "fault_ns,protected,4k",
		"fault_ns,memfd,4k", 1.15)
	compare("first touch, 2 MiB pages, against a memfd", "fault_ns,protected,2m",
		"fault_ns,memfd,2m", 1.05)
	compare("UNPLUG of 128 MiB, 4 KiB pages, against sync", "unplug_call_us,async,4k",
		"unplug_call_us,sync,4k", 0.5)
	compare("UNPLUG of 128 MiB, 2 MiB pages, against sync", "unplug_call_us,async,2m",
		"unplug_call_us,sync,2m", 0.25)
	exact("pages that a hostile guest gains", "hostile_pages,group,", 0)
	exact("refaults of 12 memslots before retirement",
		"shrink_refaults_before_retirement,group,", 0)
	compare("refaults, all, against the working set", "shrink_refaults,group,",
		"shrink_working_set,group,", 1)
	compare("refaults, all, against eager deletion", "shrink_refaults,group,",
		"shrink_refaults,eager,", 1 / 12)
	compare("wall time of it, against eager deletion", "shrink_wall_ms,group,",
		"shrink_wall_ms,eager,", 0.1)
	beside("PLUG as a guest sees it, beside dynamic-user", "request_us,group,",
		"request_us,dynamic-user,")
	beside("the same, of the only block", "request_replug_us,group,",
		"request_replug_us,dynamic-user,")
	beside("UNPLUG, of the only block", "request_reunplug_us,group,",
		"request_reunplug_us,dynamic-user,")
	compare("a guest grows by 4 GiB, against QEMU", "guest_plug_ms,group,",
		"guest_plug_ms,qemu,", 1)
	compare("it shrinks again, against QEMU", "guest_unplug_ms,group,",
		"guest_unplug_ms,qemu,", 1)
	compare("page faults of it, against QEMU", "guest_unplug_faults,group,",
		"guest_unplug_faults,qemu,", 1)
	compare("it shrinks, against QEMU with a memfd", "guest_unplug_ms,group,",
		"guest_unplug_ms,qemu-memfd,", 0.5)
	compare("page faults of it, against QEMU with a memfd",
		"guest_unplug_faults,group,", "guest_unplug_faults,qemu-memfd,", 0.02)
	beside("it shrinks, beside one memslot", "guest_unplug_ms,group,",
		"guest_unplug_ms,static,")
	beside("it shrinks, beside dynamic-user", "guest_unplug_ms,group,",
		"guest_unplug_ms,dynamic-user,")
	compare("a busy guest shrinks by 8 GiB, against QEMU", "busy_unplug_ms,group,",
		"busy_unplug_ms,qemu,", 0.7)
	compare("page faults of it, against QEMU", "busy_unplug_faults,group,",
		"busy_unplug_faults,qemu,", 0.25)
}
