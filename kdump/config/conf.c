/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kdump/config/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/age.h"
#include "base/array.h"
#include "base/device_name.h"
#include "base/parse.h"
#include "base/target_types.h"
#include "base/text.h"
#include "kdump/config/config_text.h"
#include "kdump/config/fence_kdump.h"

enum {
	SECONDS_MAX = 24 * 3600,
	CAPTURE_SECONDS_MIN = 60,
	CAPTURE_SECONDS_MAX = 31 * 24 * 3600,
	LOOP_COUNT_MAX = 50, /* fewer than a handover has room for */
	LOOP_MINUTES_MAX = 31 * 24 * 60,
};

struct parser {
	const char *file;
	unsigned int line;
	const char *name; /* of the directive on that line */
	struct kd_conf *conf;
	unsigned int *seen;           /* line in this file of each directive, 0 for none */
	char *path;                   /* that the next target gets; NULL: none was given so far */
	unsigned int path_line;       /* of it, if no target has come since; 0: one has */
	unsigned int first_path_line; /* 0: none was given so far */
	const char *first_path_file;
	void (*warn)(void *arg, const char *message);
	void *warn_arg;
};

struct directive;
typedef struct kd_error *set_fn(struct parser *p, const struct directive *directive, const char *value);

struct directive {
	const char *name; /* NULL: the name of any type of target */
	set_fn *set;
	size_t offset;    /* of the field in struct kd_conf; 0: it has no field of its own (a target) */
	const char *text; /* the default */
};

/* --- values ------------------------------------------------------------------------------------------------------- */

static struct kd_error *bad_value(const struct parser *p, const struct directive *d, const char *value,
				  const char *expected)
{
	return kd_error_create(KD_ERR_CONFIG, "%s:%u: Invalid kdump config value for option '%s': \"%s\"; %s", p->file,
			       p->line, p->name, value, expected);
}

static void *field(struct parser *p, const struct directive *d)
{
	return (char *)p->conf + d->offset;
}

static struct kd_error *set_string(struct parser *p, const struct directive *d, const char *value)
{
	return kd_set_text(field(p, d), value);
}

static struct kd_error *set_path(struct parser *p, const struct directive *d, const char *value)
{
	if (*value != '/')
		return bad_value(p, d, value, "give an absolute path");
	return set_string(p, d, value);
}

/* A path is for the targets behind it, and the first one also for those before it. */
static struct kd_error *set_dump_path(struct parser *p, const struct directive *d, const char *value)
{
	struct kd_error *err = *value == '/' ? NULL : bad_value(p, d, value, "give an absolute path");

	if (err)
		return err;
	if (p->path_line)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s:%u: Duplicated kdump config value of option %s (first on line %u); keep one",
				       p->file, p->line, p->name, p->path_line);
	if (!p->first_path_line && (err = set_string(p, d, value)))
		return err;
	p->path_line = p->line;
	if (!p->first_path_line) {
		p->first_path_line = p->line;
		p->first_path_file = p->file;
	}
	return kd_set_text(&p->path, value);
}

/* Warn with file and line in front. */
static struct kd_error *warn_here(const struct parser *p, const char *text)
{
	_cleanup_free_ char *message = NULL;
	struct kd_error *err = p->warn ? kd_format(&message, "%s:%u: %s", p->file, p->line, text) : NULL;

	if (message)
		p->warn(p->warn_arg, message);
	return err;
}

static struct kd_error *set_words(struct parser *p, const struct directive *d, const char *value)
{
	_cleanup_free_ char **split = kd_split_words(value, NULL);
	char ***words = field(p, d);

	if (!split)
		return errno == EINVAL ? bad_value(p, d, value, "close the quote") : kd_error_nomem();
	if (*value && !split[0])
		return bad_value(p, d, value, "the quotes contain only blanks");
	free(*words);
	*words = take_ptr(split);
	return NULL;
}

static struct kd_error *set_fence_args(struct parser *p, const struct directive *d, const char *value)
{
	struct fence_kdump_args args;
	struct kd_error *err = set_words(p, d, value), *wrong;

	if (err)
		return err;
	wrong = fence_kdump_parse(p->conf->fence_kdump_args, &args);
	if (wrong)
		err = bad_value(p, d, value, wrong->text);
	kd_error_destroy(wrong);
	return err;
}

/* Add the words of @value to a list, which two directives may fill. */
static struct kd_error *add_words(struct parser *p, const struct directive *d, const char *value)
{
	_cleanup_free_ char *all = NULL;
	char **words = *(char ***)field(p, d);
	struct kd_error *err = kd_set_text(&all, "");

