// SPDX-License-Identifier: GPL-2.0-or-later
// Floods of output through the real kernel, measured as a server measures them.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type Answered, recorded, streamText, TestKernel } from './testkernel.ts'

/** What jupyter_server lets through in its window of three seconds, by its defaults. */
const limit = { ms: 3000, messages: 3000, streamBytes: 3_000_000 }
/** The types that it does not count. */
const uncounted = ['status', 'comm_open', 'execute_input']

suite('a flood', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
  })
  after(() => kernel.stop())

  test('of a million lines comes whole and in order, below the limits of a server', async () => {
    const answered = await kernel.execute('for (let i = 0; i < 1e6; i++) console.log(i)')
    const lines = streamText(answered, 'stdout').split('\n')
    assert.equal(lines.length, 1_000_001)
    assert.equal(
      lines.findIndex((line, i) => line !== String(i)),
      1_000_000,
    )
    assertWithinLimits(answered)
  })

  test('of both streams in turn keeps its order, and is cut with a note', async () => {
    const answered = await kernel.execute(
      'for (let i = 0; i < 20_000; i++) (i % 2 === 0 ? console.log : console.error)(i)\n"the value"',
    )
    assertWithinLimits(answered)
    const shown = recorded(answered)
    const note = shown.findIndex((text) => text.includes('The output is cut here'))
    assert.ok(note > 1000 && note <= 5000, `the note is output ${note}`)
    for (const [i, text] of shown.slice(0, note - 1).entries()) {
      assert.equal(text, `${i % 2 === 0 ? 'stdout' : 'stderr'}: ${i}\n`)
    }
    assert.match(
      shown[note] ?? '',
      /more than 10 million characters or 5,000 outputs.*appendFileSync/,
    )
    assert.deepEqual(shown.slice(note + 1), ["execute_result: 'the value'"])
  })

  test('that does not end is stopped by an interrupt at once, and does not hold up the next cell', async () => {
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'while (true) console.log("x".repeat(1000))',
    })
    await new Promise((resolve) => setTimeout(resolve, 2500))
    const asked = Date.now()
    await kernel.request('control', 'interrupt_request', {})
    const over = await answered
    const took = Date.now() - asked
    assert.equal(over.reply.content['ename'], 'Interrupted')
    assert.ok(took < 2000, `it took ${took} ms`)
    // The stop struck in the middle of a write.
    const next = await kernel.execute('console.log("next")')
    assert.equal(streamText(next, 'stdout'), 'next\n')
  })

  test('of one huge text is cut where the cell has shown enough', async () => {
    const answered = await kernel.execute('process.stdout.write("y".repeat(30_000_000))')
    assert.equal(streamText(answered, 'stdout').length, 10_000_000)
    assert.match(streamText(answered, 'stderr'), /The output is cut here/)
    assertWithinLimits(answered)
  })

  test('of updates of one display ends with the newest', async () => {
    const answered = await kernel.execute(
      'const counter = display(0); for (let i = 1; i <= 20_000; i++) counter.update(i)',
    )
    assert.deepEqual(recorded(answered), ['display_data: 20000'])
    assertWithinLimits(answered)
  })

  test('of a value is cut with a note that says how to see all', async () => {
    const list = await kernel.execute('Array.from({ length: 1000 }, (_, i) => i)')
    assert.match(
      recorded(list)[0] ?? '',
      /950 more items\n\]\n\(cut here: full\(value\) shows all of it\)$/,
    )
    const whole = await kernel.execute('full(Array.from({ length: 1000 }, (_, i) => i))')
    assert.match(recorded(whole)[0] ?? '', / 999\n\]$/)
    const huge = await kernel.execute('full("z".repeat(11_000_000))')
    const [text = ''] = recorded(huge)
    assert.ok(text.length < 100_000)
    assert.match(text, /too large for a notebook\. To see all, write it to a file/)
  })
})

function assertWithinLimits({ published }: Answered): void {
  const sent = published
    .filter(({ header }) => !uncounted.includes(header.msg_type))
    .map(({ header, content }) => ({
      at: new Date(header.date).getTime(),
      bytes: header.msg_type === 'stream' ? JSON.stringify(content).length : 0,
    }))
  let first = 0
  let bytes = 0
  for (const [last, one] of sent.entries()) {
    bytes += one.bytes
    for (
      let old = sent[first];
      old !== undefined && one.at - old.at >= limit.ms;
      old = sent[first]
    ) {
      bytes -= old.bytes
      first++
    }
    assert.ok(last - first + 1 <= limit.messages, `${last - first + 1} messages in three seconds`)
    assert.ok(bytes <= limit.streamBytes, `${bytes} bytes of streams in three seconds`)
  }
}
