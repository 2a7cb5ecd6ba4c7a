/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The plan: everything that the capture needs to know, resolved while the machine was healthy (kdump-plan(5)).
 *
 *  kdumpctl makes it from kdump.conf, the initramfs builder adds the modules and stores it in the image as
 *  /etc/kdump.plan, and capture follows it from top to bottom. It is a text file with one "key value…" per line; the
 *  first line is "kdump-plan 3". Single blanks separate words. In a word, a blank, a quote, '%' and a control character
 *  are written as %XX; an empty word is written as "%".
 *
 *  All strings in these structs are owned by the plan; NULL means not set.
 */
#ifndef BASE_PLAN_H
#define BASE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

#define KD_PLAN_VERSION 3
#define KD_PLAN_PATH    "/etc/kdump.plan" /* inside the capture initramfs */

/** The action after a complete dump (final), or when no complete dump was saved (failure). */
enum kd_action {
	KD_ACTION_REBOOT,
	KD_ACTION_HALT,
	KD_ACTION_POWEROFF,
	KD_ACTION_SHELL, /* failure only: /bin/sh on the console, then the final action */
	KD_ACTION_KEXEC, /* final only: into the kernel of the handover (base/handover.h); in doubt KD_ACTION_REBOOT */
	KD_ACTION_PREVIOUS, /* of a crash loop only: the same, into the kernel before the one that crashes */
};
/** Which actions a directive takes: a bit for each. */
#define KD_ACTIONS_FAILURE                                                                                             \
	(1u << KD_ACTION_REBOOT | 1u << KD_ACTION_HALT | 1u << KD_ACTION_POWEROFF | 1u << KD_ACTION_SHELL)
#define KD_ACTIONS_FINAL                                                                                               \
	(1u << KD_ACTION_REBOOT | 1u << KD_ACTION_HALT | 1u << KD_ACTION_POWEROFF | 1u << KD_ACTION_KEXEC)
#define KD_ACTIONS_LOOP                                                                                                \
	(1u << KD_ACTION_REBOOT | 1u << KD_ACTION_HALT | 1u << KD_ACTION_POWEROFF | 1u << KD_ACTION_PREVIOUS)

const char *kd_action_name(enum kd_action action);
/** False: @name is not one of the actions @allowed. */
bool kd_action_parse(const char *name, unsigned int allowed, enum kd_action *ret);

/** A kernel module, in insertion order. */
struct kd_plan_module {
	char *file; /* path inside the image, e.g. "/lib/modules/virtio_pci.ko.gz"; the suffix names the compression */
	char *options; /* parameters for init_module(2), "" for none */
};

/** A block device that capture assembles from other devices before it looks for a target; in this order. */
struct kd_plan_volume {
	char *kind;  /* "dm" "md": a row of capture's table of volumes, which defines the words */
	char *name;  /* "vg-root", "md127": the kernel's name for it, unique among the volumes */
	char **argv; /* NULL-terminated; one allocation, words inside it */
};

/** A part of the network that capture sets up, in this order, before it connects a target on a server. */
struct kd_plan_network {
	char *kind;  /* "device" "vlan" "address" …: a row of capture's table, which defines the words */
	char *name;  /* of the link, as the healthy machine calls it and other lines refer to it */
	char **argv; /* NULL-terminated; one allocation, words inside it */
};

/** A place to save to. The targets are tried in this order until one works. */
struct kd_plan_target {
	char *type;            /* "ext4" …: a row of base/target_types.c */
	char *device;          /* as base/device_name.h has it; virtiofs: the tag */
	char *options;         /* mount options, comma separated; "" for none */
	char *path;            /* directory on that file system (not on the root of the healthy machine), absolute */
	unsigned int deadline; /* seconds for the device to appear */
	char *server;     /* address of the server that has it, as in the route that leads there; NULL: this machine */
	bool alternative; /* another way to the place of the target before it: tried if that could not be reached */
};

/** A node of a cluster that is told, as fence_kdump_send(8) does it, that this machine is making a dump. */
struct kd_plan_fence {
	char *node;                  /* its address, as in the route that leads there */
	unsigned int port, interval; /* of UDP; seconds from message to message */
	unsigned int count;          /* messages; 0: until the capture ends */
};

