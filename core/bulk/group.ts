// SPDX-License-Identifier: GPL-2.0-or-later
// Rows counted by what they have in common: columns of the table, lists that go with it, functions of a row.

import { UsageError } from '../errors.ts'
import { type RowState, stateNames } from './states.ts'

/** Columns that rows can be grouped by. */
export type GroupKey = 'state' | 'slot' | 'pageSize' | 'node'

/** Anything else that rows can be grouped by, under names of your own: a list that goes with the input, or a function. */
export type GroupValues<Row> = Readonly<
  Record<string, ArrayLike<unknown> | ((row: Row) => unknown)>
>

/** Rows that are alike. A member is there when the rows were grouped by it. */
export interface Group {
  readonly state?: RowState
  /** The slot's number; null is no slot. */
  readonly slot?: number | null
  /** In bytes; null is nothing mapped. */
  readonly pageSize?: number | null
  /** The NUMA node of the host's page; null where there is none, or nobody can tell. */
  readonly node?: number | null
  /** How many rows. */
  readonly count: number
}

/** What is grouped: columns of the same length. */
export interface Groupable {
  readonly state: Uint8Array
  readonly slot: Int16Array
  readonly pageShift: Uint8Array
  /** Read from the dump when it is asked for. */
  readonly node: Int16Array
}

/** A value for each row, looked up by row number. */
export interface ValueColumn {
  readonly name: string
  readonly valueOf: (row: number) => unknown
}

const groupKeys: readonly GroupKey[] = ['state', 'slot', 'pageSize', 'node']

const made = new WeakSet()

/** True for a group that `groupBy` gave. */
export function isGroup(value: object): value is Group {
  return made.has(value)
}

/** Groups with their counts, most rows first. */
export function groupRows(
  columns: Groupable,
  keys: readonly GroupKey[],
  values: readonly ValueColumn[] = [],
): Group[] {
  const wrong = keys.find((key) => !groupKeys.includes(key))
  if (wrong !== undefined || keys.length + values.length === 0) {
    throw new UsageError(
      `groupBy(...keys) takes ${groupKeys.map((key) => `'${key}'`).join(', ')}, or {name: list or function}; not ${wrong === undefined ? 'nothing' : `'${wrong}'`}`,
    )
  }
  const has = (key: GroupKey) => keys.includes(key)
  const node = has('node') ? columns.node : undefined
  const given = codesOf(values, columns.state.length)
  const groups: Group[] = []
  for (const [key, count] of countsOf(columns, keys, node, given?.codes)) {
    const low = key % LOW
    const high = Math.floor(key / LOW)
    const shift = (low >>> 16) & 0x1f
    const group = {
      ...(has('state') ? { state: stateNames[low >>> 21] ?? 'invalid' } : {}),
      ...(has('slot') ? { slot: orNull(low & 0xffff) } : {}),
      ...(has('pageSize') ? { pageSize: shift === 0 ? null : 2 ** shift } : {}),
      ...(has('node') ? { node: orNull(high & 0xffff) } : {}),
      ...given?.of(Math.floor(high / 0x10000)),
      count,
    }
    made.add(group)
    groups.push(group)
  }
  return groups.sort((a, b) => b.count - a.count)
}

// A key has in bits 0 to 15 the slot, 16 to 20 the page shift, 21 to 24 the state, 25 to 40 the node, and above the number
// of what was given. What is not asked for counts as 0.
const LOW = 2 ** 25

function countsOf(
  columns: Groupable,
  keys: readonly GroupKey[],
  node: Int16Array | undefined,
  codes: Uint32Array | undefined,
): Map<number, number> {
  const { state, slot, pageShift } = columns
  if (node === undefined && codes === undefined && state.length >= MANY) {
    return countsFrom(kindsOf(columns), keys)
  }
  const slotMask = keys.includes('slot') ? 0xffff : 0
  const shiftMask = keys.includes('pageSize') ? 0x1f : 0
  const stateMask = keys.includes('state') ? 0xf : 0
  const counts = new Map<number, number>()
  // Neighbours are mostly alike: only the end of a run goes into the map.
  let last = -1
  let run = 0
  for (let i = 0; i < state.length; i++) {
    const low =
      ((slot[i] ?? 0) & slotMask) |
      (((pageShift[i] ?? 0) & shiftMask) << 16) |
      (((state[i] ?? 0) & stateMask) << 21)
    let key = low
    if (node !== undefined) key += ((node[i] ?? 0) & 0xffff) * LOW
    if (codes !== undefined) key += (codes[i] ?? 0) * 0x10000 * LOW
    if (key !== last) {
      if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run)
      last = key
      run = 0
    }
    run++
  }
  if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run)
  return counts
}

