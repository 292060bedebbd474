// SPDX-License-Identifier: GPL-2.0-or-later
// Modules beside the notebook, as the compiler made them: linked and run here, anew when edited.
import { createRequire } from 'node:module'
import { dirname, isAbsolute, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runInThisContext } from 'node:vm'
import type { NeighbourFile } from '../frames.ts'
import type { Load } from './loader.ts'
import type { Tracebacks } from './traceback.ts'

type Namespace = Record<string, unknown>
type Setter = (namespace: Namespace) => void

/** What a compiled module hands to `System.register`. */
type Declare = (
  exported: (name: string | Namespace, value?: unknown) => unknown,
  context: { readonly meta: unknown; readonly import: Load },
) => { readonly setters: readonly Setter[]; readonly execute: () => unknown }

/** One module: its values, and who is to be told of them. */
interface Module {
  readonly namespace: Namespace
  readonly setters: Setter[]
  readonly needs: Module[]
  execute: () => unknown
  /** Its linking, and after that its run; absent before. */
  linked?: Promise<void>
  run?: Promise<void>
  finished: boolean
}

/** Where the value of a name lies, shared by all cells that use the name. */
export interface Box {
  v: unknown
}

/** What a box got from a module. */
interface Kept {
  readonly exported: string | undefined
  readonly value: unknown
}

/** Endings that an import may leave out or write as what they are compiled to. */
const endings = ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json', '/index.ts', '/index.js']

/** The modules of one notebook's folder. Everything else is loaded by Node. */
export class Neighbours {
  readonly #folder: string
  readonly #native: Load
  readonly #tracebacks: Tracebacks
  readonly #files = new Map<string, NeighbourFile>()
  readonly #modules = new Map<string, Module>()
  /** By the path of a file what cells have imported from it. */
  readonly #kept = new Map<string, Map<Box, Kept>>()

  constructor(folder: string, native: Load, tracebacks: Tracebacks) {
    this.#folder = folder
    this.#native = native
    this.#tracebacks = tracebacks
  }

  /**
   * Takes new and edited files. They, and all modules that import them, are run again when they are asked for, and so
   * at once when cells have imported names from them: those get their new values.
   */
  async add(files: readonly NeighbourFile[]): Promise<void> {
    // What an interrupt left half done does not go on.
    for (const [path, { finished }] of this.#modules) if (!finished) this.#modules.delete(path)
    for (const file of files) {
      this.#files.set(file.path, file)
      if (file.map !== '') this.#tracebacks.add(file.path, file.map)
      this.#drop(this.#modules.get(file.path))
    }
    for (const [path, imports] of this.#kept) {
      if (this.#modules.has(path)) continue
      const namespace = (await this.load(path)) as Namespace
      for (const [box, { exported, value }] of imports) {
        // The name may have been declared again since.
        if (box.v === value) keepIn(imports, box, namespace, exported)
        else imports.delete(box)
      }
    }
  }

  /** Remembers which boxes hold what the module exports, or without a name the module itself. */
  readonly keep = (
    specifier: string,
    pairs: readonly (readonly [box: Box, exported?: string])[],
  ): void => {
    const file = this.#find(resolve(this.#folder, specifier))
    const module = file && this.#modules.get(file.path)
    if (file === undefined || module === undefined) return
    const imports = this.#kept.get(file.path) ?? new Map<Box, Kept>()
    this.#kept.set(file.path, imports)
    for (const [box, exported] of pairs) keepIn(imports, box, module.namespace, exported)
  }

  /** The `import` of cells. */
  readonly load: Load = (specifier, options) =>
    this.#load(specifier, resolve(this.#folder, 'notebook.ts'), options)

  async #load(specifier: string, from: string, options?: ImportCallOptions): Promise<unknown> {
    const path = pathOf(specifier, from)
    const file = path === undefined ? undefined : this.#find(path)
    if (file !== undefined) {
      const module = await this.#link(file)
      await this.#run(module, new Set())
      return module.namespace
    }
    // Relative to the module, not to the notebook.
    const target = path === undefined ? specifier : pathToFileURL(path).href
    return this.#native(target, options)
  }

  #find(path: string): NeighbourFile | undefined {
    const bare = path.replace(/\.([cm]?)js$/, '')
    const written = path.endsWith('.mjs') ? ['.mts'] : ['.ts', '.tsx']
    for (const one of [
      path,
      ...(bare === path ? [] : written.map((ending) => bare + ending)),
      ...endings.map((ending) => path + ending),
    ]) {
      const file = this.#files.get(one)
      if (file !== undefined) return file
    }
    return undefined
  }

