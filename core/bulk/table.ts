// SPDX-License-Identifier: GPL-2.0-or-later
// The result of a bulk translation: columns in the order of the input, and what can be asked of them.

import { hex } from '../bytes/hex.ts'
import { UsageError } from '../errors.ts'
import { type Vm } from '../kvm/vm.ts'
import { translate, type Translation } from '../translate/translate.ts'
import { partOf, picked, type ResultColumns, rowsOf } from './columns.ts'
import { type SwappedPage } from './guest.ts'
import { groupRows, type Group, type GroupKey, type GroupValues } from './group.ts'
import { orderOf } from './sort.ts'
import {
  INVALID,
  MAPPED,
  NO_ADDRESS,
  type RowState,
  stateCode,
  stateNames,
  SWAPPED,
} from './states.ts'

/** One row of a table. Addresses are null where there are none. */
export interface TranslationRow {
  /** The row's place in the input. */
  readonly index: number
  /** Null for what was no number at all. */
  readonly gpa: bigint | null
  readonly hva: bigint | null
  readonly hpa: bigint | null
  readonly state: RowState
  /** In bytes; null when nothing is mapped. */
  readonly pageSize: number | null
  /** The slot's number, or null. */
  readonly slot: number | null
}

/** Which rows to keep: those that agree with every part that is given. A list is any of its values. */
export interface RowFilter {
  readonly state?: RowState | readonly RowState[]
  /** Numbers of slots; null is no slot. */
  readonly slot?: number | null | readonly (number | null)[]
  /** In bytes. */
  readonly pageSize?: number | readonly number[]
  /** Numbers of NUMA nodes; null is no page, or an unknown node. */
  readonly node?: number | null | readonly (number | null)[]
}

/** What `JSON.stringify(table)` holds: a summary, not the rows. */
export interface TranslationTableJson {
  readonly rows: number
  readonly states: Readonly<Partial<Record<RowState, number>>>
  readonly firstGpa: string | null
  readonly lastGpa: string | null
}

/** What a table needs besides its columns. @internal */
export interface TableSource {
  readonly vm: Vm
  /** Where the page of a swapped address is. */
  readonly swapped: (gpa: bigint) => SwappedPage | undefined
}

/**
 * Many translations, a row each, in the order of the input: what `qemuVtop(task, gpas)` gives. The columns are typed
 * arrays; `hva` and `hpa` have `NO_ADDRESS` (all 64 bits set) where there is none. An address that cannot be one has
 * the state `invalid`; nothing throws for it. Immutable: do not write into the columns.
 */
export class TranslationTable implements Iterable<Translation | null> {
  /** Guest physical addresses, as they were given; NO_ADDRESS for what was no number. */
  readonly gpa: BigUint64Array
  /** Host virtual addresses in the VMM's process. */
  readonly hva: BigUint64Array
  /** Host physical addresses. For `poisoned` the frame that was lost, for `migrating` the old one. */
  readonly hpa: BigUint64Array
  /** Codes: `stateNames[code]` is the state. */
  readonly state: Uint8Array
  /** 12, 21 or 30 for pages of 4 KiB, 2 MiB, 1 GiB; 0 when nothing is mapped. */
  readonly pageShift: Uint8Array
  /** Numbers of the memslots; -1 where there is none, or where a salvaged one's is not known. */
  readonly slot: Int16Array
  /** The virtual machine that was asked. */
  readonly vm: Vm
  readonly #source: TableSource
  #index: Uint32Array | undefined
  #node: Int16Array | undefined

  /** @internal */
  constructor(source: TableSource, columns: ResultColumns, index?: Uint32Array) {
    this.#source = source
    this.vm = source.vm
    this.gpa = columns.gpa
    this.hva = columns.hva
    this.hpa = columns.hpa
    this.state = columns.state
    this.pageShift = columns.pageShift
    this.slot = columns.slot
    this.#index = index
  }

  /** The number of rows. */
  get length(): number {
    return this.gpa.length
  }

