// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into a measured process: leaves its peak memory, in kB, in the file that PEAK_FILE names.
import { readFileSync, writeFileSync } from 'node:fs'

process.on('exit', () => {
  const file = process.env['PEAK_FILE']
  if (file === undefined) return
  // Not getrusage: what it has as the maximum of a child begins with the size of the parent at the fork.
  const status = readFileSync('/proc/self/status', 'utf8')
  writeFileSync(file, /^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1] ?? '0')
})
