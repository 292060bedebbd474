// SPDX-License-Identifier: GPL-2.0-or-later
// Requests to answers: busy before and idle after each, a table by message type, cells in a queue.
import type { Header, RoutedMessage } from '../protocol/messages.ts'
import { type Channels, type Incoming, log } from './channels.ts'
import { execute, type Publish, readExecuteRequest } from './execute.ts'
import { handlers } from './handlers.ts'
import { Inputs } from './input.ts'
import type { Notebook } from './notebook.ts'

/** The kernel behind the sockets. */
export class Kernel {
  readonly #channels: Channels
  readonly #notebook: Notebook
  readonly #shutdown: () => void
  readonly #queue: RoutedMessage[] = []
  /** The header of the cell that runs. */
  #running: Header | undefined
  /** Questions of that cell. */
  #inputs: Inputs | undefined

  constructor(channels: Channels, notebook: Notebook, shutdown: () => void) {
    this.#channels = channels
    this.#notebook = notebook
    this.#shutdown = shutdown
  }

  /** Takes a message as it comes in. Cells wait for each other, all else is answered at once. */
  take(channel: Incoming, request: RoutedMessage): void {
    if (channel === 'stdin') {
      if (this.#inputs?.take(request) !== true)
        log(`nobody waits for this ${request.header.msg_type}`)
      return
    }
    if (request.header.msg_type !== 'execute_request') {
      void this.#answer(channel, request)
      return
    }
    this.#queue.push(request)
    if (this.#running === undefined) void this.#runQueue()
  }

  async #runQueue(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const request = next
      this.#running = request.header
      const failed = await this.#within(request, () => this.#runCell(request))
      this.#running = undefined
      if (failed) this.#abortQueued(request)
    }
  }

  /** Runs one cell; true if those behind it are to be aborted. */
  async #runCell(request: RoutedMessage): Promise<boolean> {
    const asked = readExecuteRequest(request.content)
    const inputs = asked.allow_stdin ? new Inputs(this.#channels, request) : undefined
    this.#inputs = inputs
    const publish: Publish = (msgType, published, buffers) => {
      this.#channels.publish(msgType, published, request.header, buffers)
    }
    const content = await execute(this.#notebook, asked, publish, inputs?.ask)
    inputs?.end()
    this.#inputs = undefined
    this.#channels.reply('shell', request, 'execute_reply', content)
    return content['status'] === 'error' && asked.stop_on_error
  }

  /** The cells that the same client had sent before it could know of the error. */
  #abortQueued(failed: RoutedMessage): void {
    const mine = this.#queue.filter(({ header }) => header.session === failed.header.session)
    for (const request of mine) {
      this.#queue.splice(this.#queue.indexOf(request), 1)
      const content = { status: 'aborted' }
      void this.#within(request, () => {
        this.#channels.reply('shell', request, 'execute_reply', content, content)
      })
    }
  }

  async #answer(channel: 'shell' | 'control', request: RoutedMessage): Promise<void> {
    const { msg_type: type } = request.header
    const handler = Object.hasOwn(handlers, type) ? handlers[type] : undefined
    if (handler === undefined) log(`nothing answers a ${type}`)
    const after = { shutdown: false }
    await this.#within(request, async () => {
      const content = await handler?.(request.content, {
        notebook: this.#notebook,
        channel,
        buffers: request.buffers,
        publish: (msgType, published) => {
          this.#channels.publish(msgType, published, request.header)
        },
        shutdown: () => {
          after.shutdown = true
        },
      })
      if (content === undefined) return
      this.#channels.reply(channel, request, type.replace(/_request$/, '_reply'), content)
    })
    // The last word of this request was idle, but a cell still runs: clients show the newest state.
    if (this.#running !== undefined) this.#status('busy', this.#running)
    if (after.shutdown) this.#shutdown()
  }

  /** Busy, the work, idle: clients wait for the idle of their request, so it comes whatever happens. */
  async #within<Result>(
    request: RoutedMessage,
    work: () => Result | Promise<Result>,
  ): Promise<Result | undefined> {
    this.#status('busy', request.header)
    try {
      return await work()
    } catch (error) {
      log(
        `${request.header.msg_type} failed: ${error instanceof Error ? (error.stack ?? '') : String(error)}`,
      )
      return undefined
    } finally {
      this.#status('idle', request.header)
    }
  }

  #status(execution_state: 'busy' | 'idle', parent: Header): void {
    this.#channels.publish('status', { execution_state }, parent)
  }
}
