// SPDX-License-Identifier: GPL-2.0-or-later
// How a Jupyter message stands on the wire: routing frames, delimiter, signature, four JSON frames, buffers.
import { createHmac, timingSafeEqual } from 'node:crypto'
import {
  isHeader,
  isJsonObject,
  type JsonObject,
  type Message,
  type RoutedMessage,
} from './messages.ts'

const delimiter = Buffer.from('<IDS|MSG>')

/** Frames that are no message, or are not signed with our key. The message is to be dropped. */
export class WireError extends Error {
  override name = 'WireError'
}

/** The frames of one message told apart, JSON not parsed yet. */
export interface SplitFrames {
  readonly identities: readonly Uint8Array[]
  /** Hex digits as bytes; empty where nothing is signed. */
  readonly signature: Uint8Array
  /** header, parent_header, metadata, content: exactly the bytes that are signed. */
  readonly parts: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  readonly buffers: readonly Uint8Array[]
}

/**
 * Signs and checks messages with the connection file's key. An empty key means that nothing is
 * signed. The only schemes are `hmac-` and a hash that this Node knows; others throw here, at start.
 */
export class Signer {
  readonly #key: string
  readonly #hash: string

  constructor(key: string, scheme = 'hmac-sha256') {
    const hash = /^hmac-([a-z0-9-]+)$/.exec(scheme)?.[1]
    if (hash === undefined) {
      throw new WireError(`signature scheme "${scheme}" is not of the form hmac-HASH`)
    }
    this.#key = key
    this.#hash = hash
    createHmac(hash, key)
  }

  /** The signature of the four JSON frames, as the bytes of its hex digits. */
  sign(parts: readonly Uint8Array[]): Buffer {
    if (this.#key === '') return Buffer.alloc(0)
    const hmac = createHmac(this.#hash, this.#key)
    for (const part of parts) hmac.update(part)
    return Buffer.from(hmac.digest('hex'))
  }

  /** Whether `signature` is ours over exactly these received bytes. The time does not tell how much of it fits. */
  verify(signature: Uint8Array, parts: readonly Uint8Array[]): boolean {
    if (this.#key === '') return true
    const expected = this.sign(parts)
    return signature.length === expected.length && timingSafeEqual(signature, expected)
  }
}

/** Tells the frames of a received message apart without parsing them; a WireError if frames are missing. */
export function splitFrames(frames: readonly Uint8Array[]): SplitFrames {
  const at = frames.findIndex((frame) => delimiter.equals(frame))
  if (at < 0) throw new WireError(`no <IDS|MSG> among ${frames.length} frames`)
  const [signature, header, parent, metadata, content, ...buffers] = frames.slice(at + 1)
  if (!signature || !header || !parent || !metadata || !content) {
    throw new WireError(
      `${frames.length - at - 1} frames after <IDS|MSG>, a message has at least 5: ` +
        'signature, header, parent_header, metadata, content',
    )
  }
  return {
    identities: frames.slice(0, at),
    signature,
    parts: [header, parent, metadata, content],
    buffers,
  }
}

/** The other way: signs the four JSON frames and puts all frames in the order of the wire. */
export function joinFrames(
  identities: readonly Uint8Array[],
  parts: SplitFrames['parts'],
  buffers: readonly Uint8Array[],
  signer: Signer,
): Uint8Array[] {
  return [...identities, delimiter, signer.sign(parts), ...parts, ...buffers]
}

/** The frames of a message to send to `identities` (a ROUTER's peer, or a topic on iopub, or none). */
export function encodeMessage(
  message: Message,
  signer: Signer,
  identities: readonly Uint8Array[] = [],
): Uint8Array[] {
  const parts: SplitFrames['parts'] = [
    toJson(message.header),
    toJson(message.parent_header),
    toJson(message.metadata),
    toJson(message.content),
  ]
  return joinFrames(identities, parts, message.buffers, signer)
}

/**
 * Reads a received message. The signature is checked over the received bytes before anything is
 * parsed; a WireError says what is wrong, and the message must then be dropped.
 */
export function decodeMessage(frames: readonly Uint8Array[], signer: Signer): RoutedMessage {
  const { identities, signature, parts, buffers } = splitFrames(frames)
  if (!signer.verify(signature, parts)) throw new WireError('the signature does not fit the key')
  const header = fromJson(parts[0], 'header')
  if (!isHeader(header)) throw new WireError('the header lacks msg_id, msg_type or session')
  return {
    identities,
    header,
    parent_header: fromJson(parts[1], 'parent_header'),
    metadata: fromJson(parts[2], 'metadata'),
    content: fromJson(parts[3], 'content'),
    buffers,
  }
}

/** JSON that every client can read: a bigint becomes a string of its decimal digits. */
function toJson(value: unknown): Buffer {
  return Buffer.from(
    JSON.stringify(value, (_key, member: unknown) =>
      typeof member === 'bigint' ? member.toString() : member,
    ),
  )
}

function fromJson(bytes: Uint8Array, part: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
  } catch (error) {
    throw new WireError(`the ${part} is not JSON`, { cause: error })
  }
  if (!isJsonObject(value)) throw new WireError(`the ${part} is not a JSON object`)
  return value
}
