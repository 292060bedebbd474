// SPDX-License-Identifier: GPL-2.0-or-later
// A client's zeromq sockets to a kernel: signed messages out, checked messages in, JSON left unread.
import { randomUUID } from 'node:crypto'
import { Dealer, Subscriber } from 'zeromq'
import { type ConnectionFile, endpoint } from '../protocol/connection.ts'
import { makeHeader } from '../protocol/messages.ts'
import { joinFrames, Signer, splitFrames, type SplitFrames, WireError } from '../protocol/wire.ts'

/** The channels that carry messages of a client; the heartbeat does not. */
export type ClientChannel = 'shell' | 'control' | 'stdin' | 'iopub'

/** Takes each message that came from the kernel. */
export type Receiver = (channel: ClientChannel, message: SplitFrames) => void

/** The sockets of one client. They connect at once, also to a kernel that does not listen yet. */
export class KernelChannels {
  readonly #session = randomUUID()
  readonly #signer: Signer
  readonly #requests: Readonly<Record<'shell' | 'control' | 'stdin', Dealer>>
  readonly #iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 })
  /** The last send of each socket: a zeromq socket takes one send at a time. */
  readonly #sending = new Map<Dealer, Promise<void>>()
  #receiver: Receiver = () => undefined
  #fail: (error: Error) => void = () => undefined
  #closed = false

  /** Settles only by rejecting: when a message cannot be trusted or a socket fails. */
  readonly failed: Promise<never>

  constructor(connection: ConnectionFile) {
    this.#signer = new Signer(connection.key, connection.signature_scheme)
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
    // Who waits for an answer also waits for this one; nobody else needs to.
    this.failed.catch(() => undefined)

    // A kernel asks for input on stdin under the name of the shell socket that sent the request.
    const dealer = (): Dealer =>
      new Dealer({
        routingId: this.#session,
        linger: 0,
        reconnectInterval: 20,
        sendHighWaterMark: 0,
      })
    this.#requests = { shell: dealer(), control: dealer(), stdin: dealer() }
    this.#iopub.subscribe()
    this.#connect('iopub', this.#iopub, connection)
    for (const channel of ['shell', 'control', 'stdin'] as const) {
      this.#connect(channel, this.#requests[channel], connection)
    }
  }

  /** From now on messages go to `receiver`; there is one at a time. */
  receive(receiver: Receiver): void {
    this.#receiver = receiver
  }

  /** Signs and sends the four JSON frames and the buffers. */
  send(
    channel: Exclude<ClientChannel, 'iopub'>,
    parts: SplitFrames['parts'],
    buffers: readonly Uint8Array[] = [],
  ): void {
    const socket = this.#requests[channel]
    const frames = joinFrames([], parts, buffers, this.#signer)
    const last = this.#sending.get(socket) ?? Promise.resolve()
    const next = last
      .then(() => (this.#closed ? undefined : socket.send([...frames])))
      .catch((error: unknown) => {
        if (!this.#closed) this.#fail(asError(error))
      })
    this.#sending.set(socket, next)
  }

  /** Sends a request of this client's own; the answer comes to the receiver like all others. */
  request(channel: 'shell' | 'control', msgType: string, content: object): void {
    const header = makeHeader(msgType, this.#session, 'client')
    const [head, body] = [header, content].map((part) => Buffer.from(JSON.stringify(part)))
    const empty = Buffer.from('{}')
    this.send(channel, [head ?? empty, empty, empty, body ?? empty])
  }

  /** Closes all sockets; what was not sent yet is dropped. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#iopub.close()
    for (const socket of Object.values(this.#requests)) socket.close()
  }

  #connect(channel: ClientChannel, socket: Dealer | Subscriber, connection: ConnectionFile): void {
    socket.connect(endpoint(connection, channel))
    void this.#readAll(channel, socket)
  }

  async #readAll(channel: ClientChannel, socket: Dealer | Subscriber): Promise<void> {
    try {
      for await (const frames of socket) {
        const message = splitFrames(frames)
        if (!this.#signer.verify(message.signature, message.parts)) {
          throw new WireError('its signature does not fit the key of the connection file')
        }
        this.#receiver(channel, message)
      }
    } catch (error) {
      // To drop the message and go on could mean to wait for ever: it may have been the last one.
      if (!this.#closed) {
        const { message } = asError(error)
        this.#fail(
          new WireError(`a message on ${channel} cannot be used: ${message}`, { cause: error }),
        )
      }
    }
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
