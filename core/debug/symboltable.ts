// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel symbols out of a file: names and addresses in an order of their own, moved to where KASLR put the image.

import { nearNames } from '../bytes/near.ts'
import { TEXT_MAP } from '../space/kva.ts'
import { type NearestSymbol, type Symbols } from '../symbols/table.ts'

/** Behind a symbol that far away lies a gap, not its end. */
const MAX_DISTANCE = 1n << 30n

/** The symbols of one file, sorted by address. */
export class SymbolTable implements Symbols {
  readonly #sorted: readonly (readonly [string, bigint])[]
  #byName: Map<string, bigint[]> | undefined

  constructor(symbols: readonly (readonly [string, bigint])[]) {
    this.#sorted = symbols.toSorted(([, a], [, b]) => (a < b ? -1 : a > b ? 1 : 0))
  }

  /** How many there are. */
  get count(): number {
    return this.#sorted.length
  }

  /** The same symbols with the image moved by `shift`. Offsets of per-CPU variables and other small numbers stay. */
  movedBy(shift: bigint): SymbolTable {
    if (shift === 0n) return this
    return new SymbolTable(
      this.#sorted.map(([name, address]) => [
        name,
        address >= TEXT_MAP ? BigInt.asUintN(64, address + shift) : address,
      ]),
    )
  }

  address(name: string): bigint | undefined {
    return this.addresses(name)[0]
  }

  addresses(name: string): readonly bigint[] {
    if (this.#byName === undefined) {
      this.#byName = new Map()
      for (const [one, address] of this.#sorted) {
        const known = this.#byName.get(one)
        if (known === undefined) this.#byName.set(one, [address])
        else if (known.at(-1) !== address) known.push(address)
      }
    }
    return this.#byName.get(name) ?? []
  }

  find(names: readonly string[]): Map<string, readonly bigint[]> {
    return new Map(names.map((name) => [name, this.addresses(name)]))
  }

  nearest(address: bigint): NearestSymbol | undefined {
    const above = this.#firstAbove(address)
    const below = this.#sorted[above - 1]
    if (below === undefined) return undefined
    const distance = address - below[1]
    if (distance > (above === this.#sorted.length ? 0n : MAX_DISTANCE)) return undefined
    const [name] = this.#sorted[this.#firstAbove(below[1] - 1n)] ?? below
    return { name, address: below[1], offset: Number(distance) }
  }

  size(name: string): number | undefined {
    const address = this.address(name)
    const next = address === undefined ? undefined : this.#sorted[this.#firstAbove(address)]
    if (address === undefined || next === undefined || next[1] - address > MAX_DISTANCE) {
      return undefined
    }
    return Number(next[1] - address)
  }

  near(name: string): string[] {
    return nearNames(
      this.#sorted.map(([one]) => one),
      name,
    )
  }

  names(prefix: string, limit: number): string[] {
    const found = new Set<string>()
    for (const [name] of this.#sorted) {
      if (found.size >= limit) break
      if (name.startsWith(prefix)) found.add(name)
    }
    return [...found].sort()
  }

  /** The index of the first symbol above an address. */
  #firstAbove(address: bigint): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#sorted[middle]?.[1] ?? 0n) > address) high = middle
      else low = middle + 1
    }
    return low
  }
}
