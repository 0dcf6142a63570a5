# SPDX-License-Identifier: GPL-2.0
#
# Makes tables of the benchmarks' results (results.tsv).
#
#   format=text|markdown|rst   what they are made as
#   series=6.12                the kernel's
#   peers=1                    besides each figure beside its bar, all figures, those of a
#                              benchmark in a table, by mode
#   head=1                     only what comes before
#
# In a table with bars a line has the figure of kvm-vmem, what it is compared with, their
# ratio, and the bar, which the ratio must not exceed.

BEGIN { FS = "\t" }

$1 == series {
	at = $4 "," $5 "," $6
	value[at] = $8 + 0
	least[at] = $9 + 0
	most[at] = $10 + 0
	unit[at] = $11
	times[at] = $7
	kernel = $3
	date[$2] = $12
	machine[$2] = $13
	if (!mode_seen[$2, $5]++)
		modes[$2] = modes[$2] "\t" $5
	if (!row_seen[$2, $4, $6]++)
		rows[$2] = rows[$2] "\t" $4 "," $6
	if (!benchmark_seen[$2]++)
		benchmark[++nb_benchmarks] = $2
}

# As many digits as say something.
function number(x) {
	if (x >= 1000 || x == int(x))
		return sprintf("%d", x + 0.5)
	return sprintf("%.3g", x)
}

function figure(x, u) {
	if (u == "KiB" && x >= 10240)
		return sprintf("%d MiB", x / 1024 + 0.5)
	if (u == "ns" && x >= 1e5 || u == "us" && x >= 1e4)
		return figure(x / 1000, u == "ns" ? "us" : "ms")
	if (u == "ms" && x >= 1e4)
		return number(x / 1000) " s"
	return number(x) " " u
}

# The unit is said once, if it is the same.
function with_spread(which,    text, low, high, u) {
	text = figure(value[which], unit[which])
	if (least[which] == most[which])
		return text
	low = figure(least[which], unit[which])
	high = figure(most[which], unit[which])
	u = substr(text, index(text, " "))
	if (substr(low, index(low, " ")) == u && substr(high, index(high, " ")) == u) {
		low = substr(low, 1, index(low, " ") - 1)
		high = substr(high, 1, index(high, " ") - 1)
	}
	return low == high ? text : text " (" low " to " high ")"
}

# Cells are between tabs; the first row has the titles.
function add_row(cells) { table[++nb_rows] = cells }

function print_text(    i, j, n, cell, width) {
	for (i = 1; i <= nb_rows; i++) {
		n = split(table[i], cell, "\t")
		for (j = 1; j <= n; j++)
			if (length(cell[j]) > width[j])
				width[j] = length(cell[j])
	}
	for (i = 1; i <= nb_rows; i++) {
		n = split(table[i], cell, "\t")
		printf "%-" width[1] "s", cell[1]
		for (j = 2; j <= n; j++)
			printf "  %" width[j] "s", cell[j]
		print ""
	}
}

function print_markdown(    i, n, cell, row) {
	for (i = 1; i <= nb_rows; i++) {
		row = table[i]
		n = split(row, cell, "\t")
		gsub(/\t/, " | ", row)
		print "| " row " |"
		if (i == 1) {
			printf "|---|"
			while (--n)
				printf "---:|"
			print ""
		}
	}
}

function print_rst(    i, j, n, cell) {
	print ".. list-table::\n   :header-rows: 1\n"
	for (i = 1; i <= nb_rows; i++) {
		n = split(table[i], cell, "\t")
		for (j = 1; j <= n; j++)
			print "   " (j == 1 ? "* -" : "  -") (cell[j] == "" ? "" : " " cell[j])
	}
}

function print_table() {
	if (nb_rows < 2)
		say("Not measured.")
	else if (format == "text")
		print_text()
	else if (format == "markdown")
		print_markdown()
	else
		print_rst()
	print ""
	nb_rows = 0
}

function say(text) { print text "\n" }

function heading(text, level,    line) {
	line = text
	gsub(/./, substr("=-~", level, 1), line)
	if (format == "rst")
		say(text "\n" line)
	else if (format == "markdown")
		say(substr("###", 1, level) " " text)
	else
		say(text)
}

# No bar is "".
function add_ratio(text, x, x_unit, y, y_unit, bar,    ratio) {
	ratio = x / y
	add_row(text "\t" figure(x, x_unit) "\t" figure(y, y_unit) "\t" \
		(ratio < 0.01 ? "1/" number(y / x) : sprintf("%.3f", ratio)) "\t" \
		(bar == "" ? "" : bar <= 0.01 ? "1/" number(1 / bar) : sprintf("%.3f", bar)) "\t" \
		(bar == "" ? "" : ratio <= bar ? "met" : "MISSED"))
}

