# SPDX-License-Identifier: GPL-2.0
#
# Reads uncovered.txt, then lines of "file, line number, count, function" in order, and
# prints how many lines of each file were run, and which were not. Fails if less than 95 %
# were, if one that was not is not named in uncovered.txt, or one that is named there was:
# unless its reason begins with "sometimes".

BEGIN {
	FS = "\t"
	# selftest has its own.
	if (!least)
		least = 95
	split("", reasons)
}

# A reason, and the lines that it is for: file, function, text.
FNR == NR {
	if (/^\[.*\]$/) {
		reason = substr($0, 2, length($0) - 2)
	} else if (/^[^#]/) {
		split($0, words, " ")
		text = $0
		sub(/^[^ ]+ [^ ]+ /, "", text)
		reasons[words[1], words[2], text] = reason
		named++
	}
	next
}

function text_of(of, at,	path, nr, read) {
	path = sources "/" of
	if (!(of in is_read)) {
		while ((getline read < path) > 0) {
			gsub(/[ \t]+/, " ", read)
			sub(/^ /, "", read)
			texts[of, ++nr] = read
		}
		close(path)
		is_read[of] = 1
	}
	return texts[of, at]
}

# The same line in several objects.
$1 == file && $2 == number {
	count += $3
	next
}

{ end_line(); file = $1; number = $2; count = $3; fn = $4 }

function end_line(	has) {
	if (!file)
		return
	if (!(file in lines))
		files[++nr_files] = file
	lines[file]++
	covered[file] += count > 0
	has = text_of(file, number)
	why = (file, fn, has) in reasons ? reasons[file, fn, has] : "NOT NAMED"
	if (!count || why ~ /^sometimes/)
		is_met[file, fn, has] = 1
	if (count)
		return
	nr_bad += why == "NOT NAMED"
	missing[++nr_missing] = sprintf("  %s:%d %s: %s  [%s]", file, number, fn, has, why)
}

function row(name, nr, of) {
	printf "%-16s %6d %8d %7.1f %%\n", name, of, nr, of ? 100 * nr / of : 0
}

END {
	end_line()
	printf "%-16s %6s %8s\n", "", "lines", "covered"
	for (i = 1; i <= nr_files; i++) {
		row(files[i], covered[files[i]], lines[files[i]])
		all += lines[files[i]]
		sum += covered[files[i]]
	}
	row("all", sum, all)
	if (nr_missing)
		print "\nnot covered:"
	for (i = 1; i <= nr_missing; i++)
		print missing[i]
	for (key in reasons) {
		if (key in is_met)
			continue
		split(key, words, SUBSEP)
		if (!nr_stale++)
			print "\nnamed in uncovered.txt, but covered, or gone:"
		print "  " words[1] " " words[2] " " words[3]
	}
	if (!all || 100 * sum < least * all)
		print "\nless than " least " % are covered"
	exit !all || 100 * sum < least * all || nr_bad || nr_stale
}
