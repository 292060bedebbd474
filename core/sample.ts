// SPDX-License-Identifier: GPL-2.0-or-later
// openDump with the sample that ships beside it.

import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DumpError } from './errors.ts'
import { type HostDump, openDump as open } from './hostdump.ts'
import { type OpenOptions } from './openoptions.ts'

/** `openDump(path)`, and `openDump.sample()`. */
export interface OpenDump {
  /** One path, or those of all parts of a split dump, in any order. */
  (path: string | readonly string[], options?: OpenOptions): HostDump
  /**
   * The dump that ships with this package: a slice of a real dump of a host with kernel 6.12, two NUMA nodes and a
   * guest called A. It holds the pages for addresses of every kind: mapped, PROT_NONE, swapped, poisoned, never touched.
   */
  sample(options?: OpenOptions): HostDump
}

/**
 * Opens the dump of a KVM host. The format is recognised by content, never by name: kdump-compressed and ELF, also
 * flattened. A list of paths opens the parts of a split dump together, in any order. A pipe (`/dev/stdin`) is read to its
 * end into a temporary file first.
 * Throws DumpError when the file cannot be opened, and FormatError, naming every format that was looked for, when it
 * is none of them.
 */
export const openDump: OpenDump = Object.assign(
  (path: string | readonly string[], options?: OpenOptions) => open(path, options),
  { sample: (options?: OpenOptions) => open(samplePath(), options) },
)

/** The sample lies in `notebooks`, which is above this file in the sources and in the compiled package alike. */
function samplePath(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  for (let up = 0; up < 4; up++) {
    const path = join(folder, 'notebooks', 'sample.kdump')
    if (existsSync(path)) return path
    folder = dirname(folder)
  }
  throw new DumpError(
    'no-sample',
    'the sample dump, notebooks/sample.kdump, is not in this package',
  )
}