# What is compared, with what, and at most how much of that it may be.
function compare(text, key, base, bar) {
	if (key in value && base in value && value[base])
		add_ratio(text, value[key], unit[key], value[base], unit[base], bar)
}

# Of what takes minutes, the least: what else the machine does only ever adds to it.
function compare_least(text, key, base, bar) {
	if (key in least && base in least)
		add_ratio(text " (least)", least[key], unit[key], least[base], unit[base], bar)
}

function exact(text, key, bar) {
	if (key in value)
		add_row(text "\t" figure(value[key], unit[key]) "\t\t\t" bar "\t" \
			(value[key] <= bar ? "met" : "MISSED"))
}

# The better of QEMU's back ends, by values or the least of them.
function best_qemu(figures, name, of,    ram, memfd) {
	ram = name ",qemu-ram," of
	memfd = name ",qemu-memfd," of
	return memfd in figures && figures[memfd] < figures[ram] ? memfd : ram
}

function metadata_bars(    i, n, of, config, bar) {
	n = split("tdp tdp+smm shadow shadow+smm", config, " ")
	for (i = 1; i <= n; i++) {
		of = "1T " config[i]
		# From 6.12 on the TDP MMU allocates its part when it is needed.
		bar = series == "6.1" || i > 2 ? 1 / 900 : ""
		compare("metadata of 1 TiB, " config[i] ", against one memslot",
			"metadata_kib,group," of, "metadata_kib,static," of, bar)
		compare("  against QEMU's grid", "metadata_kib,group," of, "metadata_kib,qemu-grid," of, "")
		compare("  against the plugged GiB alone", "metadata_kib,group," of,
			"metadata_kib,limit," of, "")
		compare("ready, " config[i] ", against one memslot", "ready_ms,group," of,
			"ready_ms,static," of, series == "6.1" && i <= 2 ? 1 / 100 : "")
	}
	for (i = 1; i <= n; i++)
		compare("metadata of 16 TiB, " config[i] ", against QEMU's grid",
			"metadata_kib,group,16T " config[i], "metadata_kib,qemu-grid,16T " config[i], "")
	compare("more after a nested guest, against one memslot", "nested_kib,group,1T tdp",
		"nested_kib,static,1T tdp", "")
	compare("  against QEMU's grid", "nested_kib,group,1T tdp", "nested_kib,qemu-grid,1T tdp", "")
	compare("logs of dirty pages, against one memslot", "dirty_kib,group,1T tdp",
		"dirty_kib,static,1T tdp", "")
	compare("  against QEMU's grid", "dirty_kib,group,1T tdp", "dirty_kib,qemu-grid,1T tdp", "")
}

function request_bars(    i, n, nb) {
	n = split("16 1024 16384", nb, " ")
	for (i = 2; i <= n; i++) {
		compare("PLUG, " nb[i] " memslots active, against 16", "inside_plug_us,group," nb[i] " active",
			"inside_plug_us,group,16 active", 1.1)
		compare("UNPLUG, likewise", "inside_unplug_us,group," nb[i] " active",
			"inside_unplug_us,group,16 active", 1.1)
	}
	for (i = 1; i <= n; i++)
		exact("KVM calls of them, " nb[i] " active", "inside_kvm_calls,group," nb[i] " active", 0)
	for (i = 1; i <= n; i++)
		compare("PLUG with a new memslot, " nb[i] " active, against KVM's part",
			"new_plug_us,group," nb[i] " active", "new_plug_us,kvm," nb[i] " active", "")
	compare("PLUG as a guest sees it, against dynamic-user", "request_us,group,-",
		"request_us,dynamic-user,-", "")
	compare("  of the only block", "request_replug_us,group,-", "request_replug_us,dynamic-user,-", "")
	compare("UNPLUG of the only block, likewise", "request_reunplug_us,group,-",
		"request_reunplug_us,dynamic-user,-", "")
	compare("64 GiB by requests of 128 MiB, against KVM's part",
		"sweep_ms,group,requests of 128 MiB", "sweep_ms,kvm,memslots of 1 GiB", "")
	compare("64 GiB by one request, against KVM's part", "sweep_ms,group,one request",
		"sweep_ms,kvm,memslots of 1 GiB", "")
	compare("8 VMs that grow at once, against one by one", "together_ms,group,at once",
		"together_ms,group,one by one", "")
	compare("  the same without the module", "together_ms,kvm,at once",
		"together_ms,kvm,one by one", "")
}

