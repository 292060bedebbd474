// SPDX-License-Identifier: GPL-2.0-or-later
// Random pages of a kdump a second, beside what zlib does with the same streams when nothing has to be found or read.

import { inflateSync } from 'node:zlib'
import { page_desc } from '../../core/dump/kdump/diskdump.ts'
import { openFile } from '../../core/dump/file.ts'
import { openPages } from '../../core/dump/open.ts'
import { readHeaders } from '../../core/dump/kdump/kdumpheaders.ts'
import { median } from './process.ts'

/** Frames of a dump that are saved, those with a zlib stream of their own, and these streams, in one random order. */
export interface Stored {
  readonly saved: readonly number[]
  readonly compressed: readonly number[]
  readonly streams: readonly Uint8Array[]
}

/** Finds them without the reader that is measured: bit by bit, and with every stream in memory. */
export function storedIn(path: string): Stored {
  const file = openFile(path)
  const { savedAt, bitmapBytes, descAt, endPfn } = readHeaders(file)
  const bitmap = file.read(savedAt, bitmapBytes, 'bitmap')
  const saved: number[] = []
  for (let pfn = 0; pfn < endPfn; pfn++) {
    if ((((bitmap[pfn >> 3] ?? 0) >> (pfn & 7)) & 1) === 1) saved.push(pfn)
  }
  const descriptors = file.read(descAt, saved.length * page_desc.size, 'page_desc')
  const view = new DataView(descriptors.buffer, descriptors.byteOffset, descriptors.length)
  const streams = new Map<number, Uint8Array>()
  for (const [i, pfn] of saved.entries()) {
    const at = i * page_desc.size
    if (view.getUint32(at + page_desc.offsets.flags, true) !== 1) continue
    const offset = Number(view.getBigUint64(at + page_desc.offsets.offset, true))
    const size = view.getUint32(at + page_desc.offsets.size, true)
    streams.set(pfn, file.read(offset, size, 'page data'))
  }
  file.close()
  const compressed = shuffled([...streams.keys()])
  return {
    saved: shuffled(saved),
    compressed,
    streams: compressed.map((pfn) => streams.get(pfn) ?? new Uint8Array()),
  }
}

/**
 * Pages a second of a new source, each frame once; and streams inflated a second on the same core, by turns, so that a
 * busy machine slows both.
 */
export function storedRates(path: string, { saved, compressed, streams }: Stored, rounds = 5) {
  const rates: { all: number[]; own: number[]; zlib: number[] } = { all: [], own: [], zlib: [] }
  for (let round = 0; round < rounds; round++) {
    rates.all.push(pagesPerSecond(path, saved))
    rates.own.push(pagesPerSecond(path, compressed))
    rates.zlib.push(
      perSecond(streams, (stream) => {
        inflateSync(stream, { maxOutputLength: 4096 })
      }),
    )
  }
  return { all: median(rates.all), own: median(rates.own), zlib: median(rates.zlib) }
}

function pagesPerSecond(path: string, pfns: readonly number[]): number {
  const source = openPages(path)
  const rate = perSecond(pfns, (pfn) => source.page(pfn))
  source.close()
  return rate
}

function perSecond<T>(items: readonly T[], work: (item: T) => void): number {
  const start = performance.now()
  for (const item of items) work(item)
  return (items.length * 1000) / (performance.now() - start)
}

// The same order every time.
function shuffled(pfns: readonly number[]): number[] {
  const order = [...pfns]
  let state = 1
  for (let i = order.length - 1; i > 0; i--) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    const other = Math.floor((state / 0x80000000) * (i + 1))
    const [a = 0, b = 0] = [order[i], order[other]]
    order[i] = b
    order[other] = a
  }
  return order
}