  async #link(file: NeighbourFile): Promise<Module> {
    // Whoever imports in a circle comes by while the first is still linking: not awaited.
    const known = this.#modules.get(file.path)
    if (known !== undefined) return known
    const module = newModule()
    this.#modules.set(file.path, module)
    module.linked = Promise.resolve().then(() => this.#declare(file, module))
    try {
      await module.linked
    } catch (error) {
      this.#drop(module)
      throw error
    }
    return module
  }

  async #declare(file: NeighbourFile, module: Module): Promise<void> {
    if (file.form !== 'module') {
      module.execute = () => {
        const value = file.form === 'json' ? (JSON.parse(file.js) as unknown) : required(file.path)
        Object.assign(module.namespace, typeof value === 'object' ? value : {}, { default: value })
      }
      return
    }
    const declared: { needs: readonly string[]; declare: Declare }[] = []
    const system = {
      register: (needs: readonly string[], declare: Declare) => declared.push({ needs, declare }),
    }
    const made: unknown = runInThisContext(`(function (System) {\n${file.js}\n})`, {
      filename: file.path,
      lineOffset: -1,
    })
    ;(made as (given: typeof system) => void)(system)
    const [register] = declared
    if (register === undefined) throw new Error(`${file.path} was not compiled as a module`)
    const { setters, execute } = register.declare(
      (name, value) => {
        Object.assign(module.namespace, typeof name === 'string' ? { [name]: value } : name)
        for (const set of module.setters) set(module.namespace)
        return value
      },
      {
        meta: {
          url: pathToFileURL(file.path).href,
          dirname: dirname(file.path),
          filename: file.path,
        },
        import: (specifier, options) => this.#load(specifier, file.path, options),
      },
    )
    module.execute = execute
    for (const [i, specifier] of register.needs.entries()) {
      const set = setters[i] ?? (() => undefined)
      const path = pathOf(specifier, file.path)
      const needed = path === undefined ? undefined : this.#find(path)
      if (needed === undefined) set((await this.#load(specifier, file.path)) as Namespace)
      else {
        const other = await this.#link(needed)
        module.needs.push(other)
        other.setters.push(set)
        set(other.namespace)
      }
    }
  }

  /** Runs a module after those that it needs, once. `above` are the ones that wait for it. */
  async #run(module: Module, above: ReadonlySet<Module>): Promise<void> {
    if (above.has(module)) return
    await module.linked
    module.run ??= (async () => {
      for (const needed of module.needs) await this.#run(needed, new Set([...above, module]))
      await module.execute()
      for (const set of module.setters) set(module.namespace)
      module.finished = true
    })()
    try {
      await module.run
    } catch (error) {
      this.#drop(module)
      throw error
    }
  }

  /** Forgets a module and all that import it. */
  #drop(module: Module | undefined): void {
    if (module === undefined) return
    for (const [path, one] of this.#modules) {
      if (one === module) this.#modules.delete(path)
    }
    for (const one of [...this.#modules.values()]) if (one.needs.includes(module)) this.#drop(one)
  }
}

function keepIn(
  imports: Map<Box, Kept>,
  box: Box,
  namespace: Namespace,
  exported: string | undefined,
): void {
  const value = exported === undefined ? namespace : namespace[exported]
  box.v = value
  imports.set(box, { exported, value })
}

function newModule(): Module {
  return { namespace: {}, setters: [], needs: [], execute: () => undefined, finished: false }
}

/** The file that a specifier means, where it means one. */
function pathOf(specifier: string, from: string): string | undefined {
  if (specifier.startsWith('file:')) return fileURLToPath(specifier)
  if (/^\.\.?(\/|$)/.test(specifier)) return resolve(dirname(from), specifier)
  return isAbsolute(specifier) ? specifier : undefined
}

/** A CommonJS file, read again. */
function required(path: string): unknown {
  const require = createRequire(path)
  Reflect.deleteProperty(require.cache, path)
  return require(path) as unknown
}
