/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/major.h>
#include <linux/raid/md_u.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/served_disk.h"
#include "base/text.h"
#include "capture/clock.h"
#include "capture/device.h"
#include "capture/served.h"

#define DM_CONTROL "/dev/mapper/control"
/* The kernel creates an array's device when its name is written here. It takes any "mdNNN" since Linux 4.12
 * (039b7225e6e9 "md: allow creation of mdNNN arrays via md_mod/parameters/new_array"). */
#define MD_NEW_ARRAY "/sys/module/md_mod/parameters/new_array"
#define MD_START_RO  "/sys/module/md_mod/parameters/start_ro" /* 1: an array writes nothing before it is written to */
#define KEY_MAX      4096

enum { DM_ROWS_MAX = 4096, LEGS_MAX = 256, KEY_PATH_SIZE = 300 };

struct assembly {
	const struct kd_sysroot *root;
	const struct kd_plan *plan;
	const struct disks *avoid;
	const struct kd_log *log;
	int64_t deadline;
};

/* --- members ------------------------------------------------------------------------------------------------------ */

static struct kd_error *wait_for_number(const struct assembly *assembly, const char *device, dev_t *ret)
{
	char node[DEVICE_NODE_MAX];
	struct kd_error *err = device_wait(assembly->root, device, DEVICE_BUILD_ON, assembly->avoid, assembly->deadline,
					   assembly->log, node);
	struct stat st;

	if (err)
		return kd_error_wrap(err, "%s", device);
	if (stat(node, &st) < 0)
		return kd_error_os(errno, "%s", node);
	*ret = st.st_rdev;
	return NULL;
}

/* --- device mapper (Linux drivers/md/dm-ioctl.c) ------------------------------------------------------------------ */

static void dm_prepare(struct dm_ioctl *head, size_t size, const char *name)
{
	*head = (struct dm_ioctl){
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = (uint32_t)size,
		.data_start = sizeof(*head),
	};
	strncpy(head->name, name, sizeof(head->name) - 1);
}

static struct kd_error *dm_number(int control, const char *name, dev_t *ret)
{
	struct dm_ioctl head;

	dm_prepare(&head, sizeof(head), name);
	if (ioctl(control, DM_DEV_STATUS, &head) < 0)
		return kd_error_os(errno, "volume %s", name);
	*ret = head.dev;
	return NULL;
}

struct table_context {
	const struct assembly *assembly;
	const char *name; /* of the volume */
	int control;
};

/* The device number of another volume of the plan. */
static struct kd_error *volume_number(const struct table_context *context, const char *name, dev_t *ret)
{
	const struct kd_plan_volume *volume = kd_plan_find_volume(context->assembly->plan, name);
	char node[300];
	struct stat st;

	if (!volume)
		return kd_error_create(KD_ERR_FORMAT, "the plan has no volume %s", name);
	if (strcmp(volume->kind, "dm") == 0)
		return dm_number(context->control, name, ret);
	snprintf(node, sizeof(node), "/dev/%s", name);
	if (stat(node, &st) < 0)
		return kd_error_os(errno, "%s", node);
	*ret = st.st_rdev;
	return NULL;
}

static void key_path(const char *word, char ret[static KEY_PATH_SIZE])
{
	snprintf(ret, KEY_PATH_SIZE, KD_PLAN_KEYS "/%s", word + strlen(KD_PLAN_KEY_PREFIX));
}

static struct kd_error *translate_word(void *arg, const char *word, char **ret)
{
	const struct table_context *context = arg;
	struct kd_error *err;
	dev_t number;
	size_t size;

	if (kd_starts_with(word, KD_PLAN_KEY_PREFIX)) {
		char path[KEY_PATH_SIZE];

		key_path(word, path);
		return kd_read_file(path, KEY_MAX, ret, &size);
	}
	/* What has more conditions is a partition of the volume. */
	if (kd_starts_with(word, KD_PLAN_VOLUME_PREFIX) &&
	    kd_plan_find_volume(context->assembly->plan, word + strlen(KD_PLAN_VOLUME_PREFIX)))
		err = volume_number(context, word + strlen(KD_PLAN_VOLUME_PREFIX), &number);
	else if (kd_device_spec_is(word))
		err = wait_for_number(context->assembly, word, &number);
	else
		return kd_format(ret, "%s", word);
	return err ? err : kd_format(ret, "%u:%u", major(number), minor(number));
}

