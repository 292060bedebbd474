// SPDX-License-Identifier: GPL-2.0-or-later
// A cache folder with a snapshot in it that a kernel has made, for tests.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findSnapshot, type Snapshot } from '../../../../kernel/front/snapshot/find.ts'
import { eventually, isCompiler, TestKernel } from '../testkernel.ts'

/** It is made at low priority, behind everything else on the machine. */
const buildMs = 120_000

/** A folder for `XDG_CACHE_HOME`, and what a kernel needs to use it. */
export class Cache {
  readonly home = mkdtempSync(join(tmpdir(), 'test-cache-'))
  /** Where the kernel keeps its snapshots. */
  readonly folder = join(this.home, 'qemu-vtop')

  constructor() {
    // Kernels are given their own environment; the functions that are tested look at this process's.
    delete process.env['QEMU_VTOP_SNAPSHOT']
  }

  /** Starts a kernel that uses and makes snapshots here. */
  start(home = this.home): Promise<TestKernel> {
    const env = { XDG_CACHE_HOME: home, QEMU_VTOP_SNAPSHOT: 'on' }
    return TestKernel.start(undefined, false, env)
  }

  /** Waits until a kernel has made its snapshot. */
  async made(): Promise<Snapshot> {
    await eventually(() => findSnapshot(this.folder) !== undefined, buildMs)
    const snapshot = findSnapshot(this.folder)
    if (snapshot === undefined) throw new Error(`no snapshot was made: ${this.names().join()}`)
    return snapshot
  }

  /** What lies in the folder. */
  names(): string[] {
    try {
      return readdirSync(this.folder)
    } catch {
      return []
    }
  }

  remove(): void {
    rmSync(this.home, { recursive: true, force: true })
  }
}

/** Whether a kernel's compiler was started from a snapshot. */
export function usesSnapshot(kernel: TestKernel): boolean {
  return kernel.processes().some((pid) => isCompiler(pid) && commandOf(pid).includes('--snapshot'))
}

/** The process that makes a kernel's snapshot, while it does. */
export function builderOf(kernel: TestKernel): number | undefined {
  return kernel.processes().find((pid) => commandOf(pid).includes('--build-snapshot'))
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    // It has just ended.
    return ''
  }
}
