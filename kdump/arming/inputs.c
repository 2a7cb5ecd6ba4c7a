/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/arming/inputs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/block.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/text.h"
#include "initramfs/firmware.h"
#include "initramfs/hash.h"
#include "initramfs/modules.h"
#include "kdump/arming/armed.h"
#include "kdump/loader/memory_map.h"
#include "kdump/network/network.h"
#include "kdump/storage/block.h"
#include "kdump/storage/directory.h"
#include "kdump/storage/mounts.h"
#include "kdump/storage/reserved.h"
#include "kdump/storage/volumes.h"

#define ABSENT "-"

/* *ret := the present identity of @name, owned by the caller; NULL: it cannot be read. */
typedef struct kd_error *identify(const struct kd_sysroot *root, const char *name, char **ret);

/* When does a change make the armed image write where it must not? Then it may stay armed no longer than it takes to
 * make a new one. What is merely old still leaves a dump. */
enum danger {
	DANGER_NEVER,
	DANGER_IF_CHANGED, /* while it is gone, the capture finds nothing, and so writes nothing */
	DANGER_ALWAYS,     /* the image finds its sectors all the same */
};

struct input_kind {
	const char *name;
	identify *identify;
	bool lasting; /* the identity means the same after a reboot */
	enum danger danger;
	const char *meaning;
	const char *remedy; /* where a reload alone does not help */
};

/* Turn an error into an identity: what does not exist is ABSENT, what may not be read has none. */
static struct kd_error *answer(struct kd_error *err, char **ret)
{
	bool hidden = err->errnum == EACCES || err->errnum == EPERM;

	if (!hidden && err->code != KD_ERR_NOT_FOUND && err->errnum != ENOENT && err->errnum != ENOTDIR)
		return err;
	kd_error_destroy(err);
	*ret = NULL;
	return hidden ? NULL : kd_set_text(ret, ABSENT);
}

static struct kd_error *hash_text(const char *text, char **ret)
{
	char hash[HASH_TEXT_SIZE];

	hash_bytes(text, strlen(text), hash);
	return kd_set_text(ret, hash);
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static struct kd_error *by_content(const struct kd_sysroot *root, const char *name, char **ret)
{
	struct kd_error *err = armed_hash_file(root, name, ret);

	return err ? answer(err, ret) : NULL;
}

/* Packages replace files by a rename, editors by a rename or in place: inode, size or time differ then. */
static struct kd_error *by_stat(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_close_ int fd = kd_sysroot_open_file(root, name, O_PATH);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return answer(kd_error_os(errno, "cannot look at %s%s", root->prefix, name), ret);
	return kd_format(ret, "%" PRIu64 "/%" PRIu64 "/%" PRIu64 ".%09ld/%o", (uint64_t)st.st_ino, (uint64_t)st.st_size,
			 (uint64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_mode & 07777);
}

/* Print the name and the stat identity of each entry. */
static struct kd_error *print_entries(const struct kd_sysroot *root, const char *directory,
				      const struct kd_names *names, FILE *out)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < names->count && !err; i++) {
		_cleanup_free_ char *path = path_join(directory, names->name[i]), *identity = NULL;

		err = path ? by_stat(root, path, &identity) : kd_error_nomem();
		fprintf(out, "%s %s\n", names->name[i], identity ? identity : "");
	}
	return err;
}

static struct kd_error *by_entries(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = kd_sysroot_list(root, name, &names);
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out;

	if (err)
		return answer(err, ret);
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	err = print_entries(root, name, &names, out);
	if (fclose(out) && !err)
		err = kd_error_nomem();
	return err ? err : hash_text(text, ret);
}

/* --- the target --------------------------------------------------------------------------------------------------- */

/* Has @node another file system than @name says? udev's link may be old, and a disk or volume is found without its
 * contents, too. */
static struct kd_error *has_other_uuid(const struct kd_sysroot *root, const char *name, const char *node, bool *ret)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	_cleanup_free_ char *uuid = NULL;
	const char *wanted;
	struct kd_error *err = NULL;

	*ret = false;
	/* A path, or a name that an old record has. */
	if (kd_error_discard(kd_device_spec_parse(name, &spec)))
		return NULL;
	wanted = spec.value[KD_DEVICE_UUID];
	if (wanted)
		err = block_uuid(root, node, &uuid);
	if (!err && uuid)
		*ret = strcmp(uuid + strlen("UUID="), wanted) != 0;
	return err;
}

