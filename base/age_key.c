/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recipients and identities: 32 bytes in Bech32 (BIP 173), with a prefix that says which of them it is. */
#include <stdlib.h>
#include <string.h>

#include "base/age_format.h"

enum {
	BECH32_CHECKSUM = 6, /* characters */
	BECH32_DATA = 52,    /* characters of 32 bytes: five bits each, the last four bits are zero */
	BECH32_VALUES = BECH32_DATA + BECH32_CHECKSUM,
};

static const char recipient_prefix[] = "age", identity_prefix[] = "AGE-SECRET-KEY-";

static unsigned int lower(char c)
{
	return (unsigned int)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static uint32_t checksum_step(uint32_t sum, unsigned int value)
{
	static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
	uint32_t top = sum >> 25;

	sum = (sum & 0x1ffffff) << 5 ^ value;
	for (unsigned int i = 0; i < 5; i++)
		sum ^= top >> i & 1 ? generator[i] : 0;
	return sum;
}

/* The checksum is over the prefix in lower case, whatever case the text has. */
static bool checksum_fits(const char *prefix, const uint8_t value[BECH32_VALUES])
{
	uint32_t sum = 1;
	const char *p;
	unsigned int i;

	for (p = prefix; *p; p++)
		sum = checksum_step(sum, lower(*p) >> 5);
	sum = checksum_step(sum, 0);
	for (p = prefix; *p; p++)
		sum = checksum_step(sum, lower(*p) & 31);
	for (i = 0; i < BECH32_VALUES; i++)
		sum = checksum_step(sum, value[i]);
	return sum == 1;
}

/* False: one of the characters is not one of Bech32's, or has the other case. */
static bool read_values(const char *text, bool upper, uint8_t value[BECH32_VALUES])
{
	const char *characters = upper ? "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" : "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

	for (unsigned int i = 0; i < BECH32_VALUES; i++) {
		const char *found = strchr(characters, text[i]);

		if (!found || !*found)
			return false;
		value[i] = (uint8_t)(found - characters);
	}
	return true;
}

static bool join_bits(const uint8_t value[BECH32_DATA], uint8_t ret[32])
{
	unsigned int bits = 0, count = 0, used = 0;

	for (unsigned int i = 0; i < BECH32_DATA; i++) {
		bits = (bits << 5 | value[i]) & 0xfff;
		count += 5;
		if (count >= 8 && used < 32) {
			count -= 8;
			ret[used++] = (uint8_t)(bits >> count);
		}
	}
	return (bits & 0xf) == 0;
}

static struct kd_error *decode(const char *text, const char *prefix, const char *what, uint8_t ret[32])
{
	size_t length = strlen(prefix);
	uint8_t value[BECH32_VALUES];
	struct kd_error *err = NULL;

	if (strncmp(text, prefix, length) != 0 || text[length] != '1')
		err = kd_error_create(KD_ERR_FORMAT, "it does not begin with \"%s1\"", prefix);
	else if (strlen(text + length + 1) != BECH32_VALUES)
		err = kd_error_create(KD_ERR_FORMAT, "%s has %zu characters, and this one %zu", what,
				      length + 1 + BECH32_VALUES, strlen(text));
	else if (!read_values(text + length + 1, *prefix < 'a', value))
		err = kd_error_create(KD_ERR_FORMAT, "it has a character that %s cannot have", what);
	else if (!checksum_fits(prefix, value) || !join_bits(value, ret))
		err = kd_error_create(KD_ERR_FORMAT, "its checksum is wrong: a character was lost or changed");
	kd_age_erase(value, sizeof(value));
	return err;
}

struct kd_error *kd_age_recipient_parse(const char *text, struct kd_age_recipient *ret)
{
	static const uint8_t any_secret[32] = { 1 };
	struct kd_age_recipient recipient;
	uint8_t unused[AGE_KEY];
	struct kd_error *err = age_init();

	if (!err)
		err = decode(text, recipient_prefix, "a recipient", recipient.key);
	if (!err && !age_wrap_key(any_secret, recipient.key, recipient.key, recipient.key, unused))
		err = kd_error_create(KD_ERR_FORMAT, "it is a point of small order, to which nothing can be encrypted");
	if (!err)
		*ret = recipient;
	return err;
}

struct kd_error *kd_age_identity_parse(const char *text, struct kd_age_identity *ret)
{
	struct kd_age_identity identity;
	struct kd_error *err = age_init();

	if (!err)
		err = decode(text, identity_prefix, "an identity", identity.secret);
	if (!err) {
		age_public_key(identity.secret, identity.recipient.key);
		*ret = identity;
	}
	kd_age_identity_erase(&identity);
	return err;
}

void kd_age_identity_erase(struct kd_age_identity *identity)
{
	kd_age_erase(identity, sizeof(*identity));
}
