// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel symbols out of the dumped kernel's own table (kernel/kallsyms.c, scripts/kallsyms.c).

import { nearNames } from '../bytes/near.ts'
import { FormatError, MissingError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Vmcoreinfo } from '../vmcoreinfo/parse.ts'
import { chooseAddressRule, type AddressRule } from './addresses.ts'
import { tablesByKeys } from './locate.ts'
import { SymbolNames } from './names.ts'
import { tablesByContent } from './search.ts'
import { type NearestSymbol, type Symbols } from './table.ts'

/** So many symbols at one address are passed over in the search for the next higher one. */
const MAX_ALIASES = 65536
/** No symbol is larger: what lies further behind one is in a gap, such as that between per-cpu offsets and the image. */
const MAX_DISTANCE = 1n << 30n

/** The symbols of a kernel, read from its tables when they are asked for. */
class Kallsyms implements Symbols {
  readonly #names: SymbolNames
  readonly #choose: (stextIndexes: readonly number[]) => AddressRule
  readonly #known = new Map<string, readonly number[]>()
  #chosen: AddressRule | undefined

  constructor(names: SymbolNames, choose: (stextIndexes: readonly number[]) => AddressRule) {
    this.#names = names
    this.#choose = choose
  }

  address(name: string): bigint | undefined {
    return this.addresses(name)[0]
  }

  addresses(name: string): readonly bigint[] {
    return this.#indexes(name).map((index) => this.#rule.address(index))
  }

  find(names: readonly string[]): Map<string, readonly bigint[]> {
    this.#learn(names)
    return new Map(names.map((name) => [name, this.addresses(name)]))
  }

  nearest(address: bigint): NearestSymbol | undefined {
    // The kernel keeps the table sorted by address and searches it the same way.
    const above = this.#firstAbove(address)
    if (above === 0) return undefined
    const symbol = this.#rule.address(above - 1)
    const distance = address - symbol
    const isLast = above === this.#names.count
    if (distance < 0n || distance > (isLast ? 0n : MAX_DISTANCE)) return undefined
    const name = this.#names.at(this.#firstAbove(symbol - 1n))
    return name === undefined ? undefined : { name, address: symbol, offset: Number(distance) }
  }

  size(name: string): number | undefined {
    const first = this.#indexes(name)[0]
    if (first === undefined) return undefined
    const address = this.#rule.address(first)
    const end = Math.min(this.#names.count, first + MAX_ALIASES)
    for (let index = first + 1; index < end; index++) {
      const distance = this.#rule.address(index) - address
      if (distance > 0n) return distance > MAX_DISTANCE ? undefined : Number(distance)
    }
    return undefined
  }

  near(name: string): string[] {
    return nearNames(this.#names.all(), name)
  }

  names(prefix: string, limit: number): string[] {
    return [...this.#names.startingWith(prefix, limit)].sort()
  }

  /** How addresses are kept, found when the first one is asked for, in the pass over the names that this takes anyway. */
  get #rule(): AddressRule {
    this.#chosen ??= this.#choose(this.#indexes('_stext'))
    return this.#chosen
  }

  #indexes(name: string): readonly number[] {
    this.#learn([name])
    return this.#known.get(name) ?? []
  }

  #learn(names: readonly string[]): void {
    const unknown = names.filter((name) => !this.#known.has(name))
    if (unknown.length === 0) return
    if (!this.#known.has('_stext')) unknown.push('_stext')
    for (const [name, indexes] of this.#names.find(unknown)) this.#known.set(name, indexes)
  }

  /** The index of the first symbol above an address; the count of symbols when there is none. */
  #firstAbove(address: bigint): number {
    let low = 0
    let high = this.#names.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#rule.address(middle) > address) high = middle
      else low = middle + 1
    }
    return low
  }
}

/**
 * Opens the symbol table of the kernel in `space`, of which only the kernel image is read. VMCOREINFO says where the
 * table lies since 6.0; before, it is found by its content. Throws FormatError or MissingError when it cannot be used,
 * FaultError when the dump lacks its pages.
 */
export function openKallsyms(space: Space, vmcoreinfo: Vmcoreinfo): Symbols {
  const stext = vmcoreinfo.symbol('_stext')
  if (stext === undefined) throw new MissingError('key', 'SYMBOL(_stext)', 'VMCOREINFO')
  const data = vmcoreinfo.symbol('init_uts_ns') ?? vmcoreinfo.symbol('swapper_pg_dir') ?? stext
  const tables =
    tablesByKeys(space, vmcoreinfo) ?? tablesByContent(space, stext, data > stext ? data : stext)
  if (tables === undefined) {
    throw new FormatError(
      `no symbol table (kallsyms) was found in the kernel image of ${vmcoreinfo.release}: VMCOREINFO does not say ` +
        'where it is, and no page of the image in the dump looks like one',
      'kallsyms_names',
      stext,
    )
  }
  const names = new SymbolNames(tables.names, tables.count, tables.tokens, tables.wide, tables.walk)
  return new Kallsyms(names, (stextIndexes) =>
    chooseAddressRule(space, tables.addressTables, stextIndexes, stext),
  )
}
