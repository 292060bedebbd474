// SPDX-License-Identifier: GPL-2.0-or-later
// The lines of kernel logs that have the address of a memory error, each form with where the kernel prints it.

/** One form of a line. A new one is an entry here. Groups, all hex: `addr` or `pfn`, and `offset`. */
export interface LogForm {
  readonly source: string
  readonly pattern: RegExp
  /** `machine-check`: what the number is depends on the bank's status, MISC and kind. */
  readonly meaning: 'physical' | 'machine-check'
  readonly what: string
}

/** A line can have one of each. */
export const logForms: readonly LogForm[] = [
  {
    // print_mce of arch/x86/kernel/cpu/mce/core.c, "TSC … ADDR %llx MISC …"; the EDAC drivers of Intel's memory
    // controllers, "ADDR %llx" or "ADDR 0x%llx" on a line of its own; mcelog, "MISC … ADDR …" or "ADDR …".
    source: 'machine check',
    pattern: /\bADDR (?:0x)?(?<addr>[0-9a-f]{1,16})\b/,
    meaning: 'machine-check',
    what: 'MCi_ADDR of a machine check',
  },
  {
    // amd_decode_mce of drivers/edac/mce_amd.c: "Error Addr: 0x%016llx"; "MC%d_ADDR: 0x%016llx" up to 4.9.
    source: 'machine check',
    pattern: /\b(?:Error Addr|MC\d+_ADDR): ?0x(?<addr>[0-9a-f]{1,16})\b/,
    meaning: 'machine-check',
    what: 'MCi_ADDR of an AMD machine check',
  },
  {
    // memory_failure and soft_offline_page of mm/memory-failure.c: "Memory failure: %#lx: …", "soft offline: %#lx …",
    // "MCE %#lx: …" up to 4.12; madvise_inject_error of mm/madvise.c; the CEC of drivers/ras/cec.c.
    source: 'memory failure',
    pattern:
      /\b(?:Memory failure:|soft offline:|MCE|Injecting memory failure (?:for|at) (?:pfn|page)|Soft[- ]offlining (?:pfn:?|page)) 0x(?<pfn>[0-9a-f]{1,13})\b/i,
    meaning: 'physical',
    what: 'the number of the frame that the kernel took out of use, or tried to',
  },
  {
    // do_machine_check and kill_me_maybe of arch/x86/kernel/cpu/mce/core.c.
    source: 'machine check',
    pattern: /\bhardware memory error in [a-z- ]{1,40} at (?:0x)?(?<addr>[0-9a-f]{1,16})\b/,
    meaning: 'physical',
    what: 'the address that was about to be used',
  },
  {
    // cper_print_mem of drivers/firmware/efi/cper.c: "physical_address: 0x%016llx".
    source: 'APEI',
    pattern: /\bphysical_address: ?0x(?<addr>[0-9a-f]{1,16})\b/,
    meaning: 'physical',
    what: "the firmware's physical address (CPER memory section)",
  },
  {
    // edac_ce_error and edac_ue_error of drivers/edac/edac_mc.c: "page:0x%lx offset:0x%lx"; up to 3.4
    // "page 0x%lx, offset 0x%lx".
    source: 'EDAC',
    pattern: /\bpage:? ?0x(?<pfn>[0-9a-f]{1,13}),? offset:? ?0x(?<offset>[0-9a-f]{1,3})\b/,
    meaning: 'physical',
    what: 'frame and offset, as EDAC decoded them',
  },
  {
    // amd64_handle_ce of drivers/edac/amd64_edac.c up to 3.7: "CE ERROR_ADDRESS= 0x%llx".
    source: 'EDAC',
    pattern: /\bERROR_ADDRESS= ?0x(?<addr>[0-9a-f]{1,16})\b/,
    meaning: 'physical',
    what: 'the system address, as EDAC decoded it',
  },
]

/** Registers of a bank in a line: the value, and with some the bank. */
export const statusForms: readonly RegExp[] = [
  // print_mce, and the EDAC drivers: "Machine Check Exception: 5 Bank 7: be00…", "Machine Check Event: 0 Bank 11: 8c00…".
  /\bMachine Check(?: Exception| Event)?: *(?:0x)?[0-9a-f]+ Bank (?<bank>\d{1,3}): *(?:0x)?(?<status>[0-9a-f]{1,16})\b/,
  // amd_decode_mce: "MC18_STATUS[Over|CE|…]: 0xdc20…".
  /\bMC(?<bank>\d{1,3})_STATUS(?:\[[^\]]{0,200}\])?: ?0x(?<status>[0-9a-f]{1,16})\b/,
]
/** mcelog prints the status behind the address, at the end of a record: "STATUS 8c00… MCGSTATUS 0". */
export const lateStatus = /\bSTATUS (?:0x)?(?<status>[0-9a-f]{1,16}) MCGSTATUS\b/
/** A record of mcelog begins: "Hardware event. …", "MCE 3". */
export const recordStart = /\bHardware event\.|(?:^|: )MCE \d+\s*$/
/** "CPU 8 BANK 8" of mcelog. */
export const bankForm = /\bBANK (?<bank>\d{1,3})\b/
export const miscForm = /\bMISC (?:0x)?(?<misc>[0-9a-f]{1,16})\b/
export const ipidForm = /\bIPID:? (?:0x)?(?<ipid>[0-9a-f]{1,16})\b/
/** The maker: X86_VENDOR_INTEL is 0, X86_VENDOR_AMD 2 and X86_VENDOR_HYGON 9 in "PROCESSOR %u:%x". */
export const intelForm = /\bPROCESSOR 0:|\bVendor Intel\b|\bEDAC (?:sbridge|skx|i10nm|i7core)\b/
export const amdForm = /\bPROCESSOR [29]:|\bMC\d+_STATUS\[|\bIPID\b|\bVendor AMD\b/
