// SPDX-License-Identifier: GPL-2.0-or-later
// Measured by the benchmark: opens the dump of the first argument and reads the frames of the others.
import { openDump } from '../../core/index.ts'

const [path = '', ...pfns] = process.argv.slice(2)
const dump = openDump(path)
for (const pfn of pfns) {
  const page = dump.memory.page(Number(pfn))
  process.stdout.write(`${pfn}: ${page.every((byte) => byte === 7) ? 'right' : 'WRONG'}\n`)
}
dump.close()
