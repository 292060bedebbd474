// SPDX-License-Identifier: GPL-2.0-or-later
// The table of all fuzz targets.
import { containers } from './containers.ts'
import { columnFiles } from './columnfiles.ts'
import { hosts } from './hosts.ts'
import { parsers } from './parsers.ts'
import { type FuzzTarget } from './target.ts'

/** All targets; those of real dumps where the dumps are there. */
export function targets(): FuzzTarget[] {
  return [...parsers, ...containers, ...columnFiles(), ...hosts()]
}
