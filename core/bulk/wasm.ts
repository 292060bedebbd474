// SPDX-License-Identifier: GPL-2.0-or-later
// The kernels in WebAssembly: rows are copied into a lane of the mapping's memory, and the columns out of it.

import { type Columns } from './columns.ts'
import { type Kernel, type Loop } from './kernels.ts'
import { LANE_ROWS, laneAt } from './lane.ts'
import { kernelBytes } from './wasmbytes.ts'
import { type WasmMemory, type WasmModule, webAssembly } from './webassembly.ts'

type Run = (...places: number[]) => number

/** Both kernels over one memory. */
export type WasmKernels = Readonly<Record<Loop, Kernel>>

let compiled: WasmModule | undefined

/** The kernels over a memory, with the lane that begins at word `lane`. Two threads need two lanes. */
export function wasmKernels(memory: WasmMemory, lane: number): WasmKernels {
  compiled ??= new webAssembly.Module(Buffer.from(kernelBytes, 'base64'))
  const { exports } = new webAssembly.Instance(compiled, { bulk: { memory } })
  const { run } = exports as unknown as { readonly run: Run }
  return { near: laneKernel(lane * 4, 1, run), far: laneKernel(lane * 4, 0, run) }
}

function laneKernel(start: number, isNear: 0 | 1, run: Run): Kernel {
  let seenWords: Uint32Array | undefined
  let lane: Columns | undefined
  return (words, places, columns, from, to) => {
    // Views are made anew when the memory has grown.
    if (lane === undefined || seenWords !== words) lane = laneAt(words.buffer, start)
    seenWords = words
    let seen = 0
    for (let at = from; at < to; at += LANE_ROWS) {
      const count = Math.min(LANE_ROWS, to - at)
      lane.gpa.set(columns.gpa.subarray(2 * at, 2 * (at + count)))
      seen |= run(
        ...[isNear, count, start, lane.slot.byteOffset, lane.state.byteOffset],
        ...[places.directory * 4, places.slots * 4, places.highEnd * 4, places.outside],
      )
      copyOut(lane, columns, at, count)
    }
    return seen
  }
}

function copyOut(lane: Columns, to: Columns, at: number, count: number): void {
  to.hva.set(lane.hva.subarray(0, 2 * count), 2 * at)
  to.hpa.set(lane.hpa.subarray(0, 2 * count), 2 * at)
  to.state.set(lane.state.subarray(0, count), at)
  to.pageShift.set(lane.pageShift.subarray(0, count), at)
  to.slot.set(lane.slot.subarray(0, count), at)
}
