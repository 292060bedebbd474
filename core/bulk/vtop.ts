// SPDX-License-Identifier: GPL-2.0-or-later
// Many addresses at once: whole translations, or only the step to hva, or from hva to hpa.

import { wordsOf } from '../bytes/words.ts'
import { type Vm } from '../kvm/vm.ts'
import { type Engine, gpaEngine, hvaEngine } from './engine.ts'
import { addressColumn, type Addresses } from './input.ts'
import { BLOCK } from './job.ts'
import { quiet } from './pool.ts'
import { newBlocks, newColumns, runColumns, type RunOptions } from './run.ts'
import { INVALID, MAPPED, NO_ADDRESS } from './states.ts'
import { TranslationTable } from './table.ts'
import { UnfinishedError } from './unfinished.ts'

/** A call that has begun: what `unfinished` makes a table of when it does not come to its end. */
let begun: { table: TranslationTable; blocks: Int32Array; engine: Engine } | undefined

/**
 * Translates many guest physical addresses of a virtual machine. What ends it in the middle is thrown as an
 * UnfinishedError, with the rows that are done.
 */
export function translateAll(
  vm: Vm,
  gpas: Addresses,
  call: string,
  options?: RunOptions,
): TranslationTable {
  const engine = gpaEngine(vm)
  const columns = newColumns(addressColumn(gpas, call), options)
  const table = new TranslationTable({ vm, swapped: (gpa) => engine.swapped(gpa) }, columns)
  const blocks = newBlocks(table.length)
  begun = { table, blocks, engine }
  try {
    runColumns(engine, columns, `translating for ${vm.name ?? 'the guest'}`, options, blocks)
  } catch (error) {
    throw new UnfinishedError(unfinished() ?? table.slice(0, 0), table.length, error)
  }
  begun = undefined
  return table
}

/**
 * The rows that the last bulk translation had done when it was stopped in the middle, in the order of its input, each
 * with its place there (`index`). Undefined when it came to its end. Stopping a cell shows nothing to the code that
 * runs: this is the way to what it had.
 */
export function unfinished(): TranslationTable | undefined {
  if (begun === undefined) return undefined
  const { table, blocks, engine } = begun
  quiet(engine)
  const first = blocks.findIndex((seen) => seen !== 0)
  const isPrefix = first < 0 || blocks.subarray(first).every((seen) => seen !== 0)
  if (isPrefix) return table.slice(0, first < 0 ? table.length : first * BLOCK)
  return table.only((row) => blocks[Math.floor(row / BLOCK)] === 0)
}

/** The host virtual addresses of many guest physical ones; no page table is read. NO_ADDRESS where no slot is. */
export function hvasOf(vm: Vm, gpas: Addresses, call: string): BigUint64Array {
  vm.checkAlive()
  const column = addressColumn(gpas, call)
  const hvas = new BigUint64Array(column.length).fill(NO_ADDRESS)
  const slots = vm.memslots
    .filter((slot) => slot.addressSpace === 0 && !slot.invalid)
    .sort((a, b) => a.gpa - b.gpa)
  const starts = Float64Array.from(slots, ({ gpa }) => gpa)
  const ends = Float64Array.from(slots, ({ gpa, size }) => gpa + size)
  const deltas = wordsOf(BigUint64Array.from(slots, ({ gpa, hva }) => hva - BigInt(gpa)))
  const [words, halves] = [wordsOf(column), wordsOf(hvas)]
  let found = 0
  for (let i = 0; i < column.length; i++) {
    const low = words[2 * i] ?? 0
    const high = words[2 * i + 1] ?? 0
    const gpa = high * 2 ** 32 + low
    if (!(gpa >= (starts[found] ?? Infinity) && gpa < (ends[found] ?? 0))) {
      found = placeOf(starts, gpa)
      if (!(gpa < (ends[found] ?? 0))) continue
    }
    const delta = deltas[2 * found] ?? 0
    const sum = (low + delta) >>> 0
    halves[2 * i] = sum
    halves[2 * i + 1] = high + (deltas[2 * found + 1] ?? 0) + (sum < delta ? 1 : 0)
  }
  return hvas
}

/** The place of the last start that is not above an address, or -1. */
function placeOf(starts: Float64Array, address: number): number {
  let low = 0
  let high = starts.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((starts[middle] ?? 0) <= address) low = middle + 1
    else high = middle
  }
  return low - 1
}

/** The host physical addresses of many host virtual ones of the VMM; NO_ADDRESS where nothing is mapped. */
export function hpasOf(vm: Vm, hvas: Addresses, call: string): BigUint64Array {
  const columns = newColumns(addressColumn(hvas, call))
  const engine = hvaEngine(vm)
  runColumns(engine, columns, `walking for ${vm.name ?? 'the guest'}`)
  const { gpa, hpa, state } = columns
  for (let i = 0; i < hpa.length; i++) {
    // Above 52 bits a guest physical address ends, but not a virtual one under five levels of tables.
    if (state[i] === INVALID) hpa[i] = BigInt(engine.walk(gpa[i] ?? NO_ADDRESS).hpa ?? -1n)
    else if (state[i] !== MAPPED) hpa[i] = NO_ADDRESS
  }
  return hpa
}
