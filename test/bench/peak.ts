// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into a measured process: leaves its peak memory, in kB, in the file that PEAK_FILE names.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const file = process.env['PEAK_FILE']
  if (file !== undefined) writeFileSync(file, String(process.resourceUsage().maxRSS))
})
