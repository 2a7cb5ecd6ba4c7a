/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of a network in which anybody may play the DHCP server. */
#include <string.h>

#include "capture/dhcp.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned char hardware[] = { 0x52, 0x54, 0, 0, 0, 2 };
	const struct dhcp_question question = {
		.type = DHCP_DISCOVER, .id = 0x78563412, .hardware = hardware, .hardware_size = sizeof(hardware)
	};
	const struct dhcp_answer untouched = { .prefix = 99 };
	struct dhcp_answer answer = untouched;

	if (!dhcp_read(data, size, &question, &answer)) {
		REQUIRE(memcmp(&answer, &untouched, sizeof(answer)) == 0);
		return 0;
	}
	REQUIRE(answer.type == DHCP_OFFER || answer.type == DHCP_ACK || answer.type == DHCP_NAK);
	REQUIRE(answer.type == DHCP_NAK || answer.address);
	REQUIRE(answer.prefix >= 1 && answer.prefix <= 32);
	return 0;
}
