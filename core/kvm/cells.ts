// SPDX-License-Identifier: GPL-2.0-or-later
// A guest's memory in at most 2,048 cells of one size, for a picture of where what lies.

import { PAGE_SIZE } from '../dump/format.ts'
import { countedStates, pageSizes } from './share.ts'
import { type TranslationState } from './gpastate.ts'

/** Cells of a row. */
export const ROW_CELLS = 64
const MOST_CELLS = 2048
/** Of a whole guest, no cell is smaller than what one entry of a page table can map. */
const WHOLE_LEAST = 2 ** 21
const CODES = countedStates.length

/** A stretch of guest memory, in bytes. */
export interface Stretch {
  readonly gpa: number
  readonly size: number
}

/** Bytes of a cell in one state. */
export interface CellShare {
  readonly state: TranslationState
  readonly pageSize: number | null
  readonly bytes: number
}

/** Memory in cells: rows of 64 cells; rows without memory are left out. */
export class Cells {
  /** The bytes of a cell: a power of two; of a whole guest 2 MiB or more. */
  readonly cellSize: number
  /** The first guest physical address of each row, a multiple of 64 cells. */
  readonly rows: readonly number[]
  /** How many stretches are smaller than half a cell, and far from all others: they are not here. */
  readonly leftOut: number
  readonly #rowOf: ReadonlyMap<number, number>
  /** Pages of each cell by code of state. */
  readonly #pages: Uint32Array
  #lastGpa = -1
  #lastRow = -1

  /** For a part of a guest, cells may be as small as a page. */
  constructor(stretches: readonly Stretch[], isPart = false) {
    const total = stretches.reduce((sum, { size }) => sum + size, 0)
    let cell = isPart ? PAGE_SIZE : WHOLE_LEAST
    while (cell * MOST_CELLS < total) cell *= 2
    let rows = rowsOf(stretches, cell)
    // Memory in many places far apart has more rows than its size alone needs.
    while (rows.length * ROW_CELLS > MOST_CELLS) {
      cell *= 2
      rows = rowsOf(stretches, cell)
    }
    this.cellSize = cell
    this.rows = Object.freeze(rows)
    this.#rowOf = new Map(rows.map((gpa, row) => [gpa, row]))
    const row = cell * ROW_CELLS
    this.leftOut = stretches.filter(({ gpa }) => !this.#rowOf.has(gpa - (gpa % row))).length
    this.#pages = new Uint32Array(rows.length * ROW_CELLS * CODES)
  }

  /** Counts pages from a guest physical address on, in the state of a code; those in rows left out are passed over. */
  add(gpa: number, count: number, code: number): void {
    const cellPages = this.cellSize / PAGE_SIZE
    const page = gpa / PAGE_SIZE
    for (let done = 0; done < count;) {
      const at = page + done
      const cell = Math.floor(at / cellPages)
      const step = Math.min(count - done, (cell + 1) * cellPages - at)
      const rowGpa = Math.floor(cell / ROW_CELLS) * ROW_CELLS * this.cellSize
      const row = this.#lastGpa === rowGpa ? this.#lastRow : (this.#rowOf.get(rowGpa) ?? -1)
      this.#lastGpa = rowGpa
      this.#lastRow = row
      done += step
      if (row < 0) continue
      const index = (row * ROW_CELLS + (cell % ROW_CELLS)) * CODES + code
      this.#pages[index] = (this.#pages[index] ?? 0) + step
    }
  }

  /** What lies in a cell, in the order of states; empty where the guest has no memory. */
  at(row: number, column: number): CellShare[] {
    const from = (row * ROW_CELLS + column) * CODES
    const shares: CellShare[] = []
    for (let code = 0; code < CODES; code++) {
      const bytes = (this.#pages[from + code] ?? 0) * PAGE_SIZE
      const state = countedStates[code]
      if (bytes === 0 || state === undefined) continue
      shares.push({ state, pageSize: pageSizes[code] ?? null, bytes })
    }
    return shares
  }
}

function rowsOf(stretches: readonly Stretch[], cell: number): number[] {
  const row = cell * ROW_CELLS
  const rows = new Set<number>()
  for (const { gpa, size } of stretches) {
    if (size < cell / 2) continue
    const first = Math.floor(gpa / row)
    const last = Math.floor((gpa + size - 1) / row)
    for (let at = first; at <= last && rows.size * ROW_CELLS <= MOST_CELLS; at++) rows.add(at * row)
  }
  return [...rows].sort((a, b) => a - b)
}
