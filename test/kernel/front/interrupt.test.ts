// SPDX-License-Identifier: GPL-2.0-or-later
// Interrupts of a real kernel: everything stops, and variables are kept.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { root } from '../../place.ts'
import { errorText, eventually, realCore, streamText, TestKernel } from './testkernel.ts'

/** From the interrupt to the end of the cell. The promise is one second; a busy machine gets more. */
const promisedMs = 2000

const stopped = [
  { what: 'a busy loop', code: 'while (true) {}' },
  { what: 'a busy loop after an await of nothing', code: 'await null; while (true) {}' },
  {
    what: 'a busy loop after a sleep',
    code: 'await new Promise((r) => setTimeout(r, 10)); while (true) {}',
  },
  {
    what: 'a busy loop in a timer',
    code: 'setTimeout(() => { while (true) {} }, 10); await new Promise((r) => setTimeout(r, 1e8))',
  },
  {
    what: 'a loop that catches everything',
    code: 'while (true) { try { while (true) {} } catch {} finally { Math.random() } }',
  },
  { what: 'a loop of microtasks', code: 'while (true) await null' },
  { what: 'a promise that never comes', code: 'await new Promise(() => {})' },
  {
    what: 'endless async items',
    code: 'async function* f() { while (true) { await new Promise((r) => setTimeout(r, 5)); yield 1 } }\nfor await (const i of f()) Math.sqrt(i)',
  },
  {
    what: 'a regular expression that explodes',
    code: '/^(a+)+$/.test("a".repeat(60) + "!")',
  },
  {
    what: 'a wait on shared memory',
    code: 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)',
  },
  {
    what: 'a loop in an immediate',
    code: 'setImmediate(() => { while (true) {} }); await new Promise(() => {})',
  },
  {
    // (module (func (export "f") (loop br 0)))
    what: 'an endless WebAssembly loop',
    code: 'const wasm = Buffer.from("0061736d0100000001040160000003020100070501016600000a0901070003400c000b0b", "hex"); (new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports.f as () => void)()',
  },
  {
    what: 'arithmetic on typed arrays',
    code: 'const f = new Float64Array(1e5), b = new BigUint64Array(1e5); while (true) for (let i = 0; i < 1e5; i++) { f[i]! += 1; b[i]! += 1n }',
  },
  {
    what: 'a sort with a comparator',
    code: 'Array.from({ length: 1e7 }, (_, i) => (i * 7919) % 1e7).sort((a, b) => Math.sin(a) - Math.sin(b))',
  },
  {
    what: 'a generator without an end',
    code: 'function* all() { for (let i = 0; ; i++) yield i }\nlet sum = 0; for (const i of all()) sum += i',
  },
  {
    what: 'deep recursion, again and again',
    code: 'const deep = (n: number): number => (n === 0 ? 0 : 1 + deep(n - 1))\nwhile (true) deep(5000)',
  },
  {
    what: 'a child process that a cell awaits',
    code: 'await new Promise((r) => require("node:child_process").spawn("sleep", ["30"]).on("exit", r))',
  },
  { what: 'a child process', code: 'require("node:child_process").execSync("sleep 30")' },
]

