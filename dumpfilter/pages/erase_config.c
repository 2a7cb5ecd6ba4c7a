/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dumpfilter/pages/erase_config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/parse.h"

#define WORD_SIZE       256u
#define RULES_MAX       16384u
#define SIZE_MAX_ERASED (UINT64_C(1) << 30)
#define STRING_MAX      1024u /* of what a char * points to */
#define ELEMENTS_MAX    (1u << 20)
#define POINTER_SIZE    8u

/* [(TYPE *…[count])] SYMBOL[.member…] */
struct expression {
	char type[WORD_SIZE]; /* "" if it was not given */
	unsigned int pointers;
	uint64_t count; /* 0: no array */
	char path[WORD_SIZE];
};

enum size_kind { SIZE_OF_TYPE, SIZE_BYTES, SIZE_EXPRESSION, SIZE_NULLIFY };

enum rule_kind {
	RULE_ERASE,
	RULE_FOR_ARRAY,
	RULE_FOR_VIA,
	RULE_FOR_WITHIN,
	RULE_ENDFOR,
};

struct rule {
	enum rule_kind kind;
	unsigned int line;
	size_t object; /* in struct erase_config */
	struct expression what;
	enum size_kind size_kind;
	uint64_t bytes;
	struct expression size;
	/* for */
	char variable[WORD_SIZE];
	char container[WORD_SIZE];
	char link[WORD_SIZE]; /* via or within: the member */
};

struct erase_config {
	char *name;
	char (*object)[WORD_SIZE];
	size_t object_count;
	struct rule *rule;
	size_t rule_count, rule_capacity;
};

void erase_config_destroy(struct erase_config *config)
{
	if (!config)
		return;
	free(config->name);
	free(config->object);
	free(config->rule);
	free(config);
}

/* --- parsing ------------------------------------------------------------------------------------------------------ */

struct parser {
	struct erase_config *config;
	const char *at; /* in the line */
	unsigned int line;
	bool in_loop;
	char variable[WORD_SIZE]; /* of the loop */
};

static struct kd_error *complain(const struct parser *parser, const char *text)
{
	return kd_error_create(KD_ERR_CONFIG, "%s:%u: %s", parser->config->name, parser->line, text);
}

static void skip_blanks(struct parser *parser)
{
	parser->at += strspn(parser->at, " \t\r");
}

static bool at_end(struct parser *parser)
{
	skip_blanks(parser);
	return *parser->at == '\0';
}

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* A name, with dots in it where @dots; false if there is none here, or an endless one. */
static bool take_name(struct parser *parser, bool dots, char ret[WORD_SIZE])
{
	size_t length = 0;

	skip_blanks(parser);
	while (is_name_char(parser->at[length]) ||
	       (dots && length && parser->at[length] == '.' && parser->at[length - 1] != '.' &&
		is_name_char(parser->at[length + 1])))
		length++;
	if (length == 0 || length >= WORD_SIZE || isdigit((unsigned char)*parser->at))
		return false;
	memcpy(ret, parser->at, length);
	ret[length] = '\0';
	parser->at += length;
	return true;
}

static bool take_char(struct parser *parser, char c)
{
	skip_blanks(parser);
	if (*parser->at != c)
		return false;
	parser->at++;
	return true;
}

static bool take_keyword(struct parser *parser, const char *keyword)
{
	size_t length = strlen(keyword);

	skip_blanks(parser);
	if (strncmp(parser->at, keyword, length) != 0 || is_name_char(parser->at[length]))
		return false;
	parser->at += length;
	return true;
}

/* Behind the "(". */
static struct kd_error *parse_cast(struct parser *parser, struct expression *ret)
{
	char word[WORD_SIZE];

