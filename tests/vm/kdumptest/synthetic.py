# SPDX-License-Identifier: GPL-2.0-or-later
"""The vmcore of a machine that nobody has: as much memory as wanted, nearly all of it holes in a sparse file.

Only the kernel's tables are there, as Linux 6.1 has them: page tables, sections, and struct pages. Those of the first
512 MiB belong to pages that a dump keeps; all others are a mix of page cache, anonymous memory and free blocks. The
mix fills FRAMES pages of 2 MiB, more than a cache holds, and the page tables map them again and again."""
import random
import struct

SECTION = 128 << 20
FRAME = 2 << 20  # of struct pages: one section's
FRAMES = 64
KEPT_SECTIONS = 4
IMAGE, IMAGE_VADDR = 16 << 20, 0xffffffff81000000
UTS, ROOTS, SECTIONS, PGD = 0x80000, 0x100000, 0x110000, 0x180000  # in the image
PUD_IMAGE, PUD_VMEMMAP, PMD_IMAGE, PMD_VMEMMAP = 0x181000, 0x182000, 0x183000, 0x190000
POOL = 32 << 20
VMEMMAP, DIRECT = 0xffffea0000000000, 0xffff888000000000
DATA = 1 << 20  # where memory begins in the file
INFO = """OSRELEASE=6.1.0-bench
PAGESIZE=4096
SYMBOL(init_uts_ns)={uts:x}
OFFSET(uts_namespace.name)=0
SYMBOL(node_online_map)={uts:x}
SYMBOL(swapper_pg_dir)={pgd:x}
SYMBOL(_stext)={stext:x}
SYMBOL(vmap_area_list)={uts:x}
SYMBOL(mem_section)={roots:x}
LENGTH(mem_section)=4096
SIZE(mem_section)=32
OFFSET(mem_section.section_mem_map)=0
NUMBER(SECTION_SIZE_BITS)=27
NUMBER(MAX_PHYSMEM_BITS)=46
SIZE(page)=64
SIZE(pglist_data)=174208
SIZE(zone)=1536
SIZE(free_area)=88
SIZE(list_head)=16
SIZE(nodemask_t)=128
OFFSET(page.flags)=0
OFFSET(page._refcount)=52
OFFSET(page.mapping)=24
OFFSET(page.lru)=8
OFFSET(page._mapcount)=48
OFFSET(page.private)=40
OFFSET(page.compound_dtor)=16
OFFSET(page.compound_order)=17
OFFSET(page.compound_head)=8
OFFSET(pglist_data.node_zones)=0
OFFSET(pglist_data.nr_zones)=171552
OFFSET(pglist_data.node_start_pfn)=171560
OFFSET(pglist_data.node_spanned_pages)=171576
OFFSET(pglist_data.node_id)=171584
OFFSET(zone.free_area)=256
OFFSET(zone.vm_stat)=1344
OFFSET(zone.spanned_pages)=144
OFFSET(free_area.free_list)=0
OFFSET(list_head.next)=0
OFFSET(list_head.prev)=8
OFFSET(vmap_area.va_start)=0
OFFSET(vmap_area.list)=40
LENGTH(zone.free_area)=11
LENGTH(free_area.free_list)=5
NUMBER(NR_FREE_PAGES)=0
NUMBER(PG_lru)=4
NUMBER(PG_private)=13
NUMBER(PG_swapcache)=10
NUMBER(PG_swapbacked)=19
NUMBER(PG_slab)=9
NUMBER(PG_hwpoison)=23
NUMBER(PG_head_mask)=65536
NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
NUMBER(HUGETLB_PAGE_DTOR)=2
NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257
NUMBER(phys_base)=0
SYMBOL(init_top_pgt)={pgd:x}
NUMBER(pgtable_l5_enabled)=0
SYMBOL(node_data)={uts:x}
LENGTH(node_data)=1024
KERNELOFFSET=0
NUMBER(KERNEL_IMAGE_SIZE)=1073741824
NUMBER(sme_mask)=0
CRASHTIME=1795574032
"""


def _page(flags=0, mapping=0, private=0, mapcount=-1):
    return struct.pack("<QQQQQQiiQ", flags, 0, 0, mapping, 0, private, mapcount, 1, 0)


