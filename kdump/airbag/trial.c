/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/airbag/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/proc.h"
#include "base/record.h"
#include "base/text.h"
#include "kdump/airbag/airbag.h"
#include "kdump/loader/loader.h"

/* Words for the trial alone: faults become panics, and a panic ends. A kernel ignores words that it does not know. */
static const struct {
	const char *word;
	const char *setting; /* of /proc/sys/kernel that the word sets; NULL: none */
	const char *value;   /* to this */
	const char *why;     /* printed nowhere: the reason is part of the table */
} words[] = {
	{ "rdinit=" AIRBAG_PROGRAM, NULL, NULL, "the airbag comes first; it starts /init, which is left as it is" },
	{ "panic=10", "panic", "10", "a panic that cannot start the old kernel resets the machine" },
	{ "oops=panic", "panic_on_oops", "1", "a kernel that has oopsed is not good" },
	{ "softlockup_panic=1", "softlockup_panic", "1", "a task that keeps a CPU to itself" },
	{ "nmi_watchdog=panic", "hardlockup_panic", "1", "also with interrupts off, where there is an NMI watchdog" },
	{ "hung_task_panic=1", "hung_task_panic", "1", "a task that waits for ever" },
	{ "unknown_nmi_panic", "unknown_nmi_panic", "1", "an operator's NMI, or a watchdog's" },
	{ "panic_force_cpu=0", NULL, NULL, "the old kernel wants the boot CPU (Linux 7.2)" },
};

static const char *const states[] = {
	[TRIAL_PENDING] = "pending",
	[TRIAL_COMMITTED] = "committed",
	[TRIAL_RETURNED] = "returned",
};

/* --- the record --------------------------------------------------------------------------------------------------- */

static const struct {
	const char *key;
	size_t offset; /* of the char * in struct trial */
} keys[] = {
	{ "boot", offsetof(struct trial, boot) },     { "from", offsetof(struct trial, from) },
	{ "to", offsetof(struct trial, to) },         { "default", offsetof(struct trial, default_title) },
	{ "failed", offsetof(struct trial, failed) }, { "how", offsetof(struct trial, how) },
	{ "back", offsetof(struct trial, back) },     { "settings", offsetof(struct trial, settings) },
};

static char **field(const struct trial *trial, size_t i)
{
	return (char **)((char *)trial + keys[i].offset);
}

void trial_free(struct trial *trial)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		free(*field(trial, i));
	*trial = (struct trial){ 0 };
}

static bool is_id(const char *text)
{
	return strlen(text) == TRIAL_ID_SIZE - 1 && strspn(text, "0123456789abcdef") == TRIAL_ID_SIZE - 1;
}

static struct kd_error *bad_value(const char *key, const char *value)
{
	return kd_error_create(KD_ERR_FORMAT, "\"%s\" has the value \"%s\"", key, value);
}

static struct kd_error *parse_state(const char *value, enum trial_state *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (strcmp(value, states[i]) != 0)
			continue;
		*ret = (enum trial_state)i;
		return NULL;
	}
	return bad_value("state", value);
}

/* Unknown keys are skipped: another version of kdumpctl may have written them. */
static struct kd_error *parse_line(char *line, struct trial *trial)
{
	char *value = strchr(line, ' ');

	if (!value)
		return kd_error_create(KD_ERR_FORMAT, "not a \"key value\" line: %s", line);
	*value++ = '\0';
	if (strcmp(line, "state") == 0)
		return parse_state(value, &trial->state);
	if (strcmp(line, "time") == 0)
		return kd_parse_u64(value, 10, &trial->time) ? NULL : bad_value(line, value);
	if (strcmp(line, "deadline") == 0)
		return kd_parse_u64(value, 10, &trial->deadline) ? NULL : bad_value(line, value);
	if (strcmp(line, "id") == 0) {
		if (!is_id(value))
			return bad_value(line, value);
		memcpy(trial->id, value, TRIAL_ID_SIZE);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(line, keys[i].key) == 0)
			return kd_set_text(field(trial, i), value);
	return NULL;
}

struct kd_error *trial_parse(char *text, struct trial *ret)
{
	_cleanup_(trial_free) struct trial trial = { 0 };
	struct kd_error *err = NULL;
	char *line;

	while (!err && (line = strsep(&text, "\n")))
		if (*line)
			err = parse_line(line, &trial);
	if (!err && (!*trial.id || !trial.from || !trial.to))
		err = kd_error_create(KD_ERR_FORMAT, "id, from or to is missing");
	if (err)
		return err;
	*ret = trial;
	trial = (struct trial){ 0 };
	return NULL;
}

struct kd_error *trial_read(const struct kd_sysroot *root, struct trial *ret, bool *found)
{
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = kd_record_read(root, TRIAL_PATH, &text);

	if (err && err->errnum == ENOENT) {
		kd_error_destroy(err);
		*ret = (struct trial){ 0 };
		*found = false;
		return NULL;
	}
	if (!err)
		err = kd_error_wrap(trial_parse(text, ret), TRIAL_PATH);
	if (!err)
		*found = true;
	return err;
}