function protection_bars() {
	compare("first touch, 4 KiB pages, against a memfd", "fault_ns,protected,4k",
		"fault_ns,memfd,4k", 1.15)
	compare("first touch, 2 MiB pages, against a memfd", "fault_ns,protected,2m",
		"fault_ns,memfd,2m", 1.05)
	compare("UNPLUG of 128 MiB, 4 KiB pages, against sync", "unplug_call_us,async,4k",
		"unplug_call_us,sync,4k", 0.5)
	compare("UNPLUG of 128 MiB, 2 MiB pages, against sync", "unplug_call_us,async,2m",
		"unplug_call_us,sync,2m", 0.25)
	exact("pages that a hostile guest gains", "hostile_pages,group,-", 0)
	exact("refaults of 12 memslots before retirement",
		"shrink_refaults_before_retirement,group,-", 0)
	compare("refaults, all, against the working set", "shrink_refaults,group,-",
		"shrink_working_set,group,-", 1)
	compare("refaults, all, against eager deletion", "shrink_refaults,group,-",
		"shrink_refaults,eager,-", 1 / 12)
	compare("wall time of it, against eager deletion", "shrink_wall_ms,group,-",
		"shrink_wall_ms,eager,-", 0.1)
}

# Bars are those of the stock guest, which zeroes what it gives back.
function guest_bars(who, of, has_bars) {
	compare_least(who " grows by 4 GiB, against QEMU", "guest_plug_ms,group," of,
		best_qemu(least, "guest_plug_ms", of), has_bars ? 1 : "")
	compare_least("  shrinks again, against QEMU", "guest_unplug_ms,group," of,
		best_qemu(least, "guest_unplug_ms", of), has_bars ? 1 : "")
	compare("  page faults of that, against QEMU", "guest_unplug_faults,group," of,
		best_qemu(value, "guest_unplug_faults", of), has_bars ? 1 : "")
	compare("  KVM calls of both, against QEMU", "guest_kvm_calls,group," of,
		"guest_kvm_calls,qemu-ram," of, "")
	if (!has_bars)
		return
	compare_least("  shrinks, against QEMU with a memfd", "guest_unplug_ms,group," of,
		"guest_unplug_ms,qemu-memfd," of, 0.5)
	compare("  page faults of that, against QEMU with a memfd", "guest_unplug_faults,group," of,
		"guest_unplug_faults,qemu-memfd," of, 0.02)
}

function busy_bars() {
	compare("a busy guest shrinks by 8 GiB, against QEMU", "busy_unplug_ms,group,-",
		"busy_unplug_ms,qemu,-", 0.7)
	compare("  page faults of that, against QEMU", "busy_unplug_faults,group,-",
		"busy_unplug_faults,qemu,-", 0.25)
}

function bars() {
	add_row("\tkvm-vmem\tagainst\tratio\tbar\t")
	metadata_bars()
	request_bars()
	protection_bars()
	guest_bars("a guest with init_on_alloc=0", "init_on_alloc=0", 0)
	guest_bars("a stock guest", "zeroing", 1)
	busy_bars()
	print_table()
}

function print_peers(name,    i, j, n, m, row, mode, part, key, cells, most_times) {
	heading(name, 3)
	say("Measured " date[name] " on: " machine[name] ".")
	m = split(substr(modes[name], 2), mode, "\t")
	cells = "what"
	for (j = 1; j <= m; j++)
		cells = cells "\t" mode[j]
	add_row(cells "\truns")
	n = split(substr(rows[name], 2), row, "\t")
	for (i = 1; i <= n; i++) {
		split(row[i], part, ",")
		cells = part[1] (part[2] == "-" ? "" : ", " part[2])
		most_times = 0
		for (j = 1; j <= m; j++) {
			key = part[1] "," mode[j] "," part[2]
			cells = cells "\t" (key in value ? with_spread(key) : "")
			if (key in times && times[key] > most_times)
				most_times = times[key]
		}
		add_row(cells "\t" most_times)
	}
	print_table()
}

function comment(text) {
	say(format == "rst" ? ".. " text : "<!-- " text " -->")
}

END {
	if (head) {
		comment("SPDX-License-Identifier: GPL-2.0")
		comment("Made by tools/testing/bench/bench of results.tsv. Do not edit.")
		heading("All figures", 1)
		say("Emulated hosts: trust bytes, counts, and ratios within one table. Medians, with the " \
			"least and the most in brackets; the number of runs is the highest of a line.")
		exit
	}
	if (kernel == "")
		exit
	heading("Linux " kernel, 2)
	bars()
	for (nth = 1; peers && nth <= nb_benchmarks; nth++)
		print_peers(benchmark[nth])
}