	if (!take_keyword(parser, "struct") && !take_keyword(parser, "union"))
		(void)take_keyword(parser, "enum");
	while (take_name(parser, false, word)) {
		size_t used = strlen(ret->type);

		if ((size_t)snprintf(ret->type + used, sizeof(ret->type) - used, "%s%s", used ? " " : "", word) >=
		    sizeof(ret->type) - used)
			return complain(parser, "the type's name is too long");
	}
	while (take_char(parser, '*'))
		ret->pointers++;
	if (take_char(parser, '[')) {
		char *end;

		skip_blanks(parser);
		if (isdigit((unsigned char)*parser->at)) {
			ret->count = strtoull(parser->at, &end, 0);
			parser->at = end;
		}
		if (!take_char(parser, ']') || ret->count == 0 || ret->count > SIZE_MAX_ERASED)
			return complain(parser, "\"[\", the number of elements and \"]\" are expected in a type");
	}
	if (!*ret->type || !take_char(parser, ')'))
		return complain(parser, "a type and \")\" are expected, as in \"(struct name *) symbol\"");
	return NULL;
}

static struct kd_error *parse_expression(struct parser *parser, struct expression *ret)
{
	if (take_char(parser, '(')) {
		struct kd_error *err = parse_cast(parser, ret);

		if (err)
			return err;
	}
	if (!take_name(parser, true, ret->path) || *parser->at == '.')
		return complain(parser, "a symbol is expected, with members as in \"symbol.member.member\"");
	return NULL;
}

static struct kd_error *parse_size(struct parser *parser, struct rule *rule)
{
	skip_blanks(parser);
	if (isdigit((unsigned char)*parser->at)) {
		size_t length = strcspn(parser->at, " \t\r");
		char number[32];

		rule->size_kind = SIZE_BYTES;
		if (length < sizeof(number)) {
			memcpy(number, parser->at, length);
			number[length] = '\0';
			if (kd_parse_size(number, &rule->bytes) && rule->bytes && rule->bytes <= SIZE_MAX_ERASED) {
				parser->at += length;
				return NULL;
			}
		}
		return complain(parser, "the size is not a number of bytes from 1 to 1G, such as 64, 4K or 1M");
	}
	rule->size_kind = SIZE_EXPRESSION;
	return parse_expression(parser, &rule->size);
}

static struct kd_error *parse_erase(struct parser *parser, struct rule *rule)
{
	struct kd_error *err = parse_expression(parser, &rule->what);

	rule->kind = RULE_ERASE;
	if (err || at_end(parser))
		return err;
	if (take_keyword(parser, "nullify"))
		rule->size_kind = SIZE_NULLIFY;
	else if (take_keyword(parser, "size"))
		err = parse_size(parser, rule);
	else
		return complain(parser, "\"size\" or \"nullify\" is expected behind what is erased");
	return err;
}

static struct kd_error *parse_for(struct parser *parser, struct rule *rule)
{
	struct kd_error *err;

	if (parser->in_loop)
		return complain(parser, "a loop within a loop: \"endfor\" is missing");
	if (!take_name(parser, false, rule->variable) || !take_keyword(parser, "in"))
		return complain(parser, "a name and \"in\" are expected behind \"for\"");
	err = parse_expression(parser, &rule->what);
	if (err)
		return err;
	rule->kind = RULE_FOR_ARRAY;
	if (take_keyword(parser, "via")) {
		rule->kind = RULE_FOR_VIA;
		if (!take_name(parser, true, rule->link))
			return complain(parser, "the member that leads to the next struct is expected behind \"via\"");
	} else if (take_keyword(parser, "within")) {
		rule->kind = RULE_FOR_WITHIN;
		(void)take_keyword(parser, "struct");
		if (!take_name(parser, false, rule->container) || !take_char(parser, ':') ||
		    !take_name(parser, true, rule->link))
			return complain(parser, "\"struct:member\" is expected behind \"within\"");
	}
	parser->in_loop = true;
	strcpy(parser->variable, rule->variable);
	return NULL;
}

static struct kd_error *begin_object(struct parser *parser)
{
	struct erase_config *config = parser->config;
	char(*object)[WORD_SIZE] = reallocarray(config->object, config->object_count + 1, sizeof(*object));
	size_t length;

