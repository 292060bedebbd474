// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/codec/crc32c.ts: the examples of RFC 3720, appendix B.4, and the check value of CRC catalogues.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32c, maskedCrc32c } from '../../../core/codec/crc32c.ts'

const rows: readonly [name: string, bytes: Uint8Array, crc: number][] = [
  ['nothing', new Uint8Array(), 0],
  ['the digits 1 to 9', new TextEncoder().encode('123456789'), 0xe3069283],
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['32 ascending bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 descending bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
]

describe('crc32c', () => {
  for (const [name, bytes, crc] of rows) {
    it(`of ${name} is as published`, () => {
      assert.equal(crc32c(bytes), crc)
    })
  }

  it('is masked as Snappy frames have it: this one is from a file of avml', () => {
    assert.equal(maskedCrc32c(new Uint8Array(100).fill(0x41)), 0x9dbccb37)
  })
})
