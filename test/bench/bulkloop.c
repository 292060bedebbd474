// SPDX-License-Identifier: GPL-2.0-or-later
// The loop of bulk translation in C, over the very words that core/bulk made: what the machine could do.
//
// Arguments: file of the words, file of the addresses, index of directory and slots, highEnd, outside. For each line
// "reused" or "fresh" on stdin one run: the nanoseconds of processor time and a sum over the columns on stdout.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void *whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	void *bytes;

	if (!file || fseek(file, 0, SEEK_END))
		exit(2);
	*size = ftell(file);
	rewind(file);
	bytes = malloc(*size);
	if (!bytes || fread(bytes, 1, *size, file) != *size)
		exit(2);
	fclose(file);
	return bytes;
}

struct columns {
	uint64_t *hva, *hpa;
	uint8_t *state, *shift;
	int16_t *slot;
};

static struct columns columns_of(size_t rows)
{
	struct columns c = { malloc(rows * 8), malloc(rows * 8), malloc(rows), malloc(rows), malloc(rows * 2) };

	if (!c.hva || !c.hpa || !c.state || !c.shift || !c.slot)
		exit(2);
	return c;
}

static void release(struct columns c)
{
	free(c.hva);
	free(c.hpa);
	free(c.state);
	free(c.shift);
	free(c.slot);
}

static void run(const uint32_t *words, const uint64_t *gpas, size_t rows, uint32_t directory, uint32_t slots,
		uint32_t high_end, uint32_t outside, struct columns c)
{
	for (size_t i = 0; i < rows; i++) {
		uint64_t gpa = gpas[i], frame = ~0ull;
		uint32_t kind = 0xffff0000, key = 0, slot, shift, state = 0;

		if (gpa >> 32 < high_end) {
			uint32_t region = words[directory + (gpa >> 30)] + ((gpa >> 20) & 0x3fe);

			key = words[region] + ((gpa >> 12) & 511);
			kind = words[region + 1];
		} else {
			state = gpa >> 52 ? 9 : outside;
		}
		slot = kind >> 16;
		shift = (kind >> 8) & 255;
		if (slot == 0xffff && kind & 1) {
			uint32_t more = words[key + 512];

			slot = more & 0xffff;
			shift = 12 + 9 * ((more >> 16) & 3);
			state = (more >> 20) & 15;
			if (more & 0x40000)
				frame = words[key] | (uint64_t)(more >> 24) << 32;
		} else if (slot == 0xffff) {
			if (gpa >> 32 < high_end)
				state = (kind >> 2) & 15;
		} else if (kind & 1) {
			key = words[key];
			if (key < 0xf0000000)
				frame = key;
			else
				state = (key >> 24) & 15;
		} else {
			frame = key;
		}
		if (slot == 0xffff) {
			c.hva[i] = c.hpa[i] = ~0ull;
			c.state[i] = state;
			c.shift[i] = 0;
			c.slot[i] = -1;
			continue;
		}
		c.hva[i] = gpa + (words[slots + slot * 4] | (uint64_t)words[slots + slot * 4 + 1] << 32);
		c.hpa[i] = frame == ~0ull ? frame : frame << 12 | (gpa & 4095);
		c.state[i] = state;
		c.shift[i] = state ? 0 : shift;
		c.slot[i] = words[slots + slot * 4 + 2];
	}
}

static uint32_t sum(size_t rows, struct columns c)
{
	uint32_t all = 0;

	for (size_t i = 0; i < rows; i++) {
		all += (uint32_t)c.hva[i] + (uint32_t)(c.hva[i] >> 32);
		all += ((uint32_t)c.hpa[i] + (uint32_t)(c.hpa[i] >> 32)) * 3;
		all += c.state[i] * 5 + c.shift[i] * 7 + c.slot[i] * 11;
	}
	return all;
}

/* Processor time in nanoseconds. */
static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(int argc, char **argv)
{
	size_t bytes, rows;
	char line[16];

	if (argc != 7)
		return 2;
	const uint32_t *words = whole(argv[1], &bytes);
	const uint64_t *gpas = whole(argv[2], &rows);

	rows /= 8;
	struct columns kept = columns_of(rows);
	while (fgets(line, sizeof(line), stdin)) {
		int is_fresh = strncmp(line, "fresh", 5) == 0;
		long long from = now(), time;
		uint32_t all;

		struct columns c = is_fresh ? columns_of(rows) : kept;
		run(words, gpas, rows, atoll(argv[3]), atoll(argv[4]), atoll(argv[5]), atoi(argv[6]), c);
		time = now() - from;
		all = sum(rows, c);
		// Memory that is taken has to be given back: the garbage collector's part of our time.
		from = now();
		if (is_fresh)
			release(c);
		time += now() - from;
		printf("%lld %u\n", time, all);
		fflush(stdout);
	}
	return 0;
}
