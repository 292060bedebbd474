// SPDX-License-Identifier: GPL-2.0-or-later
// Whether kernels start fast here: from a snapshot of the compiler that an earlier kernel has made.
import { existsSync } from 'node:fs'
import {
  findSnapshot,
  isPrivate,
  snapshotFolder,
  wantsSnapshot,
} from '../../front/snapshot/find.ts'
import type { Finding } from './finding.ts'

const name = 'startup snapshot'

/** One line. That there is none is nothing wrong: it only costs time. */
export function checkSnapshot(): Promise<Finding[]> {
  const folder = snapshotFolder()
  if (wantsSnapshot() && existsSync(folder) && !isPrivate(folder)) {
    const found = `not used: others than this user can write in ${folder}`
    const mend = `let nobody else write there: chmod 700 ${folder}`
    return Promise.resolve([{ name, ok: false, found, mend }])
  }
  return Promise.resolve([{ name, ok: true, found: state(folder) }])
}

function state(folder: string): string {
  if (!wantsSnapshot()) return 'turned off by QEMU_VTOP_SNAPSHOT'
  const snapshot = findSnapshot()
  if (snapshot === undefined)
    return `none in ${folder} that fits; a kernel makes it after its first cell`
  return `${(snapshot.size / 1e6).toFixed(0)} MB, ${snapshot.path}`
}
