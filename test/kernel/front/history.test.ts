// SPDX-License-Identifier: GPL-2.0-or-later
// History over several real kernels that share one data folder.
import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, suite, test } from 'node:test'
import { History } from '../../../kernel/front/history.ts'
import { HistoryFolder, historyPath, longestHistory } from '../../../kernel/front/historyfolder.ts'
import { TestKernel } from './testkernel.ts'

type Row = [session: number, line: number, input: string | [string, string | null]]

suite('history', () => {
  const data = mkdtempSync(join(tmpdir(), 'test-history-'))
  const folder = join(data, 'qemu-vtop', 'history')
  let open: TestKernel[] = []
  const start = async (cwd?: string): Promise<TestKernel> => {
    const kernel = await TestKernel.start(cwd, false, { XDG_DATA_HOME: data })
    open.push(kernel)
    return kernel
  }
  afterEach(async () => {
    await Promise.all(open.map((kernel) => kernel.stop()))
    open = []
    rmSync(folder, { recursive: true, force: true })
  })
  after(() => {
    rmSync(data, { recursive: true, force: true })
  })

  test('of an earlier session is there for the next one, with numbers and outputs', async () => {
    const first = await start()
    await first.execute('"one" + 1')
    await first.execute('"unkept"', { store_history: false })
    await first.execute('2')
    await first.stop()
    const second = await start()
    const earlier = await ask(second, { hist_access_type: 'tail', n: 9, output: true })
    assert.deepEqual(earlier, [
      [1, 1, ['"one" + 1', "'one1'"]],
      [1, 2, ['2', '2']],
    ])
    await second.execute('3')
    assert.deepEqual(await ask(second, { hist_access_type: 'tail', n: 2, output: false }), [
      [1, 2, '2'],
      [2, 1, '3'],
    ])
    const ranges = [
      { session: 0, rows: [[2, 1, '3']] },
      { session: 2, rows: [[2, 1, '3']] },
      { session: 1, rows: [[1, 2, '2']] },
      { session: -1, rows: [[1, 2, '2']] },
      { session: 9, rows: [] },
    ]
    for (const { session, rows } of ranges) {
      const line = session === 1 || session === -1 ? 2 : 1
      const range = { hist_access_type: 'range', session, start: line, stop: line + 1 }
      assert.deepEqual(await ask(second, range), rows, `session ${session}`)
    }
  })

  test('is searched over all sessions by pattern, and each input once where that is asked', async () => {
    const first = await start()
    for (const code of ['let hay = 1', 'hay + 1', '"needle"', 'hay + 1']) await first.execute(code)
    await first.stop()
    const second = await start()
    await second.execute('"needle"')
    const search = (content: object): Promise<Row[]> =>
      ask(second, { hist_access_type: 'search', output: false, ...content })
    assert.deepEqual(await search({ pattern: 'hay*' }), [
      [1, 2, 'hay + 1'],
      [1, 4, 'hay + 1'],
    ])
    assert.deepEqual(await search({ pattern: '*ha?*', n: 1 }), [[1, 4, 'hay + 1']])
    assert.deepEqual(await search({ pattern: 'hay' }), [])
    assert.deepEqual(await search({ pattern: '', unique: true }), [
      [1, 1, 'let hay = 1'],
      [1, 4, 'hay + 1'],
      [2, 1, '"needle"'],
    ])
    assert.deepEqual(await search({ pattern: '*', unique: true, n: 1 }), [[2, 1, '"needle"']])
  })

  test('is written by several kernels at once, each into a session of its own', async () => {
    const kernels = await Promise.all([start(), start(), start()])
    for (let round = 0; round < 5; round++) {
      await Promise.all(kernels.map((kernel, i) => kernel.execute(`"kernel ${i}"`)))
    }
    const [kernel] = kernels
    assert.ok(kernel)
    const rows = await ask(kernel, { hist_access_type: 'search', pattern: '*', output: true })
    assert.equal(rows.length, 15)
    assert.equal(new Set(rows.map(([session]) => session)).size, 3)
    for (const [session, , cell] of rows) {
      const [, , first] = rows.find(([other]) => other === session) ?? []
      assert.deepEqual(cell, first)
    }
  })

  test('loses only the damaged line of a file', async () => {
    const kernel = await start()
    await kernel.execute('0')
    const damaged = [
      '{"line":1,"input":"whole"}',
      '{"line":2,"inp',
      'null',
      '{"line":3,"input":"x"}',
    ]
    writeFileSync(join(folder, '7.jsonl'), `${damaged.join('\n')}\n\u0000\u0000`)
    appendFileSync(join(folder, 'not-a-session.jsonl'), '{"line":1,"input":"no"}\n')
    const rows = await ask(kernel, { hist_access_type: 'range', session: 7, output: false })
    assert.deepEqual(rows, [
      [7, 1, 'whole'],
      [7, 3, 'x'],
    ])
  })

  test("is the user's alone, and nothing of it lies beside the notebook", async () => {
    const notebook = mkdtempSync(join(tmpdir(), 'test-notebook-'))
    try {
      const kernel = await start(notebook)
      await kernel.execute('1')
      assert.equal(statSync(folder).mode & 0o777, 0o700)
      assert.equal(statSync(join(folder, '1.jsonl')).mode & 0o777, 0o600)
      assert.deepEqual(readdirSync(notebook), [])
    } finally {
      rmSync(notebook, { recursive: true })
    }
  })

  test('that cannot be written is kept in memory, and the log says so', async () => {
    mkdirSync(join(data, 'qemu-vtop'), { recursive: true })
    writeFileSync(folder, 'a file where the folder should be')
    const kernel = await start()
    await kernel.execute('5')
    assert.deepEqual(await ask(kernel, { hist_access_type: 'tail', n: 1, output: true }), [
      [1, 1, ['5', '5']],
    ])
    assert.match(kernel.log, /history is kept for this session only: .*(EEXIST|ENOTDIR)/)
  })

  test('drops the oldest sessions beyond its bounds', () => {
    mkdirSync(folder, { recursive: true })
    chmodSync(folder, 0o700)
    for (let session = 1; session <= longestHistory.sessions + 5; session++) {
      writeFileSync(join(folder, `${session}.jsonl`), '{"line":1,"input":"old"}\n')
    }
    new History(folder).add(1, 'new')
    const kept = new HistoryFolder(folder).earlier()
    assert.equal(kept.length, longestHistory.sessions)
    assert.equal(kept.at(-1), longestHistory.sessions + 6)
    writeFileSync(join(folder, `${kept.at(-1) ?? 0}.jsonl`), Buffer.alloc(longestHistory.bytes, 32))
    new History(folder).add(1, 'newest')
    assert.deepEqual(new HistoryFolder(folder).earlier(), [
      longestHistory.sessions + 6,
      longestHistory.sessions + 7,
    ])
  })

  const places = [
    { env: { XDG_DATA_HOME: '/x' }, platform: 'linux', path: '/x/qemu-vtop/history' },
    {
      env: { XDG_DATA_HOME: 'x', HOME: '/h' },
      platform: 'linux',
      path: '/h/.local/share/qemu-vtop/history',
    },
    {
      env: { HOME: '/h' },
      platform: 'darwin',
      path: '/h/Library/Application Support/qemu-vtop/history',
    },
  ] as const
  for (const { env, platform, path } of places) {
    test(`lies in ${path} on ${platform} with ${JSON.stringify(env)}`, () => {
      assert.equal(historyPath(env, platform), path)
    })
  }
})

async function ask(kernel: TestKernel, content: object): Promise<Row[]> {
  const { reply } = await kernel.request('shell', 'history_request', { raw: true, ...content })
  return reply.content['history'] as Row[]
}
