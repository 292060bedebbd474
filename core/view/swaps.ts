// SPDX-License-Identifier: GPL-2.0-or-later
// Swap devices of the host.

import { formatSize } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { type SwapDevice } from '../linux/swap.ts'
import { type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a swap device. */
export function isSwapDevice(value: object): value is SwapDevice {
  return has(value, 'type', 'path', 'kind', 'pages', 'usedPages', 'priority')
}

/** Swap devices by the type that stands in swap entries. */
export function swapsView(devices: readonly SwapDevice[], options: ViewOptions = {}): View {
  const rule = { most: 32, head: 32, tail: 0, all: 'show(dump.swaps, { rows: Infinity })' }
  const block = {
    kind: 'table' as const,
    caption: count(devices.length, 'swap device'),
    remark: null,
    columns: [
      right('type'),
      left('path'),
      left('kind'),
      right('size'),
      right('used'),
      right('priority'),
    ],
    ...rowsOf(devices, rule, options, (device) => [
      device.type.toString(),
      printable(device.path),
      device.kind,
      formatSize(device.pages * PAGE_SIZE),
      formatSize(device.usedPages * PAGE_SIZE),
      device.priority.toString(),
    ]),
  }
  return { text: textOf([block]), blocks: [block], charts: [] }
}
