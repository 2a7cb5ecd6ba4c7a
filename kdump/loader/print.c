/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the layout of an image, for people and for tests. */
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "kdump/loader/layout.h"
#include "kdump/loader/loader.h"

static void print_segments(const struct loader_image *image, FILE *out)
{
	size_t i;

	fprintf(out, "segments:\n");
	for (i = 0; i < image->segments.count; i++) {
		const struct segment *s = &image->segments.segment[i];

		fprintf(out, "  %zu %-10s 0x%012" PRIx64 "-0x%012" PRIx64 " memsz 0x%08" PRIx64 " bufsz 0x%08zx%s\n",
			i + 1, s->name, s->mem, s->mem + s->memsz, s->memsz, s->bufsz, s->unchecked ? "" : " checked");
	}
	fprintf(out, "entry 0x%" PRIx64 ", kernel entry 0x%" PRIx64 "\n", image->entry,
		image->kernel_address + image->kernel.entry);
}

static void print_elfcorehdr(const struct loader_image *image, FILE *out)
{
	const char *data = image->elfcorehdr;
	Elf64_Ehdr ehdr;
	size_t i;

	memcpy(&ehdr, data, sizeof(ehdr));
	fprintf(out, "elfcorehdr (%u program headers%s):\n", ehdr.e_phnum,
		image->hotplug ? ", kept up to date by the kernel" : "");
	for (i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr phdr;

		memcpy(&phdr, data + ehdr.e_phoff + i * sizeof(phdr), sizeof(phdr));
		fprintf(out, "  %-4s paddr 0x%012" PRIx64 " vaddr 0x%016" PRIx64 " size 0x%" PRIx64 "\n",
			phdr.p_type == PT_NOTE ? "NOTE" : "LOAD", phdr.p_paddr, phdr.p_vaddr, phdr.p_memsz);
	}
}

void loader_print(const struct loader_image *image, FILE *out)
{
	fprintf(out, "%s kernel %s: %s, %" PRIu64 " MiB in memory\n",
		image->policy == LOADER_PANIC ? "panic" : "reboot", image->kernel.path, image->kernel.format,
		kd_mib_up(image->kernel.mem_size));
	if (image->fast)
		fprintf(out, "started directly, without decompressor, at %s virtual address\n",
			image->random ? "a random" : "its");
	print_segments(image, out);
	if (image->elfcorehdr)
		print_elfcorehdr(image, out);
	image->arch->print_boot_info(image, out);
	fprintf(out, "command line: %s\n", image->boot_cmdline);
}
