// SPDX-License-Identifier: GPL-2.0-or-later
// A real kernel process and a client of its zeromq sockets, for tests.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'
import { Dealer, Request, Subscriber } from 'zeromq'
import type { CodeCell } from '../../../kernel/client/notebook.ts'
import { OutputRecorder } from '../../../kernel/client/outputs.ts'
import {
  checkConnection,
  type ConnectionFile,
  endpoint,
} from '../../../kernel/protocol/connection.ts'
import { type JsonObject, makeHeader, type Message } from '../../../kernel/protocol/messages.ts'
import { decodeMessage, encodeMessage, Signer } from '../../../kernel/protocol/wire.ts'

const main = fileURLToPath(new URL('../../../kernel/front/main.js', import.meta.url))
const standIn = fileURLToPath(new URL('./standin.js', import.meta.url))

/** For tests that need dumps: the core that users have, not the small one of the other tests. */
export const realCore = 'the one that the session knows'

/** Nothing here takes longer, even on a busy machine. */
const patienceMs = 60_000

/** What came back for one request. */
export interface Answered {
  readonly reply: Message
  /** All that was published in the request's name, busy and idle included. */
  readonly published: readonly Message[]
}

/** One kernel with its client. */
export class TestKernel {
  readonly connection: ConnectionFile
  readonly process: ChildProcess
  /** What the kernel wrote to its log. */
  log = ''
  /** Messages on iopub that no request caused, or whose request is over. */
  readonly unasked: Message[] = []
  /** Every message on iopub. */
  readonly heard: Message[] = []
  readonly #folder: string
  readonly #signer: Signer
  readonly #session = randomUUID()
  /** Questions of cells, in the order in which they came on stdin. */
  readonly asked: Message[] = []
  // The kernel asks on stdin under the name of the shell socket.
  readonly #shell = new Dealer({ linger: 0, routingId: this.#session })
  readonly #stdin = new Dealer({ linger: 0, routingId: this.#session })
  readonly #control = new Dealer({ linger: 0 })
  readonly #iopub = new Subscriber({ linger: 0 })
  readonly #open = new Map<string, { published: Message[]; reply?: Message; done: () => void }>()

  constructor(connection: ConnectionFile, folder: string, child: ChildProcess) {
    this.connection = connection
    this.process = child
    this.#folder = folder
    this.#signer = new Signer(connection.key)
    child.stderr?.on('data', (chunk: Buffer) => {
      this.log += chunk.toString()
    })
  }

