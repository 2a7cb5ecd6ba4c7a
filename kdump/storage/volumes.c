/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/storage/volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "kdump/storage/block.h"
#include "kdump/storage/crypttab.h"
#include "kdump/storage/dm_table.h"
#include "kdump/storage/luks.h"
#include "kdump/storage/served.h"

#define DEPTH_MAX 8
#define WORDS_MAX 500 /* of one volume; a line of the plan takes 510 */

struct resolving {
	const struct kd_sysroot *root;
	const struct kd_log *log;
	const struct volumes_source *source;
	struct kd_plan *plan;
};

/* --- words -------------------------------------------------------------------------------------------------------- */

struct words {
	char *word[WORDS_MAX + 1]; /* NULL-terminated */
	size_t count;
};

static void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
}
static inline void words_release_cleanup(struct words *words)
{
	words_release(words);
}

/* Take over @word; NULL means that there was no memory for it. */
static struct kd_error *words_take(struct words *words, char *word)
{
	if (!word)
		return kd_error_nomem();
	if (words->count == WORDS_MAX) {
		free(word);
		return kd_error_create(KD_ERR_LIMIT, "its table has too many words");
	}
	words->word[words->count++] = word;
	return NULL;
}

static struct kd_error *words_add(struct words *words, const char *word)
{
	return words_take(words, strdup(word));
}

/* --- below a device ----------------------------------------------------------------------------------------------- */

struct lower {
	char *node;      /* "/dev/vda3" */
	char *number;    /* "252:3" */
	char *reference; /* its name in the plan */
};

struct lowers {
	struct lower lower[64];
	size_t count;
	bool redundant; /* the volume works without some of them */
};

static void lowers_release(struct lowers *lowers)
{
	for (size_t i = 0; i < lowers->count; i++) {
		free(lowers->lower[i].node);
		free(lowers->lower[i].number);
		free(lowers->lower[i].reference);
	}
}
static inline void lowers_release_cleanup(struct lowers *lowers)
{
	lowers_release(lowers);
}

static char *dm_name(const struct kd_sysroot *root, const char *name)
{
	char *dm = NULL;

	kd_error_destroy(kd_sysroot_read_line(root, &dm, "/sys/class/block/%s/dm/name", name));
	return dm;
}

/* A volume is referred to by its name, any other device by its UUID. */
static struct kd_error *refer(const struct resolving *resolving, const char *name, const char *node, char **ret)
{
	_cleanup_free_ char *dm = dm_name(resolving->root, name);
	const char *volume = dm ? dm : name;

	if (kd_plan_find_volume(resolving->plan, volume))
		return kd_format(ret, KD_PLAN_VOLUME_PREFIX "%s", volume);
	return block_identity(resolving->root, resolving->log, node, ret);
}

/* The names of the devices below @name, in order, so that the same machine always gets the same plan. */
static struct kd_error *find_slaves(const struct kd_sysroot *root, const char *name, struct kd_names *slaves)
{
	_cleanup_free_ char *path = NULL;
	struct kd_error *err = kd_format(&path, "/sys/class/block/%s/slaves", name);

	if (err)
		return err;
	kd_error_destroy(kd_sysroot_list(root, path, slaves)); /* it has none */
	return NULL;
}

/* Has @table a row of @type? */
static bool has_row(const char *table, const char *type)
{
	char found[32];

	for (; *table; table += strcspn(table, "\n"), table += *table == '\n')
		if (sscanf(table, "%*[0-9] %*[0-9] %31[^ \n]", found) == 1 && strcmp(found, type) == 0)
			return true;
	return false;
}

/* Does @name lie on a disk that is gone? LVM puts a row "error" in its place when it activates a volume without it. */
static bool is_gone(const struct resolving *resolving, const char *name, unsigned int depth)
{
	_cleanup_free_ char *dm = dm_name(resolving->root, name), *number = NULL;
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	_cleanup_secret_ char *table = NULL;
	bool gone = false;

	if (kd_error_discard(kd_sysroot_read_line(resolving->root, &number, "/sys/class/block/%s/dev", name)))
		return true;
	if (dm && !kd_error_discard(resolving->source->table(resolving->root, dm, &table)) && has_row(table, "error"))
		return true;
	if (depth == DEPTH_MAX || kd_error_discard(find_slaves(resolving->root, name, &slaves)))
		return false; /* resolve() tells of it */
	for (size_t i = 0; i < slaves.count && !gone; i++)
		gone = is_gone(resolving, slaves.name[i], depth + 1);
	return gone;
}

