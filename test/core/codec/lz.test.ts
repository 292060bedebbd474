// SPDX-License-Identifier: GPL-2.0-or-later
// Tests of the LZO, Snappy and LZ4 decoders: blocks of the reference encoders, bad blocks, round trips.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { codecs, decode } from '../../../core/codec/index.ts'
import { DumpError } from '../../../core/errors.ts'
import { lz4Block, lzoBlock, snappyBlock } from '../../build/lz.ts'

const text = (value: string) => new TextEncoder().encode(value)
const zeros = (length: number) => new Uint8Array(length)
const phrase = text('KVM host memory dump. '.repeat(187)).slice(0, 4096)
const alphabet = text('ABCDEFGHIJKLMNOPQRSTUVWXYZ')
const made = (length: number, byte: (i: number) => number) =>
  Uint8Array.from({ length }, (_, i) => byte(i))
const join = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))
const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))
const withLiterals = (before: string, literals: Uint8Array, after: string) =>
  join(bytes(before), literals, bytes(after))

function codec(name: string) {
  const found = codecs.get(name)
  assert.ok(found, name)
  return found
}

const far = made(2100, (i) => 7 * i + (i >> 5))
const farther = made(17_000, (i) => 13 * i + 5 * (i >> 8))
const squares = made(300, (i) => (i * i) >> 3)
const zeroPage =
  '02000000000020000000000000000000000000000000da10000c000000000000000000000000000000110000'

// Checked with liblzo2 2.10 and the kernel's decompressor; lzo-rle with the latter.
const lzo: readonly [name: string, block: Uint8Array, expected: Uint8Array][] = [
  ['nothing', bytes('110000'), zeros(0)],
  ['one byte', bytes('1241110000'), text('A')],
  ['three bytes', bytes('14616263110000'), text('abc')],
  ['four bytes', bytes('1561626364110000'), text('abcd')],
  ['26 letters', bytes('2b4142434445464748494a4b4c4d4e4f505152535455565758595a110000'), alphabet],
  [
    '64 equal letters',
    bytes('026161616161200b10000c616161616161616161616161616161110000'),
    text('a'.repeat(64)),
  ],
  ['a page of zeros', bytes(zeroPage), zeros(4096)],
  [
    'a page of ones',
    bytes(
      '02ffffffffff20000000000000000000000000000000da10000cffffffffffffffffffffffffffffff110000',
    ),
    zeros(4096).fill(255),
  ],
  [
    'a page of a phrase',
    bytes(
      '00044b564d20686f7374206d656d6f72792064756d702e2020000000000000000000000000000000ca54000b6f72792064756d702e204b564d20110000',
    ),
    phrase,
  ],
  ['a copy 01LDDDSS', bytes('15616263648d0058110000'), text('abcdabcdaX')],
  ['a copy of two bytes behind three', bytes('146162630a005859110000'), text('abcabXY')],
  [
    'a copy 001LLLLL that goes on',
    bytes('156162636420000a0c00110000'),
    text('abcd'.repeat(76).slice(0, 302)),
  ],
  [
    'a copy from 2,070 bytes back behind many literals',
    withLiterals(`00${'00'.repeat(8)}2a`, far, '05055a110000'),
    join(far, far.slice(30, 33), text('Z')),
  ],
  [
    'a copy 0001HLLL from 16,884 bytes back',
    withLiterals(`00${'00'.repeat(66)}98`, farther, '14d207595a110000'),
    join(farther, farther.slice(116, 122), text('YZ')),
  ],
  ['300 literals', withLiterals('00001b', squares, '110000'), squares],
]
const lzoRle: typeof lzo = [
  [
    'a page of zeros',
    bytes('11010200000000001ffcffff18fcfffc00020000000000000000000000000000000000000000110000'),
    zeros(4096),
  ],
  [
    'zeros between texts',
    bytes(
      '11010f68656c6c6f2c206b65726e656c207061676518fcff0c0002676f6f646279652c206b65726e656c2070616765110000',
    ),
    join(text('hello, kernel page'), zeros(100), text('goodbye, kernel page')),
  ],
  [
    '64 zeros',
    bytes('11010200000000001bfcff0400020000000000000000000000000000000000000000110000'),
    zeros(64),
  ],
  [
    'zeros with literals behind them',
    bytes('1101124118feff024243110000'),
    join(text('A'), zeros(20), text('BC')),
  ],
]
// Written by google/snappy's encoder, and its three kinds of copies by hand.
const snappy: typeof lzo = [
  ['one byte', bytes('010041'), text('A')],
  ['26 letters', bytes('1a644142434445464748494a4b4c4d4e4f505152535455565758595a'), alphabet],
  ['64 equal letters', bytes('400061fa0100'), text('a'.repeat(64))],
  ['a page of zeros', bytes(`80200000${'fe0100'.repeat(63)}fa0100`), zeros(4096)],
  ['a copy of kind 1', bytes('0a0c616263640904'), text('abcdabcdab')],
  ['a copy of kind 2', bytes('0a0c61626364160400'), text('abcdabcdab')],
  ['a copy of kind 3', bytes('0a0c616263641704000000'), text('abcdabcdab')],
  [
    'several elements',
    bytes('2d24303132333435363738394e0a0038616263616263616263616263616263'),
    text('0123456789'.repeat(3) + 'abc'.repeat(5)),
  ],
  ['literals with a length of two bytes', withLiterals('ac02f42b01', squares, ''), squares],
  ['literals with a length of four bytes', withLiterals('ac02fc2b010000', squares, ''), squares],
]
// Written by liblz4 1.9.
const lz4: typeof lzo = [
  ['nothing', bytes('00'), zeros(0)],
  ['one byte', bytes('1041'), text('A')],
  ['26 letters', bytes('f00b4142434445464748494a4b4c4d4e4f505152535455565758595a'), alphabet],
  ['64 equal letters', bytes('1f61010027506161616161'), text('a'.repeat(64))],
  ['a page of zeros', bytes(`1f000100${'ff'.repeat(15)}f6500000000000`), zeros(4096)],
  [
    'a page of a phrase',
    bytes(`ff074b564d20686f7374206d656d6f72792064756d702e201600${'ff'.repeat(15)}e150204b564d20`),
    phrase,
  ],
]

