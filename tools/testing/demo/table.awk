# SPDX-License-Identifier: GPL-2.0
#
# Makes a table of what measure printed on one kernel. With -v bars=1 it also says
# whether the module keeps its promises, and exits with status 1 if not. What the
# guest found has to be right in any case.

function field(member,    at, rest) {
	at = index($0, "\"" member "\":")
	rest = substr($0, at + length(member) + 3)
	sub(/^"/, "", rest)
	sub(/[",}].*/, "", rest)
	return rest
}

function size(number) {
	return number < 10240 ? sprintf("%d KiB", number) : sprintf("%.0f MiB", number / 1024)
}

function duration(number) { return sprintf(number < 100 ? "%.1f ms" : "%.0f ms", number) }

function bar(text, met) {
	printf "  %-62s %s\n", text, met ? "met" : "NOT MET"
	missed += !met
}

/^\{/ {
	key = field("config") "," field("mode")
	kib[key] = field("metadata_kib") + 0
	ms[key] = field("ready_ms") + 0
	kernel = field("kernel")
}
/^guest / { guest[$2 "," $3] = $4 " " $5 }

END {
	n = split("tdp tdp+smm shadow shadow+smm", configs, " ")
	name["tdp"] = "TDP MMU"
	name["tdp+smm"] = "TDP MMU, with SMM"
	name["shadow"] = "shadow paging"
	name["shadow+smm"] = "shadow paging, with SMM"

	printf "Linux %s: 1 TiB of virtio-mem, 1 GiB plugged\n\n", kernel
	printf "%-25s %21s   %21s   %s\n", "", "one memslot", "kvm-vmem", "one / kvm-vmem"
	printf "%-25s %10s %10s   %10s %10s   %8s %8s\n", "", "metadata", "ready in",
		"metadata", "ready in", "metadata", "time"
	less = 1; reached = 1
	for (i = 1; i <= n; i++) {
		s = configs[i] ",static"; g = configs[i] ",group"
		if (!kib[s] || !kib[g] || !ms[s] || !ms[g]) {
			printf "%-25s was not measured\n", name[configs[i]]
			less = 0; reached = 0
			continue
		}
		printf "%-25s %10s %10s   %10s %10s   %8.0f %8.0f\n", name[configs[i]],
			size(kib[s]), duration(ms[s]), size(kib[g]), duration(ms[g]),
			kib[s] / kib[g], ms[s] / ms[g]
		if (kib[g] * 900 > kib[s])
			less = 0
		if (guest[g] != "plugged=reached unplugged=mmio" ||
		    guest[s] != "plugged=reached unplugged=reached")
			reached = 0
	}
	printf "\nThe guest wrote to the first and last word of the plugged memory, and beyond it:\n"
	printf "  one memslot: %s\n", told("static")
	printf "  kvm-vmem:    %s\n\n", told("group")
	bar("the guest reaches plugged memory, and with kvm-vmem no other", reached)
	if (bars) {
		bar("metadata is at most 1/900, in all four configurations", less)
		bar("with the TDP MMU, ready at least 100 times sooner",
		    ms["tdp,group"] > 0 && ms["tdp,static"] >= 100 * ms["tdp,group"] &&
		    ms["tdp+smm,static"] >= 100 * ms["tdp+smm,group"])
	}
	exit missed > 0
}

# The same in all configurations, or what is not.
function told(mode,    config, same) {
	same = guest["tdp," mode]
	for (config in configs)
		if (guest[configs[config] "," mode] != same)
			return "not the same in all configurations"
	sub(/plugged=reached unplugged=/, "the host saw the plugged memory change; the rest is ", same)
	sub(/mmio$/, "out of reach (MMIO exit)", same)
	sub(/reached$/, "the guest's too, and took host memory", same)
	return same
}
