// SPDX-License-Identifier: GPL-2.0-or-later
// The public names, in the order of the manual. Nothing outside core enters by another door.

// Opening a dump, and the main job.
export { openDump } from './sample.ts'
export { type DumpSliceOptions, HostDump, onOpen } from './hostdump.ts'
export { type OpenOptions } from './openoptions.ts'
export { type HpaRange, type SliceOptions } from './dump/slice.ts'
export { type SliceResult } from './dump/slicefile.ts'
export { type Finding } from './infer/index.ts'
export { allPages, gpaToHva, hvaToHpa, pagewalk, qemuVtop } from './qemuvtop.ts'

// What they give.
export { Translation } from './translate/translate.ts'
export { type ContentPlace, type Subject, type TranslationState } from './translate/translation.ts'
export { type TranslationJson } from './translate/json.ts'
export { type PageWalk, type WalkEnd, type WalkStep } from './paging/walk.ts'
export { type EntryKind, type Level } from './paging/x86_64.ts'

// Many addresses at once.
export {
  type RowFilter,
  TranslationTable,
  type TranslationRow,
  type TranslationTableJson,
} from './bulk/table.ts'
export { type Addresses } from './bulk/input.ts'
export { unfinished } from './bulk/vtop.ts'
export { UnfinishedError } from './bulk/unfinished.ts'
export { type Group, type GroupKey, type GroupValues } from './bulk/group.ts'
export { type SwappedPage } from './bulk/guest.ts'
export { NO_ADDRESS, type RowState, stateNames } from './bulk/states.ts'

// Files of addresses, and tables as files.
export { addressBatches, readAddresses, type ReadOptions } from './io/read.ts'
export {
  tableWriter,
  type TableWriter,
  toArrow,
  type WriteOptions,
  type WriteResult,
  writeTable,
} from './io/write.ts'
export { type AddressBatch, type BadLine } from './io/filler.ts'
export { type AddressOptions, type FormatName, type ValueOptions } from './io/format.ts'
export { type Sink } from './io/sink.ts'
export { sql } from './io/sql.ts'
export { guestPageCount, guestPages } from './bulk/pages.ts'

// The way back, and where its addresses come from.
export { mce } from './mce/mce.ts'
export { type AddressTrust, type MceAddress } from './mce/finding.ts'
export { type McStatus } from './mce/status.ts'
export { WhoHas } from './reverse/whohas.ts'
export { type WhoHasJson } from './reverse/json.ts'
export {
  type OwnerKind,
  type GuestOwner,
  type Holding,
  type ProcessOwner,
} from './reverse/frame.ts'
export { type CachedFile, type FreeBlock, type SlabFrame } from './reverse/kernelpage.ts'
export { type OwnerRow, OwnerTable, type OwnerTableJson } from './reverse/ownertable.ts'
export { ownerKinds, type RowKind } from './reverse/kinds.ts'

export { type SharedFrames, type SharedGroup, type SharingKind } from './reverse/sharedframes.ts'

// Two guests, or one in two dumps.
export {
  type Change,
  type ChangedPage,
  type Comparison,
  type SideState,
} from './compare/comparison.ts'
export { compare, type CompareOptions } from './compare/compare.ts'
export { UnfinishedComparisonError } from './compare/unfinished.ts'

// Virtual machines, tasks and the host.
export { Vm, type VmList } from './kvm/vm.ts'
export { Vcpu, type VcpuList } from './kvm/vcpu.ts'
export { type RegisterName, type Registers } from './kvm/registers.ts'
export { type Segment } from './kvm/vmcb.ts'
export { type InternalSlot } from './kvm/memslots/internalslots.ts'
export { GfnSet } from './kvm/gfnset.ts'
export { type PrivatePage } from './kvm/guestmemfd.ts'
export { type LostMemslot, type Memslot, type MemslotList } from './kvm/memslots/memslot.ts'
export { type PartialList } from './linux/partial.ts'
export { Task, type TaskList } from './linux/task.ts'
export { type OpenFile } from './linux/file.ts'
export { type Vma } from './linux/vma.ts'
export { type Page } from './linux/page.ts'
export { type PageUse } from './linux/pageuse.ts'
export {
  type LostSwapDevice,
  type SwapDevice,
  type SwapDevices,
  type SwapPlace,
} from './linux/swap/swap.ts'
export { type Bases, type Host } from './linux/host.ts'
export { type DebugOptions } from './debug/debugfiles.ts'
export { type DumpFacts } from './dump/format.ts'
export { type RawOptions, type RawRange } from './dump/raw.ts'
export {
  Coverage,
  type CoverageJson,
  type CoverageOptions,
  type SlotCoverage,
} from './kvm/coverage.ts'
export { type Share, type ShareGroup, type ShareKey } from './kvm/share.ts'
export { type ExtentClass } from './kvm/extents.ts'
export { type Cells, type CellShare } from './kvm/cells.ts'
export { type FrameKind } from './linux/frametable.ts'

// Raw structures.
export { type DumpStructs, type StructOf } from './types/view.ts'

// How results look, as data.
export { viewOf } from './view/index.ts'
export { show, type Shown } from './view/show.ts'
export { textOf } from './view/text.ts'
export {
  type AnswerBlock,
  type Bar,
  type BitsBlock,
  type Block,
  type Cell,
  type FieldsBlock,
  type Part,
  type TableBlock,
  type TreeNode,
  type View,
  type ViewOptions,
} from './view/block.ts'
export {
  type Chart,
  type ChangeBars,
  type ExtentBars,
  type HeatMap,
  type NodeBars,
  type ShareBars,
  type SlotMap,
} from './view/chart.ts'
export { type Tone } from './view/tone.ts'
export { printable } from './bytes/printable.ts'

// Everything that is thrown on purpose.
export {
  CorruptError,
  DumpError,
  FaultError,
  type FaultReason,
  FormatError,
  MissingError,
  TaskError,
  UnsupportedError,
  UsageError,
} from './errors.ts'

// Work that takes a while.
export { onProgress, type Work, type WorkDisplay } from './progress.ts'

// Addresses and sizes as text.
export { formatSize, hex, parseAddress } from './bytes/hex.ts'
