// SPDX-License-Identifier: GPL-2.0-or-later
// Where the lab that makes dumps lies, what it is asked for, and where that is kept.

import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { root } from '../place.ts'

/** The lab's scripts: `QEMU_VTOP_LAB`, or a folder beside the checkout. */
export const lab = process.env['QEMU_VTOP_LAB'] ?? resolve(root, '..', 'shared', 'lab')

/** What the lab downloads and makes: up to 4 GB a host while it runs, some 100 MB after. */
export const labWork =
  process.env['QEMU_VTOP_LAB_WORK'] ?? join(root, 'node_modules', '.cache', 'lab')

/** Hosts that are ours: added to those that the lab knows. */
export const ownProfiles: Readonly<Record<string, unknown>> = JSON.parse(
  readFileSync(join(root, 'test', 'lab', 'profiles.json'), 'utf8'),
) as Record<string, unknown>

/** Their names. */
export const labHosts = Object.keys(ownProfiles)

/** Those that are made when none is named: on two cores in two minutes, the download of the kernel among them. */
export const quickHosts: readonly string[] = ['6.1']

/** The folder of a host's dump and of the truth beside it. */
export function madeHost(key: string): string {
  return join(labWork, 'out', key)
}

/** True when the host's dump is there. */
export function isMade(key: string): boolean {
  return existsSync(join(madeHost(key), 'vmcore'))
}
