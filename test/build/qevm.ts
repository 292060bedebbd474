// SPDX-License-Identifier: GPL-2.0-or-later
// Writes QEMU migration streams, piece by piece, from the numbers of QEMU's migration/savevm.c and migration/ram.c.

const MIB = 1 << 20

/** Big-endian bytes, put together in order. */
export class StreamWriter {
  readonly #parts: Buffer[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  u8(...values: number[]): this {
    return this.bytes(Buffer.from(values))
  }

  u16(value: number): this {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16BE(value)
    return this.bytes(bytes)
  }

  u32(value: number): this {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32BE(value)
    return this.bytes(bytes)
  }

  u64(value: number | bigint): this {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(value))
    return this.bytes(bytes)
  }

  /** A text behind its length in one byte. */
  name(text: string): this {
    return this.u8(text.length).bytes(Buffer.from(text, 'latin1'))
  }

  bytes(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes))
    this.#size += bytes.length
    return this
  }

  /** Zeros up to an offset. */
  upTo(offset: number): this {
    return this.bytes(Buffer.alloc(offset - this.#size))
  }

  done(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** A stream's beginning: configuration with a machine type, and its capabilities. */
export function streamHead(machine?: string, capabilities: readonly string[] = []): StreamWriter {
  const out = new StreamWriter().bytes(Buffer.from('QEVM')).u32(3)
  if (machine === undefined) return out
  out.u8(7).u32(machine.length).bytes(Buffer.from(machine))
  if (capabilities.length > 0) {
    out.u8(5).name('configuration/capabilities').u32(1).u32(capabilities.length)
    for (const one of capabilities) out.name(one)
  }
  return out
}

/** The beginning of a section of `ram`. */
export function ramStart(out: StreamWriter): StreamWriter {
  return out.u8(1).u32(2).name('ram').u32(0).u32(4)
}

/** The list of blocks, as the section's first entry. */
export function blockList(out: StreamWriter, blocks: readonly (readonly [string, number])[]) {
  out.u64(blocks.reduce((sum, [, size]) => sum + size, 0) + 4)
  for (const [name, size] of blocks) out.name(name).u64(size)
  return out
}

/** The end of a section's entries, and its footer. */
export function sectionEnd(out: StreamWriter): StreamWriter {
  return out.u64(0x10).u8(0x7e).u32(2)
}

/** A page that is its own number, so that each is another. */
export function pageOf(number: number): Buffer {
  const page = Buffer.alloc(4096, number & 0xff)
  page.writeUInt32LE(number, 8)
  return page
}

/** A device in the stream with its fields in JSON: name, bytes each, value or values. */
export interface DeviceDescription {
  readonly name: string
  readonly version: number
  readonly fields: readonly (readonly [name: string, size: number, values: readonly bigint[]])[]
}

/** The devices, the end of the stream, and the description of it all. */
export function devices(out: StreamWriter, list: readonly DeviceDescription[]): StreamWriter {
  for (const [i, { name, version, fields }] of list.entries()) {
    out
      .u8(4)
      .u32(10 + i)
      .name(name)
      .u32(0)
      .u32(version)
    for (const [, size, values] of fields) {
      for (const value of values) {
        const bytes = Buffer.alloc(size)
        for (let at = 0; at < size; at++) {
          bytes[size - 1 - at] = Number((value >> BigInt(8 * at)) & 0xffn)
        }
        out.bytes(bytes)
      }
    }
    out.u8(0x7e).u32(10 + i)
  }
  const described = list.map(({ name, version, fields }) => ({
    name,
    instance_id: 0,
    version,
    fields: fields.map(([field, size, values]) => ({
      name: field,
      size,
      ...(values.length > 1 && { array_len: values.length }),
    })),
  }))
  const json = Buffer.from(JSON.stringify({ page_size: 4096, devices: described }))
  return out.u8(0, 6).u32(json.length).bytes(json)
}

/**
 * A mapped-ram stream of four pages, 0 and 2 of them written, that begins at `base` of its file, with offsets that count
 * from `from`.
 */
export function mappedStream(base = 0, from = 0): Buffer {
  const size = 0x4000
  const out = ramStart(streamHead('pc-q35-9.1', ['mapped-ram']))
  out.u64(2 * size + 4)
  for (const [name, first] of [
    ['pc.bios', 50],
    ['pc.ram', 60],
  ] as const) {
    out.name(name).u64(size)
    const bitmapAt = out.size + 28
    const pagesAt = Math.ceil((bitmapAt + base + 8) / MIB) * MIB - base
    out
      .u32(1)
      .u64(4096)
      .u64(bitmapAt + base - from)
      .u64(pagesAt + base - from)
    // Pages 0 and 2 were written; 1 and 3 are zeros, whatever lies there.
    out.u8(0b101, 0, 0, 0, 0, 0, 0, 0).upTo(pagesAt)
    for (let page = 0; page < 4; page++) out.bytes(pageOf(first + page))
  }
  sectionEnd(sectionEnd(out).u8(3).u32(2))
  return devices(out, []).done()
}