	for (; !err && words && *words; words++) {
		_cleanup_free_ char *before = take_ptr(all);

		err = kd_format(&all, "%s%s ", before, *words);
	}
	if (!err) {
		_cleanup_free_ char *before = take_ptr(all);

		err = kd_format(&all, "%s%s", before, value);
	}
	return err ? err : set_words(p, d, all);
}

/* There is no dracut. --add-drivers means the same as extra_modules; without the rest there is an image, too. */
static struct kd_error *set_dracut_args(struct parser *p, const struct directive *d, const char *value)
{
	static const char drivers[] = "--add-drivers";
	_cleanup_free_ char **words = kd_split_words(value, NULL);
	_cleanup_free_ char *text = NULL;
	struct kd_error *err = NULL;
	const char *mount = "";
	bool rest = false;

	if (!words)
		return errno == EINVAL ? bad_value(p, d, value, "close the quote") : kd_error_nomem();
	for (char **word = words; *word && !err; word++) {
		const char *modules = NULL;

		if (kd_starts_with(*word, "--add-drivers="))
			modules = *word + strlen(drivers) + 1;
		else if (strcmp(*word, drivers) == 0 && word[1])
			modules = *++word;
		if (modules)
			err = add_words(p, d, modules);
		else if (kd_starts_with(*word, "--mount"))
			mount = "; name the file system of --mount by its type, as in \"ext4 DEVICE\"";
		rest |= !modules;
	}
	if (!err && rest)
		err = kd_format(
			&text,
			"option 'dracut_args': the image is not built by dracut, so that only --add-drivers has an "
			"effect: see extra_bins and extra_modules%s",
			mount);
	return err || !text ? err : warn_here(p, text);
}

/* "on line 3", or "on line 3 of FILE" for another file than the present one. The caller owns *ret. */
static struct kd_error *name_line(const struct parser *p, const char *file, unsigned int line, char **ret)
{
	return file == p->file ? kd_format(ret, "on line %u", line) : kd_format(ret, "on line %u of %s", line, file);
}

/* The same target twice is one. */
static struct kd_error *warn_of_twin(const struct parser *p, const char *value, bool *ret)
{
	const struct kd_conf *conf = p->conf;
	_cleanup_free_ char *text = NULL, *where = NULL;
	const char *file = NULL;
	unsigned int line = 0;
	struct kd_error *err;

	if (conf->target_type && strcmp(conf->target_type, p->name) == 0 && strcmp(conf->target, value) == 0) {
		file = conf->target_file;
		line = conf->target_line;
	}
	for (size_t i = 0; i < conf->further_count; i++)
		if (strcmp(conf->further[i].type, p->name) == 0 && strcmp(conf->further[i].device, value) == 0) {
			file = conf->further[i].file;
			line = conf->further[i].line;
		}
	*ret = line != 0;
	if (!line)
		return NULL;
	err = name_line(p, file, line, &where);
	if (!err)
		err = kd_format(&text, "the target %s %s is also %s; it is tried once", p->name, value, where);
	return err ? err : warn_here(p, text);
}

static struct kd_error *add_further(const struct parser *p, const char *value)
{
	struct kd_conf *conf = p->conf;
	struct kd_conf_further *grown = realloc(conf->further, (conf->further_count + 1) * sizeof(*grown));
	struct kd_conf_further *further;
	struct kd_error *err;

	if (!grown)
		return kd_error_nomem();
	conf->further = grown;
	further = &grown[conf->further_count++];
	*further = (struct kd_conf_further){ .file = p->file, .line = p->line };
	err = kd_set_text(&further->type, p->name);
	if (!err)
		err = kd_set_text(&further->device, value);
	return err ? err : kd_set_text(&further->path, p->path);
}

/* What a URL consists of; a question mark or a number sign would begin something else than a directory. */
static bool is_url(const char *value, const char *scheme)
{
	const char *rest = kd_starts_with(value, scheme) ? value + strlen(scheme) : "";

	return *rest && *rest != '/' && !rest[strcspn(rest, " \t,;\"'<>\\^`{|}?#@")];
}

static struct kd_error *set_endpoint(struct parser *p, const struct directive *d, const char *value)
{
	if (!is_url(value, "https://") && !is_url(value, "http://"))
		return bad_value(p, d, value, "give https://SERVER or https://SERVER:PORT");
	return set_string(p, d, value);
}

static struct kd_error *set_region(struct parser *p, const struct directive *d, const char *value)
{
	if (!*value || value[strcspn(value, " \t,/")])
		return bad_value(p, d, value, "give the region's name, like eu-central-1");
	return set_string(p, d, value);
}

