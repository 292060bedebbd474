// SPDX-License-Identifier: GPL-2.0-or-later
// Files that makedumpfile makes of a real dump at test time: every way to write one that it has.

import { spawnSync } from 'node:child_process'
import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { openPages } from '../../core/dump/open.ts'
import { type HostDump } from '../../core/index.ts'
import { buildElf, type ElfSegment } from '../build/elf.ts'

/** Why makedumpfile cannot be used; false when it can. */
export const noMakedumpfile: string | false =
  spawnSync('makedumpfile', ['-v']).status === 0 ? false : 'makedumpfile is not installed'

/** Runs makedumpfile; with `-F` its output goes to `out`. Gives what it said. */
export function makedumpfile(args: readonly string[], flat?: string): string {
  const out = flat === undefined ? 'ignore' : openSync(flat, 'w')
  try {
    // 2^1 and 2^2: errors and what it says at the end.
    const given = ['--message-level', '6', ...args]
    const { status, stderr } = spawnSync('makedumpfile', given, {
      stdio: ['ignore', out, 'pipe'],
      encoding: 'utf8',
    })
    // An incomplete dump is what it makes and fails with.
    if (status !== 0 && !args.includes('-L'))
      throw new Error(`makedumpfile ${args.join(' ')}: ${stderr}`)
    return stderr
  } finally {
    if (typeof out === 'number') closeSync(out)
  }
}

/**
 * Writes the pages of a dump as an ELF file like /proc/vmcore's, since makedumpfile -E reads no kdump: a segment for each
 * run of frames that are there, in the direct map.
 */
export function copyAsElf(dump: HostDump, path: string): void {
  const source = openPages(dump.path)
  const directMap = dump.bases.directMap.value
  const runs: { from: number; to: number }[] = []
  for (let pfn = 0; pfn < source.endPfn; pfn++) {
    if (!(source.page(pfn) instanceof Uint8Array)) continue
    const run = runs.at(-1)
    if (run?.to === pfn) run.to++
    else runs.push({ from: pfn, to: pfn + 1 })
  }
  const segments = (dataAt: number): ElfSegment[] => {
    let at = dataAt
    return runs.map(({ from, to }) => {
      const size = (to - from) * 4096
      const header = {
        p_offset: BigInt(at),
        p_vaddr: directMap + BigInt(from * 4096),
        p_filesz: BigInt(size),
        p_memsz: BigInt(size),
      }
      at += size
      return { paddr: from * 4096, header }
    })
  }
  const head = buildElf({ notes: [source.notes], segments: segments(0) })
  const dataAt = Math.ceil(head.length / 4096) * 4096
  const file = openSync(path, 'wx')
  writeSync(file, buildElf({ notes: [source.notes], segments: segments(dataAt) }))
  let at = dataAt
  for (const { from, to } of runs) {
    for (let pfn = from; pfn < to; pfn++) {
      const page = source.page(pfn)
      if (page instanceof Uint8Array) writeSync(file, page, 0, page.length, at)
      at += 4096
    }
  }
  closeSync(file)
  source.close()
}

/** Half of a file's size, in bytes: for `-L`. */
export function halfOf(path: string): string {
  return String(Math.floor(statSync(path).size / 2))
}
