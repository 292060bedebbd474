// SPDX-License-Identifier: GPL-2.0-or-later
// The way back: how long its index takes, how large it is, and how many frames a second it tells of.
//
// Every figure is of a new process, as in the first cell of a notebook: nothing is compiled or read before. The best of
// some runs, by processor time of the process, its helpers for garbage included: on a machine that others use too, wall
// time says how busy they are. The first million of random frames reads all of the host's struct pages.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { openDump } from '../../core/index.ts'
import { Task } from '../../core/linux/task.ts'
import { MappedFrames } from '../../core/reverse/mappedframes.ts'
import { ownersOf } from '../../core/reverse/ownersof.ts'
import { WayBack } from '../../core/reverse/wayback.ts'
import { type Vm } from '../../core/kvm/vm.ts'
import { kernels, realDump } from '../place.ts'

const ROWS = 1_000_000
const RUNS = 5
const MB = 1e6

/** What one process measures of a dump: seconds and bytes. */
interface Measured {
  readonly firstAnswer: number
  readonly index: number
  readonly indexBytes: number
  readonly kindBytes: number
  readonly first: number
  readonly again: number
  readonly guests: number
  readonly hostGib: number
  readonly mappedMib: number
}

let printed = ''
function print(text: string): void {
  process.stdout.write(text)
  printed += text
}

function row(name: string, ...values: readonly string[]): void {
  print(`${name.padEnd(30)}${values.map((value) => value.padStart(14)).join('')}\n`)
}

/** Of processor time. */
function seconds(run: () => unknown): number {
  const start = process.cpuUsage()
  run()
  const { user, system } = process.cpuUsage(start)
  return (user + system) / 1e6
}

function measure(path: string): Measured {
  // All that a first cell waits for: symbols, types, tasks, guests, the index.
  const firstAnswer = seconds(() => {
    const dump = openDump(path)
    dump.whoHas(0x100000)
    dump.close()
  })
  const dump = openDump(path)
  const [task] = dump.tasks()
  if (task === undefined || dump.vms.length === 0) throw new Error(`${path} has no guest`)
  // One that is ours, so that its parts can be asked.
  const back = new WayBack(Task.allOf<Vm>(task), () => dump.vms)
  const index = seconds(() => [back.guests, back.processes])
  const { endPfn } = back
  const random = (of: () => number) => Float64Array.from({ length: ROWS }, of)
  const anywhere = random(() => Math.floor(Math.random() * endPfn) * 4096)
  const first = seconds(() => ownersOf(back, anywhere, ''))
  const again = seconds(() => ownersOf(back, anywhere, ''))
  const mapped = [...back.guests.frames.frames()]
  const ofGuests = random(() => {
    const one = mapped[Math.floor(Math.random() * mapped.length)]
    return (
      ((one?.frame ?? 0) + (one?.isLarge === true ? Math.floor(Math.random() * 512) : 0)) * 4096
    )
  })
  const guests = seconds(() => ownersOf(back, ofGuests, ''))
  dump.close()
  return {
    firstAnswer,
    index,
    indexBytes: back.guests.frames.bytes + back.processes.frames.bytes,
    kindBytes: back.kernelKinds.bytes,
    first,
    again,
    guests,
    hostGib: endPfn / 2 ** 18,
    mappedMib: mapped.reduce((sum, { isLarge }) => sum + (isLarge ? 512 : 1), 0) / 256,
  }
}

/** The best of each figure, over some processes. */
function best(path: string): Measured {
  const runs = Array.from({ length: RUNS }, (): Measured => {
    const script = fileURLToPath(import.meta.url)
    const done = spawnSync(process.execPath, [script, '--measure', path], { encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`measuring ${path} failed: ${done.stderr}`)
    return JSON.parse(done.stdout) as Measured
  })
  return runs.reduce((a, b) => {
    const least = (key: keyof Measured) => [key, Math.min(a[key], b[key])] as const
    return Object.fromEntries(
      (Object.keys(a) as (keyof Measured)[]).map(least),
    ) as unknown as Measured
  })
}

/** An index of guests that exist only as pages: frames anywhere in a host of twice their size. */
function simulated(name: string, gib: number, isLarge: boolean): void {
  const frames = new MappedFrames()
  const unit = isLarge ? 512 : 1
  const count = (gib * 2 ** 18) / unit
  const time = seconds(() => {
    frames.beginRange(0)
    for (let i = 0; i < count; i++) {
      // Odd factors reach each place of a power of two once.
      const place = Math.imul(i, 0x9e3779b1) >>> 0
      frames.add(i * unit, unit, (place % (2 * count)) * unit, isLarge)
    }
  })
  row(name, `${time.toFixed(2)} s`, `${(frames.bytes / MB).toFixed(1)} MB`)
}

const [flag = '', path = ''] = process.argv.slice(2)
if (flag === '--measure') process.stdout.write(JSON.stringify(measure(path)))
else {
  const [processor] = cpus()
  print(`Node ${process.version}, ${cpus().length} x ${processor?.model.trim() ?? ''}, `)
  print(`load ${(loadavg()[0] ?? 0).toFixed(1)}\n`)
  print(
    `processor time, best of ${RUNS} processes; ${ROWS.toLocaleString('en')} frames at a time\n\n`,
  )
  const rate = (time: number) => `${(ROWS / MB / time).toFixed(1)} M/s`
  row(
    'host',
    ...['first answer', 'index', 'its memory', 'kinds', 'first million', 'again', 'of guests'],
  )
  for (const kernel of kernels) {
    const real = realDump(kernel)
    if (real.skip !== false) {
      print(`${kernel}: ${real.skip}\n`)
      continue
    }
    const found = best(real.path)
    row(
      `${kernel}, ${found.hostGib} GiB, ${found.mappedMib.toFixed(0)} MiB mapped`,
      `${found.firstAnswer.toFixed(2)} s`,
      `${found.index.toFixed(2)} s`,
      `${(found.indexBytes / MB).toFixed(1)} MB`,
      `${(found.kindBytes / MB).toFixed(2)} MB`,
      rate(found.first),
      rate(found.again),
      rate(found.guests),
    )
  }
  print('\n')
  row('simulated guests', 'to note', 'index')
  simulated('16 GiB of 4 KiB pages', 16, false)
  simulated('64 GiB of 4 KiB pages', 64, false)
  simulated('1 TiB of 2 MiB pages', 1024, true)
  simulated('6 TiB of 2 MiB pages', 6 * 1024, true)
  if (flag !== '') writeFileSync(flag, printed)
}
