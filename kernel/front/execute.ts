// SPDX-License-Identifier: GPL-2.0-or-later
// The way of one cell: from its request over the compiler and the session to its reply.
import type { CellError, CommMessage, MimeBundle } from '../frames.ts'
import { type ExecuteRequest, isJsonObject, type JsonObject } from '../protocol/messages.ts'
import type { Ask } from './input.ts'
import type { Notebook } from './notebook.ts'
import type { End } from './session.ts'
import { type Help, readExit, readHelp } from './special.ts'

/** Publishes a side message of the request in hand. */
export type Publish = (
  msgType: string,
  content: JsonObject,
  buffers?: readonly Uint8Array[],
) => void

/** Reads the content of an execute_request; what is missing or of the wrong type is the default. */
export function readExecuteRequest(content: JsonObject): ExecuteRequest {
  const expressions = isJsonObject(content['user_expressions']) ? content['user_expressions'] : {}
  const silent = content['silent'] === true
  return {
    code: typeof content['code'] === 'string' ? content['code'] : '',
    silent,
    store_history: !silent && content['store_history'] !== false,
    user_expressions: Object.fromEntries(
      Object.entries(expressions).filter(
        (pair): pair is [string, string] => typeof pair[1] === 'string',
      ),
    ),
    allow_stdin: content['allow_stdin'] !== false,
    stop_on_error: content['stop_on_error'] !== false,
  }
}

/** Runs a cell to its end and returns the content of its reply. Without `ask` it cannot ask anybody. */
export async function execute(
  notebook: Notebook,
  request: ExecuteRequest,
  publish: Publish,
  ask: Ask = refuse,
): Promise<JsonObject> {
  const { code, silent } = request
  const cell = notebook.openCell(request)
  const execution_count = notebook.count
  if (!silent) publish('execute_input', { code, execution_count })

  notebook.onOutput(cell, (output) => {
    switch (output.type) {
      case 'stream':
        publish('stream', { name: output.name, text: output.text })
        break
      case 'display':
        publish(
          output.update === true ? 'update_display_data' : 'display_data',
          bundleContent(output, output.id),
        )
        break
      case 'clear':
        publish('clear_output', { wait: output.wait })
        break
      case 'comm': {
        const { action, comm, target, data } = output
        const content = {
          comm_id: comm,
          data,
          ...(action === 'open' ? { target_name: target } : {}),
        }
        publish(`comm_${action}`, content, buffersOf(output))
        break
      }
      case 'result':
        if (request.store_history) notebook.history.setOutput(execution_count, textOf(output))
        if (!silent) publish('execute_result', { ...bundleContent(output), execution_count })
        break
    }
  })
  const replied = { status: 'ok', execution_count, user_expressions: {} }
  const help = readHelp(code)
  if (help !== undefined) return { ...replied, payload: await pageOf(notebook, help, publish) }
  const { error } = await compileAndRun(notebook, 'run', cell, code, ask)
  // A variable of that name is the user's own, and is shown.
  if (error !== undefined && isUnknown(error, readExit(code))) {
    return { ...replied, payload: [{ source: 'ask_exit', keepkernel: false }] }
  }
  if (error !== undefined) {
    publish('error', { ...error })
    return { status: 'error', execution_count, ...error, user_expressions: {}, payload: [] }
  }
  const user_expressions: JsonObject = {}
  for (const [name, expression] of Object.entries(request.user_expressions)) {
    user_expressions[name] = await evaluate(notebook, expression)
  }
  return { ...replied, user_expressions, payload: [] }
}

/** What is known about a name, for the client's pager; clients without one show it below the cell. */
async function pageOf(notebook: Notebook, help: Help, publish: Publish): Promise<JsonObject[]> {
  let missing = `Nothing is known about ${help.name}.`
  try {
    const { found, data } = await notebook.inspect(help)
    if (found) return [{ source: 'page', data, start: 0 }]
  } catch (fault) {
    missing = faultError(fault).evalue
  }
  publish('stream', { name: 'stderr', text: `${missing}\n` })
  return []
}

function isUnknown({ evalue }: CellError, name: string | undefined): boolean {
  return name !== undefined && evalue.includes(`Cannot find name '${name}'`)
}

/** The two steps that every piece of code goes: checked and compiled, then run. */
async function compileAndRun(
  notebook: Notebook,
  type: 'run' | 'evaluate',
  cell: string,
  code: string,
  ask: Ask,
): Promise<Pick<End, 'error' | 'bundle'>> {
  try {
    const compiled = await notebook.compile(cell, code)
    if ('error' in compiled) return compiled
    const end = await notebook.run(type, cell, compiled.cell, ask)
    notebook.commit(cell, end)
    return end
  } catch (fault) {
    return { error: faultError(fault) }
  }
}

/** The value of one of the reply's user_expressions, or its error. */
async function evaluate(notebook: Notebook, expression: string): Promise<JsonObject> {
  const { error, bundle } = await compileAndRun(
    notebook,
    'evaluate',
    notebook.nextName('expression'),
    expression,
    refuse,
  )
  return error === undefined
    ? { status: 'ok', ...bundleContent(bundle ?? { data: {}, metadata: {} }) }
    : { status: 'error', ...error }
}

const refuse: Ask = () =>
  Promise.reject(
    new Error('there is nobody to ask: the client that runs this cell does not allow input'),
  )

/** Not the cell's fault: it was stopped before it ran, or a process of ours is gone. */
function faultError(fault: unknown): CellError {
  const { name, message } = fault instanceof Error ? fault : new Error(String(fault))
  return { ename: name, evalue: message, traceback: [`\u001b[31m${name}\u001b[39m: ${message}`] }
}

function bundleContent({ data, metadata }: MimeBundle, id?: string): JsonObject {
  return { data, metadata, transient: id === undefined ? {} : { display_id: id } }
}

function buffersOf({ buffers }: CommMessage): Uint8Array[] {
  return buffers.map((text) => Buffer.from(text, 'base64'))
}

function textOf({ data }: MimeBundle): string {
  const text = data['text/plain']
  return typeof text === 'string' ? text : ''
}
