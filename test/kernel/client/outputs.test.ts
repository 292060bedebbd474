// SPDX-License-Identifier: GPL-2.0-or-later
// How published messages become outputs of cells.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CodeCell } from '../../../kernel/client/notebook.ts'
import { OutputRecorder } from '../../../kernel/client/outputs.ts'

function cellOf(recorder: OutputRecorder, id: string): CodeCell {
  const cell: CodeCell = {
    cell_type: 'code',
    id,
    metadata: {},
    source: '',
    outputs: [],
    execution_count: null,
  }
  recorder.begin(id, cell)
  return cell
}

function publish(recorder: OutputRecorder, to: string, msg_type: string, content: object): void {
  recorder.take({ header: { msg_type }, parent_header: { msg_id: to }, content })
}

test('pieces of one stream are joined until another output comes between', () => {
  const recorder = new OutputRecorder()
  const cell = cellOf(recorder, 'a')
  for (const [name, text] of [
    ['stdout', 'one '],
    ['stdout', 'two\n'],
    ['stderr', 'bad\n'],
    ['stdout', 'three\n'],
  ]) {
    publish(recorder, 'a', 'stream', { name, text })
  }
  assert.deepEqual(cell.outputs, [
    { output_type: 'stream', name: 'stdout', text: 'one two\n' },
    { output_type: 'stream', name: 'stderr', text: 'bad\n' },
    { output_type: 'stream', name: 'stdout', text: 'three\n' },
  ])
})

test('results, errors and counts are kept with the members of nbformat and no others', () => {
  const recorder = new OutputRecorder()
  const cell = cellOf(recorder, 'a')
  publish(recorder, 'a', 'status', { execution_state: 'busy' })
  publish(recorder, 'a', 'execute_input', { code: '1', execution_count: 4 })
  publish(recorder, 'a', 'execute_result', {
    data: { 'text/plain': '1' },
    metadata: { m: 1 },
    execution_count: 4,
    transient: {},
  })
  publish(recorder, 'a', 'error', { ename: 'E', evalue: 'v', traceback: ['t'], other: 1 })
  assert.equal(cell.execution_count, 4)
  assert.deepEqual(cell.outputs, [
    {
      output_type: 'execute_result',
      data: { 'text/plain': '1' },
      metadata: { m: 1 },
      execution_count: 4,
    },
    { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['t'] },
  ])
})

test('an update changes every display of its id, in whichever cell it stands', () => {
  const recorder = new OutputRecorder()
  const [first, second] = [cellOf(recorder, 'a'), cellOf(recorder, 'b')]
  const show = (to: string, type: string, text: string): void => {
    publish(recorder, to, type, {
      data: { 'text/plain': text },
      metadata: {},
      transient: { display_id: 'd' },
    })
  }
  show('a', 'display_data', 'old')
  show('b', 'display_data', 'middle')
  const texts = (): unknown[] =>
    [...first.outputs, ...second.outputs].map((o) => 'data' in o && o.data)
  assert.deepEqual(texts(), [{ 'text/plain': 'middle' }, { 'text/plain': 'middle' }])
  show('b', 'update_display_data', 'new')
  assert.deepEqual(texts(), [{ 'text/plain': 'new' }, { 'text/plain': 'new' }])
})

test('clear_output clears at once, or with `wait` when the next output comes', () => {
  const recorder = new OutputRecorder()
  const cell = cellOf(recorder, 'a')
  publish(recorder, 'a', 'stream', { name: 'stdout', text: '1' })
  publish(recorder, 'a', 'clear_output', { wait: true })
  assert.equal(cell.outputs.length, 1)
  publish(recorder, 'a', 'stream', { name: 'stdout', text: '2' })
  assert.deepEqual(cell.outputs, [{ output_type: 'stream', name: 'stdout', text: '2' }])
  publish(recorder, 'a', 'clear_output', { wait: false })
  assert.deepEqual(cell.outputs, [])
})

test('a late output goes to the cell that caused it, and one of a stranger nowhere', () => {
  const recorder = new OutputRecorder()
  const [first, second] = [cellOf(recorder, 'a'), cellOf(recorder, 'b')]
  publish(recorder, 'a', 'stream', { name: 'stdout', text: 'late' })
  publish(recorder, 'z', 'stream', { name: 'stdout', text: 'strange' })
  recorder.take({ header: { msg_type: 'status' }, parent_header: {}, content: null })
  assert.equal(first.outputs.length, 1)
  assert.equal(second.outputs.length, 0)
})
