// SPDX-License-Identifier: GPL-2.0-or-later
// The files that the language service sees: the one cell in hand, the declarations of earlier
// cells on demand, declaration texts from the session, and the disk.
import { statSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** The file in which the cell in hand stands, beside the notebook; no such file is on disk. */
export const cellFile = '.notebook-cell.ts'

/** This package: like the files of other packages, its own do not change while it runs. */
const ownPackage = fileURLToPath(new URL('../../', import.meta.url)).replaceAll('\\', '/')

/** Whether a file is one of a package, this one or another: it stays as it is. */
export function isOfPackage(path: string): boolean {
  return path.includes('/node_modules/') || path.startsWith(ownPackage)
}

/** Counts the texts of virtual files in all hosts: what is parsed is shared between them, by path and version. */
let texts = 0

/** Declarations of one cell: `cell-7.d.ts` beside the notebook, though no such file is on disk. */
interface Virtual {
  readonly text: string
  readonly version: string
}

/**
 * A language service host whose only roots are the cell in hand and the session's declaration
 * texts. A cell imports the earlier cells it needs, so a program holds those and no others: that is
 * why the thousandth cell costs what the tenth does.
 */
export class CellHost {
  readonly folder: string
  readonly #virtual = new Map<string, Virtual>()
  readonly #ambient: string[] = []
  readonly #snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>()
  /** What files of packages import, by file and specifier. */
  readonly #resolved = new Map<string, ts.ResolvedModuleWithFailedLookupLocations>()
  readonly #cell: string
  #version = 1

  /** `folder` is the notebook's: packages are found from there. */
  constructor(folder: string) {
    this.folder = folder
    this.#cell = this.path(cellFile)
    this.#put(this.#cell, '')
  }

  /** The path of a virtual file; it must lie in the real folder, or no package would be found. */
  path(name: string): string {
    return join(this.folder, name).replaceAll('\\', '/')
  }

  /**
   * Makes this text the root of the program, and returns its path. It is always the same path: ts-node keeps the last
   * output of each for ever, and TypeScript uses more of its last program again.
   */
  setCell(text: string): string {
    this.#put(this.#cell, text)
    return this.#cell
  }

  /** The text of the cell in hand is no longer needed. */
  dropCell(): void {
    this.#put(this.#cell, '')
  }

  /** Keeps the declarations of a cell that has been compiled, for others to import. */
  setDeclarations(name: string, text: string): void {
    this.#put(this.path(name), text)
  }

  /** Adds a declaration text to every program from now on; it is parsed once. */
  addAmbient(name: string, text: string): void {
    const path = this.path(name)
    this.#put(path, text)
    if (!this.#ambient.includes(path)) this.#ambient.push(path)
  }

  /** How many cells have declarations here. */
  get declarationCount(): number {
    return this.#virtual.size - this.#ambient.length - 1
  }

  /**
   * Forgets the declarations of all cells but those in `modules` (such as `./cell-7`) and those that they mention, and
   * so on: a type of an old cell may be part of what a newer one declares.
   */
  sweep(modules: Iterable<string>): void {
    const kept = new Set([this.#cell, ...this.#ambient])
    const waiting = [...modules]
    for (let module = waiting.pop(); module !== undefined; module = waiting.pop()) {
      const path = this.path(`${module}.d.ts`)
      const text = this.#virtual.get(path)?.text
      if (text === undefined || kept.has(path)) continue
      kept.add(path)
      for (const [, mentioned] of text.matchAll(/["'](\.\/[\w-]+)["']/g)) {
        if (mentioned !== undefined) waiting.push(mentioned)
      }
    }
    for (const path of this.#virtual.keys()) {
      if (kept.has(path)) continue
      this.#virtual.delete(path)
      this.#snapshots.delete(path)
    }
  }

  /** Forgets all cells, not the declaration texts. */
  clear(): void {
    for (const path of this.#virtual.keys()) {
      if (path !== this.#cell && !this.#ambient.includes(path)) this.#virtual.delete(path)
    }
    this.#version++
  }

  /**
   * The host for the language service, over the one that ts-node made. ts-node keeps every answer
   * about the disk for ever, which is wrong for a kernel that lives for days: a package installed
   * after a failed import would never be found. So the disk is asked anew.
   */
  over(base: ts.LanguageServiceHost): ts.LanguageServiceHost {
    const options = base.getCompilationSettings()
    const host: ts.LanguageServiceHost = {
      ...base,
      getProjectVersion: () => String(this.#version),
      getScriptFileNames: () => [this.#cell, ...this.#ambient],
      getScriptVersion: (path) => this.versionOf(path),
      getScriptSnapshot: (path) => this.#snapshotOf(path),
      readFile: (path, encoding) =>
        this.#virtual.get(path)?.text ?? ts.sys.readFile(path, encoding),
      fileExists: (path) => this.#virtual.has(path) || ts.sys.fileExists(path),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
      realpath: (path) => ts.sys.realpath?.(path) ?? path,
      resolveModuleNameLiterals: (literals, containing) => {
        const cache = ts.createModuleResolutionCache(this.folder, (name) => name, options)
        return literals.map((literal) =>
          this.#resolve(literal.text, containing, options, host, cache),
        )
      },
    }
    return host
  }

  #put(path: string, text: string): void {
    const old = this.#virtual.get(path)
    if (old?.text === text) return
    this.#version++
    this.#virtual.set(path, { text, version: String(++texts) })
  }

  #resolve(
    specifier: string,
    containing: string,
    options: ts.CompilerOptions,
    host: ts.ModuleResolutionHost,
    cache: ts.ModuleResolutionCache,
  ): ts.ResolvedModuleWithFailedLookupLocations {
    // Generated imports and the types that declaration emit writes name an earlier cell so.
    if (dirname(specifier) === '.' && specifier.startsWith('./')) {
      const path = this.path(`${basename(specifier)}.d.ts`)
      if (this.#virtual.has(path)) {
        return { resolvedModule: { resolvedFileName: path, extension: ts.Extension.Dts } }
      }
    }
    // A program that imports this library asks for hundreds of its modules anew each time.
    const asked = isOfPackage(containing) ? `${containing} ${specifier}` : undefined
    const known = asked === undefined ? undefined : this.#resolved.get(asked)
    if (known !== undefined) return known
    const found = ts.resolveModuleName(specifier, containing, options, host, cache)
    // What was not found may be installed later, except for Node's own modules.
    const stays = found.resolvedModule !== undefined || isBuiltin(specifier)
    if (asked !== undefined && stays) this.#resolved.set(asked, found)
    return found
  }

  /** The version of a file: another one when its text is another. */
  versionOf(path: string): string {
    const virtual = this.#virtual.get(path)
    if (virtual !== undefined) return virtual.version
    // Files of packages and of the compiler do not change under us; others are looked at each time.
    if (isOfPackage(path)) return '1'
    const state = statSync(path, { throwIfNoEntry: false })
    return state === undefined ? '' : `${state.mtimeMs} ${state.size}`
  }

  #snapshotOf(path: string): ts.IScriptSnapshot | undefined {
    const version = this.versionOf(path)
    const kept = this.#snapshots.get(path)
    if (kept?.version === version) return kept.snapshot
    const text = this.#virtual.get(path)?.text ?? ts.sys.readFile(path)
    if (text === undefined) return undefined
    const snapshot = ts.ScriptSnapshot.fromString(text)
    this.#snapshots.set(path, { version, snapshot })
    return snapshot
  }
}