static struct kd_error *resolve(const struct resolving *resolving, const char *name, unsigned int depth);

/* A leg that the volume already works without. */
static struct kd_error *add_gone(const struct resolving *resolving, const char *name, struct lower *lower)
{
	_cleanup_free_ char *dm = dm_name(resolving->root, name);
	struct kd_error *err;

	kd_warn(resolving->log, "%s is on a disk that is gone; the capture starts the volume without it",
		dm ? dm : name);
	err = kd_sysroot_read_line(resolving->root, &lower->number, "/sys/class/block/%s/dev", name);
	return err ? err : kd_set_text(&lower->reference, KD_PLAN_NO_LEG);
}

static struct kd_error *add_lower(const struct resolving *resolving, const char *name, unsigned int depth,
				  struct lowers *lowers)
{
	struct lower *lower = &lowers->lower[lowers->count];
	struct kd_error *err;

	if (lowers->count == ARRAY_SIZE(lowers->lower))
		return kd_error_create(KD_ERR_LIMIT, "it consists of more than %zu devices", lowers->count);
	if (lowers->redundant && is_gone(resolving, name, depth + 1)) {
		lowers->count++;
		return add_gone(resolving, name, lower);
	}
	err = resolve(resolving, name, depth + 1);
	if (err)
		return err;
	lowers->count++;
	err = kd_format(&lower->node, "/dev/%s", name);
	if (err)
		return err;
	err = kd_sysroot_read_line(resolving->root, &lower->number, "/sys/class/block/%s/dev", name);
	return err ? err : refer(resolving, name, lower->node, &lower->reference);
}

/* Resolve the devices below @name that are @wanted (NULL: all). */
static struct kd_error *find_lowers(const struct resolving *resolving, const char *name, unsigned int depth,
				    bool (*wanted)(const struct kd_sysroot *root, const char *upper, const char *lower),
				    struct lowers *lowers)
{
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	struct kd_error *err = find_slaves(resolving->root, name, &slaves);

	for (size_t i = 0; i < slaves.count && !err; i++)
		if (!wanted || wanted(resolving->root, name, slaves.name[i]))
			err = add_lower(resolving, slaves.name[i], depth, lowers);
	return err;
}

/* --- device mapper ------------------------------------------------------------------------------------------------ */

static bool is_number(const char *word)
{
	unsigned int number[2];
	int end = 0;

	return sscanf(word, "%u:%u%n", &number[0], &number[1], &end) == 2 && !word[end];
}

/* "252:3" → "UUID=…". A number that is none of the devices below is that of a disk that is gone; in the capture kernel
 * it may be another one's. */
static struct kd_error *put_word(const struct lowers *lowers, const char *word, struct words *words)
{
	for (size_t i = 0; i < lowers->count; i++)
		if (strcmp(lowers->lower[i].number, word) == 0)
			return words_add(words, lowers->lower[i].reference);
	if (is_number(word))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"its device-mapper table names device %s, which this machine does not have any more: "
			"repair the volume, or choose a dump target on another one",
			word);
	return words_add(words, word);
}

/* Translate a line of the table into words of the plan. */
static struct kd_error *put_row(const struct resolving *resolving, const char *name, char *line,
				const struct lowers *lowers, struct words *words)
{
	struct kd_error *err = words->count ? words_add(words, KD_PLAN_ROW_END) : NULL;
	size_t first = words->count;
	char *word;

	while (!err && (word = strsep(&line, " "))) {
		size_t place = words->count - first;
		char *key = NULL;

		if (!*word)
			continue;
		if (place == DM_CRYPT_KEY && strcmp(words->word[first + 2], "crypt") == 0) {
			err = kd_format(&key, KD_PLAN_KEY_PREFIX "%s", name);
			if (!err)
				err = words_take(words, key);
		} else {
			err = put_word(lowers, word, words);
		}
	}
	if (!err && words->count - first < 3)
		err = kd_error_create(KD_ERR_FORMAT, "a row of its device-mapper table is too short");
	return err;
}

/* The table of a re-encryption that waits to be continued looks like any other; the header below tells. */
static struct kd_error *check_header(const struct resolving *resolving, const char *name, const struct lowers *lowers)
{
	_cleanup_free_ char *uuid = NULL;
	struct kd_error *err = NULL;