static struct kd_error *set_s3_style(struct parser *p, const struct directive *d, const char *value)
{
	if (strcmp(value, "path") != 0 && strcmp(value, "virtual") != 0)
		return bad_value(p, d, value, "use path or virtual");
	return set_string(p, d, value);
}

static struct kd_error *check_url(const struct parser *p, const struct directive *d, const char *value)
{
	if (strcmp(p->name, "s3") == 0)
		return is_url(value, "s3://") ? NULL : bad_value(p, d, value, "give s3://BUCKET/PREFIX");
	return is_url(value, "https://") || is_url(value, "http://") ?
		       NULL :
		       bad_value(p, d, value, "give https://SERVER/DIRECTORY");
}

/* "SERVER:/DIRECTORY" or "[ADDRESS]:/DIRECTORY". */
static bool is_export(const char *value)
{
	size_t server = *value == '[' ? strcspn(value, "]") + 1 : strcspn(value, ":");

	return *value != '-' && server > 0 && server < strlen(value) && strcspn(value, " \t") > server &&
	       kd_starts_with(value + server, ":/");
}

/* "/PATH SIZE". */
static bool is_file_and_size(const char *value)
{
	const char *blank = strpbrk(value, " \t");
	uint64_t size;

	return *value == '/' && blank && kd_parse_size(blank + strspn(blank, " \t"), &size);
}

static struct kd_error *set_target(struct parser *p, const struct directive *d, const char *value)
{
	enum kd_target_source source = kd_target_type_find(p->name)->source;
	struct kd_conf *conf = p->conf;
	struct kd_device_name name;
	bool twin;
	struct kd_error *err;

	if (source == KD_TARGET_NFS) {
		if (!is_export(value))
			return bad_value(p, d, value, "give SERVER:/DIRECTORY, an IPv6 address in brackets");
	} else if (source == KD_TARGET_SSH) {
		if (*value == '-' || strpbrk(value, " \t:/") || value[strlen(value) - 1] == '@')
			return bad_value(p, d, value, "give USER@SERVER");
	} else if (source == KD_TARGET_OBJECTS) {
		if ((err = check_url(p, d, value)))
			return err;
	} else if (source == KD_TARGET_RESERVED) {
		if (!is_file_and_size(value))
			return bad_value(p, d, value, "give an absolute path and a size, as in /var/crash/reserve 4G");
	} else if (source == KD_TARGET_TAG) {
		if (!*value || strchr(value, '/'))
			return bad_value(p, d, value, "give the tag that the host has assigned to the directory");
	} else if (!kd_device_name_parse(value, &name) || !kd_device_key_is_public(name.key)) {
		return bad_value(p, d, value, "give " KD_DEVICE_FORMS);
	}
	p->path_line = 0;
	err = warn_of_twin(p, value, &twin);
	if (err || twin)
		return err;
	if (conf->target_type)
		return add_further(p, value);
	if ((err = kd_set_text(&conf->target_type, p->name)) || (err = kd_set_text(&conf->target, value)))
		return err;
	conf->target_file = p->file;
	conf->target_line = p->line;
	return NULL;
}

/* No more than the beginning of a word that is not a recipient is shown: it may be a secret key. */
static struct kd_error *set_encrypt(struct parser *p, const struct directive *d, const char *value)
{
	struct kd_error *err = set_words(p, d, value);
	char **word = p->conf->encrypt;

	if (!err && kd_count_words(word) > KD_AGE_RECIPIENTS_MAX)
		err = kd_error_create(KD_ERR_CONFIG,
				      "%s:%u: Invalid kdump config value for option 'encrypt': more than "
				      "%d recipients",
				      p->file, p->line, KD_AGE_RECIPIENTS_MAX);
	for (; !err && *word; word++) {
		struct kd_age_recipient recipient;
		_cleanup_(kd_error_destroy) struct kd_error *why = kd_age_recipient_parse(*word, &recipient);

		if (why)
			err = kd_error_create(
				KD_ERR_CONFIG,
				"%s:%u: Invalid kdump config value for option 'encrypt': \"%.8s…\" is not a "
				"public key of age: %s; give what \"age-keygen -y KEYFILE\" prints",
				p->file, p->line, *word, why->text);
	}
	return err;
}

static struct kd_error *set_encrypt_public(struct parser *p, const struct directive *d, const char *value)
{
	_cleanup_free_ char **words = kd_split_words(value, NULL);
	unsigned int public = 0, bit;

	if (!words)
		return errno == EINVAL ? bad_value(p, d, value, "close the quote") : kd_error_nomem();
	for (char **word = words; *word; word++) {
		bool none = strcmp(*word, "none") == 0 && !words[1];

		if (!none && !kd_public_parse(*word, &bit))
			return bad_value(p, d, value, "use none, or some of host, kernel, reason, memory and console");
		public |= none ? 0 : bit;
	}
	p->conf->encrypt_public = public;
	return NULL;
}

