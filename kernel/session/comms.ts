// SPDX-License-Identifier: GPL-2.0-or-later
// Comms: messages to and from code in the client, such as a widget, beside those of cells.
import { randomUUID } from 'node:crypto'
import { cleanJson } from '../display/drawn.ts'
import type { CommMessage, FromSession } from '../frames.ts'

/** What comes or goes over a comm. */
export interface CommEvent {
  /** What JSON can hold. */
  readonly data: unknown
  /** Binary parts. */
  readonly buffers: readonly Uint8Array[]
}

/** One open comm. */
export interface Comm {
  readonly id: string
  readonly target: string
  /** Sends to the client; bigints in `data` become hex text. */
  readonly send: (data: unknown, buffers?: readonly Uint8Array[]) => void
  /** Closes it on both sides. */
  readonly close: (data?: unknown) => void
  /** Calls `handler` with each message of the client. */
  readonly onMessage: (handler: (event: CommEvent) => void) => void
  /** Calls `handler` when the client closes it. */
  readonly onClose: (handler: (event: CommEvent) => void) => void
}

/** Called when the client opens a comm of a registered target, with what it sent along. */
export type CommHandler = (comm: Comm, opened: CommEvent) => void

/** What cells can do with comms. */
export interface CommRegistry {
  /** Lets clients open comms of this name; a second handler takes the place of the first. */
  readonly register: (target: string, handler: CommHandler) => void
  /** No longer lets clients open comms of this name; open ones stay. */
  readonly unregister: (target: string) => void
  /** Opens a comm to code of the client that is registered there under this name. */
  readonly open: (target: string, data?: unknown, buffers?: readonly Uint8Array[]) => Comm
}

/** What comms need from the rest of the session. */
export interface CommSurroundings {
  readonly send: (message: FromSession) => void
  readonly cell: () => string
  readonly asCell: (cell: string, work: () => void) => void
}

interface Open {
  readonly comm: Comm
  /** The cell to which belongs what its handlers show. */
  readonly cell: string
  message?: (event: CommEvent) => void
  closed?: (event: CommEvent) => void
}

/** The comms of this session. */
export class SessionComms implements CommRegistry {
  readonly #around: CommSurroundings
  readonly #targets = new Map<string, { readonly cell: string; readonly handler: CommHandler }>()
  readonly #open = new Map<string, Open>()

  constructor(around: CommSurroundings) {
    this.#around = around
  }

  readonly register: CommRegistry['register'] = (target, handler) => {
    this.#targets.set(target, { cell: this.#around.cell(), handler })
    this.#around.send({ type: 'target', name: target, known: true })
  }

  readonly unregister: CommRegistry['unregister'] = (target) => {
    this.#targets.delete(target)
    this.#around.send({ type: 'target', name: target, known: false })
  }

  readonly open: CommRegistry['open'] = (target, data = {}, buffers = []) => {
    const { comm } = this.#make(randomUUID(), target, this.#around.cell())
    this.#send('open', comm, data, buffers)
    return comm
  }

  /** Takes a message of the client. An error of a handler is told like one of a timer. */
  take({ action, comm: id, target, data, buffers }: CommMessage): void {
    const event = {
      data,
      buffers: buffers.map((text) => new Uint8Array(Buffer.from(text, 'base64'))),
    }
    if (action === 'open') {
      const registered = this.#targets.get(target)
      if (registered === undefined) {
        const { comm } = this.#make(id, target, this.#around.cell())
        comm.close()
        return
      }
      const { cell, handler } = registered
      const { comm } = this.#make(id, target, cell)
      this.#around.asCell(cell, () => {
        handler(comm, event)
      })
      return
    }
    const open = this.#open.get(id)
    if (open === undefined) return
    if (action === 'close') this.#open.delete(id)
    this.#around.asCell(open.cell, () => {
      if (action === 'close') open.closed?.(event)
      else open.message?.(event)
    })
  }

  #make(id: string, target: string, cell: string): Open {
    const comm: Comm = {
      id,
      target,
      send: (data, buffers = []) => {
        if (!this.#open.has(id)) throw new Error(`comm ${id} of ${target} is closed`)
        this.#send('msg', comm, data, buffers)
      },
      close: (data = {}) => {
        if (this.#open.delete(id)) this.#send('close', comm, data, [])
      },
      onMessage: (handler) => {
        open.message = handler
      },
      onClose: (handler) => {
        open.closed = handler
      },
    }
    const open: Open = { comm, cell }
    this.#open.set(id, open)
    return open
  }

  #send(
    action: CommMessage['action'],
    { id, target }: Comm,
    data: unknown,
    buffers: readonly Uint8Array[],
  ): void {
    const coded = buffers.map((bytes) => Buffer.from(bytes).toString('base64'))
    const cell = this.#around.cell()
    this.#around.send({
      type: 'comm',
      cell,
      action,
      comm: id,
      target,
      data: cleanJson(data),
      buffers: coded,
    })
  }
}
