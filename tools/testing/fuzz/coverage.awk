# SPDX-License-Identifier: GPL-2.0
#
# How many of the places where KCOV counts were reached, function by function.
#
#   awk -f coverage.awk NAMES REACHED DISASSEMBLY
#
# NAMES has the functions of interest, REACHED the places as offsets in the module's text,
# 0x..., DISASSEMBLY is that text by objdump -dr. A place is where KCOV's function returns
# to. Prints "reached of all function" for each, and last the sum.

FILENAME == ARGV[1] { wanted[$NF] = 1; next }
FILENAME == ARGV[2] { reached[$1] = 1; next }

/^[0-9a-f]+ <.*>:$/ {
	name = $2
	gsub(/[<>:]/, "", name)
	next
}
/__sanitizer_cov_trace_pc/ { called = 1; next }
called && /^ *[0-9a-f]+:\t/ {
	called = 0
	if (!(name in wanted))
		next
	place = $1
	sub(/:$/, "", place)
	if (!(name in all))
		order[++nb] = name
	all[name]++
	if (("0x" place) in reached)
		hit[name]++
}

END {
	for (i = 1; i <= nb; i++) {
		name = order[i]
		printf "%d of %d %s\n", hit[name], all[name], name
		sum_hit += hit[name]
		sum += all[name]
	}
	printf "%d of %d\n", sum_hit, sum
}
