// SPDX-License-Identifier: GPL-2.0-or-later
// What was recorded of a real host, for the features of the matrix.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type DumpFacts } from '../../core/index.ts'
import { pagemapAt, stateOf, type TrueTranslation, truthAt, type TrueVm } from '../truth.ts'
import {
  type WantedGuest,
  type WantedHost,
  type WantedTranslation,
  type WantedVma,
} from './wanted.ts'

/** Filtered by makedumpfile with this bit of its level: no pages of processes. */
const NO_USER_PAGES = 8
const MAGIC = 0x3145474150565451n

/** What lies beside a dump, in its folder. */
export function wantedOfRecord(folder: string, { dumpLevel }: DumpFacts): WantedHost {
  const truth = truthAt(join(folder, 'truth.json'))
  const pagemap = pagemapAt(join(folder, 'pagemap.bin'))
  const isFiltered = dumpLevel !== undefined && (dumpLevel & NO_USER_PAGES) !== 0
  const why = `its dump has no user pages (makedumpfile -d ${dumpLevel ?? 0})`
  return {
    ...(isFiltered ? { noUserPages: why } : {}),
    processes: truth.processes,
    swaps: truth.swaps.map(({ type, path, kind }) => ({ type, path, kind })),
    guests: truth.vms.map((vm) => guestOf(folder, vm, pagemap)),
  }
}

function guestOf(folder: string, vm: TrueVm, pagemap: Uint32Array): WantedGuest {
  const { pid, threads, memslots, translations, vmid } = vm
  const vmas = smapsOf(folder, vm.name)
  const pages = () => memslots.flatMap((slot) => (slot.address_space === 0 ? entries(slot) : []))
  const entries = ({ gpa, pages: count, pagemap_bin_offset }: TrueVm['memslots'][number]) =>
    Array.from({ length: count }, (_, page) => {
      const at = 2 * (pagemap_bin_offset / 8 + page)
      const [low, high] = [pagemap[at] ?? 0, pagemap[at + 1] ?? 0]
      // Bit 63: present, with the frame in bits 0 to 54. Bit 62: another entry.
      const hpa = high >>> 31 === 1 ? ((high & 0x7fffff) * 2 ** 32 + low) * 4096 : null
      return { gpa: parseInt(gpa) + page * 4096, hpa, isOther: ((high >>> 30) & 1) === 1 }
    })
  return {
    pid,
    threads: threads.map(({ tid, comm }) => ({ tid, comm: comm.slice(0, 15) })),
    files: ['/dev/kvm', 'anon_inode:kvm-vm'],
    vmas,
    memslots: memslots.map((slot) => ({
      ...{ addressSpace: slot.address_space, id: slot.slot, gpa: parseInt(slot.gpa) },
      ...{ size: parseInt(slot.size), hva: BigInt(slot.hva), isLogged: (slot.flags & 1) === 1 },
    })),
    // QEMU names the thread of a vCPU so.
    vcpus: threads.filter(({ comm }) => /^CPU \d+\/KVM$/.test(comm)).map(({ tid }) => tid),
    translations: translations.map(translationOf),
    privatePages: [],
    mapped: () => pages().flatMap(({ gpa, hpa }) => (hpa === null ? [] : [[gpa, hpa] as const])),
    counts: () => {
      const others = pages().filter(({ hpa }) => hpa === null)
      const otherEntries = others.filter(({ isOther }) => isOther).length
      return { otherEntries, unmapped: others.length - otherEntries }
    },
    words: (gpa) => [MAGIC, BigInt(vmid), BigInt(gpa), BigInt.asUintN(64, ~BigInt(gpa))],
  }
}

function translationOf(one: TrueTranslation): WantedTranslation {
  const { gpa, state, hva, hpa, kind = '', kpagecount, swap_type = 0, swap_offset = 0 } = one
  const use =
    kind === 'zero-page' ? 'zero' : kind.startsWith('hugetlb') ? ('hugetlb' as const) : undefined
  const page = {
    ...(use === undefined ? {} : { use }),
    ...(kind === 'thp-2M' ? { order: 9 } : {}),
    // The page of zeros is mapped without being counted in some releases.
    ...(use === 'zero' || kpagecount === undefined ? {} : { mapcount: kpagecount }),
  }
  return {
    gpa: parseInt(gpa),
    state: stateOf[state],
    hva: hva === undefined ? null : BigInt(hva),
    hpa: hpa === undefined ? null : parseInt(hpa),
    ...(state === 'present' ? { page } : {}),
    ...(state === 'swapped'
      ? { swap: { type: swap_type, offset: swap_offset, path: kind.replace(/^swap:/, '') } }
      : {}),
    isWritten: state === 'swapped' || (state === 'present' && one.content_in_dump === 'pattern'),
  }
}

/** The VMAs of /proc/PID/smaps. */
function smapsOf(folder: string, name: string): WantedVma[] {
  const text = gunzipSync(readFileSync(join(folder, `smaps-${name}.txt.gz`))).toString()
  const heads = text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/gm)
  return [...heads].flatMap(([, start = '', end = '', protection = '', file = '']) =>
    // No VMA of the process.
    file === '[vsyscall]'
      ? []
      : [
          {
            ...{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), protection },
            // Names such as [heap] are no files.
            file: file === '' || file.startsWith('[') ? null : file,
          },
        ],
  )
}
