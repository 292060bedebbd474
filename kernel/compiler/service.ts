// SPDX-License-Identifier: GPL-2.0-or-later
// ts-node and TypeScript's language service over one program: what checks a cell also completes it.
import { create, TSError } from 'ts-node'
import ts from 'typescript'
import { BoxUse } from './boxes.ts'
import type { NeighbourFile } from '../frames.ts'
import { CellHost, isOfPackage } from './host.ts'
import { parseLibraries } from './libraries.ts'
import { withNearMembers } from './members.ts'
import { type Expectation, type Misfit, misfits } from './misfits.ts'
import { Neighbours } from './neighbours.ts'
import { cellOptions, ignoredDiagnostics } from './options.ts'
import { rewriteCell } from './rewrite.ts'
import { compilerWith } from './shim.ts'

/**
 * The files of the standard library and of Node, parsed once for every program of this process. The startup snapshot
 * keeps them.
 */
const registry = keepPackages(ts.createDocumentRegistry())

/**
 * The same registry, which does not forget files of packages: else a cell without the API's names, between two with
 * them, would have its hundred declaration files parsed anew.
 */
function keepPackages(base: ts.DocumentRegistry): ts.DocumentRegistry {
  const held = new Set<string>()
  return {
    ...base,
    acquireDocumentWithKey(...given) {
      const [name, , , key] = given
      const file = `${key} ${name}`
      if (isOfPackage(name) && !held.has(file)) {
        // Counted once more than it is used.
        held.add(file)
        base.acquireDocumentWithKey(...given)
      }
      return base.acquireDocumentWithKey(...given)
    },
  }
}

/** What ts-node made of one cell. */
export type Compiled =
  | {
      /** The body of the cell's function. */
      readonly body: string
      /** Its source map as JSON. */
      readonly map: string
      readonly use: BoxUse
      /** The types of what the cell declares, for later cells. */
      readonly declarations: string
      /** Files beside the notebook that the session does not have yet. */
      readonly files: readonly NeighbourFile[]
      /** The expectations that the cell's names do not meet. */
      readonly misfits: readonly Misfit[]
    }
  | { readonly diagnostics: readonly ts.Diagnostic[] }

/** Compiles cells by ts-node in one folder, and gives out the language service behind it. */
export class CompilerService {
  readonly host: CellHost
  readonly neighbours: Neighbours
  readonly #compile: (code: string, fileName: string) => string
  #language: ts.LanguageService | undefined
  #languageHost: ts.LanguageServiceHost | undefined
  /** Length of the cell's own text in the file in hand; what follows is generated. */
  #ownLength = 0
  #use = new BoxUse()

  constructor(folder: string) {
    this.host = new CellHost(folder)
    this.neighbours = new Neighbours((path) => this.host.versionOf(path))
    const compiler = compilerWith((base) => this.#makeLanguageService(base))
    const service = create({
      cwd: folder,
      compiler,
      skipProject: true,
      pretty: false,
      compilerOptions: cellOptions(),
      ignoreDiagnostics: [...ignoredDiagnostics],
      transformers: (program) => ({
        before: [
          (context) => (source) =>
            rewriteCell(source, this.#ownLength, program.getTypeChecker(), context, this.#use),
        ],
      }),
    })
    this.#compile = (code, fileName) => service.compile(code, fileName)
  }

  /** The service whose root is the file that `host.setCell` was last given. */
  get language(): ts.LanguageService {
    if (this.#language === undefined) throw new Error('ts-node made no language service')
    return this.#language
  }

  /** The program behind `language`. */
  get program(): ts.Program {
    const program = this.language.getProgram()
    if (program === undefined) throw new Error('the language service has no program')
    return program
  }

  /** Does before the first cell what it would have to wait for, in steps of some milliseconds. */
  *parseLibraries(): Generator<string> {
    if (this.#languageHost !== undefined) yield* parseLibraries(registry, this.#languageHost)
  }

  /** Compiles the cell `code`; `suffix` is generated and `expectations` are looked at. */
  compile(code: string, suffix: string, expectations: readonly Expectation[]): Compiled {
    const path = this.host.setCell(code + suffix)
    this.#ownLength = code.length
    this.#use = new BoxUse()
    try {
      const output = this.#compile(code + suffix, path)
      const [emitted] = this.language.getEmitOutput(path, true, true).outputFiles
      const declarations = emitted?.text ?? ''
      const faults = this.neighbours.faults(this.program, path)
      if (faults.length > 0) return { diagnostics: faults }
      const files = this.neighbours.newFiles(this.program, path)
      const misfits = this.#misfits(path, declarations, expectations)
      return { ...splitMap(output), use: this.#use, declarations, files, misfits }
    } catch (error) {
      if (!(error instanceof TSError)) throw error
      // Where the text cannot be parsed, the rest is guessed from what was read.
      const unreadable = this.language.getSyntacticDiagnostics(path)
      if (unreadable.length > 0) return { diagnostics: unreadable }
      return { diagnostics: withNearMembers(this.program, path, error.diagnostics) }
    } finally {
      this.host.dropCell()
    }
  }

  #misfits(
    path: string,
    declarations: string,
    expectations: readonly Expectation[],
  ): readonly Misfit[] {
    if (expectations.length === 0) return []
    const source = this.program.getSourceFile(path)
    if (source === undefined) return []
    return misfits(this.program.getTypeChecker(), source, declarations, expectations)
  }

  /**
   * Faults in the generated suffix are not the user's, and where the text itself cannot be parsed
   * nothing is emitted, so that no half-read cell is rewritten.
   */
  #makeLanguageService(base: ts.LanguageServiceHost): ts.LanguageService {
    const host = this.host.over(base)
    this.#languageHost = host
    const service = ts.createLanguageService(host, registry)
    const language: ts.LanguageService = {
      ...service,
      getSemanticDiagnostics: (path) =>
        service
          .getSemanticDiagnostics(path)
          .filter(({ start }) => start === undefined || start <= this.#ownLength),
      getEmitOutput: (path, onlyTypes, force): ts.EmitOutput =>
        service.getSyntacticDiagnostics(path).length > 0
          ? { outputFiles: [], emitSkipped: true, diagnostics: [] }
          : service.getEmitOutput(path, onlyTypes, force),
    }
    this.#language = language
    return language
  }
}

/** ts-node appends the map as a comment; the emitter appends `export {}` to a module without exports. */
function splitMap(output: string): { body: string; map: string } {
  const marker = '\n//# sourceMappingURL=data:application/json;charset=utf-8;base64,'
  const at = output.lastIndexOf(marker)
  if (at < 0) throw new Error('ts-node gave no source map')
  return {
    body: output.slice(0, at).replace(/(^|\n)export \{\};\s*$/, '$1'),
    map: Buffer.from(output.slice(at + marker.length), 'base64').toString('utf8'),
  }
}
