// SPDX-License-Identifier: GPL-2.0-or-later
// The five sockets of the kernel: what comes in is checked and handed on, what goes out is signed.
import { Router, type Socket, XPublisher } from 'zeromq'
import { type ConnectionFile, endpoint } from '../protocol/connection.ts'
import {
  type Channel,
  type Header,
  type JsonObject,
  makeHeader,
  type RoutedMessage,
} from '../protocol/messages.ts'
import { decodeMessage, encodeMessage, Signer, splitFrames, WireError } from '../protocol/wire.ts'

/** The channels on which messages come in. */
export type Incoming = 'shell' | 'control' | 'stdin'

/** Takes a message that came in. */
export type TakeMessage = (channel: Incoming, message: RoutedMessage) => void

/** How long messages that a client has not yet taken keep the process, in milliseconds. */
const lingerMs = 1000
/** Signatures that are remembered: a message that comes twice was recorded and sent by another. */
const longestMemory = 65536

/** The kernel's sockets. */
export class Channels {
  /** The session id in the headers of our messages. */
  readonly session: string
  readonly #signer: Signer
  readonly #connection: ConnectionFile
  readonly #sockets: Record<Exclude<Channel, 'iopub'>, Router> & { iopub: XPublisher }
  readonly #sending = new Map<Channel, Promise<void>>()
  readonly #seen = new Set<string>()

  constructor(connection: ConnectionFile, session: string) {
    this.session = session
    this.#connection = connection
    this.#signer = new Signer(connection.key, connection.signature_scheme)
    const secret = connection.curve_secretkey
    const curve = secret === undefined ? {} : { curveServer: true, curveSecretKey: secret }
    // A client that comes back under its old identity takes over from its lost connection.
    const router = (): Router => new Router({ linger: lingerMs, handover: true, ...curve })
    this.#sockets = {
      shell: router(),
      control: router(),
      stdin: router(),
      hb: router(),
      // Without a limit: at the default of 1,000 messages a publisher drops output silently.
      iopub: new XPublisher({
        linger: lingerMs,
        sendHighWaterMark: 0,
        verbosity: 'allSubs',
        ...curve,
      }),
    }
  }

  /** Listens on all five and hands every message to `take`. */
  async open(take: TakeMessage): Promise<void> {
    const all: Channel[] = ['shell', 'control', 'stdin', 'iopub', 'hb']
    for (const channel of all) {
      await this.#sockets[channel].bind(endpoint(this.#connection, channel))
    }
    this.#serve('shell', take)
    this.#serve('control', take)
    this.#serve('stdin', take)
    this.#loop('hb', this.#sockets.hb, (frames) => {
      this.#sendFrames('hb', frames)
    })
    this.#loop('iopub', this.#sockets.iopub, ([frame]) => {
      this.#welcome(frame)
    })
  }

  /** Publishes to all clients; `parent` is the header of the request that caused it. */
  publish(
    msgType: string,
    content: JsonObject,
    parent: Header | JsonObject,
    buffers: readonly Uint8Array[] = [],
  ): void {
    const topic = Buffer.from(`kernel.${this.session}.${msgType}`)
    this.#send('iopub', [topic], msgType, content, parent, {}, buffers)
  }

  /** Answers `request` on the socket it came from. */
  reply(
    channel: 'shell' | 'control',
    request: RoutedMessage,
    msgType: string,
    content: JsonObject,
    metadata: JsonObject = {},
  ): void {
    this.#send(channel, request.identities, msgType, content, request.header, metadata)
  }

  /** Asks the client that sent `request` for input; returns the question's msg_id. */
  ask(request: RoutedMessage, content: { prompt: string; password: boolean }): string {
    return this.#send('stdin', request.identities, 'input_request', content, request.header, {})
  }

  /** Waits until everything is handed to the sockets, and closes them; what they hold still goes out. */
  async close(): Promise<void> {
    await Promise.all(this.#sending.values())
    for (const socket of Object.values(this.#sockets)) socket.close()
  }

  #serve(channel: Incoming, take: TakeMessage): void {
    this.#loop(channel, this.#sockets[channel], (frames) => {
      let message: RoutedMessage
      try {
        message = decodeMessage(frames, this.#signer)
        this.#refuseRepeated(splitFrames(frames).signature)
      } catch (error) {
        if (!(error instanceof WireError)) throw error
        log(`a message on ${channel} was dropped: ${error.message}`)
        return
      }
      take(channel, message)
    })
  }

  /** By the signature, not the msg_id: two clients of one process may count under one session id. */
  #refuseRepeated(bytes: Uint8Array): void {
    const signature = Buffer.from(bytes).toString('latin1')
    if (signature === '') return
    if (this.#seen.has(signature)) throw new WireError('it was received before')
    this.#seen.add(signature)
    if (this.#seen.size <= longestMemory) return
    for (const oldest of this.#seen) {
      this.#seen.delete(oldest)
      break
    }
  }

  /** A subscription comes as a 1 and the topic; the client is told that it will now hear us. */
  #welcome(frame: Uint8Array | undefined): void {
    if (frame?.[0] !== 1) return
    const topic = Buffer.from(frame.subarray(1))
    const content = { subscription: topic.toString() }
    this.#send('iopub', topic.length === 0 ? [] : [topic], 'iopub_welcome', content, {}, {})
  }

  #send(
    channel: Channel,
    identities: readonly Uint8Array[],
    msgType: string,
    content: JsonObject,
    parent: Header | JsonObject,
    metadata: JsonObject,
    buffers: readonly Uint8Array[] = [],
  ): string {
    const header = makeHeader(msgType, this.session)
    const message = { header, parent_header: parent, metadata, content, buffers }
    this.#sendFrames(channel, encodeMessage(message, this.#signer, identities))
    return header.msg_id
  }

  /** One send at a time on each socket: a second one beside it is an error in zeromq. */
  #sendFrames(channel: Channel, frames: Uint8Array[]): void {
    const before = this.#sending.get(channel) ?? Promise.resolve()
    const sent = before
      .then(() => this.#sockets[channel].send(frames.map((frame) => Buffer.from(frame))))
      .catch((error: unknown) => {
        log(`a message on ${channel} could not be sent: ${String(error)}`)
      })
    this.#sending.set(channel, sent)
  }

  #loop(
    channel: Channel,
    socket: Socket & AsyncIterable<Buffer[]>,
    take: (frames: Buffer[]) => void,
  ): void {
    const read = async (): Promise<void> => {
      for await (const frames of socket) take(frames)
    }
    read().catch((error: unknown) => {
      log(`${channel} no longer listens: ${String(error)}`)
    })
  }
}

/** A line in the log of whoever started the kernel. */
export function log(text: string): void {
  process.stderr.write(`qemu-vtop: ${text}\n`)
}
