// SPDX-License-Identifier: GPL-2.0-or-later
// The life of the kernel's processes, and what it does not listen to.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { afterEach, suite, test } from 'node:test'
import { Signer } from '../../../kernel/protocol/wire.ts'
import { errorText, eventually, isAlive, isCompiler, TestKernel } from './testkernel.ts'

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

  test('runs a message that comes twice once', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('let runs = 0')
    const frames = kernel.framesOf('execute_request', { code: 'runs++' })
    for (let time = 0; time < 3; time++) await kernel.sendFrames('shell', frames)
    // On another channel and under another route it is the same message.
    await kernel.sendFrames('control', frames)
    assert.equal(await kernel.value('runs'), '1')
    const told = kernel.log.match(
      /a message on (shell|control) was dropped: it was received before/g,
    )
    assert.equal(told?.length, 3)
  })

  for (const channel of ['shell', 'control', 'stdin'] as const) {
    test(`drops on ${channel} what is cut short, is no message or is not JSON, and lives on`, async () => {
      kernel = await TestKernel.start()
      await kernel.execute('let hits = 0')
      const whole = kernel.framesOf('execute_request', { code: 'hits++' })
      for (let length = 1; length < whole.length; length++) {
        await kernel.sendFrames(channel, whole.slice(0, length))
      }
      const last = whole.at(-1) ?? Buffer.alloc(0)
      await kernel.sendFrames(channel, [...whole.slice(0, -1), last.subarray(0, -1)])
      await kernel.sendFrames(channel, [Buffer.from('<IDS|MSG>'), Buffer.alloc(0)])
      await kernel.sendFrames(channel, [Buffer.alloc(0), Buffer.from('noise')])
      await kernel.request(channel === 'stdin' ? 'shell' : channel, 'kernel_info_request', {})
      assert.equal(await kernel.value('hits'), '0')
      const dropped = kernel.log.match(new RegExp(`a message on ${channel} was dropped`, 'g'))
      assert.equal(dropped?.length, whole.length + 2)
    })
  }

  test('listens at the five places of its connection file and at no other', async () => {
    kernel = await TestKernel.start()
    await kernel.execute('openDump("x")')
    const { connection } = kernel
    const listening = kernel.processes().flatMap(listeningOf)
    const { shell_port, control_port, iopub_port, stdin_port, hb_port } = connection
    const wanted = [shell_port, control_port, iopub_port, stdin_port, hb_port]
    assert.deepEqual(listening.sort(), wanted.map((port) => `127.0.0.1:${port}`).sort())
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

/** Where a process listens: TCP of both kinds, and bound UDP, as `ADDRESS:PORT`. */
function listeningOf(pid: number): string[] {
  const own = new Set<string>()
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1]
      if (inode !== undefined) own.add(inode)
    } catch {
      // Closed meanwhile.
    }
  }
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((kind) => {
    const [, ...lines] = readFileSync(`/proc/${pid}/net/${kind}`, 'utf8').trimEnd().split('\n')
    return lines.flatMap((line) => {
      // Columns of proc(5): local address at 1, state at 3 (0A is LISTEN, 07 an unconnected UDP), inode at 9.
      const columns = line.trim().split(/\s+/)
      const [, local = '', , state = ''] = columns
      if (!own.has(columns[9] ?? '') || state !== (kind.startsWith('udp') ? '07' : '0A')) return []
      const [address = '', port = ''] = local.split(':')
      return [`${ipText(address)}:${Number.parseInt(port, 16)}`]
    })
  })
}

/** The kernel prints the words of an address in the byte order of the machine. */
function ipText(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  return bytes.length === 4 ? [...bytes.swap32()].join('.') : hex
}