static struct kd_error *set_failure_action(struct parser *p, const struct directive *d, const char *value)
{
	p->conf->dump_to_rootfs = strcmp(value, "dump_to_rootfs") == 0;
	if (!kd_action_parse(p->conf->dump_to_rootfs ? "reboot" : value, KD_ACTIONS_FAILURE, field(p, d)))
		return bad_value(p, d, value, "use reboot, halt, poweroff, shell or dump_to_rootfs");
	return NULL;
}

static struct kd_error *set_default(struct parser *p, const struct directive *d, const char *value)
{
	struct kd_error *err = warn_here(p, "The option 'default' is obsolete: write 'failure_action'");

	return err ? err : set_failure_action(p, d, value);
}

static struct kd_error *set_final_action(struct parser *p, const struct directive *d, const char *value)
{
	if (!kd_action_parse(value, KD_ACTIONS_FINAL, field(p, d)))
		return bad_value(p, d, value, "use reboot, halt, poweroff or kexec");
	return NULL;
}

/* "off", or "COUNT MINUTES ACTION". */
static struct kd_error *set_crash_loop(struct parser *p, const struct directive *d, const char *value)
{
	_cleanup_free_ char **words = kd_split_words(value, NULL);
	struct kd_plan_loop *loop = field(p, d);
	uint64_t count, minutes;

	if (!words)
		return errno == ENOMEM ? kd_error_nomem() : bad_value(p, d, value, "close the quote");
	*loop = (struct kd_plan_loop){ 0 };
	if (words[0] && strcmp(words[0], "off") == 0 && !words[1])
		return NULL;
	if (kd_count_words(words) != 3 || !kd_parse_u64(words[0], 10, &count) || count < 2 || count > LOOP_COUNT_MAX ||
	    !kd_parse_u64(words[1], 10, &minutes) || !minutes || minutes > LOOP_MINUTES_MAX ||
	    !kd_action_parse(words[2], KD_ACTIONS_LOOP, &loop->action))
		return bad_value(p, d, value,
				 "use off, or a number of crashes from 2 to 50, minutes from 1 to 44640, and reboot, "
				 "halt, poweroff or previous-kernel, as in \"3 60 poweroff\"");
	loop->count = (unsigned int)count;
	loop->seconds = (unsigned int)minutes * 60;
	return NULL;
}

static struct kd_error *set_bit(struct parser *p, const struct directive *d, const char *value)
{
	if ((value[0] != '0' && value[0] != '1') || value[1])
		return bad_value(p, d, value, "use 0 or 1");
	*(bool *)field(p, d) = value[0] == '1';
	return NULL;
}

static struct kd_error *set_yes_no(struct parser *p, const struct directive *d, const char *value)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return bad_value(p, d, value, "use yes or no");
	*(bool *)field(p, d) = yes;
	return NULL;
}

static struct kd_error *set_seconds(struct parser *p, const struct directive *d, const char *value)
{
	uint64_t seconds;

	if (!kd_parse_u64(value, 10, &seconds) || !seconds || seconds > SECONDS_MAX)
		return bad_value(p, d, value, "use seconds, from 1 to 86400");
	*(unsigned int *)field(p, d) = (unsigned int)seconds;
	return NULL;
}

static struct kd_error *set_capture_timeout(struct parser *p, const struct directive *d, const char *value)
{
	uint64_t seconds = 0;

	if (strcmp(value, "auto") != 0 &&
	    (!kd_parse_u64(value, 10, &seconds) || seconds < CAPTURE_SECONDS_MIN || seconds > CAPTURE_SECONDS_MAX))
		return bad_value(p, d, value, "use auto, or seconds from 60 to 2678400");
	*(unsigned int *)field(p, d) = (unsigned int)seconds;
	return NULL;
}

static struct kd_error *set_count(struct parser *p, const struct directive *d, const char *value)
{
	if (!kd_parse_u64(value, 10, field(p, d)))
		return bad_value(p, d, value, "use a number, 0 for no limit");
	return NULL;
}

static struct kd_error *set_size(struct parser *p, const struct directive *d, const char *value)
{
	if (!kd_parse_size(value, field(p, d)))
		return bad_value(p, d, value, "use a size like 500M or 20G, 0 for no limit");
	return NULL;
}

static struct kd_error *set_keep_free(struct parser *p, const struct directive *d, const char *value)
{
	_cleanup_free_ char *number = strdup(value);
	size_t length = strlen(value);
	uint64_t percent;