  /** For each row its place in the input: it stays with the row through `filter`, `sort` and `slice`. */
  get index(): Uint32Array {
    return (this.#index ??= Uint32Array.from(this.gpa.keys()))
  }

  /**
   * The NUMA node of the host's page of each row, out of the host's `struct page`; -1 where there is no page, or the dump
   * does not tell. Read when it is first asked for.
   */
  get node(): Int16Array {
    return (this.#node ??= this.vm.linux.frames.nodes(this.hpa))
  }

  /** How many rows are in each state that occurs, in the order of the states. */
  get states(): Partial<Record<RowState, number>> {
    const groups = this.length === 0 ? [] : groupRows(this, ['state'])
    const states: Partial<Record<RowState, number>> = {}
    for (const name of stateNames) {
      const found = groups.find(({ state }) => state === name)
      if (found !== undefined) states[name] = found.count
    }
    return states
  }

  /**
   * The whole translation of a row, with its walk and its reason, made now; null for an invalid address. Negative
   * numbers count from the end. Undefined outside of the table.
   */
  at(row: number): Translation | null | undefined {
    const i = row < 0 ? row + this.length : row
    const gpa = this.gpa[i]
    if (gpa === undefined) return undefined
    return this.state[i] === INVALID ? null : translate(this.vm, Number(gpa))
  }

  /** Each row as a whole translation, null for invalid ones: some 10,000 a second. The columns are much faster. */
  *[Symbol.iterator](): Generator<Translation | null> {
    for (let i = 0; i < this.length; i++) yield this.at(i) ?? null
  }

  /** What the columns have of a row; undefined outside of the table. */
  row(row: number): TranslationRow | undefined {
    const i = row < 0 ? row + this.length : row
    const gpa = this.gpa[i]
    if (gpa === undefined) return undefined
    const shift = this.pageShift[i] ?? 0
    const slot = this.slot[i] ?? -1
    return {
      index: this.#index === undefined ? i : (this.#index[i] ?? i),
      gpa: orNull(gpa),
      hva: orNull(this.hva[i]),
      hpa: orNull(this.hpa[i]),
      state: stateNames[this.state[i] ?? INVALID] ?? 'invalid',
      pageSize: shift === 0 ? null : 2 ** shift,
      slot: slot < 0 ? null : slot,
    }
  }

  /** Where the page of a swapped row is, or undefined when the row is not swapped. */
  swapOf(row: number): SwappedPage | undefined {
    const i = row < 0 ? row + this.length : row
    const gpa = this.gpa[i]
    return this.state[i] === SWAPPED && gpa !== undefined ? this.#source.swapped(gpa) : undefined
  }

  /** The rows that fit: `table.filter({state: 'swapped'})`, or a function of the row, which is slower. */
  filter(wanted: RowFilter | ((row: TranslationRow) => boolean)): TranslationTable {
    return this.only(typeof wanted === 'function' ? this.#asked(wanted) : this.#fitting(wanted))
  }

  /** The rows whose numbers fit. @internal */
  only(keeps: (row: number) => boolean): TranslationTable {
    const rows = new Uint32Array(this.length)
    let count = 0
    for (let i = 0; i < this.length; i++) if (keeps(i)) rows[count++] = i
    return this.#pick(rows.subarray(0, count))
  }

  /** The rows by a column; equal ones keep their order. Slot -1 (none) comes last. */
  sort(
    column: 'gpa' | 'hva' | 'hpa' | 'state' | 'pageShift' | 'slot' | 'node',
    direction: 'ascending' | 'descending' = 'ascending',
  ): TranslationTable {
    return this.#pick(orderOf(this[column], direction === 'descending'))
  }

  /** The rows from `from` to below `to`, as Array.slice counts. No column is copied. */
  slice(from?: number, to?: number): TranslationTable {
    const columns = partOf(this, from, to)
    return new TranslationTable(this.#source, columns, this.index.subarray(from, to))
  }

  /**
   * How many rows there are of each combination: `table.groupBy('slot', 'state')`. Most first. Other things to group by
   * have names of your own: a list that goes with the input, or a function of the row, which is slower:
   * `table.groupBy('state', {event: events, gib: ({gpa}) => (gpa ?? 0n) >> 30n})`.
   */
  groupBy(...keys: GroupKey[]): Group[]
  groupBy(
    ...keys: (GroupKey | GroupValues<TranslationRow>)[]
  ): (Group & Readonly<Record<string, unknown>>)[]
  groupBy(...keys: (GroupKey | GroupValues<TranslationRow>)[]): Group[] {
    const own = keys.filter((key) => typeof key === 'string')
    const given = keys.flatMap((key) => (typeof key === 'string' ? [] : Object.entries(key)))
    const values = given.map(([name, by]) => ({ name, valueOf: this.#valueOf(by) }))
    return groupRows(this, own, values)
  }

  /**
   * What belongs to each row out of a list that goes with the input, in the order of the rows:
   * `table.filter({state: 'swapped'}).join(times)`.
   */
  join<T>(values: ArrayLike<T>): T[] {
    return Array.from(this.index, (place) => joined(values, place, 'join(values)'))
  }

  /** What console.log prints: numbers of rows by state. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const states = Object.entries(this.states).map(([state, count]) => `${state} ${count}`)
    return `TranslationTable of ${this.length} rows: ${states.join(', ')}`
  }

  /** A summary. The columns hold the rows. */
  toJSON(): TranslationTableJson {
    const { length } = this
    const text = (at: number) => (this.gpa[at] === undefined ? null : hex(this.gpa[at]))
    return { rows: length, states: this.states, firstGpa: text(0), lastGpa: text(length - 1) }
  }

  #valueOf(by: ArrayLike<unknown> | ((row: TranslationRow) => unknown)): (i: number) => unknown {
    if (typeof by !== 'function') {
      const { index } = this
      return (i) => joined(by, index[i] ?? i, 'groupBy({name: list})')
    }
    return (i) => {
      const row = this.row(i)
      return row === undefined ? undefined : by(row)
    }
  }

  #asked(wanted: (row: TranslationRow) => boolean): (i: number) => boolean {
    return (i) => {
      const row = this.row(i)
      return row !== undefined && wanted(row)
    }
  }

  #fitting({ state, slot, pageSize, node }: RowFilter): (i: number) => boolean {
    const states = setOf(state, stateCode)
    const slots = setOf(slot, (number) => number ?? -1)
    const shifts = setOf(pageSize, Math.log2)
    const nodes = setOf(node, (number) => number ?? -1)
    const nodeOf = nodes === undefined ? undefined : this.node
    return (i) =>
      (nodes?.has(nodeOf?.[i] ?? -1) ?? true) &&
      (states?.has(this.state[i] ?? 0) ?? true) &&
      (slots?.has(this.slot[i] ?? 0) ?? true) &&
      (shifts === undefined || (this.state[i] === MAPPED && shifts.has(this.pageShift[i] ?? 0)))
  }

  #pick(rows: Uint32Array): TranslationTable {
    const index = this.#index
    const places =
      index === undefined ? rows.slice() : picked(index, rows, new Uint32Array(rows.length))
    return new TranslationTable(this.#source, rowsOf(this, rows), places)
  }
}

function joined<T>(values: ArrayLike<T>, place: number, call: string): T {
  const value = values[place]
  if (value !== undefined || place < values.length) return value as T
  throw new UsageError(
    `table.${call}: the input had a row ${place}, but there are only ${values.length} values`,
  )
}

function orNull(address: bigint | undefined): bigint | null {
  return address === undefined || address === NO_ADDRESS ? null : address
}

function setOf<T, K>(
  wanted: T | readonly T[] | undefined,
  key: (value: T) => K,
): Set<K> | undefined {
  if (wanted === undefined) return undefined
  const isList = (value: T | readonly T[]): value is readonly T[] => Array.isArray(value)
  return new Set((isList(wanted) ? wanted : [wanted]).map(key))
}
