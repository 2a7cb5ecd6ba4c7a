################################################################################
#
# kdump
#
################################################################################
# SPDX-License-Identifier: GPL-2.0-or-later
# For an external tree of Buildroot: this file and Config.in in package/kdump, and beside them the release tarball, which
# packaging/tarball makes.

KDUMP_VERSION = 0.1.0
KDUMP_SOURCE = kdump-$(KDUMP_VERSION).tar.xz
# Buildroot copies from another directory.
KDUMP_SITE = $(abspath $(KDUMP_PKGDIR))
KDUMP_SITE_METHOD = file
KDUMP_LICENSE = GPL-2.0-or-later
KDUMP_LICENSE_FILES = COPYING
KDUMP_DEPENDENCIES = host-pkgconf elfutils json-c kmod libarchive libsodium util-linux xz zlib zstd
KDUMP_CONF_OPTS = --libexecdir=/usr/libexec --without-libdw

ifeq ($(BR2_aarch64),y)
KDUMP_DEPENDENCIES += dtc
else
KDUMP_CONF_OPTS += --without-fdt
endif

# What is used where the system has it: targets on web servers, the journal, dumps with lzo and snappy.
KDUMP_DEPENDENCIES += \
	$(if $(BR2_PACKAGE_LIBCURL),libcurl) \
	$(if $(BR2_PACKAGE_SYSTEMD),systemd) \
	$(if $(BR2_PACKAGE_LZO),lzo) \
	$(if $(BR2_PACKAGE_SNAPPY),snappy)
KDUMP_CONF_OPTS += \
	$(if $(BR2_PACKAGE_LZO),--with-lzo,--without-lzo) \
	$(if $(BR2_PACKAGE_SNAPPY),--with-snappy,--without-snappy)

# The running kernel loads the capture kernel, which is the same one, with an initramfs.
define KDUMP_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_KEXEC)
	$(call KCONFIG_ENABLE_OPT,CONFIG_CRASH_DUMP)
	$(call KCONFIG_ENABLE_OPT,CONFIG_PROC_VMCORE)
	$(call KCONFIG_ENABLE_OPT,CONFIG_BLK_DEV_INITRD)
	$(call KCONFIG_ENABLE_OPT,CONFIG_DEVTMPFS)
endef

define KDUMP_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/packaging/busybox/S90kdump $(TARGET_DIR)/etc/init.d/S90kdump
endef

# kdumpctl looks for a kernel by its release, which is not in the name that Buildroot gives it.
define KDUMP_NAME_KERNEL
	ln -sf $(LINUX_IMAGE_NAME) $(TARGET_DIR)/boot/vmlinuz-$(LINUX_VERSION_PROBED)
endef
ifeq ($(BR2_LINUX_KERNEL_INSTALL_TARGET),y)
KDUMP_TARGET_FINALIZE_HOOKS += KDUMP_NAME_KERNEL
endif

$(eval $(autotools-package))