/* The number of the device, if it has that file system. */
static struct kd_error *by_device(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_free_ char *node = NULL, *number = NULL;
	bool other = false;
	struct kd_error *err = kd_block_find(root, name, &node);

	if (!err)
		err = has_other_uuid(root, name, node, &other);
	if (err)
		return answer(err, ret);
	if (other)
		return kd_set_text(ret, ABSENT);
	err = kd_sysroot_read_line(root, &number, "/sys/class/block/%s/dev", strrchr(node, '/') + 1);
	if (err)
		return answer(err, ret);
	return kd_set_text(ret, number);
}

static struct kd_error *by_volume(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = volumes_describe(root, &volumes_live, name, &text);

	if (err && err->errnum == ENXIO) {
		kd_error_destroy(err);
		return kd_set_text(ret, ABSENT);
	}
	return err ? answer(err, ret) : hash_text(text, ret);
}

/* Where a reserved file is. */
static struct kd_error *by_extents(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = reserved_describe(root, name, &text);

	/* It was moved, or lost its protection. */
	if (err && err->code != KD_ERR_NOMEM && err->errnum != EACCES && err->errnum != EPERM) {
		kd_error_destroy(err);
		return kd_set_text(ret, ABSENT);
	}
	return err ? answer(err, ret) : hash_text(text, ret);
}

/* Blanks in mount points and options must not split the word. Nothing parses it again. */
static struct kd_error *mount_identity(const struct mount *mount, const char *options, char **ret)
{
	struct kd_error *err = kd_format(ret, "%u:%u/%s/%s/%s/%s", major(mount->number), minor(mount->number),
					 mount->type, options, mount->root, mount->mount_point);
	char *c;

	if (err)
		return err;
	for (c = *ret; *c; c++)
		if ((unsigned char)*c <= ' ')
			*c = '?';
	return NULL;
}

/* The machine's mount, not that of a sandboxed unit which asks for the state: there everything may be read-only. */
static struct kd_error *by_mount(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(mounts_free) struct mounts mounts = { 0 };
	const struct mount *mount;
	bool exists = directory_exists(root, name); /* first: an automount may mount it now */

	/* If process 1 is hidden nobody can tell. */
	if (kd_error_discard(mounts_load_system(root, &mounts))) {
		*ret = NULL;
		return NULL;
	}
	mount = mounts_find(&mounts, name);
	if (!mount || !exists)
		return kd_set_text(ret, ABSENT);
	return mount_identity(mount, mount->read_only ? "ro" : "rw", ret);
}

/* The lines of the plan that lead to the server. */
static struct kd_error *by_network(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *text = NULL;
	char source[NET_ADDRESS_TEXT];
	struct net_address server;
	struct kd_error *err = kd_plan_init(&plan);

	if (err)
		return err;
	if (!kd_sysroot_is_live(root) || !net_address_parse(name, &server))
		return kd_set_text(ret, ABSENT);
	err = network_resolve(root, &network_live, &server, &plan, source);
	/* Without a route, or with one through a link that cannot be set up, there is no way. */
	if (err && err->code != KD_ERR_NOMEM) {
		kd_error_destroy(err);
		return kd_set_text(ret, ABSENT);
	}
	if (!err)
		err = kd_plan_format(&plan, &text);
	return err ? err : hash_text(text, ret);
}

static struct kd_error *by_fstab(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(mounts_free) struct mounts fstab = { 0 };
	_cleanup_free_ char *node = NULL;
	struct kd_error *err = kd_block_find(root, name, &node);
	size_t i;

	if (!err)
		err = mounts_load_fstab(root, &fstab);
	if (err)
		return answer(err, ret);
	for (i = 0; i < fstab.count; i++) {
		_cleanup_free_ char *source = NULL;

		if (!kd_error_discard(kd_block_find(root, fstab.mount[i].source, &source)) && strcmp(source, node) == 0)
			return mount_identity(&fstab.mount[i], fstab.mount[i].options, ret);
	}
	return kd_set_text(ret, ABSENT);
}

/* --- hardware ----------------------------------------------------------------------------------------------------- */

static struct kd_error *by_cpus(const struct kd_sysroot *root, const char *name, char **ret)
{
	struct kd_error *err = kd_sysroot_read_line(root, ret, "/sys/devices/system/cpu/present");

	return err ? answer(err, ret) : NULL;
}

