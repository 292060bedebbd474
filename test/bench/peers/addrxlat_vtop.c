/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From host virtual addresses of one process to host physical addresses, with libaddrxlat.
 *
 *   addrxlat_vtop DUMP PGD FILE     PGD: physical address of the page table root, in hex
 *
 * Prints "HVA HPA" for each line of FILE, with "-" for an address that libaddrxlat cannot
 * translate. The library knows neither tasks nor guests, so both the root and the hva come from
 * elsewhere. With RATE in the environment only the time is printed: addresses, and nanoseconds of
 * processor time for them.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <libkdumpfile/kdumpfile.h>
#include <libkdumpfile/addrxlat.h>

static void check(kdump_ctx_t *dump, kdump_status status, const char *doing)
{
	if (status == KDUMP_OK)
		return;
	fprintf(stderr, "addrxlat_vtop: %s: %s\n", doing, kdump_get_err(dump));
	exit(1);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: addrxlat_vtop DUMP PGD FILE\n");
		return 2;
	}
	int fd = open(argv[1], O_RDONLY);
	FILE *hvas = fopen(argv[3], "r");
	if (fd < 0 || !hvas) {
		perror(fd < 0 ? argv[1] : argv[3]);
		return 1;
	}
	kdump_ctx_t *dump = kdump_new();
	check(dump, kdump_set_number_attr(dump, KDUMP_ATTR_FILE_FD, fd), "open the dump");
	check(dump, kdump_set_string_attr(dump, KDUMP_ATTR_OSTYPE, "linux"), "read it as Linux");

	addrxlat_ctx_t *ctx;
	addrxlat_sys_t *sys;
	check(dump, kdump_get_addrxlat(dump, &ctx, &sys), "set up translation");

	/* The paging form (4 or 5 levels, mask) is the kernel's own; only the root is the process's. */
	addrxlat_meth_t table = *addrxlat_sys_get_meth(sys, ADDRXLAT_SYS_METH_PGT);
	if (table.kind != ADDRXLAT_PGT) {
		fprintf(stderr, "addrxlat_vtop: no page table form found for this dump\n");
		return 1;
	}
	table.param.pgt.root.as = ADDRXLAT_MACHPHYSADDR;
	table.param.pgt.root.addr = strtoull(argv[2], NULL, 16);

	int is_rate = getenv("RATE") != NULL;
	uint64_t hva, *all = NULL;
	size_t count = 0;
	while (fscanf(hvas, "%" SCNx64, &hva) == 1) {
		if ((count & (count - 1)) == 0)
			all = realloc(all, (count ? 2 * count : 1) * sizeof(*all));
		if (!all)
			return 1;
		all[count++] = hva;
	}
	struct timespec from, to;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (size_t i = 0; i < count; i++) {
		hva = all[i];
		addrxlat_step_t step = { .ctx = ctx, .sys = sys, .meth = &table };
		addrxlat_status status = addrxlat_launch(&step, hva);
		while (status == ADDRXLAT_OK && step.remain)
			status = addrxlat_step(&step);
		if (is_rate)
			all[i] = status == ADDRXLAT_OK ? step.base.addr : ~0ull;
		else if (status == ADDRXLAT_OK)
			printf("0x%" PRIx64 " 0x%" PRIx64 "\n", hva, (uint64_t)step.base.addr);
		else
			printf("0x%" PRIx64 " -\n", hva);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	if (is_rate)
		printf("%zu %lld\n", count,
		       (to.tv_sec - from.tv_sec) * 1000000000ll + to.tv_nsec - from.tv_nsec);
	return 0;
}
