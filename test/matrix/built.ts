// SPDX-License-Identifier: GPL-2.0-or-later
// A host that has something for every feature of the matrix, in the forms of a kernel, and what it was made of.

import { addGuestMemfd, folioHpa, GUEST_MEMFD } from '../build/guestmemfd.ts'
import { type BuiltHost, type HostDescription } from '../build/linux.ts'
import { page } from '../build/pagetable.ts'
import { guestHpa, guestHva, smallHost, vmmPid } from '../build/smallhost.ts'
import { addVcpus } from '../build/vcpus.ts'
import { type WantedHost, type WantedTranslation } from './wanted.ts'

/** What a built kernel is like, and how it writes its swap entries. */
export interface BuiltForms {
  readonly forms: Partial<HostDescription>
  readonly swapEntry: (type: number, offset: number) => bigint
  /** True when built hosts keep the swap cache as this kernel does. */
  readonly hasSwapCache: boolean
}

const hugeHpa = 0x8000000
const cacheHpa = 0x9000000
const highGpa = 0x100000
/** Swapped pages, enough to tell the form of an old kernel's entries: guest pages 16 to 47 of the high slot. */
const swapped = Array.from({ length: 32 }, (_, i) => ({
  gpa: highGpa + (16 + i) * 4096,
  hva: guestHva + BigInt((16 + i) * 4096),
  offset: 20 + i,
}))
const cached = swapped.slice(0, 4).map(({ gpa, offset }, i) => {
  return { gpa, offset, hpa: cacheHpa + i * 4096 }
})
const dirty = [1, 2, 70]
const words = (gpa: number) => [0x5a5a0000n, BigInt(gpa)]

/** Writes the host, and says what is in it. */
export function builtHost(kernel: BuiltForms): { built: BuiltHost; wanted: WantedHost } {
  const { forms, swapEntry, hasSwapCache } = kernel
  const hasGuestMemfd = (forms.memslots ?? 'tree') === 'tree'
  const low = { id: 1, gpa: 0, pages: 64, hva: guestHva + 0x800000n }
  const high = { id: 0, gpa: highGpa, pages: 0x700, hva: guestHva, flags: 1 }
  const slots = [{ ...low, flags: hasGuestMemfd ? GUEST_MEMFD : 0 }, high]
  const threads = [1, 2].map((i) => ({ pid: vmmPid + i, comm: `CPU ${i - 1}/KVM` }))
  const files = ['/dev/kvm', '/var/lib/web01.img', '/tmp/a file']
  const inCache = hasSwapCache ? cached : []
  const device = { path: '/dev/vda2', pages: 1000 }
  const built = smallHost(
    {
      ...forms,
      frames: [{ hpa: guestHpa }, { hpa: hugeHpa, order: 3 }],
      swaps: [{ ...device, cached: inCache.map(({ offset, hpa }) => [offset, hpa] as const) }],
    },
    {
      ...{ threads, files, vms: [{ slots }] },
      entries: [
        [guestHva, 1, page(guestHpa)],
        [guestHva + 0x1000n, 1, page(hugeHpa + 0x3000)],
        ...swapped.map(({ hva, offset }) => [hva, 1, swapEntry(0, offset)] as const),
      ],
    },
  )
  write(built, guestHpa, highGpa)
  for (const { gpa, hpa } of inCache) write(built, hpa, gpa)
  addVcpus(built, vmmPid, [{ id: 0, pid: vmmPid }])
  const hasBitmap = addDirtyLog(built)
  if (hasGuestMemfd) addGuestMemfd(built, vmmPid)
  const mapped: [number, number][] = [
    [highGpa, guestHpa],
    [highGpa + 0x1000, hugeHpa + 0x3000],
  ]
  const privatePages: [number, number][] = hasGuestMemfd
    ? [
        [0x4000, folioHpa],
        [0x5000, folioHpa + 0x1000],
      ]
    : []
  const found = [...mapped, ...privatePages]
  const size = 4096
  const guest = {
    pid: vmmPid,
    threads: [
      { tid: vmmPid, comm: 'qemu-system-x86' },
      ...threads.map(({ pid, comm }) => ({ tid: pid, comm })),
    ],
    files: [...files, 'anon_inode:kvm-vm'],
    vmas: [
      { start: 0x550000000000n, end: 0x550000002000n, protection: 'r--p', file: null },
      { start: guestHva, end: guestHva + 0x1000000n, protection: 'rw-p', file: null },
    ],
    memslots: [
      { addressSpace: 0, id: 1, gpa: 0, size: 64 * size, hva: low.hva, isLogged: false },
      {
        ...{ addressSpace: 0, id: 0, gpa: highGpa, size: 0x700 * size, hva: guestHva },
        ...{ isLogged: hasBitmap, dirty: dirty.map((bit) => highGpa / size + bit) },
      },
    ],
    vcpus: [vmmPid],
    translations: translations(mapped),
    privatePages,
    mapped: () => found,
    counts: () => ({
      otherEntries: swapped.length,
      unmapped: 64 + 0x700 - found.length - swapped.length,
    }),
    words,
  }
  const processes = [
    { pid: 1, comm: 'systemd', ppid: 0 },
    { pid: vmmPid, comm: 'qemu-system-x86', ppid: 0 },
  ]
  const swaps = [{ type: 0, path: device.path, kind: 'partition' }]
  return { built, wanted: { processes, swaps, guests: [guest] } }
}

function translations(mapped: readonly (readonly [number, number])[]): WantedTranslation[] {
  const pages = [
    { mapcount: 1, use: 'anon', order: 0 },
    { use: 'anon', order: 3 },
  ]
  return [
    ...mapped.map(([gpa, hpa], i) => ({
      ...{ gpa, hpa, hva: guestHva + BigInt(gpa - highGpa), state: 'mapped' },
      ...{ page: pages[i] ?? {}, isWritten: i === 0 },
    })),
    ...swapped.map(({ gpa, hva, offset }) => ({
      ...{ gpa, hva, hpa: null, state: 'swapped', swap: { type: 0, offset, path: '/dev/vda2' } },
      isWritten: true,
    })),
    {
      ...{ gpa: highGpa + 0x6000, hva: guestHva + 0x6000n, hpa: null },
      ...{ state: 'unmapped', isWritten: false },
    },
    { gpa: 0x80000, hva: null, hpa: null, state: 'no-slot', isWritten: false },
  ]
}

function write({ kernel }: BuiltHost, hpa: number, gpa: number): void {
  kernel.memory.zero(hpa)
  words(gpa).forEach((word, i) => kernel.memory.u64(hpa + i * 8, word))
}

/** Gives the high slot a bitmap, where the structures have one. */
function addDirtyLog(built: BuiltHost): boolean {
  const { kernel } = built
  if (kernel.types.struct('kvm_memory_slot')?.member('dirty_bitmap') === undefined) return false
  const [vm] = built.task(vmmPid).vms
  const bits = [0n, 0n]
  for (const bit of dirty) bits[bit >> 6] = (bits[bit >> 6] ?? 0n) | (1n << BigInt(bit & 63))
  const dirty_bitmap = kernel.words([...bits, ...Array<bigint>(26).fill(0n)])
  // The slot with the lowest number, the most pages, and the highest address: the first one of every array.
  const struct = kernel.forms.memslots === 'in kvm' ? 'kvm' : 'kvm_memslots'
  const slot = vm?.slots[1] ?? kernel.member(struct, vm?.sets[0] ?? 0n, 'memslots[0]')
  kernel.set('kvm_memory_slot', slot, { dirty_bitmap })
  return true
}
