// SPDX-License-Identifier: GPL-2.0-or-later
// The benchmarks: what a user waits for, and what the machine could do at best. Prints, and judges nothing.
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDump, qemuVtop } from '../../core/index.ts'
import { kernels, realDump, root } from '../place.ts'
import { truthOf } from '../truth.ts'
import { LARGE_FRAMES, writeLargeElf, writeLargeKdump } from './large.ts'
import { measureNode } from './process.ts'
import { storedIn, storedRates } from './stored.ts'

const command = 'dist/kernel/command/main.js'
const sample = join(root, 'notebooks/sample.kdump')

function row(name: string, ...values: string[]) {
  process.stdout.write(`${name.padEnd(44)}${values.map((value) => value.padStart(16)).join('')}\n`)
}

process.stdout.write(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? '?'}\n\n`)

row('first answer, whole process (5 runs)', 'median', 'min … max', 'peak memory')
row('  node alone, printing one line', ...figures('test/bench/empty.js', [], 'dist/'))
row('  vtop on the sample that ships', ...firstAnswer(sample, 183, '0x200000'))
for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  if (skip !== false) {
    process.stdout.write(`  ${kernel}: skipped, ${skip}\n`)
    continue
  }
  const { pid, translations } = truthOf(kernel).vms[0] ?? nothing(path)
  const resident = translations.find(({ state }) => state === 'present') ?? nothing(path)
  row(`  vtop on the dump of ${kernel}`, ...firstAnswer(path, pid, resident.gpa))
}

process.stdout.write('\n')
row('one address after the other, in one process', 'per second')
for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  if (skip === false)
    row(`  qemuVtop on the dump of ${kernel}`, translationsPerSecond(kernel, path))
}

process.stdout.write('\n')
row('a dump of 16 TB: open, one page (5 runs)', 'median', 'min … max', 'peak memory')
const large = mkdtempSync(join(tmpdir(), 'bench-large-'))
try {
  for (const [name, write] of [
    ['ELF, sparse', writeLargeElf],
    [
      'kdump, few pages',
      (path: string) => {
        writeLargeKdump(path, false)
      },
    ],
    [
      'kdump, every fourth page',
      (path: string) => {
        writeLargeKdump(path, true)
      },
    ],
  ] as const) {
    const path = join(large, 'vmcore')
    write(path)
    for (const [where, pfn] of [
      ['first', LARGE_FRAMES[0]],
      ['last', LARGE_FRAMES[1]],
    ] as const) {
      row(
        `  ${name}, the ${where} frame`,
        ...figures('test/bench/firstpage.js', [path, String(pfn)], 'dist/'),
      )
    }
    rmSync(path)
  }
} finally {
  rmSync(large, { recursive: true })
}

process.stdout.write('\n')
row('pages at random, the dump of 6.12', 'per second', 'to zlib alone')
const { path: stored, skip: noStored } = realDump('6.12')
if (noStored === false) {
  const found = storedIn(stored)
  const { all, own, zlib } = storedRates(stored, found)
  const of = (rate: number) => [Math.round(rate).toLocaleString('en'), (rate / zlib).toFixed(2)]
  row(`  ${found.saved.length} saved pages`, ...of(all))
  row(`  ${found.compressed.length} with a zlib stream of their own`, ...of(own))
  row('  zlib alone, the same streams in memory', ...of(zlib))
} else process.stdout.write(`  skipped, ${noStored}\n`)

function firstAnswer(path: string, pid: number, gpa: string): string[] {
  return figures(command, ['vtop', path, '-g', String(pid), '-p', gpa])
}

function figures(script: string, args: string[], prefix = ''): string[] {
  const { wall, peak } = measureNode(prefix + script, args)
  const [least, middle, most] = wall
  return [
    `${middle.toFixed(3)} s`,
    `${least.toFixed(3)} … ${most.toFixed(3)}`,
    `${peak.toFixed(0)} MB`,
  ]
}

/** Translations of random recorded addresses of the first guest, page and VMA not looked up. */
function translationsPerSecond(kernel: string, path: string): string {
  const dump = openDump(path)
  const vm = truthOf(kernel).vms[0] ?? nothing(path)
  const guest = dump.task(vm.pid).vms[0] ?? nothing(path)
  const addresses = vm.translations.map(({ gpa }) => parseInt(gpa))
  const rounds = 50
  for (const gpa of addresses) qemuVtop(guest, gpa)
  const start = performance.now()
  for (let round = 0; round < rounds; round++) for (const gpa of addresses) qemuVtop(guest, gpa)
  const seconds = (performance.now() - start) / 1000
  dump.close()
  return Math.round((rounds * addresses.length) / seconds).toLocaleString('en')
}

function nothing(path: string): never {
  throw new Error(`no guest is recorded for ${path}`)
}