suite('an interrupt', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
    await kernel.execute('let keep = 42')
  })
  after(() => kernel.stop())

  for (const { what, code } of stopped) {
    test(`stops ${what} and keeps variables`, async () => {
      const { answered } = kernel.send('shell', 'execute_request', {
        code: `console.log("on"); ${code}`,
      })
      await running(kernel)
      const asked = Date.now()
      const { reply } = await kernel.request('control', 'interrupt_request', {})
      assert.equal(reply.content['status'], 'ok')
      const over = await answered
      const took = Date.now() - asked
      assert.equal(over.reply.content['ename'], 'Interrupted', errorText(over))
      assert.ok(took < promisedMs, `it took ${took} ms`)
      assert.equal(await kernel.value('keep'), '42')
    })
  }

  test('lets a cell that waits run its finally, and nothing after', async () => {
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'let end = "none"; try { await new Promise((r) => setTimeout(r, 400)); end = "after" } finally { end = "finally" }; end = "behind"',
    })
    await running(kernel)
    await kernel.request('control', 'interrupt_request', {})
    await answered
    await kernel.execute('await new Promise((r) => setTimeout(r, 600))')
    assert.equal(await kernel.value('end'), "'finally'")
  })

  test('ends work that tells its progress between two steps, so that its finally runs', async () => {
    await kernel.execute('let left = "none"; function* all() { for (let i = 0; ; i++) yield i }')
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'let sum = 0; try { for (const i of progress(all())) sum += i } finally { left = "finally" }',
    })
    await running(kernel)
    await kernel.request('control', 'interrupt_request', {})
    assert.equal((await answered).reply.content['ename'], 'Interrupted')
    assert.equal(await kernel.value('left'), "'finally'")
  })

  test('between cells stops a timer that is busy, and variables are kept', async () => {
    await kernel.execute('setTimeout(() => { while (true) {} }, 10)')
    await new Promise((resolve) => setTimeout(resolve, 300))
    await kernel.request('control', 'interrupt_request', {})
    const asked = Date.now()
    assert.equal(await kernel.value('keep'), '42')
    assert.ok(Date.now() - asked < promisedMs, 'the timer goes on')
  })

  test('between cells does nothing', async () => {
    const { reply } = await kernel.request('control', 'interrupt_request', {})
    assert.equal(reply.content['status'], 'ok')
    assert.equal(await kernel.value('keep'), '42')
  })

  test('stops queued cells of the same client as well', async () => {
    const first = kernel.send('shell', 'execute_request', { code: 'while (true) {}' })
    const second = kernel.send('shell', 'execute_request', { code: 'keep' })
    await running(kernel)
    await kernel.request('control', 'interrupt_request', {})
    assert.equal((await first.answered).reply.content['status'], 'error')
    assert.equal((await second.answered).reply.content['status'], 'aborted')
  })

  test('that cannot stop a cell says so after five seconds, and the next one ends the session', async () => {
    // One multiplication of huge numbers is a single call into V8, which nothing breaks off.
    const { id, answered } = kernel.send('shell', 'execute_request', {
      code: 'const huge = 3n ** 600_000_000n',
    })
    await running(kernel)
    await kernel.request('control', 'interrupt_request', {})
    const isTold = (): boolean =>
      kernel
        .publishedFor(id)
        .some(({ content }) => String(content['text']).includes('The cell does not stop'))
    assert.equal(isTold(), false)
    assert.ok(await eventually(isTold, 15_000), 'nothing is said')
    await kernel.request('control', 'interrupt_request', {})
    assert.equal((await answered).reply.content['ename'], 'SessionLost')
    assert.equal(await kernel.value('let keep = 42; keep'), '42')
  })

  test('leaves what was printed before it', async () => {
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'console.log("printed"); while (true) {}',
    })
    await running(kernel)
    await kernel.request('control', 'interrupt_request', {})
    assert.equal(streamText(await answered, 'stdout'), 'printed\n')
  })
})

suite('an interrupt of translations', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start(undefined, false, {}, realCore)
  })
  after(() => kernel.stop())

  test('stops them on a real dump, and the dump answers afterwards', async () => {
    const sample = JSON.stringify(join(root, 'notebooks', 'sample.kdump'))
    const opened = await kernel.execute(
      `const dump = openDump(${sample}); const task = dump.task(183)`,
    )
    assert.equal(opened.reply.content['status'], 'ok', errorText(opened))
    const before = await kernel.value('dump.vms.length')
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'let done = 0; while (true) { qemuVtop(task, 0x200000 + 0x1000 * (done % 512)); done++ }',
    })
    await running(kernel)
    const asked = Date.now()
    await kernel.request('control', 'interrupt_request', {})
    const over = await answered
    assert.ok(Date.now() - asked < promisedMs, 'they go on')
    assert.equal(over.reply.content['ename'], 'Interrupted', errorText(over))
    assert.equal(await kernel.value('done > 0'), 'true')
    assert.equal(await kernel.value('dump.vms.length'), before)
  })

  test('of ten million at once keeps the rows that are done, and the next call is whole', async () => {
    await kernel.execute(
      'const gpas = new BigUint64Array(10_000_000).map((_, i) => 0x200000n + BigInt(i % 0x400000))',
    )
    // Between two calls nothing is unfinished: then once more.
    let done = '-1'
    for (let tries = 0; done === '-1' && tries < 5; tries++) {
      const { answered } = kernel.send('shell', 'execute_request', {
        code: 'let all; while (true) all = qemuVtop(task, gpas)',
      })
      await running(kernel)
      const asked = Date.now()
      await kernel.request('control', 'interrupt_request', {})
      const over = await answered
      assert.ok(Date.now() - asked < promisedMs, 'it goes on')
      assert.equal(over.reply.content['ename'], 'Interrupted', errorText(over))
      done = await kernel.value('const rows = unfinished(); rows?.length ?? -1')
    }
    assert.match(done, /^\d+$/)
    assert.ok(Number(done) < 10_000_000, done)
    const next = 'const whole = qemuVtop(task, gpas); unfinished() === undefined'
    assert.equal(await kernel.value(next), 'true')
    assert.equal(
      await kernel.value(
        'rows.index.every((at, i) => rows.hpa[i] === whole.hpa[at] && rows.state[i] === whole.state[at])',
      ),
      'true',
    )
  })
})

/** Long enough for the cell to be compiled and to be where it is to be stopped. */
async function running(kernel: TestKernel): Promise<void> {
  // The compiler answers in order: behind the cell's compilation.
  await kernel.request('shell', 'is_complete_request', { code: '' })
  await new Promise((resolve) => setTimeout(resolve, 300))
}
