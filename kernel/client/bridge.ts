// SPDX-License-Identifier: GPL-2.0-or-later
// A WebSocket class that leads not to a Jupyter server but straight to a kernel's zeromq sockets.
import { type KernelChannels } from './channels.ts'
import { decodeV1, encodeV1, v1Protocol } from './v1frames.ts'

/** What the connection hears of a WebSocket: its opening, messages, and its end. */
interface Events {
  onopen: ((event: object) => void) | null
  onmessage: ((event: { readonly data: ArrayBuffer }) => void) | null
  onclose: ((event: { readonly code: number }) => void) | null
  onerror: ((event: object) => void) | null
}

/**
 * Makes the WebSocket class that @jupyterlab/services is given. Its instances speak the binary
 * subprotocol v1, whose JSON parts are the zeromq frames byte for byte: the bridge signs and
 * passes them on and reads none of them.
 */
export function bridgeTo(channels: KernelChannels, onError: (error: Error) => void) {
  return class Bridge implements Events {
    static readonly CONNECTING = 0
    static readonly OPEN = 1
    static readonly CLOSING = 2
    static readonly CLOSED = 3
    readonly CONNECTING = 0
    readonly OPEN = 1
    readonly CLOSING = 2
    readonly CLOSED = 3

    onopen: Events['onopen'] = null
    onmessage: Events['onmessage'] = null
    onclose: Events['onclose'] = null
    onerror: Events['onerror'] = null
    binaryType = 'arraybuffer'
    readonly bufferedAmount = 0
    readonly extensions = ''
    readonly protocol = v1Protocol
    readonly url: string
    readyState: 0 | 1 | 2 | 3 = 0

    constructor(url: string) {
      this.url = url
      // The caller sets its handlers after the constructor.
      queueMicrotask(() => {
        if (this.readyState !== this.CONNECTING) return
        this.readyState = this.OPEN
        channels.receive((channel, { parts, buffers }) => {
          // A handler that throws must not end the loop that reads the sockets.
          try {
            this.onmessage?.({ data: encodeV1({ channel, parts, buffers }) })
          } catch (error) {
            onError(error instanceof Error ? error : new Error(String(error)))
          }
        })
        this.onopen?.({ type: 'open' })
      })
    }

    send(data: ArrayBuffer): void {
      if (this.readyState !== this.OPEN) return
      const { channel, parts, buffers } = decodeV1(data)
      if (channel !== 'shell' && channel !== 'control' && channel !== 'stdin') {
        throw new Error(`a client cannot send on channel "${channel}"`)
      }
      channels.send(channel, parts, buffers)
    }

    close(): void {
      if (this.readyState === this.CLOSED) return
      this.readyState = this.CLOSED
      channels.receive(() => undefined)
      // 1000 is "normal closure" (RFC 6455 §7.4.1): with any other code a connection is tried again.
      this.onclose?.({ code: 1000 })
    }
  }
}
