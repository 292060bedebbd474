// SPDX-License-Identifier: GPL-2.0-or-later
// Results to look at: the example that users of crash know from 2012, and one of each state.

import { PAGE_SIZE } from '../../../core/dump/format.ts'
import { FaultError, UsageError } from '../../../core/errors.ts'
import { type Memslot } from '../../../core/kvm/memslots/memslot.ts'
import { type Page } from '../../../core/linux/page.ts'
import { type Vma } from '../../../core/linux/vma.ts'
import { walk, type Frames } from '../../../core/paging/walk.ts'
import { type Translated } from '../../../core/translate/translation.ts'
import { type SlotMapInput } from '../../../core/view/chart.ts'
import { rulesOfToday } from '../../build/pagetable.ts'

/** The output of the crash extension of 2012 for `qemu-vtop -g 191579 -p 34de5840`, with PGD for PML. */
export const seedText = `GUEST PHYSICAL    HOST VIRTUAL      HOST PHYSICAL
34de5840          7f060cbe5840      611de5840

   PGD: 72dbb67f0 => 875afa067
   PUD: 875afa0c0 => 736871067
   PMD: 736871328 => 8000000611c000e7
  PAGE: 611c00000  (2MB)

      PTE         PHYSICAL   FLAGS
8000000611c000e7  611c00000  (PRESENT|RW|USER|ACCESSED|DIRTY|PSE|NX)

      VMA           START       END     FLAGS FILE
ffff8806edca49e0 7f05d7e00000 7f0697e00000 80120073

      PAGE        PHYSICAL      MAPPING       INDEX CNT FLAGS
ffffea00153e8a18 611de5000                0 7f9e743e5  0 c0000000008000`

/** Physical memory with these 64-bit words in it. */
export function framesWith(words: Readonly<Record<number, bigint>>): Frames {
  const pages = new Map<number, DataView>()
  for (const [address, value] of Object.entries(words)) {
    const pfn = Math.floor(Number(address) / PAGE_SIZE)
    const page = pages.get(pfn) ?? new DataView(new ArrayBuffer(PAGE_SIZE))
    page.setBigUint64(Number(address) % PAGE_SIZE, value, true)
    pages.set(pfn, page)
  }
  return {
    tryPage(pfn) {
      const page = pages.get(pfn)
      if (page === undefined) return { why: 'excluded', detail: 'left out at dump level 31' }
      return new Uint8Array(page.buffer)
    },
  }
}

const root = 0x72dbb6000
const hva = 0x7f060cbe5840n

export const slot: Memslot = {
  addressSpace: 0,
  id: 6,
  baseGfn: 0x100,
  npages: 0xbff00,
  gpa: 0x100000,
  size: 0xbff00000,
  hva: 0x7f05d7f00000n,
  flags: [],
  flagBits: 0,
  invalid: false,
  address: 0xffff8806ed000040n,
}

export const vma: Vma = {
  address: 0xffff8806edca49e0n,
  start: 0x7f05d7e00000n,
  end: 0x7f0697e00000n,
  flagBits: 0x80120073n,
  flags: ['READ', 'WRITE', 'MAYREAD', 'MAYWRITE', 'MAYEXEC', 'DONTEXPAND', 'ACCOUNT'],
  protection: 'rw-p',
  pageOffset: 0x7f05d7e00n,
  file: null,
  name: null,
}

export const page: Page = {
  address: 0xffffea00153e8a18n,
  pfn: 0x611de5,
  hpa: 0x611de5000,
  flagBits: 0xc0000000008000n,
  flags: [],
  mapping: 0n,
  index: 0x7f9e743e5n,
  refcount: 0,
  mapcount: null,
  use: 'anon',
  head: 0x611c00,
  order: 9,
  isLarge: true,
  node: 0,
  zone: 2,
  isPoisoned: false,
}

const upper = { 0x72dbb67f0: 0x875afa067n, 0x875afa0c0: 0x736871067n }

/** The example: a 2 MiB page, every number as it was printed then. */
export const seed: Translated = {
  subject: { pid: 191579, comm: 'qemu-kvm', vmName: null },
  gpa: 0x34de5840,
  state: 'mapped',
  reason: 'mapped by a 2 MiB page',
  hva,
  hpa: 0x611de5840,
  pageSize: 0x200000,
  slot,
  walk: walk(framesWith({ ...upper, 0x736871328: 0x8000000611c000e7n }), rulesOfToday, root, hva),
  swap: null,
  vma,
  page,
}

