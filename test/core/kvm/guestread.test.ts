// SPDX-License-Identifier: GPL-2.0-or-later
// Every page of the guests of the real dumps, read as the guest would: what was swapped is what the guest wrote.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import {
  FaultError,
  type HostDump,
  openDump,
  qemuVtop,
  UsageError,
  type Vm,
} from '../../../core/index.ts'
import { guestPage } from '../../../core/kvm/guestread.ts'
import { kernels, realDump } from '../../place.ts'
import { truthOf, type TrueVm } from '../../truth.ts'

const MAGIC = 0x3145474150565451n

/** Where each swapped page of a guest was read from, or why it could not be. */
interface Sources {
  readonly private: Map<string, number>
  readonly shared: Map<string, number>
}

for (const kernel of kernels) {
  const { path, skip } = realDump(kernel)
  // At the other dumps' level the frames of the swap cache were left out, as all user pages; zram's were not.
  const hasUserPages = kernel === '6.12'
  describe(`the guests of the dump of ${kernel}`, { skip }, () => {
    let dump: HostDump
    before(() => {
      dump = openDump(path)
    })
    after(() => {
      dump.close()
    })

    it('have in every swapped page what the guest wrote, or a reason why it is not there', () => {
      for (const truth of truthOf(kernel).vms) {
        const [vm] = dump.task(truth.pid).vms
        assert.ok(vm)
        const found = swappedPages(vm, truth)
        const diskSource = hasUserPages ? 'swap cache' : 'excluded'
        const wanted = new Map<string, number>()
        for (const [kind, count] of Object.entries(truth.pages_by_kind)) {
          if (!kind.startsWith('swap:')) continue
          const source = kind === 'swap:/dev/zram0' ? 'zram' : diskSource
          wanted.set(source, (wanted.get(source) ?? 0) + count)
        }
        assert.deepEqual([...found.private].sort(), [...wanted].sort(), truth.name)
        // No page table tells of shared memory that is swapped; smaps counts it.
        const shared = truth.ram_vmas
          .filter(({ perms }) => perms.endsWith('s'))
          .reduce((sum, { smaps }) => sum + (smaps['Swap'] ?? 0) / 4, 0)
        const sum = [...found.shared.values()].reduce((total, count) => total + count, 0)
        assert.equal(sum, shared, truth.name)
      }
    })

    it('have every page of zram readable', () => {
      const zram = dump.swaps.find((device) => device.path === '/dev/zram0')
      const swapped = dump.vms.flatMap((vm) => {
        const truth = truthOf(kernel).vms.find(({ pid }) => pid === vm.task?.pid)
        assert.ok(truth)
        const found = swappedPages(vm, truth)
        return (found.private.get('zram') ?? 0) + (found.shared.get('zram') ?? 0)
      })
      const all = swapped.reduce((sum, count) => sum + count, 0)
      assert.ok(all > 1700 && all <= (zram?.usedPages ?? 0), `${all}`)
    })

    it('are read over several pages, up to the first that is missing', () => {
      const truth = truthOf(kernel).vms[0]
      const vm = dump.task(truth?.pid ?? 0).vms[0]
      assert.ok(truth && vm)
      const run = zramRun(vm)
      const bytes = vm.read(run.gpa + 8, run.pages * 4096 - 8)
      for (let page = 1; page < run.pages; page++) {
        assert.equal(wordAt(bytes, page * 4096 - 8 + 16), BigInt(run.gpa + page * 4096))
      }
      if (hasUserPages) return
      assert.throws(
        () => vm.read(run.gpa + 8, run.pages * 4096),
        (error) =>
          error instanceof FaultError &&
          error.space === 'guest physical' &&
          error.address === run.gpa + run.pages * 4096 &&
          error.reason === 'excluded' &&
          error.good === run.pages * 4096 - 8,
      )
    })

    it('say of an address without memory that no memslot holds it', () => {
      const [vm] = dump.vms
      assert.ok(vm)
      assert.throws(
        () => vm.read('0x7ffffffff000', 8),
        /guest physical address 0x7ffffffff000: no memslot/,
      )
      assert.throws(() => vm.read(-1, 8), UsageError)
      assert.throws(() => vm.read(0, 2 ** 31), UsageError)
    })

    it('have translations that tell where the content is', () => {
      for (const { pid, translations } of truthOf(kernel).vms) {
        for (const { state, kind, gpa } of translations) {
          if (state !== 'swapped') continue
          const given = qemuVtop(dump.task(pid), gpa)
          if (kind === 'swap:/dev/zram0') {
            assert.equal(given.content.from, 'zram')
            assert.match(given.content.how, /^zram0, (lzo-rle|lz4), \d+ bytes$/)
            assert.match(String(given), /CONTENT {2}read from zram0/)
          } else {
            assert.equal(given.content.from, hasUserPages ? 'swap cache' : null)
            if (!hasUserPages) assert.match(given.content.how, /makedumpfile did not save the page/)
          }
          assert.deepEqual(given.toJSON().content, given.content)
        }
      }
    })
  })
}

function wordAt(bytes: Uint8Array, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at, true)
}

function* pages(vm: Vm): Generator<number> {
  for (const slot of vm.memslots.filter(({ addressSpace }) => addressSpace === 0)) {
    for (let gpa = slot.gpa; gpa < slot.gpa + slot.size; gpa += 4096) yield gpa
  }
}

/** Reads each page that is swapped, and checks all that the guest wrote into it: nothing else is ever swapped there. */
function swappedPages(vm: Vm, { name, vmid }: TrueVm): Sources {
  const found: Sources = { private: new Map(), shared: new Map() }
  for (const gpa of pages(vm)) {
    const { state } = qemuVtop(vm, gpa)
    if (state !== 'swapped' && state !== 'unmapped' && state !== 'marker') continue
    const counts = state === 'swapped' ? found.private : found.shared
    let source: string
    try {
      const { from, bytes } = guestPage(vm, gpa)
      if (from === 'zeros') continue
      source = from
      const where = `${name} 0x${gpa.toString(16)} from ${from}`
      const id = BigInt(vmid)
      const wanted = [MAGIC, id, BigInt(gpa), BigInt.asUintN(64, ~BigInt(gpa))]
      const words = [0, 8, 16, 24, 2048, 4088].map((at) => wordAt(bytes, at))
      assert.deepEqual(words, [...wanted, BigInt(gpa) ^ MAGIC, BigInt(gpa) + id], where)
    } catch (error) {
      if (!(error instanceof FaultError)) throw error
      source = error.reason
    }
    counts.set(source, (counts.get(source) ?? 0) + 1)
  }
  return found
}

/** The longest run of guest pages that are all in zram. */
function zramRun(vm: Vm): { gpa: number; pages: number } {
  let best = { gpa: 0, pages: 0 }
  let run = best
  for (const gpa of pages(vm)) {
    if (qemuVtop(vm, gpa).swap?.path !== '/dev/zram0') continue
    run = gpa === run.gpa + run.pages * 4096 ? { ...run, pages: run.pages + 1 } : { gpa, pages: 1 }
    if (run.pages > best.pages) best = run
  }
  assert.ok(best.pages > 100, `${best.pages}`)
  return best
}
