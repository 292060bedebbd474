// SPDX-License-Identifier: GPL-2.0-or-later
// The binary form of a message in `v1.kernel.websocket.jupyter.org`, the subprotocol of Jupyter's WebSockets.
import { type SplitFrames, WireError } from '../protocol/wire.ts'

/** The name of the subprotocol. */
export const v1Protocol = 'v1.kernel.websocket.jupyter.org'

/** A message for or from a WebSocket: the channel's name and the frames, JSON unread. */
export interface V1Message {
  readonly channel: string
  readonly parts: SplitFrames['parts']
  readonly buffers: readonly Uint8Array[]
}

// Layout, all numbers u64 little endian: n, then n offsets from the start, then the parts one after
// the other: channel, header, parent_header, metadata, content, buffers. The last offset is the end
// of the last part. Described in jupyter_server's documentation, "WebSocket kernel wire protocols".

/** Puts a message into the binary form. */
export function encodeV1({ channel, parts, buffers }: V1Message): ArrayBuffer {
  const all = [new TextEncoder().encode(channel), ...parts, ...buffers]
  const head = 8 * (all.length + 2)
  const total = all.reduce((sum, part) => sum + part.length, head)
  const data = new ArrayBuffer(total)
  const view = new DataView(data)
  const bytes = new Uint8Array(data)
  view.setBigUint64(0, BigInt(all.length + 1), true)
  let at = head
  all.forEach((part, i) => {
    view.setBigUint64(8 * (i + 1), BigInt(at), true)
    bytes.set(part, at)
    at += part.length
  })
  view.setBigUint64(8 * (all.length + 1), BigInt(at), true)
  return data
}

/** Takes the binary form apart; a WireError when its offsets do not fit. The parts are views of `data`. */
export function decodeV1(data: ArrayBuffer): V1Message {
  const view = new DataView(data)
  const count = data.byteLength < 8 ? 0 : Number(view.getBigUint64(0, true))
  if (count < 6 || 8 * (count + 1) > data.byteLength) {
    throw new WireError(`a message of ${data.byteLength} bytes says it has ${count} offsets`)
  }
  const all: Uint8Array[] = []
  for (let i = 0; i < count - 1; i++) {
    const from = Number(view.getBigUint64(8 * (i + 1), true))
    const to = Number(view.getBigUint64(8 * (i + 2), true))
    if (from > to || to > data.byteLength) {
      throw new WireError(
        `part ${i} of a message of ${data.byteLength} bytes is at ${from} to ${to}`,
      )
    }
    all.push(new Uint8Array(data, from, to - from))
  }
  const [channel, header, parent, metadata, content, ...buffers] = all
  if (!channel || !header || !parent || !metadata || !content) {
    throw new WireError('a message without its five first parts')
  }
  return {
    channel: new TextDecoder().decode(channel),
    parts: [header, parent, metadata, content],
    buffers,
  }
}