CACHE = _page(flags=0x2c | 1 << 4, mapping=0xffff888123456780)
ANON = _page(flags=0x2c | 1 << 4 | 1 << 19, mapping=0xffff888123456781)
FREE_HEAD = {order: _page(private=order, mapcount=-129) for order in range(11)}
OTHER = _page()


def _mixed(dice):
    """A section's struct pages, none of which is kept."""
    pages, count = [], 0
    while count < SECTION >> 12:
        kind = dice.choice([CACHE, CACHE, ANON, ANON, FREE_HEAD])
        if kind is FREE_HEAD:
            order = dice.randrange(11)
            while count % (1 << order):
                order -= 1
            run = [FREE_HEAD[order], *[OTHER] * ((1 << order) - 1)]
        else:
            run = [kind] * min(dice.randrange(1, 128), (SECTION >> 12) - count)
        pages.extend(run)
        count += len(run)
    return b"".join(pages)


def _note(name, kind, desc):
    padded = name.encode() + b"\0"
    return (struct.pack("<III", len(padded), len(desc), kind) + padded.ljust(-(-len(padded) // 4) * 4, b"\0") +
            desc.ljust(-(-len(desc) // 4) * 4, b"\0"))


def _write_headers(file, size):
    info = INFO.format(uts=IMAGE_VADDR + UTS, pgd=IMAGE_VADDR + PGD, stext=IMAGE_VADDR, roots=IMAGE_VADDR + ROOTS)
    notes = _note("CORE", 1, bytes(336)) + _note("VMCOREINFO", 0, info.encode())
    loads = [(IMAGE_VADDR, IMAGE, FRAME), (DIRECT, 0, size)]
    file.seek(0)
    file.write(struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(loads),
                           0, 0, 0))
    file.write(struct.pack("<IIQQQQQQ", 4, 0, 4096, 0, 0, len(notes), len(notes), 0))
    for vaddr, paddr, length in loads:
        file.write(struct.pack("<IIQQQQQQ", 1, 7, DATA + paddr, vaddr, paddr, length, length, 0))
    file.seek(4096)
    file.write(notes)


def write(path, size):
    """Write the vmcore of a machine of @size bytes, a multiple of 1 GiB up to 8 TiB."""
    image = bytearray(FRAME)
    sections = size // SECTION

    def put(offset, value):
        struct.pack_into("<Q", image, offset, value)

    for number, name in enumerate(["Linux", "bench", "6.1.0-bench", "#1 SMP", "x86_64", "(none)"]):
        image[UTS + 65 * number:UTS + 65 * number + len(name)] = name.encode()
    # Sections are found through pages of 128; the array may not fill more than the room before the page tables.
    for number in range(min(sections, (PGD - SECTIONS) // 32)):
        put(SECTIONS + 32 * number, VMEMMAP | 0xf)
    for root in range(-(-sections // 128)):
        # Sections are alike, so the last page of them serves for what does not fit.
        put(ROOTS + 8 * root, IMAGE_VADDR + SECTIONS + 4096 * min(root, (PGD - SECTIONS) // 4096 - 1))
    put(PGD + 8 * 511, IMAGE + PUD_IMAGE | 0x63)
    put(PUD_IMAGE + 8 * 510, IMAGE + PMD_IMAGE | 0x63)
    put(PMD_IMAGE + 8 * 8, IMAGE | 0xe3)
    put(PGD + 8 * ((VMEMMAP >> 39) % 512), IMAGE + PUD_VMEMMAP | 0x63)
    for number in range(sections):
        frame = 0 if number < KEPT_SECTIONS else 1 + number % (FRAMES - 1)
        put(PUD_VMEMMAP + 8 * (number // 512), IMAGE + PMD_VMEMMAP + 4096 * (number // 512) | 0x63)
        put(PMD_VMEMMAP + 8 * number, POOL + FRAME * frame | 0xe3)
    dice = random.Random(1)
    with open(path, "wb") as file:
        _write_headers(file, size)
        file.seek(DATA + IMAGE)
        file.write(image)
        file.seek(DATA + POOL)
        file.write(OTHER * (SECTION >> 12))
        for _ in range(FRAMES - 1):
            file.write(_mixed(dice))
        file.truncate(DATA + size)
