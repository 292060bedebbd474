// SPDX-License-Identifier: GPL-2.0-or-later
// Types that come to be while the notebook runs: those of an opened dump's own structures.
import type * as Core from '../../core/index.ts'
import { send } from './output.ts'

/** Opened by the cell that runs; their types are declared at its end. */
const opened: Core.HostDump[] = []
let core: typeof Core | undefined
let count = 0

/** Takes note of dumps from now on, once core is loaded: `exported` is what its module exports. */
export function noteDumps(exported: Readonly<Record<string, unknown>>): void {
  if (core !== undefined || !('onOpen' in exported)) return
  core = exported as typeof Core
  core.onOpen((dump) => opened.push(dump))
}

/**
 * Declares the structures of the dumps that this cell has opened, for the cells after it. A dump that has no types, or
 * not enough of a kernel, is passed over: who asks it for a structure is told why.
 */
export function declareOpened(): void {
  for (const dump of opened.splice(0)) {
    try {
      declareTypes(dump.declarations())
    } catch (error) {
      // Nothing may keep a cell from its end.
      if (core !== undefined && error instanceof core.DumpError) continue
      process.stderr.write(`The types of ${dump.path} cannot be declared: ${String(error)}\n`)
    }
  }
}

/**
 * Makes a text of TypeScript declarations part of every cell from the next one on. It is a file of
 * its own (`dump-1.d.ts`, `dump-2.d.ts`, …) and is parsed once, however many cells follow.
 */
export function declareTypes(text: string): void {
  send({ type: 'declare', name: `dump-${++count}.d.ts`, text })
}
