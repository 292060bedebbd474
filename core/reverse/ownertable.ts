// SPDX-License-Identifier: GPL-2.0-or-later
// The way back for many addresses: a row for each, in the order of the input.

import { picked, picked64 } from '../bulk/columns.ts'
import { NO_ADDRESS } from '../bulk/states.ts'
import { type Vm } from '../kvm/vm.ts'
import { whoHas } from './find.ts'
import { ownerKinds, kindCode, type RowKind } from './kinds.ts'
import { type WayBack } from './wayback.ts'
import { type WhoHas } from './whohas.ts'

/** One row of a table. */
export interface OwnerRow {
  /** The row's place in the input. */
  readonly index: number
  /** The host physical address; null for what was no number. */
  readonly hpa: bigint | null
  readonly kind: RowKind
  /** The guest that has the frame, or null. */
  readonly vm: Vm | null
  readonly gpa: bigint | null
  /** The number of the memslot, or null. */
  readonly slot: number | null
  /** The pid of the process that has the frame; of a guest's VMM. Null when nobody has mapped it. */
  readonly pid: number | null
  readonly hva: bigint | null
  /** How many pages of guests and processes have the frame: the row shows one of them. */
  readonly owners: number
}

/** What `JSON.stringify(table)` holds: a summary, not the rows. */
export interface OwnerTableJson {
  readonly rows: number
  readonly kinds: Readonly<Partial<Record<RowKind, number>>>
  readonly remarks: readonly string[]
}

/** The columns of a table, all of one length. @internal */
export interface OwnerColumns {
  readonly hpa: BigUint64Array
  readonly kind: Uint8Array
  readonly vm: Int16Array
  readonly gpa: BigUint64Array
  readonly slot: Int16Array
  readonly pid: Int32Array
  readonly hva: BigUint64Array
  readonly owners: Uint32Array
  readonly index: Uint32Array
}

/**
 * Who has many frames: what `dump.whoHas(hpas)` gives. The columns are typed arrays; `gpa` and `hva` have `NO_ADDRESS`
 * where there is none. A frame that several pages share shows one, of a guest where a guest has it; `owners` counts them,
 * and `table.at(row)` lists all. Whose a page of the swap cache is, only `table.at(row)` tells.
 */
export class OwnerTable {
  /** Host physical addresses, as they were given; NO_ADDRESS for what was no number. */
  readonly hpa: BigUint64Array
  /** Codes: `ownerKinds[code]` is the kind. */
  readonly kind: Uint8Array
  /** Places in `vms`, or -1. */
  readonly vm: Int16Array
  readonly gpa: BigUint64Array
  /** Numbers of memslots, or -1. */
  readonly slot: Int16Array
  /** Pids, or -1. */
  readonly pid: Int32Array
  readonly hva: BigUint64Array
  readonly owners: Uint32Array
  /** For each row its place in the input: it stays with the row through `filter`. */
  readonly index: Uint32Array
  /** The virtual machines that the column `vm` counts. */
  readonly vms: readonly Vm[]
  /** What could not be read, so that owners may be missing; empty for a whole dump. */
  readonly remarks: readonly string[]
  readonly #back: WayBack

  /** @internal */
  constructor(back: WayBack, columns: OwnerColumns) {
    this.#back = back
    this.vms = back.guests.vms
    this.remarks = Object.freeze([...back.guests.remarks, ...back.processes.remarks])
    this.hpa = columns.hpa
    this.kind = columns.kind
    this.vm = columns.vm
    this.gpa = columns.gpa
    this.slot = columns.slot
    this.pid = columns.pid
    this.hva = columns.hva
    this.owners = columns.owners
    this.index = columns.index
  }

  /** The number of rows. */
  get length(): number {
    return this.hpa.length
  }

  /** How many rows are of each kind that occurs. */
  get kinds(): Partial<Record<RowKind, number>> {
    const counts = new Uint32Array(ownerKinds.length)
    for (const code of this.kind) counts[code] = (counts[code] ?? 0) + 1
    const kinds: Partial<Record<RowKind, number>> = {}
    for (const [code, kind] of ownerKinds.entries()) {
      if ((counts[code] ?? 0) > 0) kinds[kind] = counts[code] ?? 0
    }
    return kinds
  }

  /** All owners of a row's frame with the reasons, looked up now; null for what was no physical address. */
  at(row: number): WhoHas | null | undefined {
    const hpa = this.hpa[row < 0 ? row + this.length : row]
    if (hpa === undefined) return undefined
    return hpa >= HPA_END ? null : whoHas(this.#back, Number(hpa))
  }

  /** What the columns have of a row; undefined outside of the table. Negative numbers count from the end. */
  row(row: number): OwnerRow | undefined {
    const i = row < 0 ? row + this.length : row
    const hpa = this.hpa[i]
    if (hpa === undefined) return undefined
    const orNull = (value: number | undefined) => (value === undefined || value < 0 ? null : value)
    const address = (value: bigint | undefined) =>
      value === undefined || value === NO_ADDRESS ? null : value
    return {
      index: this.index[i] ?? i,
      hpa: address(hpa),
      kind: ownerKinds[this.kind[i] ?? 0] ?? 'invalid',
      vm: this.vms[this.vm[i] ?? -1] ?? null,
      gpa: address(this.gpa[i]),
      slot: orNull(this.slot[i]),
      pid: orNull(this.pid[i]),
      hva: address(this.hva[i]),
      owners: this.owners[i] ?? 0,
    }
  }

  /** The rows of some kinds: `table.filter('guest', 'slab')`. */
  filter(...kinds: readonly RowKind[]): OwnerTable {
    const wanted = new Set(kinds.map(kindCode))
    const all = new Uint32Array(this.length)
    let count = 0
    for (const [row, code] of this.kind.entries()) if (wanted.has(code)) all[count++] = row
    const rows = all.subarray(0, count)
    return new OwnerTable(this.#back, {
      hpa: picked64(this.hpa, rows),
      kind: picked(this.kind, rows, new Uint8Array(count)),
      vm: picked(this.vm, rows, new Int16Array(count)),
      gpa: picked64(this.gpa, rows),
      slot: picked(this.slot, rows, new Int16Array(count)),
      pid: picked(this.pid, rows, new Int32Array(count)),
      hva: picked64(this.hva, rows),
      owners: picked(this.owners, rows, new Uint32Array(count)),
      index: picked(this.index, rows, new Uint32Array(count)),
    })
  }

  /** A summary. The columns hold the rows. */
  toJSON(): OwnerTableJson {
    return { rows: this.length, kinds: this.kinds, remarks: this.remarks }
  }

  /** What console.log prints: numbers of rows by kind. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const kinds = Object.entries(this.kinds).map(([kind, count]) => `${kind} ${count}`)
    return `OwnerTable of ${this.length} rows: ${kinds.join(', ')}`
  }
}

/** Physical addresses of x86-64 have 52 bits. */
const HPA_END = 1n << 52n
