# SPDX-License-Identifier: GPL-2.0
#
# Reads a kernel's console from the mark "lab: scan begins" on, prints whatever
# the kernel complains of, with the lines around it and the test during which it
# did, and exits with status 1 if there is any. Before the mark the kernel is
# its vendor's affair.

# What there is no memory for is tried again, and the kernel says so.
function says_nothing_new(line) {
	return line ~ /Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF/
}

function complains(line) {
	return line ~ /WARNING:|BUG[: ]|Oops|general protection fault|stack segment:|divide error:|double fault/ ||
	       line ~ /cut here|Call Trace:|Kernel panic|KASAN|UBSAN|KCSAN|KMSAN|KFENCE|refcount_t:|list_(add|del) corruption/ ||
	       line ~ /possible (recursive|circular|irq lock inversion)|inconsistent lock state|suspicious RCU|bad unlock balance|held lock freed/ ||
	       line ~ /lock held when returning|locks still held|DEBUG_LOCKS_WARN|MAX_LOCK|turning off the locking/ ||
	       line ~ /sleeping function called|scheduling while atomic|blocked for more than|soft lockup|hard LOCKUP|detected stalls|self-detected stall/ ||
	       line ~ /suspected memory leaks|unreferenced object|ODEBUG:|Bad page|Bad rss-counter|non-zero pgtables_bytes|page allocation failure|Object .* (overwritten|freed)/ ||
	       line ~ /Out of memory: |still in use|leaked|invalid opcode: |unable to handle|stack-protector|workqueue: .* (flushing|deprecated workqueue)/
}

{ sub(/\r$/, "") }
/lab: scan begins/ { scanning = 1; next }
/lab: scan ends/ { if (scanning) ended = 1; scanning = 0; next }
!scanning { next }
/lab: begins / { test = $NF; left = 0; next }
/lab: ends / { test = ""; left = 0; next }

complains($0) && !says_nothing_new($0) {
	if (!left) {
		printf "%s:\n", test == "" ? "between the tests" : "during " test
		for (i = 1; i <= 3; i++)
			if (before[i] != "")
				print "  " before[i]
	}
	found = 1
	left = 40
}
left { print "  " $0; left-- }
{ before[1] = before[2]; before[2] = before[3]; before[3] = $0 }

END {
	if (!scanning && !ended) {
		print "the console has no mark of where to begin"
		found = 1
	}
	exit found
}
