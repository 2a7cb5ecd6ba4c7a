# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels for machines with Secure Boot, whose firmware trusts Debian's test key (package ovmf) and no other."""
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from . import host

KEYS = Path("/usr/share/ovmf")


def unsigned(kernel, target):
    """Put @kernel without any signature at @target."""
    host.need("sbattach", "sbsigntool")
    shutil.copy(kernel.vmlinuz, target)
    host.run("sbattach", "--remove", target)


def signed(kernel):
    """@kernel, signed with the test key instead of the distribution's; kept beside it."""
    host.need("sbsign", "sbsigntool")
    path = kernel.vmlinuz.with_name(kernel.vmlinuz.name + ".signed")
    if not path.exists():
        with tempfile.TemporaryDirectory(prefix="kdump-sign.") as scratch, host.being_made(path) as draft:
            key, plain = Path(scratch, "key"), Path(scratch, "plain")
            host.run("openssl", "rsa", "-in", KEYS / "PkKek-1-snakeoil.key", "-passin", "pass:snakeoil", "-out", key)
            unsigned(kernel, plain)
            host.run("sbsign", "--key", key, "--cert", KEYS / "PkKek-1-snakeoil.pem", "--output", draft, plain)
    return replace(kernel, vmlinuz=path)
