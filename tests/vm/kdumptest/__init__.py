# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine of the tests that crash real kernels.

    host      what the tests need from the machine they run on: commands, cache, one VM at a time
    kernels   distribution kernels: vmlinuz, modules, debugging symbols, headers
    cpio      writes an initramfs
    guest     the guest's root disk and its first initramfs
    product   this tree, built and installed below a directory
    qemu      the virtual machine: serial lines with deadlines, QMP
    stages    what a guest says on its serial port, and the story of one crash cycle
    report    verdicts for people and for scripts
"""
