// SPDX-License-Identifier: GPL-2.0-or-later
// What bulk translation does in a second, beside the same loop in C, from a small guest to one of 6 TB.
//
// All rates are by processor time of the process, the best of some runs in which we and C take turns: on a machine that
// others use too, ratios of one run say more than rates. "columns kept" writes into the same columns again; "to result"
// makes new ones, as qemuVtop does, which costs a page fault for every 4 KiB of them, in C as well.
// The loop in C goes address by address; ours goes in stages where addresses jump about, so that ratios above 1 there are
// no wonder: C could do the same.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Engine, gpaEngine } from '../../core/bulk/engine.ts'
import { type Mapping } from '../../core/bulk/mapping.ts'
import { halvesOf, type ResultColumns } from '../../core/bulk/columns.ts'
import { newColumns, runColumns } from '../../core/bulk/run.ts'
import { wasmKernels } from '../../core/bulk/wasm.ts'
import { openDump, type Vm } from '../../core/index.ts'
import { buildLargeGuest } from '../build/largeguest.ts'
import { realDump, root } from '../place.ts'
import { mappingOf, simulated } from './bulkguests.ts'
import { translatedFiles } from './bulkfiles.ts'
import { others } from './bulkothers.ts'
import { compileLoop, startPeer } from './bulkpeer.ts'

const ROWS = 10_000_000
const TURNS = 5

let printed = ''
function print(text: string): void {
  process.stdout.write(text)
  printed += text
}

function row(name: string, ...values: string[]) {
  print(`${name.padEnd(30)}${values.map((value) => value.padStart(14)).join('')}\n`)
}

/** Rates are those of one thread. */
const one = { helpers: 0 }

/** Runs of pages: the first and how many. */
type Runs = readonly { readonly gfn: number; readonly npages: number }[]

/** Addresses over all pages, in order or anywhere, each somewhere in its page. */
function addresses(runs: Runs, isSorted: boolean): BigUint64Array {
  const column = new BigUint64Array(ROWS)
  const halves = new Uint32Array(column.buffer)
  const total = runs.reduce((sum, { npages }) => sum + npages, 0)
  const pages = new Float64Array(ROWS).map((_, i) =>
    isSorted ? Math.floor((i * total) / ROWS) : Math.floor(Math.random() * total),
  )
  for (const [i, page] of pages.entries()) {
    let left = page
    let gfn = 0
    for (const run of runs) {
      gfn = run.gfn + left
      if (left < run.npages) break
      left -= run.npages
    }
    const gpa = gfn * 4096 + (i % 4096)
    halves[2 * i] = gpa
    halves[2 * i + 1] = gpa / 2 ** 32
  }
  return column
}

function processorTime(run: () => void): number {
  const before = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000
}

const perSecond = (nanoseconds: number) => `${((ROWS * 1000) / nanoseconds).toFixed(0)} M/s`

/** As the program in C sums: modulo 2^32, by halves of addresses. */
function sumOf(columns: ResultColumns): number {
  const { hva, hpa, state, pageShift, slot } = halvesOf(columns)
  let all = 0
  for (let i = 0; i < ROWS; i++) {
    const addresses = (hva[2 * i] ?? 0) + (hva[2 * i + 1] ?? 0) + (hpa[2 * i] ?? 0) * 3
    const small = (state[i] ?? 0) * 5 + (pageShift[i] ?? 0) * 7 + (slot[i] ?? 0) * 11
    all = (all + addresses + (hpa[2 * i + 1] ?? 0) * 3 + small) >>> 0
  }
  return all
}

