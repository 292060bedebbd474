// SPDX-License-Identifier: GPL-2.0-or-later
// The compressed names of kallsyms: a stream of lengths and tokens that is searched without being unpacked.

import { type Tokens } from './tokens.ts'

/** `kallsyms_markers` has the place of every 256th name. */
export const MARKER_STEP = 256

/** A walk over the lengths of all names. */
export interface NameWalk {
  /** Where every 256th name begins, in bytes from the first. */
  readonly markers: Uint32Array
  /** The byte behind the last name. */
  readonly end: number
}

/** How many names a search may still step over. */
export interface Steps {
  left: number
}

/**
 * Steps over `count` names from `from` on. Since 6.1 (commit 73bbb94466fd) a length with bit 7 set goes on in a second
 * byte; `wide` says so. Gives undefined when the bytes end first or a name is empty, which none is.
 */
export function walkNames(
  bytes: Uint8Array,
  from: number,
  count: number,
  wide: boolean,
  steps?: Steps,
): NameWalk | undefined {
  // A name takes two bytes at least: nothing is made for a count that cannot be.
  if (count > (bytes.length - from) / 2) return undefined
  const markers = new Uint32Array(Math.ceil(count / MARKER_STEP))
  let at = from
  let walked = 0
  for (; walked < count; walked++) {
    if (walked % MARKER_STEP === 0) markers[walked / MARKER_STEP] = at - from
    let length = bytes[at++] ?? 0
    if (wide && length >= 0x80) length = (length & 0x7f) | ((bytes[at++] ?? 0) << 7)
    if (length === 0) break
    at += length
  }
  if (steps !== undefined) steps.left -= walked + markers.length
  return walked === count && at <= bytes.length ? { markers, end: at } : undefined
}

/** The names of a kernel's symbols, by their index in the table. The first letter, the symbol's type, is left out. */
export class SymbolNames {
  readonly count: number
  readonly #bytes: Uint8Array
  readonly #tokens: Tokens
  readonly #wide: boolean
  readonly #markers: Uint32Array

  /** `bytes` begins with the first name and has been walked with the same rule. */
  constructor(bytes: Uint8Array, count: number, tokens: Tokens, wide: boolean, walk: NameWalk) {
    this.count = count
    this.#bytes = bytes.subarray(0, walk.end)
    this.#tokens = tokens
    this.#wide = wide
    this.#markers = walk.markers
  }

  /** The indexes of all symbols of each wanted name, ascending. One pass; names are compared, not unpacked. */
  find(wanted: readonly string[]): Map<string, number[]> {
    const found = new Map<string, number[]>()
    const names: Wanted[] = []
    for (const name of new Set(wanted)) {
      const indexes: number[] = []
      found.set(name, indexes)
      names.push({ letters: Buffer.from(name, 'latin1'), indexes })
    }
    this.#compare(
      sift(this.#bytes, this.count, this.#wide, this.#tokensOf([...found.keys()])),
      names,
    )
    return found
  }

  /** Compares what was sifted with the wanted names, by length first. */
  #compare(survivors: Uint32Array, names: readonly Wanted[]): void {
    const byLength: Wanted[][] = []
    for (const name of names) (byLength[name.letters.length + 1] ??= []).push(name)
    const bytes = this.#bytes
    const lengths = this.#tokens.length
    for (let k = 0; k + 2 < survivors.length; k += 3) {
      const at = survivors[k + 1] ?? 0
      const end = survivors[k + 2] ?? 0
      let letters = 0
      for (let i = at; i < end; i++) letters += lengths[bytes[i] ?? 0] ?? 0
      if (letters >= byLength.length) continue
      for (const name of byLength[letters] ?? []) {
        if (this.#spells(at, end, name.letters) === 'all') name.indexes.push(survivors[k] ?? 0)
      }
    }
  }

