// SPDX-License-Identifier: GPL-2.0-or-later
// What the compiler keeps of cells, and what the next ones cost.
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { complete } from '../../../kernel/compiler/complete.ts'
import { Compiler } from '../../../kernel/compiler/compiler.ts'

suite('the compiler', () => {
  test('does not keep the names of a cell that was not run', () => {
    const compiler = new Compiler(process.cwd())
    assert.ok('cell' in compiler.compile('cell-1', 'const a = 1'))
    assert.match(errorOf(compiler, 'cell-2', 'a'), /Cannot find name 'a'/)
  })

  test('forgets all cells with the session, and keeps declared texts', () => {
    const compiler = new Compiler(process.cwd())
    compiler.declare({ name: 'dump-1.d.ts', text: 'interface FromDump { pid: number }' })
    compiler.compile('cell-1', 'const a = 1')
    compiler.commit('cell-1')
    compiler.forget()
    assert.match(errorOf(compiler, 'cell-2', 'a'), /Cannot find name 'a'/)
    assert.ok('cell' in compiler.compile('cell-3', 'const x: FromDump = { pid: 1 }'))
  })

  test('sees declared texts in every later cell and completes from them', () => {
    const compiler = new Compiler(process.cwd())
    assert.match(errorOf(compiler, 'cell-1', 'let t: Late'), /Cannot find name 'Late'/)
    compiler.declare({ name: 'dump-1.d.ts', text: 'interface Late { comm: string }' })
    compiler.compile('cell-2', 'let t: Late')
    compiler.commit('cell-2')
    compiler.declare({ name: 'dump-2.d.ts', text: 'interface Late { tgid: number }' })
    assert.deepEqual(complete(compiler, 't.', 2).matches, ['comm', 'tgid'])
  })

  test('spends no more on a cell with a megabyte of declared types than twice that without', () => {
    const compiler = new Compiler(process.cwd())
    const bare = costOf(compiler, 100, 60)
    let text = ''
    for (let i = 0; text.length < 1_000_000; i++) {
      text += `interface s${i} { readonly a: number; readonly next: s${i + 1}; readonly list: readonly bigint[] }\n`
    }
    compiler.declare({ name: 'dump-1.d.ts', text })
    costOf(compiler, 200, 5)
    const loaded = costOf(compiler, 300, 60)
    assert.ok(loaded < bare * 2 + 5, `${bare.toFixed(1)} ms without, ${loaded.toFixed(1)} ms with`)
  })

  test('keeps the types of old cells only while something of them lives', () => {
    const compiler = new Compiler(process.cwd())
    const run = (cell: string, code: string): void => {
      const result = compiler.compile(cell, code)
      assert.ok('cell' in result, 'error' in result ? result.error.evalue : '')
      compiler.commit(cell)
    }
    // Of cell-1 nothing lives in the end but a type, within the type of a value of cell-2.
    run('cell-1', 'interface Point { x: number }; const origin: Point = { x: 0 }')
    run('cell-2', 'const points = [origin]')
    run('cell-3', 'let limit = 1')
    run('cell-4', 'const overLimit = () => points.length > limit')
    run('cell-5', 'interface Point { y: number }; const origin: Point = { y: 0 }')
    for (let i = 6; i < 500; i++) {
      run(
        `cell-${i}`,
        `let limit = ${i}; const last${i % 2} = { n: limit, before: ${i > 6 ? `last${(i + 1) % 2}.n` : 0} }`,
      )
    }
    assert.ok(compiler.service.host.declarationCount < 70)
    run('cell-500', 'const x: number = points[0].x; const y: number = origin.y; overLimit()')
    assert.match(
      errorOf(compiler, 'cell-501', 'points[0].y'),
      /Property 'y' does not exist on type/,
    )
    // What older functions were compiled with is still there to be compared.
    const result = compiler.compile('cell-502', 'let limit = "none"')
    assert.match(
      'warnings' in result ? result.warnings : '',
      /overLimit \(cell-4\) still takes it for number/,
    )
  })

  test('shows ten errors and counts the rest', () => {
    const text = errorOf(new Compiler(process.cwd()), 'cell-1', 'missing\n'.repeat(13))
    assert.equal(text.match(/error TS2304/g)?.length, 10)
    assert.match(text, /… and 3 more/)
  })

  test('keeps only names of a cell whose types are too large', () => {
    const compiler = new Compiler(process.cwd())
    const members = Array.from({ length: 20_000 }, (_, i) => `member${i}: ${i}`).join(', ')
    const result = compiler.compile('cell-1', `const large = { ${members} }`)
    assert.match('warnings' in result ? result.warnings : '', /too large to keep/)
    compiler.commit('cell-1')
    assert.ok('cell' in compiler.compile('cell-2', 'large.anything'))
  })
})

/** The middle of what one typed cell of many costs, in milliseconds of this process. */
function costOf(compiler: Compiler, start: number, count: number): number {
  const times: number[] = []
  for (let i = start; i < start + count; i++) {
    const code = `const v${i} = { n: ${i} }\nfunction f${i}(x: number) { return x + v${i}.n${i > start ? ` + f${i - 1}(1)` : ''} }`
    const before = process.cpuUsage()
    assert.ok('cell' in compiler.compile(`cell-${i}`, code))
    compiler.commit(`cell-${i}`)
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / 1000)
  }
  return times.sort((a, b) => a - b)[count >> 1] ?? NaN
}

function errorOf(compiler: Compiler, cell: string, code: string): string {
  const result = compiler.compile(cell, code)
  return 'error' in result ? stripVTControlCharacters(result.error.traceback.join('\n')) : ''
}