/* /proc/iomem shows addresses to root only: for other users the identity cannot be read. */
static struct kd_error *by_memory(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(memory_map_free) struct memory_map map = { 0 };
	_cleanup_free_ char *ram = NULL;
	struct kd_error *err = memory_map_read(root, &map);
	size_t size;
	FILE *out;

	if (err && err->code == KD_ERR_STATE) {
		kd_error_destroy(err);
		*ret = NULL;
		return NULL;
	}
	if (err)
		return answer(err, ret);
	out = open_memstream(&ram, &size);
	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < map.ram.count; i++)
		fprintf(out, "%" PRIx64 "-%" PRIx64 "\n", map.ram.range[i].start, map.ram.range[i].end);
	if (fclose(out))
		return kd_error_nomem();
	return hash_text(ram, ret);
}

static bool is_active(const struct kd_sysroot *root, const char *watchdog)
{
	_cleanup_free_ char *state = NULL;

	return !kd_error_discard(kd_sysroot_read_line(root, &state, "/sys/class/watchdog/%s/state", watchdog)) &&
	       strcmp(state, "active") == 0;
}

/* Those that run now, which is what initramfs/drivers.c looks at: "watchdog0,ipmi". */
static struct kd_error *by_watchdogs(const struct kd_sysroot *root, const char *name, char **ret)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	kd_error_destroy(kd_sysroot_list(root, "/sys/class/watchdog", &names)); /* there are none */
	for (size_t i = 0; i < names.count && out; i++)
		if (is_active(root, names.name[i]))
			fprintf(out, "%s,", names.name[i]);
	if (out && kd_sysroot_exists(root, "/sys/module/ipmi_watchdog"))
		fputs("ipmi,", out);
	if (!out || fclose(out))
		return kd_error_nomem();
	if (!size)
		return kd_set_text(ret, ABSENT);
	text[size - 1] = '\0';
	return kd_set_text(ret, text);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define NEW_TARGET "check the target in the configuration (\"lsblk -f\"), then \"kdumpctl reload\""

static const struct input_kind kinds[] = {
	{ INPUT_CONFIG, by_content, true, DANGER_NEVER, "the armed image was made with the old settings", NULL },
	{ INPUT_DROP_INS, by_entries, true, DANGER_NEVER, "the armed image was made with the old settings", NULL },
	{ INPUT_HOOKS, by_entries, true, DANGER_NEVER, "the image holds the old programs", NULL },
	{ INPUT_KERNEL, by_stat, true, DANGER_NEVER, "the loaded kernel differs from the one on the disk", NULL },
	{ INPUT_INITRAMFS, by_stat, true, DANGER_NEVER, "the loaded image differs from the one on the disk", NULL },
	{ INPUT_INDEX, by_content, true, DANGER_NEVER, "the image may hold old modules", NULL },
	{ INPUT_MODULE, by_stat, true, DANGER_NEVER, "the image holds the old module", NULL },
	{ INPUT_FIRMWARE, by_stat, true, DANGER_NEVER, "the image holds the old firmware", NULL },
	{ INPUT_PROGRAM, by_stat, true, DANGER_NEVER, "the image holds the old program", NULL },
	{ INPUT_FILE, by_stat, true, DANGER_NEVER, "the image holds the old file", NULL },
	{ INPUT_RETURN, by_stat, true, DANGER_NEVER,
	  "after a crash the machine would reboot through its firmware, not by kexec", NULL },
	{ INPUT_DEVICE, by_device, false, DANGER_IF_CHANGED, "the capture kernel will not find the dump target",
	  NEW_TARGET },
	{ INPUT_VOLUME, by_volume, false, DANGER_ALWAYS,
	  "a dump could be written into sectors that belong to others now", NULL },
	{ INPUT_RESERVED, by_extents, false, DANGER_ALWAYS,
	  "a dump could be written into sectors that belong to others now",
	  "\"kdumpctl prepare\" protects the file again" },
	{ INPUT_MOUNT, by_mount, false, DANGER_NEVER, "a dump may go to another place than the configuration says",
	  NEW_TARGET },
	{ INPUT_NETWORK, by_network, false, DANGER_NEVER, "the capture kernel may not reach the server", NULL },
	{ INPUT_FSTAB, by_fstab, false, DANGER_NEVER, "a dump may go to another place than the configuration says",
	  NULL },
	{ INPUT_CPUS, by_cpus, false, DANGER_NEVER, "a dump would lack the registers of added CPUs", NULL },
	{ INPUT_MEMORY, by_memory, false, DANGER_NEVER, "a dump would miss added memory, or fail on removed memory",
	  NULL },
	{ INPUT_WATCHDOG, by_watchdogs, true, DANGER_NEVER,
	  "the capture kernel does not pet what runs now, and the watchdog may reset the machine before the dump is saved",
	  NULL },
};

