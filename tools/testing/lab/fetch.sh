# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Fetches kernels by package name and unpacks them into the cache. Nothing is
# installed, and the machine's own package sources are left as they are: apt
# runs on a state of its own. A kernel that is in the cache needs no network.
#
#   <cache>/kernels/<series>/release   what uname -r will say
#                            version   the package's version
#                            root/     the unpacked packages
#                            source/   what the lab uses of the kernel's sources
#                            uapi/     user space's headers, for -I
#
# The series "debug" is built, by debug.sh, which says where it lies.

kernel_dir() {
	local name=$1

	[[ $name != debug ]] || name=$(debug_name)
	printf '%s/kernels/%s' "$LAB_CACHE" "$name"
}
kernel_release() { cat "$(kernel_dir "$1")/release"; }
kernel_headers() { printf '%s/root/usr/src/linux-headers-%s' "$(kernel_dir "$1")" "$(kernel_release "$1")"; }

# kernel_needs SERIES...: the compilers that built them, by which their headers have modules
# built; as install_missing has it. The debug kernel's is the machine's own.
kernel_needs() {
	local series

	for series in "$@"; do
		sed -n 's/^CONFIG_CC_VERSION_TEXT="\([^ ]*-\)\?\(gcc-[0-9]*\) .*/cmd:\2|\2|to build the module: Debian built its kernel with it/p' \
			"$(kernel_headers "$series")/.config"
	done | sort -u
}

# apt_lab TOOL ARGUMENT...: apt_state names the state, if it is not that for the stock
# kernels.
apt_lab() {
	local tool=$1 state=$LAB_CACHE/${apt_state-apt}

	shift
	# No package is installed in this state, so the newest always wins.
	"$tool" -o Dir::State="$state" -o Dir::State::lists="$state/lists" \
		-o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
		-o Dir::Etc::sourcelist="$state/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
		-o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64 \
		-o APT::Architectures=amd64 -o APT::Sandbox::User=root \
		-o APT::Default-Release= -o Acquire::Languages=none \
		-o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
		-o Acquire::Retries=3 "$@"
}

# The address of Debian's archive, and of its security archive, as this machine
# knows them. Other vendors call their suites like Debian's too; Debian's own
# archive is the one that also has the suite of stable updates, or is named so.
archive_address() {
	local suite=$1 targets uri

	# Without what apt has downloaded: a fresh machine may have no list yet.
	# shellcheck disable=SC2016 # apt's
	targets=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' 2>/dev/null) || targets=
	while read -r uri _; do
		if grep -qF "$uri $suite-updates main" <<<"$targets" ||
		   [[ $suite == */updates || $suite == *-security ]] ||
		   [[ $uri =~ /debian/?$ ]]; then
			printf '%s\n' "$uri"
			return
		fi
	done < <(awk -v suite="$suite" '$2 == suite && $3 == "main" && $1 !~ /^cdrom:/' <<<"$targets")
}

# write_sources SUITE...: what apt reads. There may be no archive of security updates.
write_sources() {
	local main suite address options='' keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	local state=$LAB_CACHE/${apt_state-apt}

	main=$(archive_address "$(codename)")
	[[ -n $main ]] || die_environment \
		"the package sources of this machine name no mirror of Debian $(codename)" \
		"Add its main archive in /etc/apt, then try again."
	[[ ! -r $keyring ]] || options=" [signed-by=$keyring]"
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$LAB_CACHE/log"
	: >"$state/status"
	for suite in "$@"; do
		address=$main
		[[ $suite != *-security ]] || address=$(archive_address "$suite")
		[[ -z $address ]] || printf 'deb%s %s %s main\n' "$options" "$address" "$suite"
	done >"$state/sources.list"
}

update_lists() {
	local log=$LAB_CACHE/log/fetch.log name

	name=$(codename)
	say lab "reading the package lists of Debian $name and its backports"
	write_sources "$name" "$name-security" "$name-backports"
	apt_lab apt-get -o APT::Update::Error-Mode=any update >"$log" 2>&1 && return
	# The backports of an old release move to another archive one day.
	say lab "no backports there; trying without"
	write_sources "$name" "$name-security"
	apt_lab apt-get -o APT::Update::Error-Mode=any update >>"$log" 2>&1 && return
	show_log "$log"
	die_environment "cannot read Debian's package lists" \
		"Is the network there? With a filled cache ($LAB_CACHE) the lab needs none."
}

