// SPDX-License-Identifier: GPL-2.0-or-later
// Cells through the real kernel: front, compiler and session, over zeromq.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import {
  type Answered,
  errorText,
  publishedTypes,
  resultText,
  streamText,
  TestKernel,
} from './testkernel.ts'

/** Whether this Node can tell whose timer it is: 24 by itself, 22 by a flag that the kernel gives it. */
const followsCells = Number(process.versions.node.split('.')[0]) >= 22

suite('a cell', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
  })
  after(() => kernel.stop())

  test('shows its last expression and says so in the order of the protocol', async () => {
    const answered = await kernel.execute('1 + 1')
    assert.equal(resultText(answered), '2')
    assert.deepEqual(publishedTypes(answered), ['busy', 'execute_input', 'execute_result', 'idle'])
    assert.equal(answered.reply.content['status'], 'ok')
    const input = answered.published.find(({ header }) => header.msg_type === 'execute_input')
    assert.equal(input?.content['code'], '1 + 1')
    assert.equal(input.content['execution_count'], answered.reply.content['execution_count'])
  })

  test('counts up, whether it fails or not', async () => {
    const first = await kernel.execute('0')
    const second = await kernel.execute('throw 1')
    const third = await kernel.execute('0')
    const counts = [first, second, third].map(({ reply }) =>
      Number(reply.content['execution_count']),
    )
    const [start = NaN] = counts
    assert.deepEqual(counts, [start, start + 1, start + 2])
  })

  test('that is silent shows nothing and is not counted', async () => {
    const { reply: before } = await kernel.execute('0')
    const silent = await kernel.execute('5', { silent: true })
    assert.deepEqual(publishedTypes(silent), ['busy', 'idle'])
    const { reply: behind } = await kernel.execute('0')
    const count = Number(before.content['execution_count'])
    assert.equal(behind.content['execution_count'], count + 1)
  })

  test('without a value shows none', async () => {
    assert.deepEqual(publishedTypes(await kernel.execute('const quiet = 1')), [
      'busy',
      'execute_input',
      'idle',
    ])
  })

  test('keeps values and types for later cells', async () => {
    await kernel.execute(
      'interface Point { x: number }\nlet origin: Point = { x: 1 }\nconst pi = 3',
    )
    assert.equal(await kernel.value('origin = { x: 2 }; origin.x + pi'), '5')
    const wrong = await kernel.execute('origin = { x: "a" }')
    assert.match(errorText(wrong), /TS2322: Type 'string' is not assignable to type 'number'/)
    assert.equal(await kernel.value('const other: Point = origin; other.x'), '2')
  })

  test('may declare a name again, and older functions see the new value', async () => {
    await kernel.execute(
      'const size = 1\nclass Box { kind = "old" }\ninterface Shape { a: number }',
    )
    await kernel.execute('function area() { return size * 10 }')
    await kernel.execute(
      'const size = 4\nclass Box { kind = "new" }\ninterface Shape { b: string }',
    )
    assert.equal(await kernel.value('[area(), new Box().kind].join()'), "'40,new'")
    assert.equal(await kernel.value('const s: Shape = { b: "x" }; s.b'), "'x'")
  })

  test('awaits at top level', async () => {
    assert.equal(await kernel.value('const late = await Promise.resolve(5)\nlate + 1'), '6')
  })

  test('imports modules of Node and packages that are ESM only, for later cells too', async () => {
    await kernel.execute('import { join } from "node:path"\nimport * as vegaLite from "vega-lite"')
    assert.equal(await kernel.value('join("a", "b")'), "'a/b'")
    const compiled =
      'vegaLite.compile({ data: { values: [] }, mark: "bar", encoding: {} }).spec.marks.length'
    assert.equal(await kernel.value(compiled), '1')
    const wrong = await kernel.execute('vegaLite.compile({ data: { values: [] }, mark: "bär" })')
    assert.match(errorText(wrong), /cell-\d+\.ts:1:\d+ - error TS/)
  })

  test('that imports what is not there says so and does not run', async () => {
    const answered = await kernel.execute('import { nothing } from "no-such-package"')
    assert.match(errorText(answered), /TS2307: Cannot find package 'no-such-package'/)
  })

  test('with a type error does not run and shows line, column and the place', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'type-error-'))
    try {
      const file = join(folder, 'ran')
      const code = `require("node:fs").writeFileSync(${JSON.stringify(file)}, "")\n  const n: number = "s"`
      const answered = await kernel.execute(code)
      assert.equal(answered.reply.content['status'], 'error')
      assert.match(errorText(answered), /cell-\d+\.ts:2:9 - error TS2322/)
      assert.match(errorText(answered), / {3}2 │ {3}const n: number = "s"\n {5}│ {9}\^/)
      assert.equal(existsSync(file), false)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('that assigns to a const of an older cell is wrong', async () => {
    await kernel.execute('const fixed = 1')
    assert.match(
      errorText(await kernel.execute('fixed = 2')),
      /Cannot assign to 'fixed': it is a const/,
    )
  })

  test('that throws shows the lines of its TypeScript, through older cells', async () => {
    const made = await kernel.execute(
      'interface Unused {\n  a: number\n}\nfunction fails(n: number): number {\n  if (n === 0) throw new RangeError("deep")\n  return fails(n - 1)\n}',
    )
    const older = Number(made.reply.content['execution_count'])
    const answered = await kernel.execute('type Gone = string\n\n  fails(1)')
    const text = errorText(answered)
    assert.equal(answered.reply.content['ename'], 'RangeError')
    assert.equal(answered.reply.content['evalue'], 'deep')
    assert.match(text, new RegExp(`at fails \\(cell-${older}\\.ts:5:22\\)`))
    assert.match(text, new RegExp(`at fails \\(cell-${older}\\.ts:6:10\\)`))
    assert.match(text, new RegExp(`at cell-${older + 1}\\.ts:3:3`))
    assert.match(text, /5 │ {3}if \(n === 0\) throw new RangeError\("deep"\)\n {5}│ {22}\^/)
    assert.doesNotMatch(text, /node:|dist\/kernel/)
    assert.deepEqual(publishedTypes(answered), ['busy', 'execute_input', 'error', 'idle'])
  })

  test('that throws keeps the names that had their values, and no others', async () => {
    await kernel.execute('const early = 1\nthrow new Error("stop")\nconst unset = 2')
    assert.equal(await kernel.value('early'), '1')
    assert.match(errorText(await kernel.execute('unset')), /Cannot find name 'unset'/)
  })

  test('gives what it prints in order, with that of its children between', async () => {
    const code = [
      'import { execSync } from "node:child_process"',
      'for (let i = 0; i < 5; i++) console.log(i)',
      'execSync("echo child", { stdio: "inherit" })',
      'console.log("after")',
    ].join('\n')
    for (let round = 0; round < 3; round++) {
      const answered = await kernel.execute(code)
      assert.equal(streamText(answered, 'stdout'), '0\n1\n2\n3\n4\nchild\nafter\n')
    }
  })

  test('keeps the order of stdout, stderr and displays', async () => {
    const answered = await kernel.execute(
      'console.log("a"); console.error("b"); await display(1); console.log("c")',
    )
    assert.deepEqual(publishedTypes(answered), [
      'busy',
      'execute_input',
      'stream',
      'stream',
      'display_data',
      'stream',
      'idle',
    ])
    assert.equal(streamText(answered, 'stderr'), 'b\n')
  })

  test('shows values in the order of its calls, awaited or not, and before its own value or error', async () => {
    const slow =
      'display({ [Symbol.for("Jupyter.display")]: () => new Promise((done) => setTimeout(done, 200, { "text/plain": "slow" })) })'
    const shownBy = async (code: string) =>
      (await kernel.execute(code)).published
        .filter(({ header }) => /^(display_data|execute_result|error)$/.test(header.msg_type))
        .map(({ header, content }) => {
          const data: unknown = content['data']
          const text: unknown =
            typeof data === 'object' && data !== null && Reflect.get(data, 'text/plain')
          return text === false ? header.msg_type : text
        })
    assert.deepEqual(await shownBy(`${slow}; display(2); 3`), ['slow', '2', '3'])
    assert.deepEqual(await shownBy(`${slow}; undefined`), ['slow'])
    assert.deepEqual(await shownBy(`${slow}; throw 4`), ['slow', 'error'])
  })

  test('whose error comes from deep within shows ten frames, and says how many more there are', async () => {
    const code =
      'const deep = (n: number): number => (n === 0 ? JSON.parse("{") : deep(n - 1))\ndeep(30)'
    const text = errorText(await kernel.execute(code))
    assert.equal(text.match(/^ +at /gm)?.length, 10)
    assert.match(text, /^ +\.\.\. 22 more$/m)
  })

  test('that fails shows its error in colours that are seen on light and on dark', async () => {
    for (const code of ['const n: string = 1', 'throw new Error("a", { cause: new Error("b") })']) {
      const { reply } = await kernel.execute(code)
      const colours = JSON.stringify(reply.content['traceback']).matchAll(/\\u001b\[(\d+)m/g)
      assert.deepEqual([...new Set([...colours].map(([, colour]) => colour))].sort(), [
        '31',
        '36',
        '39',
      ])
    }
  })

  test('whose error says what its cause says shows the cause once', async () => {
    const thrown = await kernel.execute(
      'throw new Error("cannot: no disk", { cause: new Error("no disk") })',
    )
    assert.doesNotMatch(errorText(thrown), /Caused by/)
    const other = await kernel.execute('throw new Error("cannot", { cause: new Error("no disk") })')
    assert.match(errorText(other), /Caused by:\nError: no disk/)
  })

  test('prints while it runs, also from a loop that never yields', async () => {
    const running = kernel.send('shell', 'execute_request', {
      code: 'console.log("one"); const until = Date.now() + 700; while (Date.now() < until);',
    })
    const started = Date.now()
    const answered = await running.answered
    const stream = answered.published.find(({ header }) => header.msg_type === 'stream')
    const early = Date.now() - new Date(stream?.header.date ?? 0).getTime()
    assert.ok(early >= 400, `the text was published ${early} ms before the end of the cell`)
    assert.ok(Date.now() - started >= 400)
  })

  test('may print a hundred thousand lines, which come in few messages', async () => {
    const answered = await kernel.execute('for (let i = 0; i < 100_000; i++) console.log(i)')
    const lines = streamText(answered, 'stdout').split('\n')
    assert.equal(lines.length, 100_001)
    assert.equal(lines[99_999], '99999')
    assert.ok(answered.published.length < 1000, `${answered.published.length} messages`)
  })

  test('may write past the streams, close them, and print bytes of half a character', async () => {
    const code = [
      'import { writeSync, closeSync } from "node:fs"',
      'writeSync(1, "raw\\u0001 "); writeSync(1, Buffer.from([0xc3])); writeSync(1, Buffer.from([0xa9]))',
      'process.stdout.write(Buffer.from([0xe2, 0x82])); process.stdout.write(Buffer.from([0xac]))',
      '2',
    ].join('\n')
    const answered = await kernel.execute(code)
    const text = streamText(answered, 'stdout')
    assert.ok(text.includes('raw\u0001 é') && text.includes('€'), JSON.stringify(text))
    await kernel.execute('closeSync(1)')
    assert.equal(streamText(await kernel.execute('console.log("still")'), 'stdout'), 'still\n')
  })

  const starters = [
    { what: 'a timer', code: 'setTimeout(() => { console.log("late") }, 1000)' },
    {
      what: 'a promise that nobody awaits',
      code: 'void (async () => { await new Promise((r) => setTimeout(r, 1000)); display("late") })()',
    },
  ]
  for (const { what, code } of starters) {
    test(`gives late output of ${what} to the cell that started it, on Node 20 to the last one`, async () => {
      const first = await kernel.execute(code)
      const second = await kernel.execute('await new Promise((r) => setTimeout(r, 1300))')
      const inSecond = second.published.some((message) => JSON.stringify(message).includes('late'))
      assert.equal(inSecond, !followsCells)
      assert.equal(lateText(kernel, first).includes('late'), followsCells)
    })
  }

  const lateErrors = [
    { how: 'thrown', code: 'setTimeout(() => { throw new Error("much later") }, 1000)' },
    {
      how: 'rejected',
      code: 'void (async () => { await new Promise((r) => setTimeout(r, 1000)); lateFailure() })()',
    },
  ]
  for (const { how, code } of lateErrors) {
    test(`shows an error ${how} after its end below the cell that started it, on every Node`, async () => {
      await kernel.execute('function lateFailure() { throw new Error("much later") }')
      const first = await kernel.execute(code)
      const second = await kernel.execute('await new Promise((r) => setTimeout(r, 1300))')
      assert.match(lateText(kernel, first), /much later[^]*cell-\d+\.ts/)
      assert.equal(streamText(second, 'stderr'), '')
    })
  }

  test('tells on stderr of errors in timers and of rejections, and lives on', async () => {
    const answered = await kernel.execute(
      'setTimeout(() => { throw new Error("from a timer") }, 10)\nvoid Promise.reject(new Error("rejected"))\nawait new Promise((r) => setTimeout(r, 200))',
    )
    const text = streamText(answered, 'stderr')
    assert.match(text, /Error outside of a cell:\n.*Error.*: from a timer/)
    assert.match(text, /Rejected promise that nobody awaits:\n.*Error.*: rejected/)
    assert.equal(await kernel.value('"alive"'), "'alive'")
  })

  test('has the API without an import, checked against its declarations', async () => {
    assert.equal(await kernel.value('const dump = openDump("vmcore"); dump.path'), "'vmcore'")
    assert.equal(await kernel.value('qemuVtop(dump, 5n)'), '7n')
    const wrong = await kernel.execute('openDump(5)')
    assert.match(errorText(wrong), /cell-\d+\.ts:1:10 - error TS2345/)
  })

  test('evaluates user_expressions after it has run', async () => {
    const { reply } = await kernel.execute('const base = 20', {
      user_expressions: { good: 'base + 1', bad: 'base.x' },
    })
    const expressions = reply.content['user_expressions'] as Record<
      string,
      { status: string; data?: Record<string, string>; ename?: string }
    >
    assert.equal(expressions['good']?.data?.['text/plain'], '21')
    assert.equal(expressions['bad']?.ename, 'TSError')
  })

  test('after an error of the same client is aborted when it was queued, and the next one runs', async () => {
    const failing = kernel.send('shell', 'execute_request', {
      code: 'await new Promise((r) => setTimeout(r, 200)); throw new Error("first")',
    })
    const queued = [1, 2].map((n) => kernel.send('shell', 'execute_request', { code: String(n) }))
    const statuses = (await Promise.all([failing, ...queued].map(({ answered }) => answered))).map(
      ({ reply }) => reply.content['status'],
    )
    assert.deepEqual(statuses, ['error', 'aborted', 'aborted'])
    assert.equal(await kernel.value('"runs"'), "'runs'")
  })

  test('after an error is not aborted when the failed one says so', async () => {
    const failing = kernel.send('shell', 'execute_request', {
      code: 'await new Promise((r) => setTimeout(r, 200)); throw new Error("first")',
      stop_on_error: false,
    })
    const queued = kernel.send('shell', 'execute_request', { code: '3' })
    await failing.answered
    assert.equal((await queued.answered).reply.content['status'], 'ok')
  })
})

/** What has come for a request after its idle. */
function lateText(kernel: TestKernel, { reply }: Answered): string {
  return kernel.unasked
    .filter(({ parent_header: parent }) => parent['msg_id'] === reply.parent_header['msg_id'])
    .map(({ content }) => JSON.stringify(content))
    .join('\n')
}
