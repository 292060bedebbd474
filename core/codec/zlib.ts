// SPDX-License-Identifier: GPL-2.0-or-later
// zlib streams (RFC 1950), by Node's own zlib.

import { inflateSync } from 'node:zlib'
import { type Codec } from './codec.ts'

// zlib allocates its output in chunks. One chunk a little larger than a page holds the page and zlib's
// end-of-stream check in one call; Node's default of 16 KiB would stay alive behind every cached page.
const SLACK = 64

/** The zlib codec: `makedumpfile -c`. */
export const zlib: Codec = {
  name: 'zlib',
  decode(data, size) {
    const out = inflateSync(data, { maxOutputLength: size, chunkSize: size + SLACK })
    // Since Node 24 small results lie in a pool of 64 KiB, which one cached page would keep alive.
    const isPooled = out.buffer.byteLength > size + SLACK
    return isPooled ? Uint8Array.from(out) : new Uint8Array(out.buffer, out.byteOffset, out.length)
  },
}
