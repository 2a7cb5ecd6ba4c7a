dnl SPDX-License-Identifier: GPL-2.0-or-later
dnl
dnl KD_TRY_FLAG(variable, flag): append flag to variable if the compiler takes it without complaint.
AC_DEFUN([KD_TRY_FLAG], [
  kd_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $2"
  AC_MSG_CHECKING([whether $CC accepts $2])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([])],
    [AC_MSG_RESULT([yes]); $1="$$1 $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$kd_saved_CFLAGS
])

dnl KD_COMPILER_FLAGS: warnings, hardening and sanitizers, kept apart from the user's CFLAGS.
AC_DEFUN([KD_COMPILER_FLAGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors (used by CI)])])
  AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [build without hardening flags])])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@],
      [build everything with ASan and UBSan, or others (=thread); never install such a build])])

  KD_WARN_CFLAGS="-std=gnu17 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Wwrite-strings -Wno-unused-parameter"
  kd_warnings="-Wall -Wextra"
  AS_IF([test "x$enable_werror" = xyes], [KD_WARN_CFLAGS="$KD_WARN_CFLAGS -Werror"; kd_warnings="$kd_warnings -Werror"])

  kd_hardening=no
  KD_HARDEN_CFLAGS= KD_HARDEN_LDFLAGS=
  AS_IF([test "x$enable_hardening" != xno], [
    kd_hardening=yes
    KD_TRY_FLAG([KD_HARDEN_CFLAGS], [-fstack-protector-strong])
    KD_TRY_FLAG([KD_HARDEN_CFLAGS], [-fstack-clash-protection])
    KD_TRY_FLAG([KD_HARDEN_CFLAGS], [-fPIE])
    KD_TRY_FLAG([KD_HARDEN_LDFLAGS], [-Wl,-z,relro,-z,now])
  ])

  # For the purgatory, which is built with flags of its own: what only some compilers know.
  KD_FREESTANDING_CFLAGS=
  KD_TRY_FLAG([KD_FREESTANDING_CFLAGS], [-mindirect-branch=keep -mfunction-return=keep])
  KD_TRY_FLAG([KD_FREESTANDING_CFLAGS], [-fno-tree-loop-distribute-patterns])
  AC_SUBST([KD_FREESTANDING_CFLAGS])

  kd_sanitizers=no
  KD_SAN_FLAGS=
  AS_IF([test "x$enable_sanitizers" = xyes], [enable_sanitizers=address,undefined])
  AS_IF([test "x$enable_sanitizers" != x && test "x$enable_sanitizers" != xno], [
    kd_sanitizers=$enable_sanitizers
    KD_SAN_FLAGS="-fsanitize=$enable_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
  ], [test "$kd_hardening" = yes], [
    # Fortify needs the optimiser, which a debugging build may have switched off.
    KD_HARDEN_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
  ])
  AM_CONDITIONAL([SANITIZERS], [test "$kd_sanitizers" != no])
  AC_SUBST([KD_WARN_CFLAGS])
  AC_SUBST([KD_HARDEN_CPPFLAGS])
  AC_SUBST([KD_HARDEN_CFLAGS])
  AC_SUBST([KD_HARDEN_LDFLAGS])
  AC_SUBST([KD_SAN_FLAGS])
])

dnl KD_CODEC(NAME, pkg-config module, option letter): an optional library for page compression.
AC_DEFUN([KD_CODEC], [
  m4_pushdef([kd_lower], m4_tolower([$1]))
  AC_ARG_WITH(kd_lower, [AS_HELP_STRING([--without-]kd_lower, [do without the library behind $3])])
  kd_codec_$1=no
  AS_IF([test "x$with_[]kd_lower" != xno], [
    PKG_CHECK_EXISTS([$2], [
      PKG_CHECK_MODULES([$1], [$2])
      kd_codec_$1=yes
    ], [
      # Debian 12's snappy and older lzo ship no .pc file.
      kd_saved_LIBS=$LIBS
      AS_CASE([$1],
        [LZO], [AC_CHECK_LIB([lzo2], [lzo1x_1_compress], [LZO_LIBS=-llzo2; kd_codec_$1=yes])],
        [SNAPPY], [AC_CHECK_LIB([snappy], [snappy_compress], [SNAPPY_LIBS=-lsnappy; kd_codec_$1=yes])])
      LIBS=$kd_saved_LIBS
    ])
    AS_IF([test "x$with_[]kd_lower" = xyes && test "$kd_codec_$1" = no],
      [AC_MSG_ERROR([--with-]kd_lower[ was given, but $2 is not installed])])
  ])
  AS_IF([test "$kd_codec_$1" = yes], [AC_DEFINE([HAVE_$1], [1], [Define to 1 when the $2 library is there.])])
  AC_SUBST([$1_CFLAGS])
  AC_SUBST([$1_LIBS])
  AM_CONDITIONAL([HAVE_$1], [test "$kd_codec_$1" = yes])
  m4_popdef([kd_lower])
])
