// SPDX-License-Identifier: GPL-2.0-or-later
// Open files of a process.

import { hex } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { type OpenFile } from '../linux/file.ts'
import { type View, type ViewOptions } from './block.ts'
import { count, has, left, lostOf, readCell, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for an open file. */
export function isOpenFile(value: object): value is OpenFile {
  return has(value, 'fd', 'address', 'operations', 'privateData', 'path')
}

/** Open files by descriptor. A path is read when it is shown, and the dump may lack it. */
export function filesView(files: readonly OpenFile[], options: ViewOptions = {}): View {
  const rule = { most: 40, head: 30, tail: 10, all: 'show(task.files, { rows: Infinity })' }
  const { remark, notes } = lostOf(files)
  const block = {
    kind: 'table' as const,
    caption: count(files.length, 'open file'),
    remark,
    columns: [right('fd'), right('struct file'), right('private_data'), left('path')],
    ...rowsOf(files, rule, options, (file) => [
      file.fd.toString(),
      hex(file.address),
      file.privateData === 0n ? null : hex(file.privateData),
      readCell(() => printable(file.path)),
    ]),
  }
  const blocks = [block, ...notes]
  return { text: textOf(blocks), blocks, charts: [] }
}
