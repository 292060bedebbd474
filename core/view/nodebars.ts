// SPDX-License-Identifier: GPL-2.0-or-later
// On which NUMA nodes of the host a guest's memory lies.

import { formatSize, unitOf } from '../bytes/hex.ts'
import { type Coverage } from '../kvm/coverage.ts'
import { type Block } from './block.ts'
import { type NodeBars } from './chart.ts'
import { percent, tonesOf } from './sharebars.ts'
import { left, right } from './table.ts'
import { textOf } from './text.ts'
import { shareStates } from './tone.ts'

/** More nodes do not fit a picture; hosts of today have up to 64. */
const MOST = 64

/** Lays the bars out; undefined when nodes were not looked up, or nothing is mapped. */
export function nodeBarsOf(coverage: Coverage): NodeBars | undefined {
  const mapped = coverage.shares.filter(({ state }) => state === 'mapped')
  const total = mapped.reduce((sum, { bytes }) => sum + bytes, 0)
  if (!coverage.hasPages || total === 0) return undefined
  const seen = mapped.map(({ node }) => node)
  const known = [...new Set([...coverage.nodes, ...seen.filter((node) => node !== null)])]
  const nodes = [
    ...known.sort((a, b) => a - b).slice(0, MOST),
    ...(seen.includes(null) ? [null] : []),
  ]
  const rows = nodes.map((node) => {
    const parts = tonesOf(mapped.filter((share) => share.node === node))
    return {
      node: node === null ? 'not known' : `node ${node}`,
      parts,
      bytes: parts.reduce((sum, part) => sum + part.count, 0),
    }
  })
  const most = Math.max(...rows.map(({ bytes }) => bytes))
  const { unit, size } = unitOf(most)
  const pieces = rows.flatMap(({ node, parts }) => {
    let before = 0
    return parts.map(({ tone, count }) => {
      const from = before
      before += count
      return {
        node,
        tone,
        from: round(from / size),
        to: round(before / size),
        size: formatSize(count),
      }
    })
  })
  const ends = rows.map(({ node, bytes }) => ({
    node,
    at: round(bytes / size),
    label: bytes === 0 ? '0' : `${formatSize(bytes)} · ${percent(bytes / total)}`,
  }))
  const title = 'Mapped memory by NUMA node of the host'
  return {
    chart: 'node-bars',
    title,
    description: `${title}: ${ends.map(({ node, label }) => `${node} ${label}`).join('; ')}`,
    text: textOf([tableOf(title, rows, total)]),
    unit,
    pieces,
    ends,
    tones: shareStates.filter((tone) => pieces.some((piece) => piece.tone === tone)),
  }
}

function tableOf(
  caption: string,
  rows: readonly { node: string; bytes: number }[],
  total: number,
): Block {
  return {
    kind: 'table',
    caption,
    remark: null,
    columns: [left('node'), right('mapped'), right('share')],
    rows: rows.map(({ node, bytes }) => [node, formatSize(bytes), percent(bytes / total)]),
    cut: null,
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