# resolve SERIES: the packages to fetch, as name=version. A series is the
# release's own kernel, that of its backports, or a second one of the release.
resolve() {
	local series=$1 try found
	local -a common=(linux-libc-dev busybox-static)
	local -a tries=(
		"linux-image-amd64 linux-headers-amd64 linux-source"
		"-t $(codename)-backports linux-image-amd64 linux-headers-amd64 linux-source"
		"linux-image-$series-amd64 linux-headers-$series-amd64 linux-source-$series"
	)

	for try in "${tries[@]}"; do
		# shellcheck disable=SC2086 # options and packages
		found=$(apt_lab apt-get -s install --no-install-recommends $try "${common[@]}" \
			2>>"$LAB_CACHE/log/fetch.log" | awk '
			$1 == "Inst" && ($2 ~ /^linux-(image|headers|kbuild|source)-[0-9]/ ||
					 $2 == "linux-libc-dev" || $2 == "busybox-static") {
				sub(/^\(/, "", $3); print $2 "=" $3
			}') || found=
		# 6.1 must not find 6.12.
		if grep -qE "^linux-image-${series//./\\.}[.-]" <<<"$found"; then
			printf '%s\n' "$found"
			return
		fi
	done
	die_environment "Debian $(codename) has no kernel $series" \
		"Debian 12 has 6.1 as its own and 6.12 in its backports, Debian 13 has 6.12."
}

# download PACKAGE=VERSION...: into debs/, whole or not at all.
download() {
	local package version deb
	local debs=$LAB_CACHE/debs partial=$LAB_CACHE/debs/partial log=$LAB_CACHE/log/fetch.log

	rm -rf "$partial"
	mkdir -p "$partial"
	for package in "$@"; do
		version=${package#*=}
		deb=$(compgen -G "$debs/${package%%=*}_${version//:/%3a}_*.deb") || deb=
		[[ -z $deb ]] || continue
		say lab "fetching ${package%%=*} $version"
		if ! (cd "$partial" && apt_lab apt-get download "$package") >>"$log" 2>&1; then
			show_log "$log"
			die_environment "cannot fetch $package" \
				"Is the network there, and room in $LAB_CACHE?"
		fi
		mv "$partial"/*.deb "$debs"/
	done
}

# The headers' makefile includes /usr/src, where they are not installed.
relocate_headers() {
	local makefile=$1/Makefile

	# shellcheck disable=SC2016 # make's
	sed -i 's,^include /usr/src/,include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../,' "$makefile"
	! grep -q '^include /' "$makefile" ||
		die_environment "the headers' makefile is not as expected: $makefile"
}

unpack_source() {
	local tarball=$1 into=$2

	# checkpatch looks for names in include/.
	mkdir -p "$into/include"
	tar -C "$into" --strip-components=1 --wildcards --no-wildcards-match-slash -xJf "$tarball" \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' '*/scripts/const_structs.checkpatch' \
		'*/scripts/kernel-doc' '*/scripts/get_abi.pl' '*/Documentation/sphinx' '*/tools/include' '*/tools/lib' '*/tools/scripts' \
		'*/tools/arch/x86/include' '*/tools/testing/selftests/*.h' \
		'*/tools/testing/selftests/lib.mk' '*/tools/testing/selftests/kselftest'
}

unpack_uapi() {
	local root=$1 into=$2

	mkdir -p "$into"
	cp -rL "$root"/usr/include/{linux,asm-generic,x86_64-linux-gnu/asm} "$into"/
}

# fetch_kernel SERIES
fetch_kernel() {
	local series=$1 dir package release tmp
	local -a packages

	dir=$(kernel_dir "$series")
	mapfile -t packages < <(resolve "$series")
	# resolve has said why.
	[[ ${#packages[@]} -gt 0 ]] || exit "$LAB_EXIT_ENVIRONMENT"
	download "${packages[@]}"

	say lab "unpacking Linux $series"
	mkdir -p "$LAB_CACHE/kernels"
	tmp=$(mktemp -d "$LAB_CACHE/kernels/.$series.XXXXXX")
	for package in "${packages[@]}"; do
		dpkg -x "$(compgen -G "$LAB_CACHE/debs/${package%%=*}_*.deb" | tail -n 1)" "$tmp/root" ||
			die_environment "cannot unpack $package" "Is there room in $LAB_CACHE?"
	done
	# Newer packages know no other places than those in /usr.
	[[ -d $tmp/root/lib/modules ]] || ln -s usr/lib "$tmp/root/lib"
	[[ -d $tmp/root/bin ]] || ln -s usr/bin "$tmp/root/bin"
	release=$(basename "$tmp"/root/lib/modules/*)
	depmod -b "$tmp/root" "$release"
	relocate_headers "$tmp/root/usr/src/linux-headers-$release"
	unpack_source "$tmp"/root/usr/src/linux-source-*.tar.xz "$tmp/source"
	unpack_uapi "$tmp/root" "$tmp/uapi"
	rm -f "$tmp"/root/usr/src/linux-source-*
	for package in "${packages[@]}"; do
		[[ $package != linux-image-* ]] || printf '%s\n' "${package#*=}" >"$tmp/version"
	done
	printf '%s\n' "$release" >"$tmp/release"

	# Published by one rename: a kernel in the cache is a whole one.
	chmod 755 "$tmp"
	rm -rf "$dir"
	mv "$tmp" "$dir"
	for package in "${packages[@]}"; do
		rm -f "$LAB_CACHE/debs/${package%%=*}"_*.deb
	done
}

# fetch_kernels [--update] SERIES...
fetch_kernels() (
	update=
	if [[ ${1-} == --update ]]; then
		update=1
		shift
	fi
	missing=()
	for series in "$@"; do
		[[ -z $update && -e $(kernel_dir "$series")/release ]] || missing+=("$series")
	done
	[[ ${#missing[@]} -gt 0 ]] || exit 0

	is_debian || die_environment "Linux ${missing[*]} is not in the cache ($LAB_CACHE)" \
		"The lab fetches Debian's kernels with apt, and this is no Debian."
	[[ $(dpkg --print-architecture) == amd64 ]] || die_environment "the lab is for x86-64 machines"
	take_lock "$LAB_CACHE/lock" lab "the cache"
	rm -rf "$LAB_CACHE"/kernels/.[0-9]*
	[[ ${missing[*]} == debug ]] || update_lists
	for series in "${missing[@]}"; do
		# The one that held the lock may have fetched it.
		if [[ -n $update || ! -e $(kernel_dir "$series")/release ]]; then
			case $series in
			debug) fetch_debug_kernel ;;
			*) fetch_kernel "$series" ;;
			esac
		fi
		say lab "Linux $series is $(kernel_release "$series"), package version $(<"$(kernel_dir "$series")/version")"
	done
)
