// SPDX-License-Identifier: GPL-2.0-or-later
// How this kernel is started, and what its kernel.json says.
import { existsSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'

/** The folder name of the kernelspec, and the name that notebooks carry in `metadata.kernelspec`. */
export const kernelName = 'qemu-vtop'

/** The name that a notebook's menu shows. */
export const displayName = 'TypeScript (KVM host dumps)'

/**
 * The command line that starts the kernel with a connection file. Both paths are absolute: editors
 * start kernels with a PATH of their own, in which no `node` may be.
 */
export function kernelArgv(connectionFile: string): string[] {
  const here = import.meta.filename
  const script = join(dirname(here), '..', 'front', `main${extname(here)}`)
  return [process.execPath, script, connectionFile]
}

/**
 * What kernel.json holds. jupyter_client passes the members at the top to a class with fixed
 * members, so anything of our own would have to stand under `metadata`.
 */
export function kernelJson(): Record<string, unknown> {
  return {
    argv: kernelArgv('{connection_file}'),
    display_name: displayName,
    language: 'typescript',
    // The default is a signal, which would reach the process that answers, not the one that runs cells.
    interrupt_mode: 'message',
    kernel_protocol_version: '5.4',
    env: {},
    metadata: { debugger: false, supported_encryption: ['curve'] },
  }
}

/** The folder that holds this package's package.json, notebooks and logos. */
export function packageFolder(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) {
      throw new Error(`no package.json above ${import.meta.dirname}: the installation is not whole`)
    }
    folder = parent
  }
  return folder
}