/* Write one row, and move *words to the KD_PLAN_ROW_END behind it. */
static struct kd_error *put_row(FILE *out, char *const **words,
				struct kd_error *(*translate)(void *arg, const char *word, char **ret), void *arg)
{
	static const char zeros[8];
	_cleanup_secret_ char *parameters = NULL;
	struct dm_target_spec spec = { 0 };
	char *const *word = *words;
	struct kd_error *err = NULL;
	size_t size, padding;
	FILE *text;

	if (!word[0] || !word[1] || !word[2] || strlen(word[2]) >= sizeof(spec.target_type) ||
	    !kd_parse_u64(word[0], 10, (uint64_t *)&spec.sector_start) ||
	    !kd_parse_u64(word[1], 10, (uint64_t *)&spec.length))
		return kd_error_create(KD_ERR_FORMAT, "its table has a malformed row");
	strcpy(spec.target_type, word[2]);
	text = open_memstream(&parameters, &size);
	if (!text)
		return kd_error_nomem();
	for (word += 3; *word && strcmp(*word, KD_PLAN_ROW_END) != 0 && !err; word++) {
		char *translated = NULL;

		err = translate(arg, *word, &translated);
		if (!err)
			fprintf(text, "%s%s", ftell(text) ? " " : "", translated);
		kd_secret_free(translated);
	}
	if (fclose(text) != 0 && !err)
		err = kd_error_nomem();
	if (err)
		return err;
	padding = -(size + 1) % sizeof(zeros);
	spec.next = (uint32_t)(sizeof(spec) + size + 1 + padding);
	fwrite(&spec, sizeof(spec), 1, out);
	fwrite(parameters, size + 1, 1, out);
	fwrite(zeros, padding, 1, out);
	*words = word;
	return NULL;
}

struct kd_error *volumes_dm_table(char *const *words,
				  struct kd_error *(*translate)(void *arg, const char *word, char **ret), void *arg,
				  char **ret, size_t *size_ret, unsigned int *rows_ret)
{
	_cleanup_secret_ char *table = NULL;
	struct kd_error *err = NULL;
	unsigned int rows = 0;
	size_t size;
	FILE *out = open_memstream(&table, &size);

	if (!out)
		return kd_error_nomem();
	do {
		err = put_row(out, &words, translate, arg);
		rows++;
	} while (!err && *words++ && rows < DM_ROWS_MAX);
	if (fclose(out) != 0 && !err)
		err = kd_error_nomem();
	if (err)
		return err;
	*ret = take_ptr(table);
	*size_ret = size;
	*rows_ret = rows;
	return NULL;
}

/* --- dm-raid (Linux drivers/md/dm-raid.c) ------------------------------------------------------------------------- */

/* How many legs of @count @level works without. Raid10's copies may lie on any two of its legs. */
static unsigned int spare_legs(const char *level, unsigned int count)
{
	static const struct {
		const char *level;
		unsigned int spare;
	} levels[] = { { "raid4", 1 }, { "raid5", 1 }, { "raid6", 2 }, { "raid10", 1 } };
	size_t length = strcspn(level, "_"); /* the layout follows */

	if (strcmp(level, "raid1") == 0)
		return count ? count - 1 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strlen(levels[i].level) == length && strncmp(level, levels[i].level, length) == 0)
			return levels[i].spare;
	return 0;
}

/* Legs are not alike while one of them is rebuilt, or the volume is given another form. */
static bool legs_differ(char *const *parameters, size_t count)
{
	static const char *const words[] = { "rebuild", "delta_disks", "data_offset" };

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(words); j++)
			if (strcmp(parameters[i], words[j]) == 0)
				return true;
	return false;
}

static bool is_leg_there(char *const *leg, bool (*there)(void *arg, const char *word), void *arg)
{
	return strcmp(leg[0], KD_PLAN_NO_LEG) != 0 && strcmp(leg[1], KD_PLAN_NO_LEG) != 0 && there(arg, leg[0]) &&
	       there(arg, leg[1]);
}

/* START LENGTH raid LEVEL COUNT PARAMETER… LEGS (METADATA DATA)… */
static unsigned int drop_legs_of_row(char **row, size_t count, bool (*there)(void *arg, const char *word), void *arg)
{
	bool gone[LEGS_MAX] = { false };
	uint64_t parameters, legs;
	unsigned int missing = 0, dropped = 0;
	char **leg;

	if (count < 6 || strcmp(row[2], "raid") != 0 || !kd_parse_u64(row[4], 10, &parameters) ||
	    parameters > count - 6 || !kd_parse_u64(row[5 + parameters], 10, &legs) || legs > LEGS_MAX ||
	    2 * legs != count - 6 - parameters)
		return 0; /* no such row; the kernel tells what is wrong with a bad one */
	leg = row + 6 + parameters;
	for (size_t i = 0; i < legs; i++) {
		gone[i] = !is_leg_there(leg + 2 * i, there, arg);
		missing += gone[i];
	}
	if (legs_differ(row + 5, parameters) || missing > spare_legs(row[3], (unsigned int)legs))
		return 0;
	for (size_t i = 0; i < legs; i++) {
		if (!gone[i])
			continue;
		dropped += strcmp(leg[2 * i], KD_PLAN_NO_LEG) != 0 || strcmp(leg[2 * i + 1], KD_PLAN_NO_LEG) != 0;
		leg[2 * i] = leg[2 * i + 1] = (char *)KD_PLAN_NO_LEG;
	}
	return dropped;
}

