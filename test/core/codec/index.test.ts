// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of core/codec with zlib and zstd: streams of other encoders, bad streams, bombs.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { codecs, decode } from '../../../core/codec/index.ts'
import { DumpError } from '../../../core/errors.ts'
import { zstdFrame } from '../../build/kdump.ts'

const phrase = new TextEncoder().encode('KVM host memory dump. '.repeat(187)).slice(0, 4096)
const text = (value: string) => new TextEncoder().encode(value)

// Written by the reference encoders: zlib 1.2 and libzstd 1.5, level 1.
const good: readonly [codec: string, name: string, hex: string, expected: Uint8Array][] = [
  ['zlib', 'one letter', '780173040000420042', text('A')],
  ['zlib', '64 letters', '78014b4ca40c0000148d1841', text('a'.repeat(64))],
  [
    'zlib',
    'a page of zeros',
    '7801edd0010d000000c2a0f74f6d0f0711280c183060c0800103060c183060c08081f7810110000001',
    new Uint8Array(4096),
  ],
  ['zstd', 'one letter', '28b52ffd200109000041', text('A')],
  ['zstd', '64 letters', '28b52ffd20404500001061610100930016', text('a'.repeat(64))],
  ['zstd', 'a page of zeros', '28b52ffd60000f4d00001000000100fbf70116', new Uint8Array(4096)],
  [
    'zstd',
    'a page of a phrase',
    '28b52ffd60000ff50000b04b564d20686f7374206d656d6f72792064756d702e200100ce9ffe6c02',
    phrase,
  ],
]

function codec(name: string) {
  const found = codecs.get(name)
  assert.ok(found, name)
  return found
}

describe('decode', () => {
  for (const [name, what, hex, expected] of good) {
    it(`decodes ${what} of ${name}`, () => {
      assert.deepEqual(
        decode(codec(name), Uint8Array.from(Buffer.from(hex, 'hex')), expected.length),
        expected,
      )
    })
  }

  it('decodes what zlib packs at every level', () => {
    for (let level = 0; level <= 9; level++) {
      assert.deepEqual(decode(codec('zlib'), deflateSync(phrase, { level }), 4096), phrase)
    }
  })

  it('decodes Zstandard frames of raw and RLE blocks', () => {
    const page = Uint8Array.from({ length: 4096 }, (_, i) => (i < 1000 ? (i * 7) & 0xff : 9))
    assert.deepEqual(decode(codec('zstd'), zstdFrame(page), 4096), page)
  })

  it('gives an array that keeps no more memory alive than the page and a few bytes', () => {
    const page = decode(codec('zlib'), deflateSync(phrase), 4096)
    assert.ok(page.buffer.byteLength < 4096 + 256, `${page.buffer.byteLength} bytes`)
  })
})

const raw = (...bytes: number[]) => Uint8Array.from(bytes)
const frame = (...blocks: number[]) => raw(0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, ...blocks)
// One block of 11 bytes: no literals, 0x7f00 + 0xffff sequences, all tables RLE: each would copy 131 KiB.
const sequenceBomb = frame(0x5d, 0, 0, 0x00, 255, 0xff, 0xff, 0x54, 52, 1, 35, 0, 0, 1)

// One block of five literals, packed, with a description of their Huffman weights in six bytes, and no sequences.
const weights = (...bytes: number[]) => frame(0x5d, 0, 0, 0x52, 0xc0, 1, ...bytes, 1, 0)

const bad: readonly [codec: string, name: string, data: Uint8Array, message: RegExp][] = [
  ['zlib', 'nothing', raw(), /zlib: unexpected end of file/],
  ['zlib', 'a stream that is cut', deflateSync(phrase).subarray(0, 20), /unexpected end of file/],
  ['zlib', 'another header', raw(1, 2, 3, 4), /incorrect header check/],
  ['zlib', 'less than a page', deflateSync(new Uint8Array(4095)), /end after 4095 of 4096 bytes/],
  ['zlib', 'more than a page', deflateSync(new Uint8Array(1 << 20)), /zlib: .*4096/],
  ['zlib', 'bytes behind the stream', raw(...deflateSync(phrase), 0, 0), /2 bytes are left behind/],
  ['zstd', 'nothing', raw(), /cut off/],
  ['zstd', 'bytes behind the frame', raw(...zstdFrame(phrase), 0), /1 bytes are left behind/],
  ['zstd', 'another magic number', raw(1, 2, 3, 4, 5, 6), /no Zstandard frame/],
  [
    'zstd',
    'a frame of another size',
    raw(0x28, 0xb5, 0x2f, 0xfd, 0x20, 1, 9, 0, 0, 0x41),
    /declares 1 bytes, not 4096/,
  ],
  [
    'zstd',
    'a frame that does not tell its size',
    raw(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0, 1, 0, 0),
    /does not declare/,
  ],
  ['zstd', 'a frame with a dictionary', raw(0x28, 0xb5, 0x2f, 0xfd, 0x61, 0, 0, 15), /dictionary/],
  ['zstd', 'a frame with a checksum', raw(0x28, 0xb5, 0x2f, 0xfd, 0x64, 0, 15), /checksum/],
  ['zstd', 'a window of a terabyte', raw(0x28, 0xb5, 0x2f, 0xfd, 0x40, 0xf0, 0, 15), /window/],
  ['zstd', 'a frame without a block', frame(), /cut off/],
  ['zstd', 'a block of the reserved type', frame(0x07, 0, 0), /reserved/],
  ['zstd', 'an RLE block of 2 MiB', frame(0xfb, 0xff, 0xff, 0), /more than 4096/],
  // fzstd says how many there are, Node does not.
  ['zstd', 'fewer bytes than declared', frame(0x0b, 0, 0, 7), /end after 1 of 4096|corrupt/],
  ['zstd', 'a block that is cut', frame(0x01, 0x80, 0), /cut off/],
  // fzstd 0.1.1 does not come back from this one: its only state reads no bits.
  [
    'zstd',
    'weights that do not end',
    weights(5, 0xf0, 3, 0, 0, 1),
    /more than 255 Huffman weights/,
  ],
  ['zstd', 'weights that are cut', weights(9, 0xf0, 3, 0, 0, 1), /weights are cut off/],
  ['zstd', 'weights without an end', weights(5, 0xf0, 3, 0, 0, 0), /weights have no end/],
  ['zstd', 'weights of a high accuracy', weights(5, 0xf2, 3, 0, 0, 1), /accuracy of 7 bits/],
  ['zstd', 'weights that are not described', weights(5, 0x10, 0, 0, 0, 1), /not described|255/],
  ['zstd', 'a bomb of sequences', sequenceBomb, /more than 4096/],
]
describe('decode of bad data', () => {
  for (const [name, what, data, message] of bad) {
    it(`refuses ${what} as ${name}`, () => {
      assert.throws(
        () => decode(codec(name), data, 4096),
        (error) =>
          error instanceof DumpError && error.code === 'codec' && message.test(error.message),
      )
    })
  }

  for (const [name, whole] of [
    ['zlib', deflateSync(phrase)],
    ['zstd', Buffer.from(good.at(-1)?.[2] ?? '', 'hex')],
  ] as const) {
    it(`gives a page or a DumpError for any flipped byte of ${name}`, () => {
      fc.assert(
        fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
          const data = Uint8Array.from(whole)
          data[at] = (data[at] ?? 0) ^ flip
          try {
            assert.equal(decode(codec(name), data, 4096).length, 4096)
          } catch (error) {
            assert.ok(error instanceof DumpError, String(error))
          }
        }),
        { numRuns: 300 },
      )
    })
  }
})