  /**
   * Starts a kernel and waits until it answers and is heard. With `withParent` a process between is
   * the kernel's parent, and `process` is that one. Nothing is written into the user's own data
   * folder: `env` may name another one to share between kernels. No startup snapshot is made or used.
   */
  static async start(
    cwd?: string,
    withParent = false,
    env: Readonly<Record<string, string>> = {},
    core = standIn,
  ): Promise<TestKernel> {
    const folder = mkdtempSync(join(tmpdir(), 'test-kernel-'))
    const ports = await freePorts(5)
    const connection = checkConnection({
      transport: 'tcp',
      ip: '127.0.0.1',
      ...Object.fromEntries(
        ['shell', 'control', 'iopub', 'stdin', 'hb'].map((name, i) => [`${name}_port`, ports[i]]),
      ),
      key: randomUUID(),
      signature_scheme: 'hmac-sha256',
    })
    const file = join(folder, 'connection.json')
    writeFileSync(file, JSON.stringify(connection), { mode: 0o600 })
    const argv = [main, file, ...(core === realCore ? [] : [core])]
    const starter = `require('node:child_process').spawn(process.execPath, ${JSON.stringify(argv)}, { stdio: 'inherit' })`
    const child = spawn(process.execPath, withParent ? ['-e', starter] : argv, {
      cwd: cwd ?? process.cwd(),
      env: { ...process.env, XDG_DATA_HOME: folder, QEMU_VTOP_SNAPSHOT: 'off', ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const kernel = new TestKernel(connection, folder, child)
    kernel.#connect()
    // What is published before the subscription has arrived is lost.
    const isWelcome = ({ header }: Message): boolean => header.msg_type === 'iopub_welcome'
    if (!(await eventually(() => kernel.unasked.some(isWelcome), patienceMs))) {
      child.kill('SIGKILL')
      throw new Error(`the kernel does not welcome its client; log: ${kernel.log}`)
    }
    return kernel
  }

  /** Sends a request and waits for its reply and its idle. */
  async request(
    channel: 'shell' | 'control',
    msgType: string,
    content: JsonObject,
  ): Promise<Answered> {
    return this.send(channel, msgType, content).answered
  }

  /** Sends a request; `answered` comes with the reply and the idle. */
  send(
    channel: 'shell' | 'control',
    msgType: string,
    content: JsonObject,
    signer = this.#signer,
    buffers: readonly Uint8Array[] = [],
  ): { readonly id: string; readonly answered: Promise<Answered> } {
    const header = makeHeader(msgType, this.#session)
    const message = { header, parent_header: {}, metadata: {}, content, buffers }
    const answered = new Promise<Answered>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no answer to ${msgType} ${JSON.stringify(content)}; log: ${this.log}`))
      }, patienceMs)
      const entry = {
        published: [],
        done: () => {
          clearTimeout(timer)
          const { reply, published } = this.#open.get(header.msg_id) ?? { published: [] }
          this.#open.delete(header.msg_id)
          if (reply !== undefined) resolve({ reply, published })
        },
      }
      this.#open.set(header.msg_id, entry)
    })
    answered.catch(() => undefined)
    const socket = channel === 'shell' ? this.#shell : this.#control
    void socket.send(encodeMessage(message, signer).map((frame) => Buffer.from(frame)))
    return { id: header.msg_id, answered }
  }

  /** The frames of a request that is signed and not sent. */
  framesOf(msgType: string, content: JsonObject): Buffer[] {
    const header = makeHeader(msgType, this.#session)
    const message = { header, parent_header: {}, metadata: {}, content, buffers: [] }
    return encodeMessage(message, this.#signer).map((frame) => Buffer.from(frame))
  }

  /** Sends frames as they are. */
  async sendFrames(channel: 'shell' | 'control' | 'stdin', frames: Buffer[]): Promise<void> {
    const sockets = { shell: this.#shell, control: this.#control, stdin: this.#stdin }
    await sockets[channel].send(frames)
  }

  /** Waits for the question with this number, from 0. */
  async question(number: number): Promise<Message> {
    await eventually(() => this.asked.length > number, patienceMs)
    const question = this.asked[number]
    if (question === undefined) throw new Error(`no question came; log: ${this.log}`)
    return question
  }

  /** Answers a question; `answerer` sends instead of the client's own stdin socket. */
  async answer(content: JsonObject, question?: Message, answerer = this.#stdin): Promise<void> {
    const message = {
      header: makeHeader('input_reply', this.#session),
      parent_header: question?.header ?? {},
      metadata: {},
      content,
      buffers: [],
    }
    await answerer.send(encodeMessage(message, this.#signer).map((frame) => Buffer.from(frame)))
  }

  /** What has been published so far for a request that is not over. */
  publishedFor(id: string): readonly Message[] {
    return this.#open.get(id)?.published ?? []
  }

  /** Runs a cell to its idle. */
  execute(code: string, options: JsonObject = {}): Promise<Answered> {
    return this.request('shell', 'execute_request', { code, ...options })
  }

  /** The text of the result of a cell; an Error with the traceback if the cell failed. */
  async value(code: string): Promise<string> {
    const answered = await this.execute(code)
    if (answered.reply.content['status'] !== 'ok') throw new Error(errorText(answered))
    return resultText(answered)
  }

  /** Whether the heartbeat comes back within `ms`. */
  async heartbeat(ms: number): Promise<boolean> {
    const socket = new Request({ linger: 0, receiveTimeout: ms })
    try {
      socket.connect(endpoint(this.connection, 'hb'))
      await socket.send('ping')
      const [frame] = await socket.receive()
      return frame?.toString() === 'ping'
    } catch {
      return false
    } finally {
      socket.close()
    }
  }

  /** The ids of the kernel's process and of all below it. */
  processes(): number[] {
    return descendants(this.process.pid ?? -1)
  }

  /** Asks the kernel to end, and sees to it that nothing is left. */
  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = new Promise((resolve) => this.process.once('exit', resolve))
      this.send('control', 'shutdown_request', { restart: false })
      const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(timer)
    }
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#iopub]) socket.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #connect(): void {
    this.#shell.connect(endpoint(this.connection, 'shell'))
    this.#control.connect(endpoint(this.connection, 'control'))
    this.#stdin.connect(endpoint(this.connection, 'stdin'))
    void this.#read(this.#stdin, (message) => {
      this.asked.push(message)
    })
    this.#iopub.connect(endpoint(this.connection, 'iopub'))
    this.#iopub.subscribe()
    for (const socket of [this.#shell, this.#control]) {
      void this.#read(socket, (message) => {
        const entry = this.#open.get(parentOf(message))
        if (entry === undefined) return
        entry.reply = message
        this.#settle(entry)
      })
    }
    void this.#read(this.#iopub, (message) => {
      this.heard.push(message)
      const entry = this.#open.get(parentOf(message))
      if (entry === undefined) this.unasked.push(message)
      else {
        entry.published.push(message)
        this.#settle(entry)
      }
    })
  }

  /** A request is over with its reply and its idle. */
  #settle(entry: { published: Message[]; reply?: Message; done: () => void }): void {
    const idle = entry.published.some(({ content }) => content['execution_state'] === 'idle')
    if (entry.reply !== undefined && idle) entry.done()
  }

  async #read(socket: Dealer | Subscriber, take: (message: Message) => void): Promise<void> {
    for await (const frames of socket) take(decodeMessage(frames, this.#signer))
  }
}

/** The text of the `execute_result`, or an empty string. */
export function resultText({ published }: Answered): string {
  const result = published.find(({ header }) => header.msg_type === 'execute_result')
  const data = result?.content['data'] as Record<string, string> | undefined
  return data?.['text/plain'] ?? ''
}

/** The text of one stream. */
export function streamText({ published }: Answered, name: string): string {
  return published
    .filter(({ header, content }) => header.msg_type === 'stream' && content['name'] === name)
    .map(({ content }) => content['text'] as string)
    .join('')
}

/** What a client that keeps outputs has in the end, as `type: text`. */
export function recorded({ published }: Answered): string[] {
  const recorder = new OutputRecorder()
  const cell: CodeCell = {
    cell_type: 'code',
    id: 'x',
    metadata: {},
    source: '',
    outputs: [],
    execution_count: null,
  }
  recorder.begin(parentOf(published[0]), cell)
  for (const message of published) recorder.take(message)
  return cell.outputs.map((output) => {
    if (output.output_type === 'stream') return `${output.name}: ${output.text}`
    if (output.output_type === 'error') return `error: ${output.evalue}`
    return `${output.output_type}: ${String(output.data['text/plain'])}`
  })
}

/** The traceback of a failed cell without its colours. */
export function errorText({ reply }: Answered): string {
  const traceback = reply.content['traceback'] as string[] | undefined
  return stripVTControlCharacters((traceback ?? []).join('\n'))
}

/** The types of the published messages in order; a status is told by its state. */
export function publishedTypes({ published }: Answered): string[] {
  return published.map(({ header, content }) =>
    header.msg_type === 'status' ? (content['execution_state'] as string) : header.msg_type,
  )
}

/** Whether a process lives (a zombie does not). */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Whether a process is the kernel's compiler. */
export function isCompiler(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('compiler')
}

/** Waits until `condition` holds, and says whether it did within `ms`. */
export async function eventually(condition: () => boolean, ms: number): Promise<boolean> {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) return false
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return true
}

function descendants(pid: number): number[] {
  const below: number[] = []
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
      for (const child of children.split(' ').filter((text) => text !== '')) {
        below.push(...descendants(Number(child)))
      }
    }
  } catch {
    // It has just ended.
  }
  return [pid, ...below]
}

function parentOf(message: Message | undefined): string {
  const id = message?.parent_header['msg_id']
  return typeof id === 'string' ? id : ''
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer()
          server.listen(0, '127.0.0.1', () => {
            resolve(server)
          })
        }),
    ),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