	if (!object)
		return kd_error_nomem();
	config->object = object;
	skip_blanks(parser);
	length = strcspn(parser->at, "] \t\r");
	if (length == 0 || length >= WORD_SIZE || parser->at[length + strspn(parser->at + length, " \t\r")] != ']')
		return complain(parser, "\"[module]\" is expected");
	memcpy(object[config->object_count], parser->at, length);
	object[config->object_count][length] = '\0';
	/* The kernel spells the names of modules with underscores. */
	for (char *c = object[config->object_count]; *c; c++)
		if (*c == '-')
			*c = '_';
	config->object_count++;
	parser->at += length;
	(void)take_char(parser, ']');
	return parser->in_loop ? complain(parser, "a section begins within a loop: \"endfor\" is missing") : NULL;
}

static struct kd_error *append_rule(struct parser *parser, const struct rule *rule)
{
	struct erase_config *config = parser->config;

	if (config->rule_count == config->rule_capacity) {
		size_t capacity = config->rule_capacity ? 2 * config->rule_capacity : 16;
		struct rule *grown;

		if (capacity > RULES_MAX)
			return complain(parser, "too many commands");
		grown = reallocarray(config->rule, capacity, sizeof(*grown));
		if (!grown)
			return kd_error_nomem();
		config->rule = grown;
		config->rule_capacity = capacity;
	}
	config->rule[config->rule_count++] = *rule;
	return NULL;
}

static struct kd_error *parse_line(struct parser *parser)
{
	struct rule rule = { .line = parser->line, .object = parser->config->object_count - 1 };
	struct kd_error *err = NULL;

	if (at_end(parser))
		return NULL;
	if (take_char(parser, '[')) {
		err = begin_object(parser);
		if (!err && !at_end(parser))
			err = complain(parser, "something follows the section's name");
		return err;
	}
	if (take_keyword(parser, "erase")) {
		err = parse_erase(parser, &rule);
	} else if (take_keyword(parser, "for")) {
		err = parse_for(parser, &rule);
	} else if (take_keyword(parser, "endfor")) {
		rule.kind = RULE_ENDFOR;
		if (!parser->in_loop)
			return complain(parser, "\"endfor\" without \"for\"");
		parser->in_loop = false;
	} else {
		return complain(parser, "\"erase\", \"for\", \"endfor\" or \"[module]\" is expected");
	}
	if (!err && !at_end(parser))
		err = kd_error_create(KD_ERR_CONFIG, "%s:%u: unexpected text: \"%s\"", parser->config->name,
				      parser->line, parser->at);
	return err ? err : append_rule(parser, &rule);
}

struct kd_error *erase_config_parse(const char *text, const char *name, struct erase_config **ret)
{
	_cleanup_(erase_config_destroy) struct erase_config *config = calloc(1, sizeof(*config));
	struct parser parser = { .config = config };
	struct kd_error *err = NULL;

	if (!config)
		return kd_error_nomem();
	/* A file that was cut off to nothing must not let through what it was to erase. */
	if (!*text)
		return kd_error_create(KD_ERR_CONFIG,
				       "%s is empty, and nothing would be erased: write its commands, or leave "
				       "--config out",
				       name);
	config->name = strdup(name);
	config->object = calloc(1, sizeof(*config->object));
	if (!config->name || !config->object)
		return kd_error_nomem();
	strcpy(config->object[0], "vmlinux");
	config->object_count = 1;
	while (*text && !err) {
		size_t length = strcspn(text, "\n");
		_cleanup_free_ char *line = strndup(text, length);

		if (!line)
			return kd_error_nomem();
		line[strcspn(line, "#")] = '\0';
		parser.line++;
		parser.at = line;
		err = parse_line(&parser);
		text += length + (text[length] == '\n');
	}
	if (!err && parser.in_loop)
		err = complain(&parser, "the file ends within a loop: \"endfor\" is missing");
	if (err)
		return err;
	*ret = take_ptr(config);
	return NULL;
}