async function measure(name: string, engine: Engine, runs: Runs): Promise<void> {
  for (const isSorted of [true, false]) {
    const gpa = addresses(runs, isSorted)
    const kept = newColumns(gpa, one)
    runColumns(engine, kept, name, one)
    const program = compileLoop(folder)
    const peer = program === undefined ? undefined : startPeer(program, folder, engine.mapping, gpa)
    const best = {
      kept: Infinity,
      fresh: Infinity,
      js: Infinity,
      cKept: Infinity,
      cFresh: Infinity,
    }
    for (let turn = 0; turn < TURNS; turn++) {
      const take = (key: keyof typeof best, time: number) => {
        best[key] = Math.min(best[key], time)
      }
      take(
        'kept',
        processorTime(() => {
          runColumns(engine, kept, name, one)
        }),
      )
      const c = await peer?.run('reused')
      if (c !== undefined) {
        take('cKept', c.nanoseconds)
        if (turn === 0 && c.sum !== sumOf(kept)) throw new Error(`${name}: C gives other columns`)
      }
      take(
        'fresh',
        processorTime(() => {
          runColumns(engine, newColumns(gpa, one), name, one)
        }),
      )
      take('cFresh', (await peer?.run('fresh'))?.nanoseconds ?? Infinity)
      take(
        'js',
        processorTime(() => {
          runColumns(engine, kept, name, { kernel: 'js' })
        }),
      )
    }
    peer?.end()
    const shared = newColumns(gpa, { helpers: 1 })
    const wall = [Infinity, Infinity]
    for (let turn = 0; turn < 2 * TURNS; turn++) {
      for (const helpers of [0, 1]) {
        const start = performance.now()
        runColumns(engine, shared, name, { helpers })
        wall[helpers] = Math.min(wall[helpers] ?? Infinity, performance.now() - start)
      }
    }
    const [alone = 0, together = 1] = wall
    const ratio = (ours: number, c: number) => (c === Infinity ? '-' : (c / ours).toFixed(2))
    row(
      `${name}, ${isSorted ? 'sorted' : 'random'}`,
      ...[perSecond(best.kept), peer === undefined ? '-' : perSecond(best.cKept)],
      ...[ratio(best.kept, best.cKept), perSecond(best.fresh), ratio(best.fresh, best.cFresh)],
      perSecond(best.js),
      (alone / together).toFixed(2),
    )
  }
}

/** Ours beside other programs on random pages of a guest, in turns. */
function beside(vm: Vm, path: string, runs: Runs): void {
  const gpa = addresses(runs, false)
  const engine = gpaEngine(vm)
  const { found, missing } = others(vm, path, gpa, folder)
  const all = [
    {
      name: 'qemu-vtop',
      rows: ROWS,
      best: Infinity,
      run: () =>
        processorTime(() => {
          runColumns(engine, newColumns(gpa, one), 'beside', one)
        }) / ROWS,
    },
    ...found.map((other) => ({ ...other, best: Infinity, run: () => other.run() })),
  ]
  for (let turn = 0; turn < TURNS; turn++) {
    for (const program of all) program.best = Math.min(program.best, program.run())
  }
  const ours = all[0]?.best ?? NaN
  for (const { name, rows, best } of all) {
    const rate = `${(1000 / best).toFixed(2)} M/s`
    row(`  ${name}`, rows.toLocaleString('en-US'), rate, (best / ours).toFixed(0))
  }
  for (const what of missing) row(`  skipped: ${what}`)
}

/** Reads all regions, and tells how long that took and what they need. */
function build(name: string, mapping: Mapping, runs: Runs): void {
  const time = processorTime(() => {
    for (const { gfn, npages } of runs) {
      for (let page = gfn; page < gfn + npages; page += 512) {
        mapping.build((page * 4096) >>> 0, Math.floor(page / 2 ** 20))
      }
    }
  })
  const table = `${(mapping.memory.bytes / 2 ** 20).toFixed(1)} MiB`
  row(name, mapping.built.toLocaleString('en-US'), `${(time / 1e9).toFixed(2)} s`, table)
}

const tablesOf = (gib: number) => `guest of ${gib} GB`

