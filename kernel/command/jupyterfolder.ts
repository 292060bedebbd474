// SPDX-License-Identifier: GPL-2.0-or-later
// Jupyter's own folder of this user.
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where jupyter_core (paths.py, jupyter_data_dir) looks for a user's own data. */
export function userFolder(): string {
  const { env } = process
  const given = env['JUPYTER_DATA_DIR']
  if (given !== undefined && given !== '') return given
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Jupyter')
  if (process.platform === 'win32') {
    return join(env['APPDATA'] ?? join(homedir(), 'AppData', 'Roaming'), 'jupyter')
  }
  const base = env['XDG_DATA_HOME']
  return join(
    base === undefined || base === '' ? join(homedir(), '.local', 'share') : base,
    'jupyter',
  )
}
