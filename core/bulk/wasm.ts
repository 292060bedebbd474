// SPDX-License-Identifier: GPL-2.0-or-later
// The kernels in WebAssembly: rows are copied into a lane of the mapping's memory, and the columns out of it.

import { STAGE, type Columns, type Kernel, type Places } from './kernels.ts'
import { LANE_ROWS } from './mapping.ts'
import { kernelBytes } from './wasmbytes.ts'
import { type WasmMemory, type WasmModule, webAssembly } from './webassembly.ts'

type Loop = (...places: number[]) => number

/** Both kernels over one memory. */
export interface WasmKernels {
  readonly onePass: Kernel
  readonly staged: Kernel
}

let compiled: WasmModule | undefined

/** The kernels over a memory, with the lane that begins at word `lane`. Two threads need two lanes. */
export function wasmKernels(memory: WasmMemory, lane: number): WasmKernels {
  compiled ??= new webAssembly.Module(Buffer.from(kernelBytes, 'base64'))
  const { exports } = new webAssembly.Instance(compiled, { bulk: { memory } })
  const loops = exports as unknown as { readonly onePass: Loop; readonly staged: Loop }
  return {
    onePass: laneKernel(lane, LANE_ROWS, loops.onePass),
    staged: laneKernel(lane, STAGE, loops.staged),
  }
}

/** Views of a lane's columns. They are made anew when the memory has grown. */
interface Lane {
  readonly words: Uint32Array
  readonly gpa: Uint32Array
  readonly hva: Uint32Array
  readonly hpa: Uint32Array
  readonly state: Uint8Array
  readonly pageShift: Uint8Array
  readonly slot: Int16Array
  readonly stage: number
}

function laneAt(words: Uint32Array, lane: number): Lane {
  const base = words.byteOffset + lane * 4
  const gpa = new Uint32Array(words.buffer, base, 2 * LANE_ROWS)
  const hva = new Uint32Array(words.buffer, base + 8 * LANE_ROWS, 2 * LANE_ROWS)
  const hpa = new Uint32Array(words.buffer, base + 16 * LANE_ROWS, 2 * LANE_ROWS)
  const slot = new Int16Array(words.buffer, base + 24 * LANE_ROWS, LANE_ROWS)
  const state = new Uint8Array(words.buffer, base + 26 * LANE_ROWS, LANE_ROWS)
  const pageShift = new Uint8Array(words.buffer, base + 27 * LANE_ROWS, LANE_ROWS)
  return { words, gpa, hva, hpa, slot, state, pageShift, stage: base + 28 * LANE_ROWS }
}

function laneKernel(start: number, rows: number, loop: Loop): Kernel {
  let lane: Lane | undefined
  return (words, places, columns, from, to) => {
    if (lane?.words !== words) lane = laneAt(words, start)
    let seen = 0
    for (let at = from; at < to; at += rows) {
      seen |= run(loop, lane, places, columns, at, Math.min(rows, to - at))
    }
    return seen
  }
}

function run(
  loop: Loop,
  lane: Lane,
  places: Places,
  columns: Columns,
  at: number,
  count: number,
): number {
  lane.gpa.set(columns.gpa.subarray(2 * at, 2 * (at + count)))
  const seen = loop(
    count,
    lane.gpa.byteOffset,
    lane.hva.byteOffset,
    lane.hpa.byteOffset,
    lane.state.byteOffset,
    lane.pageShift.byteOffset,
    lane.slot.byteOffset,
    places.directory * 4,
    places.slots * 4,
    places.highEnd,
    places.outside,
    lane.stage,
  )
  columns.hva.set(lane.hva.subarray(0, 2 * count), 2 * at)
  columns.hpa.set(lane.hpa.subarray(0, 2 * count), 2 * at)
  columns.state.set(lane.state.subarray(0, count), at)
  columns.pageShift.set(lane.pageShift.subarray(0, count), at)
  columns.slot.set(lane.slot.subarray(0, count), at)
  return seen
}
