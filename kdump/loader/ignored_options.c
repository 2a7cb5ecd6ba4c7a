/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/loader/ignored_options.h"

#include <stddef.h>
#include <string.h>

#include "base/array.h"

static const struct {
	const char *name, *reason;
} options[] = {
	{ "args-linux", "" },
	{ "hotplug", "" },
	{ "elf64-core-headers", "" },
	{ "elf32-core-headers", "the headers always have 64 bits, which describe all memory" },
	{ "real-mode", "kernels are entered in 64-bit mode" },
	{ "entry-32bit", "kernels are entered in 64-bit mode" },
	{ "pass-memmap-cmdline", "the boot parameters hold the memory map" },
	{ "reset-vga", "the next kernel sets its console up itself" },
	{ "console-vga", "messages of the purgatory go to the serial port" },
	{ "console-serial", "messages of the purgatory go to the serial port" },
	{ "serial", "the purgatory uses the port of the console" },
	{ "serial-baud", "the purgatory leaves the port as it is set" },
	{ "reuse-video-type", "the next kernel always gets the description of the screen" },
	{ "no-cma", "no segment is placed in CMA memory on purpose" },
	{ "force-dtb", "this machine has no device tree" },
	{ "dt-no-old-root", "this machine has no device tree" },
};

const char *loader_ignored_option(const char *name)
{
	size_t length = strcspn(name, "=");

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0)
			return options[i].reason;
	return NULL;
}
