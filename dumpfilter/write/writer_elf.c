/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An ELF core file, for readers of what makedumpfile -E writes: each PT_LOAD of the vmcore is cut where pages are left
 * out. Segments that repeat memory share it in the file. Zero pages are holes of the file.
 *
 * Memory that is left out is a segment of its own that has p_memsz but no p_filesz, and lies behind the file's end:
 * makedumpfile (1.7.2 to 1.7.8) takes all p_memsz bytes from p_offset on for the segment's when it maps the file, so
 * that segments whose p_memsz reaches beyond their data would get each other's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/elf64.h"
#include "dumpfilter/vmcore/elf_format.h"
#include "dumpfilter/write/writer.h"

/* Pages that are there, and where. */
struct run {
	uint64_t start, end; /* pfns */
	uint64_t offset;
};

struct writer {
	struct output *output;
	uint64_t page_size;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdr;
	size_t phdr_count, phdr_room;
	struct run *run;
	size_t run_count;
	uint64_t notes_offset, notes_size;
	uint64_t end;
};

static void destroy(struct writer *writer)
{
	if (!writer)
		return;
	free(writer->phdr);
	free(writer->run);
	free(writer);
}
DEFINE_CLEANUP(struct writer *, destroy)

/* The first page from @pfn on that is not set. */
static uint64_t run_end(const struct pfn_bitmap *bitmap, uint64_t pfn)
{
	while (pfn < bitmap->end_pfn && pfn_bitmap_test(bitmap, pfn))
		pfn++;
	return pfn;
}

static struct kd_error *find_runs(struct writer *writer, const struct pfn_bitmap *kept)
{
	size_t room = 0;

	for (uint64_t pfn = pfn_bitmap_next(kept, 0), end; pfn < kept->end_pfn; pfn = pfn_bitmap_next(kept, end)) {
		end = run_end(kept, pfn);
		if (writer->run_count == room) {
			struct run *grown = realloc(writer->run, (room = room * 2 + 64) * sizeof(*grown));

			if (!grown)
				return kd_error_nomem();
			writer->run = grown;
		}
		writer->run[writer->run_count++] = (struct run){ .start = pfn, .end = end };
	}
	return NULL;
}

