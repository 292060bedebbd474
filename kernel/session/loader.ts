// SPDX-License-Identifier: GPL-2.0-or-later
// How a cell's imports are loaded: by Node's own loader, as if from a module in the notebook's folder.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { constants, runInThisContext } from 'node:vm'

/** Loads a module for a cell; the options are those of dynamic `import`. */
export type Load = (specifier: string, options?: ImportCallOptions) => Promise<unknown>

/**
 * Makes the `import` of cells. The one line runs as a script whose file would lie in `folder`, so
 * packages, ESM-only ones too, and relative paths are found from there and not from the kernel.
 */
export function makeLoad(folder: string): Load {
  const load: unknown = runInThisContext('(specifier, options) => import(specifier, options)', {
    filename: join(folder, 'notebook.mjs'),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  return load as Load
}

/** What `import.meta` is in a cell. */
export function cellMeta(folder: string): Readonly<Record<string, string>> {
  const filename = join(folder, 'notebook.ts')
  return Object.freeze({ url: pathToFileURL(filename).href, dirname: folder, filename })
}

/** The names that Node's types promise in every file: `require` and where the file would lie. */
export function defineNodeNames(folder: string): void {
  const filename = join(folder, 'notebook.ts')
  const names = { require: createRequire(filename), __dirname: folder, __filename: filename }
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
  }
}
