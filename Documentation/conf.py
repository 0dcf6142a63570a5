# SPDX-License-Identifier: GPL-2.0
"""Configuration of Sphinx. "make docs" runs it, with the kernel's own extensions.

In a kernel tree the kernel's configuration takes its place: the documents use nothing
that it does not have.
"""
# pylint: disable=invalid-name # the names are Sphinx'
import os
import sys

# The kernel's extensions look for the tree here; "make docs" makes one of this
# repository and of the kernel's scripts.
srctree = os.environ["srctree"]
sys.path.insert(0, os.path.join(srctree, "sphinx"))

project = "kvm-vmem"
version = release = os.environ["KVM_VMEM_VERSION"]
# There is no copyright line: each file has its own.
html_show_copyright = False

extensions = [
    "kerneldoc",
    "kernel_abi",
    "kfigure",
    "automarkup",
]
kerneldoc_bin = os.path.join(srctree, "scripts/kernel-doc")
kerneldoc_srctree = srctree

# What kernel-doc makes of the structures: types that are not documented here.
nitpick_ignore = [
    ("c:identifier", name) for name in ("__u16", "__s32", "__u32", "__aligned_u64")
]

exclude_patterns = ["ABI", "man"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Memory hotplug for KVM's virtual machines, done by the host's kernel",
    "page_width": "1100px",
    "sidebar_width": "260px",
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
html_extra_path = [os.environ["KVM_VMEM_MAN"]]
html_copy_source = False
smartquotes = False
