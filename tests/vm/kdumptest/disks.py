# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's disks hold below its file systems: which blocks differ between two images, and whose blocks these are."""
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field

from . import host

SECTOR, BLOCK, CHUNK = 512, 4096, 1 << 20
SECTORS = BLOCK // SECTOR


def changed(before, after, size=BLOCK):
    """The numbers of the blocks of @size bytes that differ between two images, in order."""
    found = []
    with open(before, "rb") as old, open(after, "rb") as new:
        for start in _chunks(old, new):
            one, two = _read(old, start, CHUNK), _read(new, start, CHUNK)
            if one != two:
                found += [(start + at) // size for at in range(0, CHUNK, size)
                          if one[at:at + size] != two[at:at + size]]
    return found


def _chunks(*files):
    """Where a CHUNK starts that has data in one of @files; the rest are holes in all of them."""
    found = set()
    for file in files:
        end = os.fstat(file.fileno()).st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # nothing but a hole is left
                break
            hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            found.update(range(at // CHUNK * CHUNK, hole, CHUNK))
            at = hole
    return sorted(found)


def _read(file, offset, size):
    return os.pread(file.fileno(), size, offset).ljust(size, b"\0")


def _is_hole(file, offset, size):
    try:
        return os.lseek(file.fileno(), offset, os.SEEK_DATA) >= offset + size
    except OSError:  # nothing but a hole is left
        return True


@dataclass
class Piece:
    """@length sectors of a volume, which lie at each of @legs: (name of a disk, sector)."""
    length: int
    legs: list


@dataclass
class Layout:
    """Where a volume lies. @pieces: in the volume's order; None if only the kernel knows. @own: the areas (disk, sector,
    sectors) that the volume's drivers may write beside, their superblocks, logs and maps. @plain: what the pieces have
    is what the volume has, not something enciphered. @parity: groups of Layouts that are zero when added up."""
    pieces: list | None
    own: list = field(default_factory=list)
    plain: bool = True
    parity: list = field(default_factory=list)

    def areas(self):
        """All that may be written for this volume: (disk, sector, sectors)."""
        return self.own + [(disk, start, piece.length) for piece in self.pieces or () for disk, start in piece.legs]

    def extract(self, images, path):
        """Put the volume together from the first legs; @images: name of a disk -> file."""
        with open(path, "wb") as out:
            at = 0
            for piece in self.pieces:
                disk, start = piece.legs[0]
                with open(images[disk], "rb") as image:
                    for done in range(0, piece.length, CHUNK // SECTOR):
                        size = min(CHUNK // SECTOR, piece.length - done) * SECTOR
                        if _is_hole(image, (start + done) * SECTOR, size):
                            continue
                        data = _read(image, (start + done) * SECTOR, size)
                        if data.strip(b"\0"):
                            os.pwrite(out.fileno(), data, at + done * SECTOR)
                at += piece.length * SECTOR
            out.truncate(at)

    def unequal(self, images):
        """Sectors of the volume, in steps of a CHUNK, whose legs differ."""
        found, at = [], 0
        for piece in self.pieces or ():
            for done in range(0, piece.length if len(piece.legs) > 1 else 0, CHUNK // SECTOR):
                size = min(CHUNK // SECTOR, piece.length - done) * SECTOR
                contents = set()
                for disk, start in piece.legs:
                    with open(images[disk], "rb") as image:
                        contents.add(_read(image, (start + done) * SECTOR, size))
                if len(contents) > 1:
                    found.append(at + done)
            at += piece.length
        return found

    def odd(self, images):
        """Sectors of a RAID's members, in steps of a CHUNK, whose parity is not that of the others."""
        return [start for group in self.parity
                for start in range(0, min(_length(member) for member in group), CHUNK // SECTOR)
                if _sum(group, start, images)]


def _length(layout):
    return sum(piece.length for piece in layout.pieces)


def _sum(members, start, images):
    """A CHUNK of all of @members, added up as RAID 4 and 5 do."""
    total = 0
    size = min(CHUNK // SECTOR, min(_length(member) for member in members) - start)
    for member in members:
        data = b""
        while len(data) < size * SECTOR:
            disk, sector, length = _place(member.pieces, start + len(data) // SECTOR)
            length = min(length, size - len(data) // SECTOR)
            with open(images[disk], "rb") as image:
                data += _read(image, sector * SECTOR, length * SECTOR)
        total ^= int.from_bytes(data, "little")
    return total


def _place(pieces, sector):
    """Where a sector of the pieces lies in their first legs, and how many more do behind it: (disk, sector, sectors)."""
    for piece in pieces:
        if sector < piece.length:
            return piece.legs[0][0], piece.legs[0][1] + sector, piece.length - sector
        sector -= piece.length
    raise IndexError(sector)


class Devices:
    """The block devices of a guest, as it reports them: number -> words.

    disk NAME SECTORS / part NUMBER START SECTORS / md LEVEL SECTORS NUMBER OFFSET SECTORS… / dm ROW, once for each row of
    the table (dmsetup table without the name)."""

    def __init__(self):
        self._words = {}

    def note(self, number, text):
        """The guest has reported a device, or one more row of it."""
        self._words.setdefault(number, []).append(text.split())

    def layout(self, number):
        """The Layout of the device @number."""
        rows = self._words.get(number)
        if not rows:
            raise host.Failure(f"the guest did not say what the device {number} is made of")
        kind = rows[0][0]
        if kind == "disk":
            return Layout([Piece(int(rows[0][2]), [(rows[0][1], 0)])])
        if kind == "part":
            return self._cut(rows[0][1], int(rows[0][2]), int(rows[0][3]))
        if kind == "md":
            return self._md(rows[0])
        return _joined([_TARGETS[row[3]](self, int(row[2]), row[4:]) if row[3] in _TARGETS
                        else _unknown(row[3]) for row in rows])

    def _cut(self, number, start, length):
        """@length sectors of another device from @start on."""
        whole = self.layout(number)
        if whole.pieces is None:
            return whole
        pieces, at = [], 0
        for piece in whole.pieces:
            first, last = max(at, start), min(at + piece.length, start + length)
            if first < last:
                pieces.append(Piece(last - first, [(disk, sector + first - at) for disk, sector in piece.legs]))
            at += piece.length
        return Layout(pieces, whole.own, whole.plain)

    def _all_of(self, number):
        """The whole of another device, as a place that is written in ways that only the kernel knows."""
        return self.layout(number).areas()

    def _md(self, words):
        level, length, members = words[1], int(words[2]), words[3:]
        own, legs = [], []
        for number, offset, size in zip(members[::3], members[1::3], members[2::3]):
            data = self._cut(number, int(offset), length if level == "raid1" else int(size))
            legs.append(data)
            # The superblock and the bitmap lie before or behind the data.
            end = int(offset) + data.pieces[0].length
            own += self._cut(number, 0, int(offset)).areas() + self._cut(number, end, 1 << 40).areas()
        if level == "raid1":
            return _mirrored(legs, own)
        return _redundant(level, legs, own)

    def _linear(self, length, words):
        return self._cut(words[0], int(words[1]), length)

    def _striped(self, length, words):
        count, chunk = int(words[0]), int(words[1])
        stripes = [self._cut(words[2 + 2 * n], int(words[3 + 2 * n]), length // count) for n in range(count)]
        pieces = []
        for number in range(length // chunk):
            disk, start = stripes[number % count].pieces[0].legs[0]
            pieces.append(Piece(chunk, [(disk, start + number // count * chunk)]))
        return Layout(pieces)

    def _raid(self, length, words):
        members = words[2 + int(words[1]):][1:]
        own = [area for number in members[::2] if number != "-" for area in self._all_of(number)]
        data = [number for number in members[1::2] if number != "-"]
        if words[0] == "raid1":
            return _mirrored([self._cut(number, 0, length) for number in data], own)
        return _redundant(words[0], [self.layout(number) for number in data], own)

    def _mirror(self, length, words):
        logs = words[2:2 + int(words[1])]
        own = self._all_of(logs[0]) if words[0] == "disk" else []
        members = words[2 + int(words[1]):]
        legs = [self._cut(members[1 + 2 * n], int(members[2 + 2 * n]), length) for n in range(int(members[0]))]
        return _mirrored(legs, own)

    def _crypt(self, length, words):
        lower = self._cut(words[3], int(words[4]), length)
        return Layout(lower.pieces, lower.own, False, lower.parity)

    def _origin(self, length, words):
        return self._cut(words[0], 0, length)

    def _cow(self, _length, words):
        """An LVM snapshot: of itself it has the COW device; what it shows of the origin is the origin's."""
        return Layout(None, self._all_of(words[1]))

    def _thin(self, _length, words):
        pool = self._words[words[0]][0][4:]
        return Layout(None, self._all_of(pool[0]) + self._all_of(pool[1]))

    def _cache(self, _length, words):
        return Layout(None, [area for number in words[:3] for area in self._all_of(number)])

    def _writecache(self, _length, words):
        return Layout(None, self._all_of(words[1]) + self._all_of(words[2]))

    def _multipath(self, length, words):
        """All its paths lead to one disk, which bears the name of the first."""
        return self._cut(min(word for word in words if re.fullmatch(r"\d+:\d+", word)), 0, length)

    def _integrity(self, _length, words):
        return Layout(None, self._all_of(words[0]))


_TARGETS = {"linear": Devices._linear, "striped": Devices._striped, "raid": Devices._raid, "mirror": Devices._mirror,
            "crypt": Devices._crypt, "snapshot-origin": Devices._origin, "snapshot": Devices._cow,
            "thin": Devices._thin, "cache": Devices._cache, "writecache": Devices._writecache,
            "multipath": Devices._multipath, "integrity": Devices._integrity}


def _unknown(kind):
    raise host.Failure(f"a volume of type {kind}: tests/vm/kdumptest/disks.py does not know where it writes")


def _joined(layouts):
    parity = [group for layout in layouts for group in layout.parity]
    if any(layout.pieces is None for layout in layouts):
        return Layout(None, [area for layout in layouts for area in layout.areas()], parity=parity)
    return Layout([piece for layout in layouts for piece in layout.pieces],
                  [area for layout in layouts for area in layout.own], all(layout.plain for layout in layouts))


def _redundant(level, members, own):
    """A RAID of another level than 1: where its sectors lie is md's business."""
    return Layout(None, own + [area for member in members for area in member.areas()],
                  parity=[members] if level.startswith(("raid4", "raid5")) else [])


def _mirrored(legs, own):
    """Devices with the same content as one: each piece has the legs of all of them. They may be cut differently."""
    own = own + [area for leg in legs for area in leg.own]
    cuts = set()
    for leg in legs:
        at = 0
        for piece in leg.pieces:
            cuts |= {at, at + piece.length}
            at += piece.length
    pieces = []
    for start, end in zip(sorted(cuts), sorted(cuts)[1:]):
        pieces.append(Piece(end - start, [place for leg in legs for place in _places(leg.pieces, start)]))
    return Layout(pieces, own, all(leg.plain for leg in legs))


def _places(pieces, sector):
    at = 0
    for piece in pieces:
        if at <= sector < at + piece.length:
            return [(disk, start + sector - at) for disk, start in piece.legs]
        at += piece.length
    return []


def outside(blocks, disk, areas):
    """Those of @blocks of the disk @disk that reach into none of @areas."""
    mine = sorted((start, start + length) for name, start, length in areas if name == disk)
    return [block for block in blocks
            if not any(start < (block + 1) * SECTORS and block * SECTORS < end for start, end in mine)]


_GROUP_RANGE = re.compile(r"(?:superblock|Group descriptors?|Reserved GDT blocks|[Bb]lock bitmap|[Ii]node bitmap|"
                          r"Inode table) at (\d+)(?:-(\d+))?")


def strangers_of_ext4(before, after, allowed):
    """Blocks of an ext file system (two images of it) that have changed though they were, or are now, of a file whose
    name does not match @allowed: {owner: count}. Its own metadata, and what was free and is free again, may change.
    Both are brought to where their journals lead."""
    for image in before, after:
        subprocess.run([host.need("e2fsck", "e2fsprogs"), "-E", "journal_only", "-y", str(image)], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(after, "rb") as image:
        size = 1024 << int.from_bytes(_read(image, 1024 + 24, 4), "little")
    own = [(int(match[1]), int(match[2] or match[1])) for match in
           _GROUP_RANGE.finditer(host.run(host.need("dumpe2fs", "e2fsprogs"), after))]
    blocks = [number for number in changed(before, after, size) if not any(a <= number <= b for a, b in own)]
    strangers = {}
    for image in before, after:
        for owner in _owners(image, blocks):
            if not re.match(allowed, owner):
                strangers[owner] = strangers.get(owner, 0) + 1
    return strangers


def _owners(image, blocks):
    """The names of the files that @blocks belong to, once for each block; none for a free block, nor for the journal and
    other inodes that have no name."""
    inodes = _debugfs(image, "icheck", blocks, r"^(\d+)\t(\d+)$")
    names = _debugfs(image, "ncheck", sorted(set(inodes.values())), r"^(\d+)\t(.*)$")
    for inode in inodes.values():
        # ncheck has no name for the root directory and for the reserved inodes after it (3 to 10).
        if inode in names or int(inode) > 10:
            name = names.get(inode, f"inode {inode}")
            yield re.sub("^//+", "/", name)


def _debugfs(image, command, arguments, pattern):
    found = {}
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as script:
        for start in range(0, len(arguments), 200):
            script.write(f"{command} {' '.join(str(word) for word in arguments[start:start + 200])}\n")
        script.flush()
        said = subprocess.run([host.need("debugfs", "e2fsprogs"), "-f", script.name, str(image)], check=False, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    for line in said.splitlines():
        match = re.match(pattern, line)
        if match and match[1] not in found:
            found[match[1]] = match[2]
    return found