/** The same address, as it would be when its last entry were another. */
function withPte(pte: bigint): Translated['walk'] {
  const table = { 0x736871328: 0x5a0000067n, 0x5a0000f28: pte }
  return walk(framesWith({ ...upper, ...table }), rulesOfToday, root, hva)
}

const notMapped = { ...seed, hpa: null, pageSize: null, page: null }

/** One translation of each kind, by name. */
export const samples: Readonly<Record<string, Translated>> = {
  'mapped 2M': seed,
  'mapped 4K, PROT_NONE': {
    ...seed,
    reason:
      'mapped by a 4 KiB page that the processor may not use now: PROT_NONE set by NUMA balancing, to see who uses it next; its frame number is stored inverted',
    hpa: 0x148a96840,
    pageSize: 4096,
    // Frame 0x148a96 inverted in bits 12 to 45, with PROTNONE, SOFT_DIRTY and some more.
    walk: withPte(0x80003ffeb7569966n),
    page: {
      ...page,
      pfn: 0x148a96,
      hpa: 0x148a96000,
      head: 0x148a96,
      order: 0,
      refcount: 1,
      mapcount: 1,
      flags: ['uptodate', 'dirty', 'lru', 'swapbacked'],
    },
  },
  swapped: {
    ...notMapped,
    state: 'swapped',
    reason: 'swapped to /dev/zram0 at offset 16384; still in the swap cache at 0x2b33a840',
    walk: withPte(0x7ffffffff800000n),
    swap: { type: 0, offset: 16384, path: '/dev/zram0', cachedAt: 0x2b33a840 },
  },
  unmapped: {
    ...notMapped,
    state: 'unmapped',
    reason: 'never touched, or given back: the PTE entry is empty',
    walk: withPte(0n),
    vma: { ...vma, file: '/memfd:pc.ram (deleted)', protection: 'rw-s', pageOffset: 0n },
  },
  poisoned: {
    ...notMapped,
    state: 'poisoned',
    reason: 'a memory error took frame 0x5555 out of use',
    hpa: 0x5555840,
    walk: withPte(0xdfffffffff555400n),
    page: { ...page, pfn: 0x5555, hpa: 0x5555000, head: 0x5555, order: 0, isPoisoned: true },
  },
  'no-slot': {
    ...notMapped,
    state: 'no-slot',
    reason: '34de5840 has not been allocated: no memslot holds it (slot 6 ends at 0x7fffffff)',
    hva: null,
    slot: null,
    walk: null,
    vma: null,
  },
  'not-in-dump': {
    ...notMapped,
    state: 'not-in-dump',
    reason: 'the page table at 0x736871000 is not in the dump: left out at dump level 31',
    walk: walk(framesWith(upper), rulesOfToday, root, hva),
    vma: null,
  },
}

const kib = 1024
const mib = 1024 * kib
const gib = 1024 * mib

// [id, gpa, size, shares by state in percent]. A PC guest with DIMMs, firmware, a GPU and a slot of 4 KiB.
const rows: readonly (readonly [number, number, number, Readonly<Record<string, number>>])[] = [
  [0, 0x0, 640 * kib, { '4096': 100 }],
  [1, 0xc0000, 32 * kib, { '4096': 100 }],
  [2, 0xc8000, 12 * kib, { '4096': 100 }],
  [3, 0xcb000, 20 * kib, { '4096': 60, unmapped: 40 }],
  [4, 0xd0000, 128 * kib, { '4096': 12, unmapped: 88 }],
  [5, 0xf0000, 64 * kib, { '4096': 100 }],
  [
    6,
    0x100000,
    2 * gib - mib,
    { '2097152': 71, '4096': 12, swapped: 6, unmapped: 9.99, poisoned: 0.01, 'not-in-dump': 1 },
  ],
  [7, 0xfd000000, 16 * mib, { '4096': 20, unmapped: 80 }],
  [8, 0xfe000000, 4 * kib, { 'device-private': 100 }],
  [9, 0xfea00000, 16 * kib, { '4096': 100 }],
  [10, 0xfeb00000, 256 * kib, { '4096': 25, unmapped: 75 }],
  [11, 0xffc00000, 528 * kib, { '4096': 100 }],
  [12, 0xffc84000, 3568 * kib, { '4096': 90, unmapped: 10 }],
  [
    13,
    4 * gib,
    6 * gib,
    { '1073741824': 33, '2097152': 41, '4096': 10, swapped: 5, unmapped: 10, 'not-in-dump': 1 },
  ],
  [14, 12 * gib, gib, { '2097152': 90, '4096': 10 }],
  [15, 13 * gib, gib, { '2097152': 90, '4096': 10 }],
  [16, 14 * gib, gib, { '2097152': 90, '4096': 10 }],
  [17, 15 * gib, gib, { '2097152': 30, unmapped: 70 }],
  [18, 16 * gib, gib, { '2097152': 30, unmapped: 70 }],
  [19, 17 * gib, gib, { unmapped: 100 }],
  [20, 18 * gib, 16 * gib, { '2097152': 55, unmapped: 45 }],
  [21, 0xd0000000000, 256 * mib, { 'device-private': 100 }],
]