	if (kd_error_discard(kd_sysroot_read_line(resolving->root, &uuid, "/sys/class/block/%s/dm/uuid", name)) ||
	    !kd_starts_with(uuid, "CRYPT-LUKS2-"))
		return NULL;
	for (size_t i = 0; i < lowers->count && !err; i++)
		err = luks_check(resolving->root, lowers->lower[i].node);
	return err;
}

/* All paths of @name, a multipath device, lead to one disk. *ret: what it is. */
static struct kd_error *find_paths(const struct resolving *resolving, const char *name, char **ret)
{
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	_cleanup_(kd_device_spec_free) struct kd_device_spec spec = { 0 };
	char **disk = &spec.value[KD_DEVICE_PATHS];
	struct kd_error *err = find_slaves(resolving->root, name, &slaves);

	for (size_t i = 0; i < slaves.count && !err; i++) {
		const char *path = slaves.name[i];
		_cleanup_free_ char *identity = NULL;

		err = served_resolve(resolving->root, path, resolving->plan);
		if (!err)
			err = kd_disk_identity(resolving->root, path, &identity);
		if (!err && (!identity || (*disk && strcmp(*disk, identity) != 0)))
			err = kd_error_create(
				KD_ERR_UNSUPPORTED,
				"its path /dev/%s tells %s%s, so that the capture cannot know that the paths "
				"lead to one disk: choose a dump target on another one",
				path, identity ? "another disk: " : "no World Wide Identifier",
				identity ? identity : "");
		if (!err && !*disk)
			*disk = take_ptr(identity);
	}
	if (!err && !*disk)
		err = kd_error_create(KD_ERR_STATE, "no path to its disk is left: \"multipath -ll\" shows its paths");
	return err ? err : kd_device_spec_format(&spec, ret);
}

/* The capture needs one path that works, by which it reaches all of the disk; it finds it when it is there. */
static struct kd_error *resolve_multipath(const struct resolving *resolving, const char *name, const char *dm,
					  const char *table)
{
	_cleanup_free_ char *paths = NULL;
	char length[32];
	struct kd_error *err;

	if (sscanf(table, "0 %31[0-9] ", length) != 1)
		return kd_error_create(KD_ERR_FORMAT, "its device-mapper table is malformed");
	err = find_paths(resolving, name, &paths);
	return err ? err :
		     kd_plan_add_volume(resolving->plan, "dm", dm,
					(char *[]){ (char *)"0", length, (char *)"linear", paths, (char *)"0", NULL });
}

static struct kd_error *resolve_dm(const struct resolving *resolving, const char *name, const char *dm,
				   unsigned int depth)
{
	_cleanup_(lowers_release) struct lowers lowers = { 0 };
	_cleanup_(words_release) struct words words = { 0 };
	_cleanup_secret_ char *table = NULL;
	struct kd_error *err;
	char *line, *cursor;

	err = resolving->source->table(resolving->root, dm, &table);
	if (!err)
		err = dm_table_check(table);
	if (!err && has_row(table, "multipath"))
		return resolve_multipath(resolving, name, dm, table);
	lowers.redundant = !err && has_row(table, "raid");
	if (!err)
		err = find_lowers(resolving, name, depth, NULL, &lowers);
	if (!err)
		err = check_header(resolving, name, &lowers);
	if (!err && has_row(table, "crypt"))
		err = crypttab_check_lasting(resolving->root, dm);
	for (cursor = table; !err && (line = strsep(&cursor, "\n"));)
		if (*line)
			err = put_row(resolving, dm, line, &lowers, &words);
	if (!err && !words.count)
		err = kd_error_create(KD_ERR_STATE, "its device-mapper table is empty");
	return err ? err : kd_plan_add_volume(resolving->plan, "dm", dm, words.word);
}

/* --- software RAID ------------------------------------------------------------------------------------------------ */

/* Does array @array need @lower? One that has failed and a spare have nothing that the others lack. A journal holds the
 * newest data (Linux drivers/md/md.c, state_show()). */
static bool is_member(const struct kd_sysroot *root, const char *array, const char *lower)
{
	_cleanup_free_ char *state = NULL;

	if (kd_error_discard(kd_sysroot_read_line(root, &state, "/sys/class/block/%s/md/dev-%s/state", array, lower)))
		return true; /* nothing speaks against it */
	return strstr(state, "in_sync") || (strstr(state, "journal") && !strstr(state, "faulty"));
}

/* How many members the array is without. Levels without redundancy do not have the attribute. */
static unsigned int degraded(const struct kd_sysroot *root, const char *array)
{
	uint64_t count = 0;

	kd_error_destroy(kd_sysroot_read_u64(root, 10, &count, "/sys/class/block/%s/md/degraded", array));
	return count < WORDS_MAX ? (unsigned int)count : WORDS_MAX;
}