/* The first run that ends above @pfn. */
static size_t find_run(const struct writer *writer, uint64_t pfn)
{
	size_t low = 0, high = writer->run_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (writer->run[middle].end > pfn)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static bool add_phdr(struct writer *writer, const Elf64_Phdr *phdr)
{
	if (writer->phdr_count == writer->phdr_room) {
		size_t room = writer->phdr_room * 2 + 64;
		Elf64_Phdr *grown = realloc(writer->phdr, room * sizeof(*grown));

		if (!grown)
			return false;
		writer->phdr = grown;
		writer->phdr_room = room;
	}
	writer->phdr[writer->phdr_count++] = *phdr;
	return true;
}

/* The pieces of a vmcore's segment that are there, or those that are left out. Offsets are those in the data, until it
 * is known where that begins. */
static bool add_pieces(struct writer *writer, const struct vmcore_segment *segment, bool there)
{
	uint64_t start = segment->paddr, end = start + segment->memory_size, page_size = writer->page_size, next;

	for (size_t i = find_run(writer, start / page_size); start < end; start = next) {
		const struct run *run = i < writer->run_count ? &writer->run[i] : NULL;
		bool in_run = run && run->start * page_size <= start;
		Elf64_Phdr phdr = { .p_type = PT_LOAD, .p_flags = PF_R | PF_W | PF_X, .p_paddr = start };

		next = !run ? end : in_run ? run->end * page_size : run->start * page_size;
		next = next < end ? next : end;
		i += in_run;
		if (in_run != there)
			continue;
		phdr.p_vaddr = segment->vaddr + (start - segment->paddr);
		phdr.p_memsz = next - start;
		if (in_run) {
			phdr.p_offset = run->offset + (start - run->start * page_size);
			phdr.p_filesz = phdr.p_memsz;
		}
		if (!add_phdr(writer, &phdr))
			return false;
	}
	return true;
}

static bool add_segments(struct writer *writer, const struct dump_description *dump, bool there)
{
	for (size_t i = 0; i < dump->segment_count; i++)
		if (!add_pieces(writer, &dump->segment[i], there))
			return false;
	/* A vmcore that is not an ELF file says where RAM is, and that is enough for a reader that has VMCOREINFO. */
	for (size_t i = 0; !dump->segment_count && i < dump->ram->count; i++) {
		const struct vmcore_segment segment = { .paddr = dump->ram->range[i].start,
							.memory_size = dump->ram->range[i].end -
								       dump->ram->range[i].start };

		if (!add_pieces(writer, &segment, there))
			return false;
	}
	return true;
}

static struct kd_error *lay_out(struct writer *writer, const struct dump_description *dump)
{
	Elf64_Phdr note = { .p_type = PT_NOTE, .p_align = 4 };
	uint64_t offset = 0, data;
	struct kd_error *err = find_runs(writer, dump->kept);

	if (err)
		return err;
	for (size_t i = 0; i < writer->run_count; i++) {
		writer->run[i].offset = offset;
		offset += (writer->run[i].end - writer->run[i].start) * writer->page_size;
	}
	/* The program headers that readers look for come first, because readers go through them one by one. */
	if (!add_phdr(writer, &note) || !add_segments(writer, dump, true) || !add_segments(writer, dump, false))
		return kd_error_nomem();
	writer->notes_offset = sizeof(Elf64_Ehdr) + writer->phdr_count * sizeof(Elf64_Phdr) + sizeof(Elf64_Shdr);
	data = writer->notes_offset + writer->notes_size;
	data = (data + OUTPUT_ALIGN - 1) & ~(uint64_t)(OUTPUT_ALIGN - 1);
	for (size_t i = 0; i < writer->run_count; i++)
		writer->run[i].offset += data;
	for (size_t i = 1; i < writer->phdr_count; i++)
		writer->phdr[i].p_offset = writer->phdr[i].p_filesz ? writer->phdr[i].p_offset + data : data + offset;
	writer->phdr[0].p_offset = writer->notes_offset;
	writer->phdr[0].p_filesz = writer->phdr[0].p_memsz = writer->notes_size;
	writer->end = data + offset;
	return NULL;
}

/* The vmcore's notes, and one with what was erased. */
static struct kd_error *write_notes(struct writer *writer, const struct dump_description *dump)
{
	static const char name[12] = "ERASEINFO";
	const Elf64_Nhdr nhdr = { .n_namesz = sizeof("ERASEINFO"), .n_descsz = (uint32_t)dump->eraseinfo_size };
	uint64_t at = writer->notes_offset;
	struct kd_error *err = output_write_at(writer->output, at, dump->notes, dump->notes_size);

	if (err || !dump->eraseinfo_size)
		return err;
	at += (dump->notes_size + 3) / 4 * 4;
	err = output_write_at(writer->output, at, &nhdr, sizeof(nhdr));
	if (!err)
		err = output_write_at(writer->output, at + sizeof(nhdr), name, sizeof(name));
	if (!err)
		err = output_write_at(writer->output, at + sizeof(nhdr) + sizeof(name), dump->eraseinfo,
				      dump->eraseinfo_size);
	return err;
}

static struct kd_error *write_front(struct writer *writer, const struct dump_description *dump)
{
	uint64_t phdrs_size = writer->phdr_count * sizeof(Elf64_Phdr);
	bool many = writer->phdr_count >= PN_XNUM;
	const Elf64_Shdr shdr = { .sh_info = (uint32_t)writer->phdr_count };
	struct kd_error *err;

	kd_elf64_core_header(&writer->ehdr, dump->machine, many ? PN_XNUM : (uint16_t)writer->phdr_count);
	writer->ehdr.e_flags = ELF_STATUS_INCOMPLETE;
	if (many) {
		writer->ehdr.e_shoff = sizeof(writer->ehdr) + phdrs_size;
		writer->ehdr.e_shentsize = sizeof(shdr);
		writer->ehdr.e_shnum = 1;
	}
	err = output_write_at(writer->output, 0, &writer->ehdr, sizeof(writer->ehdr));
	if (!err)
		err = output_write_at(writer->output, sizeof(writer->ehdr), writer->phdr, phdrs_size);
	if (!err && many)
		err = output_write_at(writer->output, sizeof(writer->ehdr) + phdrs_size, &shdr, sizeof(shdr));
	if (!err)
		err = write_notes(writer, dump);
	output_begin_data(writer->output, writer->end);
	return err;
}

static struct kd_error *begin(struct output *output, const struct dump_description *dump, struct writer **ret)
{
	_cleanup_(destroy) struct writer *writer = calloc(1, sizeof(*writer));
	struct kd_error *err;

	if (!writer)
		return kd_error_nomem();
	writer->output = output;
	writer->page_size = dump->page_size;
	writer->notes_size = dump->notes_size;
	if (dump->eraseinfo_size)
		writer->notes_size = (dump->notes_size + 3) / 4 * 4 + sizeof(Elf64_Nhdr) + 12 +
				     (dump->eraseinfo_size + 3) / 4 * 4;
	err = lay_out(writer, dump);
	if (!err)
		err = write_front(writer, dump);
	if (err)
		return err;
	free(take_ptr(writer->phdr));
	*ret = take_ptr(writer);
	return NULL;
}

static uint64_t page_offset(const struct writer *writer, uint64_t pfn)
{
	const struct run *run = &writer->run[find_run(writer, pfn)];

	return run->offset + (pfn - run->start) * writer->page_size;
}

/* Neighbours in the unit that are neighbours in memory are written at once. Zero pages are not written. */
static struct kd_error *put(struct writer *writer, struct page_unit *unit)
{
	struct kd_error *err = output_check(writer->output);

	for (unsigned int i = 0, count; i < unit->count && !err; i += count) {
		const struct unit_page *page = &unit->page[i];

		count = 1;
		if (page->state != UNIT_PAGE_DATA)
			continue;
		while (i + count < unit->count && page[count].state == UNIT_PAGE_DATA &&
		       page[count].pfn == page->pfn + count && page[count].rank == page->rank + count &&
		       page[count].offset == page->offset + count * writer->page_size)
			count++;
		/* Runs of pages without a gap lie behind each other in the file, too. */
		err = output_write_at(writer->output, page_offset(writer, page->pfn), unit->data + page->offset,
				      count * writer->page_size);
	}
	return err;
}

static void give_up(struct writer *writer)
{
	kd_error_destroy(output_sync(writer->output));
}

static struct kd_error *finish(struct writer *writer)
{
	struct kd_error *err = output_extend(writer->output, writer->end);

	if (!err)
		err = output_sync(writer->output);
	writer->ehdr.e_flags = 0;
	if (!err)
		err = output_write_at(writer->output, 0, &writer->ehdr, sizeof(writer->ehdr));
	if (!err)
		err = output_sync(writer->output);
	return err;
}

const struct writer_ops writer_elf = {
	.name = "ELF",
	.option = 'E',
	.uncompressed = true,
	.gap_min = 256, /* makedumpfile's; readers look through segments one by one */
	.run_memory = 2 * (sizeof(struct run) + sizeof(Elf64_Phdr)), /* tables that grow */
	.concurrent = true,
	.begin = begin,
	.put = put,
	.give_up = give_up,
	.finish = finish,
	.destroy = destroy,
};