/* --- resolving ---------------------------------------------------------------------------------------------------- */

/* A type, or an array of, or pointers to, one: what a cast can say. */
struct value_type {
	type_id id;
	unsigned int pointers;
	uint64_t count;
};

/* Something in memory. */
struct value {
	uint64_t vaddr;
	struct value_type type;
	/* The struct that it is a member of. */
	uint64_t parent;
};

struct resolver {
	const struct erase_config *config;
	const struct erase_names *names;
	struct address_space *space;
	bool optional;
	const struct kd_log *log;
	struct erase *erase;
	const struct debuginfo *info; /* of the object at hand; NULL: not loaded */
	const struct rule *loop;      /* that we are in, and its element */
	struct value element;
	bool failed; /* and the error says where */
};

static struct kd_error *no_type(const struct expression *expression, const char *name)
{
	return kd_error_create(KD_ERR_NOT_FOUND, "%s: the kernel's types have no \"%s\"", expression->path, name);
}

static bool describe(const struct resolver *resolver, const struct value_type *type, struct type *ret,
		     struct value_type *target_ret)
{
	*target_ret = *type;
	if (type->count) {
		struct type element;
		struct value_type below;

		target_ret->count = 0;
		if (!describe(resolver, target_ret, &element, &below))
			return false;
		*ret = (struct type){ .kind = TYPE_ARRAY, .count = type->count };
		return !__builtin_mul_overflow(element.size, type->count, &ret->size);
	}
	if (type->pointers) {
		target_ret->pointers--;
		*ret = (struct type){ .kind = TYPE_POINTER, .size = POINTER_SIZE };
		return true;
	}
	if (!resolver->info->types->describe(resolver->info->types_data, type->id, ret))
		return false;
	*target_ret = (struct value_type){ .id = ret->target };
	return true;
}

static bool find_type(const struct resolver *resolver, const char *name, type_id *ret)
{
	if (strcmp(name, "void") == 0) {
		*ret = TYPE_ID_VOID;
		return true;
	}
	return resolver->info->types->find(resolver->info->types_data, name, ret);
}

/* The first name of a path. */
static struct kd_error *get_base(const struct resolver *resolver, const struct expression *expression, const char *name,
				 struct value *ret)
{
	const struct debuginfo *info = resolver->info;
	unsigned int found;

	*ret = (struct value){ 0 };
	if (resolver->loop && strcmp(name, resolver->loop->variable) == 0) {
		*ret = resolver->element;
	} else {
		found = info->symbols->find(info->symbols_data, name, &ret->vaddr);
		if (found == 0)
			return kd_error_create(KD_ERR_NOT_FOUND, "%s: the kernel has no symbol \"%s\"",
					       expression->path, name);
		if (found > 1)
			return kd_error_create(KD_ERR_CONFIG, "%s: the kernel has %u symbols \"%s\"", expression->path,
					       found, name);
		if (!*expression->type && !info->types->variable(info->types_data, name, &ret->type.id))
			return kd_error_create(KD_ERR_NOT_FOUND,
					       "%s: the type of \"%s\" is not known here: write it in "
					       "front, as in \"(struct name) %s\", or give its vmlinux with -x",
					       expression->path, name, expression->path);
	}
	if (*expression->type) {
		if (!find_type(resolver, expression->type, &ret->type.id))
			return no_type(expression, expression->type);
		ret->type.pointers = expression->pointers;
		ret->type.count = expression->count;
	}
	return NULL;
}

static struct kd_error *read_pointer(const struct resolver *resolver, const struct expression *expression,
				     uint64_t vaddr, uint64_t *ret)
{
	return kd_error_wrap(address_space_read_u64(resolver->space, vaddr, ret), "%s", expression->path);
}

