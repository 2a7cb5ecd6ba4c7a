/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/quiesce.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"

#define DEVICES "/sys/bus/pci/devices"

enum {
	PCI_COMMAND = 0x04,
	PCI_COMMAND_MASTER = 0x04,
	PCI_BASE_CLASS = 0x0b,
	PCI_BASE_CLASS_BRIDGE = 0x06,
	PCI_BASE_CLASS_SYSTEM = 0x08, /* I/O APIC (0800), IOMMU (0806), DMA controller, timer */
	PCI_HEADER_TYPE = 0x0e,
	PCI_HEADER_END = 0x10,
};

enum function_state { FUNCTION_QUIET, FUNCTION_STOPPED, FUNCTION_FAILED };

/* Bridges forward the traffic of other functions. An I/O APIC without bus mastering sends no interrupts, and an IOMMU
 * reads no tables: every other device would stop with it. */
static bool serves_others(const uint8_t *header)
{
	return header[PCI_BASE_CLASS] == PCI_BASE_CLASS_BRIDGE || header[PCI_BASE_CLASS] == PCI_BASE_CLASS_SYSTEM ||
	       (header[PCI_HEADER_TYPE] & 0x7f) != 0;
}

static bool write_attribute(const struct kd_sysroot *root, const char *name, const char *attribute, const char *value)
{
	_cleanup_close_ int fd = -1;
	char path[320];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", name, attribute);
	fd = kd_sysroot_open_file(root, path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && kd_write_all(fd, value, strlen(value)) == 0;
}

/* A kernel in lockdown lets nobody write to configuration space (EPERM). But one that disables a function takes its bus
 * mastering away itself (drivers/pci/pci.c, do_pci_disable_device()), and it disables what it has enabled. */
static bool stop_by_disabling(const struct kd_sysroot *root, const char *name)
{
	return write_attribute(root, name, "enable", "1") && write_attribute(root, name, "enable", "0");
}

static enum function_state stop_function(const struct kd_sysroot *root, const char *name, int config)
{
	uint8_t header[PCI_HEADER_END], command[2];

	if (kd_pread_all(config, header, sizeof(header), 0) != sizeof(header))
		return FUNCTION_FAILED;
	/* All ones: the function does not answer (powered off, unplugged). */
	if ((header[0] == 0xff && header[1] == 0xff) || serves_others(header) ||
	    !(header[PCI_COMMAND] & PCI_COMMAND_MASTER))
		return FUNCTION_QUIET;
	command[0] = header[PCI_COMMAND] & ~PCI_COMMAND_MASTER;
	command[1] = header[PCI_COMMAND + 1];
	if (kd_pwrite_all(config, command, sizeof(command), PCI_COMMAND) < 0 && !stop_by_disabling(root, name))
		return FUNCTION_FAILED;
	/* Reading back also waits for the write to have arrived. */
	if (kd_pread_all(config, command, sizeof(command), PCI_COMMAND) != sizeof(command) ||
	    (command[0] & PCI_COMMAND_MASTER))
		return FUNCTION_FAILED;
	return FUNCTION_STOPPED;
}

static void quiesce_function(const struct kd_sysroot *root, const char *name, struct quiesce_result *result)
{
	_cleanup_close_ int config = -1;
	char path[320];

	snprintf(path, sizeof(path), DEVICES "/%s/driver", name);
	if (kd_sysroot_exists(root, path))
		return;
	snprintf(path, sizeof(path), DEVICES "/%s/config", name);
	config = kd_sysroot_open_file(root, path, O_RDWR | O_CLOEXEC);
	switch (config < 0 ? FUNCTION_FAILED : stop_function(root, name, config)) {
	case FUNCTION_QUIET:
		break;
	case FUNCTION_FAILED:
		result->failed++;
		break;
	case FUNCTION_STOPPED:
		if (result->count < QUIESCE_MAX_NAMES)
			snprintf(result->name[result->count], sizeof(result->name[0]), "%.15s", name);
		result->count++;
		break;
	}
}

struct kd_error *quiesce(const struct kd_sysroot *root, struct quiesce_result *ret)
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(root, DEVICES);
	struct dirent *entry;

	*ret = (struct quiesce_result){ 0 };
	if (!dir)
		return errno == ENOENT ? NULL : kd_error_os(errno, "cannot list " DEVICES);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			quiesce_function(root, entry->d_name, ret);
	}
	return NULL;
}
