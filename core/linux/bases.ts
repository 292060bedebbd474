// SPDX-License-Identifier: GPL-2.0-or-later
// Where the kernel lies in physical memory, and where it maps all of it: found, and verified, not assumed.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { MissingError } from '../errors.ts'
import { walk } from '../paging/walk.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { type KernelSpace, TEXT_MAP } from '../space/kva.ts'
import { type PhysicalMemory } from '../space/physical.ts'
import { type Symbols } from '../symbols/table.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'

/** A value with what it rests on, for the dump's summary. */
export interface Found<T> {
  readonly value: T
  /** Where it came from: `VMCOREINFO NUMBER(phys_base)`. */
  readonly from: string
}

/**
 * `phys_base`, checked by reading the kernel's name at `init_uts_ns` through it.
 * The kernel says it itself since 4.10; before, the dump's header may, and QEMU writes it wrong there. At last every
 * 2 MiB step is tried, since the image is aligned so (CONFIG_PHYSICAL_ALIGN).
 */
export function findPhysBase(memory: PhysicalMemory, vmcoreinfo: Vmcoreinfo): Found<bigint> {
  const name = vmcoreinfo.symbol('init_uts_ns')
  if (name === undefined) throw new MissingError('key', 'SYMBOL(init_uts_ns)', 'VMCOREINFO')
  const said = vmcoreinfo.number('phys_base')
  if (said !== undefined && verifies(memory, name, said)) {
    return { value: said, from: 'VMCOREINFO NUMBER(phys_base), verified by init_uts_ns' }
  }
  const header = memory.source.facts.physBase
  if (header !== undefined && verifies(memory, name, header)) {
    return { value: header, from: "the dump's header, verified by init_uts_ns" }
  }
  const step = 0x200000
  const offset = Number((name - TEXT_MAP) % BigInt(step))
  const end = memory.source.endPfn * PAGE_SIZE
  for (let base = 0; base < end; base += step) {
    const candidate = BigInt(base + offset) - (name - TEXT_MAP)
    if (verifies(memory, name, candidate)) {
      return { value: candidate, from: 'a search of the dump, verified by init_uts_ns' }
    }
  }
  throw new MissingError(
    'kernel image',
    `init_uts_ns at ${hex(name)}`,
    `the dump: with no phys_base does that address read as the name of a Linux kernel (release ${vmcoreinfo.release})`,
  )
}

/** True when `init_uts_ns` holds "Linux" with this base: a kref or the name itself comes first (since 5.11). */
function verifies(memory: PhysicalMemory, name: bigint, physBase: bigint): boolean {
  const hpa = Number(name - TEXT_MAP + physBase)
  if (hpa < 0 || hpa >= memory.source.endPfn * PAGE_SIZE) return false
  const page = memory.tryPage(Math.floor(hpa / PAGE_SIZE))
  if (!(page instanceof Uint8Array)) return false
  const at = hpa % PAGE_SIZE
  const text = String.fromCharCode(...page.subarray(at, at + 10))
  return text.startsWith('Linux\0') || text.slice(4).startsWith('Linux\0')
}

// The start of the direct map when it is not kept in a variable, newest first: Documentation/arch/x86/x86_64/mm.rst.
// Distributions moved the change of 4.20 to older kernels, so each is tried.
const directMaps = {
  4: [0xffff888000000000n, 0xffff880000000000n],
  5: [0xff11000000000000n, 0xff10000000000000n],
}

/** The start of the direct map: a variable since 4.8, else the known base at which the top table maps itself. */
export function findDirectMap(
  space: KernelSpace,
  symbols: Symbols,
  rules: PagingRules,
  root: number,
): Found<bigint> {
  const variable = symbols.address('page_offset_base')
  if (variable !== undefined) return { value: space.u64(variable), from: 'page_offset_base' }
  for (const base of directMaps[rules.levels]) {
    const { end } = walk(space.memory, rules, root, base + BigInt(root))
    if (end.kind === 'page' && end.hpa === root) {
      return { value: base, from: "the kernel's own page tables" }
    }
  }
  throw new MissingError('symbol', 'page_offset_base', 'the kernel, and no known base is mapped')
}
