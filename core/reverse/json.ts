// SPDX-License-Identifier: GPL-2.0-or-later
// Who has a frame, as JSON.

import { hex } from '../bytes/hex.ts'
import { type FrameFacts } from './frame.ts'
import { answerOf } from './words.ts'

/** What `JSON.stringify(dump.whoHas(hpa))` holds. Addresses are `0x…` texts. */
export interface WhoHasJson {
  readonly hpa: string
  readonly pfn: string
  readonly kind: FrameFacts['kind']
  readonly answer: string
  readonly poisoned: boolean
  readonly guests: readonly {
    readonly vm: string | null
    readonly pid: number | null
    readonly gpa: string
    readonly addressSpace: number
    readonly slot: number
    readonly hva: string
    readonly holding: string
  }[]
  readonly processes: readonly {
    readonly pid: number
    readonly comm: string
    readonly hva: string
    readonly file: string | null
    readonly holding: string
  }[]
  readonly file: {
    readonly path: string | null
    readonly inode: string
    readonly fileSystem: string
    readonly device: string | null
    readonly offset: string
  } | null
  readonly slab: { readonly cache: string; readonly objectSize: number } | null
  readonly free: { readonly firstPfn: string; readonly order: number } | null
  readonly resources: readonly string[]
  readonly how: readonly string[]
  readonly remarks: readonly string[]
}

/** The JSON of an answer. */
export function whoHasJson(who: FrameFacts): WhoHasJson {
  const { file, slab, free } = who
  return {
    hpa: hex(who.hpa),
    pfn: hex(Math.floor(who.hpa / 4096)),
    kind: who.kind,
    answer: answerOf(who),
    poisoned: who.page?.isPoisoned === true,
    guests: who.guests.map(({ vm, gpa, addressSpace, slot, hva, holding }) => ({
      vm: vm.name,
      pid: vm.task?.pid ?? null,
      gpa: hex(gpa),
      addressSpace,
      slot: slot.id,
      hva: hex(hva),
      holding,
    })),
    processes: who.processes.map(({ task, hva, vma, holding }) => ({
      pid: task.pid,
      comm: task.comm,
      hva: hex(hva),
      file: vma?.file ?? null,
      holding,
    })),
    file:
      file === null ? null : { ...file, inode: file.inode.toString(), offset: hex(file.offset) },
    slab: slab === null ? null : { cache: slab.cache, objectSize: slab.objectSize },
    free: free === null ? null : { firstPfn: hex(free.firstPfn), order: free.order },
    resources: who.resources,
    how: who.how,
    remarks: who.remarks,
  }
}