type Shares = SlotMapInput['slots'][number]['shares']

/** A guest with 22 memslots and an address of the sixth marked. */
export const slotMapInput: SlotMapInput = {
  slots: rows.map(([id, gpa, size, percents]) => ({
    slot: { ...slot, id, gpa, size, baseGfn: gpa / PAGE_SIZE, npages: size / PAGE_SIZE },
    shares: Object.entries(percents).map(([state, percent]) => ({
      state: /^\d/.test(state) ? 'mapped' : state,
      pageSize: /^\d/.test(state) ? Number(state) : null,
      bytes: (size * percent) / 100,
    })) as Shares,
  })),
  marked: [{ gpa: 0x34de5840, label: 'gpa 0x34de5840' }],
}

/** A virtual machine with the slots above. */
export const someVm = {
  address: 0xffffc90000123000n,
  name: 'A',
  uuid: '5f0c8a10-0000-4000-8000-00000000000a',
  task: { pid: 183, comm: 'qemu-system-x86' },
  memslots: slotMapInput.slots.map((each) => each.slot),
}

/** Forty tasks, every third with a command line. */
export const someTasks = Array.from({ length: 40 }, (_, i) => ({
  pid: i + 1,
  tgid: i + 1,
  comm: i % 3 === 0 ? 'qemu-system-x86' : `kworker/${i}`,
  address: 0xffff888003210000n + BigInt(i * 64),
  state: 'sleeping',
  parent: { pid: 1, comm: 'systemd' },
  isKernelThread: i % 3 !== 0,
  commandLine: i % 3 === 0 ? ['qemu-system-x86_64', '-name', 'guest=A', '-m', '192M'] : null,
}))

/** An open dump, as far as its summary goes. */
export const someDump = {
  path: '/var/crash/vmcore',
  facts: {
    format: 'kdump-compressed',
    version: 6,
    codecs: ['zlib'],
    dumpLevel: 23,
    timestamp: 1795431537,
    nodename: 'host',
    remarks: [],
  },
  release: '6.12.107+deb13-amd64',
  build: '#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-08-29)',
  bases: {
    physBase: { value: -0x1000000n, from: 'VMCOREINFO NUMBER(phys_base), verified by init_uts_ns' },
    kaslrOffset: 0x1c000000n,
    directMap: { value: 0xffff888000000000n, from: 'page_offset_base' },
    vmalloc: 0xffffc90000000000n,
    vmemmap: 0xffffea0000000000n,
    vmcoreinfo: { value: 'note', from: 'the dump has it' },
    remarks: [],
  },
  host: { rules: { levels: 4 }, vmcoreinfo: { crashTime: undefined } },
  vms: [someVm, { ...someVm, name: null, uuid: null, task: null }],
}

/** A raw structure whose class has these getters; members of `pointers` are pointers. */
export function rawStructOf(
  type: string,
  size: number,
  address: bigint,
  members: Readonly<Record<string, () => unknown>>,
  pointers: readonly string[] = [],
): object {
  class Raw {
    readonly $addr = address
    readonly $type = type
    readonly $size = size
    $ptr(member: string): bigint {
      const value: unknown = members[member]?.()
      if (pointers.includes(member)) return (value as { $addr: bigint }).$addr
      throw new UsageError('not a pointer')
    }
  }
  for (const [name, get] of Object.entries(members)) {
    Object.defineProperty(Raw.prototype, name, { get, enumerable: true })
  }
  return new Raw()
}

const mm = rawStructOf('mm_struct', 1280, 0xffff8806f1230000n, {})

/** A raw structure with a member of each kind. */
export const rawStruct = rawStructOf(
  'kvm',
  40904,
  0xffff8806ee500000n,
  {
    mmu_lock: () => rawStructOf('spinlock_t', 4, 0xffff8806ee500000n, { raw: () => 0 }),
    mm: () => mm,
    next: () => null,
    max_vcpus: () => 1024,
    stats_id: () => 'kvm-183',
    slots: () => [1n, 0xffff8806f9004000n],
    lost: () => {
      throw new FaultError('kernel virtual', 0x1000n, 'excluded', 'left out at dump level 31')
    },
  },
  ['mm'],
)