unsigned int volumes_drop_legs(char **words, bool (*there)(void *arg, const char *word), void *arg)
{
	unsigned int dropped = 0;

	while (*words) {
		size_t count = 0;

		while (words[count] && strcmp(words[count], KD_PLAN_ROW_END) != 0)
			count++;
		dropped += drop_legs_of_row(words, count, there, arg);
		words += count + (words[count] != NULL);
	}
	return dropped;
}

/* By then every leg has been waited for as long as there is time. */
static bool is_part_there(void *arg, const char *word)
{
	const struct table_context *context = arg;
	_cleanup_free_ char *number = NULL;
	struct kd_error *err = translate_word(arg, word, &number);

	if (err)
		kd_warn(context->assembly->log, "volume %s: %s", context->name, err->text);
	return !kd_error_discard(err);
}

static struct kd_error *dm_table(struct table_context *context, char *const *argv, char **ret, size_t *size,
				 unsigned int *rows)
{
	size_t space = (kd_count_words(argv) + 1) * sizeof(*argv);
	_cleanup_free_ char **words = malloc(space);
	unsigned int dropped;

	if (!words)
		return kd_error_nomem();
	memcpy(words, argv, space);
	dropped = volumes_drop_legs(words, is_part_there, context);
	if (dropped)
		kd_warn(context->assembly->log,
			"%s starts without %u of its legs, which \"lvchange --refresh\" or \"lvconvert --repair\" has to "
			"bring back",
			context->name, dropped);
	return volumes_dm_table(words, translate_word, context, ret, size, rows);
}

static struct kd_error *dm_load(int control, const char *name, const char *table, size_t size, unsigned int rows)
{
	size_t whole = sizeof(struct dm_ioctl) + size;
	_cleanup_secret_ char *data = malloc(whole);
	struct dm_ioctl *head = (void *)data;

	if (!head)
		return kd_error_nomem();
	dm_prepare(head, whole, name);
	head->target_count = rows;
	head->flags = DM_SECURE_DATA_FLAG;
	memcpy(data + sizeof(*head), table, size);
	if (ioctl(control, DM_TABLE_LOAD, head) < 0)
		return kd_error_os(errno, "the kernel refuses its table");
	dm_prepare(head, sizeof(*head), name);
	/* Without DM_SUSPEND_FLAG this call resumes the device, which activates the table. */
	return ioctl(control, DM_DEV_SUSPEND, head) < 0 ? kd_error_os(errno, "cannot activate it") : NULL;
}

/* Nobody needs the keys of @words any more: overwrite them. The file system is memory, and its pages are written in
 * place. */
static void forget_keys(char *const *words)
{
	static const char zeros[KEY_MAX];

	for (; *words; words++) {
		_cleanup_close_ int fd = -1;
		char path[KEY_PATH_SIZE];
		struct stat st;

		if (!kd_starts_with(*words, KD_PLAN_KEY_PREFIX))
			continue;
		key_path(*words, path);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && fstat(fd, &st) == 0 && (size_t)st.st_size <= sizeof(zeros) &&
		    kd_write_all(fd, zeros, (size_t)st.st_size) == 0)
			unlink(path);
	}
}

static struct kd_error *dm_assemble(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	_cleanup_close_ int control = open(DM_CONTROL, O_RDWR | O_CLOEXEC);
	struct table_context context = { assembly, volume->name, control };
	_cleanup_secret_ char *table = NULL;
	struct dm_ioctl head;
	struct kd_error *err;
	unsigned int rows;
	size_t size;
	dev_t number;

	if (control < 0)
		return kd_error_os(errno, DM_CONTROL);
	err = dm_number(control, volume->name, &number);
	if (!err)
		return NULL;
	kd_error_destroy(err);
	err = dm_table(&context, volume->argv, &table, &size, &rows);
	if (err)
		return err;
	dm_prepare(&head, sizeof(head), volume->name);
	if (ioctl(control, DM_DEV_CREATE, &head) < 0)
		return kd_error_os(errno, "cannot create it");
	err = dm_load(control, volume->name, table, size, rows);
	if (err) {
		dm_prepare(&head, sizeof(head), volume->name);
		ioctl(control, DM_DEV_REMOVE, &head);
		return err;
	}
	forget_keys(volume->argv);
	return NULL;
}

