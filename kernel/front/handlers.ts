// SPDX-License-Identifier: GPL-2.0-or-later
// The table of requests other than running a cell: message type to function.
import { setTimeout } from 'node:timers/promises'
import type { CommMessage } from '../frames.ts'
import type { JsonObject } from '../protocol/messages.ts'
import { kernelInfo } from './kernelinfo.ts'
import type { Notebook } from './notebook.ts'
import { readHelp } from './special.ts'

/** What a handler may use. */
export interface Handling {
  readonly notebook: Notebook
  readonly channel: 'shell' | 'control'
  /** Binary parts of the request. */
  readonly buffers: readonly Uint8Array[]
  /** Publishes on iopub in the request's name. */
  readonly publish: (msgType: string, content: JsonObject) => void
  /** Ends the kernel once the request in hand is answered. */
  readonly shutdown: () => void
}

/** Answers a request; what it returns is the content of the reply, nothing where none is due. */
export type Handler = (
  content: JsonObject,
  handling: Handling,
) => JsonObject | undefined | Promise<JsonObject | undefined>

/**
 * Whoever presses Enter waits for the answer. `jupyter console` waits for a second and never asks again after that; told
 * that it is unknown, it runs the line.
 */
const isCompleteMs = 800

/** Every request is answered on the socket it came from; `_reply` takes the place of `_request`. */
export const handlers: Readonly<Record<string, Handler>> = {
  kernel_info_request: () => kernelInfo(),

  complete_request: async (content, { notebook }) => {
    const { code, cursor } = placeOf(content)
    const { completion } = await notebook.compiler.ask({ type: 'complete', code, cursor })
    const { matches = [], start = cursor, end = cursor, types = [] } = completion ?? {}
    const metadata = {
      _jupyter_types_experimental: types.map((one) => ({ ...one, start, end })),
    }
    return { status: 'ok', matches, cursor_start: start, cursor_end: end, metadata }
  },

  inspect_request: async (content, { notebook }) => {
    const detail = content['detail_level'] === 1 ? 1 : 0
    const question = { type: 'inspect' as const, ...placeOf(content), detail }
    const { inspection } = await notebook.compiler.ask(question)
    const { found = false, data = {} } = inspection ?? {}
    return { status: 'ok', found, data, metadata: {} }
  },

  is_complete_request: async (content, { notebook }) => {
    const { code } = placeOf(content)
    if (readHelp(code) !== undefined) return { status: 'complete', indent: '' }
    const asked = notebook.compiler.ask({ type: 'is_complete', code })
    const late = setTimeout(isCompleteMs, {}, { ref: false })
    const { completeness }: Partial<Awaited<typeof asked>> = await Promise.race([asked, late])
    return { status: completeness?.status ?? 'unknown', indent: completeness?.indent ?? '' }
  },

  history_request: (content, { notebook }) => ({
    status: 'ok',
    history: notebook.history.answer(content),
  }),

  comm_info_request: (content, { notebook }) => ({
    status: 'ok',
    comms: notebook.comms.list(content['target_name']),
  }),

  comm_open: passToComm('open'),
  comm_msg: passToComm('msg'),
  comm_close: passToComm('close'),

  interrupt_request: (_content, { notebook }) => {
    notebook.interrupt()
    return { status: 'ok' }
  },

  shutdown_request: (content, { publish, shutdown }) => {
    const reply = { status: 'ok', restart: content['restart'] === true }
    publish('shutdown_reply', reply)
    shutdown()
    return reply
  },
}

/** To the session, if the comm is known there; else it is closed, by whoever is asked (the specification). */
function passToComm(action: CommMessage['action']): Handler {
  return (content, { notebook, buffers, publish }) => {
    const { comm_id: comm, target_name: target = '', data = {} } = content
    if (typeof comm !== 'string' || typeof target !== 'string') return undefined
    const known = notebook.passComm({
      action,
      comm,
      target,
      data,
      buffers: buffers.map((bytes) => Buffer.from(bytes).toString('base64')),
    })
    if (!known && action !== 'close') publish('comm_close', { comm_id: comm, data: {} })
    return undefined
  }
}

function placeOf(content: JsonObject): { code: string; cursor: number } {
  const code = typeof content['code'] === 'string' ? content['code'] : ''
  const cursor = content['cursor_pos']
  return { code, cursor: typeof cursor === 'number' ? Math.max(0, cursor) : code.length }
}
