// SPDX-License-Identifier: GPL-2.0-or-later
// Symbols of a file, moved to where KASLR put the dumped kernel, and held against the addresses in VMCOREINFO.

import { hex } from '../bytes/hex.ts'
import { DumpError } from '../errors.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { otherKernel } from './identity.ts'
import { type SymbolTable } from './symboltable.ts'

/** VMCOREINFO writes the value of these variables, not where they lie (VMCOREINFO_SYMBOL_ARRAY, and vmemmap of 6.12). */
const values = new Set(['mem_section', 'vmemmap'])
/** So many addresses have to agree, `_stext` beside. Each kernel names some six. */
const ENOUGH = 2
/**
 * No kernel has fewer symbols. A part of the list would be taken for all of it: that there is no `l1tf_mitigation` says
 * how entries of page tables are to be read.
 */
const MIN_SYMBOLS = 10_000

/**
 * Moves the symbols of `file` to where they lie in the dump, and checks them. Throws DumpError `other-kernel`, with the
 * address that differs, when they are another build's.
 */
export function symbolsOfDump(
  table: SymbolTable,
  vmcoreinfo: Vmcoreinfo,
  file: string,
): SymbolTable {
  const { release } = vmcoreinfo
  const wanted = vmcoreinfo.symbol('_stext')
  const own = table.address('_stext')
  if (own === undefined || wanted === undefined) {
    throw otherKernel(
      file,
      `it has ${table.count} symbols, and '_stext', which every kernel has, is not among them`,
    )
  }
  const moved = table.movedBy(wanted - own)
  if (table.count < MIN_SYMBOLS) {
    throw new DumpError(
      'no-symbols',
      `${file} has ${table.count} symbols, and a kernel has more than ${MIN_SYMBOLS}: the whole list is needed`,
    )
  }
  const offset = vmcoreinfo.kernelOffset
  const agreed: string[] = []
  for (const key of vmcoreinfo.keys.keys()) {
    const name = /^SYMBOL\((\w+)\)$/.exec(key)?.[1]
    if (name === undefined || name === '_stext' || values.has(name)) continue
    const addresses = moved.addresses(name)
    const [first] = addresses
    const there = vmcoreinfo.symbol(name)
    if (first === undefined || there === undefined) continue
    if (!addresses.includes(there)) {
      throw otherKernel(
        file,
        `with _stext where the dump of ${release} has it, its '${name}' lies at ${hex(first)}, ` +
          `the dumped kernel's at ${hex(there)}`,
      )
    }
    agreed.push(name)
  }
  if (agreed.length < ENOUGH) {
    throw otherKernel(
      file,
      `of the symbols that VMCOREINFO of ${release} names it has only: _stext ${agreed.join(' ')}`,
    )
  }
  // A copy of /proc/kallsyms lies where the kernel of that boot was; only a file of this boot needs no move.
  if (offset !== undefined && wanted - own !== offset && own !== wanted) {
    throw otherKernel(
      file,
      `its _stext lies at ${hex(own)}, which KASLR (KERNELOFFSET=${offset.toString(16)}) ` +
        `does not move to ${hex(wanted)}`,
    )
  }
  return moved
}
