// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel of the real dumps, found with their notes hidden and their headers wrong; and the kernels of guests, not taken.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { qemuVtop } from '../../../core/index.ts'
import { PAGE_SIZE, type PageSource } from '../../../core/dump/format.ts'
import { openPages } from '../../../core/dump/open.ts'
import { DumpError, UsageError } from '../../../core/errors.ts'
import { Vms, type Vm } from '../../../core/kvm/vm.ts'
import { findKernel } from '../../../core/linux/findkernel.ts'
import { registerBases } from '../../../core/linux/imagebase.ts'
import { basesByVote } from '../../../core/linux/roots.ts'
import { Host } from '../../../core/linux/host.ts'
import { Linux } from '../../../core/linux/linux.ts'
import { Tasks } from '../../../core/linux/task.ts'
import { verifyKernel } from '../../../core/linux/verify.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { parseVmcoreinfo } from '../../../core/vmcoreinfo/parse.ts'
import { scanVmcoreinfo } from '../../../core/vmcoreinfo/scan.ts'
import { AlteredPages, type Alterations } from '../../build/altered.ts'
import { whileListening } from '../../build/listen.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf } from '../../truth.ts'

/** What QEMU 7.2 wrote into the header of a dump whose phys_base is -599785472. */
const wrong = -0x599785472n
const unnumbered = (source: PageSource): string =>
  (source.vmcoreinfo ?? '').replace(/^NUMBER\(phys_base\)=.*\n/m, '')