/** Reads the page tables of a large guest out of a dump, in a process of its own: by wall time. */
function readTables(gib: number): void {
  const path = join(folder, 'tables')
  writeFileSync(path, buildLargeGuest(gib))
  const script = join(root, 'dist/test/bench/bulkbuild.js')
  const printed = execFileSync(process.execPath, [script, path, String(gib)], { encoding: 'utf8' })
  const [alone = NaN, together = NaN] = printed.split(' ').map(Number)
  const times = [alone, together].map((seconds) => `${seconds.toFixed(2)} s`)
  row(tablesOf(gib), (gib * 512).toLocaleString('en-US'), ...times, (alone / together).toFixed(2))
  rmSync(path)
}

const folder = mkdtempSync(join(tmpdir(), 'bench-bulk-'))
const guests = [
  simulated('16 GB of 4 KB pages', 16, 16, 0),
  simulated('512 GB of 4 KB pages', 512, 32, 0),
  simulated('6 TB of 2 MB pages', 6144, 128, 1),
  simulated('6 TB of 1 GB pages', 6144, 128, 2),
]
const [only = '', out] = process.argv.slice(2)
try {
  const tunables = process.env['GLIBC_TUNABLES'] ?? 'not set'
  const load = loadavg()[0]?.toFixed(1) ?? '?'
  print(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}, load ${load}\n`)
  print(`GLIBC_TUNABLES ${tunables} (a session of the kernel has glibc.malloc.hugetlb=1)\n`)
  print(
    'processor time, best of 5 turns of 10,000,000 addresses; ratios to C; 2 threads: wall time, times as fast\n\n',
  )
  row('guest', 'columns kept', 'C', 'ratio', 'to result', 'ratio', 'JavaScript', '2 threads')
  const { path, skip } = realDump('6.12')
  if (skip !== false) row('  6.12', `skipped: ${skip}`)
  else if ('6.12'.includes(only)) {
    const dump = openDump(path)
    const runsOf = ({ memslots }: Vm) =>
      memslots
        .filter(({ addressSpace }) => addressSpace === 0)
        .map(({ baseGfn, npages }) => ({ gfn: baseGfn, npages }))
    for (const vm of dump.vms) {
      await measure(`6.12, guest ${vm.name ?? '?'}`, gpaEngine(vm), runsOf(vm))
    }
    for (const vm of dump.vms) {
      row(`guest ${vm.name ?? '?'}, random pages`, 'addresses', 'rate', 'times slower')
      beside(vm, path, runsOf(vm))
    }
    print('\n')
    row('qemu-vtop translate, to a file', 'seconds', 'rows a second', 'peak memory', 'file')
    const [vm] = dump.vms
    if (vm !== undefined) {
      const files = await translatedFiles(vm, path, addresses(runsOf(vm), false), folder)
      for (const { format, seconds, peak, size } of files) {
        const rate = `${(ROWS / seconds / 1e6).toFixed(1)} M/s`
        const megabytes = [peak, size].map((bytes) => `${bytes.toFixed(0)} MB`)
        row(`  ${format}`, `${seconds.toFixed(2)} s`, rate, ...megabytes)
      }
      print('\n')
    }
    dump.close()
  }
  const built: (() => void)[] = []
  for (const guest of guests.filter(({ name }) => name.includes(only))) {
    const mapping = mappingOf(guest)
    const engine: Engine = {
      mapping,
      wasm: wasmKernels(mapping.memory.wasm, mapping.lanes),
      walk: (address) => {
        throw new Error(`0x${address.toString(16)} is not in the table`)
      },
      swapped: () => undefined,
    }
    // Told later, as a table of its own.
    built.push(() => {
      build(guest.name, mappingOf(guest), guest.slots)
    })
    await measure(guest.name, engine, guest.slots)
  }
  print('\n')
  row('simulated guest, all of it', 'regions', 'to build', 'table')
  for (const one of built) one()
  print('\n')
  row('page tables in a compressed dump', 'tables', 'one thread', 'all threads', 'times as fast')
  for (const gib of [32, 128].filter((gib) => tablesOf(gib).includes(only))) readTables(gib)
  if (out !== undefined) writeFileSync(out, printed)
} finally {
  rmSync(folder, { recursive: true })
}
