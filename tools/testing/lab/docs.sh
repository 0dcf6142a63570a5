# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Builds Documentation/, for "make docs" and for check.

docs_needs() {
	cat <<-'END'
	cmd:sphinx-build|python3-sphinx|to build the documentation
	cmd:dot|graphviz|to draw its diagrams
	cmd:mandoc|mandoc|for the manual pages
	cmd:perl|perl|for the kernel's kernel-doc
	cmd:xz|xz-utils|to unpack the kernel's sources
	END
}

docs=$LAB_BUILD/docs

# fetch_sphinx: the kernel's extensions are among its sources in the cache, unless an older
# lab filled that.
fetch_sphinx() (
	source=$(kernel_dir 6.12)/source
	[[ ! -d $source/Documentation/sphinx ]] || exit 0
	take_lock "$LAB_CACHE/lock" lab "the cache"
	[[ ! -d $source/Documentation/sphinx ]] || exit 0
	update_lists
	package=$(resolve 6.12 | grep '^linux-source-')
	[[ -n $package ]] || exit "$LAB_EXIT_ENVIRONMENT"
	download "$package"
	tmp=$LAB_CACHE/kernels/.sphinx.$$
	trap 'rm -rf "$tmp"' EXIT
	mkdir -p "$tmp"
	dpkg -x "$(compgen -G "$LAB_CACHE/debs/${package%%=*}_*.deb" | tail -n 1)" "$tmp/root"
	unpack_source "$tmp"/root/usr/src/linux-source-*.tar.xz "$tmp/source"
	cp "$tmp/source/scripts/get_abi.pl" "$source/scripts/"
	# Last, as its being there says that all is.
	mv "$tmp/source/Documentation" "$source/"
	rm -f "$LAB_CACHE/debs/${package%%=*}"_*.deb
)

# What the kernel's extensions take for a kernel tree: our documents, our sources, and the
# kernel's scripts.
make_docs_tree() {
	local source tree=$docs/tree name

	source=$(kernel_dir 6.12)/source
	rm -rf "$tree"
	mkdir -p "$tree" "$docs/man"
	for name in Documentation include drivers tools; do
		ln -s "$LAB_ROOT/$name" "$tree/$name"
	done
	ln -s "$source/Documentation/sphinx" "$tree/sphinx"
	ln -s "$source/scripts" "$tree/scripts"
}

# Their references to each other are links.
make_man_pages() {
	local page

	rm -rf "$docs/man"
	mkdir -p "$docs/man"
	for page in "$LAB_ROOT"/Documentation/man/*.[1-8]; do
		mandoc -T html -O 'man=%N.%S.html' "$page" >"$docs/man/$(basename "$page").html" ||
			return
	done
}

# build_docs OPTION...: of sphinx-build. Fails if that, or kernel-doc, has anything to say.
build_docs() {
	local version said status=0

	make_docs_tree
	make_man_pages || return
	version=$(sed -n 's/^VERSION := //p' "$LAB_ROOT/tools/kvm-vmem/version.mk")
	said=$(srctree=$docs/tree KVM_VMEM_VERSION=$version KVM_VMEM_MAN=$docs/man \
		PYTHONDONTWRITEBYTECODE=1 sphinx-build -q -W --keep-going -n -b html \
		-d "$docs/doctrees" "$@" "$docs/tree/Documentation" "$docs/html" 2>&1) || status=$?
	[[ $status -ne 0 || -n $said ]] || return 0
	# Sphinx 5 goes through a document more than once, and kernel-doc with it.
	printf '%s\n' "${said:-exit status $status}" | awk '!seen[$0]++'
	return 1
}