	if (!number)
		return kd_error_nomem();
	if (value[length - 1] != '%')
		return set_size(p, d, value);
	number[length - 1] = '\0';
	if (!kd_parse_u64(number, 10, &percent) || percent > 99)
		return bad_value(p, d, value, "use a size like 20G, or 0% to 99%");
	p->conf->keep_free_percent = percent;
	return NULL;
}

static struct kd_error *deprecated(struct parser *p, const struct directive *d, const char *value)
{
	return kd_error_create(KD_ERR_CONFIG,
			       "%s:%u: Deprecated kdump config option: %s. "
			       "Refer to kdump.conf manpage for alternatives.",
			       p->file, p->line, d->name);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

#define FIELD(name) offsetof(struct kd_conf, name)

static const struct directive directives[] = {
	{ "path", set_dump_path, FIELD(path), "/var/crash" },
	{ NULL, set_target, 0, NULL }, /* the name of any type of base/target_types.c */
	{ "sshkey", set_path, FIELD(sshkey), NULL },
	{ "http_credentials", set_path, FIELD(access.http_credentials), NULL },
	{ "tls_ca", set_path, FIELD(access.tls_ca), NULL },
	{ "s3_credentials", set_path, FIELD(access.s3_credentials), NULL },
	{ "s3_endpoint", set_endpoint, FIELD(access.s3_endpoint), NULL },
	{ "s3_region", set_region, FIELD(access.s3_region), NULL },
	{ "s3_style", set_s3_style, FIELD(access.s3_style), NULL },
	{ "core_collector", set_words, FIELD(core_collector), "dumpfilter -d 31" },
	{ "encrypt", set_encrypt, FIELD(encrypt), "" },
	{ "encrypt_public", set_encrypt_public, FIELD(encrypt_public), "host" },
	{ "kdump_pre", set_path, FIELD(kdump_pre), NULL },
	{ "kdump_post", set_path, FIELD(kdump_post), NULL },
	{ "kdump_emergency", set_path, FIELD(kdump_emergency), NULL },
	{ "extra_bins", set_words, FIELD(extra_bins), "" },
	{ "extra_modules", add_words, FIELD(extra_modules), "" },
	{ "dracut_args", set_dracut_args, FIELD(extra_modules), NULL },
	{ "extra_files", set_words, FIELD(extra_files), "" },
	{ "fence_kdump_nodes", set_words, FIELD(fence_kdump_nodes), "" },
	{ "fence_kdump_args", set_fence_args, FIELD(fence_kdump_args), "" },
	{ "failure_action", set_failure_action, FIELD(failure_action), "reboot" },
	{ "default", set_default, FIELD(failure_action), NULL },
	{ "final_action", set_final_action, FIELD(final_action), "reboot" },
	{ "crash_loop", set_crash_loop, FIELD(crash_loop), "3 60 reboot" },
	{ "device_timeout", set_seconds, FIELD(device_timeout), "120" },
	{ "mount_timeout", set_seconds, FIELD(mount_timeout), "300" },
	{ "stall_timeout", set_seconds, FIELD(stall_timeout), "300" },
	{ "capture_timeout", set_capture_timeout, FIELD(capture_timeout), "auto" },
	{ "pstore", set_yes_no, FIELD(pstore), "yes" },
	{ "force_rebuild", set_bit, FIELD(force_rebuild), "0" },
	{ "force_no_rebuild", set_bit, FIELD(force_no_rebuild), "0" },
	{ "auto_reset_crashkernel", set_yes_no, FIELD(auto_reset_crashkernel), "yes" },
	{ "keep_dumps", set_count, FIELD(keep_dumps), "0" },
	{ "keep_days", set_count, FIELD(keep_days), "0" },
	{ "keep_size", set_size, FIELD(keep_size), "0" },
	{ "keep_free", set_keep_free, FIELD(keep_free), "0" },

	{ "net", deprecated, 0, NULL },
	{ "options", deprecated, 0, NULL },
	{ "link_delay", deprecated, 0, NULL },
	{ "disk_timeout", deprecated, 0, NULL },
	{ "debug_mem_level", deprecated, 0, NULL },
	{ "blacklist", deprecated, 0, NULL },
};
#define DIRECTIVE_COUNT ARRAY_SIZE(directives)

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* Outside quotes, a '#' at the start of the line or after a blank starts a comment. */
static void cut_comment(char *line)
{
	char quote = '\0', *p;

	for (p = line; *p; p++) {
		if (quote && *p == quote)
			quote = '\0';
		else if (!quote && (*p == '"' || *p == '\''))
			quote = *p;
		else if (!quote && *p == '#' && (p == line || isspace((unsigned char)p[-1])))
			*p = '\0';
		if (!*p)
			break;
	}
}

static const struct directive *find_directive(const char *name)
{
	size_t i;

	for (i = 0; i < DIRECTIVE_COUNT; i++)
		if (directives[i].name ? strcmp(name, directives[i].name) == 0 : kd_target_type_find(name) != NULL)
			return &directives[i];
	return NULL;
}

/* Remove one pair of quotes around the whole value; quotes inside belong to its words. */
static char *strip_quotes(char *value)
{
	size_t length = strlen(value);

	if (length >= 2 && (*value == '"' || *value == '\'') && strchr(value + 1, *value) == value + length - 1) {
		value[length - 1] = '\0';
		value++;
	}
	return value;
}

/* "default" is another name for failure_action. */
static const struct directive *canonical(const struct directive *d)
{
	return d->set == set_default ? find_directive("failure_action") : d;
}

/* "DEVICE, then TYPE DEVICE …" under the name of the first target's type. */
static struct kd_error *note_targets(const struct parser *p, struct kd_conf_setting *setting)
{
	const struct kd_conf *conf = p->conf;
	struct kd_error *err = kd_set_text(&setting->value, conf->target);

