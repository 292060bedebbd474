// SPDX-License-Identifier: GPL-2.0-or-later
// Files beside the notebook that a cell imports: checked with it, and compiled for the session.
import ts from 'typescript'
import type { NeighbourFile } from '../frames.ts'

/** The files of one notebook's folder, each compiled once for as long as it is not edited. */
export class Neighbours {
  readonly #versionOf: (path: string) => string
  readonly #compiled = new Map<string, NeighbourFile>()
  /** What the session has, by path. */
  readonly #sent = new Map<string, string>()
  /** The paths and versions that were free of faults. */
  #sound = ''

  constructor(versionOf: (path: string) => string) {
    this.#versionOf = versionOf
  }

  /** The faults of all files that the cell at `path` reaches; none again while none is edited. */
  faults(program: ts.Program, path: string): readonly ts.Diagnostic[] {
    const sources = neighboursOf(program, path)
    const key = sources.map((source) => `${source.fileName} ${this.#version(source)}`).join('\n')
    if (key === this.#sound) return []
    const faults = sources.flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source).filter(({ code }) => code !== importsTs),
    ])
    if (faults.length === 0) this.#sound = key
    return faults
  }

  /** The files that the cell at `path` reaches and that the session does not have as they are now. */
  newFiles(program: ts.Program, path: string): NeighbourFile[] {
    return neighboursOf(program, path)
      .filter((source) => this.#sent.get(source.fileName) !== this.#version(source))
      .map((source) => this.#file(source))
  }

  /** The session has run with these files. */
  sent(files: readonly NeighbourFile[]): void {
    for (const { path, version } of files) this.#sent.set(path, version)
  }

  /** There is another session, which has none. */
  forget(): void {
    this.#sent.clear()
  }

  #version({ fileName }: ts.SourceFile): string {
    return this.#versionOf(fileName)
  }

  #file(source: ts.SourceFile): NeighbourFile {
    const path = source.fileName
    const version = this.#version(source)
    const known = this.#compiled.get(path)
    if (known?.version === version) return known
    const file = { path, version, ...compiled(source) }
    this.#compiled.set(path, file)
    return file
  }
}

/** An import path that ends in `.ts`: no fault, since it is we who load it. */
const importsTs = 5097

/** What is neither the cell, nor declarations, nor part of a package. */
function neighboursOf(program: ts.Program, path: string): ts.SourceFile[] {
  return program
    .getSourceFiles()
    .filter(
      ({ fileName, isDeclarationFile }) =>
        fileName !== path && !isDeclarationFile && !fileName.includes('/node_modules/'),
    )
}

/** TypeScript calls this form of modules deprecated; no other that scripts can link may await. */
const { options: linkable } = ts.convertCompilerOptionsFromJson(
  {
    target: 'es2023',
    module: 'system',
    ignoreDeprecations: '6.0',
    sourceMap: true,
    inlineSources: true,
    allowJs: true,
    esModuleInterop: true,
  },
  '',
)

/**
 * The code of a file, in the form that the session can link by itself: a module that lies nowhere
 * on the disk as JavaScript cannot be given to Node's own loader. CommonJS stays as it is.
 */
function compiled(source: ts.SourceFile): Pick<NeighbourFile, 'form' | 'js' | 'map'> {
  const { fileName, text } = source
  if (fileName.endsWith('.json')) return { form: 'json', js: text, map: '' }
  const isScript = /\.c?js$/.test(fileName) && !hasModuleSyntax(fileName, text)
  if (isScript) return { form: 'commonjs', js: '', map: '' }
  const { outputText, sourceMapText = '' } = ts.transpileModule(text, {
    fileName,
    compilerOptions: linkable,
  })
  return {
    form: 'module',
    js: outputText.replace(/\n\/\/# sourceMappingURL=.*\s*$/, ''),
    map: sourceMapText,
  }
}

/** Whether a text can only be a module; the program itself takes every file for one. */
function hasModuleSyntax(fileName: string, text: string): boolean {
  return ts.isExternalModule(ts.createSourceFile(fileName, text, ts.ScriptTarget.ES2023))
}
