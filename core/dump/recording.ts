// SPDX-License-Identifier: GPL-2.0-or-later
// A page source that remembers which frames were handed out: what a slice needs to give the same answers.

import {
  type DumpFacts,
  type FrameRange,
  type Missing,
  type Note,
  type PageSource,
} from './format.ts'

/** Another source's pages, with a memory of the frames that were asked for and there. */
export class RecordingPages implements PageSource {
  readonly facts: DumpFacts
  readonly endPfn: number
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  /** Where the pages come from: what is read there is not remembered. */
  readonly source: PageSource
  readonly #pfns = new Set<number>()

  constructor(source: PageSource) {
    this.facts = source.facts
    this.endPfn = source.endPfn
    this.notes = source.notes
    this.vmcoreinfo = source.vmcoreinfo
    this.source = source
  }

  /** The frames handed out so far, in ascending order. */
  get pfns(): number[] {
    return [...this.#pfns].sort((a, b) => a - b)
  }

  page(pfn: number): Uint8Array | Missing {
    const page = this.source.page(pfn)
    if (page instanceof Uint8Array) this.#pfns.add(pfn)
    return page
  }

  exists(pfn: number): boolean {
    return exists(this.source, pfn)
  }

  saved(pfn: number, count: number): number {
    return savedOf(this.source, pfn, count)
  }

  memory(): Iterable<FrameRange> {
    return memoryOf(this.source)
  }

  close(): void {
    this.source.close()
  }
}

/** Whether the host has memory at a frame, saved or not, whatever the source can tell. */
export function exists(source: PageSource, pfn: number): boolean {
  if (source.exists) return source.exists(pfn)
  const page = source.page(pfn)
  return page instanceof Uint8Array || page.why !== 'hole'
}

/** How many of `count` frames from `pfn` on are saved, whatever the source can tell. */
export function savedOf(source: PageSource, pfn: number, count: number): number {
  if (source.saved) return source.saved(pfn, count)
  let saved = 0
  for (let i = 0; i < count; i++) if (source.page(pfn + i) instanceof Uint8Array) saved++
  return saved
}

/** All memory of the host as runs of frames: asked frame by frame where the source does not know them. */
export function* memoryOf(source: PageSource): Generator<FrameRange> {
  if (source.memory !== undefined) {
    yield* source.memory()
    return
  }
  let from = -1
  for (let pfn = 0; pfn <= source.endPfn; pfn++) {
    const there = pfn < source.endPfn && exists(source, pfn)
    if (there === from >= 0) continue
    if (!there) yield [from, pfn]
    from = there ? pfn : -1
  }
}
