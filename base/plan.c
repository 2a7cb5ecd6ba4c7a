/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/plan.h"

#include <inttypes.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"
#include "base/text.h"

static const char *const action_names[] = {
	[KD_ACTION_REBOOT] = "reboot", [KD_ACTION_HALT] = "halt",   [KD_ACTION_POWEROFF] = "poweroff",
	[KD_ACTION_SHELL] = "shell",   [KD_ACTION_KEXEC] = "kexec", [KD_ACTION_PREVIOUS] = "previous-kernel",
};

static const char *const collector_names[] = {
	[KD_COLLECTOR_BUILT_IN] = "built-in",
	[KD_COLLECTOR_DUMPFILTER] = "dumpfilter",
	[KD_COLLECTOR_PROGRAM] = "program",
};

static const char *const public_names[] = { "host", "kernel", "reason", "memory", "console" };

/* The index of @name among @count @names; @count if it is none of them. */
static size_t find_name(const char *const *names, size_t count, const char *name)
{
	size_t i;

	for (i = 0; i < count && strcmp(name, names[i]) != 0; i++)
		;
	return i;
}

const char *kd_action_name(enum kd_action action)
{
	return action_names[action];
}

bool kd_action_parse(const char *name, unsigned int allowed, enum kd_action *ret)
{
	size_t found = find_name(action_names, ARRAY_SIZE(action_names), name);

	if (found == ARRAY_SIZE(action_names) || !(allowed & 1u << found))
		return false;
	*ret = found;
	return true;
}

bool kd_public_parse(const char *word, unsigned int *ret)
{
	size_t found = find_name(public_names, ARRAY_SIZE(public_names), word);

	if (found == ARRAY_SIZE(public_names))
		return false;
	*ret = 1u << found;
	return true;
}

/* --- building ----------------------------------------------------------------------------------------------------- */

