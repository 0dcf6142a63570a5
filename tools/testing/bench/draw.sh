# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Makes what there is in Documentation/benchmarks from its results.tsv: tables, as
# Markdown and for Sphinx, and charts.

draw_needs() {
	cat <<-'END'
	cmd:gnuplot|gnuplot-nox|to draw the charts
	END
}

docs=$LAB_ROOT/Documentation/benchmarks
# All that the results may have, whatever this machine can run.
drawn=(6.1 6.12)

# chart NAME TITLE UNIT SCALE COLUMN... -- ROW...: bars in groups, a group for each row.
# SCALE is log or linear; a COLUMN, value=title; a ROW, series,name,mode,of=label, in which
# @ stands for the value of the column.
chart() {
	local name=$1 title=$2 unit=$3 scale=$4 data=$LAB_BUILD/bench/$1.data

	shift 4
	awk -f "$here/chart.awk" -- "$docs/results.tsv" "$@" >"$data"
	# What was never measured has no chart.
	[[ $(wc -l <"$data") -gt 1 ]] || return 0
	gnuplot -e "data = '$data'; name = '$docs/$name.svg'; heading = '$title'" \
		-e "unit = '$unit'; scale = '$scale'" "$here/chart.gnuplot"
	sed -i "s/[[:space:]]*\$//; s|<title>Gnuplot</title>|<title>$title</title>|" "$docs/$name.svg"
}

# by_config NAME: a row for each configuration of a region of 1 TiB.
by_config() {
	local series config

	for series in "${drawn[@]}"; do
		for config in tdp tdp+smm shadow shadow+smm; do
			printf '%s,%s,@,1T %s=Linux %s %s\n' "$series" "$1" "$config" "$series" \
				"$(sed 's/^tdp/|TDP/; s/^shadow/|shadow/; s/+smm/, SMM/' <<<"$config")"
		done
	done
}

# by_kernel NAME MODE OF LABEL
by_kernel() {
	local series

	for series in "${drawn[@]}"; do
		printf '%s,%s,%s,%s=Linux %s|%s\n' "$series" "$1" "$2" "$3" "$series" "$4"
	done
}

draw_charts() {
	local -a regions=('static=one memslot' "qemu-grid=QEMU's grid" 'group=kvm-vmem'
		'limit=the plugged GiB alone')
	local -a vmms=('static=vmem-vmm, one memslot' 'qemu-ram=QEMU, dynamic' 'group=vmem-vmm, kvm-vmem'
		'dynamic-user=vmem-vmm, dynamic' 'qemu-memfd=QEMU, dynamic, memfd'
		'qemu-static=QEMU, one memslot')
	local -a rows

	mapfile -t rows < <(by_config metadata_kib)
	chart metadata 'Memory for 1 TiB of virtio-mem, of which 1 GiB is plugged' KiB log \
		"${regions[@]}" -- "${rows[@]}"
	mapfile -t rows < <(by_config ready_ms)
	chart ready 'Until that GiB can be used' ms log "${regions[@]}" -- "${rows[@]}"
	mapfile -t rows < <(by_kernel nested_kib @ '1T tdp' 'nested guest' &&
		by_kernel dirty_kib @ '1T tdp' 'dirty log')
	chart more 'More memory, of the same: after a nested guest, and to log dirty pages' KiB log \
		"${regions[@]}" -- "${rows[@]}"
	mapfile -t rows < <(by_kernel inside_plug_us group '@ active' PLUG &&
		by_kernel inside_unplug_us group '@ active' UNPLUG &&
		by_kernel new_plug_us group '@ active' 'new memslot' &&
		by_kernel new_plug_us kvm '@ active' "KVM alone")
	chart memslots 'A request, by the number of active memslots' us log \
		'16=16 active' '1024=1024 active' '16384=16384 active' -- "${rows[@]}"
	mapfile -t rows < <(by_kernel shrink_refaults @ - 'gives back 12 memslots')
	chart shrink 'Page faults of a guest that gives back 12 memslots' faults linear \
		'eager=each deleted at once' 'group=kvm-vmem' -- "${rows[@]}"
	mapfile -t rows < <(by_kernel guest_unplug_faults @ 'init_on_alloc=0' '4 GiB to 0')
	chart guests 'Page faults of a Linux guest that shrinks by 4 GiB' faults linear \
		"${vmms[@]}" -- "${rows[@]}"
	mapfile -t rows < <(by_kernel guest_kvm_calls @ 'init_on_alloc=0' '0 to 4 GiB to 0')
	chart calls 'Changes of memslots while it grows by 4 GiB and shrinks' calls linear \
		"${vmms[@]}" -- "${rows[@]}"
}

# Of all kernels, one after another.
write_tables() {
	local format=$1 series

	awk -v format="$format" -v head=1 -f "$here/table.awk" "$docs/results.tsv"
	for series in "${drawn[@]}"; do
		awk -v format="$format" -v series="$series" -v peers=1 -f "$here/table.awk" \
			"$docs/results.tsv"
	done
}

write_json() {
	awk 'BEGIN { FS = "\t"; printf "[" }
	{
		printf "%s{\"name\":\"%s\",\"mode\":\"%s\",", (NR > 1 ? ",\n" : ""), $4, $5
		if ($6 != "-")
			printf "\"%s\":\"%s\",", ($6 ~ /^[24][km]$/ ? "page" : "of"), $6
		printf "\"kernel\":\"%s\",\"value\":%s,\"least\":%s,\"most\":%s,\"runs\":%s,", \
			$3, $8, $9, $10, $7
		printf "\"unit\":\"%s\",\"date\":\"%s\"}", $11, $12
	}
	END { print "]" }' "$docs/results.tsv"
}

draw() {
	mkdir -p "$LAB_BUILD/bench" "$LAB_BUILD/out"
	write_tables markdown >"$docs/figures.md"
	write_tables rst >"$docs/figures.rst"
	draw_charts
}
