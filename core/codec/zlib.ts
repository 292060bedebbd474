// SPDX-License-Identifier: GPL-2.0-or-later
// zlib streams (RFC 1950), by Node's own zlib.

import { inflateSync, type Inflate, type ZlibOptions } from 'node:zlib'
import { type Codec } from './codec.ts'

// zlib allocates its output in chunks. One chunk a little larger than a page holds the page and zlib's
// end-of-stream check in one call; Node's default of 16 KiB would stay alive behind every cached page.
const SLACK = 64

// With `info`, Node tells how much it has read; its types do not know that.
const inflate = inflateSync as unknown as (
  data: Uint8Array,
  options: ZlibOptions,
) => { readonly buffer: Buffer; readonly engine: Inflate }

/** The zlib codec: `makedumpfile -c`. One block is one stream, to its last byte. */
export const zlib: Codec = {
  name: 'zlib',
  decode(data, size) {
    const options = { maxOutputLength: size, chunkSize: size + SLACK, info: true }
    const { buffer: out, engine } = inflate(data, options)
    const read = engine.bytesWritten
    if (read < data.length) throw new Error(`${data.length - read} bytes are left behind its end`)
    // Since Node 24 small results lie in a pool of 64 KiB, which one cached page would keep alive.
    const isPooled = out.buffer.byteLength > size + SLACK
    return isPooled ? Uint8Array.from(out) : new Uint8Array(out.buffer, out.byteOffset, out.length)
  },
}
