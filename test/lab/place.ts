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

/** What we say of a host; the rest is for the lab. */
interface Profile {
  readonly scenario: string
  /** The lab's scenario that ours goes on after; its dump is then the first of two. */
  readonly after?: string
}

/** Hosts that are ours: added to those that the lab knows. */
export const ownProfiles: Readonly<Record<string, Profile>> = JSON.parse(
  readFileSync(join(root, 'test', 'lab', 'profiles.json'), 'utf8'),
) as Record<string, Profile>

/** Their names. */
export const labHosts = Object.keys(ownProfiles)

/** Those that are made when none is named: on two cores in two minutes, the download of the kernel among them. */
export const quickHosts: readonly string[] = ['6.1']

/** The folder of a host's dump and of the truth beside it. */
export function madeHost(key: string): string {
  return join(labWork, 'out', key)
}

/** True when the host has a dump before the one that all have, in the folder `first` beside it. */
export function hasTwo(key: string): boolean {
  return ownProfiles[key]?.after !== undefined
}

/** True when the host's dump is there, and the first one of two. */
export function isMade(key: string): boolean {
  const folders = hasTwo(key) ? ['.', 'first'] : ['.']
  return folders.every((folder) => existsSync(join(madeHost(key), folder, 'vmcore')))
}