/** A program that runs before or after the dump. */
struct kd_plan_hook {
	char *when;  /* "pre" (failure: no dump), "pre.d" (failure ignored), "post", "emergency" */
	char **argv; /* NULL-terminated; one allocation, words inside it */
};

/** Who runs a core_collector. */
enum kd_collector_kind {
	KD_COLLECTOR_BUILT_IN,   /* the capture program's own filter; nothing has to be in the image */
	KD_COLLECTOR_DUMPFILTER, /* the program dumpfilter(8), which can report what it did */
	KD_COLLECTOR_PROGRAM,    /* any other program */
};

/** core_collector, decided on while the machine was healthy. */
struct kd_plan_collector {
	enum kd_collector_kind kind;
	char *erase_config; /* the file that says what it erases, which the image must hold; "" if it erases nothing */
	char **argv;        /* NULL-terminated; one allocation, words inside it */
};

/** What may be read of an encrypted dump without a key, beside its time. */
enum kd_public {
	KD_PUBLIC_HOST = 1 << 0,    /* name and address of the machine */
	KD_PUBLIC_KERNEL = 1 << 1,  /* release and build-id */
	KD_PUBLIC_REASON = 1 << 2,  /* line of the log that says why the kernel crashed */
	KD_PUBLIC_MEMORY = 1 << 3,  /* figures of the capture kernel's memory */
	KD_PUBLIC_CONSOLE = 1 << 4, /* if nothing could be saved, the end of the log goes to the console */
};
/** The bit for a word of encrypt_public; false: there is no such word. */
bool kd_public_parse(const char *word, unsigned int *ret);

/** Whatever is saved is encrypted to these public keys. */
struct kd_plan_encryption {
	char **recipient;    /* as base/age.h has them; whoever uses them parses them */
	size_t count;        /* 0: nothing is encrypted */
	unsigned int public; /* enum kd_public */
};

/** When a machine crashes again and again, another action takes the place of a reboot or a kexec. */
struct kd_plan_loop {
	unsigned int count;   /* crashes, the one that is captured included; 0: any number */
	unsigned int seconds; /* in which they happen */
	enum kd_action action;
};

struct kd_plan {
	uint64_t created;      /* seconds since the epoch */
	char *kernel_release;  /* of the kernel the modules are for */
	char *host;            /* host name of the healthy machine, for the report */
	char *address;         /* first part of the dump directory's name; "127.0.0.1" for local targets */
	int utc_offset;        /* seconds east of UTC, for the dump directory's name */
	unsigned int deadline; /* seconds for the whole capture, then the final action */
	unsigned int
		mount_timeout; /* seconds for a device that is there to be mounted, its journal's replay included */
	unsigned int stall_timeout; /* seconds without progress after which a collector is stopped */
	bool quiesce;               /* stop the DMA of devices without a driver */
	bool pstore;                /* leave the record in pstore when no complete dump was saved */
	struct kd_plan_module *module;
	size_t module_count;
	struct kd_plan_volume *volume;
	size_t volume_count;
	struct kd_plan_network *network;
	size_t network_count;
	struct kd_plan_fence *fence;
	size_t fence_count;
	struct kd_plan_target *target;
	size_t target_count;
	struct kd_plan_collector collector;
	struct kd_plan_encryption encryption;
	struct kd_plan_hook *hook;
	size_t hook_count;
	enum kd_action failure_action;
	enum kd_action final_action;
	struct kd_plan_loop loop;
	struct kd_plan_target boot; /* the file system with the kernel that an action returns to; type NULL: none */
};

/** Of plan.mount_timeout and plan.stall_timeout. */
#define KD_PLAN_TIMEOUT 300

/** Parse the text of a plan. @name is for messages ("name:line: …"). A missing or unknown key is an error, because
 *  writer and reader are always of one build. Free *ret with kd_plan_free(). KD_ERR_FORMAT. */
struct kd_error *kd_plan_parse(const char *text, const char *name, struct kd_plan *ret) MUST_CHECK;

