// SPDX-License-Identifier: GPL-2.0-or-later
// The names of vm_flags: from this kernel's own enum where it has one, else from the bits that never moved.

import { type Host } from './host.ts'

// VM_* of include/linux/mm.h. These are macros, so no dump describes them; the list holds what every kernel with BTF
// (5.2 to 6.18) means by these bits. From bit 36 up the meaning moved with nearly every release: see below.
const names: Readonly<Record<number, string>> = {
  0: 'READ',
  1: 'WRITE',
  2: 'EXEC',
  3: 'SHARED',
  4: 'MAYREAD',
  5: 'MAYWRITE',
  6: 'MAYEXEC',
  7: 'MAYSHARE',
  8: 'GROWSDOWN',
  9: 'UFFD_MISSING',
  10: 'PFNMAP',
  // Until 5.14; not used from then until kernels describe their flags.
  11: 'DENYWRITE',
  12: 'UFFD_WP',
  13: 'LOCKED',
  14: 'IO',
  15: 'SEQ_READ',
  16: 'RAND_READ',
  17: 'DONTCOPY',
  18: 'DONTEXPAND',
  19: 'LOCKONFAULT',
  20: 'ACCOUNT',
  21: 'NORESERVE',
  22: 'HUGETLB',
  23: 'SYNC',
  24: 'PAT',
  25: 'WIPEONFORK',
  26: 'DONTDUMP',
  27: 'SOFTDIRTY',
  28: 'MIXEDMAP',
  29: 'HUGEPAGE',
  30: 'NOHUGEPAGE',
  31: 'MERGEABLE',
  32: 'PKEY_BIT0',
  33: 'PKEY_BIT1',
  34: 'PKEY_BIT2',
  35: 'PKEY_BIT3',
}

/**
 * A function that names the bits of vm_flags. Kernels since 6.18 describe them in an enum (`VMA_READ_BIT`, …); before,
 * a bit whose meaning cannot be known from the dump is called by its number, `BIT37`.
 */
export function vmaFlagNames(host: Host): (bits: bigint) => string[] {
  const own = new Map<number, string>()
  for (const [name, bit] of host.types.enumeratorsLike(/^VMA_(.+)_BIT$/)) {
    if (!own.has(bit)) own.set(bit, name.replace(/^VMA_(.+)_BIT$/, '$1'))
  }
  return (bits) => {
    const found: string[] = []
    for (let bit = 0; bit < 64; bit++) {
      if ((bits >> BigInt(bit)) & 1n) found.push(own.get(bit) ?? names[bit] ?? `BIT${bit}`)
    }
    return found
  }
}
