/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Encrypted files of strangers: nothing but what was sealed for the key comes out of them. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/age.h"
#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

/* That of tests/data/age, whose files are the seeds. */
static const char key[] = "AGE-SECRET-KEY-1XU58833YMEJAGG0GH7F68YMYZ3ZDPFXV43EJZ65DP02PPRWLE20QP889DG";

static void parse_keys(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size);
	struct kd_age_recipient recipient;
	struct kd_age_identity identity;

	if (!fuzz_error(kd_age_recipient_parse(text, &recipient)))
		REQUIRE(strlen(text) == 62);
	if (!fuzz_error(kd_age_identity_parse(text, &identity)))
		REQUIRE(strlen(text) == 74);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(kd_age_reader_free) struct kd_age_reader *reader = NULL;
	_cleanup_close_ int fd = open(fuzz_file(data, size), O_RDONLY | O_CLOEXEC);
	struct kd_age_identity identity;
	uint64_t payload = 0, content = 0;
	bool has_header = kd_age_payload_offset(data, size, &payload);
	enum kd_age_state state = KD_AGE_MORE;

	parse_keys(data, size);
	REQUIRE(fd >= 0 && !fuzz_error(kd_age_identity_parse(key, &identity)));
	if (fuzz_error(kd_age_open(fd, "file", &identity, 1, &reader)))
		return 0;
	REQUIRE(has_header && kd_age_offset(reader) == payload);
	while (state == KD_AGE_MORE) {
		const uint8_t *piece;
		size_t piece_size;

		if (fuzz_error(kd_age_read(reader, &piece, &piece_size, &state)))
			return 0;
		content += piece_size;
	}
	REQUIRE(content <= size);
	REQUIRE(state != KD_AGE_LAST || kd_age_may_be_whole(size - payload));
	return 0;
}
