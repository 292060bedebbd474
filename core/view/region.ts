// SPDX-License-Identifier: GPL-2.0-or-later
// What parts of a PC's guest physical addresses are for, where their place tells.

const KIB = 1024
const GIB = 2 ** 30
/** The legacy video memory, and behind it option ROMs and BIOS, up to 1 MiB (as QEMU's hw/i386/pc.c lays them out). */
const VGA = 640 * KIB
const ROMS = 768 * KIB
const MIB = 1024 * KIB
/** The lowest place where QEMU's machines let memory end for 32-bit PCI. */
const LEAST_PCI = 2 * GIB - GIB / 2

/** The name of a hole between memslots, or null. */
export function holeName(gpa: number, end: number): string | null {
  if (gpa >= VGA && end <= ROMS) return 'VGA'
  if (gpa >= ROMS && end <= MIB) return 'ROMs'
  // Below 4 GiB a PC has its PCI devices, interrupt controllers and firmware; the hole can be cut by a flash above it.
  if (end > LEAST_PCI && end <= 4 * GIB && end >= 3 * GIB) return 'PCI hole'
  return null
}

/** What a memslot is for, or null for plain memory. */
export function slotPurpose(gpa: number, end: number, flags: readonly string[]): string | null {
  if (end === 4 * GIB && end - gpa <= 16 * MIB) return 'firmware'
  if (gpa >= VGA && end <= ROMS) return 'VGA'
  if (gpa >= ROMS && end <= MIB) return 'ROMs'
  // The frame buffer of a PCI device, for one.
  if (gpa >= 2 * GIB && end < 4 * GIB && flags.includes('LOG_DIRTY_PAGES')) return 'PCI memory'
  return flags.includes('READONLY') ? 'ROM' : null
}