/** The plan as text, owned by the caller. */
struct kd_error *kd_plan_format(const struct kd_plan *plan, char **ret) MUST_CHECK;

/** A usable empty plan: no targets, no modules, the built-in collector without options, deadline 3600 s, both timeouts
 *  KD_PLAN_TIMEOUT, quiesce and pstore on. */
struct kd_error *kd_plan_init(struct kd_plan *ret) MUST_CHECK;

/** Append copies. */
struct kd_error *kd_plan_add_module(struct kd_plan *plan, const char *file, const char *options) MUST_CHECK;
struct kd_error *kd_plan_add_volume(struct kd_plan *plan, const char *kind, const char *name,
				    char *const *argv) MUST_CHECK;
/** Two targets may share parts of the network: a line that is there already is not added again. */
struct kd_error *kd_plan_add_network(struct kd_plan *plan, const char *kind, const char *name,
				     char *const *argv) MUST_CHECK;
struct kd_error *kd_plan_add_target(struct kd_plan *plan, const char *type, const char *device, const char *options,
				    const char *path, unsigned int deadline) MUST_CHECK;
/** The last target that was added is on @server; NULL: on this machine. @alternative: it is the place of the one
 *  before, by another address. */
struct kd_error *kd_plan_set_server(struct kd_plan *plan, const char *server, bool alternative) MUST_CHECK;
/** Where the kernel is that KD_ACTION_KEXEC returns to. */
struct kd_error *kd_plan_set_boot(struct kd_plan *plan, const char *type, const char *device, const char *options,
				  unsigned int deadline) MUST_CHECK;
struct kd_error *kd_plan_add_fence(struct kd_plan *plan, const char *node, unsigned int port, unsigned int interval,
				   unsigned int count) MUST_CHECK;
struct kd_error *kd_plan_add_recipient(struct kd_plan *plan, const char *recipient) MUST_CHECK;
struct kd_error *kd_plan_add_hook(struct kd_plan *plan, const char *when, char *const *argv) MUST_CHECK;
struct kd_error *kd_plan_set_collector(struct kd_plan *plan, enum kd_collector_kind kind, const char *erase_config,
				       char *const *argv) MUST_CHECK;

/** The volume of that name; NULL if there is none. */
const struct kd_plan_volume *kd_plan_find_volume(const struct kd_plan *plan, const char *name);

/** Does the mount option at @option, which ends at a comma or a NUL, refer to a volume ("logdev=volume:NAME")? Then
 *  *ret is that volume; NULL: the plan does not have it. */
bool kd_plan_option_volume(const struct kd_plan *plan, const char *option, const struct kd_plan_volume **ret);

/** Prefixes of words of volumes. "volume:NAME" stands for another volume of the plan, "key:NAME" for a secret in the
 *  image: the contents of KD_PLAN_KEYS "/NAME". */
#define KD_PLAN_VOLUME_PREFIX "volume:"
#define KD_PLAN_KEY_PREFIX    "key:"
#define KD_PLAN_KEYS          "/etc/kdump.keys"
/** The kind of a volume that is nothing but a device of a target's file system, beside the one that is mounted: an
 *  external log, further devices of btrfs. A mount option of the target refers to it as "OPTION=volume:NAME". */
#define KD_PLAN_DEVICE "device"
/** Stands for a member that an array was without when the plan was made. */
#define KD_PLAN_MISSING "missing"
/** Stands for both devices of a leg that a dm-raid volume is without. */
#define KD_PLAN_NO_LEG "-"
/** Follows an address of the network that a DHCP server has lent to this machine. */
#define KD_PLAN_LEASE "lease"
/** Follows the server of a target that is another way to the one before it. */
#define KD_PLAN_ALTERNATIVE "alternative"
/** Separates the rows of a device-mapper table. */
#define KD_PLAN_ROW_END ";"

/** A zeroed plan is allowed. */
void kd_plan_free(struct kd_plan *plan);
static inline void kd_plan_free_cleanup(struct kd_plan *plan)
{
	kd_plan_free(plan);
}

#endif
