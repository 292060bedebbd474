// SPDX-License-Identifier: GPL-2.0-or-later
// The connection file: where a kernel's five sockets listen and with which key messages are signed.
import { readFileSync } from 'node:fs'
import { type Channel, isJsonObject, type JsonObject } from './messages.ts'

/** What a connection file says, checked. Member names are the file's own. */
export interface ConnectionFile {
  readonly transport: 'tcp' | 'ipc'
  /** An address for tcp; the path before `-PORT` for ipc. */
  readonly ip: string
  readonly shell_port: number
  readonly control_port: number
  readonly iopub_port: number
  readonly stdin_port: number
  readonly hb_port: number
  /** Empty: messages are not signed. */
  readonly key: string
  /** Such as `hmac-sha256`. */
  readonly signature_scheme: string
  readonly kernel_name?: string
  /** CurveZMQ keys in Z85, 40 characters each. Both or none. */
  readonly curve_publickey?: string
  readonly curve_secretkey?: string
}

/** A connection file that cannot be used; the message names the file and the member. */
export class ConnectionFileError extends Error {
  override name = 'ConnectionFileError'
}

/** Reads and checks a connection file; throws a ConnectionFileError. */
export function readConnectionFile(path: string): ConnectionFile {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new ConnectionFileError(`cannot read connection file ${path}: ${reason}`, {
      cause: error,
    })
  }
  try {
    return checkConnection(value)
  } catch (error) {
    if (!(error instanceof ConnectionFileError)) throw error
    throw new ConnectionFileError(`connection file ${path}: ${error.message}`)
  }
}

/** Checks what a connection file holds, or a value made by a client; throws a ConnectionFileError. */
export function checkConnection(value: unknown): ConnectionFile {
  if (!isJsonObject(value)) throw new ConnectionFileError('not a JSON object')
  const transport = text(value, 'transport', 'tcp')
  if (transport !== 'tcp' && transport !== 'ipc') {
    throw new ConnectionFileError(`transport is "${transport}", only tcp and ipc are known`)
  }
  const publicKey = value['curve_publickey']
  const secretKey = value['curve_secretkey']
  return {
    transport,
    ip: text(value, 'ip', '127.0.0.1'),
    shell_port: port(value, 'shell_port'),
    control_port: port(value, 'control_port'),
    iopub_port: port(value, 'iopub_port'),
    stdin_port: port(value, 'stdin_port'),
    hb_port: port(value, 'hb_port'),
    key: text(value, 'key', ''),
    signature_scheme: text(value, 'signature_scheme', 'hmac-sha256'),
    ...(value['kernel_name'] === undefined ? {} : { kernel_name: text(value, 'kernel_name', '') }),
    ...(publicKey == null && secretKey == null
      ? {}
      : {
          curve_publickey: curveKey(publicKey, 'curve_publickey'),
          curve_secretkey: curveKey(secretKey, 'curve_secretkey'),
        }),
  }
}

/** The zeromq address of one of the five sockets. */
export function endpoint(connection: ConnectionFile, channel: Channel): string {
  const number = connection[`${channel}_port`]
  if (connection.transport === 'ipc') return `ipc://${connection.ip}-${number}`
  const host = connection.ip.includes(':') ? `[${connection.ip}]` : connection.ip
  return `tcp://${host}:${number}`
}

function text(object: JsonObject, member: string, fallback: string): string {
  const value = object[member] ?? fallback
  if (typeof value !== 'string') throw new ConnectionFileError(`${member} is not a string`)
  return value
}

function port(object: JsonObject, member: string): number {
  const value = object[member]
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 65535) {
    throw new ConnectionFileError(`${member} is ${JSON.stringify(value)}, not a port (1 to 65535)`)
  }
  return value
}

function curveKey(value: unknown, member: string): string {
  // Z85 (ZeroMQ RFC 32) writes the 32 bytes of a key as 40 characters.
  if (typeof value !== 'string' || value.length !== 40) {
    throw new ConnectionFileError(`${member} is not a Z85 key of 40 characters`)
  }
  return value
}