/* Follow @value while it is a pointer, to where the struct is. *null_ret: there is none. */
static struct kd_error *dereference(const struct resolver *resolver, const struct expression *expression,
				    struct value *value, struct type *type, bool *null_ret)
{
	*null_ret = false;
	for (unsigned int depth = 0; depth < 8; depth++) {
		struct value_type target;
		struct kd_error *err;

		if (!describe(resolver, &value->type, type, &target))
			return kd_error_create(KD_ERR_FORMAT, "%s: the kernel's types describe it in an impossible way",
					       expression->path);
		if (type->kind != TYPE_POINTER)
			return NULL;
		err = read_pointer(resolver, expression, value->vaddr, &value->vaddr);
		if (err)
			return err;
		value->type = target;
		if (value->vaddr == 0) {
			*null_ret = true;
			return NULL;
		}
	}
	return kd_error_create(KD_ERR_CONFIG, "%s: pointers to pointers to pointers", expression->path);
}

/* Follow @path ("member.member…", or "") from *value. */
static struct kd_error *follow(const struct resolver *resolver, const struct expression *expression, const char *path,
			       struct value *value, bool *null_ret)
{
	*null_ret = false;
	while (*path) {
		size_t length = strcspn(path, ".");
		struct type_member member;
		char name[WORD_SIZE];
		struct type type;
		struct kd_error *err;

		memcpy(name, path, length);
		name[length] = '\0';
		path += length + (path[length] == '.');
		err = dereference(resolver, expression, value, &type, null_ret);
		if (err || *null_ret)
			return err;
		if (type.kind != TYPE_STRUCT)
			return kd_error_create(KD_ERR_CONFIG,
					       "%s: \"%s\" is named as a member of something that is not a struct",
					       expression->path, name);
		if (!resolver->info->types->member(resolver->info->types_data, type.id, name, &member))
			return kd_error_create(KD_ERR_NOT_FOUND, "%s: there is no member \"%s\"", expression->path,
					       name);
		if (member.bit_field)
			return kd_error_create(KD_ERR_CONFIG, "%s: \"%s\" is a bit field", expression->path, name);
		value->parent = value->vaddr;
		value->vaddr += member.offset;
		value->type = (struct value_type){ .id = member.type };
	}
	return NULL;
}

static struct kd_error *evaluate(const struct resolver *resolver, const struct expression *expression,
				 struct value *ret, bool *null_ret)
{
	size_t length = strcspn(expression->path, ".");
	char name[WORD_SIZE];
	struct kd_error *err;

	*null_ret = false;
	memcpy(name, expression->path, length);
	name[length] = '\0';
	err = get_base(resolver, expression, name, ret);
	if (err || !expression->path[length])
		return err;
	return follow(resolver, expression, expression->path + length + 1, ret, null_ret);
}

/* How long the string at @vaddr is. */
static struct kd_error *string_length(const struct resolver *resolver, uint64_t vaddr, uint64_t *ret)
{
	for (*ret = 0; *ret < STRING_MAX; ++*ret) {
		char c;
		struct kd_error *err = address_space_read(resolver->space, vaddr + *ret, &c, 1);

		if (err)
			return err;
		if (!c)
			break;
	}
	return NULL;
}

static struct kd_error *get_integer(const struct resolver *resolver, const struct expression *expression, uint64_t *ret,
				    bool *null_ret)
{
	struct value_type target;
	struct value value;
	struct type type;
	struct kd_error *err = evaluate(resolver, expression, &value, null_ret);

	if (err || *null_ret)
		return err;
	if (!describe(resolver, &value.type, &type, &target) || type.kind != TYPE_INTEGER || type.size == 0 ||
	    type.size > 8)
		return kd_error_create(KD_ERR_CONFIG, "%s is not an integer", expression->path);
	*ret = 0;
	err = kd_error_wrap(address_space_read(resolver->space, value.vaddr, ret, type.size), "%s", expression->path);
	if (!err && *ret > SIZE_MAX_ERASED)
		err = kd_error_create(KD_ERR_LIMIT, "%s: %lu bytes are to be erased, more than 1 GiB", expression->path,
				      *ret);
	return err;
}