struct kd_error *trial_write(const struct kd_sysroot *root, const struct trial *trial)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	fprintf(out, "state %s\nid %s\ntime %" PRIu64 "\ndeadline %" PRIu64 "\n", states[trial->state], trial->id,
		trial->time, trial->deadline);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (*field(trial, i))
			fprintf(out, "%s %s\n", keys[i].key, *field(trial, i));
	if (fclose(out) != 0)
		return kd_error_nomem();
	return kd_record_write(root, TRIAL_PATH, text, size, 0644);
}

struct kd_error *trial_forget(const struct kd_sysroot *root)
{
	_cleanup_free_ char *path = kd_sysroot_path(root, TRIAL_PATH);

	if (!path)
		return kd_error_nomem();
	return unlink(path) < 0 && errno != ENOENT ? kd_error_os(errno, "cannot remove %s", path) : NULL;
}

/* --- settings ----------------------------------------------------------------------------------------------------- */

static struct kd_error *read_setting(const struct kd_sysroot *root, const char *name, char **ret)
{
	return kd_sysroot_read_line(root, ret, "/proc/sys/kernel/%s", name);
}

/* A setting that this kernel does not have is left out. */
static struct kd_error *read_settings(const struct kd_sysroot *root, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		_cleanup_free_ char *value = NULL;

		if (words[i].setting && !kd_error_discard(read_setting(root, words[i].setting, &value)) &&
		    !strpbrk(value, " \n"))
			fprintf(out, "%s=%s ", words[i].setting, value);
	}
	if (fclose(out) != 0)
		return kd_error_nomem();
	if (size)
		text[size - 1] = '\0';
	*ret = take_ptr(text);
	return NULL;
}

/* What the trial sets @name to; NULL: it does not set that. */
static const char *value_of_trial(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].setting && strcmp(words[i].setting, name) == 0)
			return words[i].value;
	return NULL;
}

static struct kd_error *restore(const struct kd_sysroot *root, const char *name, const char *value)
{
	const char *of_trial = value_of_trial(name);
	_cleanup_free_ char *now = NULL, *path = NULL;
	_cleanup_close_ int fd = -1;
	struct kd_error *err;

	if (!of_trial)
		return NULL;
	err = read_setting(root, name, &now);
	if (err || strcmp(now, of_trial) != 0 || strcmp(now, value) == 0)
		return err;
	err = kd_format(&path, "/proc/sys/kernel/%s", name);
	if (err)
		return err;
	fd = kd_sysroot_open_file(root, path, O_WRONLY | O_TRUNC);
	if (fd < 0 || kd_write_all(fd, value, strlen(value)) < 0)
		return kd_error_os(errno, "%s", path);
	return NULL;
}

void trial_restore_settings(const struct kd_sysroot *root, const struct trial *trial, const struct kd_log *log)
{
	_cleanup_free_ char *copy = trial->settings ? strdup(trial->settings) : NULL;
	char *cursor = copy, *word, *value;

	while (cursor && (word = strsep(&cursor, " "))) {
		struct kd_error *err;

		value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = '\0';
		err = restore(root, word, value);
		if (err)
			kd_warn(log, "kernel.%s stays as it was for the trial: %s", word, err->text);
		kd_error_destroy(err);
	}
}

/* --- command lines ------------------------------------------------------------------------------------------------ */

struct kd_error *trial_new(const struct kd_sysroot *root, struct trial *ret)
{
	_cleanup_(trial_free) struct trial trial = { .time = (uint64_t)time(NULL) };
	unsigned char random[(TRIAL_ID_SIZE - 1) / 2];
	struct kd_error *err;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return kd_error_os(errno, "cannot make up the ID of a trial");
	kd_hex(random, sizeof(random), trial.id);
	err = kd_sysroot_read_line(root, &trial.from, "/proc/sys/kernel/osrelease");
	if (!err)
		err = kd_sysroot_read_line(root, &trial.boot, KD_BOOT_ID_PATH);
	if (!err)
		err = read_settings(root, &trial.settings);
	if (err)
		return err;
	*ret = trial;
	trial = (struct trial){ 0 };
	return NULL;
}

/* Does @cmdline have the word @word, or, if that ends in '=', one that begins with it? */
static const char *find_word(const char *cmdline, const char *word)
{
	size_t length = strlen(word);
	const char *p;

	for (p = strstr(cmdline, word); p; p = strstr(p + 1, word))
		if ((p == cmdline || strchr(" \t", p[-1])) && (word[length - 1] == '=' || strchr(" \t", p[length])))
			return p;
	return NULL;
}

struct kd_error *trial_cmdline(const struct trial *trial, const char *cmdline, const char *crashkernel, char **ret)
{
	static const char *const obstacles[] = { "--", "rdinit=" };
	_cleanup_free_ char *text = NULL;
	size_t size, i;
	FILE *out;