/** What is hidden, and where phys_base is found then. */
const hidings: [string, (source: PageSource) => Alterations, RegExp][] = [
  ['by its note', () => ({}), /^VMCOREINFO NUMBER/],
  ['with a wrong phys_base in the header', () => ({ physBase: wrong }), /^VMCOREINFO NUMBER/],
  ['without VMCOREINFO', () => ({ vmcoreinfo: undefined, physBase: wrong }), /^VMCOREINFO NUMBER/],
  [
    'without any note',
    () => ({ vmcoreinfo: undefined, physBase: wrong, notes: [] }),
    /^VMCOREINFO N/,
  ],
  [
    'without phys_base in note and header',
    (source) => ({ vmcoreinfo: unnumbered(source), physBase: 0n }),
    /^the interrupt table of QEMU's note/,
  ],
  [
    'without phys_base and registers',
    (source) => ({ vmcoreinfo: unnumbered(source), physBase: wrong, notes: [] }),
    /^a search of the dump for the name/,
  ],
]

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  describe(`the kernel of ${kernel}`, { skip }, () => {
    for (const [hidden, alter, from] of hidings) {
      it(`is found ${hidden}, and the recorded translations come out`, () => {
        const source = openPages(path)
        const { physBase } = checkTranslations(kernel, new AlteredPages(source, alter(source)))
        assert.match(physBase.from, from)
        assert.match(
          physBase.from,
          /verified by init_uts_ns, swapper_pg_dir, the page tables, the d/,
        )
        source.close()
      })
    }

    it('is verified by some twenty pages, and nothing is searched, when the note is right', () => {
      const source = new AlteredPages(openPages(path), {})
      const { remarks, origin } = whileListening(
        () => assert.fail('searched'),
        () => findKernel(new PhysicalMemory(source)),
      )
      assert.ok(source.read.size < 40, `${source.read.size} pages`)
      assert.deepEqual([remarks, origin.value], [[], 'note'])
      source.close()
    })

    it('gives the same phys_base by registers, by votes, and by a CR3 that the user gives', () => {
      const source = openPages(path)
      const memory = new PhysicalMemory(source)
      const { physBase } = findKernel(memory)
      const { candidates, processors, problems } = registerBases(memory)
      assert.deepEqual(problems, [])
      assert.deepEqual(new Set(candidates.map(({ value }) => value)), new Set([physBase.value]))
      assert.equal(basesByVote(memory)[0]?.value, physBase.value)
      for (const cr3 of processors.map((cpu) => cpu.cr3)) {
        const altered = { vmcoreinfo: unnumbered(source), physBase: wrong, notes: [] }
        const given = findKernel(new PhysicalMemory(new AlteredPages(source, altered)), { cr3 })
        assert.equal(given.physBase.value, physBase.value)
        assert.match(given.physBase.from, /by the given CR3/)
      }
      source.close()
    })

    it('is found by the lowest page of the image where the interrupt table has no address (FRED)', () => {
      const source = openPages(path)
      // QEMUCPUState keeps the base of the interrupt table at 384.
      const notes = source.notes.map((note) => {
        if (note.name !== 'QEMU') return note
        const desc = note.desc.slice()
        desc.fill(0, 384, 392)
        return { ...note, desc }
      })
      const altered = { notes, vmcoreinfo: unnumbered(source), physBase: wrong }
      const found = findKernel(new PhysicalMemory(new AlteredPages(source, altered)))
      assert.equal(found.physBase.value, findKernel(new PhysicalMemory(source)).physBase.value)
      assert.match(found.physBase.from, /^the lowest page of the image by CR3 of QEMU's note/)
      source.close()
    })

    it('is found by a CR3 with the bit of a program under page-table isolation', () => {
      const source = openPages(path)
      const notes = source.notes.map((note) => {
        if (note.name !== 'QEMU') return note
        const desc = note.desc.slice()
        const view = new DataView(desc.buffer)
        // PCID 0x801 and the program's half, the page behind the kernel's.
        const root = view.getBigUint64(416, true) & ~0xfffn
        if ((root & 0x1000n) !== 0n) return note
        view.setBigUint64(416, root | 0x1801n, true)
        return { ...note, desc }
      })
      const memory = new PhysicalMemory(new AlteredPages(source, { notes }))
      const { physBase } = findKernel(new PhysicalMemory(source))
      assert.ok(registerBases(memory).candidates.some(({ value }) => value === physBase.value))
      source.close()
    })

    it('is found by VMCOREINFO and phys_base that the user gives, without a search', () => {
      const source = openPages(path)
      const { vmcoreinfo = '' } = source
      const physBase = parseVmcoreinfo(vmcoreinfo).number('phys_base')
      const altered = { vmcoreinfo: undefined, physBase: wrong, notes: [] }
      const memory = new PhysicalMemory(new AlteredPages(source, altered))
      for (const given of [{ vmcoreinfo }, { vmcoreinfo: unnumbered(source), physBase }]) {
        const found = whileListening(
          () => assert.fail('searched'),
          () => findKernel(memory, given),
        )
        assert.deepEqual([found.origin.value, found.physBase.value], ['given', physBase])
      }
      source.close()
    })

    it('is refused with a phys_base or a CR3 of the user that does not fit', () => {
      const source = openPages(path)
      const memory = new PhysicalMemory(source)
      for (const given of [{ physBase: 0x12345000n }, { cr3: 0x1000n }]) {
        assert.throws(
          () => findKernel(memory, given),
          (error) => error instanceof UsageError && error.message.includes('does not fit'),
        )
      }
      source.close()
    })
  })
}

