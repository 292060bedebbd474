// SPDX-License-Identifier: GPL-2.0-or-later
// VMCOREINFO: its forms of numbers, and texts that are none.

import assert from 'node:assert/strict'
import { it } from 'node:test'
import { FormatError } from '../../../core/errors.ts'
import { parseVmcoreinfo } from '../../../core/vmcoreinfo/parse.ts'

const text = `OSRELEASE=6.12.107+deb13-amd64
BUILD-ID=0123456789abcdef0123456789abcdef01234567
PAGESIZE=4096
SYMBOL(_stext)=ffffffff91600000
OFFSET(page.flags)=0
OFFSET(page.mapping)=24
SIZE(page)=64
LENGTH(zone.free_area)=11
NUMBER(phys_base)=-270532608
NUMBER(VMALLOC_START)=0xffffb3a580000000
NUMBER(sme_mask)=0
KERNELOFFSET=10600000
CRASHTIME=1763900000
NUMBER(PG_lru)=five
SYMBOL(odd)=0x10
`

it('reads addresses as hex and numbers as signed decimal or hex with a prefix', () => {
  const vmcoreinfo = parseVmcoreinfo(text)
  assert.equal(vmcoreinfo.release, '6.12.107+deb13-amd64')
  assert.equal(vmcoreinfo.buildId, '0123456789abcdef0123456789abcdef01234567')
  assert.equal(vmcoreinfo.kernelOffset, 0x10600000n)
  assert.equal(vmcoreinfo.crashTime, 1763900000)
  assert.equal(vmcoreinfo.symbol('_stext'), 0xffffffff91600000n)
  assert.equal(vmcoreinfo.number('phys_base'), -270532608n)
  assert.equal(vmcoreinfo.number('VMALLOC_START'), 0xffffb3a580000000n)
  assert.equal(vmcoreinfo.number('sme_mask'), 0n)
  assert.equal(vmcoreinfo.offset('page.flags'), 0)
  assert.equal(vmcoreinfo.offset('page.mapping'), 24)
  assert.equal(vmcoreinfo.size('page'), 64)
  assert.equal(vmcoreinfo.length('zone.free_area'), 11)
  assert.equal(vmcoreinfo.keys.get('PAGESIZE'), '4096')
})

it('tells a key that is missing from one that is zero', () => {
  const vmcoreinfo = parseVmcoreinfo(text)
  assert.equal(vmcoreinfo.number('nothing'), undefined)
  assert.equal(vmcoreinfo.symbol('nothing'), undefined)
  assert.equal(vmcoreinfo.offset('nothing'), undefined)
  assert.equal(parseVmcoreinfo('OSRELEASE=2.6.32\n').buildId, undefined)
})

it('refuses a value that is no number when it is asked for, with the line', () => {
  const vmcoreinfo = parseVmcoreinfo(text)
  assert.throws(() => vmcoreinfo.number('PG_lru'), /NUMBER\(PG_lru\)=five, which is not a whole/)
  assert.throws(() => vmcoreinfo.symbol('odd'), FormatError)
})

it('takes the first of two lines with one key', () => {
  assert.equal(parseVmcoreinfo(`${text}SIZE(page)=32\n`).size('page'), 64)
})

it('passes over lines that are no KEY=value', () => {
  assert.equal(parseVmcoreinfo(`=1\nnothing\n\n${text}`).size('page'), 64)
})

it('refuses a text without OSRELEASE and one that is too long', () => {
  assert.throws(() => parseVmcoreinfo('SIZE(page)=64\n'), /without OSRELEASE/)
  assert.throws(() => parseVmcoreinfo(text + 'A=1\n'.repeat(100_000)), /more than 65536/)
})
