# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests need from the machine they run on."""
import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("KDUMP_TEST_CACHE") or "~/.cache/kdump-tests").expanduser()
LOCK = os.environ.get("KDUMP_TEST_LOCK", "/tmp/qemu.lock")
# A loaded or slow machine may stretch every deadline.
PATIENCE = float(os.environ.get("KDUMP_TEST_PATIENCE", "1"))


class Failure(Exception):
    """A test, or what it needs, failed; the text is for the user."""


def say(text):
    """Progress, apart from the results on standard output."""
    print(text, file=sys.stderr, flush=True)


def run(*argv, **options):
    """Run a command; its standard output, or a Failure with the end of what it said."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, check=False, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, **options)
    except FileNotFoundError as error:
        raise Failure(f"{words[0]}: {error.strerror}; is it installed?") from error
    if done.returncode != 0:
        last = "\n".join(done.stdout.splitlines()[-15:])
        raise Failure(f"{' '.join(words)}: exit code {done.returncode}\n{last}")
    return done.stdout


def need(program, package):
    """The path of @program, or a Failure that names the package to install."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Failure(f"{program} is missing: apt-get install {package}")
    return path


def digest(*parts):
    """A short name for a combination of inputs; a Path stands for its content."""
    hashed = hashlib.sha256()
    for part in parts:
        hashed.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
        hashed.update(b"\0")
    return hashed.hexdigest()[:16]


def stamp(path):
    """Identifies a big file without reading it."""
    status = os.stat(path)
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"


def parse_size(text):
    """Bytes of "512", "64K", "128M", "2G"."""
    scale = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper())
    return int(text[:-1]) << scale if scale else int(text)


@contextmanager
def locked(path):
    """Hold an exclusive flock on @path."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch():
    """A directory for large files that is gone afterwards."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".run.", dir=CACHE) as place:
        yield Path(place)


@contextmanager
def being_made(path):
    """A place for building @path that becomes @path when the block succeeds: caches are whole or absent. Of two programs
    that make the same at a time, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        try:
            os.replace(draft, path)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)
