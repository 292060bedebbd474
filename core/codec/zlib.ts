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
    return new Uint8Array(out.buffer, out.byteOffset, out.length)
  },
}
