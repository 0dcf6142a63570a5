# SPDX-License-Identifier: GPL-2.0
# The version of what is installed: the module for DKMS, the library, the tools.
VERSION := 0.1.0
