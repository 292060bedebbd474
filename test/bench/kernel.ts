// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel costs, beside ipykernel on the same machine by the same client. Prints, and judges nothing.
//
// node dist/test/bench/kernel.js [LAST-CELL]: up to which cell, 1,500 by default.
// QEMU_VTOP_PYTHON names a Python with ipykernel.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { findSnapshot } from '../../kernel/front/snapshot/find.ts'
import { root } from '../place.ts'
import { ipykernel, Measured, ours, type Subject } from './kernel/client.ts'
import { type Column, printTable, type Row } from './kernel/print.ts'

const lastCell = Number(process.argv[2] ?? 1_500)
const stops = [10, 300, 1_500, 2_000].filter((stop) => stop <= lastCell)
/** Cells whose CPU time is added up at each stop. */
const window = 20
const startRounds = 5
const pings = 50
const questions = 20
const lines = 200_000
const folder = mkdtempSync(join(tmpdir(), 'bench-kernel-'))

const other = ipykernel(process.env['QEMU_VTOP_PYTHON'])
const subjects: Subject[] = typeof other === 'string' ? [ours] : [ours, other]
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

say(
  `qemu-vtop ${manifest.version}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}; ` +
    `load average ${load()} at the start`,
)
if (typeof other === 'string') say(`ipykernel: skipped, ${other}`)

try {
  const columns: Column[] = subjects.map(({ name }) => ({ name, rows: new Map<Row, number[]>() }))
  for (let round = 0; round < startRounds; round++) {
    for (const [i, subject] of subjects.entries()) await measureStart(subject, columns[i])
  }
  const megabytes = await makeSnapshot()
  say(`startup snapshot: ${megabytes.toFixed(0)} MB`)
  for (let round = 0; round < startRounds; round++) await measureStart(ours, columns[0], true)
  const kernels: Measured[] = []
  for (const subject of subjects) kernels.push(await Measured.start(subject, folder, false))
  await measureRunning(kernels, columns)
  for (const kernel of kernels) await kernel.stop()
  printTable(columns)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
say(`load average ${load()} at the end`)

/** From nothing to the first result, and the memory after it. */
async function measureStart(
  subject: Subject,
  column: Column | undefined,
  snapshot = false,
): Promise<void> {
  const from = performance.now()
  const kernel = await Measured.start(subject, folder, snapshot)
  const how = snapshot ? ', from snapshot' : ''
  note(column, `start to first kernel_info_reply${how}`, kernel.ready)
  await kernel.run('1 + 1')
  note(column, `start to first result${how}`, performance.now() - from)
  note(column, `CPU up to the first result${how}`, kernel.cpu())
  const parts = kernel.processes()
  const total = (of: (part: (typeof parts)[number]) => number): number =>
    parts.reduce((sum, part) => sum + of(part), 0)
  note(
    column,
    `resident memory, all parts${how}`,
    total(({ resident }) => resident),
  )
  note(
    column,
    `  shared memory counted once${how}`,
    total(({ proportional }) => proportional),
  )
  for (const part of subject === ours ? parts : [])
    note(column, `  of it ${part.name}${how}`, part.resident)
  await kernel.stop()
}

/** Lets a kernel make its startup snapshot, and gives the size in MB. */
async function makeSnapshot(): Promise<number> {
  const kernel = await Measured.start(ours, folder, true)
  await kernel.run('1 + 1')
  for (;;) {
    const made = findSnapshot(join(folder, 'qemu-vtop'))
    if (made !== undefined) {
      await kernel.stop()
      return made.size / 1e6
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Everything that a running kernel is asked; the kernels take turns. */
async function measureRunning(kernels: readonly Measured[], columns: Column[]): Promise<void> {
  let next = 0
  for (const stop of stops) {
    for (; next < stop - window / 2; next++)
      for (const kernel of kernels) await kernel.run(kernel.subject.cell(next))
    const before = kernels.map((kernel) => kernel.cpu())
    for (let i = 0; i < window; i++, next++) {
      for (const [k, kernel] of kernels.entries()) {
        const { ms } = await kernel.run(kernel.subject.cell(next))
        note(columns[k], `a cell at ${stop}, request to idle`, ms)
      }
    }
    for (const [k, kernel] of kernels.entries()) {
      const used = (kernel.cpu() - (before[k] ?? 0)) / window
      note(columns[k], `a cell at ${stop}, CPU of all parts`, used)
    }
    await measureQuestions(kernels, columns, stop)
  }
  for (const [k, kernel] of kernels.entries()) {
    const { ms, published } = await kernel.run(kernel.subject.lines(lines))
    note(columns[k], 'printed lines a second', (lines * 1000) / ms)
    note(columns[k], '  in so many messages', published['stream'] ?? 0)
    const resident = kernel.processes().reduce((sum, part) => sum + part.resident, 0)
    note(columns[k], 'resident memory at the end, all parts', resident)
  }
}

async function measureQuestions(
  kernels: readonly Measured[],
  columns: Column[],
  stop: number,
): Promise<void> {
  for (let i = 0; i < pings; i++) {
    for (const [k, kernel] of kernels.entries())
      note(columns[k], `1 + 1 at ${stop}, request to idle`, (await kernel.run('1 + 1')).ms)
  }
  for (let i = 0; i < pings; i++) {
    for (const [k, kernel] of kernels.entries()) {
      const { ms } = await kernel.ask('kernel_info_request', {})
      note(columns[k], `kernel_info at ${stop}, request to idle`, ms)
    }
  }
  for (let i = 0; i < questions; i++) {
    for (const [k, kernel] of kernels.entries()) {
      const { complete, inspect } = kernel.subject
      // The first is not warm yet: the median tells of those after it, the 95th percentile of it.
      const completed = await kernel.ask('complete_request', {
        code: complete,
        cursor_pos: complete.length,
      })
      if (!Array.isArray(completed.content['matches']) || completed.content['matches'].length === 0)
        throw new Error(`${kernel.subject.name} completes nothing`)
      note(columns[k], `completion at ${stop}`, completed.ms)
      const inspected = await kernel.ask('inspect_request', {
        code: inspect,
        cursor_pos: inspect.length,
        detail_level: 0,
      })
      if (inspected.content['found'] !== true)
        throw new Error(`${kernel.subject.name} finds nothing to inspect`)
      note(columns[k], `inspection at ${stop}`, inspected.ms)
    }
  }
}

function note(column: Column | undefined, row: Row, value: number): void {
  const values = column?.rows.get(row) ?? []
  column?.rows.set(row, [...values, value])
}

function load(): string {
  return loadavg()
    .map((value) => value.toFixed(1))
    .join(' ')
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
