// SPDX-License-Identifier: GPL-2.0-or-later
// The verbs info and slice on the real dumps.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'
import { command } from './command.ts'

const folder = mkdtempSync(join(tmpdir(), 'test-info-'))
after(() => {
  rmSync(folder, { recursive: true })
})

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  test(`info of ${kernel} tells the release and each VM with its pid`, { skip }, async () => {
    const { code, stdout, stderr } = await command(['info', path])
    assert.deepEqual([code, stderr], [0, ''])
    const truth = truthOf(kernel)
    assert.ok(stdout.includes(truth.kernel), truth.kernel)
    for (const { pid } of truth.vms) assert.match(stdout, new RegExp(`\\b${pid} +qemu-system`))
  })
}

const { path: dump, skip } = realDump('6.12')

test(
  'a slice answers what it was made for just as the whole dump does, and is small',
  { skip },
  async () => {
    const vm = truthOf('6.12').vms.find(({ name }) => name === 'A')
    assert.ok(vm)
    const gpas = join(folder, 'gpas')
    writeFileSync(gpas, vm.translations.map(({ gpa }) => gpa).join('\n'))
    const question = ['-g', String(vm.pid), '-p', `@${gpas}`]
    const out = join(folder, 'small.kdump')
    const made = await command(['slice', dump, out, ...question])
    assert.deepEqual([made.code, made.stderr], [0, ''])
    assert.match(made.stdout, /small\.kdump: \d+ pages, [\d.]+ MiB\n$/)
    assert.ok(statSync(out).size < 5 << 20)
    const [small, whole] = await Promise.all(
      [out, dump].map((path) => command(['vtop', path, ...question, '--json'])),
    )
    assert.equal(small?.code, 0)
    assert.equal(small.stdout, whole?.stdout)

    const again = await command(['slice', dump, out, ...question])
    assert.equal(again.code, 2)
    assert.match(again.stderr, /small\.kdump is there already; --force replaces it/)
    assert.equal((await command(['slice', dump, out, ...question, '--force'])).code, 0)
  },
)
