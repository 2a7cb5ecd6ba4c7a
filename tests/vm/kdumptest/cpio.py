# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes newc cpio archives, what the kernel unpacks as initramfs (Documentation/driver-api/early-userspace)."""
import os
import stat


class Archive:
    """An archive being written to @out; whole only after close(). Archives may follow one another in one file."""

    def __init__(self, out):
        self._out = out
        self._inode = 0
        self._folders = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        """One member; the folders above it are added as needed."""
        name = name.strip("/")
        self._add_folders(os.path.dirname(name))
        self._member(name, mode, data, device)

    def add_file(self, name, path, mode=None):
        """A copy of a file of the host, by default with its permissions."""
        with open(path, "rb") as source:
            permissions = stat.S_IMODE(os.fstat(source.fileno()).st_mode) if mode is None else mode
            self.add(name, stat.S_IFREG | permissions, source.read())

    def add_link(self, name, target):
        """A symbolic link."""
        self.add(name, stat.S_IFLNK | 0o777, target.encode())

    def add_tree(self, name, path):
        """Everything below a directory of the host, at @name; owned by root."""
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            inside = f"{name}/{entry.name}"
            if entry.is_symlink():
                self.add_link(inside, os.readlink(entry.path))
            elif entry.is_dir():
                self._add_folders(inside.strip("/"))
                self.add_tree(inside, entry.path)
            else:
                self.add_file(inside, entry.path)

    def close(self):
        """End the archive, padded so that another may follow."""
        self._member("TRAILER!!!", 0, b"", (0, 0))
        self._out.write(bytes(-self._out.tell() % 512))

    def _add_folders(self, name):
        if name and name not in self._folders:
            self._add_folders(os.path.dirname(name))
            self._folders.add(name)
            self._member(name, stat.S_IFDIR | 0o755, b"", (0, 0))

    def _member(self, name, mode, data, device):
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        self._out.write(head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4))
