// SPDX-License-Identifier: GPL-2.0-or-later
// The flags for files that tell what a dump does not: the same for each verb, and what is said of wrong ones.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { debugElf } from '../../build/debugelf.ts'
import { realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'
import { command } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-files-'))
after(() => {
  rmSync(folder, { recursive: true })
})
const { path: dump, skip } = realDump('6.12')

/** A file that has the dump's build id, or another, and nothing else. */
function vmlinux(buildId: string): string {
  const path = join(folder, buildId.slice(0, 8))
  writeFileSync(path, debugElf({ buildId }))
  return path
}

for (const verb of ['vtop', 'slice', 'info']) {
  test(`${verb} refuses another kernel's vmlinux with both build ids`, { skip }, async () => {
    const other = vmlinux('cd'.padEnd(40, '0'))
    const questions = verb === 'info' ? [] : ['-g', '183', '-p', '100000']
    const out = verb === 'slice' ? [join(folder, 'out')] : []
    const args = [verb, dump, ...out, '--vmlinux', other, ...questions]
    const { code, stdout, stderr } = await command(args)
    assert.match(
      stderr,
      /is another kernel's: its build id is cd0+, that of the dumped kernel 6.12.107\+deb13-amd64 is 9c54a8e4/,
    )
    assert.deepEqual([code, stdout], [1, ''])
  })
}

test('vtop answers as before with files that it does not need', { skip }, async () => {
  const files = ['--vmlinux', vmlinux('9c54a8e41141472ef75c7d0bef45c721ad398682')]
  const vm = truthOf('6.12').vms.find(({ name }) => name === 'A')
  const wanted = vm?.translations.find(({ state }) => state === 'present')
  assert.ok(vm && wanted?.hpa !== undefined)
  const questions = ['-g', String(vm.pid), '-p', wanted.gpa, '--json']
  const { code, stdout } = await command(['vtop', dump, ...files, ...questions])
  assert.equal(code, 0)
  const [answer] = JSON.parse(stdout) as { hpa: string }[]
  assert.equal(parseInt(answer?.hpa ?? ''), parseInt(wanted.hpa))
})