  /** Which tokens can stand at which place of one of the names. */
  #tokensOf(names: readonly string[]): TokensOfNames {
    const heads = new Set<string>()
    const tails = new Set<string>()
    for (const name of names) {
      for (let i = 1; i <= name.length; i++) {
        heads.add(name.slice(0, i))
        tails.add(name.slice(-i))
      }
    }
    const tokens = {
      first: new Uint8Array(256),
      second: new Uint8Array(256),
      last: new Uint8Array(256),
    }
    for (let token = 0; token < 256; token++) {
      const text = this.#tokens.text(token)
      if (text.length === 1) tokens.first[token] = TYPE_ONLY
      else if (heads.has(text.slice(1))) tokens.first[token] = YES
      if (heads.has(text)) tokens.second[token] = YES
      if (tails.has(text)) tokens.last[token] = YES
    }
    return tokens
  }

  /** Every name with its index, unpacked. */
  *all(): Generator<string> {
    let at = 0
    for (let i = 0; i < this.count; i++) {
      const [from, end] = this.#extent(at)
      yield this.#unpack(from, end)
      at = end
    }
  }

  /** At most `limit` different names that begin with `prefix`, in the table's order. */
  startingWith(prefix: string, limit: number): Set<string> {
    const letters = Buffer.from(prefix, 'latin1')
    const names = new Set<string>()
    let at = 0
    for (let i = 0; i < this.count && names.size < limit; i++) {
      const [from, end] = this.#extent(at)
      if (this.#spells(from, end, letters) !== 'other') names.add(this.#unpack(from, end))
      at = end
    }
    return names
  }

  /** The name of symbol `index`; undefined when there is none. */
  at(index: number): string | undefined {
    let at = this.#markers[Math.floor(index / MARKER_STEP)]
    if (at === undefined || index >= this.count) return undefined
    for (let i = index % MARKER_STEP; i > 0; i--) at = this.#extent(at)[1]
    return this.#unpack(...this.#extent(at))
  }

  /** Where the tokens of the name at a place begin and end. */
  #extent(at: number): [number, number] {
    let length = this.#bytes[at++] ?? 0
    if (this.#wide && length >= 0x80) length = (length & 0x7f) | ((this.#bytes[at++] ?? 0) << 7)
    return [at, at + length]
  }

  /** Whether the letters of a name, without its type, are `wanted`, begin with it, or are others. */
  #spells(at: number, end: number, wanted: Uint8Array): 'all' | 'more' | 'other' {
    const { letters, start, length } = this.#tokens
    // -1 is the place of the type letter.
    let place = -1
    for (let k = at; k < end; k++) {
      const from = start[this.#bytes[k] ?? 0] ?? 0
      const to = from + (length[this.#bytes[k] ?? 0] ?? 0)
      for (let i = from; i < to; i++, place++) {
        if (place === wanted.length) return 'more'
        if (place >= 0 && letters[i] !== wanted[place]) return 'other'
      }
    }
    return place === wanted.length ? 'all' : 'other'
  }

  #unpack(at: number, end: number): string {
    let name = ''
    for (let k = at; k < end; k++) name += this.#tokens.text(this.#bytes[k] ?? 0)
    return name.slice(1)
  }
}

/** What can be a token of a wanted name: each array has a NO, YES or TYPE_ONLY for every token. */
interface TokensOfNames {
  /** As the first token, with the type's letter before the name's. */
  readonly first: Uint8Array
  /** Behind a first token that is a type's letter alone. */
  readonly second: Uint8Array
  /** As the last of several. */
  readonly last: Uint8Array
}

const NO = 0
const YES = 1
const TYPE_ONLY = 2

interface Wanted {
  readonly letters: Uint8Array
  readonly indexes: number[]
}

/**
 * Index, first byte and end of every name that can be one of the wanted by its outer tokens, three numbers each.
 * Small, so that it is compiled within the first thousands of the names, which are most of a look-up's time.
 */
function sift(
  bytes: Uint8Array,
  count: number,
  wide: boolean,
  { first, second, last }: TokensOfNames,
): Uint32Array {
  const survivors = new Uint32Array(3 * count)
  let used = 0
  for (let i = 0, at = 0; i < count; i++) {
    let length = bytes[at++] ?? 0
    if (wide && length >= 0x80) length = (length & 0x7f) | ((bytes[at++] ?? 0) << 7)
    let fits = first[bytes[at] ?? 0]
    if (fits === TYPE_ONLY && length > 1) fits = second[bytes[at + 1] ?? 0]
    if (fits === YES && length > 1) fits = last[bytes[at + length - 1] ?? 0]
    if (fits !== NO) {
      survivors[used] = i
      survivors[used + 1] = at
      survivors[used + 2] = at + length
      used += 3
    }
    at += length
  }
  return survivors.subarray(0, used)
}
