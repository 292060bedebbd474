// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU migration streams: `virsh dump` without --memory-only, `migrate file:` and `exec:`, and what is in libvirt's saves.

import { DumpError, FormatError } from '../../errors.ts'
import { CHUNK_BYTES, ChunkedFile } from '../chunks.ts'
import { type FileBytes } from '../file.ts'
import {
  PAGE_SIZE,
  type DumpFacts,
  type DumpFormat,
  type FrameRange,
  type Missing,
  type Note,
  type PageSource,
} from '../format.ts'
import { vmcoreinfoOf, parseNotes } from '../notes.ts'
import { PageCache } from '../pagecache.ts'
import { type MemoryMap, memoryMap } from './pcmemory.ts'
import { QEVM_MAGIC, type QevmStream, readQevm } from './qevmstream.ts'
import { ABSENT, ZERO } from './ramindex.ts'
import { RamPages } from './rampages.ts'
import { Ranges } from '../ranges.ts'
import { readDevices } from './vmdescription.ts'

/** The format of QEMU's migration streams, version 3. */
export const qevm: DumpFormat = {
  name: 'QEMU migration stream',
  looksFor: "'QEVM' at offset 0",
  probe: (head) =>
    head.length >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0) === QEVM_MAGIC,
  open: (file) => openQevm(file),
}

/** What a container around a stream knows: its name, where in its file the stream begins, and remarks. */
export interface Container {
  readonly format: string
  readonly base: number
  readonly remarks: readonly string[]
}

/**
 * Opens a stream. With mapped-ram its offsets may count from the container's start, which is tried first since QEMU
 * takes them from the file's position, or from the stream's.
 */
export function openQevm(file: FileBytes, container?: Container): PageSource {
  const base = container?.base ?? 0
  try {
    return new QevmPages(file, base, container)
  } catch (error) {
    if (base === 0 || !(error instanceof FormatError) || error.field !== 'ram') throw error
    return new QevmPages(file, 0, container)
  }
}

const CHUNKS = (1 << 20) / CHUNK_BYTES
const MAX_NOTE = 1 << 20

class QevmPages implements PageSource {
  readonly facts: DumpFacts
  readonly endPfn: number
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  readonly #file: FileBytes
  readonly #chunks: ChunkedFile
  readonly #cache = new PageCache()
  readonly #stream: QevmStream
  readonly #memory: RamPages
  readonly #map: Ranges

  constructor(file: FileBytes, shift: number, container?: Container) {
    this.#file = file
    this.#chunks = new ChunkedFile(file, CHUNKS)
    let memory: RamPages | undefined
    let map: MemoryMap | undefined
    this.#stream = readQevm(file, shift, (blocks, machine) => {
      const own = new RamPages(blocks, this.#chunks)
      memory = own
      map = memoryMap(machine, own.pages * PAGE_SIZE)
      return own
    })
    if (memory === undefined || map === undefined) {
      throw new FormatError(`${file.name}: the stream lists no blocks of memory`, 'ram')
    }
    this.#memory = memory
    this.#map = new Ranges(map.ranges)
    this.endPfn = Math.ceil(this.#map.end / PAGE_SIZE)
    const remarks = [...(container?.remarks ?? []), map.remark, ...blockRemarks(memory)]
    if (this.#stream.cut !== undefined) remarks.push(this.#stream.cut)
    const devices =
      this.#stream.cut === undefined
        ? readDevices(file, this.#stream.ramEnd)
        : { processors: [], vmcoreinfo: undefined, problem: undefined }
    if (devices.problem !== undefined) remarks.push(devices.problem)
    const note = devices.vmcoreinfo && this.#readNote(devices.vmcoreinfo, remarks)
    this.notes = [...devices.processors, ...(note ?? [])]
    this.vmcoreinfo = vmcoreinfoOf(this.notes)
    const format = container?.format ?? qevm.name
    const cpus = devices.processors.length
    this.facts = { format, machine: 'x86_64', ...(cpus > 0 && { cpus }), remarks }
  }

  page(pfn: number): Uint8Array | Missing {
    const range = this.#rangeOf(pfn)
    if (range === undefined) return { why: 'hole', detail: 'the machine has no memory there' }
    const page = (range.offset + pfn * PAGE_SIZE - range.start) / PAGE_SIZE
    try {
      const offset = this.#memory.offsetOf(page)
      if (offset === ABSENT) return this.#absent()
      const kept = this.#cache.get(offset)
      if (kept !== undefined) return kept
      const bytes =
        offset === ZERO
          ? new Uint8Array(PAGE_SIZE)
          : this.#chunks.read(offset, PAGE_SIZE, 'a page').slice()
      return this.#cache.add(offset, bytes)
    } catch (error) {
      if (error instanceof DumpError) return { why: 'lost', detail: error.message }
      throw error
    }
  }

  exists(pfn: number): boolean {
    return this.#rangeOf(pfn) !== undefined
  }

  saved(pfn: number, count: number): number {
    if (!Number.isSafeInteger(pfn) || pfn < 0) return 0
    const end = Math.min(pfn + count, this.endPfn) * PAGE_SIZE
    let saved = 0
    for (let at = pfn * PAGE_SIZE; at < end;) {
      const range = this.#map.endingAbove(at)
      if (range === undefined || range.start >= end) break
      const from = Math.max(at, range.start)
      const to = Math.min(end, range.end)
      const page = (range.offset + from - range.start) / PAGE_SIZE
      saved += this.#memory.saved(page, (to - from) / PAGE_SIZE)
      at = to
    }
    return saved
  }

  memory(): Iterable<FrameRange> {
    return this.#map.frames()
  }

  close(): void {
    this.#file.close()
  }

  #rangeOf(pfn: number) {
    if (!Number.isSafeInteger(pfn) || pfn < 0 || pfn >= this.endPfn) return undefined
    const range = this.#map.endingAbove(pfn * PAGE_SIZE)
    return range !== undefined && range.start <= pfn * PAGE_SIZE ? range : undefined
  }

  #absent(): Missing {
    const { cut } = this.#stream
    if (cut !== undefined) return { why: 'lost', detail: `the page is not in the stream: ${cut}` }
    const why = 'the stream does not have the page: QEMU leaves out what the guest gave back'
    return { why: 'excluded', detail: why }
  }

  /** The note is in memory, where the guest said: it is checked like any other. */
  #readNote(
    { paddr, size }: { paddr: number; size: number },
    remarks: string[],
  ): readonly Note[] | undefined {
    const bytes = new Uint8Array(Math.min(size, MAX_NOTE))
    for (let done = 0; done < bytes.length;) {
      const page = this.page(Math.floor((paddr + done) / PAGE_SIZE))
      if (!(page instanceof Uint8Array)) {
        remarks.push(
          `the note of VMCOREINFO at 0x${paddr.toString(16)} cannot be read: ${page.detail}`,
        )
        return undefined
      }
      const from = (paddr + done) % PAGE_SIZE
      const part = page.subarray(from, from + bytes.length - done)
      bytes.set(part, done)
      done += part.length
    }
    const notes = parseNotes(bytes).notes.filter(({ name }) => name === 'VMCOREINFO')
    if (notes.length === 0) {
      remarks.push(`no note of VMCOREINFO is at 0x${paddr.toString(16)}, where the device says`)
    }
    return notes
  }
}

function blockRemarks({ blocks }: RamPages): string[] {
  if (blocks.length < 2) return []
  const names = blocks.map(({ name }) => `'${name}'`).join(', ')
  return [`memory is taken to be the blocks ${names} in this order, one NUMA node each`]
}
