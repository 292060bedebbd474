// SPDX-License-Identifier: GPL-2.0-or-later
// From a cell's text to a function that the session can run, and the names that live on.
import type { ApiName, CompileResult, DeclarationText, NeighbourFile } from '../frames.ts'
import { boxName, type BoxUse } from './boxes.ts'
import { type CellText, readCellText } from './celltext.ts'
import { compileError } from './diagnostics.ts'
import { LiveNames, suffixOf } from './names.ts'
import { CompilerService } from './service.ts'
import { KnownNames } from './knownnames.ts'
import { expectedImports } from './misfits.ts'
import { Users } from './users.ts'
import { webAssemblyTypes } from './webassembly.ts'

/** Types longer than this are not kept: later cells see the cell's names as `any`. */
const longestDeclarations = 256 * 1024

/** So many cells' declarations may come to be before it is looked which are still wanted. */
const sweepEvery = 50

/** A cell between its compilation and its end. */
interface Pending {
  readonly text: CellText
  readonly declarations: string
  readonly use: BoxUse
  readonly files: readonly NeighbourFile[]
}

/** The state of one notebook: which names live, and the program that checks the next cell. */
export class Compiler {
  readonly service: CompilerService
  readonly live = new LiveNames()
  readonly dumpNames = new KnownNames()
  /** Compiled and perhaps running; not yet live. */
  readonly #pending = new Map<string, Pending>()
  readonly #users = new Users(this.live)
  #sweepAt = sweepEvery

  /** `folder` is the notebook's: imports are looked up from there. */
  constructor(folder: string) {
    this.service = new CompilerService(folder)
    this.service.host.addAmbient('webassembly.d.ts', webAssemblyTypes)
  }

  setApi(names: readonly ApiName[]): void {
    this.live.setApi(names)
  }

  /** Makes a text of declarations part of every later cell's program, and names known for completion. */
  declare({ name, text, known }: DeclarationText): void {
    if (text !== '') this.service.host.addAmbient(name, text)
    if (known !== undefined) this.dumpNames.add(known)
  }

  /** Checks and compiles a cell. Nothing lives on from it before `commit`. */
  compile(cell: string, code: string): CompileResult {
    const text = readCellText(code, `${cell}.ts`)
    const expectations = this.#users.expectations(text)
    const suffix = suffixOf(text, this.live) + expectedImports(expectations)
    const compiled = this.service.compile(code, suffix, expectations)
    if ('diagnostics' in compiled) {
      return { error: compileError(compiled.diagnostics, cell, code, this.live) }
    }
    const { body, map, use, files } = compiled
    const boxes = [...use.names]
    const tooLong = compiled.declarations.length > longestDeclarations
    const declarations = tooLong ? untyped(text) : compiled.declarations
    this.#pending.set(cell, { text, declarations, use, files })
    // The body begins on a line of its own, so that its lines are those of the source map.
    const parameters = ['$cell', ...boxes.map(boxName)].join(', ')
    const sent = files.length > 0 ? { files } : {}
    return {
      cell: {
        js: `(async function (${parameters}) { "use strict";\n${body}\n})`,
        map,
        boxes,
        ...sent,
      },
      warnings:
        this.#users.warnings(text, expectations, compiled.misfits) +
        (tooLong ? `The types of ${cell} are too large to keep; its names are any.\n` : ''),
      links: { declares: [...text.declared.keys()], needs: this.live.cellsOf(text) },
    }
  }

  /** Lets the cell's names live: all of them, or after an error those that were reached. */
  commit(cell: string, reached?: readonly string[]): void {
    const pending = this.#pending.get(cell)
    this.#pending.clear()
    if (pending === undefined) return
    const { text, declarations, use, files } = pending
    this.service.neighbours.sent(files)
    const names = [...text.declared].filter(
      ([name, kind]) => reached === undefined || kind === 'type' || reached.includes(name),
    )
    if (names.length === 0) return
    this.service.host.setDeclarations(`${cell}.d.ts`, declarations)
    this.#users.add(cell, names, use)
    this.live.add(cell, names)
    if (this.service.host.declarationCount > this.#sweepAt) this.#sweep()
  }

  /** Lets go of the types of cells of which nothing lives any more. */
  #sweep(): void {
    const { host } = this.service
    host.sweep([...this.live.modules(), ...this.#users.modules()])
    this.#sweepAt = host.declarationCount + sweepEvery
  }

  /** The session's values are gone: so are the names. */
  forget(): void {
    this.#pending.clear()
    this.live.forget()
    this.#users.forget()
    this.dumpNames.forget()
    this.service.neighbours.forget()
    this.service.host.clear()
  }
}

function untyped(text: CellText): string {
  return [...text.declared.keys()]
    .map((name) => `export declare const ${name}: any;\nexport type ${name} = any;`)
    .join('\n')
}