static const struct input_kind *find_kind(const char *name, size_t length)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, name, length) == 0)
			return &kinds[i];
	return NULL;
}

const char *inputs_kind(const struct input *input)
{
	return input->kind->name;
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static bool contains(const struct inputs *inputs, const struct input_kind *kind, const char *name)
{
	size_t i;

	for (i = 0; i < inputs->count; i++)
		if (inputs->input[i].kind == kind && strcmp(inputs->input[i].name, name) == 0)
			return true;
	return false;
}

/* Takes ownership of @identity. */
static struct kd_error *append(struct inputs *inputs, const struct input_kind *kind, const char *name, char *identity)
{
	struct input *grown = realloc(inputs->input, (inputs->count + 1) * sizeof(*grown));
	char *own = strdup(name);

	if (grown)
		inputs->input = grown;
	if (!grown || !own) {
		free(own);
		free(identity);
		return kd_error_nomem();
	}
	grown[inputs->count++] = (struct input){ kind, own, identity };
	return NULL;
}

struct kd_error *inputs_add(const struct kd_sysroot *root, struct inputs *inputs, const char *kind, const char *name)
{
	const struct input_kind *row = find_kind(kind, strlen(kind));
	char *identity = NULL;
	struct kd_error *err;

	assert(row); /* else @kind is none of INPUT_* */
	/* The record has one line per input, so a name must not have a newline. */
	if (contains(inputs, row, name) || strchr(name, '\n'))
		return NULL;
	err = row->identify(root, name, &identity);
	return err || !identity ? err : append(inputs, row, name, identity);
}

struct kd_error *inputs_add_plan(const struct kd_sysroot *root, struct inputs *inputs, const struct kd_plan *plan)
{
	static const char *const directories[] = { KD_SYSCONFDIR "/kdump/pre.d", KD_SYSCONFDIR "/kdump/post.d",
						   KD_SYSCONFDIR "/kdump/emergency.d" };
	struct kd_error *err = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories) && !err; i++)
		err = inputs_add(root, inputs, INPUT_HOOKS, directories[i]);
	for (i = 0; i < plan->hook_count && !err; i++)
		err = inputs_add(root, inputs, INPUT_PROGRAM, plan->hook[i].argv[0]);
	if (!err && plan->collector.kind != KD_COLLECTOR_BUILT_IN)
		err = inputs_add(root, inputs, INPUT_PROGRAM, plan->collector.argv[0]);
	if (!err && *plan->collector.erase_config)
		err = inputs_add(root, inputs, INPUT_CONFIG, plan->collector.erase_config);
	for (i = 0; i < plan->target_count && !err; i++)
		err = inputs_add(root, inputs, INPUT_DEVICE, plan->target[i].device);
	return err;
}

/* "/lib/modules/virtio_pci.ko.gz" in the image is module "virtio_pci". */
static char *module_name(const char *file)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	return strndup(base, strcspn(base, "."));
}

struct kd_error *inputs_add_modules(const struct kd_sysroot *root, struct inputs *inputs, const struct kd_plan *plan)
{
	_cleanup_(modules_close) struct modules *modules = NULL;
	_cleanup_(firmware_free) struct firmware firmware = { 0 };
	_cleanup_free_ char *index = NULL;
	const struct module_file *file;
	struct kd_error *err;
	size_t i, count;
	bool found;

	err = kd_format(&index, "/lib/modules/%s/modules.dep", plan->kernel_release);
	if (err)
		return err;
	err = inputs_add(root, inputs, INPUT_INDEX, index);
	if (!err)
		err = modules_open(root, plan->kernel_release, &modules);
	for (i = 0; i < plan->module_count && !err; i++) {
		_cleanup_free_ char *name = module_name(plan->module[i].file);

		err = name ? modules_add(modules, name, &found) : kd_error_nomem();
	}
	if (err)
		return err;
	file = modules_list(modules, &count);
	for (i = 0; i < count && !err; i++)
		err = inputs_add(root, inputs, INPUT_MODULE, file[i].path + strlen(root->prefix));
	if (!err)
		err = firmware_find(root, plan->kernel_release, modules, &firmware);
	for (i = 0; i < firmware.count && !err; i++)
		err = inputs_add(root, inputs, INPUT_FIRMWARE, firmware.file[i].path);
	return err;
}

