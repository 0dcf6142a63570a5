# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Fetches programs that checks need and a machine should not have installed for that, as
# a server or a compiler comes with them: unpacked into the cache, each in one directory
# with its libraries, so that emulated hosts can run it as well.
#
#   <cache>/programs/<package>/version   the package's version
#                              root/     the program and all that it is linked to

program_dir() { printf '%s/programs/%s/root' "$LAB_CACHE" "$1"; }

# program_packages PACKAGE PATH: and its libraries, as name=version. A newer release may have
# the program in a package of its own, which PACKAGE depends on.
program_packages() {
	apt_lab apt-get -s install --no-install-recommends "$1" 2>>"$LAB_CACHE/log/fetch.log" |
		awk -v package="$1" -v program="${2##*/}" '
		$1 == "Inst" && ($2 == package || $2 == program || $2 ~ /^(lib|zlib1g)/) {
			sub(/^\(/, "", $3); print $2 "=" $3
		}'
}

# unpack_program PATH INTO: the packages are in debs/.
unpack_program() {
	local into=$2 all=$2/all deb

	mkdir -p "$into/root" "$all" || return
	for deb in "$into"/debs/*.deb; do
		dpkg -x "$deb" "$all" || return
	done
	copy_with_libraries "$all/$1" "$all" "$into/root" || return
	rm -rf "$all" "$into/debs"
}

# fetch_program PACKAGE PATH: PATH in the package, as bin/promtool. Fails, and says why,
# if it cannot be had.
fetch_program() (
	package=$1 path=$2
	log=$LAB_CACHE/log/$package.log
	dir=$LAB_CACHE/programs/$package
	[[ ! -e $dir/version ]] || exit 0

	is_debian || die_environment "$package is fetched with apt, and this is no Debian"
	take_lock "$LAB_CACHE/lock" lab "the cache"
	[[ ! -e $dir/version ]] || exit 0
	update_lists
	mapfile -t packages < <(program_packages "$package" "$path")
	version=$(printf '%s\n' "${packages[@]}" | sed -n "s/^$package=//p")
	[[ -n $version ]] || die_environment "Debian $(codename) has no $package"

	say lab "fetching $package $version, in ${#packages[@]} packages"
	rm -rf "$LAB_CACHE"/programs/."$package".*
	tmp=$LAB_CACHE/programs/.$package.$$
	trap 'rm -rf "$tmp"' EXIT
	if ! { mkdir -p "$tmp/debs" && cd "$tmp/debs" && apt_lab apt-get download "${packages[@]}" &&
	       unpack_program "$path" "$tmp" && printf '%s\n' "$version" >"$tmp/version" &&
	       mv "$tmp" "$dir"; } >"$log" 2>&1; then
		show_log "$log"
		die_environment "$package $version cannot be fetched or unpacked" \
			"Is the network there, and room in $LAB_CACHE?"
	fi
)
