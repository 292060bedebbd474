// SPDX-License-Identifier: GPL-2.0-or-later
// Swap devices of the host.

import { formatSize } from '../bytes/hex.ts'
import { printable } from '../bytes/printable.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { type SwapDevice, type SwapDevices } from '../linux/swap/swap.ts'
import { type Block, type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a swap device. */
export function isSwapDevice(value: object): value is SwapDevice {
  return has(value, 'type', 'path', 'kind', 'pages', 'usedPages', 'priority')
}

/** Swap devices by the type that stands in swap entries. */
export function swapsView(devices: readonly SwapDevice[], options: ViewOptions = {}): View {
  const rule = { most: 32, head: 32, tail: 0, all: 'show(dump.swaps, { rows: Infinity })' }
  const lost = has(devices, 'lost') ? (devices as SwapDevices).lost : []
  const block = {
    kind: 'table' as const,
    caption: count(devices.length, 'swap device'),
    remark: lost.length === 0 ? null : `${lost.length} more cannot be read`,
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
  const texts = [
    ...lost.map(({ type, fault }) => `cannot be read: swap device ${type}: ${fault.message}`),
    ...devices.flatMap(({ type, salvaged }) =>
      salvaged === undefined ? [] : [`salvaged: swap device ${type}: ${salvaged}`],
    ),
  ]
  const notes = texts.map((text): Block => ({ kind: 'note', text: printable(text, 1000) }))
  const blocks = [block, ...notes]
  return { text: textOf(blocks), blocks, charts: [] }
}