/* Linux 6.6: 1 if the kernel updates the elfcorehdr of the loaded image (Documentation/ABI/testing/sysfs-devices-*). */
static bool kernel_follows(const struct kd_sysroot *root, const char *hardware)
{
	uint64_t value = 0;

	kd_error_destroy(kd_sysroot_read_u64(root, 10, &value, "/sys/devices/system/%s/crash_hotplug", hardware));
	return value == 1;
}

struct kd_error *inputs_add_hardware(const struct kd_sysroot *root, struct inputs *inputs)
{
	struct kd_error *err = NULL;

	if (!kernel_follows(root, "cpu"))
		err = inputs_add(root, inputs, INPUT_CPUS, "CPUs");
	if (!err && !kernel_follows(root, "memory"))
		err = inputs_add(root, inputs, INPUT_MEMORY, "memory");
	return err;
}

struct kd_error *inputs_recall(const struct kd_sysroot *root, const struct inputs *kept, struct inputs *ret)
{
	struct kd_error *err = NULL;

	for (size_t i = 0; i < kept->count && !err; i++) {
		const struct input *input = &kept->input[i];
		char *identity;

		if (!input->kind->lasting) {
			err = inputs_add(root, ret, input->kind->name, input->name);
			continue;
		}
		identity = strdup(input->identity);
		err = identity ? append(ret, input->kind, input->name, identity) : kd_error_nomem();
	}
	return err;
}

void inputs_print(const struct inputs *inputs, FILE *out)
{
	size_t i;

	for (i = 0; i < inputs->count; i++)
		fprintf(out, "input %s %s %s\n", inputs->input[i].kind->name, inputs->input[i].identity,
			inputs->input[i].name);
}

struct kd_error *inputs_parse_line(const char *line, struct inputs *inputs)
{
	const char *identity = strchr(line, ' '), *name = identity ? strchr(identity + 1, ' ') : NULL;
	const struct input_kind *kind;
	char *word;

	if (!name || name == identity + 1 || !name[1])
		return kd_error_create(KD_ERR_FORMAT, "not an \"input KIND IDENTITY NAME\" line: %s", line);
	kind = find_kind(line, identity - line);
	if (!kind)
		return NULL;
	word = strndup(identity + 1, name - identity - 1);
	return word ? append(inputs, kind, name + 1, word) : kd_error_nomem();
}

void inputs_free(struct inputs *inputs)
{
	size_t i;

	for (i = 0; i < inputs->count; i++) {
		free(inputs->input[i].name);
		free(inputs->input[i].identity);
	}
	free(inputs->input);
	*inputs = (struct inputs){ 0 };
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static const char *describe(const char *before, const char *now)
{
	if (!now)
		return "has been unreadable";
	if (strcmp(now, ABSENT) == 0)
		return "has disappeared";
	return strcmp(before, ABSENT) != 0 ? "has changed" : "has appeared";
}

static bool is_dangerous(const struct input_kind *kind, const char *now)
{
	return kind->danger == DANGER_ALWAYS || (kind->danger == DANGER_IF_CHANGED && now && strcmp(now, ABSENT) != 0);
}

struct kd_error *inputs_compare(const struct kd_sysroot *root, const struct inputs *inputs, struct input_change **ret,
				size_t *count_ret)
{
	_cleanup_free_ struct input_change *change = calloc(inputs->count + 1, sizeof(*change));
	bool private = mounts_are_private(root);
	size_t i, count = 0;

	if (!change)
		return kd_error_nomem();
	for (i = 0; i < inputs->count; i++) {
		const struct input *input = &inputs->input[i];
		_cleanup_free_ char *now = NULL;
		struct kd_error *err = input->kind->identify(root, input->name, &now);
		bool failed = err != NULL;

		if (err && err->code == KD_ERR_NOMEM)
			return err;
		/* One input that cannot be checked must not hide the changes of the others. */
		kd_error_destroy(err);
		if (!failed && (!now || strcmp(now, input->identity) == 0))
			continue;
		/* It may only be hidden from this process. */
		if (private && (failed || strcmp(now, ABSENT) == 0))
			continue;
		change[count++] = (struct input_change){
			.kind = input->kind->name,
			.name = input->name,
			.how = describe(input->identity, now),
			.dangerous = is_dangerous(input->kind, now),
			.meaning = input->kind->meaning,
			.remedy = input->kind->remedy ? input->kind->remedy :
							"\"kdumpctl reload\" brings the image up to date",
		};
	}
	*ret = take_ptr(change);
	*count_ret = count;
	return NULL;
}
