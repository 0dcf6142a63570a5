# SPDX-License-Identifier: GPL-2.0
#
#   awk -f chart.awk -- RESULTS COLUMN... -- ROW...
#
# Prints what gnuplot needs for a chart of bars in groups (draw.sh): for each row its label
# and for each column median, least and most; "-" is what was not measured. The first line
# has the columns' titles. A row of which nothing was measured is left out.

function split_at(text,    at) {
	at = match(text, /=[^=]*$/)
	left = substr(text, 1, at - 1)
	right = substr(text, at + 1)
}

function read_results(file,    line, part) {
	while ((getline line < file) > 0) {
		split(line, part, "\t")
		cell[part[1] "," part[4] "," part[5] "," part[6]] = part[8] "\t" part[9] "\t" part[10]
	}
	close(file)
}

function print_row(    i, key, text, found) {
	text = "\"" right "\""
	for (i = 1; i <= nb; i++) {
		key = left
		sub(/@/, value[i], key)
		text = text "\t" (key in cell ? cell[key] : "-\t-\t-")
		found += key in cell
	}
	if (found)
		print text
}

BEGIN {
	for (nth = 1; nth < ARGC; nth++) {
		split_at(ARGV[nth])
		if (nth == 1)
			read_results(ARGV[nth])
		else if (ARGV[nth] == "--") {
			in_rows = 1
			print titles
		} else if (in_rows)
			print_row()
		else {
			value[++nb] = left
			titles = titles (nb > 1 ? "\t" : "") right
		}
	}
}