/** From so many rows on they are counted once for all questions: the room for that is 16 MB. */
const MANY = 2 ** 18

/** Rows of the same state, page shift and slot, as a key, and how many they are. */
type Kinds = readonly (readonly [key: number, count: number])[]

const kindsOfTables = new WeakMap<Groupable, Kinds>()

/** All columns in one pass, without a comparison: a table of millions is shown in the time of a blink. */
function kindsOf(columns: Groupable): Kinds {
  const known = kindsOfTables.get(columns)
  if (known !== undefined) return known
  const { state, slot, pageShift } = columns
  // Bits 0 and 1 the size (12, 21 and 30 become 1, 2 and 3), 2 to 5 the state, 6 to 21 the slot.
  const counts = new Uint32Array(2 ** 22)
  for (let i = 0; i < state.length; i++) {
    const size = ((pageShift[i] ?? 0) >>> 3) & 3
    const at = size | ((state[i] ?? 0) << 2) | (((slot[i] ?? 0) & 0xffff) << 6)
    counts[at] = (counts[at] ?? 0) + 1
  }
  const kinds: [number, number][] = []
  for (let at = 0; at < counts.length; at++) {
    const count = counts[at] ?? 0
    if (count === 0) continue
    const size = at & 3
    const shift = size === 0 ? 0 : 3 + 9 * size
    kinds.push([(at >>> 6) | (shift << 16) | (((at >>> 2) & 15) << 21), count])
  }
  kindsOfTables.set(columns, kinds)
  return kinds
}

function countsFrom(kinds: Kinds, keys: readonly GroupKey[]): Map<number, number> {
  const mask =
    (keys.includes('slot') ? 0xffff : 0) |
    (keys.includes('pageSize') ? 0x1f0000 : 0) |
    (keys.includes('state') ? 0x1e00000 : 0)
  const counts = new Map<number, number>()
  for (const [key, count] of kinds) counts.set(key & mask, (counts.get(key & mask) ?? 0) + count)
  return counts
}

/** -1 of 16 bits is none. */
function orNull(bits: number): number | null {
  const number = (bits << 16) >> 16
  return number < 0 ? null : number
}

/** More kinds of rows than this are no groups: 12 bits are left in a key. */
const MOST_GIVEN = 4096

/** A number for each combination of given values, and what it stands for. */
function codesOf(
  values: readonly ValueColumn[],
  rows: number,
): { codes: Uint32Array; of: (code: number) => Record<string, unknown> } | undefined {
  if (values.length === 0) return undefined
  const codes = new Uint32Array(rows)
  const combinations: unknown[][] = [[]]
  for (const { name, valueOf } of values) {
    const known = new Map<unknown, Map<number, number>>()
    const before = combinations.splice(0)
    for (let i = 0; i < rows; i++) {
      const value = valueOf(i)
      let byCode = known.get(value)
      if (byCode === undefined) known.set(value, (byCode = new Map<number, number>()))
      const old = codes[i] ?? 0
      let code = byCode.get(old)
      if (code === undefined) {
        code = combinations.push([...(before[old] ?? []), value]) - 1
        byCode.set(old, code)
        if (code >= MOST_GIVEN) {
          throw new UsageError(
            `groupBy: '${name}' has more than ${MOST_GIVEN} values; group by something coarser, such as {${name}: (row) => …}`,
          )
        }
      }
      codes[i] = code
    }
  }
  const names = values.map(({ name }) => name)
  return {
    codes,
    of: (code) => Object.fromEntries(names.map((name, i) => [name, combinations[code]?.[i]])),
  }
}
