// SPDX-License-Identifier: GPL-2.0-or-later
// What the steps of inference hand on to each other: the objects that were met on the way.

import { Block, type Ground } from './ground.ts'
import { type Findings } from './findings.ts'

/** One open file. */
export interface MetFile {
  readonly block: Block
  /** The task that holds it open. */
  readonly task: Block
}

/** A memory map of a process, with what was found of it. */
export interface MetMm {
  readonly block: Block
  /** Its VMAs in order of address, once they are known. */
  vmas: readonly { readonly address: bigint; readonly start: bigint; readonly end: bigint }[]
}

/** The state of the search. */
export interface Survey {
  readonly ground: Ground
  readonly findings: Findings
  /** The first task of the kernel, pid 0. */
  init: Block
  /** The other processes (thread group leaders), in the kernel's order. */
  processes: Block[]
  /** Threads that lead no group. */
  threads: Block[]
  /** By address. */
  mms: Map<bigint, MetMm>
  files: Map<bigint, MetFile>
  /** The directory entries of the open files, and the mounts that they are reached through. */
  dentries: Map<bigint, Block>
  /** The root of each mount, by the address of its vfsmount. */
  mounts: ReadonlyMap<bigint, bigint>
  /** The `struct module` of each module by name. */
  modules: ReadonlyMap<string, bigint>
  /** The `swap_info_struct` of each swap device. */
  swaps: Block[]
  /** The virtual machines by the address of their struct kvm, with the mm of the task that holds them. */
  kvms: Map<bigint, { readonly block: Block; readonly mm: bigint }>
}

/** A survey that has met nothing. */
export function newSurvey(ground: Ground, findings: Findings): Survey {
  return {
    ground,
    findings,
    init: new Block(0n, new Uint8Array()),
    processes: [],
    threads: [],
    mms: new Map(),
    files: new Map(),
    dentries: new Map(),
    mounts: new Map(),
    modules: new Map(),
    swaps: [],
    kvms: new Map(),
  }
}
