# SPDX-License-Identifier: GPL-2.0
#
# A chart of bars in groups, with the least and the most as a line. Given: data, a file of
# chart.awk's; name, of the SVG file; heading; unit; scale, log or linear.

set terminal svg size 960,420 font "sans-serif,13" background rgb "white"
set output name
set title heading
set datafile separator "\t"
set datafile missing "-"
set style data histograms
set style histogram errorbars gap 2 lw 1
set style fill solid 0.9 border rgb "#444444"
set boxwidth 0.9
set grid ytics lc rgb "#dddddd"
set border 3
set tics nomirror
set bmargin 6
set key bmargin center horizontal noenhanced
set xtics noenhanced
if (scale eq "log") {
	set logscale y
	set yrange [1:*]
} else {
	set yrange [0:*]
}
times = 1
if (unit eq "KiB") {
	times = 1024
	set yrange [1024:*]
	set ytics ("1 KiB" 2**10, "32 KiB" 2**15, "1 MiB" 2**20, "32 MiB" 2**25, \
		"1 GiB" 2**30, "32 GiB" 2**35)
} else {
	set ylabel unit
}
# A label's second line is behind a bar.
second(label) = strstrt(label, "|")
label(text) = second(text) ? text[1:second(text) - 1] . "\n" . text[second(text) + 1:*] : text
# One memslot, QEMU, the module, the rest.
array colour[6] = ["#b2182b", "#ef8a62", "#2166ac", "#92c5de", "#777777", "#cccccc"]
colour_of(i, title) = strstrt(title, "kvm-vmem") ? colour[3] : colour[i]
title_of(i) = system("head -n 1 " . data . " | cut -f " . i)
columns = words(system("head -n 1 " . data . " | tr ' \t' '_ '"))
plot for [i = 1:columns] data skip 1 using (times * column(3 * i - 1)): \
	(times * column(3 * i)):(times * column(3 * i + 1)):xtic(label(strcol(1))) \
	title title_of(i) lc rgb colour_of(i, title_of(i))
