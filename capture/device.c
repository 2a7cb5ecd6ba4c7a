/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "capture/device.h"

#include <blkid.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "base/array.h"
#include "base/device_spec.h"
#include "capture/child.h"
#include "capture/clock.h"
#include "capture/uevent.h"

DEFINE_CLEANUP(blkid_probe, blkid_free_probe)

enum { ANSWER_MS = 3000, PENDING_MS = 1000 };

/* OTHER: it is in the place of the one that is meant, but has other contents, or is a path that does not work. */
enum answer { ANSWER_NONE, ANSWER_NO, ANSWER_OTHER, ANSWER_YES };

/* Asked by a child: a dead disk keeps everybody waiting who reads it, for minutes or for ever. */
struct question {
	const struct search *search;
	char name[DISK_NAME_MAX];
	volatile enum answer *answer; /* shared with the child */
};

struct search {
	const struct kd_sysroot *root;
	const char *text;
	struct kd_device_spec spec;
	enum device_use use;
	const struct disks *avoid;
	struct question *pending; /* devices that have not answered yet; owned */
	size_t pending_count;
	char other[DEVICE_NODE_MAX]; /* the last one that answered ANSWER_OTHER; "": none */
	int rank;                    /* of the best path so far */
};

/* --- is it this one? ---------------------------------------------------------------------------------------------- */

static void make_node(const char *name, char node[static DEVICE_NODE_MAX])
{
	char *p;

	snprintf(node, DEVICE_NODE_MAX, "/dev/%s", name);
	for (p = node; (p = strchr(p, '!'));) /* the way /sys writes a slash: cciss!c0d0 */
		*p = '/';
}

/* Can it be device @name, as far as sysfs tells without asking the device? */
static bool is_candidate(const struct search *search, const char *name)
{
	const char *path = search->spec.value[KD_DEVICE_PATH];
	char node[DEVICE_NODE_MAX];

	make_node(name, node);
	if (path && strcmp(node, path) != 0)
		return false;
	if (search->use == DEVICE_MOUNT && kd_device_has_holders(search->root, name))
		return false;
	return !disks_hold(search->avoid, search->root, name);
}

static const struct {
	enum kd_device_key key;
	const char *blkid_name;
	bool any_case; /* UUIDs are written in either case (FAT, NTFS, GPT); labels are not */
	bool partition;
} contents[] = {
	{ KD_DEVICE_UUID, "UUID", true, false },
	{ KD_DEVICE_LABEL, "LABEL", false, false },
	{ KD_DEVICE_UUID_SUB, "UUID_SUB", true, false },
	{ KD_DEVICE_PARTUUID, "PART_ENTRY_UUID", true, true },
	{ KD_DEVICE_PARTLABEL, "PART_ENTRY_NAME", false, true },
};

static bool wants(const struct search *search, bool partition)
{
	bool wanted = false;

	for (size_t i = 0; i < ARRAY_SIZE(contents); i++)
		wanted = wanted || (contents[i].partition == partition && search->spec.value[contents[i].key]);
	return wanted;
}

/* Is the label of the container there that the plan expects? */
static bool has_container(const struct search *search, const char *name)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char node[DEVICE_NODE_MAX];

	if (!search->spec.value[KD_DEVICE_CONTAINER])
		return true;
	make_node(name, node);
	path = kd_sysroot_path(search->root, node);
	fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
	return fd >= 0 && kd_device_has_container(fd, &search->spec);
}

/* Does device @name hold what the plan expects there? libblkid's safe probing tells nothing of a file system on a
 * member of a RAID, nor of contradictory signatures: rather no target than one that is damaged by writing to it. */
static bool has_contents(const struct search *search, const char *name)
{
	_cleanup_(blkid_free_probe) blkid_probe probe = NULL;
	_cleanup_free_ char *path = NULL;
	char node[DEVICE_NODE_MAX];

	if (!wants(search, false) && !wants(search, true))
		return true;
	make_node(name, node);
	path = kd_sysroot_path(search->root, node);
	probe = path ? blkid_new_probe_from_filename(path) : NULL;
	if (!probe)
		return false;
	/* A container may lie on a device whose file system is broken, or that has none. */
	blkid_probe_enable_superblocks(probe, wants(search, false));
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	blkid_probe_enable_partitions(probe, wants(search, true));
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_ENTRY_DETAILS);
	if (blkid_do_safeprobe(probe) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(contents); i++) {
		const char *expected = search->spec.value[contents[i].key], *found;

		if (!expected)
			continue;
		if (blkid_probe_lookup_value(probe, contents[i].blkid_name, &found, NULL) < 0 ||
		    (contents[i].any_case ? strcasecmp(found, expected) : strcmp(found, expected)) != 0)
			return false;
	}
	return true;
}

