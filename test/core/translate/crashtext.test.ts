// SPDX-License-Identifier: GPL-2.0-or-later
// The text of a translation: what users of crash know byte for byte, and what is new.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashText } from '../../../core/translate/crashtext.ts'
import { samples, seed, seedText, slot } from '../view/samples.ts'

test('the example of 2012 comes out byte for byte, and new blocks follow it', () => {
  const text = crashText(seed, 0x900000000)
  assert.equal(text.slice(0, seedText.length), seedText)
  assert.equal(text.slice(seedText.length, seedText.length + 2), '\n\n')
  assert.match(text, /^ {5}STATE {2}mapped, 2 MiB page$/m)
})

test('the column PHYSICAL is as wide as the end of the host’s memory has digits', () => {
  const page = { ...seed.page, hpa: 0x5000 } as typeof seed.page
  const line = (end: number) =>
    crashText({ ...seed, page }, end)
      .split('\n')
      .find((each) => each.startsWith('ffffea00153e8a18'))
  assert.equal(line(0xe0000000)?.slice(16, 27), '     5000  ')
  assert.equal(line(0x1000000000)?.slice(16, 27), '       5000')
})

test('a 4 KiB page has a PTE line and no size in brackets', () => {
  const lines = textOf('mapped 4K, PROT_NONE').split('\n')
  assert.equal(lines[6], '   PTE: 5a0000f28 => 80003ffeb7569966')
  assert.equal(lines[7], '  PAGE: 148a96000')
})

test('a PROT_NONE entry shows its true frame, and that it was inverted', () => {
  const text = textOf('mapped 4K, PROT_NONE')
  assert.match(
    text,
    /^80003ffeb7569966 {2}148a96000 {2}\(RW\|USER\|ACCESSED\|DIRTY\|PROTNONE\|NX\)$/m,
  )
  assert.match(
    text,
    /ENTRY {2}the frame in the PTE is inverted: 0x3ffeb7569000 there means\n {12}0x148a96000/,
  )
})

test('bits that crash does not name have a line of their own', () => {
  assert.match(textOf('mapped 4K, PROT_NONE'), /^ {2}ALSO SET {2}SOFT_DIRTY$/m)
})

test('the shared page of zeros is said as crash says it', () => {
  const page = { ...seed.page, use: 'zero' } as typeof seed.page
  assert.match(crashText({ ...seed, page }), /^ {2}PAGE: 611c00000 {2}\(2MB, ZERO PAGE\)$/m)
})

// Composed by hand from the format strings of x86_64_translate_pte and do_vtop.
test('a swapped page has the table of its device, and the line SWAP', () => {
  const text = textOf('swapped')
  const table = `   PTE: 5a0000f28 => 7ffffffff800000

      PTE           SWAP     OFFSET
7ffffffff800000  /dev/zram0   16384
`
  assert.ok(text.includes(table), text)
  assert.match(text, /^34de5840 {10}7f060cbe5840 {6}\(not mapped\)$/m)
  assert.match(text, /^SWAP: \/dev\/zram0 {2}OFFSET: 16384$/m)
  assert.match(text, /CACHED AT {2}hpa 0x2b33a840/)
})

test('an address of a mapped file that has no page shows the place in the file', () => {
  assert.match(textOf('unmapped'), /^FILE: \/memfd:pc\.ram \(deleted\) {2}OFFSET: 34de5000$/m)
})

test('an address without a memslot is told in the words of 2012', () => {
  assert.equal(textOf('no-slot').split('\n')[0], '34de5840 has not been allocated')
})

test('a walk that cannot go on keeps the steps up to there and says why', () => {
  const text = textOf('not-in-dump')
  assert.match(text, /\(not in dump\)$/m)
  assert.match(text, /^ {3}PUD: 875afa0c0 => 736871067$/m)
  assert.match(text, /REASON {2}the page table at 0x736871000 is not in the dump/)
})

for (const [name, sample] of Object.entries(samples)) {
  test(`the text of '${name}' is ASCII without trailing blanks, its new lines fit 80 columns`, () => {
    const lines = crashText(sample).split('\n')
    for (const line of lines) {
      assert.match(line, /^[ -~]*$/)
      assert.equal(line, line.trimEnd())
    }
    const own = lines.slice(lines.findIndex((line) => line.includes('SLOT  FIRST GPA')))
    for (const line of own) assert.ok(line.length <= 80, line)
  })
}

test('names that are made to confuse a terminal cannot', () => {
  const evil = '\u001b[2J\u202egnp.\n34de5840 has not been allocated'
  const text = crashText({
    ...seed,
    subject: { pid: 1, comm: evil, vmName: evil },
    vma: { ...seed.vma, file: evil } as typeof seed.vma,
    slot,
  })
  assert.match(text, /^[ -~\n]*$/)
  assert.doesNotMatch(text, /^34de5840 has not/m)
  assert.ok(text.includes('\\x1b[2J\\u202egnp.\\x0a'), text)
})

function textOf(name: string): string {
  const sample = samples[name]
  assert.ok(sample)
  return crashText(sample)
}