/* Members of the oldest metadata (0.90) have the array's UUID and none of their own. On disks that tell no serial
 * number nothing else tells them apart. */
static struct kd_error *check_new_member(const struct words *words, const char *member, const char *node)
{
	for (size_t i = 0; i < words->count; i++)
		if (strcmp(words->word[i], member) == 0)
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"its member %s cannot be told from another one, as both are %s: give the disks "
				"serial numbers, make the array anew with metadata 1.2, or choose a dump target "
				"on another volume",
				node, member);
	return NULL;
}

/* Raid4, raid5 and raid6 refuse to start degraded when the crash interrupted a write (Linux drivers/md/raid5.c, "cannot
 * start dirty degraded array"): parity and data may disagree, and with a member less nobody can tell. */
static struct kd_error *put_missing(const struct resolving *resolving, const char *name, const char *level,
				    struct words *words)
{
	unsigned int missing = degraded(resolving->root, name);
	bool parity = kd_starts_with(level, "raid4") || kd_starts_with(level, "raid5") ||
		      kd_starts_with(level, "raid6");
	struct kd_error *err = NULL;

	if (missing)
		kd_warn(resolving->log, "%s lacks %u of its members; the capture starts it without them%s", name,
			missing,
			parity ? ", but the kernel refuses that if the crash interrupts a write: add a disk" : "");
	for (unsigned int i = 0; i < missing && !err; i++)
		err = words_add(words, KD_PLAN_MISSING);
	return err;
}

/* Is the array being given another form? The attribute has "none", or how far that has come (Linux drivers/md/md.c,
 * reshape_position_show()). */
static bool is_reshaped(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *position = NULL;

	kd_error_destroy(kd_sysroot_read_line(root, &position, "/sys/class/block/%s/md/reshape_position", name));
	return position && strcmp(position, "none") != 0;
}

/* A reshape goes on as soon as the array runs. Only mdadm, which the capture kernel does not have, keeps a copy of the
 * sectors that are on their way (mdadm(8), --backup-file). The locks of a cluster need its programs. */
static struct kd_error *check_use(const struct kd_sysroot *root, const char *name)
{
	_cleanup_free_ char *bitmap = NULL;

	if (is_reshaped(root, name))
		return kd_error_create(
			KD_ERR_UNSUPPORTED,
			"%s is being reshaped, and a capture kernel would go on with that without mdadm: "
			"wait until /proc/mdstat shows that it is done, or choose another dump target",
			name);
	kd_error_destroy(kd_sysroot_read_line(root, &bitmap, "/sys/class/block/%s/md/bitmap/metadata", name));
	if (bitmap && strcmp(bitmap, "clustered") == 0)
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "%s is shared by the machines of a cluster, whose locks the capture kernel does "
				       "not have: choose another dump target",
				       name);
	return NULL;
}

static struct kd_error *resolve_md(const struct resolving *resolving, const char *name, unsigned int depth)
{
	_cleanup_free_ char *level = NULL, *version = NULL;
	_cleanup_(lowers_release) struct lowers lowers = { 0 };
	_cleanup_(words_release) struct words words = { 0 };
	struct kd_error *err;

	err = kd_sysroot_read_line(resolving->root, &level, "/sys/class/block/%s/md/level", name);
	if (!err)
		err = kd_sysroot_read_line(resolving->root, &version, "/sys/class/block/%s/md/metadata_version", name);
	if (err)
		return err;
	if (version[0] != '0' && version[0] != '1')
		return kd_error_create(KD_ERR_UNSUPPORTED,
				       "%s has \"%s\" metadata, which a program in user space manages: the "
				       "capture cannot assemble it; choose another target",
				       name, version);
	err = check_use(resolving->root, name);
	if (!err)
		err = find_lowers(resolving, name, depth, is_member, &lowers);
	if (!err)
		err = words_add(&words, level);
	if (!err)
		err = words_add(&words, version);
	for (size_t i = 0; i < lowers.count && !err; i++) {
		char *member = NULL;

		err = block_identity(resolving->root, resolving->log, lowers.lower[i].node, &member);
		if (!err)
			err = check_new_member(&words, member, lowers.lower[i].node);
		if (!err)
			err = words_take(&words, member);
		else
			free(member);
	}
	if (!err)
		err = put_missing(resolving, name, level, &words);
	return err ? err : kd_plan_add_volume(resolving->plan, "md", name, words.word);
}

