// SPDX-License-Identifier: GPL-2.0-or-later
// Completion of what an opened dump holds: members of its structs, pids, machines, symbols.
import assert from 'node:assert/strict'
import { resolve } from 'node:path'
import { before, suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { openDump } from '../../../core/index.ts'
import { complete } from '../../../kernel/compiler/complete.ts'
import { Compiler } from '../../../kernel/compiler/compiler.ts'
import { inspect } from '../../../kernel/compiler/inspect.ts'
import type { DumpNames } from '../../../kernel/frames.ts'
import { apiNames } from '../../../kernel/session/api.ts'
import { realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

const { path, skip } = realDump('6.12')
const thread = fileURLToPath(new URL('../../../kernel/session/dumpnames.js', import.meta.url))

suite('with the 6.12 dump open', { skip }, () => {
  const compiler = new Compiler(process.cwd())
  let known: DumpNames
  before(async () => {
    known = await namesOf(path)
    const dump = openDump(path)
    compiler.setApi(apiNames())
    compiler.declare({ name: 'dump-1.d.ts', text: dump.declarations() })
    compiler.declare({ name: 'dump-1.names', text: '', known })
    compiler.compile('cell-1', 'const dump = openDump("vmcore")')
    compiler.commit('cell-1')
    dump.close()
  })

  test('the session lists all processes and machines that the host had, and its symbols', () => {
    const truth = truthOf('6.12')
    const pids = new Set(known.tasks.map(({ pid }) => pid))
    assert.deepEqual(
      truth.vms.map(({ pid }) => pids.has(pid)),
      truth.vms.map(() => true),
    )
    assert.ok(truth.processes.length > 50)
    const missing = truth.processes.filter(({ pid }) => !pids.has(pid))
    // Kernel threads come and go between the list and the dump.
    assert.deepEqual(
      missing.filter(({ kthread }) => !kthread),
      [],
    )
    assert.equal(known.vms.length, truth.vms.length)
    assert.ok(known.symbols.includes('\ninit_task\n'))
    assert.ok(known.symbols.includes('\nkvm_') || known.symbols.includes('\nkernfs_'))
  })

  const rows: readonly (readonly [code: string, matches: readonly string[], from: number])[] = [
    ['dump.symbol("init_task', ['init_task'], 13],
    ["dump.symbol('init_top_p", ['init_top_pgt'], 13],
    ['dump.task("183', ['183'], 11],
    ['dump.task(183', ['183'], 10],
    ['const t = 1; dump.task("183', ['183'], 24],
    ['dump.tasks().map(() => dump.task(183', ['183'], 33],
    ['dump.struct("kvm_mem', ['kvm_memory_slot', 'kvm_memslots'], 13],
    ['dump.struct("kvm", 1).$cast("kvm_mem', ['kvm_memory_slot', 'kvm_memslots'], 29],
    ['dump.task(1).struct.mm.pg', ['pgd', 'pgtables_bytes'], 23],
    ['"dump.task(183', [], 14],
    ['console.log("183', [], 13],
  ]
  for (const [code, matches, start] of rows) {
    test(`${code} completes to ${matches.join(', ') || 'nothing'}`, () => {
      const completion = complete(compiler, code, code.length)
      assert.deepEqual(completion.matches, matches)
      if (matches.length > 0)
        assert.deepEqual([completion.start, completion.end], [start, code.length])
    })
  }

  test('an empty argument of dump.task begins with the pids, and a pid tells its command', () => {
    const { matches, types } = complete(compiler, 'dump.task()', 10)
    assert.deepEqual(matches.slice(0, 3), ['0', '1', '2'])
    assert.ok(matches.includes('dump'))
    assert.equal(types.find(({ text }) => text === '183')?.type, 'qemu-system-x86')
  })

  test('dump.vm( offers the names in quotes, dump.vm(" without', () => {
    const [name = ''] = known.vms
    assert.ok(complete(compiler, 'dump.vm(', 8).matches.includes(JSON.stringify(name)))
    assert.deepEqual(complete(compiler, 'dump.vm("', 9).matches, [...known.vms])
  })

  test('members of dump.task(1).mm. are the ones of its mm_struct, with kind, type and C declaration', () => {
    const { matches, types } = complete(compiler, 'dump.task(1).mm.', 16)
    assert.ok(matches.includes('mmap_lock') && matches.includes('$addr'))
    assert.ok(matches.indexOf('mmap_lock') < matches.indexOf('$addr'))
    assert.deepEqual(types.find(({ text }) => text === 'total_vm')?.type, 'property')
    const inspection = inspect(compiler, 'dump.task(1).mm.total_vm', 20, 0)
    assert.match(
      inspection.data['text/plain'] ?? '',
      /mm_struct\.total_vm: bigint\n\nlong unsigned int at \d+/,
    )
  })

  test('a dump opened again is not offered twice, and none after the session is gone', () => {
    compiler.declare({ name: 'dump-2.names', text: '', known })
    assert.deepEqual(complete(compiler, 'dump.vm("', 9).matches, [...known.vms])
    compiler.forget()
    compiler.compile('cell-1', 'const dump = openDump("vmcore")')
    compiler.commit('cell-1')
    assert.deepEqual(complete(compiler, 'dump.vm("', 9).matches, [])
  })
})

test('a file that is no dump offers nothing, and the thread ends with an error', async () => {
  await assert.rejects(namesOf(resolve('package.json')), /package\.json/)
})

function namesOf(dump: string): Promise<DumpNames> {
  return new Promise((found, failed) => {
    const worker = new Worker(thread, { workerData: dump })
    worker.on('message', found)
    worker.on('error', failed)
  })
}
