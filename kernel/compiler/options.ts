// SPDX-License-Identifier: GPL-2.0-or-later
// The compiler settings of every cell.
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'

const packages = createRequire(import.meta.url)

/**
 * The settings as a tsconfig would write them. The types of the standard library and of Node are
 * this package's own, whatever the notebook's folder holds.
 */
export function cellOptions(): Record<string, unknown> {
  return {
    target: 'es2023',
    lib: ['es2023'],
    types: ['node'],
    typeRoots: [resolve(dirname(packages.resolve('@types/node/package.json')), '..')],
    module: 'esnext',
    moduleResolution: 'bundler',
    moduleDetection: 'force',
    esModuleInterop: true,
    resolveJsonModule: true,
    // Files beside the notebook: `.ts` by that name, and `.js` with what can be told of its types.
    allowJs: true,
    skipLibCheck: true,
    strict: true,
    // Nearly every field of a kernel structure may be null; asking each time is not what a cell is for.
    strictNullChecks: false,
    // The value of a const enum must be there for later cells.
    preserveConstEnums: true,
  }
}

/**
 * Diagnostics that are no fault in a cell: a value that is only shown (2695 for one side of a
 * comma), a package without types (7016), which is then `any`, and an import of a `.ts` (5097).
 */
export const ignoredDiagnostics: readonly number[] = [2695, 7016, 5097]
