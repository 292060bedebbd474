// SPDX-License-Identifier: GPL-2.0-or-later
// Which view a value has: one line for each kind of result.

import { type View, type ViewOptions } from './block.ts'
import { bulkView, isTable } from './bulk.ts'
import { coverageView, isCoverage, isSlotCoverage, slotCoveragesView } from './coverage.ts'
import { comparisonView, isComparison, isSharedFrames, sharedFramesView } from './compare.ts'
import { dumpView, isDump } from './dump.ts'
import { groupsView } from './groups.ts'
import { filesView, isOpenFile } from './files.ts'
import { isMceAddress, mceView } from './mce.ts'
import { isMemslot, memslotsView } from './memslots.ts'
import { isPage, pageView } from './page.ts'
import { isGroup } from '../bulk/group.ts'
import { Shown } from './show.ts'
import { isRawStruct, structView } from './struct.ts'
import { isSwapDevice, swapsView } from './swaps.ts'
import { isTask, tasksView, taskView } from './tasks.ts'
import { isTranslated, translationViewOf } from './translation.ts'
import { isVcpu, vcpusView, vcpuView } from './vcpus.ts'
import { isVma, vmasView, vmaView } from './vma.ts'
import { isVm, vmsView, vmView } from './vms.ts'
import { isPageWalk, walkView } from './walk.ts'
import { isOwnerTable, isWhoHas, ownerTableView, whoHasView } from './whohas.ts'

type Viewer = (value: object, options: ViewOptions) => View | undefined

// A kernel structure may have members of any name, so raw ones are told first.
const viewers: readonly Viewer[] = [
  one(isRawStruct, structView),
  one(isTranslated, translationViewOf),
  one(isTable, bulkView),
  one(isWhoHas, whoHasView),
  one(isOwnerTable, ownerTableView),
  one(isComparison, comparisonView),
  one(isSharedFrames, sharedFramesView),
  one(isPageWalk, walkView),
  one(isDump, dumpView),
  one(isCoverage, coverageView),
  one(isVm, vmView),
  one(isVcpu, vcpuView),
  one(isTask, taskView),
  one(isMemslot, (slot, options) => memslotsView([slot], options)),
  one(isVma, vmaView),
  one(isPage, pageView),
  one(isOpenFile, (file, options) => filesView([file], options)),
  one(isSwapDevice, (device, options) => swapsView([device], options)),
  many(isGroup, groupsView),
  one(isMceAddress, (one, options) => mceView([one], options)),
  many(isMceAddress, mceView),
  many(isVm, vmsView),
  many(isVcpu, vcpusView),
  many(isTask, tasksView),
  many(isMemslot, memslotsView),
  many(isVma, vmasView),
  many(isSlotCoverage, slotCoveragesView),
  many(isOpenFile, filesView),
  many(isSwapDevice, swapsView),
]

/** The view of a result, or undefined for a value that is none, such as a plain number or a list of them. */
export function viewOf(value: unknown, options: ViewOptions = {}): View | undefined {
  if (value instanceof Shown) return viewOf(value.value, value.options)
  if (typeof value !== 'object' || value === null) return undefined
  for (const viewer of viewers) {
    const view = viewer(value, options)
    if (view !== undefined) return view
  }
  return undefined
}

function one<T extends object>(
  is: (value: object) => value is T,
  view: (value: T, options: ViewOptions) => View,
): Viewer {
  return (value, options) => (is(value) ? view(value, options) : undefined)
}

/** Lists of which every element is of the kind. An empty list is of none. */
function many<T extends object>(
  is: (value: object) => value is T,
  view: (values: readonly T[], options: ViewOptions) => View,
): Viewer {
  const isOne = (value: unknown): value is T =>
    typeof value === 'object' && value !== null && is(value)
  return (value, options) => {
    if (!Array.isArray(value) || value.length === 0) return undefined
    const items: readonly unknown[] = value
    return items.every(isOne) ? view(items, options) : undefined
  }
}
