# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# map: the picture, and what it is made of.

# bits HEX...: the bitmap, a byte each.
bits() {
	printf '%b' "$(printf '\\x%s' "$@")" >"$sysfs/vmem0/plugged_blocks"
}

# Blocks of 2 MiB at 4 GiB.
test_map_draws_a_sign_for_each_of_a_few_blocks() {
	vmem vmem0 label=web region_size=$((20 << 21))
	bits 03 80 09
	expect 0 map web
	[[ $out == 'vmem0 (web): 10M of 40M plugged, in blocks of 2M; each sign is 2M
0x000100000000 ##.............##..#
# plugged  + partly  . unplugged' ]] || fail "$out"
}

# 1 TiB, that is 64 KiB of bits, in 16 rows of 64 signs of 1 GiB.
test_map_of_a_large_region_fits() {
	vmem vmem0
	truncate -s 65536 "$sysfs/vmem0/plugged_blocks"
	# All of the first GiB, a block of the third, and the last block of all.
	head -c 64 /dev/zero | tr '\0' '\377' | dd of="$sysfs/vmem0/plugged_blocks" conv=notrunc status=none
	printf '\1' | dd of="$sysfs/vmem0/plugged_blocks" bs=1 seek=130 conv=notrunc status=none
	printf '\200' | dd of="$sysfs/vmem0/plugged_blocks" bs=1 seek=65535 conv=notrunc status=none
	expect 0 map vmem0
	[[ $(wc -l <<<"$out") -eq 18 ]]
	has "$out" '1.00G of 1T plugged' 'each sign is 1G' $'\n0x000100000000 #.+....' $'\n0x00f100000000 ..'
	[[ $(sed -n 17p <<<"$out") =~ ^0x00f100000000\ \.{63}\+$ ]] || fail "$out"
	expect 0 map vmem0 --json
	json 'del(.plugged) == {"name": "vmem0", "label": "", "addr": 4294967296,
		"region_size": 1099511627776, "block_size": 2097152, "size": 1077936128}'
	json '.plugged == [{"offset": 0, "size": 1073741824}, {"offset": 2181038080, "size": 2097152},
		{"offset": 1099509530624, "size": 2097152}]'
}

test_map_of_all_and_nothing() {
	vmem vmem0 region_size=$((12 << 21))
	bits 00 00
	expect 0 map vmem0 --json
	json '.plugged == [] and .size == 0'
	bits ff 0f
	expect 0 map vmem0
	has "$out" '24M of 24M plugged' ' ############'$'\n'
	expect 0 map vmem0 --json
	json '.plugged == [{"offset": 0, "size": 25165824}]'
}

# Several blocks in a sign; the last one is not of as many.
test_the_last_sign_may_be_of_fewer_blocks() {
	vmem vmem0 region_size=$(((4080 + 3) << 21))
	truncate -s 511 "$sysfs/vmem0/plugged_blocks"
	printf '\7' | dd of="$sysfs/vmem0/plugged_blocks" bs=1 seek=510 conv=notrunc status=none
	expect 0 map vmem0
	has "$out" 'each sign is 8M'
	[[ $(tail -n 2 <<<"$out" | head -n 1) == *.# ]] || fail "$out"
	printf '\3' | dd of="$sysfs/vmem0/plugged_blocks" bs=1 seek=510 conv=notrunc status=none
	expect 0 map vmem0
	[[ $(tail -n 2 <<<"$out" | head -n 1) == *.+ ]] || fail "$out"
}

test_map_is_as_wide_as_the_terminal() {
	local columns cells lines

	vmem vmem0
	truncate -s 65536 "$sysfs/vmem0/plugged_blocks"
	while read -r columns cells; do
		lines=$(terminal "$columns" 24 "$vmemctl --sysfs $sysfs map vmem0" </dev/null | sed '1d;$d')
		[[ $(wc -l <<<"$lines") -le 16 ]] || fail "$columns: $lines"
		[[ $(awk '{ print length($NF); exit }' <<<"$lines") -eq $cells ]] || fail "$columns: $lines"
	done <<-'END'
		300 256
		143 128
		142 64
		80 64
		79 64
		78 32
		31 16
		29 16
		5 4
		1 1
	END
}

test_map_uses_the_signs_that_the_locale_has() {
	vmem vmem0 region_size=$((16 << 21))
	truncate -s 2 "$sysfs/vmem0/plugged_blocks"
	bits 01 00
	LC_ALL=C.UTF-8 expect 0 map vmem0
	has "$out" '█···············' '█ plugged  ▒ partly  · unplugged'
	LC_ALL=C expect 0 map vmem0
	has "$out" '#...............'
	LC_ALL=no_SUCH.UTF-8 expect 0 map vmem0
	has "$out" '#...............'
}

test_a_map_that_is_not_there_or_too_short_is_an_error() {
	vmem vmem0
	expect 1 map vmem0
	has "$err" 'no file plugged_blocks'
	bits 00
	expect 1 map vmem0
	has "$err" 'vmem0/plugged_blocks has less'
	expect 1 map vmem0 --json
	[[ -z $out ]]
}