static struct kd_error *resolve(const struct resolving *resolving, const char *name, unsigned int depth)
{
	_cleanup_free_ char *whole = NULL, *dm = NULL, *level = NULL;
	struct kd_error *err;

	if (depth == DEPTH_MAX)
		return kd_error_create(KD_ERR_UNSUPPORTED, "%s consists of more than %d layers of devices", name,
				       depth);
	err = kd_whole_disk(resolving->root, name, &whole);
	if (err)
		return err;
	dm = dm_name(resolving->root, whole);
	if (kd_plan_find_volume(resolving->plan, dm ? dm : whole))
		return NULL;
	if (dm)
		return kd_error_wrap(resolve_dm(resolving, whole, dm, depth), "volume %s", dm);
	kd_error_destroy(kd_sysroot_read_line(resolving->root, &level, "/sys/class/block/%s/md/level", whole));
	return level ? kd_error_wrap(resolve_md(resolving, whole, depth), "volume %s", whole) :
		       served_resolve(resolving->root, whole, resolving->plan);
}

/* A device that the target's file system needs beside its own. */
static struct kd_error *resolve_part(const struct resolving *resolving, const struct target_part *part)
{
	_cleanup_free_ char *identity = NULL;
	struct kd_error *err = resolve(resolving, strrchr(part->node, '/') + 1, 0);

	if (!err && kd_plan_find_volume(resolving->plan, part->name))
		return NULL; /* another target is on the same file system */
	if (!err)
		err = block_identity(resolving->root, resolving->log, part->node, &identity);
	if (!err)
		err = kd_plan_add_volume(resolving->plan, KD_PLAN_DEVICE, part->name, (char *[]){ identity, NULL });
	return kd_error_wrap(err, "its %s %s", part->option, part->node);
}

struct kd_error *volumes_resolve(const struct kd_sysroot *root, const struct kd_log *log,
				 const struct volumes_source *source, const struct target *target, struct kd_plan *plan)
{
	const struct resolving resolving = { root, log, source, plan };

	struct kd_error *err = NULL;

	if (!target->node)
		return NULL;
	err = resolve(&resolving, strrchr(target->node, '/') + 1, 0);
	for (size_t i = 0; i < TARGET_PARTS && target->part[i].node && !err; i++)
		err = resolve_part(&resolving, &target->part[i]);
	return kd_error_wrap(err, "dump target %s", target->node);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* Print the table without the keys of encrypted rows, and without the paths of a multipath device: they come and go,
 * and the capture looks for one that works. */
static void describe_dm(char *table, FILE *out)
{
	char *line, *word;

	while ((line = strsep(&table, "\n"))) {
		bool encrypted = false, multipath = false;

		for (size_t place = 0; !multipath && (word = strsep(&line, " ")); place++) {
			multipath = place == 2 && strcmp(word, "multipath") == 0;
			encrypted = encrypted || (place == 2 && strcmp(word, "crypt") == 0);
			if (!encrypted || place != DM_CRYPT_KEY)
				fprintf(out, "%s ", word);
		}
		fputc('\n', out);
	}
}

static struct kd_error *describe_md(const struct kd_sysroot *root, const char *name, const char *level, FILE *out)
{
	_cleanup_(kd_names_free) struct kd_names slaves = { 0 };
	struct kd_error *err = find_slaves(root, name, &slaves);

	fprintf(out, "%s%s", level, is_reshaped(root, name) ? " reshape" : "");
	for (size_t i = 0; i < slaves.count; i++)
		if (is_member(root, name, slaves.name[i]))
			fprintf(out, " %s", slaves.name[i]);
	return err;
}

struct kd_error *volumes_describe(const struct kd_sysroot *root, const struct volumes_source *source, const char *name,
				  char **ret)
{
	_cleanup_free_ char *level = NULL, *text = NULL;
	_cleanup_secret_ char *table = NULL;
	struct kd_error *err = NULL;
	size_t size;
	FILE *out;

	kd_error_destroy(kd_sysroot_read_line(root, &level, "/sys/class/block/%s/md/level", name));
	if (!level)
		err = source->table(root, name, &table);
	if (err)
		return err;
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	if (level)
		err = describe_md(root, name, level, out);
	else
		describe_dm(table, out);
	if (fclose(out) != 0 && !err)
		err = kd_error_nomem();
	if (err)
		return err;
	*ret = take_ptr(text);
	return NULL;
}
