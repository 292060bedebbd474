// SPDX-License-Identifier: GPL-2.0-or-later
// What a compiler that is started again is told: all that lives, and no more.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { Replay } from '../../../kernel/front/replay.ts'

/** A notebook whose compiler may fall. */
class Cells {
  readonly replay = new Replay()
  compiler = new Compiler(tmpdir())
  #count = 0

  /** Compiles a cell, and commits it as one that ran; with `reached` as one that failed there. */
  run(code: string, reached?: readonly string[]): void {
    const cell = `cell-${++this.#count}`
    const result = this.compiler.compile(cell, code)
    assert.ok('cell' in result, JSON.stringify(result))
    this.replay.compiled({ type: 'compile', cell, code }, result)
    this.replay.tell({ type: 'commit', cell, ...(reached === undefined ? {} : { reached }) })
    this.compiler.commit(cell, reached)
  }

  /** The message of the first fault in a text that is not run; empty where there is none. */
  fault(code: string): string {
    const result = this.compiler.compile('asked', code)
    return 'error' in result ? result.error.evalue : ''
  }

  /** A new compiler that knows what the replay says; how many cells that were. */
  restart(): number {
    this.compiler = new Compiler(tmpdir())
    let cells = 0
    for (const one of this.replay.all()) {
      if (one.type === 'compile') {
        const result = this.compiler.compile(one.cell, one.code)
        assert.ok('cell' in result, JSON.stringify(result))
        cells++
      } else if (one.type === 'commit') this.compiler.commit(one.cell, one.reached)
    }
    return cells
  }
}

describe('a compiler that is started again', () => {
  it('knows old names with their types, also those that lean on cells that are redeclared', () => {
    const cells = new Cells()
    cells.run('interface Slot { gfn: number }\nconst base = 7')
    cells.run('const kept: Slot = { gfn: base }\nfunction lean() { return base + 1 }')
    for (let i = 0; i < 250; i++)
      cells.run(`const again = ${i}\nfunction twice() { return again * 2 }`)
    cells.run("interface Slot { name: string }\nconst base = 'seven'")
    cells.run('again + 1')
    const told = cells.restart()
    assert.ok(told >= 4 && told <= 3 + 102, `${told} cells are told`)
    assert.equal(
      cells.fault('const a: number = kept.gfn, b: number = lean(), c: number = twice()'),
      '',
    )
    assert.equal(cells.fault('const s: string = base; const t: Slot = { name: s }'), '')
    assert.match(cells.fault('kept.name'), /name/)
  })

  it('knows what a cell that failed had declared, and what stood before under the other names', () => {
    const cells = new Cells()
    cells.run('const first = 1, second = 2')
    cells.run("const first = 'one'; JSON.parse('{'); const second = 'two'", ['first'])
    for (let i = 0; i < 120; i++) cells.run(`const again = ${i}`)
    cells.restart()
    assert.equal(cells.fault('const a: string = first, b: number = second'), '')
  })

  it('is told nothing of cells that leave no name, nor of those before the session was lost', () => {
    const cells = new Cells()
    cells.run('1 + 1')
    cells.run('const lost = 1')
    cells.replay.tell({ type: 'forget' })
    cells.compiler.forget()
    cells.run('const kept = 1')
    assert.equal(cells.restart(), 1)
    assert.match(cells.fault('lost'), /lost/)
  })
})