/* Where the data begins that @rule erases, and how much of it there is; 0 bytes: none. */
static struct kd_error *get_extent(const struct resolver *resolver, const struct rule *rule, uint64_t *vaddr_ret,
				   uint64_t *size_ret)
{
	const struct expression *what = &rule->what;
	struct value_type target;
	struct value value;
	struct type type;
	bool null, pointer;
	struct kd_error *err = evaluate(resolver, what, &value, &null);

	*size_ret = 0;
	if (err || null)
		return err;
	if (!describe(resolver, &value.type, &type, &target))
		return kd_error_create(KD_ERR_FORMAT, "%s: the kernel's types describe it in an impossible way",
				       what->path);
	pointer = type.kind == TYPE_POINTER;
	if (rule->size_kind == SIZE_NULLIFY) {
		if (!pointer)
			return kd_error_create(KD_ERR_CONFIG, "%s is not a pointer, so it cannot be nullified",
					       what->path);
		*vaddr_ret = value.vaddr;
		*size_ret = POINTER_SIZE;
		return NULL;
	}
	*vaddr_ret = value.vaddr;
	if (pointer) {
		err = read_pointer(resolver, what, value.vaddr, vaddr_ret);
		if (err || !*vaddr_ret)
			return err;
		if (!describe(resolver, &target, &type, &target))
			return kd_error_create(KD_ERR_FORMAT, "%s: the kernel's types describe it in an impossible way",
					       what->path);
	}
	switch (rule->size_kind) {
	case SIZE_BYTES:
		*size_ret = rule->bytes;
		return NULL;
	case SIZE_EXPRESSION:
		err = get_integer(resolver, &rule->size, size_ret, &null);
		return err;
	default:
		break;
	}
	if (pointer && type.kind == TYPE_INTEGER && type.is_char)
		return kd_error_wrap(string_length(resolver, *vaddr_ret, size_ret), "%s", what->path);
	/* One byte, when bytes without a number are pointed to, is not what was meant. */
	if (type.size == 0 || (pointer && type.size == 1))
		return kd_error_create(KD_ERR_CONFIG, "%s: the type does not say how much this is: \"size\" is needed",
				       what->path);
	if (type.size > SIZE_MAX_ERASED)
		return kd_error_create(KD_ERR_LIMIT, "%s: %lu bytes are to be erased, more than 1 GiB", what->path,
				       type.size);
	*size_ret = type.size;
	return NULL;
}

/* One line of the dump's record. */
static struct kd_error *record(struct erase *erase, const struct rule *rule, uint64_t bytes)
{
	char *line = NULL, *info;
	int length;

	length = rule->size_kind == SIZE_NULLIFY ? asprintf(&line, "erase %s nullify\n", rule->what.path) :
						   asprintf(&line, "erase %s size %lu\n", rule->what.path, bytes);
	if (length < 0)
		return kd_error_nomem();
	info = realloc(erase->info, erase->info_size + (size_t)length);
	if (info) {
		memcpy(info + erase->info_size, line, (size_t)length);
		erase->info = info;
		erase->info_size += (size_t)length;
	}
	free(line);
	return info ? NULL : kd_error_nomem();
}

/* Handles data that could not be found: an error, unless --config-optional makes it a warning. */
static struct kd_error *fail(struct resolver *resolver, const struct rule *rule, struct kd_error *err)
{
	if (!err || resolver->failed)
		return err;
	err = kd_error_wrap(err, "%s:%u", resolver->config->name, rule->line);
	resolver->failed = !resolver->optional || err->code == KD_ERR_NOMEM;
	if (resolver->failed)
		return err;
	kd_warn(resolver->log, "%s; this is not erased", err->text);
	kd_error_destroy(err);
	return NULL;
}

