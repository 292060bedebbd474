// SPDX-License-Identifier: GPL-2.0-or-later
// Fuzz targets: the memory of a host, damaged where the library reads it, asked for everything.
import { translateAll } from '../../core/bulk/vtop.ts'
import { type PageSource, PAGE_SIZE } from '../../core/dump/format.ts'
import { openPages } from '../../core/dump/open.ts'
import { DEFAULT_CACHE_BYTES } from '../../core/dump/pagecache.ts'
import { RecordingPages } from '../../core/dump/recording.ts'
import { type Vm, Vms } from '../../core/kvm/vm.ts'
import { Host } from '../../core/linux/host.ts'
import { Linux } from '../../core/linux/linux.ts'
import { type Task, Tasks } from '../../core/linux/task.ts'
import { PhysicalMemory } from '../../core/space/physical.ts'
import { translate } from '../../core/translate/translate.ts'
import { DumpError } from '../../core/errors.ts'
import { viewOf } from '../../core/view/index.ts'
import { textOf } from '../../core/view/text.ts'
import { smallHost } from '../build/smallhost.ts'
import { kernels, realDump } from '../place.ts'
import { type FuzzTarget } from './target.ts'

/** The main job on every virtual machine: each part may fail for itself, as in a cell. */
function askEverything(source: PageSource): boolean {
  const linux = new Linux(new Host(new PhysicalMemory(source)))
  let vms: Vms | undefined
  const vmFinder = (): Vms => (vms ??= new Vms(tasks))
  const tasks: Tasks<Vm> = new Tasks<Vm>(linux, (task) => vmFinder().ofTask(task))
  const each = (what: () => unknown): void => {
    try {
      what()
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
    }
  }
  const found: Vm[] = []
  each(() => found.push(...vmFinder().all()))
  each(() => {
    for (const task of tasks.processes()) each(() => found.push(...vmsOf(task)))
  })
  for (const vm of new Set(found)) {
    each(() => [vm.name, vm.memslots])
    each(() => viewOf(vm.coverage())?.charts)
    each(() => translateAll(vm, [0, 0x1000, 0x200000, 2 ** 51], 'fuzz'))
    for (const gpa of [0, 0x1000, 0x200000]) {
      each(() => {
        const answer = translate(vm, gpa)
        textOf(viewOf(answer)?.blocks ?? [])
        JSON.stringify(answer)
      })
    }
  }
  each(() => linux.swap.devices)
  return found.length > 0
}

/** Its virtual machines; the paths of its files are read on the way. */
function vmsOf(task: Task<Vm>): Vm[] {
  const paths = task.files.map(({ path }) => path)
  return paths.length === 0 ? [] : [...task.vms]
}

/** Pages that lie one behind the other in `bytes`, as what those frames hold. */
function withPages(source: PageSource, pfns: readonly number[], bytes: Uint8Array): PageSource {
  const places = new Map(pfns.map((pfn, i) => [pfn, i * PAGE_SIZE]))
  return {
    facts: source.facts,
    endPfn: source.endPfn,
    notes: source.notes,
    vmcoreinfo: source.vmcoreinfo,
    page: (pfn) => {
      const at = places.get(pfn)
      if (at === undefined) return source.page(pfn)
      const page = bytes.subarray(at, at + PAGE_SIZE)
      // Cut off by the damage.
      return page.length === PAGE_SIZE ? page : { why: 'lost', detail: 'cut off' }
    },
    close: () => undefined,
  }
}

/** A host whose pages are damaged where the main job reads them. */
function hostTarget(
  name: string,
  source: PageSource,
  cost: Pick<FuzzTarget, 'cost' | 'mostMs' | 'keeps'>,
): FuzzTarget {
  const recording = new RecordingPages(source)
  if (!askEverything(recording)) throw new Error(`${name}: no virtual machine in the good one`)
  const { pfns } = recording
  const seed = new Uint8Array(pfns.length * PAGE_SIZE)
  pfns.forEach((pfn, i) => {
    const page = source.page(pfn)
    if (page instanceof Uint8Array) seed.set(page, i * PAGE_SIZE)
  })
  const read = (bytes: Uint8Array): boolean => askEverything(withPages(source, pfns, bytes))
  return { name, seed, dense: [], ...cost, read }
}

/** The synthetic host, and those of the real dumps that are there. */
export function hosts(): FuzzTarget[] {
  const { memory, vmcoreinfo } = smallHost().kernel
  memory.vmcoreinfo = vmcoreinfo
  // Where the kernel's own pages are gone, all of the dump is searched for it.
  const cost = { cost: 400, mostMs: 10_000, keeps: DEFAULT_CACHE_BYTES }
  const real = kernels
    .filter((kernel) => realDump(kernel).skip === false)
    .map((kernel) => hostTarget(`the host of ${kernel}`, openPages(realDump(kernel).path), cost))
  return [hostTarget('a small host', memory, { cost: 5 }), ...real]
}
