// SPDX-License-Identifier: GPL-2.0-or-later
// The kernels in WebAssembly: rows are copied into a lane of the mapping's memory, and the columns out of it.

import { type Columns, columnsAt, ROW_BYTES } from './columns.ts'
import { type Kernel, STAGE } from './kernels.ts'
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
    onePass: laneKernel(lane * 4, LANE_ROWS, loops.onePass),
    staged: laneKernel(lane * 4, STAGE, loops.staged),
  }
}

function laneKernel(start: number, rows: number, loop: Loop): Kernel {
  let seenWords: Uint32Array | undefined
  let lane = columnsAt(new ArrayBuffer(0), 0, 0)
  return (words, places, columns, from, to) => {
    // Views are made anew when the memory has grown.
    if (seenWords !== words) lane = columnsAt(words.buffer, start, LANE_ROWS)
    seenWords = words
    let seen = 0
    for (let at = from; at < to; at += rows) {
      const count = Math.min(rows, to - at)
      lane.gpa.set(columns.gpa.subarray(2 * at, 2 * (at + count)))
      seen |= loop(
        ...[count, start, lane.slot.byteOffset, lane.state.byteOffset],
        ...[places.directory * 4, places.slots * 4, places.highEnd * 4, places.outside],
        start + ROW_BYTES * LANE_ROWS,
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