/* --- paths to one disk -------------------------------------------------------------------------------------------- */

/* What the controller at the end of path @name says of it (Linux drivers/scsi/scsi_sysfs.c, access_state): the higher,
 * the better; 0: it may not be written to. Only disks whose handler is loaded tell. */
static int path_rank(const struct kd_sysroot *root, const char *name)
{
	static const struct {
		const char *state;
		int rank;
	} states[] = { { "active/optimized", 3 }, { "active/non-optimized", 1 } };
	_cleanup_free_ char *state = NULL;

	if (kd_error_discard(kd_sysroot_read_line(root, &state, "/sys/class/block/%s/device/access_state", name)))
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(state, states[i].state) == 0)
			return states[i].rank;
	return 0;
}

/* Can the disk be read by path @name? One that is lost fails, and so does a passive one, whose controller leaves the
 * disk to another. The page cache would answer for them. */
static bool path_works(const struct search *search, const char *name)
{
	_Alignas(4096) char buffer[4096];
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char node[DEVICE_NODE_MAX];

	if (!search->spec.value[KD_DEVICE_PATHS])
		return true;
	make_node(name, node);
	path = kd_sysroot_path(search->root, node);
	fd = path ? open(path, O_RDONLY | O_NONBLOCK | O_DIRECT | O_CLOEXEC) : -1;
	return fd >= 0 && path_rank(search->root, name) && read(fd, buffer, sizeof(buffer)) == sizeof(buffer);
}

/* Is @name better than the paths before it? Devices that are no paths are all alike. */
static bool is_better(struct search *search, const char *name)
{
	int rank = search->spec.value[KD_DEVICE_PATHS] ? path_rank(search->root, name) : 1;
	bool better = rank > search->rank;

	if (better)
		search->rank = rank;
	return better;
}

/* --- asking apart ------------------------------------------------------------------------------------------------- */

static bool names_place(const struct kd_device_spec *spec)
{
	return spec->value[KD_DEVICE_VOLUME] || spec->value[KD_DEVICE_DISK] || spec->value[KD_DEVICE_PATHS] ||
	       spec->value[KD_DEVICE_PATH];
}

static struct kd_error *find_answer(void *arg)
{
	const struct question *question = arg;
	const struct search *search = question->search;

	if (!kd_device_is_place(search->root, question->name, &search->spec))
		*question->answer = ANSWER_NO;
	else if (has_container(search, question->name) && has_contents(search, question->name) &&
		 path_works(search, question->name))
		*question->answer = ANSWER_YES;
	else
		*question->answer = names_place(&search->spec) ? ANSWER_OTHER : ANSWER_NO;
	return NULL;
}

static void forget(struct search *search, struct question *question)
{
	munmap((void *)question->answer, sizeof(*question->answer));
	*question = search->pending[--search->pending_count];
}

static struct question *find_pending(struct search *search, const char *name)
{
	for (size_t i = 0; i < search->pending_count; i++)
		if (strcmp(search->pending[i].name, name) == 0)
			return &search->pending[i];
	return NULL;
}

/* The child goes on, and a disk that only has to spin up answers later. */
static void keep_pending(struct search *search, const struct question *question)
{
	struct question *grown = realloc(search->pending, (search->pending_count + 1) * sizeof(*grown));

	if (!grown)
		return;
	search->pending = grown;
	search->pending[search->pending_count++] = *question;
}

static bool ask(struct search *search, const char *name)
{
	struct question question = { .search = search, .answer = shared_alloc(sizeof(*question.answer)) };
	struct child_job job = {
		.name = name, .run = find_answer, .arg = &question, .deadline = clock_ms() + ANSWER_MS, .spared = true
	};
	struct child_result result;
	bool yes;

	if (!question.answer)
		return false;
	snprintf(question.name, sizeof(question.name), "%s", name);
	kd_error_destroy(child_run(&job, &result));
	if (result.end == CHILD_LEFT) {
		keep_pending(search, &question);
		return false;
	}
	yes = *question.answer == ANSWER_YES;
	if (*question.answer == ANSWER_OTHER)
		make_node(name, search->other);
	munmap((void *)question.answer, sizeof(*question.answer));
	return yes;
}