	for (i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (find_word(cmdline, obstacles[i]))
			return kd_error_create(
				KD_ERR_UNSUPPORTED,
				"the command line of the new kernel has \"%s\", which leaves no place for "
				"the words of a trial: %s",
				obstacles[i], cmdline);
	out = open_memstream(&text, &size);
	if (!out)
		return kd_error_nomem();
	fprintf(out, "%s%s" LOADER_TRIAL "%s", cmdline, *cmdline ? " " : "", trial->id);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		fprintf(out, " %s", words[i].word);
	if (crashkernel)
		fprintf(out, " crashkernel=%s", crashkernel);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

struct kd_error *trial_returned_cmdline(const struct trial *trial, const char *cmdline, char **ret)
{
	_cleanup_free_ char *own = NULL;
	struct kd_error *err = loader_own_cmdline(cmdline, &own);

	if (err)
		return err;
	return kd_format(ret, LOADER_RETURNED "%s " LOADER_RESET_DEVICES "%s%s", trial->id, *own ? " " : "", own);
}

struct kd_error *trial_find_id(const char *cmdline, const char *name, char ret[TRIAL_ID_SIZE])
{
	const char *word = find_word(cmdline, name), *value = word ? word + strlen(name) : "";

	if (!word)
		return kd_error_create(KD_ERR_NOT_FOUND, "the command line has no %s", name);
	snprintf(ret, TRIAL_ID_SIZE, "%.*s", (int)strcspn(value, " \t"), value);
	return NULL;
}

struct kd_error *trial_word(const struct kd_sysroot *root, const char *name, char ret[TRIAL_ID_SIZE])
{
	_cleanup_free_ char *cmdline = NULL;
	struct kd_error *err = kd_sysroot_read_line(root, &cmdline, "/proc/cmdline");

	*ret = '\0';
	if (!err)
		err = trial_find_id(cmdline, name, ret);
	if (!err || err->code != KD_ERR_NOT_FOUND)
		return err;
	kd_error_destroy(err);
	return NULL;
}

/* --- how it went -------------------------------------------------------------------------------------------------- */

/* Is this boot neither the one that prepared the trial nor the trial? */
static struct kd_error *is_over(const struct kd_sysroot *root, const struct trial *trial, bool *ret)
{
	char on_trial[TRIAL_ID_SIZE];
	_cleanup_free_ char *boot = NULL;
	struct kd_error *err = trial_word(root, LOADER_TRIAL, on_trial);

	if (!err)
		err = kd_sysroot_read_line(root, &boot, KD_BOOT_ID_PATH);
	if (!err)
		*ret = strcmp(on_trial, trial->id) != 0 && !(trial->boot && strcmp(boot, trial->boot) == 0);
	return err;
}

struct kd_error *trial_settle(const struct kd_sysroot *root, struct trial *ret, bool *returned)
{
	_cleanup_(trial_free) struct trial trial = { 0 };
	char came_back[TRIAL_ID_SIZE];
	bool found = false, over = false;
	struct kd_error *err = trial_read(root, &trial, &found);

	*returned = false;
	if (err || !found || trial.state != TRIAL_PENDING)
		return err;
	err = is_over(root, &trial, &over);
	if (!err)
		err = trial_word(root, LOADER_RETURNED, came_back);
	if (err || !over)
		return err;
	trial.state = TRIAL_RETURNED;
	err = kd_set_text(&trial.how, strcmp(came_back, trial.id) == 0 ? TRIAL_BY_PANIC : TRIAL_BY_FIRMWARE);
	if (!err)
		err = kd_sysroot_read_line(root, &trial.back, KD_BOOT_ID_PATH);
	if (!err)
		err = trial_write(root, &trial);
	if (err)
		return err;
	*returned = true;
	*ret = trial;
	trial = (struct trial){ 0 };
	return NULL;
}

const char *trial_state_name(const struct trial *trial)
{
	return states[trial->state];
}

static struct kd_error *describe_return(const struct trial *trial, char **ret)
{
	bool by_panic = trial->how && strcmp(trial->how, TRIAL_BY_PANIC) == 0;

	return kd_format(ret, "The trial of kernel %s failed: the machine returned %s. %s%s", trial->to,
			 by_panic ? "to the old kernel at once, by a panic" :
				    "through the firmware, by a reset or a reboot",
			 trial->failed ?
				 "What \"kdumpctl healthy\" said last: " :
				 "Nobody had said why the new kernel was not healthy; it panicked, hung, or did not "
				 "get as far as kdump-healthy.service",
			 trial->failed ? trial->failed : "");
}

struct kd_error *trial_describe(const struct trial *trial, char **ret)
{
	switch (trial->state) {
	case TRIAL_PENDING:
		return kd_format(ret, "A trial of kernel %s goes on; unless it is reported healthy, kernel %s returns.",
				 trial->to, trial->from);
	case TRIAL_RETURNED:
		return describe_return(trial, ret);
	case TRIAL_COMMITTED:
		break;
	}
	*ret = NULL;
	return NULL;
}
