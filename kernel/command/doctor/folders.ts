// SPDX-License-Identifier: GPL-2.0-or-later
// Whether the kernel can write where it writes: its history, Jupyter's folder, the sockets' folder.
import { existsSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { historyPath } from '../../front/historyfolder.ts'
import { userFolder } from '../jupyterfolder.ts'
import { type Finding, messageOf } from './finding.ts'

/** One line a folder. */
export function checkFolders(): Promise<Finding[]> {
  return Promise.resolve([
    check('history', historyPath(), 'XDG_DATA_HOME'),
    check("Jupyter's data", userFolder(), 'JUPYTER_DATA_DIR'),
    check('temporary files', tmpdir(), 'TMPDIR'),
  ])
}

function check(what: string, folder: string, variable: string): Finding {
  const name = `folder for ${what}`
  // What is not there yet is made when it is needed, in the first one above that is there.
  let there = folder
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  try {
    // To be asked whether one may write says yes to root, and yes on a disk that is full.
    rmdirSync(mkdtempSync(join(there, '.qemu-vtop-')))
    return { name, ok: true, found: folder }
  } catch (error) {
    const mend = `give ${there} to this user, or set ${variable} to a folder that can be written`
    return { name, ok: false, found: `${folder}: ${messageOf(error)}`, mend }
  }
}
