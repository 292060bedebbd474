// SPDX-License-Identifier: GPL-2.0-or-later
// Questions of cells on the stdin channel of a real kernel.
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Dealer } from 'zeromq'
import { endpoint } from '../../../kernel/protocol/connection.ts'
import { errorText, resultText, streamText, TestKernel } from './testkernel.ts'

const ways = [
  { name: 'input', call: 'await input' },
  { name: 'prompt', call: 'prompt' },
]

suite('a question', () => {
  let kernel: TestKernel
  before(async () => {
    kernel = await TestKernel.start()
    await kernel.execute('let keep = 42')
  })
  after(() => kernel.stop())

  for (const { name, call } of ways) {
    test(`of ${name} goes to the client and its answer into the cell`, async () => {
      const number = kernel.asked.length
      const { id, answered } = kernel.send('shell', 'execute_request', {
        code: `console.log("before"); const text${name}: string = ${call}("pid? "); text${name} + "!"`,
      })
      const question = await kernel.question(number)
      assert.equal(question.header.msg_type, 'input_request')
      assert.deepEqual(question.content, { prompt: 'pid? ', password: false })
      assert.equal(question.parent_header['msg_id'], id)
      await kernel.answer({ value: '3912 ä' }, question)
      const over = await answered
      assert.equal(resultText(over), "'3912 ä!'")
      assert.equal(streamText(over, 'stdout'), 'before\n')
    })

    test(`of ${name} says when it is for a password`, async () => {
      const number = kernel.asked.length
      const { answered } = kernel.send('shell', 'execute_request', {
        code: `(${call}("key: ", { password: true })).length`,
      })
      const question = await kernel.question(number)
      assert.deepEqual(question.content, { prompt: 'key: ', password: true })
      // As jupyter console answers: without a parent.
      await kernel.answer({ value: 'secret' })
      assert.equal(resultText(await answered), '6')
    })

    test(`of ${name} is an error where the client allows none`, async () => {
      const answered = await kernel.execute(`const refused = ${call}("?")`, { allow_stdin: false })
      const text = errorText(answered)
      assert.match(text, /^InputError: there is nobody to ask: the client .* does not allow input/)
      assert.match(text, /at cell-\d+\.ts:1:\d+/)
    })

    test(`of ${name} that waits is stopped by an interrupt, and a late answer is nobody's`, async () => {
      const number = kernel.asked.length
      const { answered } = kernel.send('shell', 'execute_request', { code: `${call}("?")` })
      const question = await kernel.question(number)
      const asked = Date.now()
      await kernel.request('control', 'interrupt_request', {})
      assert.equal((await answered).reply.content['ename'], 'Interrupted')
      assert.ok(Date.now() - asked < 2000)
      await kernel.answer({ value: 'late' }, question)
      const next = kernel.send('shell', 'execute_request', { code: `${call}("again? ") + keep` })
      const again = await kernel.question(number + 1)
      await kernel.answer({ value: 'too late' }, question)
      await kernel.answer({ value: 'now ' }, again)
      assert.equal(resultText(await next.answered), "'now 42'")
    })
  }

  test('is asked after the one before it is answered', async () => {
    const number = kernel.asked.length
    const { answered } = kernel.send('shell', 'execute_request', {
      code: 'const both = [input("a"), input("b")]; prompt("c") + (await Promise.all(both)).join("")',
    })
    for (const [i, value] of ['1', '2', '3'].entries()) {
      const question = await kernel.question(number + i)
      assert.equal(question.content['prompt'], ['a', 'b', 'c'][i])
      assert.equal(kernel.asked.length, number + i + 1)
      await kernel.answer({ value }, question)
    }
    assert.equal(resultText(await answered), "'312'")
  })

  test('is not answered by another client, though it has the key', async () => {
    const number = kernel.asked.length
    const { answered } = kernel.send('shell', 'execute_request', { code: 'await input("mine?")' })
    const question = await kernel.question(number)
    const stranger = new Dealer({ linger: 1000, routingId: 'stranger' })
    stranger.connect(endpoint(kernel.connection, 'stdin'))
    await kernel.answer({ value: 'stolen' }, question, stranger)
    await new Promise((resolve) => setTimeout(resolve, 300))
    stranger.close()
    await kernel.answer({ value: 'mine' }, question)
    assert.equal(resultText(await answered), "'mine'")
    assert.match(kernel.log, /nobody waits for this input_reply/)
  })

  test('of a timer after the end of its cell is refused', async () => {
    await kernel.execute(
      'let refusal = ""; setTimeout(() => { try { prompt("?") } catch (e) { refusal = String(e) } }, 100)',
    )
    await new Promise((resolve) => setTimeout(resolve, 400))
    assert.match(await kernel.value('refusal'), /InputError: there is nobody to ask: no cell runs/)
  })
})