	for (size_t i = 0; i < conf->further_count && !err; i++) {
		_cleanup_free_ char *before = take_ptr(setting->value);

		err = kd_format(&setting->value, "%s, then %s %s", before, conf->further[i].type,
				conf->further[i].device);
	}
	setting->name = conf->target_type;
	setting->file = conf->target_file;
	setting->line = conf->target_line;
	return err;
}

static bool is_first_path(const struct parser *p, unsigned int line)
{
	return line == p->first_path_line && p->file == p->first_path_file;
}

static struct kd_error *note(struct parser *p, const struct directive *d, const char *value)
{
	struct kd_conf_setting *setting = &p->conf->setting[canonical(d) - directives];

	if (d->set == set_target)
		return note_targets(p, setting);
	if (d->set == set_dump_path && !is_first_path(p, p->line))
		return NULL;
	setting->name = canonical(d)->name;
	setting->file = p->file;
	setting->line = p->line;
	return kd_set_text(&setting->value, value);
}

static struct kd_error *unknown(const struct parser *p, const char *name)
{
	_cleanup_free_ char *shown = NULL;
	struct kd_error *err = config_escape(name, &shown);

	return err ? err :
		     kd_error_create(KD_ERR_CONFIG, "%s:%u: Invalid kdump config option %s; see kdump.conf(5)", p->file,
				     p->line, shown);
}

static struct kd_error *parse_line(struct parser *p, char *line)
{
	const struct directive *d;
	struct kd_error *err;
	char *name, *value;
	size_t i;

	cut_comment(line);
	name = kd_strip(line);
	if (!*name)
		return NULL;
	err = config_check_line(name);
	if (err)
		return kd_error_wrap(err, "%s:%u", p->file, p->line);
	value = name + strcspn(name, " \t");
	if (*value)
		*value++ = '\0';
	value = strip_quotes(kd_strip(value));

	p->name = name;
	d = find_directive(name);
	if (!d)
		return unknown(p, name);
	/* A removed directive is refused whatever its value is. */
	if (d->set == deprecated)
		return d->set(p, d, value);
	if (!*value)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s:%u: Invalid kdump config value for option '%s': it is empty; "
				       "give a value or remove the line",
				       p->file, p->line, name);
	i = canonical(d) - directives;
	if (p->seen[i] && d->set != set_target && d->set != set_dump_path)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s:%u: Duplicated kdump config value of option %s (first on line %u); keep one",
				       p->file, p->line, canonical(d)->name, p->seen[i]);
	p->seen[i] = p->line;
	err = d->set(p, d, value);
	return err ? err : note(p, d, value);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static struct kd_error *apply_default(struct parser *p, const struct directive *d)
{
	struct kd_error *err;

	if (d->set == deprecated || d->set == set_default || !d->offset)
		return NULL;
	p->conf->setting[d - directives].name = d->name;
	if (!d->text)
		return NULL;
	err = d->set(p, d, d->text);
	return err || !*d->text ? err : note(p, d, d->text);
}

struct kd_error *kd_conf_default(struct kd_conf *ret)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct parser p = { .file = "the defaults", .conf = &conf };
	struct kd_error *err = NULL;
	size_t i;

	conf.file = strdup("");
	conf.setting = calloc(DIRECTIVE_COUNT, sizeof(*conf.setting));
	if (!conf.file || !conf.setting)
		return kd_error_nomem();
	conf.setting_count = DIRECTIVE_COUNT;
	for (i = 0; i < DIRECTIVE_COUNT && !err; i++)
		err = apply_default(&p, &directives[i]);
	free(p.path);
	if (err)
		return err;
	*ret = conf;
	conf = (struct kd_conf){ 0 };
	return NULL;
}