describe('a block of a reference encoder', () => {
  for (const [name, rows] of [
    ['lzo', lzo],
    ['lzo-rle', [...lzoRle, ...lzo]],
    ['snappy', snappy],
    ['lz4', lz4],
  ] as const) {
    for (const [what, block, expected] of rows) {
      it(`of ${name} decodes: ${what}`, () => {
        assert.deepEqual(decode(codec(name), block, expected.length), expected)
      })
    }
  }
})

const bad: readonly [codec: string, name: string, data: string, size: number, message: RegExp][] = [
  ['lzo', 'nothing', '', 1, /cut off at byte 0/],
  ['lzo', 'literals that are cut', '12', 1, /cut off at byte 1/],
  ['lzo', 'a block without an end mark', '1241', 1, /cut off at byte 2, before its end mark/],
  [
    'lzo',
    'a copy from before the start',
    '15616263648dff110000',
    10,
    /the copy at byte 5 begins 2044 bytes back, but only 4 are/,
  ],
  ['lzo', 'bytes behind the end mark', '124111000000', 1, /1 bytes are left behind the end at 5/],
  ['lzo', 'more than the page', zeroPage, 4095, /at byte 25 goes beyond 4095 bytes/],
  ['lzo', 'less than the page', '1241110000', 2, /end after 1 of 2 bytes/],
  ['lzo', 'an end mark of another length', '1241120000', 1, /end mark at byte 2 is not 11 00 00/],
  ['lzo', 'an end mark with a longer length', '124110010000', 1, /end mark at byte 2 is not/],
  ['lzo', 'literals beyond the page', '1561626364110000', 3, /at byte 1 goes beyond 3 bytes/],
  ['lzo', 'zeros that promise more literals', `00${'00'.repeat(300)}`, 4096, /cut off at byte 301/],
  [
    'lzo',
    'literals behind a copy that are cut',
    '15616263648d03580000',
    4096,
    /the copy at byte 5/,
  ],
  ['lzo', 'bitstream version 1', '1101124118feff024243110000', 23, /bitstream version 1 at byte 1/],
  [
    'lzo-rle',
    'bitstream version 2',
    '1102124118feff024243110000',
    23,
    /bitstream version 2 at byte 1/,
  ],
  [
    'lzo-rle',
    'more zeros than the page has',
    '1101124118feff024243110000',
    20,
    /at byte 4 goes beyond 20/,
  ],
  [
    'lzo-rle',
    'literals behind zeros beyond the page',
    '1101124118feff024243110000',
    22,
    /at byte 4 goes beyond 22/,
  ],
  ['lzo-rle', 'zeros that are cut', '1101124118feff', 22, /cut off|copy at byte 4/],
  ['snappy', 'nothing', '', 1, /cut off at byte 0/],
  ['snappy', 'another length', '010041', 4096, /declares 1 bytes, not 4096/],
  ['snappy', 'a length of 4 GiB', 'ffffffff0f0041', 4096, /declares 4294967295 bytes/],
  ['snappy', 'a length that does not end', 'ffffffffff01', 4096, /does not end/],
  ['snappy', 'less than the length', '020041', 2, /end after 1 of 2/],
  ['snappy', 'more than the length', '01044142', 1, /element at byte 1 goes beyond 1/],
  ['snappy', 'literals that are cut', '030841', 3, /cut off at byte 3/],
  ['snappy', 'a length of literals that is cut', '8020fcff', 4096, /cut off at byte 4/],
  ['snappy', 'literals of 4 GiB', '8020fcffffffff41', 4096, /element at byte 2 goes beyond 4096/],
  [
    'snappy',
    'a copy from before the start',
    '0a0c616263640905',
    10,
    /copy at byte 6 begins 5 bytes back, but 4 are/,
  ],
  ['snappy', 'a copy of itself', '0a0c61626364160000', 10, /copy at byte 6 begins 0 bytes back/],
  [
    'snappy',
    'a copy from 4 GiB back',
    '0a0c6162636417ffffffff',
    10,
    /begins 4294967295 bytes back/,
  ],
  ['snappy', 'a copy beyond the length', '080c616263640904', 8, /element at byte 6 goes beyond 8/],
  ['snappy', 'a copy that is cut', '0a0c6162636416', 10, /cut off at byte 7/],
  ['lz4', 'nothing', '', 1, /cut off at byte 0/],
  ['lz4', 'literals that are cut', '3041', 3, /cut off at byte 2/],
  ['lz4', 'a copy without literals behind it', '1f41010024', 40, /cut off at byte 5|goes beyond/],
  ['lz4', 'a distance that is cut', '104101', 40, /cut off at byte 3/],
  ['lz4', 'a copy of itself', '1041000000', 40, /copy of byte 0 begins 0 bytes back/],
  ['lz4', 'a copy from before the start', '1041020000', 40, /begins 2 bytes back, but 1 are there/],
  ['lz4', 'more literals than the page has', '30414243', 2, /sequence at byte 0 goes beyond 2/],
  ['lz4', 'a copy beyond the page', '1041010000', 4, /sequence at byte 0 goes beyond 4/],
  ['lz4', 'less than the page', '1041', 2, /end after 1 of 2/],
  ['lz4', 'a length that does not end', `f0${'ff'.repeat(300)}`, 4096, /cut off at byte 301/],
]

