// SPDX-License-Identifier: GPL-2.0-or-later
// Structures that no built host has, damaged in the real dumps: modules, numbers of tasks, vCPUs, zram and its pool.

import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { openPages } from '../../../core/dump/open.ts'
import { CorruptError, FaultError } from '../../../core/errors.ts'
import { Vms, type Vm } from '../../../core/kvm/vm.ts'
import { Host } from '../../../core/linux/host.ts'
import { Linux } from '../../../core/linux/linux.ts'
import { driverTypes } from '../../../core/linux/swap/zramtypes.ts'
import { Tasks } from '../../../core/linux/task.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { type Types } from '../../../core/types/type.ts'
import { AlteredPages } from '../../build/altered.ts'
import { kernels, realDump } from '../../place.ts'
import { realHost } from '../types/real.ts'

const POISON = 0xdead000000000100n

/** The host of a real dump, with words of its kernel's memory that say something else. */
class Damaged {
  readonly whole: Host
  readonly #path: string
  readonly #pages = new Map<number, Uint8Array>()

  constructor(kernel: (typeof kernels)[number]) {
    this.whole = realHost(kernel)
    this.#path = realDump(kernel).path
  }

  /** The address of a member. */
  at(struct: string, address: bigint, path: string, types: Types = this.whole.types): bigint {
    const member = types.struct(struct)?.member(path)
    assert.ok(member, `${struct}.${path}`)
    return address + BigInt(member.offset)
  }

  /** Writes a word. */
  set(address: bigint, value: bigint): this {
    const hpa = this.whole.space.physical(address)
    const pfn = Math.floor(hpa / 4096)
    const page = this.#pages.get(pfn) ?? this.whole.memory.page(pfn, 'a test').slice()
    this.#pages.set(pfn, page)
    new DataView(page.buffer, page.byteOffset).setBigUint64(hpa % 4096, value, true)
    return this
  }