static struct kd_error *run_erase(struct resolver *resolver, const struct rule *rule, uint64_t *bytes)
{
	uint64_t vaddr = 0, size = 0;
	struct kd_error *err = get_extent(resolver, rule, &vaddr, &size);

	if (!err && size == 0)
		kd_debug(resolver->log, "%s:%u: %s: nothing there", resolver->config->name, rule->line,
			 rule->what.path);
	if (!err)
		err = kd_error_wrap(erase_add(resolver->erase, resolver->space, vaddr, size,
					      rule->size_kind == SIZE_NULLIFY ? 0 : ERASE_FILL),
				    "%s", rule->what.path);
	if (!err)
		*bytes += size;
	return fail(resolver, rule, err);
}

/* The rules of a loop, @rule[1] to its end, for the element at hand. */
static struct kd_error *run_body(struct resolver *resolver, const struct rule *rule, uint64_t *bytes)
{
	struct kd_error *err = NULL;

	for (size_t i = 1; rule[i].kind != RULE_ENDFOR && !err; i++)
		err = run_erase(resolver, &rule[i], &bytes[i]);
	return err;
}

static struct kd_error *run_array(struct resolver *resolver, const struct rule *rule, const struct value *array,
				  uint64_t *bytes)
{
	struct value_type element;
	struct type type, one;
	struct value_type below;
	struct kd_error *err = NULL;

	if (!describe(resolver, &array->type, &type, &element) || type.kind != TYPE_ARRAY ||
	    !describe(resolver, &element, &one, &below))
		return kd_error_create(KD_ERR_CONFIG, "%s is not an array", rule->what.path);
	if (type.count > ELEMENTS_MAX)
		return kd_error_create(KD_ERR_LIMIT, "%s: an array of %lu elements", rule->what.path, type.count);
	for (uint64_t i = 0; i < type.count && !err; i++) {
		resolver->element = (struct value){ .vaddr = array->vaddr + i * one.size, .type = element };
		err = run_body(resolver, rule, bytes);
	}
	return err;
}

static struct kd_error *run_via(struct resolver *resolver, const struct rule *rule, struct value node, uint64_t *bytes)
{
	struct value_type type;
	struct type described;
	uint64_t first;
	bool null;
	struct kd_error *err = dereference(resolver, &rule->what, &node, &described, &null);

	if (err || null)
		return err;
	if (described.kind != TYPE_STRUCT)
		return kd_error_create(KD_ERR_CONFIG, "%s is not a struct", rule->what.path);
	first = node.vaddr;
	type = node.type;
	for (unsigned int i = 0; i < ELEMENTS_MAX; i++) {
		struct value next = node;

		resolver->element = node;
		err = run_body(resolver, rule, bytes);
		if (!err)
			err = follow(resolver, &rule->what, rule->link, &next, &null);
		if (!err && !null)
			err = read_pointer(resolver, &rule->what, next.vaddr, &next.vaddr);
		if (err || null || !next.vaddr || next.vaddr == first)
			return err;
		node = (struct value){ .vaddr = next.vaddr, .type = type };
	}
	return kd_error_create(KD_ERR_LIMIT, "%s: the list does not end", rule->what.path);
}