const isRefused = (message?: RegExp) => (error: unknown) =>
  error instanceof DumpError && error.code === 'codec' && (message?.test(error.message) ?? true)

describe('a block that is not sound', () => {
  for (const [name, what, data, size, message] of bad) {
    it(`is refused by ${name}, with its place: ${what}`, () => {
      assert.throws(() => decode(codec(name), bytes(data), size), isRefused(message))
    })
  }
})

/** Microseconds of processor time, whatever else the machine does: a loop without an end is far above. */
const SOON = 100_000

// Like pages: runs, repeated parts, and bytes of no order.
const block = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.nat(255), fc.nat(600)).map(([byte, count]) => zeros(count).fill(byte)),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 30 }), fc.nat(40))
        .map(([part, count]) => join(...Array.from({ length: count }, () => part))),
    ),
    { maxLength: 12 },
  )
  .map((parts) => join(...parts))

for (const [name, pack] of [
  ['lzo', lzoBlock],
  ['snappy', snappyBlock],
  ['lz4', lz4Block],
] as const) {
  describe(name, () => {
    it('gives back what was packed', () => {
      fc.assert(
        fc.property(block, (data) => {
          assert.deepEqual(decode(codec(name), pack(data), data.length), data)
        }),
        { numRuns: 300 },
      )
    })

    it('gives a page or a DumpError, soon, whatever is changed or cut', () => {
      const change = fc.tuple(fc.nat(), fc.nat(255))
      fc.assert(
        fc.property(block, fc.array(change, { maxLength: 4 }), fc.nat(), (data, changes, cut) => {
          const packed = pack(data)
          for (const [at, byte] of changes) packed[at % packed.length] = byte
          const kept = cut % 3 === 0 ? packed.subarray(0, cut % packed.length) : packed
          const start = process.cpuUsage()
          try {
            assert.equal(decode(codec(name), kept, data.length).length, data.length)
          } catch (error) {
            assert.ok(isRefused()(error), String(error))
          }
          assert.ok(process.cpuUsage(start).user < SOON)
        }),
        { numRuns: 2000 },
      )
    })

    it('ends soon for 64 KiB of any one byte', () => {
      for (let byte = 0; byte < 256; byte++) {
        const start = process.cpuUsage()
        assert.throws(() => decode(codec(name), zeros(65_536).fill(byte), 4096), isRefused())
        assert.ok(process.cpuUsage(start).user < SOON, String(byte))
      }
    })
  })
}
