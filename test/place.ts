// SPDX-License-Identifier: GPL-2.0-or-later
// Where things lie: the repository's root, and the real dumps with the truth beside them.

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** The repository's root, from the sources and from `dist` alike. */
export const root = resolve(
  import.meta.dirname,
  import.meta.dirname.endsWith(join('dist', 'test')) ? '../..' : '..',
)

/** The folder with one real dump a subfolder: `QEMU_VTOP_DUMPS`, or a folder beside the checkout. */
export const dumps = process.env['QEMU_VTOP_DUMPS'] ?? resolve(root, '..', 'shared', 'dumps')

/** The real dumps by the kernel's version. */
export const kernels = ['5.10', '6.12', '7.3'] as const

/** The path of a real dump, and why its tests cannot run (false when they can). */
export function realDump(kernel: string): { folder: string; path: string; skip: string | false } {
  const folder = join(dumps, kernel)
  const path = join(folder, 'vmcore')
  return { folder, path, skip: existsSync(path) ? false : `no dump at ${path}` }
}

/**
 * The folder with the debug files of a real dump's kernel, as its distribution's package has them: `QEMU_VTOP_DEBUGINFO`
 * has one folder for each; and why tests with it cannot run. The packages have a gigabyte each.
 */
export function debugFolder(kernel: string): { folder: string; skip: string | false } {
  const all = process.env['QEMU_VTOP_DEBUGINFO']
  if (all === undefined) return { folder: '', skip: 'QEMU_VTOP_DEBUGINFO is not set' }
  const folder = join(all, kernel)
  return { folder, skip: existsSync(folder) ? false : `no debug files in ${folder}` }
}
