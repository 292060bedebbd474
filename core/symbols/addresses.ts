// SPDX-License-Identifier: GPL-2.0-or-later
// The address table of kallsyms: four forms over the years, told apart by what they say of `_stext`.

import { hex } from '../bytes/hex.ts'
import { FaultError, FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'

/** Where an address table may be. A kernel has the one or the other; a search by content gives several of them. */
export interface AddressTables {
  /** `kallsyms_offsets`: 32 bits for each symbol. */
  readonly offsets?: bigint
  /** Where `kallsyms_relative_base` is kept, 64 bits. */
  readonly relativeBase?: bigint
  /** `kallsyms_addresses`: 64 bits for each symbol. */
  readonly addresses?: bigint
}

/** How the address of a symbol is kept. */
export interface AddressRule {
  /** The name in messages. */
  readonly name: string
  /** The address of a symbol by its index, read from the dump. */
  address(index: number): bigint
}

/** A rule, newest first: what it needs, and how it reads. A new one is an entry here. */
const rules: readonly ((space: Space, tables: AddressTables) => AddressRule | undefined)[] = [
  // Since 7.0: the distance from the table's own entry.
  (space, { offsets }) =>
    offsets === undefined
      ? undefined
      : {
          name: 'place-relative',
          address(index) {
            const place = offsets + BigInt(index * 4)
            return BigInt.asUintN(64, place + BigInt(space.i32(place)))
          },
        },
  // 6.15 to 6.19: the distance from a base.
  (space, { offsets, relativeBase }) => {
    if (offsets === undefined || relativeBase === undefined) return undefined
    const base = space.u64(relativeBase)
    return {
      name: 'relative',
      address: (index) => BigInt.asUintN(64, base + BigInt(space.u32(offsets + BigInt(index * 4)))),
    }
  },
  // 4.6 to 6.14 with SMP (KALLSYMS_ABSOLUTE_PERCPU): a per-cpu offset as it is, others negative, from the base down.
  (space, { offsets, relativeBase }) => {
    if (offsets === undefined || relativeBase === undefined) return undefined
    const base = space.u64(relativeBase)
    return {
      name: 'absolute per-cpu',
      address(index) {
        const value = space.i32(offsets + BigInt(index * 4))
        return value >= 0 ? BigInt(value) : BigInt.asUintN(64, base - 1n - BigInt(value))
      },
    }
  },
  // Up to 4.5, and later without KALLSYMS_BASE_RELATIVE: the address itself.
  (space, { addresses }) =>
    addresses === undefined
      ? undefined
      : {
          name: 'absolute',
          address: (index) => space.u64(addresses + BigInt(index * 8)),
        },
]

/**
 * The one rule that gives `_stext` the address that VMCOREINFO says. `stextIndexes` are the symbols of that name.
 * Throws FormatError, with what each rule gave, when none does.
 */
export function chooseAddressRule(
  space: Space,
  candidates: readonly AddressTables[],
  stextIndexes: readonly number[],
  stext: bigint,
): AddressRule {
  const seen: string[] = []
  for (const tables of candidates) {
    for (const make of rules) {
      try {
        const rule = make(space, tables)
        if (rule === undefined) continue
        for (const index of stextIndexes) {
          const address = rule.address(index)
          if (address === stext) return rule
          seen.push(`${rule.name} ${hex(address)}`)
        }
      } catch (error) {
        // A place that a search by content tried without need may not be in the dump.
        if (!(error instanceof FaultError)) throw error
        seen.push(error.message)
      }
    }
  }
  const tried = seen.length === 0 ? 'no table or no such symbol was found' : seen.join(', ')
  throw new FormatError(
    `no form of the kallsyms address table gives _stext its address ${hex(stext)}: ${tried}`,
    'kallsyms_offsets',
    candidates[0]?.offsets ?? candidates[0]?.addresses,
  )
}