const [old, host] = [realDump('5.10'), realDump('6.12')]
describe('a guest with a kernel of its own', { skip: old.skip || host.skip }, () => {
  // The 1 GiB of huge page of guest B holds the first GiB of the 5.10 dump: the image, its page tables, VMCOREINFO.
  const huge = () => {
    const slots = truthOf('6.12').vms.flatMap(({ translations }) => translations)
    const one = slots.find(({ kind, hpa }) => kind === 'hugetlb-1G' && hpa !== undefined)
    assert.ok(one?.hpa)
    return Math.floor(parseInt(one.hpa) / 2 ** 30) * 2 ** 18
  }
  const plant = (more: Alterations, hide?: (pfn: number) => boolean) => {
    const guest = openPages(old.path)
    const first = huge()
    const zeros = new Uint8Array(PAGE_SIZE)
    return new AlteredPages(openPages(host.path), {
      ...more,
      pages: (pfn) => {
        if (hide?.(pfn) === true) return zeros
        if (pfn < first || pfn >= first + 2 ** 18) return undefined
        const page = guest.page(pfn - first)
        return page instanceof Uint8Array ? page : zeros
      },
    })
  }
  const nothing = { vmcoreinfo: undefined, physBase: wrong, notes: [] }

  it('is seen in memory, and its kernel is not taken for that of the host', () => {
    const source = plant(nothing)
    const releases = [...scanVmcoreinfo(source)].map(({ text }) => parseVmcoreinfo(text).release)
    assert.deepEqual(new Set(releases), new Set(['5.10.0-46-amd64', '6.12.107+deb13-amd64']))
    assert.equal(findKernel(new PhysicalMemory(source)).vmcoreinfo.release, releases[0])
    source.close()
  })

  it('is not taken either when nothing of the host is left, and the error tells what was tried', () => {
    // All pages with texts of the host's VMCOREINFO.
    const source = plant({})
    const own = [...scanVmcoreinfo(source)].filter(({ text }) => text.includes('6.12.107'))
    const pfns = new Set(own.map(({ pfn }) => pfn))
    const copies = [...pagesWith(source, 'SYMBOL(init_uts_ns)=ffffffff9341f420')]
    for (const pfn of copies) pfns.add(pfn)
    const without = plant(nothing, (pfn) => pfns.has(pfn))
    const blocks: number[] = []
    assert.throws(
      () =>
        whileListening(
          (count) => blocks.push(count),
          () => findKernel(new PhysicalMemory(without)),
        ),
      (error) => {
        assert.ok(error instanceof DumpError && error.code === 'no-kernel')
        assert.match(error.message, /1441792 frames were searched for VMCOREINFO, \d+ texts found/)
        assert.match(error.message, /5\.10\.0-46-amd64 \(found in memory at hpa/)
        assert.match(error.message, /no registers of processors/)
        assert.match(error.message, /openDump\(path, \{vmcoreinfo, physBase, cr3\}\)/)
        return true
      },
    )
    assert.ok(blocks.length > 1408)
    source.close()
  })

  it('is named by its own image, but nothing else agrees', () => {
    const source = plant({})
    const guest = openPages(old.path)
    const vmcoreinfo = parseVmcoreinfo(guest.vmcoreinfo ?? '')
    const physBase = (vmcoreinfo.number('phys_base') ?? 0n) + BigInt(huge()) * 4096n
    const result = verifyKernel(new PhysicalMemory(source), vmcoreinfo, physBase)
    assert.equal(result.isNamed, true)
    // Its tables name the guest's frames: on the host other pages, or pages that this dump left out.
    assert.deepEqual([result.passed, result.isCertain], [['init_uts_ns'], false])
    guest.close()
    source.close()
  })

  it('can be stopped while all of memory is searched', () => {
    const source = plant(nothing)
    const stop = new Error('enough')
    let calls = 0
    assert.throws(
      () =>
        whileListening(
          () => {
            if (++calls === 3) throw stop
          },
          () => findKernel(new PhysicalMemory(source)),
        ),
      stop,
    )
    assert.ok(source.read.size < 4096)
    source.close()
  })
})

function* pagesWith(source: PageSource, text: string): Generator<number> {
  for (let pfn = 0; pfn < source.endPfn; pfn++) {
    const page = source.page(pfn)
    if (page instanceof Uint8Array && Buffer.from(page).includes(text)) yield pfn
  }
}

function checkTranslations(kernel: string, source: PageSource) {
  const linux = new Linux(new Host(new PhysicalMemory(source)))
  const tasks: Tasks<Vm> = new Tasks(linux, (task) => vms.ofTask(task))
  const vms = new Vms(tasks)
  let seen = 0
  for (const { pid, translations } of truthOf(kernel).vms) {
    for (const { gpa, hva, hpa, state } of translations) {
      const given = qemuVtop(tasks.find(pid), gpa)
      const wanted = { hva: hva === undefined ? null : BigInt(hva), hpa: hpa && parseInt(hpa) }
      assert.deepEqual({ hva: given.hva, hpa: given.hpa ?? undefined }, wanted, `${gpa} ${state}`)
      seen++
    }
  }
  assert.ok(seen > 700)
  return linux.host.bases
}