/* --- software RAID (Linux drivers/md/md.c) ------------------------------------------------------------------------ */

/* "1.2", "0.90" */
static bool parse_version(const char *text, mdu_array_info_t *ret)
{
	const char *dot = strchr(text, '.');
	char major_text[8] = "";
	uint64_t major_version, minor_version;

	if (!dot || (size_t)(dot - text) >= sizeof(major_text))
		return false;
	memcpy(major_text, text, dot - text);
	if (!kd_parse_u64(major_text, 10, &major_version) || !kd_parse_u64(dot + 1, 10, &minor_version) ||
	    major_version > 1 || minor_version > 90)
		return false;
	*ret = (mdu_array_info_t){ .major_version = (int)major_version, .minor_version = (int)minor_version };
	return true;
}

static void put_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return; /* what needs it reports the error; an array without redundancy has nothing to put in order */
}

/* Start the array, whose members the crash may have left different. It waits for the first write before it does
 * anything, and puts nothing in order until the next boot: that would write to all of it, beside the dump. */
static struct kd_error *md_run(int fd, const char *name)
{
	char path[300];

	put_text(MD_START_RO, "1");
	if (ioctl(fd, RUN_ARRAY, NULL) < 0)
		return kd_error_os(errno, "/dev/%s does not start", name);
	snprintf(path, sizeof(path), "/sys/class/block/%s/md/sync_action", name);
	put_text(path, "frozen");
	return NULL;
}

static struct kd_error *md_add_member(const struct assembly *assembly, int fd, const char *member)
{
	mdu_disk_info_t disk = { 0 };
	dev_t number;
	struct kd_error *err = wait_for_number(assembly, member, &number);

	if (err)
		return err;
	disk.major = (int)major(number);
	disk.minor = (int)minor(number);
	return ioctl(fd, ADD_NEW_DISK, &disk) < 0 ? kd_error_os(errno, "%s", member) : NULL;
}

/* The plan has the members that were in sync when it was made. An array that is written without one of them loses it,
 * even if it was only slow. So each is waited for as long as there is time, and only then does an array start without
 * it. */
static struct kd_error *md_add_members(const struct assembly *assembly, int fd, const char *name, char *const *member)
{
	struct kd_error *first = NULL;
	unsigned int count = 0, missing = 0;

	for (; *member; member++) {
		struct kd_error *err;

		if (strcmp(*member, KD_PLAN_MISSING) == 0)
			continue;
		err = md_add_member(assembly, fd, *member);
		count += !err;
		missing += err != NULL;
		if (err)
			kd_warn(assembly->log, "volume %s: %s", name, err->text);
		if (first)
			kd_error_destroy(err);
		else
			first = err;
	}
	if (!count)
		return first ? first : kd_error_create(KD_ERR_FORMAT, "the plan has none of its members");
	kd_error_destroy(first);
	if (missing)
		kd_warn(assembly->log, "%s starts without %u of its members, which will have to be added again", name,
			missing);
	return NULL;
}

/* LEVEL VERSION MEMBER… */
static struct kd_error *md_assemble(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	_cleanup_close_ int fd = -1;
	mdu_array_info_t info;
	struct kd_error *err;
	char node[300];

	if (!volume->argv[0] || !volume->argv[1] || !parse_version(volume->argv[1], &info))
		return kd_error_create(KD_ERR_FORMAT, "its line in the plan is malformed");
	snprintf(node, sizeof(node), "/dev/%s", volume->name);
	put_text(MD_NEW_ARRAY, volume->name);
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return kd_error_os(errno, "%s", node);
	if (ioctl(fd, GET_ARRAY_INFO, &(mdu_array_info_t){ 0 }) == 0)
		return NULL; /* the array runs already */
	if (ioctl(fd, SET_ARRAY_INFO, &info) < 0)
		return kd_error_os(errno, "%s: metadata %s", node, volume->argv[1]);
	err = md_add_members(assembly, fd, volume->name, volume->argv + 2);
	if (!err)
		err = md_run(fd, volume->name);
	if (err)
		ioctl(fd, STOP_ARRAY, NULL);
	return err;
}

/* --- devices that are parts of a file system ---------------------------------------------------------------------- */

