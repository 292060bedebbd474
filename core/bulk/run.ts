// SPDX-License-Identifier: GPL-2.0-or-later
// A run: a column of addresses through the kernels, in blocks, reading regions of page tables as they are asked for.

import { UnsupportedError } from '../errors.ts'
import { withProgress } from '../progress.ts'
import { type Columns, columnsFor, halvesOf, type ResultColumns } from './columns.ts'
import { type Engine } from './engine.ts'
import { BLOCK, NOT_DONE } from './job.ts'
import { jsKernels, type Kernel, type Loop } from './kernels.ts'
import { buildPending } from './pending.ts'
import { helpersFor, quiet, runTogether } from './pool.ts'
import { PENDING, WALK } from './states.ts'

/** How a run is done; what is not given is chosen by the input. */
export interface RunOptions {
  readonly kernel?: 'js' | 'wasm'
  readonly loop?: Loop
  /** How many threads help; only with WebAssembly, and only columns from `newColumns` with the same number. */
  readonly helpers?: number
}

/** Columns with room for the answers to `gpa`. When threads help, all of them are shared, and `gpa` is copied. */
export function newColumns(gpa: BigUint64Array, options: RunOptions = {}): ResultColumns {
  return columnsFor(gpa, helpersOf(gpa.length, options) > 0)
}

function helpersOf(rows: number, { kernel, helpers }: RunOptions): number {
  return kernel === 'js' ? 0 : (helpers ?? helpersFor(rows))
}

/** For each block of rows 0 when it is done. Shared, since other threads do blocks too. */
export function newBlocks(rows: number): Int32Array {
  const blocks = Math.ceil(rows / BLOCK)
  return new Int32Array(new SharedArrayBuffer(4 * blocks)).fill(NOT_DONE)
}

/**
 * Translates a column. Only what is asked for is read from the page tables, each region once. `blocks` tells at any time
 * what is done, also when this is stopped in the middle: by an error, or by an interrupt, which no code sees.
 */
export function runColumns(
  engine: Engine,
  columns: ResultColumns,
  label: string,
  options: RunOptions = {},
  blocks: Int32Array = newBlocks(columns.gpa.length),
): void {
  checkOrder()
  quiet(engine)
  const halves = halvesOf(columns)
  const total = columns.gpa.length
  const loop = options.loop ?? (isNear(halves) ? 'near' : 'far')
  const kernel = kernelFor(engine, total, loop, options)
  const helpers = columns.hva.buffer instanceof SharedArrayBuffer ? helpersOf(total, options) : 0
  withProgress({ label, unit: 'addresses', total }, (advance) => {
    let told = 0
    const tell = (rows: number) => {
      const now = Math.min(total, told + rows)
      advance(now - told)
      told = now
    }
    if (helpers > 0) runTogether(engine, halves, loop, helpers, blocks, tell)
    for (let from = 0; from < total; from += BLOCK) {
      // Together, regions are not read: their words must not change under another thread.
      if (blocks[from / BLOCK] === 0) continue
      const to = Math.min(total, from + BLOCK)
      runBlock(engine, kernel, columns, halves, from, to)
      blocks[from / BLOCK] = 0
      tell(to - from)
    }
  })
}

/** When a guest does not fit, reading one region can push out another; then the last addresses are walked one by one. */
const MOST_ROUNDS = 4

function runBlock(
  engine: Engine,
  kernel: Kernel,
  columns: ResultColumns,
  halves: Columns,
  from: number,
  to: number,
): void {
  const { mapping } = engine
  let seen = kernel(mapping.memory.words, mapping.places, halves, from, to)
  for (let round = 0; (seen & (1 << PENDING)) !== 0 && round < MOST_ROUNDS; round++) {
    buildPending(mapping, halves, from, to, Math.min(to + BLOCK, columns.gpa.length))
    seen = kernel(mapping.memory.words, mapping.places, halves, from, to)
  }
  if (seen === 0) return
  for (let i = from; i < to; i++) {
    if (columns.state[i] === PENDING || columns.state[i] === WALK) walkRow(engine, columns, i)
  }
}

function walkRow(
  engine: Engine,
  { gpa, hva, hpa, state, pageShift, slot }: ResultColumns,
  i: number,
) {
  const walked = engine.walk(gpa[i] ?? 0n)
  hva[i] = walked.hva ?? -1n
  hpa[i] = walked.hpa === null ? -1n : BigInt(walked.hpa)
  state[i] = walked.state
  pageShift[i] = walked.pageSize === null ? 0 : Math.log2(walked.pageSize)
  slot[i] = walked.slot
}

/** Below this a run is not worth the copies into a lane. */
const FEW = 256
/** Neighbours are looked at in so many places. */
const SAMPLES = 1024
function kernelFor({ wasm }: Engine, rows: number, loop: Loop, { kernel }: RunOptions): Kernel {
  const isWasm = kernel === undefined ? rows >= FEW : kernel === 'wasm'
  return (isWasm ? wasm : jsKernels)[loop]
}

/** True when most neighbours lie in the same region: then it is looked up once for all of them. */
function isNear({ gpa }: Columns): boolean {
  const rows = gpa.length / 2
  const step = Math.max(1, Math.floor(rows / SAMPLES))
  let near = 0
  let all = 0
  for (let i = 1; i < rows; i += step) {
    const isSame = (gpa[2 * i] ?? 0) >>> 21 === (gpa[2 * i - 2] ?? 0) >>> 21
    all++
    if (isSame && gpa[2 * i + 1] === gpa[2 * i - 1]) near++
  }
  return near * 4 >= all * 3
}

/** Halves are taken low before high, as every processor does that Node has today. */
function checkOrder(): void {
  if (new Uint32Array(new BigUint64Array([1n]).buffer)[0] === 1) return
  throw new UnsupportedError('bulk translation needs a little-endian machine', 'big-endian machine')
}
