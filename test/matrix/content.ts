// SPDX-License-Identifier: GPL-2.0-or-later
// Features of the matrix about swapped pages, and about what a guest's pages hold.

import assert from 'node:assert/strict'
import { FaultError, type HostDump, qemuVtop, type Vm } from '../../core/index.ts'
import { type PageContent } from '../../core/linux/swap/swapcontent.ts'
import { at, NoCase, vmOf } from './feature.ts'
import { type WantedGuest, type WantedHost, type WantedTranslation } from './wanted.ts'

interface Swapped {
  readonly vm: Vm
  readonly guest: WantedGuest
  readonly wanted: WantedTranslation
  readonly path: string
}

function swappedPages(dump: HostDump, { guests }: WantedHost): Swapped[] {
  return guests.flatMap((guest) => {
    const vm = vmOf(dump, guest)
    return guest.translations.flatMap((wanted) =>
      wanted.swap === undefined ? [] : [{ vm, guest, wanted, path: wanted.swap.path }],
    )
  })
}

/** The swap devices, and the device and offset of each swapped page. */
export function swapEntries(dump: HostDump, wanted: WantedHost): undefined {
  const devices = dump.swaps.map(({ type, path, kind }) => ({ type, path, kind }))
  assert.deepEqual(devices, wanted.swaps)
  const pages = swappedPages(dump, wanted)
  assert.ok(pages.length > 0)
  for (const { vm, wanted: one } of pages) {
    const { swap } = qemuVtop(vm, one.gpa)
    const found = swap && { type: swap.type, offset: swap.offset, path: swap.path }
    assert.deepEqual(found, one.swap, at(one.gpa))
  }
}

/** Compares a page with what the guest wrote there; false when its frame was filtered out, or is on a device alone. */
function readsBack(
  vm: Vm,
  guest: WantedGuest,
  { gpa, hva }: WantedTranslation,
  from?: string,
): boolean {
  const page = contentAt(vm, hva ?? assert.fail())
  if (page === undefined) return false
  const wanted = guest.words(gpa - (gpa % 4096))
  const bytes = Buffer.from(page.bytes)
  assert.deepEqual(
    wanted.map((_, i) => bytes.readBigUInt64LE(i * 8)),
    wanted,
    at(gpa),
  )
  if (from !== undefined) assert.equal(page.from, from, at(gpa))
  // The same through the front door.
  const byte = gpa % 4096
  assert.ok(bytes.subarray(byte, byte + 8).equals(vm.read(gpa, 8)), at(gpa))
  return true
}

/** Below vm.read, which says of a type that is not known that the page cannot be read. */
function contentAt(vm: Vm, hva: bigint): PageContent | undefined {
  try {
    return vm.linux.contents.read(vm.mmAddress, vm.userSpace, hva)
  } catch (error) {
    const isGone = error instanceof FaultError && ['excluded', 'swapped'].includes(error.reason)
    if (isGone) return undefined
    throw error
  }
}

const isZram = (path: string) => path.includes('zram')

/** The frames of swapped pages that are still in memory, and what the guest wrote there. */
export function swapCache(dump: HostDump, wanted: WantedHost): string | undefined {
  // Without its devices nothing says which page is on which.
  assert.equal(dump.swaps.length, wanted.swaps.length)
  const pages = swappedPages(dump, wanted).filter(({ path }) => !isZram(path))
  let frames = 0
  let contents = 0
  for (const { vm, guest, wanted: one } of pages) {
    const cachedAt = qemuVtop(vm, one.gpa).swap?.cachedAt ?? null
    if (cachedAt === null) continue
    // The frame says itself that it is in the swap cache.
    const flags = vm.linux.pages.find(Math.floor(cachedAt / 4096))?.flags ?? []
    assert.ok(flags.includes('swapcache'), `${at(one.gpa)}: ${flags.join('|')}`)
    frames++
    if (readsBack(vm, guest, one, 'swap cache')) contents++
  }
  if (frames === 0) throw new NoCase('no host of this kernel has a page in its swap cache')
  if (contents > 0) return undefined
  return `the frame of each page is found; ${wanted.noUserPages ?? assert.fail('no page reads back')}`
}

/** What the guest wrote to pages that are in the host's compressed memory. */
export function zram(dump: HostDump, wanted: WantedHost): undefined {
  const pages = swappedPages(dump, wanted).filter(({ path }) => isZram(path))
  if (pages.length === 0) throw new NoCase('no host of this kernel has zram')
  for (const { vm, guest, wanted: one } of pages) {
    assert.ok(readsBack(vm, guest, one, 'zram'), at(one.gpa))
  }
}

/** What the guest wrote to pages that are mapped. */
export function read(dump: HostDump, { guests, noUserPages }: WantedHost): undefined {
  let count = 0
  for (const guest of guests) {
    const vm = vmOf(dump, guest)
    for (const one of guest.translations) {
      if (one.state === 'mapped' && one.isWritten && readsBack(vm, guest, one)) count++
    }
  }
  if (count > 0) return
  throw new NoCase(noUserPages ?? assert.fail('no page reads back'))
}