/* Whoever mounts the file system waits for it. */
static struct kd_error *is_there_as_it_is(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	return NULL;
}

/* --- disks of servers --------------------------------------------------------------------------------------------- */

/* One way to the disk is enough, and a second login by the same way would be a second session. */
static bool is_logged_in(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	struct kd_device_name disk;
	_cleanup_free_ char *paths = NULL;
	char node[DEVICE_NODE_MAX];

	return kd_device_name_parse(volume->argv[KD_SERVED_DISK], &disk) &&
	       !kd_error_discard(kd_format(&paths, "PATHS=%s", disk.value)) &&
	       !kd_error_discard(
		       device_wait(assembly->root, paths, DEVICE_BUILD_ON, assembly->avoid, 0, assembly->log, node));
}

static struct kd_error *served_assemble(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	struct kd_error *err;

	if (!kd_served_is(volume))
		return kd_error_create(KD_ERR_FORMAT, "its line in the plan is malformed");
	if (is_logged_in(assembly, volume))
		return NULL;
	err = served_log_in(assembly->plan, (size_t)(volume - assembly->plan->volume), assembly->deadline);
	if (!err)
		forget_keys(volume->argv);
	return err;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static const struct {
	const char *kind;
	struct kd_error *(*assemble)(const struct assembly *assembly, const struct kd_plan_volume *volume);
} kinds[] = {
	{ "dm", dm_assemble },
	{ "md", md_assemble },
	{ KD_PLAN_DEVICE, is_there_as_it_is },
	{ KD_SERVED_ISCSI, served_assemble },
	{ KD_SERVED_NVME, served_assemble },
	{ KD_SERVED_NVME_RDMA, served_assemble },
};

static struct kd_error *assemble(const struct assembly *assembly, const struct kd_plan_volume *volume)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(volume->kind, kinds[i].kind) == 0)
			return kinds[i].assemble(assembly, volume);
	return kd_error_create(KD_ERR_UNSUPPORTED, "the kind %s is unknown", volume->kind);
}

/* The place of the volume that device @word lies on, in the plan; plan->volume_count: it lies on none. */
static size_t volume_below(const struct kd_plan *plan, const char *word)
{
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	const struct kd_plan_volume *volume = NULL;

	if (!kd_error_discard(kd_device_spec_parse(word, &spec)) && spec.value[KD_DEVICE_VOLUME])
		volume = kd_plan_find_volume(plan, spec.value[KD_DEVICE_VOLUME]);
	return volume ? (size_t)(volume - plan->volume) : plan->volume_count;
}

/* Mark what the mount options of the target on @device refer to. */
static void mark_options(const struct kd_plan *plan, const char *device, bool *below)
{
	for (size_t i = 0; i < plan->target_count; i++) {
		const char *option = plan->target[i].options;
		const struct kd_plan_volume *volume;

		if (strcmp(plan->target[i].device, device) != 0)
			continue;
		for (; *option; option += strcspn(option, ","), option += *option == ',')
			if (kd_plan_option_volume(plan, option, &volume) && volume)
				below[volume - plan->volume] = true;
	}
}

/* Mark what device @word lies on. */
static void mark_below(const struct kd_plan *plan, const char *word, bool *below)
{
	below[volume_below(plan, word)] = true;
	for (size_t i = 0; i < plan->volume_count; i++)
		if (kd_served_is_disk(&plan->volume[i], word))
			below[i] = true;
}

bool *volumes_below(const struct kd_plan *plan, const char *device)
{
	bool *below = calloc(plan->volume_count + 1, sizeof(*below));

	if (!below)
		return NULL;
	mark_below(plan, device, below);
	mark_options(plan, device, below);
	/* A line refers only to lines before it. */
	for (size_t i = plan->volume_count; i-- > 0;)
		for (char *const *word = plan->volume[i].argv; below[i] && *word; word++)
			mark_below(plan, *word, below);
	return below;
}

size_t volumes_assemble(const struct kd_sysroot *root, const struct kd_plan *plan, const char *device,
			const struct disks *avoid, int64_t deadline, const struct kd_log *log)
{
	struct assembly assembly = { root, plan, avoid, log, deadline };
	_cleanup_free_ bool *below = volumes_below(plan, device);
	size_t i, missing = 0;

	for (i = 0; i < plan->volume_count; i++) {
		struct kd_error *err;

		if (below && !below[i])
			continue;
		err = assemble(&assembly, &plan->volume[i]);
		missing += err != NULL;
		kd_log_error(log, kd_error_wrap(err, "volume %s", plan->volume[i].name));
	}
	return missing;
}
