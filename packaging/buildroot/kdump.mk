################################################################################
#
# kdump
#
################################################################################
# SPDX-License-Identifier: GPL-2.0-or-later
# For an external tree of Buildroot: this file and Config.in in package/kdump. KDUMP_SITE is a directory with the release
# tarball, which packaging/tarball makes.

KDUMP_VERSION = 0.1.0
KDUMP_SOURCE = kdump-$(KDUMP_VERSION).tar.xz
KDUMP_SITE = $(KDUMP_PKGDIR)
KDUMP_SITE_METHOD = file
KDUMP_LICENSE = GPL-2.0-or-later
KDUMP_LICENSE_FILES = COPYING
KDUMP_DEPENDENCIES = host-pkgconf elfutils json-c kmod libarchive libsodium util-linux xz zlib zstd
KDUMP_CONF_OPTS = --sysconfdir=/etc --localstatedir=/var --libexecdir=/usr/libexec --without-libdw

ifeq ($(BR2_aarch64),y)
KDUMP_DEPENDENCIES += dtc
else
KDUMP_CONF_OPTS += --without-fdt
endif

define KDUMP_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/packaging/busybox/S90kdump $(TARGET_DIR)/etc/init.d/S90kdump
endef

$(eval $(autotools-package))