  /** What is asked, of the damaged host. */
  ask<T>(question: (linux: Linux, tasks: Tasks<Vm>, vms: Vms) => T): T {
    const pages = (pfn: number) => this.#pages.get(pfn)
    const source = new AlteredPages(openPages(this.#path), { pages })
    try {
      const linux = new Linux(new Host(new PhysicalMemory(source)))
      const vms: Vms = new Vms(new Tasks<Vm>(linux, (task) => vms.ofTask(task)))
      return question(linux, vms.tasks, vms)
    } finally {
      source.close()
    }
  }
}

/** Ways to break the third module of the list, and what is said of it. */
const moduleRows: readonly {
  readonly name: string
  readonly damage: (damaged: Damaged, module: bigint, list: bigint) => unknown
  /** True when the module itself is not in the list any more. */
  readonly isGone?: boolean
  readonly lost: RegExp
}[] = [
  {
    name: 'a cycle',
    damage: (damaged, _, list) => damaged.set(list, list),
    lost: /^modules are missing: module\.list at 0x\w+: a cycle after 3 entries$/,
  },
  {
    name: 'a module that was taken out (LIST_POISON1)',
    damage: (damaged, _, list) => damaged.set(list, POISON),
    lost: /^modules are missing: .*0xdead\w+: not a canonical address \(needed for module\.list, entry 4\)$/,
  },
  {
    name: 'a module that was freed and filled with zeros',
    damage: (damaged, module, list) => {
      for (let i = 0n; i < 128n; i += 8n) damaged.set(module + i, 0n)
      damaged.set(list, 0n)
    },
    isGone: true,
    lost: /^modules are missing: module\.list at 0x\w+: a NULL link after 3 entries$/,
  },
  {
    name: 'a state that no module has',
    damage: (damaged, module) => damaged.set(damaged.at('module', module, 'state'), 9n),
    isGone: true,
    lost: /^modules are missing: module\.state at 0x\w+: is 9$/,
  },
]

for (const kernel of kernels) {
  const { skip } = realDump(kernel)

  describe(`the modules of ${kernel}, of which one is damaged`, { skip }, () => {
    for (const { name, damage, isGone = false, lost } of moduleRows) {
      it(`are given but for that: ${name}`, () => {
        const damaged = new Damaged(kernel)
        const all = damaged.whole.modules.list()
        const third = all[2] ?? assert.fail()
        damage(damaged, third.address, damaged.at('module', third.address, 'list'))
        damaged.ask(({ host: { modules } }) => {
          const names = modules.list().map((module) => module.name)
          const wanted = all.map((module) => module.name)
          assert.deepEqual(
            isGone ? names.filter((one) => one !== '') : names,
            isGone ? wanted.filter((one) => one !== third.name) : wanted,
          )
          assert.match(modules.list().lost ?? '', lost)
          assert.equal(modules.find('kvm')?.name, 'kvm')
          assert.throws(() => modules.find('nothing'), /\(needed for module nothing\)/)
        })
      })
    }
  })

  describe(`the files of a VMM of ${kernel}, damaged`, { skip }, () => {
    const fdtable = (damaged: Damaged, files: bigint): bigint =>
      damaged.whole.space.u64(damaged.at('files_struct', files, 'fdt'))
    const rows: [string, (damaged: Damaged, files: bigint, file: bigint) => unknown, RegExp?][] = [
      [
        'a table that is nowhere',
        (damaged, files) => damaged.set(damaged.at('files_struct', files, 'fdt'), POISON),
        /not a canonical address \(needed for fdtable/,
      ],
      [
        'a number of descriptors that no table has',
        (damaged, files) =>
          damaged.set(damaged.at('fdtable', fdtable(damaged, files), 'max_fds'), 0x12345n),
        /fdtable\.max_fds at 0x\w+: is 74565; wanted a multiple of 64/,
      ],
      [
        'an array of descriptors that was freed',
        (damaged, files) =>
          damaged.set(damaged.at('fdtable', fdtable(damaged, files), 'fd'), POISON),
        /not a canonical address/,
      ],
      [
        'a file of a virtual machine that is nowhere',
        (damaged, _, file) => damaged.set(damaged.at('file', file, 'private_data'), POISON),
      ],
    ]
    for (const [name, damage, said] of rows) {
      it(`lead to no virtual machine, but vm_list does: ${name}`, () => {
        const damaged = new Damaged(kernel)
        const [pid, address, files, file] = damaged.ask((_, __, vms) => {
          const { address, task } = vms.all()[0] ?? assert.fail()
          const own = task?.files.find(({ privateData }) => privateData === address)
          return [task?.pid ?? 0, address, task?.filesAddress ?? 0n, own?.address ?? 0n] as const
        })
        damage(damaged, files, file)
        damaged.ask((_, tasks) => {
          const task = tasks.find(pid)
          const [vm, ...others] = task.vms
          assert.deepEqual([vm?.address, others], [address, []])
          const remark = 'found on vm_list by its memory: files of its process are damaged'
          assert.deepEqual(vm?.salvaged, [remark])
          if (said !== undefined) assert.throws(() => task.files, said)
        })
      })
    }

    it('are no more than the table has room for, whatever its count says', () => {
      const damaged = new Damaged(kernel)
      const [pid, files, wanted] = damaged.ask((_, tasks, vms) => {
        const task = vms.all()[0]?.task ?? assert.fail()
        assert.equal(task.files.lost, null)
        return [task.pid, task.filesAddress, task.files.map(({ address }) => address)] as const
      })
      damaged.set(damaged.at('fdtable', fdtable(damaged, files), 'max_fds'), 0x0fffffc0n)
      damaged.ask((_, tasks) => {
        const task = tasks.find(pid)
        assert.deepEqual(
          task.files.map(({ address }) => address),
          wanted,
        )
        assert.match(task.files.lost ?? '', /is 268435392, but the table has room for 64$/)
        assert.equal(task.vms.length, 1)
      })
    })
  })

  describe(`the numbers of tasks of ${kernel}, damaged`, { skip }, () => {
    for (const [name, head] of [
      ['a wild pointer', POISON | 2n],
      ['nothing', 0n],
    ] as const) {
      it(`lead over the lists instead: ${name}`, () => {
        const damaged = new Damaged(kernel)
        const namespace = damaged.whole.symbols.address('init_pid_ns') ?? assert.fail()
        damaged.set(damaged.at('pid_namespace', namespace, 'idr.idr_rt.xa_head'), head)
        damaged.ask((_, tasks) => {
          assert.equal(tasks.find(1).pid, 1)
          assert.throws(() => tasks.find(4_194_303), /invalid task or pid value: 4194303$/)
        })
      })
    }
  })

  // Before 5.16 vCPUs are kept in an array, and the size of an entry of zram is not in the types of 5.10.
  if (kernel === '5.10') continue
  describe(`vCPUs of ${kernel} in a damaged XArray`, { skip }, () => {
    it('are refused when it leads nowhere', () => {
      const damaged = new Damaged(kernel)
      const address = damaged.ask((_, __, vms) => vms.all()[0]?.address ?? assert.fail())
      damaged.set(damaged.at('kvm', address, 'vcpu_array.xa_head'), POISON | 2n)
      damaged.ask((_, __, vms) => {
        assert.throws(
          () => vms.all()[0]?.vcpus,
          told(FaultError, /0xdead\w+: not a canonical addr/),
        )
      })
    })

    // Guests of the other one have one each.
    if (kernel !== '6.12') return
    it('are given beside one that leads nowhere', () => {
      const damaged = new Damaged(kernel)
      const address = damaged.ask((_, __, vms) => {
        const two = vms.all().find(({ vcpus }) => vcpus.length === 2)
        return two?.address ?? assert.fail()
      })
      const head = damaged.whole.space.u64(damaged.at('kvm', address, 'vcpu_array.xa_head'))
      damaged.set(damaged.at('xa_node', head - 2n, 'slots[0]'), POISON)
      damaged.ask((_, __, vms) => {
        const vm = vms.all().find((one) => one.address === address) ?? assert.fail()
        assert.deepEqual(
          vm.vcpus.map(({ index }) => index),
          [1],
        )
        assert.match(vm.vcpus.lost.join(), /^vCPU 0: .*0xdead\w+: not a canonical address/)
      })
    })
  })

  describe(`a page in the zram of ${kernel}, damaged`, { skip }, () => {
    /** The device of zram, and the first page of it that is kept compressed. */
    const place = ({ swap, swapContents }: Linux) => {
      const { type } = swap.devices.find(({ path }) => path === '/dev/zram0') ?? assert.fail()
      for (let offset = 1; offset < 4096; offset++) {
        try {
          const { from, how } = swapContents.read(type, offset)
          if (from === 'zram' && how.endsWith('bytes')) return { type, offset }
        } catch (error) {
          if (!(error instanceof FaultError || error instanceof CorruptError)) throw error
        }
      }
      return assert.fail('no page in zram')
    }
    /** Where the structures of that page are. */
    const structures = (damaged: Damaged) => {
      const { whole } = damaged
      const { space } = whole
      const linux = new Linux(whole)
      const { type, offset } = place(linux)
      const { types } = driverTypes(whole, 'zram')
      const { blockDevice } = linux.swap.slot(type, offset)
      const disk = space.u64(damaged.at('block_device', blockDevice ?? 0n, 'bd_disk'))
      const zram = space.u64(damaged.at('gendisk', disk, 'private_data'))
      const table = damaged.at('zram', zram, 'table', types)
      const size = types.sizeOf('zram_table_entry') ?? 0
      const entry = space.u64(table) + BigInt(offset * size)
      return {
        type,
        offset,
        table,
        entry,
        disk: damaged.at('zram', zram, 'disk', types),
      }
    }
    type Structures = ReturnType<typeof structures>
    const rows: readonly {
      readonly name: string
      readonly damage: (damaged: Damaged, found: Structures) => unknown
      readonly error: typeof CorruptError | typeof FaultError
      readonly message: RegExp
    }[] = [
      {
        name: 'a table that leads nowhere',
        damage: (damaged, { table }) => damaged.set(table, POISON),
        error: FaultError,
        message: /0xdead\w+: not a canonical address/,
      },
      {
        name: 'another disk',
        damage: (damaged, { disk }) => damaged.set(disk, POISON),
        error: CorruptError,
        message: /^zram\.disk at 0x\w+: is not the disk that led here/,
      },
      {
        name: 'a handle that leads nowhere',
        damage: (damaged, { entry }) => damaged.set(entry, 0xffdead0000000100n),
        error: FaultError,
        message: /^cannot read kernel virtual address 0xffdead\w+: /,
      },
      {
        name: 'the handle of another object',
        damage: (damaged, { entry, table }) => damaged.set(entry, table),
        error: CorruptError,
        message: /^zsmalloc handle at 0x\w+: 0x\w+ leads to no object of its own$/,
      },
      {
        name: 'no object',
        damage: (damaged, { entry }) => damaged.set(entry, 0n),
        error: CorruptError,
        message: /^zram_table_entry at 0x\w+: page \d+ of zram0 holds nothing/,
      },
    ]
    for (const { name, damage, error, message } of rows) {
      it(`is told, not read: ${name}`, () => {
        const damaged = new Damaged(kernel)
        const found = structures(damaged)
        damage(damaged, found)
        damaged.ask(({ swapContents }) => {
          const { type, offset } = found
          assert.throws(() => swapContents.read(type, offset), told(error, message))
        })
      })
    }
  })
}

describe('the swap tables of 7.3, damaged', { skip: realDump('7.3').skip }, () => {
  /** A page of the swap partition that is in the swap cache, and where the table says so. */
  const structures = (damaged: Damaged) => {
    const { whole } = damaged
    const { space } = whole
    const { swap } = new Linux(whole)
    const { type } = swap.devices.find(({ kind, path }) => {
      return kind === 'partition' && !path.includes('zram')
    }) ?? { type: 0 }
    let offset = 1
    while (offset < 512 && swap.place(type, offset).cachedAt === null) offset++
    const info = space.u64(whole.symbol('swap_info') + BigInt(type * 8))
    const clusters = damaged.at('swap_info_struct', info, 'cluster_info')
    const table = damaged.at('swap_cluster_info', space.u64(clusters), 'table')
    return { type, offset, clusters, table, word: space.u64(table) + BigInt(offset * 8) }
  }
  for (const [name, of] of [
    ['clusters', 'clusters'],
    ['a table', 'table'],
  ] as const) {
    it(`are told, and no page is said to be on its device alone: ${name} that lead nowhere`, () => {
      const damaged = new Damaged('7.3')
      const found = structures(damaged)
      assert.ok(found.offset < 512)
      damaged.set(found[of], POISON)
      damaged.ask(({ swap }) => {
        assert.throws(
          () => swap.place(found.type, found.offset),
          told(FaultError, /0xdead\w+: not a canonical address/),
        )
      })
    })
  }

  it('are told when a word names a frame that the host does not have', () => {
    const damaged = new Damaged('7.3')
    const { type, offset, word } = structures(damaged)
    // The low bits `10` mark a frame number, above which five bits are flags.
    damaged.set(word, (1n << 40n) | 2n)
    damaged.ask(({ swap }) => {
      assert.throws(
        () => swap.place(type, offset),
        told(
          CorruptError,
          /^the swap cache at 0x\w+: has 0x\w+ for page \d+ .*no frame of this host$/,
        ),
      )
    })
  })
})

function told(error: typeof CorruptError | typeof FaultError, message: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof error, String(thrown))
    assert.match(thrown.message, message)
    return true
  }
}
