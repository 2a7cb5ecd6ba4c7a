/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a target over files, or over all files of directories. So every build, with any compiler, checks the inputs that
 * were found once. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define INPUT_MAX   (1u << 20)
#define SECONDS_MAX 60u /* for one input, also under valgrind */

static unsigned int runs;

static void run_file(const char *path)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	_cleanup_free_ uint8_t *data = NULL, *exact = NULL;
	size_t size;

	data = malloc(INPUT_MAX);
	REQUIRE(in && data);
	size = fread(data, 1, INPUT_MAX, in);
	/* Exactly as large as the file, so that sanitizers see a read behind its end. */
	exact = realloc(take_ptr(data), size ? size : 1);
	REQUIRE(exact);
	alarm(SECONDS_MAX);
	LLVMFuzzerTestOneInput(exact, size);
	alarm(0);
	runs++;
}

static void run(const char *path)
{
	struct dirent **entry;
	struct stat st;
	int count;

	if (stat(path, &st) < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	if (!S_ISDIR(st.st_mode)) {
		run_file(path);
		return;
	}
	count = scandir(path, &entry, NULL, alphasort);
	REQUIRE(count >= 0);
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *name = NULL;

		if (entry[i]->d_name[0] != '.') {
			REQUIRE(asprintf(&name, "%s/%s", path, entry[i]->d_name) >= 0);
			run_file(name);
		}
		free(entry[i]);
	}
	free(entry);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run(argv[i]);
	printf("%u inputs\n", runs);
	return runs ? EXIT_SUCCESS : EXIT_FAILURE;
}
