// SPDX-License-Identifier: GPL-2.0-or-later
// The life of the kernel's processes, and what it does not listen to.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { afterEach, suite, test } from 'node:test'
import { Signer } from '../../../kernel/protocol/wire.ts'
import { errorText, eventually, isAlive, TestKernel } from './testkernel.ts'

suite('the kernel', () => {
  let kernel: TestKernel | undefined
  afterEach(async () => {
    await kernel?.stop()
    kernel = undefined
  })

  test('drops a message with a wrong signature and says so in its log', async () => {
    kernel = await TestKernel.start()
    const forged = new Signer('another key')
    kernel.send('shell', 'execute_request', { code: 'globalThis' }, forged)
    assert.equal(await kernel.value('1'), '1')
    assert.match(kernel.log, /a message on shell was dropped: the signature does not fit the key/)
    assert.equal(
      kernel.unasked.filter(({ header }) => header.msg_type === 'execute_input').length,
      0,
    )
  })

  test('answers its heartbeat while a cell is busy', async () => {
    kernel = await TestKernel.start()
    const busy = kernel.send('shell', 'execute_request', {
      code: 'const end = Date.now() + 1000; while (Date.now() < end);',
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    for (let beat = 0; beat < 3; beat++) assert.equal(await kernel.heartbeat(1000), true)
    await busy.answered
  })

  test('shuts down while a cell runs, answers, and leaves no process', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('require("node:child_process").spawn("sleep", ["300"])')
    kernel.send('shell', 'execute_request', { code: 'while (true) {}' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const processes = kernel.processes()
    assert.ok(processes.length >= 4, `front, compiler, session, sleep: ${processes.join()}`)
    const { reply } = await kernel.request('control', 'shutdown_request', { restart: true })
    assert.deepEqual(reply.content, { status: 'ok', restart: true })
    assert.ok(await eventually(() => !processes.some(isAlive), 5000), 'a process is left')
    const front = kernel.process
    assert.ok(await eventually(() => front.exitCode !== null, 5000))
    assert.equal(front.exitCode, 0)
  })

  test('leaves no process when it is killed', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('require("node:child_process").spawn("sleep", ["300"])')
    kernel.send('shell', 'execute_request', { code: 'while (true) {}' })
    await new Promise((resolve) => setTimeout(resolve, 300))
    const processes = kernel.processes()
    assert.ok(processes.length >= 4)
    kernel.process.kill('SIGKILL')
    assert.ok(await eventually(() => !processes.some(isAlive), 5000), 'a process is left')
  })

  test('goes when the process that started it goes', async () => {
    kernel = await TestKernel.start(process.cwd(), true)
    const processes = kernel.processes()
    assert.ok(processes.length >= 4, `parent, front, compiler, session: ${processes.join()}`)
    kernel.process.kill('SIGKILL')
    assert.ok(await eventually(() => !processes.some(isAlive), 5000), 'a process is left')
  })

  test('tells in the cell that its process is gone, and goes on with a new one', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('const lost = 1')
    const answered = await kernel.execute('process.kill(process.pid, "SIGKILL")')
    assert.match(errorText(answered), /SessionLost: .*ended by SIGKILL.*all variables/)
    assert.match(errorText(await kernel.execute('lost')), /Cannot find name 'lost'/)
    assert.equal(await kernel.value('openDump("x").path'), "'x'")
  })

  test('keeps names and values when its compiler falls', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('interface Kept { a: number }\nconst kept: Kept = { a: 5 }')
    const [, ...below] = kernel.processes()
    const compiler = below.find((pid) => isCompiler(pid))
    assert.ok(compiler !== undefined)
    process.kill(compiler, 'SIGKILL')
    assert.ok(await eventually(() => /compiler ended/.test(kernel?.log ?? ''), 5000))
    assert.equal(await kernel.value('const again: Kept = kept; again.a'), '5')
  })
})

function isCompiler(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('compiler')
}