/* A path behind the last target is for none. */
static struct kd_error *check_path(const struct parser *p)
{
	_cleanup_free_ char *first = NULL;
	struct kd_error *err;

	if (!p->path_line || is_first_path(p, p->path_line))
		return NULL;
	err = name_line(p, p->first_path_file, p->first_path_line, &first);
	if (err)
		return err;
	return kd_error_create(KD_ERR_CONFIG,
			       "%s:%u: Duplicated kdump config value of option path (first %s): no target follows it; "
			       "put it before the target that it is for",
			       p->file, p->path_line, first);
}

/* Parse one file on top of those before it. @file stays valid as long as the conf. */
static struct kd_error *parse_file(struct parser *p, const char *text, const char *file)
{
	_cleanup_free_ char *copy = strdup(config_skip_mark(text));
	unsigned int seen[DIRECTIVE_COUNT] = { 0 };
	char *cursor = copy, *line;
	struct kd_error *err = NULL;

	if (!copy)
		return kd_error_nomem();
	p->file = file;
	p->line = 0;
	p->seen = seen;
	p->path_line = 0;
	/* Until there is a target, the path of a later file takes the place of that of an earlier one. */
	if (!p->conf->target_type)
		p->first_path_line = 0;
	while (!err && (line = strsep(&cursor, "\n"))) {
		p->line++;
		err = parse_line(p, line);
	}
	if (!err)
		err = check_path(p);
	p->seen = NULL;
	return err;
}

/* What no line says alone. */
static struct kd_error *check_all(const struct kd_conf *conf)
{
	if (conf->force_rebuild && conf->force_no_rebuild)
		return kd_error_create(KD_ERR_CONFIG,
				       "force_rebuild and force_no_rebuild are enabled simultaneously in %s; keep one",
				       conf->file);
	return NULL;
}

/* Keep a copy of the path of a file that is read after the first one. */
static struct kd_error *note_drop_in(struct kd_conf *conf, const char *file, const char **ret)
{
	char **grown = realloc(conf->drop_in, (conf->drop_in_count + 1) * sizeof(*grown));

	if (!grown)
		return kd_error_nomem();
	conf->drop_in = grown;
	grown[conf->drop_in_count] = strdup(file);
	if (!grown[conf->drop_in_count])
		return kd_error_nomem();
	*ret = grown[conf->drop_in_count++];
	return NULL;
}

static struct kd_error *parse_all(struct parser *p, const struct kd_conf_text *texts, size_t count)
{
	struct kd_error *err = kd_conf_default(p->conf);
	const char *file = NULL;

	if (!err)
		err = kd_set_text(&p->conf->file, texts[0].file);
	if (!err)
		err = parse_file(p, texts[0].text, p->conf->file);
	for (size_t i = 1; i < count && !err; i++) {
		err = note_drop_in(p->conf, texts[i].file, &file);
		if (!err)
			err = parse_file(p, texts[i].text, file);
	}
	return err ? err : check_all(p->conf);
}

struct kd_error *kd_conf_parse(const struct kd_conf_text *texts, size_t count, struct kd_conf *ret,
			       void (*warn)(void *arg, const char *message), void *warn_arg)
{
	_cleanup_(kd_conf_free) struct kd_conf conf = { 0 };
	struct parser p = { .conf = &conf, .warn = warn, .warn_arg = warn_arg };
	struct kd_error *err = parse_all(&p, texts, count);

	free(p.path);
	if (err)
		return err;
	*ret = conf;
	conf = (struct kd_conf){ 0 };
	return NULL;
}

struct kd_error *kd_conf_where(const struct kd_conf *conf, const char *directive, char **ret)
{
	size_t i;

	for (i = 0; i < conf->setting_count; i++) {
		const struct kd_conf_setting *setting = &conf->setting[i];

		if (setting->line && setting->name && strcmp(setting->name, directive) == 0)
			return kd_format(ret, "%s:%u: %s", setting->file, setting->line, directive);
	}
	return kd_format(ret, "%s: %s", conf->file, directive);
}

struct target_request kd_conf_target(const struct kd_conf *conf)
{
	return (struct target_request){
		.type = conf->target_type,
		.device = conf->target,
		.path = conf->path,
		.key = conf->sshkey,
		.access = &conf->access,
		.file = conf->target_file ? conf->target_file : conf->file,
		.line = conf->target_line,
	};
}

struct target_request kd_conf_further(const struct kd_conf *conf, size_t i)
{
	const struct kd_conf_further *further = &conf->further[i];
	const char *path = further->path ? further->path : conf->path;

