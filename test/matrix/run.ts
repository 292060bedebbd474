// SPDX-License-Identifier: GPL-2.0-or-later
// Runs every case of the matrix, kernels by features, and writes docs/kernels.md: npm run matrix.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../place.ts'
import { type Cell, rowOf } from './cells.ts'
import { features } from './features.ts'
import { kernels } from './kernels.ts'
import { pageOf, readPage } from './page.ts'
import { cases } from './rows.ts'

const path = join(root, 'docs', 'kernels.md')
const names = features.map(({ name }) => name)
const before = existsSync(path)
  ? readPage(readFileSync(path, 'utf8')).rows
  : new Map<string, string[]>()
const hasTold = new Set(['real', 'built'])

const problems: string[] = []
const rows = cases.map(({ name, kernel, way }) => {
  const started = Date.now()
  const cells = rowOf(kernel, way, features)
  cells.forEach((cell, i) => {
    // A dump that is not there is told once.
    if (cell.mark === 'not run' && i > 0) return
    judge(`${name}, ${names[i] ?? ''}`, cell, before.get(name)?.[i])
  })
  const counts = [...new Set(cells.map(({ mark }) => mark))].map((mark) => {
    return `${cells.filter((cell) => cell.mark === mark).length} ${mark}`
  })
  const seconds = ((Date.now() - started) / 1000).toFixed(1)
  process.stdout.write(`${name.padEnd(26)}${seconds.padStart(6)} s  ${counts.join(', ')}\n`)
  return { name, cells }
})

/** A wrong answer is a problem, and so is a case that was good when the page was last written. */
function judge(place: string, { mark, note = '' }: Cell, earlier = ''): void {
  if (mark === 'wrong') problems.push(`WRONG ${place}: ${note}`)
  const was = earlier.split(' ')[0] ?? ''
  if (hasTold.has(mark) || mark === 'wrong' || process.argv.includes('--accept')) return
  if (hasTold.has(was)) {
    problems.push(`LOST ${place}: was ${was}, is '${mark}' (${note}); -- --accept takes it`)
  }
}

if (problems.length > 0) {
  process.stdout.write(`\n${problems.join('\n')}\n${path} was not written\n`)
  process.exitCode = 1
} else {
  writeFileSync(path, pageOf(names, rows, kernels))
  process.stdout.write(`written: ${path}\n`)
}
