// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatSize, hex, parseAddress, unitOf } from '../../../core/bytes/hex.ts'

describe('parseAddress', () => {
  const rows: [unknown, bigint | undefined][] = [
    [0x34de5840, 0x34de5840n],
    [0x34de5840n, 0x34de5840n],
    ['0x34de5840', 0x34de5840n],
    ['34de5840', 0x34de5840n],
    ['34DE5840', 0x34de5840n],
    ['0XFF', 0xffn],
    ['ffff8806edca49e0', 0xffff8806edca49e0n],
    [0, 0n],
    [2 ** 53, undefined],
    [1.5, undefined],
    [-1, undefined],
    [-1n, undefined],
    [1n << 64n, undefined],
    ['', undefined],
    ['0x', undefined],
    ['xyz', undefined],
    ['0x1 ', undefined],
    ['11112222333344445', undefined],
    [null, undefined],
    [{}, undefined],
  ]
  for (const [given, wanted] of rows) {
    const name = typeof given === 'bigint' ? `${given}n` : JSON.stringify(given)
    it(`reads ${name} as ${wanted === undefined ? 'no address' : hex(wanted)}`, () => {
      assert.equal(parseAddress(given), wanted)
    })
  }
})

describe('hex', () => {
  it('writes numbers and bigints alike, also negative ones', () => {
    assert.equal(hex(0x34de5840), '0x34de5840')
    assert.equal(hex(0xffff8806edca49e0n), '0xffff8806edca49e0')
    assert.equal(hex(-599785472n), '-0x23c00000')
  })
})

describe('formatSize', () => {
  const rows: [number, string][] = [
    [0, '0 bytes'],
    [4096, '4 KiB'],
    [1536, '1.50 KiB'],
    [2 ** 21, '2 MiB'],
    [2 ** 30, '1 GiB'],
    [30.3 * 2 ** 30, '30.3 GiB'],
    [6 * 2 ** 40, '6 TiB'],
  ]
  for (const [bytes, wanted] of rows) {
    it(`writes ${bytes} bytes as ${wanted}`, () => {
      assert.equal(formatSize(bytes), wanted)
    })
  }
})

describe('unitOf', () => {
  const rows: [number, string][] = [
    [0, 'KiB'],
    [2 ** 20 - 1, 'KiB'],
    [2 ** 20, 'MiB'],
    [30.3 * 2 ** 30, 'GiB'],
    [2 ** 53, 'TiB'],
  ]
  for (const [bytes, wanted] of rows) {
    it(`counts up to ${bytes} bytes in ${wanted}`, () => {
      const { unit, size } = unitOf(bytes)
      assert.equal(unit, wanted)
      assert.equal(formatSize(size), `1 ${unit}`)
    })
  }
})
