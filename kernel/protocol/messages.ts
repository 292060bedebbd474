// SPDX-License-Identifier: GPL-2.0-or-later
// The shapes of Jupyter messages, as the messaging specification 5.4 names them.
import { randomUUID } from 'node:crypto'

/** The version of the messaging specification that this kernel speaks on the wire. */
export const protocolVersion = '5.4'

/** The five sockets of a kernel. */
export type Channel = 'shell' | 'control' | 'iopub' | 'stdin' | 'hb'

/** A JSON object whose members are not looked at here. */
export type JsonObject = Record<string, unknown>

/** Who sent a message, when, and of what type. Replies carry the request's header back whole. */
export interface Header {
  readonly msg_id: string
  readonly msg_type: string
  readonly session: string
  readonly username: string
  /** ISO 8601 with a zone. */
  readonly date: string
  readonly version: string
  /** Further members that a client sent, such as `subshell_id`. */
  readonly [member: string]: unknown
}

/** One message without its way: what both ends of a socket mean by it. */
export interface Message {
  readonly header: Header
  /** The header of the request that caused this message, or `{}` when nothing did. */
  readonly parent_header: Header | JsonObject
  readonly metadata: JsonObject
  readonly content: JsonObject
  /** Binary parts. They are not signed. */
  readonly buffers: readonly Uint8Array[]
}

/** A message with the routing frames that a ROUTER socket put before it; a reply returns them. */
export interface RoutedMessage extends Message {
  readonly identities: readonly Uint8Array[]
}

/** What a request to run a cell holds, with the defaults of the specification filled in. */
export interface ExecuteRequest {
  readonly code: string
  readonly silent: boolean
  readonly store_history: boolean
  readonly user_expressions: Readonly<Record<string, string>>
  readonly allow_stdin: boolean
  readonly stop_on_error: boolean
}

/** An error as `error` messages and error replies carry it. */
export interface ErrorContent {
  readonly ename: string
  readonly evalue: string
  /** Lines for a terminal; they may hold ANSI colours. */
  readonly traceback: readonly string[]
}

/** Makes the header of a new message of type `msgType` sent by `session`, with an id of its own. */
export function makeHeader(msgType: string, session: string, username = 'kernel'): Header {
  return {
    msg_id: randomUUID(),
    msg_type: msgType,
    session,
    username,
    date: new Date().toISOString(),
    version: protocolVersion,
  }
}

/** Whether `value` is a JSON object: not null and not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether `value` has the members of a header that routing and signing rely on. */
export function isHeader(value: unknown): value is Header {
  return (
    isJsonObject(value) &&
    typeof value['msg_id'] === 'string' &&
    typeof value['msg_type'] === 'string' &&
    typeof value['session'] === 'string'
  )
}