	return (struct target_request){
		.type = further->type,
		.device = further->device,
		/* The dumps of a container go to where the dumps of the first target are. */
		.path = kd_target_is_container(kd_target_type_find(further->type)) ? NULL : path,
		.key = conf->sshkey,
		.access = &conf->access,
		.file = further->file,
		.line = further->line,
	};
}

bool kd_conf_has_target(const struct kd_conf *conf, const char *type)
{
	bool found = conf->target_type && strcmp(conf->target_type, type) == 0;

	for (size_t i = 0; i < conf->further_count; i++)
		found = found || strcmp(conf->further[i].type, type) == 0;
	return found;
}

void kd_conf_free(struct kd_conf *conf)
{
	size_t i;

	for (i = 0; i < conf->further_count; i++) {
		free(conf->further[i].type);
		free(conf->further[i].device);
		free(conf->further[i].path);
	}
	free(conf->further);

	for (i = 0; i < conf->setting_count; i++)
		free(conf->setting[i].value);
	free(conf->setting);
	for (i = 0; i < conf->drop_in_count; i++)
		free(conf->drop_in[i]);
	free(conf->drop_in);
	free(conf->file);
	free(conf->target_type);
	free(conf->target);
	free(conf->path);
	free(conf->sshkey);
	free(conf->access.http_credentials);
	free(conf->access.s3_credentials);
	free(conf->access.tls_ca);
	free(conf->access.s3_endpoint);
	free(conf->access.s3_region);
	free(conf->access.s3_style);
	free(conf->core_collector);
	free(conf->encrypt);
	free(conf->kdump_pre);
	free(conf->kdump_post);
	free(conf->kdump_emergency);
	free(conf->extra_bins);
	free(conf->extra_modules);
	free(conf->extra_files);
	free(conf->fence_kdump_nodes);
	free(conf->fence_kdump_args);
	*conf = (struct kd_conf){ 0 };
}

/* --- the files ---------------------------------------------------------------------------------------------------- */

static void remark(void *arg, const char *message)
{
	kd_warn((const struct kd_log *)arg, "%s", message);
}

struct kd_error *kd_conf_directory(const char *file, char **ret)
{
	return kd_format(ret, "%s.d", file);
}

static bool is_drop_in(const char *name)
{
	const char *suffix = strrchr(name, '.');

	return suffix && strcmp(suffix, ".conf") == 0;
}

/* The texts of all files. */
struct texts {
	struct kd_conf_text *text;
	size_t count;
};

static void texts_free(struct texts *texts)
{
	for (size_t i = 0; i < texts->count; i++) {
		free((char *)texts->text[i].file);
		free((char *)texts->text[i].text);
	}
	free(texts->text);
}

static void texts_free_cleanup(struct texts *texts)
{
	texts_free(texts);
}

/* Takes ownership of @file. */
static struct kd_error *read_text(const struct kd_sysroot *root, char *file, struct texts *texts)
{
	struct kd_conf_text *grown = realloc(texts->text, (texts->count + 1) * sizeof(*grown));
	_cleanup_free_ char *own = file, *text = NULL;
	struct kd_error *err;

	if (!grown || !own)
		return kd_error_nomem();
	texts->text = grown;
	err = config_read(root, own, &text);
	if (!err)
		grown[texts->count++] = (struct kd_conf_text){ .file = take_ptr(own), .text = take_ptr(text) };
	return err;
}

static struct kd_error *read_drop_ins(const struct kd_sysroot *root, const char *directory, struct texts *texts)
{
	_cleanup_(kd_names_free) struct kd_names names = { 0 };
	struct kd_error *err = kd_sysroot_list(root, directory, &names);

	if (err && err->errnum == ENOENT)
		return kd_error_destroy(err), NULL;
	for (size_t i = 0; i < names.count && !err; i++) {
		char *file = NULL;

		if (!is_drop_in(names.name[i]))
			continue;
		err = kd_format(&file, "%s/%s", directory, names.name[i]);
		if (!err)
			err = read_text(root, file, texts);
	}
	return err;
}

struct kd_error *kd_conf_load(const struct kd_sysroot *root, const struct kd_log *log, const char *file,
			      struct kd_conf *ret)
{
	_cleanup_(texts_free) struct texts texts = { 0 };
	_cleanup_free_ char *directory = NULL;
	struct kd_error *err = kd_conf_directory(file, &directory);

	if (!err)
		err = read_text(root, strdup(file), &texts);
	if (!err)
		err = read_drop_ins(root, directory, &texts);
	return err ? err : kd_conf_parse(texts.text, texts.count, ret, remark, (void *)log);
}
