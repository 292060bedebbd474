// SPDX-License-Identifier: GPL-2.0-or-later
// Text from a dump, made fit to be shown.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printable, printableAscii } from '../../../core/bytes/printable.ts'

const rows: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['plain text stays', 'qemu-system-x86', 'qemu-system-x86'],
  ['letters of any language stay', 'büro-测试', 'büro-测试'],
  ['control characters are numbers', 'a\nb\u001b[31m\u0000\u009b', 'a\\x0ab\\x1b[31m\\x00\\x9b'],
  ['a turn of direction is a number', '\u202etxt.exe\u2066', '\\u202etxt.exe\\u2066'],
  ['what cannot be seen is a number', 'a\u200bb\ufeff\u{e0041}', 'a\\u200bb\\ufeff\\u{e0041}'],
  ['half a pair is a number', 'a\ud800', 'a\\ud800'],
]
for (const [what, text, shown] of rows) {
  test(what, () => {
    assert.equal(printable(text), shown)
  })
}

test('long text keeps its start and its end', () => {
  const cut = printable(`/var/lib/${'x'.repeat(500)}/disk.img`)
  assert.equal(cut.length, 64)
  assert.match(cut, /^\/var\/lib\/x+…x+\/disk\.img$/)
})

test('in ASCII every other letter is a number', () => {
  assert.equal(printableAscii('büro 🙂'), 'b\\xfcro \\u{1f642}')
  assert.match(printableAscii('y'.repeat(100)), /^y+\.\.\.y+$/)
})
