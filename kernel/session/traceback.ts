// SPDX-License-Identifier: GPL-2.0-or-later
// Thrown values as the notebook shows them: in the lines of the cell's TypeScript, without the
// frames of the kernel.
import { SourceMap, type SourceMapPayload } from 'node:module'
import { inspect, stripVTControlCharacters } from 'node:util'
import type { CellError } from '../frames.ts'

interface Place {
  readonly file: string
  /** From 1, as a reader counts. */
  readonly line: number
  readonly column: number
}

/** How many causes of causes are followed. */
const deepest = 5
/** Source maps that are kept decoded: one takes ten times the room of its text. */
const mostDecoded = 20
/** Characters of source maps that are kept. A cell of ten lines has one of about 1,500. */
const longestMaps = 32 * 1024 * 1024
/** A cell, and no file on the disk. */
const cellName = /^[\w-]+-\d+\.ts$/
/** How many frames are shown of one error. A recursion has thousands. */
const mostFrames = 10

// Two colours that are seen on light and on dark; JupyterLab's gray is not.
const red = (text: string): string => `\u001b[31m${text}\u001b[39m`
const cyan = (text: string): string => `\u001b[36m${text}\u001b[39m`

/**
 * The maps of cells that have run: an old cell's function may throw much later. There is no way to
 * learn that no function of a cell is left, so what bounds them is their size: some 20,000 cells.
 * Of a cell before those, the name is told and no line, rather than a wrong one.
 */
export class Tracebacks {
  readonly #maps = new Map<string, string>()
  readonly #decoded = new Map<string, SourceMap>()
  readonly #hidden: readonly string[]
  readonly #longest: number
  /** Characters of all maps. */
  #length = 0

  /** Frames whose file begins with one of `hidden` are the kernel's own and not shown. */
  constructor(hidden: readonly string[], longest = longestMaps) {
    this.#longest = longest
    this.#hidden = ['node:', ...hidden]
  }

  /** Keeps the source map of `FILE` (such as `cell-7.ts`); it is decoded when first needed. */
  add(file: string, map: string): void {
    this.#drop(file)
    this.#maps.set(file, map)
    this.#length += map.length
    for (const oldest of this.#maps.keys()) {
      if (this.#length <= this.#longest || oldest === file) break
      this.#drop(oldest)
    }
  }

  #drop(file: string): void {
    this.#length -= this.#maps.get(file)?.length ?? 0
    this.#maps.delete(file)
    this.#decoded.delete(file)
  }

  /** The cell whose code was the first on the way to the error, if the stack names one. */
  cellOf(thrown: unknown): string | undefined {
    try {
      const stack = thrown instanceof Error ? String(thrown.stack) : ''
      const files = Array.from(stack.matchAll(/[ (]([\w-]+\.ts):\d+:\d+\)?$/gm), ([, file]) => file)
      return files.findLast((file) => file !== undefined && this.#maps.has(file))?.slice(0, -3)
    } catch {
      return undefined
    }
  }

  /** What to show for a thrown value; a hostile value (a throwing getter) is shown as what it can. */
  describe(thrown: unknown): CellError {
    try {
      if (thrown instanceof Error) return this.#describeError(thrown)
    } catch (error) {
      return plain('Error', `an error that cannot be read: ${String(error)}`)
    }
    return plain('Thrown', inspect(thrown, { depth: 2 }))
  }

  #describeError(error: Error): CellError {
    const traceback = this.#lines(error)
    let cause = error.cause
    for (let depth = 0; cause !== undefined && depth < deepest; depth++) {
      // Errors of ours end with what the system said: once is enough.
      if (cause instanceof Error && cause.message !== '' && error.message.includes(cause.message))
        break
      traceback.push('', 'Caused by:')
      if (!(cause instanceof Error)) {
        traceback.push(inspect(cause, { depth: 2 }))
        break
      }
      traceback.push(...this.#lines(cause))
      cause = cause.cause
    }
    return { ename: error.name, evalue: error.message, traceback }
  }

  #lines(error: Error): string[] {
    const heading = `${red(error.name)}: ${error.message}`
    const frames = this.#frames(error)
    const [cell] = frames.flatMap(({ place }) => place ?? [])
    const more = frames.length - mostFrames
    return [
      heading,
      ...(cell === undefined ? [] : this.#codeFrame(cell)),
      ...frames.slice(0, mostFrames).map(({ text }) => text),
      ...(more > 0 ? [`    ... ${more} more`] : []),
    ]
  }

  /** The frames of the stack that are the user's, with places of cells in their TypeScript. */
  #frames(error: Error): { text: string; place?: Place }[] {
    const stack = typeof error.stack === 'string' ? stripVTControlCharacters(error.stack) : ''
    return stack
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .flatMap((line) => {
        const found = /^\s+at (?:(.*) \()?(.*?):(\d+):(\d+)\)?$/.exec(line)
        if (found === null) return []
        const [, name, file = '', lineText, columnText] = found
        const path = file.replace(/^file:\/\//, '').replace(/^async /, '')
        const isOurs = this.#hidden.some((prefix) => path.startsWith(prefix))
        if (isOurs && !this.#maps.has(path)) return []
        const place = this.#original({
          file: path,
          line: Number(lineText),
          column: Number(columnText),
        })
        const at = place ?? { file: path, line: Number(lineText), column: Number(columnText) }
        const isForgotten = place === undefined && cellName.test(path) && !this.#maps.has(path)
        const where = isForgotten
          ? `${cyan(path)}, too long ago to tell the line`
          : `${cyan(at.file)}:${at.line}:${at.column}`
        const text = `    at ${name === undefined ? where : `${name} (${where})`}`
        return [place === undefined ? { text } : { text, place }]
      })
  }

  /** Where generated code of a cell stood in its TypeScript. */
  #original(generated: Place): Place | undefined {
    const map = this.#mapOf(generated.file)
    const entry = map?.findEntry(generated.line - 1, generated.column - 1)
    if (entry === undefined || !('originalLine' in entry)) return undefined
    return {
      file: generated.file,
      line: entry.originalLine + 1,
      column: entry.originalColumn + 1,
    }
  }

  #mapOf(file: string): SourceMap | undefined {
    const decoded = this.#decoded.get(file)
    const json = this.#maps.get(file)
    if (decoded !== undefined || json === undefined) return decoded
    const map = new SourceMap(JSON.parse(json) as SourceMapPayload)
    this.#decoded.set(file, map)
    for (const oldest of this.#decoded.keys()) {
      if (this.#decoded.size <= mostDecoded) break
      this.#decoded.delete(oldest)
    }
    return map
  }

  #codeFrame({ file, line, column }: Place): string[] {
    const source = this.#mapOf(file)?.payload.sourcesContent[0]
    const text = source?.split('\n')[line - 1]
    if (text === undefined) return []
    const gutter = String(line).padStart(4)
    const lead = text.slice(0, column - 1).replace(/[^\t]/g, ' ')
    return [`${gutter} │ ${text}`, `     │ ${lead}${red('^')}`]
  }
}

function plain(ename: string, evalue: string): CellError {
  return { ename, evalue, traceback: [`${red(ename)}: ${evalue}`] }
}