static bool is_wanted(struct search *search, const char *name)
{
	struct question *pending = find_pending(search, name);

	if (!is_candidate(search, name) || (pending && *pending->answer == ANSWER_NONE))
		return false;
	if (pending)
		forget(search, pending);
	return ask(search, name);
}

static bool has_answers(const struct search *search)
{
	for (size_t i = 0; i < search->pending_count; i++)
		if (*search->pending[i].answer != ANSWER_NONE)
			return true;
	return false;
}

/* --- looking for it ----------------------------------------------------------------------------------------------- */

/* Look at every device. *found: is it there? */
static struct kd_error *scan(struct search *search, bool *found, char node[static DEVICE_NODE_MAX])
{
	_cleanup_closedir_ DIR *dir = kd_sysroot_open_dir(search->root, "/sys/class/block");
	const char *name;
	unsigned int count = 0;

	*found = false;
	search->rank = 0;
	/* Without the directory there is no block device yet; there is one when the first event comes. */
	while (dir && (name = kd_next_entry(dir))) {
		if (!is_wanted(search, name))
			continue;
		count++;
		if (is_better(search, name))
			make_node(name, node);
	}
	if (search->spec.value[KD_DEVICE_PATHS] && !search->rank)
		count = 0; /* it has become passive in the meantime */
	else if (count > 1 && !search->spec.value[KD_DEVICE_PATHS])
		return kd_error_create(KD_ERR_STATE,
				       "%u devices bear %s: none is written, since which is meant cannot be told",
				       count, search->text);
	*found = count > 0;
	return NULL;
}

static bool is_about(struct search *search, const struct uevent *event)
{
	return event->subsystem && event->devname && strcmp(event->subsystem, "block") == 0 &&
	       strcmp(event->action, "remove") != 0 && is_wanted(search, event->devname);
}

static struct kd_error *did_not_appear(const struct search *search)
{
	if (search->pending_count)
		return kd_error_create(KD_ERR_TIMEOUT, "it did not appear, and %s does not answer",
				       search->pending[0].name);
	if (*search->other && search->spec.value[KD_DEVICE_PATHS])
		return kd_error_create(KD_ERR_TIMEOUT, "no path to it works: %s cannot be read, or may not be written",
				       search->other);
	if (*search->other)
		return kd_error_create(KD_ERR_TIMEOUT, "it did not appear: %s is in its place, but has other contents",
				       search->other);
	return kd_error_create(KD_ERR_TIMEOUT, "it did not appear");
}

static struct kd_error *look(struct search *search, int64_t deadline, const struct kd_log *log,
			     char node[static DEVICE_NODE_MAX])
{
	_cleanup_close_ int events = -1;
	char message[8192];
	struct uevent event;
	bool found;
	/* First listen, then look: what appears in between is not missed. */
	struct kd_error *err = uevent_open(&events);

	if (!err)
		err = scan(search, &found, node);
	if (!err && !found && clock_ms() < deadline)
		kd_info(log, "waiting for %s", search->text);
	while (!err && !found) {
		/* Nothing announces that a path works again. */
		bool again = search->spec.value[KD_DEVICE_PATHS] && *search->other;
		int64_t until = search->pending_count || again ? clock_ms() + PENDING_MS : deadline;

		switch (uevent_wait(events, until < deadline ? until : deadline, message, sizeof(message), &event)) {
		case UEVENT_TIMEOUT:
			if (has_answers(search) || again)
				err = scan(search, &found, node);
			if (err || found || clock_ms() < deadline)
				break;
			return did_not_appear(search);
		case UEVENT_LOST:
			err = scan(search, &found, node);
			break;
		case UEVENT_MESSAGE:
			/* There may be another like it by now. */
			if (is_about(search, &event))
				err = scan(search, &found, node);
			break;
		}
	}
	return err;
}

struct kd_error *device_wait(const struct kd_sysroot *root, const char *text, enum device_use use,
			     const struct disks *avoid, int64_t deadline, const struct kd_log *log,
			     char node[static DEVICE_NODE_MAX])
{
	struct search search = { .root = root, .text = text, .use = use, .avoid = avoid };
	struct kd_error *err = kd_device_spec_parse(text, &search.spec);

	if (!err)
		err = look(&search, deadline, log, node);
	while (search.pending_count)
		forget(&search, search.pending);
	free(search.pending);
	kd_device_spec_free(&search.spec);
	return err;
}
