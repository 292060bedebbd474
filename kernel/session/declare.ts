// SPDX-License-Identifier: GPL-2.0-or-later
// What core tells while the notebook runs: dumps that are opened, whose own types cells then have, and its progress.
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import type * as Core from '../../core/index.ts'
import type { DumpNames } from '../frames.ts'
import { send } from './output.ts'
import type { Bars } from './progress.ts'

/** The same dump may be opened by many cells: it is declared once. */
const declared = new Set<string>()
const offered = new Set<string>()

/** Opened by the cell that runs; their types are declared at its end. */
const opened: { readonly dump: Core.HostDump; readonly paths: readonly string[] }[] = []
let core: typeof Core | undefined
let count = 0

/**
 * Takes note of dumps from now on, once core is loaded: `exported` is what its module exports. Work that core does is
 * shown as bars of the cell that asked for it.
 */
export function listenToCore(exported: Readonly<Record<string, unknown>>, bars: Bars): void {
  if (core !== undefined || !('onOpen' in exported)) return
  core = exported as typeof Core
  // A bar is there only where the machine was slow: outputs that shall be the same on each run do without.
  if (process.env['QEMU_VTOP_PROGRESS'] !== 'off') core.onProgress((work) => bars.start(work))
  // A cell may change its working directory later.
  core.onOpen((dump) => opened.push({ dump, paths: dump.paths.map((path) => resolve(path)) }))
}

/**
 * Declares the structures of the dumps that this cell has opened, for the cells after it. A dump that has no types, or
 * not enough of a kernel, is passed over: who asks it for a structure is told why.
 */
export function declareOpened(): void {
  for (const { dump, paths } of opened.splice(0)) {
    try {
      declareTypes(dump.declarations())
      offerNames(paths)
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
  if (declared.has(text)) return
  declared.add(text)
  send({ type: 'declare', name: `dump-${++count}.d.ts`, text })
}

/**
 * Tells the compiler what the dump holds, for completion. To list a kernel's symbols takes half a second, so a thread
 * of its own does it. What it cannot read is not offered: who asks for it in a cell is told why.
 */
function offerNames(paths: readonly string[]): void {
  const stats = paths.map((path) => statSync(path))
  // What came out of a pipe does not come again.
  if (!stats.every((stat) => stat.isFile())) return
  const version = stats.map(({ mtimeMs, size }, i) => `${paths[i] ?? ''} ${mtimeMs} ${size}`).join()
  if (offered.has(version)) return
  offered.add(version)
  const name = `dump-${offered.size}.names`
  const thread = new Worker(new URL('./dumpnames.js', import.meta.url), {
    workerData: paths,
    execArgv: [],
  })
  thread.unref()
  thread.on('message', (known: DumpNames) => {
    send({ type: 'declare', name, text: '', known })
  })
  thread.on('error', () => undefined)
}
