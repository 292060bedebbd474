// SPDX-License-Identifier: GPL-2.0-or-later
// Where the kernel maps all of physical memory: found, not assumed.

import { MissingError } from '../errors.ts'
import { walk } from '../paging/walk.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { type KernelSpace } from '../space/kva.ts'
import { type Symbols } from '../symbols/table.ts'
import { type Found } from './found.ts'

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