/* @list: the head itself, its "next" (or "prev"), or a pointer to the head. */
static struct kd_error *run_within(struct resolver *resolver, const struct rule *rule, const struct value *list,
				   uint64_t *bytes)
{
	struct type_member link;
	struct value_type target;
	struct type type;
	type_id container;
	uint64_t head = list->vaddr, at;
	struct kd_error *err = NULL;

	if (!find_type(resolver, rule->container, &container))
		return no_type(&rule->what, rule->container);
	if (!debuginfo_member(resolver->info, rule->container, rule->link, &link))
		return kd_error_create(KD_ERR_NOT_FOUND, "%s: there is no member \"%s\" in %s", rule->what.path,
				       rule->link, rule->container);
	if (!describe(resolver, &list->type, &type, &target))
		return kd_error_create(KD_ERR_FORMAT, "%s: the kernel's types describe it in an impossible way",
				       rule->what.path);
	if (type.kind == TYPE_POINTER) {
		const char *last = strrchr(rule->what.path, '.');

		if (last && (strcmp(last, ".next") == 0 || strcmp(last, ".prev") == 0))
			head = list->parent;
		else
			err = read_pointer(resolver, &rule->what, list->vaddr, &head);
	} else if (type.kind != TYPE_STRUCT) {
		return kd_error_create(KD_ERR_CONFIG, "%s is not a struct list_head", rule->what.path);
	}
	at = head;
	for (unsigned int i = 0; i < ELEMENTS_MAX && !err; i++) {
		/* A struct list_head begins with its pointer to the next. */
		err = read_pointer(resolver, &rule->what, at, &at);
		if (err || at == head || !at)
			return err;
		resolver->element = (struct value){ .vaddr = at - link.offset, .type.id = container };
		err = run_body(resolver, rule, bytes);
	}
	return err ? err : kd_error_create(KD_ERR_LIMIT, "%s: the list does not end", rule->what.path);
}

static struct kd_error *run_loop(struct resolver *resolver, const struct rule *rule, uint64_t *bytes)
{
	struct value value;
	bool null;
	struct kd_error *err = evaluate(resolver, &rule->what, &value, &null);

	if (err || null)
		return err;
	resolver->loop = rule;
	switch (rule->kind) {
	case RULE_FOR_ARRAY:
		err = run_array(resolver, rule, &value, bytes);
		break;
	case RULE_FOR_VIA:
		err = run_via(resolver, rule, value, bytes);
		break;
	default:
		err = run_within(resolver, rule, &value, bytes);
		break;
	}
	resolver->loop = NULL;
	return err;
}

/* @bytes: how much each rule has erased. */
static struct kd_error *run_rules(struct resolver *resolver, uint64_t *bytes)
{
	const struct erase_config *config = resolver->config;
	size_t object = SIZE_MAX;
	struct kd_error *err = NULL;

	for (size_t i = 0; i < config->rule_count && !err; i++) {
		const struct rule *rule = &config->rule[i];

		if (rule->object != object) {
			object = rule->object;
			resolver->info = NULL;
			err = fail(resolver, rule,
				   kd_error_wrap(resolver->names->open(resolver->names->arg, config->object[object],
								       &resolver->info),
						 "[%s]", config->object[object]));
			if (!err && !resolver->info)
				kd_info(resolver->log, "%s:%u: [%s] was not loaded", config->name, rule->line,
					config->object[object]);
		}
		if (err)
			return err;
		if (rule->kind == RULE_ERASE) {
			if (resolver->info)
				err = run_erase(resolver, rule, &bytes[i]);
			continue;
		}
		if (resolver->info)
			err = fail(resolver, rule, run_loop(resolver, rule, &bytes[i]));
		while (config->rule[i].kind != RULE_ENDFOR)
			i++;
	}
	return err;
}

struct kd_error *erase_config_resolve(const struct erase_config *config, const struct erase_names *names,
				      struct address_space *space, bool optional, const struct kd_log *log,
				      struct erase *ret)
{
	_cleanup_(erase_release) struct erase erase = { 0 };
	struct resolver resolver = {
		.config = config, .names = names, .space = space, .optional = optional, .log = log, .erase = &erase
	};
	_cleanup_free_ uint64_t *bytes = calloc(config->rule_count + 1, sizeof(*bytes));
	struct kd_error *err;

	if (!bytes)
		return kd_error_nomem();
	err = run_rules(&resolver, bytes);
	for (size_t i = 0; i < config->rule_count && !err; i++)
		if (bytes[i])
			err = record(&erase, &config->rule[i], bytes[i]);
	if (err)
		return err;
	erase_sort(&erase);
	*ret = erase;
	erase = (struct erase){ 0 };
	return NULL;
}
