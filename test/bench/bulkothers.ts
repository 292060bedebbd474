// SPDX-License-Identifier: GPL-2.0-or-later
// drgn and libaddrxlat on the addresses of a real guest, where they are installed: processor time of their loops alone.
//
// Environment, as for peers/run.sh: DRGN, ADDRXLAT (else it is built where libkdumpfile-dev is), VMLINUX and KVM_KO.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gpaToHva, type Vm } from '../../core/index.ts'
import { root } from '../place.ts'

/** Another program that translates; `run` gives nanoseconds for one address. */
export interface Other {
  readonly name: string
  readonly rows: number
  run(): number
}

const { DRGN: drgn = 'drgn', ADDRXLAT: addrxlat, VMLINUX: vmlinux, KVM_KO: kvm } = process.env
const folderOfPeers = join(root, 'test/bench/peers')

/** Those that are there, and why the others are not. `gpas` are taken from the front. */
export function others(
  vm: Vm,
  dump: string,
  gpas: BigUint64Array,
  folder: string,
): { found: Other[]; missing: string[] } {
  const found: Other[] = []
  const missing: string[] = []
  const add = (name: string, rows: number, make: (file: string) => readonly string[]) => {
    const file = join(folder, `${name}.txt`)
    const some = gpas.subarray(0, rows)
    const column = name === 'drgn' ? some : gpaToHva(vm, some)
    writeFileSync(file, Array.from(column, (one) => `0x${one.toString(16)}\n`).join(''))
    const other = { name, rows, run: () => timeOf(make(file)) }
    try {
      other.run()
      found.push(other)
    } catch (error) {
      const [line = ''] = (error instanceof Error ? error.message : '').split('\n')
      missing.push(`${name}: ${line.slice(0, 80)}`)
    }
  }
  try {
    const program = addrxlat ?? built(folder)
    const table = `0x${vm.userSpace.root.toString(16)}`
    add('libaddrxlat', 1_000_000, (file) => [program, dump, table, file])
  } catch {
    missing.push('libaddrxlat: libkdumpfile-dev, pkg-config or gcc is missing')
  }
  if (vmlinux === undefined || kvm === undefined) {
    missing.push('drgn: set VMLINUX and KVM_KO (test/bench/peers/README.md)')
  } else {
    const script = join(folderOfPeers, 'drgn_vtop.py')
    const symbols = ['-q', '-c', dump, '-s', vmlinux, '-s', kvm]
    add('drgn', 200_000, (file) => [drgn, ...symbols, script, `${vm.task?.pid ?? ''}`, file])
  }
  return { found, missing }
}

function built(folder: string): string {
  const program = join(folder, 'addrxlat_vtop')
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'libkdumpfile', 'libaddrxlat'], {
    encoding: 'utf8',
    stdio: 'pipe',
  })
  const source = join(folderOfPeers, 'addrxlat_vtop.c')
  execFileSync('gcc', ['-O2', '-o', program, source, ...flags.trim().split(/\s+/)], {
    stdio: 'pipe',
  })
  return program
}

function timeOf([program = '', ...args]: readonly string[]): number {
  const out = execFileSync(program, args, {
    encoding: 'utf8',
    stdio: 'pipe',
    env: { ...process.env, RATE: '1', PYTHONDONTWRITEBYTECODE: '1' },
  })
  const [count = 0, nanoseconds = 0] = out.trim().split(' ').map(Number)
  return nanoseconds / count
}