/* A copy of @argv in one allocation. NULL: no memory. */
static char **copy_argv(char *const *argv)
{
	size_t count = kd_count_words(argv), bytes = 0, i;
	char **copy, *text;

	for (i = 0; i < count; i++)
		bytes += strlen(argv[i]) + 1;
	copy = malloc((count + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return NULL;
	text = (char *)(copy + count + 1);
	for (i = 0; i < count; i++) {
		copy[i] = text;
		text = stpcpy(text, argv[i]) + 1;
	}
	copy[count] = NULL;
	return copy;
}

/* Add a zeroed element to an array. Returns it; NULL: no memory. */
static void *grow(void *array_ptr, size_t *count, size_t size)
{
	char *grown = realloc(*(void **)array_ptr, (*count + 1) * size);

	if (!grown)
		return NULL;
	*(void **)array_ptr = grown;
	return memset(grown + (*count)++ * size, 0, size);
}

struct kd_error *kd_plan_add_module(struct kd_plan *plan, const char *file, const char *options)
{
	struct kd_plan_module *module = grow(&plan->module, &plan->module_count, sizeof(*module));

	if (!module || !(module->file = strdup(file)) || !(module->options = strdup(options)))
		return kd_error_nomem();
	return NULL;
}

struct kd_error *kd_plan_add_volume(struct kd_plan *plan, const char *kind, const char *name, char *const *argv)
{
	struct kd_plan_volume *volume = grow(&plan->volume, &plan->volume_count, sizeof(*volume));

	if (!volume || !(volume->kind = strdup(kind)) || !(volume->name = strdup(name)) ||
	    !(volume->argv = copy_argv(argv)))
		return kd_error_nomem();
	return NULL;
}

const struct kd_plan_volume *kd_plan_find_volume(const struct kd_plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->volume_count; i++)
		if (strcmp(plan->volume[i].name, name) == 0)
			return &plan->volume[i];
	return NULL;
}

bool kd_plan_option_volume(const struct kd_plan *plan, const char *option, const struct kd_plan_volume **ret)
{
	static const char mark[] = "=" KD_PLAN_VOLUME_PREFIX;
	const char *end = option + strcspn(option, ","), *name = option + strcspn(option, "=");
	_cleanup_free_ char *copy = NULL;

	if (name >= end || strncmp(name, mark, strlen(mark)) != 0)
		return false;
	name += strlen(mark);
	copy = strndup(name, (size_t)(end - name));
	*ret = copy ? kd_plan_find_volume(plan, copy) : NULL;
	return true;
}

static bool same_words(char *const *a, char *const *b)
{
	while (*a && *b && strcmp(*a, *b) == 0)
		a++, b++;
	return !*a && !*b;
}

struct kd_error *kd_plan_add_network(struct kd_plan *plan, const char *kind, const char *name, char *const *argv)
{
	struct kd_plan_network *network;
	size_t i;

	for (i = 0; i < plan->network_count; i++) {
		network = &plan->network[i];
		if (strcmp(network->kind, kind) == 0 && strcmp(network->name, name) == 0 &&
		    same_words(network->argv, argv))
			return NULL;
	}
	network = grow(&plan->network, &plan->network_count, sizeof(*network));
	if (!network || !(network->kind = strdup(kind)) || !(network->name = strdup(name)) ||
	    !(network->argv = copy_argv(argv)))
		return kd_error_nomem();
	return NULL;
}

struct kd_error *kd_plan_add_target(struct kd_plan *plan, const char *type, const char *device, const char *options,
				    const char *path, unsigned int deadline)
{
	struct kd_plan_target *target = grow(&plan->target, &plan->target_count, sizeof(*target));

	if (!target || !(target->type = strdup(type)) || !(target->device = strdup(device)) ||
	    !(target->options = strdup(options)) || !(target->path = strdup(path)))
		return kd_error_nomem();
	target->deadline = deadline;
	return NULL;
}

struct kd_error *kd_plan_set_server(struct kd_plan *plan, const char *server, bool alternative)
{
	plan->target[plan->target_count - 1].alternative = alternative;
	return kd_set_text(&plan->target[plan->target_count - 1].server, server);
}

struct kd_error *kd_plan_set_boot(struct kd_plan *plan, const char *type, const char *device, const char *options,
				  unsigned int deadline)
{
	struct kd_plan_target *boot = &plan->boot;

	boot->deadline = deadline;
	if (!(boot->type = strdup(type)) || !(boot->device = strdup(device)) || !(boot->options = strdup(options)))
		return kd_error_nomem();
	return NULL;
}

struct kd_error *kd_plan_add_fence(struct kd_plan *plan, const char *node, unsigned int port, unsigned int interval,
				   unsigned int count)
{
	struct kd_plan_fence *fence = grow(&plan->fence, &plan->fence_count, sizeof(*fence));

	if (!fence || !(fence->node = strdup(node)))
		return kd_error_nomem();
	fence->port = port;
	fence->interval = interval;
	fence->count = count;
	return NULL;
}

struct kd_error *kd_plan_add_recipient(struct kd_plan *plan, const char *recipient)
{
	char **added = grow(&plan->encryption.recipient, &plan->encryption.count, sizeof(*added));

	return added && (*added = strdup(recipient)) ? NULL : kd_error_nomem();
}

struct kd_error *kd_plan_add_hook(struct kd_plan *plan, const char *when, char *const *argv)
{
	struct kd_plan_hook *hook = grow(&plan->hook, &plan->hook_count, sizeof(*hook));

	if (!hook || !(hook->when = strdup(when)) || !(hook->argv = copy_argv(argv)))
		return kd_error_nomem();
	return NULL;
}

static void free_collector(struct kd_plan_collector *collector)
{
	free(collector->erase_config);
	free(collector->argv);
}

struct kd_error *kd_plan_set_collector(struct kd_plan *plan, enum kd_collector_kind kind, const char *erase_config,
				       char *const *argv)
{
	struct kd_plan_collector collector = {
		.kind = kind,
		.erase_config = strdup(erase_config),
		.argv = copy_argv(argv),
	};

	if (!collector.erase_config || !collector.argv) {
		free_collector(&collector);
		return kd_error_nomem();
	}
	free_collector(&plan->collector);
	plan->collector = collector;
	return NULL;
}

struct kd_error *kd_plan_init(struct kd_plan *ret)
{
	static char *const collector[] = { (char *)"dumpfilter", NULL };
	_cleanup_(kd_plan_free) struct kd_plan plan = {
		.deadline = 3600,
		.mount_timeout = KD_PLAN_TIMEOUT,
		.stall_timeout = KD_PLAN_TIMEOUT,
		.quiesce = true,
		.pstore = true,
	};
	struct kd_error *err;

	if ((err = kd_set_text(&plan.kernel_release, "")) || (err = kd_set_text(&plan.host, "")) ||
	    (err = kd_set_text(&plan.address, "127.0.0.1")) ||
	    (err = kd_plan_set_collector(&plan, KD_COLLECTOR_BUILT_IN, "", collector)))
		return err;
	*ret = plan;
	plan = (struct kd_plan){ 0 };
	return NULL;
}

void kd_plan_free(struct kd_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->module_count; i++) {
		free(plan->module[i].file);
		free(plan->module[i].options);
	}
	for (i = 0; i < plan->volume_count; i++) {
		free(plan->volume[i].kind);
		free(plan->volume[i].name);
		free(plan->volume[i].argv);
	}
	for (i = 0; i < plan->network_count; i++) {
		free(plan->network[i].kind);
		free(plan->network[i].name);
		free(plan->network[i].argv);
	}
	for (i = 0; i < plan->target_count; i++) {
		free(plan->target[i].type);
		free(plan->target[i].device);
		free(plan->target[i].options);
		free(plan->target[i].path);
		free(plan->target[i].server);
	}
	free(plan->boot.type);
	free(plan->boot.device);
	free(plan->boot.options);
	for (i = 0; i < plan->fence_count; i++)
		free(plan->fence[i].node);
	for (i = 0; i < plan->encryption.count; i++)
		free(plan->encryption.recipient[i]);
	free(plan->encryption.recipient);
	for (i = 0; i < plan->hook_count; i++) {
		free(plan->hook[i].when);
		free(plan->hook[i].argv);
	}
	free(plan->module);
	free(plan->volume);
	free(plan->network);
	free(plan->fence);
	free(plan->target);
	free(plan->hook);
	free(plan->kernel_release);
	free(plan->host);
	free(plan->address);
	free_collector(&plan->collector);
	*plan = (struct kd_plan){ 0 };
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool is_plain(unsigned char c)
{
	return c > ' ' && c != 0x7f && c != '%' && c != '"' && c != '\'';
}

static void put_word(FILE *out, const char *word)
{
	fputc(' ', out);
	if (!*word)
		fputc('%', out);
	for (; *word; word++) {
		if (is_plain(*word))
			fputc(*word, out);
		else
			fprintf(out, "%%%02X", (unsigned char)*word);
	}
}

static void put_argv(FILE *out, char *const *argv)
{
	while (*argv)
		put_word(out, *argv++);
	fputc('\n', out);
}

static void put_string(FILE *out, const char *key, const char *value)
{
	fputs(key, out);
	put_word(out, value);
	fputc('\n', out);
}

struct kd_error *kd_plan_format(const struct kd_plan *plan, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size, i;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return kd_error_nomem();
	fprintf(out, "kdump-plan %d\n", KD_PLAN_VERSION);
	fprintf(out, "created %" PRIu64 "\n", plan->created);
	put_string(out, "kernel", plan->kernel_release);
	put_string(out, "host", plan->host);
	put_string(out, "address", plan->address);
	fprintf(out, "utc-offset %d\n", plan->utc_offset);
	fprintf(out, "deadline %u\n", plan->deadline);
	fprintf(out, "mount-timeout %u\n", plan->mount_timeout);
	fprintf(out, "stall-timeout %u\n", plan->stall_timeout);
	fprintf(out, "quiesce %s\n", plan->quiesce ? "on" : "off");
	fprintf(out, "pstore %s\n", plan->pstore ? "on" : "off");
	for (i = 0; i < plan->module_count; i++) {
		fputs("module", out);
		put_word(out, plan->module[i].file);
		put_word(out, plan->module[i].options);
		fputc('\n', out);
	}
	for (i = 0; i < plan->volume_count; i++) {
		fputs("volume", out);
		put_word(out, plan->volume[i].kind);
		put_word(out, plan->volume[i].name);
		put_argv(out, plan->volume[i].argv);
	}
	for (i = 0; i < plan->network_count; i++) {
		fputs("network", out);
		put_word(out, plan->network[i].kind);
		put_word(out, plan->network[i].name);
		put_argv(out, plan->network[i].argv);
	}
	for (i = 0; i < plan->fence_count; i++) {
		const struct kd_plan_fence *fence = &plan->fence[i];

		fputs("fence-kdump", out);
		put_word(out, fence->node);
		fprintf(out, " %u %u %u\n", fence->port, fence->interval, fence->count);
	}
	for (i = 0; i < plan->target_count; i++) {
		const struct kd_plan_target *target = &plan->target[i];

		fputs("target", out);
		put_word(out, target->type);
		put_word(out, target->device);
		put_word(out, target->options);
		put_word(out, target->path);
		fprintf(out, " %u", target->deadline);
		if (target->server)
			put_word(out, target->server);
		if (target->alternative)
			put_word(out, KD_PLAN_ALTERNATIVE);
		fputc('\n', out);
	}
	fputs("collector", out);
	put_word(out, collector_names[plan->collector.kind]);
	put_word(out, plan->collector.erase_config);
	put_argv(out, plan->collector.argv);
	for (i = 0; i < plan->encryption.count; i++)
		put_string(out, "encrypt", plan->encryption.recipient[i]);
	for (i = 0; i < ARRAY_SIZE(public_names); i++)
		if (plan->encryption.public & 1u << i)
			put_string(out, "public", public_names[i]);
	for (i = 0; i < plan->hook_count; i++) {
		fputs("hook", out);
		put_word(out, plan->hook[i].when);
		put_argv(out, plan->hook[i].argv);
	}
	put_string(out, "failure-action", kd_action_name(plan->failure_action));
	put_string(out, "final-action", kd_action_name(plan->final_action));
	if (plan->loop.count)
		fprintf(out, "crash-loop %u %u %s\n", plan->loop.count, plan->loop.seconds,
			kd_action_name(plan->loop.action));
	if (plan->boot.type) {
		fputs("boot", out);
		put_word(out, plan->boot.type);
		put_word(out, plan->boot.device);
		put_word(out, plan->boot.options);
		fprintf(out, " %u\n", plan->boot.deadline);
	}
	fputs("end\n", out);
	if (fclose(out) != 0)
		return kd_error_nomem();
	*ret = take_ptr(text);
	return NULL;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Undo put_word(), in place. */
static bool unescape(char *word)
{
	char *out = word;
	uint64_t value;

	if (strcmp(word, "%") == 0) {
		*word = '\0';
		return true;
	}
	for (; *word; word++) {
		if (*word == '%') {
			char digits[3] = { word[1], word[1] ? word[2] : '\0', '\0' };

			if (!digits[1] || !kd_parse_u64(digits, 16, &value) || !value)
				return false;
			*out++ = (char)value;
			word += 2;
		} else {
			*out++ = *word;
		}
	}
	*out = '\0';
	return true;
}

static bool parse_uint(const char *word, unsigned int *ret)
{
	uint64_t value;

	if (!kd_parse_u64(word, 10, &value) || value > UINT32_MAX)
		return false;
	*ret = value;
	return true;
}

/* The result of a line's handler: fine, a bad value, or no memory. */
enum line_result { LINE_OK, LINE_BAD, LINE_NOMEM };

static enum line_result from_error(struct kd_error *err)
{
	return kd_error_discard(err) ? LINE_NOMEM : LINE_OK;
}

typedef enum line_result line_fn(struct kd_plan *plan, char **word, size_t count);

static enum line_result line_created(struct kd_plan *plan, char **word, size_t count)
{
	return kd_parse_u64(word[0], 10, &plan->created) ? LINE_OK : LINE_BAD;
}

static enum line_result line_kernel(struct kd_plan *plan, char **word, size_t count)
{
	return from_error(kd_set_text(&plan->kernel_release, word[0]));
}

static enum line_result line_host(struct kd_plan *plan, char **word, size_t count)
{
	return from_error(kd_set_text(&plan->host, word[0]));
}

static enum line_result line_address(struct kd_plan *plan, char **word, size_t count)
{
	/* The address becomes part of a file name. */
	if (!*word[0] || strchr(word[0], '/'))
		return LINE_BAD;
	return from_error(kd_set_text(&plan->address, word[0]));
}

static enum line_result line_utc_offset(struct kd_plan *plan, char **word, size_t count)
{
	int64_t value;

	if (!kd_parse_s64(word[0], &value) || value < -86400 || value > 86400)
		return LINE_BAD;
	plan->utc_offset = (int)value;
	return LINE_OK;
}

static enum line_result seconds(const char *word, unsigned int *ret)
{
	return parse_uint(word, ret) && *ret ? LINE_OK : LINE_BAD;
}

static enum line_result line_deadline(struct kd_plan *plan, char **word, size_t count)
{
	return seconds(word[0], &plan->deadline);
}

static enum line_result line_mount_timeout(struct kd_plan *plan, char **word, size_t count)
{
	return seconds(word[0], &plan->mount_timeout);
}

static enum line_result line_stall_timeout(struct kd_plan *plan, char **word, size_t count)
{
	return seconds(word[0], &plan->stall_timeout);
}

static enum line_result set_switch(bool *on, const char *word)
{
	*on = strcmp(word, "on") == 0;
	return *on || strcmp(word, "off") == 0 ? LINE_OK : LINE_BAD;
}

static enum line_result line_quiesce(struct kd_plan *plan, char **word, size_t count)
{
	return set_switch(&plan->quiesce, word[0]);
}

static enum line_result line_pstore(struct kd_plan *plan, char **word, size_t count)
{
	return set_switch(&plan->pstore, word[0]);
}

static enum line_result line_module(struct kd_plan *plan, char **word, size_t count)
{
	return word[0][0] == '/' ? from_error(kd_plan_add_module(plan, word[0], word[1])) : LINE_BAD;
}

static enum line_result line_volume(struct kd_plan *plan, char **word, size_t count)
{
	/* The name becomes part of paths below /dev and /sys. */
	if (!*word[0] || !*word[1] || strchr(word[1], '/') || kd_plan_find_volume(plan, word[1]))
		return LINE_BAD;
	return from_error(kd_plan_add_volume(plan, word[0], word[1], word + 2));
}

static enum line_result line_network(struct kd_plan *plan, char **word, size_t count)
{
	if (!*word[0] || !*word[1])
		return LINE_BAD;
	return from_error(kd_plan_add_network(plan, word[0], word[1], word + 2));
}

static enum line_result line_fence_kdump(struct kd_plan *plan, char **word, size_t count)
{
	unsigned int interval;
	uint64_t port, messages;

	if (!*word[0] || !kd_parse_u64(word[1], 10, &port) || !port || port > UINT16_MAX ||
	    seconds(word[2], &interval) != LINE_OK || !kd_parse_u64(word[3], 10, &messages) || messages > UINT32_MAX)
		return LINE_BAD;
	return from_error(kd_plan_add_fence(plan, word[0], (unsigned int)port, interval, (unsigned int)messages));
}

static enum line_result line_target(struct kd_plan *plan, char **word, size_t count)
{
	enum line_result result;
	unsigned int deadline;

	if (!*word[0] || !*word[1] || word[3][0] != '/' || seconds(word[4], &deadline) != LINE_OK)
		return LINE_BAD;
	result = from_error(kd_plan_add_target(plan, word[0], word[1], word[2], word[3], deadline));
	if (result != LINE_OK || count == 5)
		return result;
	if (!*word[5] || (count > 6 && (plan->target_count == 1 || strcmp(word[6], KD_PLAN_ALTERNATIVE) != 0)))
		return LINE_BAD;
	return from_error(kd_plan_set_server(plan, word[5], count > 6));
}

static enum line_result line_collector(struct kd_plan *plan, char **word, size_t count)
{
	size_t kind = find_name(collector_names, ARRAY_SIZE(collector_names), word[0]);
	const char *erase_config = word[1];

	if (kind == ARRAY_SIZE(collector_names) || !*word[2] || (*erase_config && *erase_config != '/'))
		return LINE_BAD;
	/* The built-in filter erases nothing: this plan would save what must not be saved. */
	if (*erase_config && kind == KD_COLLECTOR_BUILT_IN)
		return LINE_BAD;
	return from_error(kd_plan_set_collector(plan, kind, erase_config, word + 2));
}

static enum line_result line_encrypt(struct kd_plan *plan, char **word, size_t count)
{
	return *word[0] ? from_error(kd_plan_add_recipient(plan, word[0])) : LINE_BAD;
}

static enum line_result line_public(struct kd_plan *plan, char **word, size_t count)
{
	unsigned int bit;

	if (!kd_public_parse(word[0], &bit))
		return LINE_BAD;
	plan->encryption.public |= bit;
	return LINE_OK;
}

static enum line_result line_hook(struct kd_plan *plan, char **word, size_t count)
{
	return from_error(kd_plan_add_hook(plan, word[0], word + 1));
}

static enum line_result line_failure_action(struct kd_plan *plan, char **word, size_t count)
{
	return kd_action_parse(word[0], KD_ACTIONS_FAILURE, &plan->failure_action) ? LINE_OK : LINE_BAD;
}

static enum line_result line_final_action(struct kd_plan *plan, char **word, size_t count)
{
	return kd_action_parse(word[0], KD_ACTIONS_FINAL, &plan->final_action) ? LINE_OK : LINE_BAD;
}

static enum line_result line_crash_loop(struct kd_plan *plan, char **word, size_t count)
{
	if (plan->loop.count || seconds(word[0], &plan->loop.count) != LINE_OK)
		return LINE_BAD;
	if (seconds(word[1], &plan->loop.seconds) != LINE_OK)
		return LINE_BAD;
	return kd_action_parse(word[2], KD_ACTIONS_LOOP, &plan->loop.action) ? LINE_OK : LINE_BAD;
}

static enum line_result line_boot(struct kd_plan *plan, char **word, size_t count)
{
	unsigned int deadline;

	if (plan->boot.type || !*word[0] || !*word[1] || seconds(word[3], &deadline) != LINE_OK)
		return LINE_BAD;
	return from_error(kd_plan_set_boot(plan, word[0], word[1], word[2], deadline));
}

#define ANY_NUMBER 512 /* of words: those of a command or of a volume's table */

static const struct {
	const char *key;
	line_fn *parse;
	size_t min, max; /* words after the key */
	bool repeats;    /* false: the key must appear exactly once */
} keys[] = {
	{ "created", line_created, 1, 1, false },
	{ "kernel", line_kernel, 1, 1, false },
	{ "host", line_host, 1, 1, false },
	{ "address", line_address, 1, 1, false },
	{ "utc-offset", line_utc_offset, 1, 1, false },
	{ "deadline", line_deadline, 1, 1, false },
	{ "mount-timeout", line_mount_timeout, 1, 1, false },
	{ "stall-timeout", line_stall_timeout, 1, 1, false },
	{ "quiesce", line_quiesce, 1, 1, false },
	{ "pstore", line_pstore, 1, 1, false },
	{ "module", line_module, 2, 2, true },
	{ "volume", line_volume, 3, ANY_NUMBER, true },
	{ "network", line_network, 3, ANY_NUMBER, true },
	{ "fence-kdump", line_fence_kdump, 4, 4, true },
	{ "target", line_target, 5, 7, true },
	{ "collector", line_collector, 3, ANY_NUMBER, false },
	{ "encrypt", line_encrypt, 1, 1, true },
	{ "public", line_public, 1, 1, true },
	{ "hook", line_hook, 2, ANY_NUMBER, true },
	{ "failure-action", line_failure_action, 1, 1, false },
	{ "final-action", line_final_action, 1, 1, false },
	/* At most one of each. */
	{ "crash-loop", line_crash_loop, 3, 3, true },
	{ "boot", line_boot, 4, 4, true },
};
#define KEY_COUNT ARRAY_SIZE(keys)

static struct kd_error *parse_line(struct kd_plan *plan, char *line, const char *name, unsigned int number,
				   bool seen[KEY_COUNT])
{
	char *word[ANY_NUMBER + 2] = { 0 }, *cursor = line;
	size_t count = 0, key, i;

	while (count < ANY_NUMBER + 1 && (word[count] = strsep(&cursor, " ")))
		count++;
	if (cursor)
		return kd_error_create(KD_ERR_FORMAT, "%s:%u: more than %d words", name, number, ANY_NUMBER);
	for (key = 0; key < KEY_COUNT && strcmp(word[0], keys[key].key) != 0; key++)
		;
	if (key == KEY_COUNT)
		return kd_error_create(KD_ERR_FORMAT, "%s:%u: unknown key \"%s\"", name, number, word[0]);
	if (seen[key] && !keys[key].repeats)
		return kd_error_create(KD_ERR_FORMAT, "%s:%u: %s appears twice", name, number, word[0]);
	seen[key] = true;
	if (count - 1 < keys[key].min || count - 1 > keys[key].max)
		return kd_error_create(KD_ERR_FORMAT, "%s:%u: %s has %zu words", name, number, word[0], count - 1);
	for (i = 1; i < count; i++)
		if (!*word[i] || !unescape(word[i]))
			return kd_error_create(KD_ERR_FORMAT, "%s:%u: bad escape in word %zu of %s", name, number, i,
					       word[0]);
	switch (keys[key].parse(plan, word + 1, count - 1)) {
	case LINE_OK:
		return NULL;
	case LINE_NOMEM:
		return kd_error_nomem();
	case LINE_BAD:
		break;
	}
	return kd_error_create(KD_ERR_FORMAT, "%s:%u: bad value for %s: \"%s\"", name, number, word[0], word[1]);
}

struct kd_error *kd_plan_parse(const char *text, const char *name, struct kd_plan *ret)
{
	_cleanup_(kd_plan_free) struct kd_plan plan = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	char *cursor = copy, *line, version[32];
	bool seen[KEY_COUNT] = { false }, ended = false;
	unsigned int number = 1;
	struct kd_error *err;
	size_t key;

	if (!copy)
		return kd_error_nomem();
	snprintf(version, sizeof(version), "kdump-plan %d", KD_PLAN_VERSION);
	line = strsep(&cursor, "\n");
	if (strcmp(line, version) != 0)
		return kd_error_create(KD_ERR_FORMAT, "%s:1: \"%.40s\": this version of kdump reads only \"%s\"", name,
				       line, version);
	while (!ended && (line = strsep(&cursor, "\n")) && (*line || cursor)) {
		number++;
		ended = strcmp(line, "end") == 0;
		if (!ended && (err = parse_line(&plan, line, name, number, seen)))
			return err;
	}
	if (!ended)
		return kd_error_create(KD_ERR_FORMAT, "%s: truncated: the \"end\" line is missing", name);
	for (key = 0; key < KEY_COUNT; key++)
		if (!seen[key] && !keys[key].repeats)
			return kd_error_create(KD_ERR_FORMAT, "%s: the \"%s\" line is missing", name, keys[key].key);
	*ret = plan;
	plan = (struct kd_plan){ 0 };
	return NULL;
}
