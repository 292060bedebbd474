// SPDX-License-Identifier: GPL-2.0-or-later
// Runs cases of the matrix: one kernel in one way, or the built host of a kernel, feature by feature.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HostDump, MissingError, openDump, UnsupportedError } from '../../core/index.ts'
import { ownBtf } from '../build/undescribed.ts'
import { withDump } from '../build/smallhost.ts'
import { builtHost } from './built.ts'
import { type Feature, NoCase, NotThere } from './feature.ts'
import { type Kernel, type Way, ways } from './kernels.ts'
import { wantedOfRecord } from './real.ts'
import { type WantedHost } from './wanted.ts'

/**
 * What came of a case: it agreed on a real dump, or on a host written for it; the library says why it cannot; there is
 * nothing to try it on; the dump is not on this machine. `wrong` is a failure, and `note` says what.
 */
export interface Cell {
  readonly mark: 'real' | 'built' | 'no' | '–' | 'not run' | 'wrong'
  readonly note?: string
  /** True when nothing else can make a case of it. */
  readonly isFinal?: boolean
}

/** The cells of one kernel in one way, in the order of the features. */
export function rowOf(kernel: Kernel, way: Way, features: readonly Feature[]): Cell[] {
  const { real } = kernel
  if (real === undefined) return builtCells(kernel, features)
  if (real.skip !== false) {
    const note = real.skip
    return features.map(() => ({ mark: 'not run', note }))
  }
  const cells = realCells(kernel, way, features)
  // What the dump has nothing of may be tried on a built host, which has types of its own.
  if (way !== 'own types' || kernel.built === undefined) return cells
  const open = features.filter((_, i) => cells[i]?.mark === '–' && cells[i].isFinal !== true)
  const built = builtCells(kernel, open)
  return cells.map((cell, i) => {
    const other = built[open.indexOf(features[i] ?? assertNever())]
    return other === undefined || other.mark === '–' ? cell : other
  })
}

/** The cells of the built host of a kernel. */
export function builtCells(kernel: Kernel, features: readonly Feature[]): Cell[] {
  if (kernel.built === undefined) return []
  const { built, wanted } = builtHost(kernel.built)
  return withDump(built, (dump) => features.map((one) => cell(one, dump, wanted, 'built')))
}

function realCells(kernel: Kernel, way: Way, features: readonly Feature[]): Cell[] {
  const folder = kernel.real?.folder ?? ''
  const path = join(folder, 'vmcore')
  const files = mkdtempSync(join(tmpdir(), 'matrix-'))
  const btf = () => {
    const dump = openDump(path)
    const file = join(files, `${kernel.name}.btf`)
    writeFileSync(file, ownBtf(dump.host).bytes)
    dump.close()
    return file
  }
  try {
    const dump = openDump(path, ways[way](btf))
    try {
      const wanted = wantedOfRecord(folder, dump.facts)
      return features.map((one) => {
        const { note, ...rest } = cell(one, dump, wanted, 'real')
        // Where files lie on this machine says nothing.
        const text = note?.replaceAll(`${files}/`, '').replaceAll(`${folder}/`, '')
        return text === undefined ? rest : { ...rest, note: text }
      })
    } finally {
      dump.close()
    }
  } finally {
    rmSync(files, { recursive: true })
  }
}

function cell({ run }: Feature, dump: HostDump, wanted: WantedHost, mark: 'real' | 'built'): Cell {
  try {
    const note = run(dump, wanted)
    return note === undefined ? { mark } : { mark, note }
  } catch (error) {
    if (error instanceof NoCase) {
      return { mark: '–', note: error.message, isFinal: error instanceof NotThere }
    }
    const isToldSo = error instanceof MissingError || error instanceof UnsupportedError
    if (isToldSo) return { mark: 'no', note: error.message }
    return { mark: 'wrong', note: error instanceof Error ? (error.stack ?? '') : String(error) }
  }
}

function assertNever(): never {
  throw new Error('no such feature')
}
