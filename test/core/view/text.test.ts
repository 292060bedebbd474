// SPDX-License-Identifier: GPL-2.0-or-later
// The text twin of blocks.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Block, type TableBlock } from '../../../core/view/block.ts'
import { left, right, rowsOf } from '../../../core/view/table.ts'
import { textOf } from '../../../core/view/text.ts'

const table: TableBlock = {
  kind: 'table',
  caption: '3 things',
  remark: 'of many',
  columns: [right('n'), left('name')],
  rows: [
    ['1', 'one'],
    ['22', { text: 'two', tone: 'swapped' }],
    ['333', null],
  ],
  cut: null,
}

test('a table stands in columns, and what is absent is a dash', () => {
  assert.equal(textOf([table]), '3 things - of many\n  n  name\n  1  one\n 22  two\n333  -')
})

test('a cut is told at its place with the call that shows all', () => {
  const cut = { after: 2, hidden: 1234, all: 'show(x, { rows: Infinity })' }
  const lines = textOf([{ ...table, cut }]).split('\n')
  assert.equal(lines[4], '... 1,234 more: show(x, { rows: Infinity })')
})

test('a wordy last column goes on below itself', () => {
  const rows = [
    ['1', 'word '.repeat(30).trim()],
    ['2', 'short'],
  ]
  const lines = textOf([{ ...table, caption: null, remark: null, rows }]).split('\n')
  assert.equal(lines.length, 4)
  assert.match(lines[2] ?? '', /^ {3}word( word)+$/)
})

test('a single row that is too wide becomes a record', () => {
  const columns = ['a', 'b', 'c', 'd'].map(right)
  const rows = [['1'.repeat(30), '2'.repeat(30), '3'.repeat(30), '4']]
  const lines = textOf([{ ...table, caption: null, remark: null, columns, rows }]).split('\n')
  assert.deepEqual(lines, [
    `a  ${'1'.repeat(30)}`,
    `b  ${'2'.repeat(30)}`,
    `c  ${'3'.repeat(30)}`,
    'd  4',
  ])
})

test('rows that are too wide put their last cells on a line below, by name', () => {
  const columns = [right('a'), right('b'), right('c'), left('flags')]
  const row = ['1'.repeat(20), '2'.repeat(20), '3'.repeat(20), 'RED|GREEN|BLUE|ORANGE']
  const text = textOf([{ ...table, caption: null, remark: null, columns, rows: [row, row] }])
  assert.equal(text.split('\n')[2], '        flags RED|GREEN|BLUE|ORANGE')
})

test('no line of any block is longer than 80 columns, and all of it is ASCII', () => {
  const word = 'x'.repeat(200)
  const blocks: Block[] = [
    { kind: 'answer', values: [{ name: word, value: 'ü', absent: false }] },
    { kind: 'line', parts: [{ text: word }, { text: 'a – b · c' }] },
    { kind: 'note', text: `${word} ${word}` },
    { kind: 'fields', caption: word, fields: [{ name: 'n', value: word, remark: word }] },
    {
      kind: 'details',
      summary: 'more',
      open: false,
      blocks: [{ ...table, rows: [['1', word]] }],
    },
    {
      kind: 'tree',
      root: {
        name: 'struct',
        value: null,
        remark: word,
        hidden: 3,
        open: true,
        children: [{ name: 'a', value: word, remark: null, hidden: 0, open: false, children: [] }],
      },
    },
  ]
  for (const line of textOf(blocks).split('\n')) {
    assert.ok(line.length <= 80, `${line.length}: ${line}`)
    assert.match(line, /^[ -~]*$/)
  }
})

test('rows that are not shown are not made', () => {
  const made: number[] = []
  const items = Array.from({ length: 1000 }, (_, i) => i)
  const rule = { most: 14, head: 10, tail: 3, all: 'all' }
  const { rows, cut } = rowsOf(items, rule, {}, (item) => {
    made.push(item)
    return [String(item)]
  })
  assert.equal(made.length, 13)
  assert.equal(rows.length, 13)
  assert.deepEqual(cut, { after: 10, hidden: 987, all: 'all' })
  assert.equal(rowsOf(items, rule, { rows: Infinity }, (item) => [String(item)]).cut, null)
  assert.equal(rowsOf(items, rule, { rows: 50 }, (item) => [String(item)]).rows.length, 50)
})
