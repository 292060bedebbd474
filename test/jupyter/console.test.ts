// SPDX-License-Identifier: GPL-2.0-or-later
// `jupyter console`, typed into on a terminal: the text forms of results are what it shows.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { Home, program, run, sources } from './environment.ts'

describe('jupyter console', () => {
  const home = new Home()
  after(() => {
    home.remove()
  })

  /** Types lines, and gives what the terminal showed, without colours. */
  async function typed(...lines: string[]): Promise<string> {
    const args = [join(sources, 'console.py'), program('jupyter-console'), ...lines]
    const { code, stdout, stderr } = await run(program('python'), args, home.env)
    assert.equal(code, 0, stderr)
    assert.doesNotMatch(stdout, /did not respond/)
    return stripVTControlCharacters(stdout).replace(/\r+\n/g, '\n')
  }

  it('takes a line and shows its result as text, keeps names, and ends when told to', async () => {
    const shown = await typed('const two = 2', 'two * 21')
    assert.match(shown, /^qemu-vtop \d/m, 'the banner')
    assert.match(shown, /Out\[2\]: 42\n/)
  })

  it('shows a translation as text, and its map of the guest too', async () => {
    const shown = await typed('qemuVtop(openDump.sample().task(183), 0x200000)')
    // The host's own page map has this address for the guest's page.
    assert.match(shown, /^200000 +7f71d3e00000 +147200000$/m)
    assert.match(shown, /^Guest physical memory/m)
    assert.doesNotMatch(shown, /<div|<svg|\$schema/)
  })

  it('shows an error with its place in the cell', async () => {
    const shown = await typed('const x: number = "text"')
    assert.match(shown, /Type 'string' is not assignable to type 'number'/)
  })
})
