// SPDX-License-Identifier: GPL-2.0-or-later
// Turns the messages that a kernel publishes into the outputs of a notebook's cells.
import { isJsonObject, type JsonObject } from '../protocol/messages.ts'
import { type CodeCell, type Output } from './notebook.ts'

/** The members of a published message that outputs are made of. */
export interface Published {
  readonly header: { readonly msg_type: string }
  readonly parent_header: object
  readonly content: unknown
}

/**
 * Keeps the outputs of all cells of a run. A message belongs to the cell whose request it answers,
 * also when it comes late. Pieces of one stream are joined; a display that has an id is changed
 * wherever it stands; `clear_output` with `wait` clears when the next output comes.
 */
export class OutputRecorder {
  readonly #cells = new Map<string, CodeCell>()
  readonly #displays = new Map<string, Output[]>()
  readonly #toClear = new Set<CodeCell>()
  readonly #onOutput: (output: Output) => void

  /** `onOutput` gets each output as it comes, a stream's pieces one by one. */
  constructor(onOutput: (output: Output) => void = () => undefined) {
    this.#onOutput = onOutput
  }

  /** From now on, what is published in answer to request `msgId` is an output of `cell`. */
  begin(msgId: string, cell: CodeCell): void {
    this.#cells.set(msgId, cell)
  }

  /** Takes any message from iopub; those that are no outputs of a known cell change nothing. */
  take({ header, parent_header: parent, content }: Published): void {
    const id: unknown = 'msg_id' in parent ? parent.msg_id : undefined
    const cell = typeof id === 'string' ? this.#cells.get(id) : undefined
    if (cell === undefined || !isJsonObject(content)) return
    switch (header.msg_type) {
      case 'execute_input':
        cell.execution_count = count(content['execution_count'])
        break
      case 'clear_output':
        if (content['wait'] === true) this.#toClear.add(cell)
        else cell.outputs.length = 0
        break
      case 'update_display_data':
        this.#update(content)
        break
      case 'stream':
      case 'display_data':
      case 'execute_result':
      case 'error':
        this.#append(cell, toOutput(header.msg_type, content), content)
        break
      default:
    }
  }

  #append(cell: CodeCell, output: Output, content: JsonObject): void {
    if (this.#toClear.delete(cell)) cell.outputs.length = 0
    this.#onOutput(output)
    const last = cell.outputs.at(-1)
    if (
      output.output_type === 'stream' &&
      last?.output_type === 'stream' &&
      last.name === output.name
    ) {
      last.text += output.text
      return
    }
    cell.outputs.push(output)
    const id = displayId(content)
    if (id === undefined) return
    this.#update(content)
    this.#displays.set(id, [...(this.#displays.get(id) ?? []), output])
  }

  #update(content: JsonObject): void {
    const id = displayId(content)
    for (const output of id === undefined ? [] : (this.#displays.get(id) ?? [])) {
      if (output.output_type !== 'display_data' && output.output_type !== 'execute_result') continue
      output.data = object(content['data'])
      output.metadata = object(content['metadata'])
    }
  }
}

function toOutput(
  type: 'stream' | 'display_data' | 'execute_result' | 'error',
  content: JsonObject,
): Output {
  const data = object(content['data'])
  const metadata = object(content['metadata'])
  switch (type) {
    case 'stream':
      return { output_type: type, name: text(content['name']), text: text(content['text']) }
    case 'display_data':
      return { output_type: type, data, metadata }
    case 'execute_result':
      return {
        output_type: type,
        data,
        metadata,
        execution_count: count(content['execution_count']),
      }
    case 'error':
      return {
        output_type: type,
        ename: text(content['ename']),
        evalue: text(content['evalue']),
        traceback: Array.isArray(content['traceback']) ? content['traceback'].map(text) : [],
      }
  }
}

function displayId(content: JsonObject): string | undefined {
  const id = object(content['transient'])['display_id']
  return typeof id === 'string' ? id : undefined
}

function count(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function object(value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}
