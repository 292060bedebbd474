// SPDX-License-Identifier: GPL-2.0-or-later
// A dumped kernel with nothing running on it: image, symbols, types, page tables, and room for objects.

import { TEXT_MAP } from '../../core/space/kva.ts'
import { type Types } from '../../core/types/type.ts'
import { dataAt, stext, writeKallsyms, type KallsymsEra, type WrittenSymbol } from './kallsyms.ts'
import { type BuiltMemory } from './memory.ts'
import { page, PageTables } from './pagetable.ts'
import { kernelTypes, type Forms } from './structs.ts'
import { swapSymbol } from './treeforms.ts'

/** What a kernel is like. */
export interface KernelDescription extends Partial<Forms> {
  readonly levels?: 4 | 5
  /** MAX_SWAPFILES: 27 when not given. */
  readonly swapFiles?: number
  /** A kernel from before the fix of L1TF: its swap entries have an older form. */
  readonly beforeL1tf?: boolean
}

/** Values of members by their paths, such as `tasks.next` or `memslots[0]`. */
export type Members = Readonly<Record<string, bigint | number | string>>

// Where KASLR could have put things: not where they are without it.
const bases = {
  4: { direct: 0xffff9a0000000000n, vmalloc: 0xffffb14000000000n, vmemmap: 0xffffe50000000000n },
  5: { direct: 0xff21000000000000n, vmalloc: 0xffb1000000000000n, vmemmap: 0xffd5000000000000n },
}
const era: KallsymsEra = {
  name: '6.12',
  ...{ rule: 'absolute per-cpu', order: 'addresses last', sequences: 'last' },
  ...{ align: 8, markerBytes: 4, wide: true },
}
const SECTION = 0x8000000
const LARGE = 0x200000
/** Host physical addresses: variables of the image, the first object, what backs the array of struct page. */
const variablesAt = 0x1500000
const objectsAt = 0x2000000
const structPagesAt = 0x6000000

/** The memory of a kernel, and where things lie in it. */
export class BuiltKernel {
  readonly memory: BuiltMemory
  readonly types: Types
  readonly levels: 4 | 5
  readonly forms: Forms
  readonly vmcoreinfo: string
  readonly tables: PageTables
  readonly #bases
  readonly #symbols = new Map<string, bigint>()
  readonly #sections = new Map<number, number>()
  #free = objectsAt
  #freePage = objectsAt + 0x1000000

  constructor(description: KernelDescription) {
    this.levels = description.levels ?? 4
    this.#bases = bases[this.levels]
    this.forms = {
      memslots: description.memslots ?? 'tree',
      vmas: description.vmas ?? 'maple',
      era: description.era ?? 'today',
      trees: description.trees ?? 'xarray',
    }
    const { btf, types } = kernelTypes(this.forms)
    this.types = types
    const swapFiles = description.swapFiles ?? 27
    const isOld = description.beforeL1tf ?? false
    const kallsyms = writeKallsyms(this.#place(btf.length, swapFiles, isOld), era)
    this.memory = kallsyms.memory
    this.tables = new PageTables(this.memory, this.levels, () => this.newPage())
    this.vmcoreinfo = [
      kallsyms.keys.trim(),
      `SYMBOL(swapper_pg_dir)=${(TEXT_MAP + BigInt(this.tables.root)).toString(16)}`,
      `NUMBER(pgtable_l5_enabled)=${this.levels - 4}`,
      'LENGTH(node_data)=1024\n',
    ].join('\n')
    this.memory.bytes(variablesAt + 0x100000, btf)
    this.#fillVariables()
  }

  /** The address of a symbol. */
  symbol(name: string): bigint {
    const address = this.#symbols.get(name)
    if (address === undefined) throw new Error(`no symbol ${name}`)
    return address
  }

  /** A new structure with these members, the rest zeros. */
  make(struct: string, members: Members = {}, align = 8): bigint {
    const address = this.room(this.types.sizeOf(struct) ?? 0, align)
    return this.set(struct, address, members)
  }

  /** Room for an object, full of zeros, in the direct map. */
  room(size: number, align = 8): bigint {
    const hpa = Math.ceil(this.#free / align) * align
    this.#free = hpa + size
    this.#zero(hpa, size)
    return this.direct(hpa)
  }

  /** A page of zeros apart from the objects: a table, so that it can be taken out of a dump alone. */
  newPage(): number {
    const hpa = this.#freePage
    this.#freePage += 4096
    this.#zero(hpa, 4096)
    return hpa
  }

  /** Writes members of a structure. */
  set(struct: string, address: bigint, members: Members): bigint {
    for (const [path, value] of Object.entries(members)) {
      const member = this.types.struct(struct)?.member(path)
      if (member === undefined) throw new Error(`no member ${struct}.${path}`)
      const hpa = this.hpa(address) + member.offset
      if (typeof value === 'string') this.memory.bytes(hpa, Buffer.from(value))
      else this.#integer(hpa, member.size, BigInt(value))
    }
    return address
  }

  /** Reads back a member that was written. */
  get(struct: string, address: bigint, path: string): bigint {
    const member = this.types.struct(struct)?.member(path)
    if (member === undefined) throw new Error(`no member ${struct}.${path}`)
    let value = 0n
    for (let i = member.size - 1; i >= 0; i--) {
      const hpa = this.hpa(address) + member.offset + i
      const page = this.memory.page(Math.floor(hpa / 4096))
      if (!(page instanceof Uint8Array)) throw new Error(`nothing at ${hpa.toString(16)}`)
      value = (value << 8n) | BigInt(page[hpa % 4096] ?? 0)
    }
    return value
  }

  /** The address of a member. */
  member(struct: string, address: bigint, path: string): bigint {
    return address + BigInt(this.types.struct(struct)?.member(path)?.offset ?? 0)
  }

  /** A NUL-ended text. */
  text(value: string): bigint {
    const bytes = Buffer.from(`${value}\0`)
    const address = this.room(bytes.length, 1)
    this.memory.bytes(this.hpa(address), bytes)
    return address
  }

  /** An array of 64-bit words. */
  words(values: readonly bigint[], align = 8): bigint {
    const address = this.room(values.length * 8, align)
    values.forEach((value, i) => this.memory.u64(this.hpa(address) + i * 8, value))
    return address
  }

  /** Links list heads to a circle, the first one being its head. */
  ring(nodes: readonly bigint[]): void {
    nodes.forEach((node, i) => {
      const next = nodes[(i + 1) % nodes.length] ?? 0n
      this.set('list_head', node, { next })
      this.set('list_head', next, { prev: node })
    })
  }

  /** A balanced red-black tree of the given nodes, in order; gives its top. */
  tree(nodes: readonly bigint[]): bigint {
    const middle = nodes.length >> 1
    const top = nodes[middle]
    if (top === undefined) return 0n
    const rb_left = this.tree(nodes.slice(0, middle))
    const rb_right = this.tree(nodes.slice(middle + 1))
    return this.set('rb_node', top, { rb_left, rb_right })
  }

  /** The address in the direct map of a host physical one. */
  direct(hpa: number): bigint {
    return this.#bases.direct + BigInt(hpa)
  }

  /** The address of the struct page of a frame, which is mapped from then on. */
  structPage(pfn: number): bigint {
    const address = this.#bases.vmemmap + BigInt(pfn * 64)
    const section = Math.floor((pfn * 4096) / SECTION)
    if (!this.#sections.has(section)) {
      const hpa = structPagesAt + this.#sections.size * LARGE
      this.#sections.set(section, hpa)
      this.tables.set(address, 2, page(hpa, 2))
    }
    return address
  }

  /** The host physical address of what the builder wrote at a kernel address. */
  hpa(address: bigint): number {
    if (address >= TEXT_MAP) return Number(address - TEXT_MAP)
    const offset = Number(address - this.#bases.vmemmap)
    if (offset < 0) return Number(address - this.#bases.direct)
    const section = this.#sections.get(Math.floor(offset / LARGE)) ?? 0
    return section + (offset % LARGE)
  }

  /** Addresses for all symbols; arrays by MAX_SWAPFILES stand so that the next symbol tells their size. */
  #place(btfSize: number, swapFiles: number, isOld: boolean): WrittenSymbol[] {
    // Under another name, so that all else stays where it is.
    const l1tf = isOld ? 'l1tf_no_mitigation' : 'l1tf_mitigation'
    const sizes: [string, number][] = [
      ['empty_zero_page', 4096],
      ['init_task', this.types.sizeOf('task_struct') ?? 0],
      ...['page_offset_base', 'vmalloc_base', 'vmemmap_base'].map((n): [string, number] => [n, 8]),
      ...['modules', 'vm_list'].map((name): [string, number] => [name, 16]),
      ['huge_zero_pfn', 8],
      ['swap_info', 8 * swapFiles],
      ['nr_swapfiles', 8],
      swapSymbol(this.forms.trees, swapFiles, this.types.sizeOf('address_space') ?? 0),
      ...['kvm_vm_fops', 'ext4_file_operations', l1tf].map((n): [string, number] => [n, 256]),
    ]
    if (this.forms.era !== 'today') {
      sizes.push(['init_pid_ns', this.types.sizeOf('pid_namespace') ?? 0])
      for (const name of ['pid_hash', 'pidhash_shift', 'free_huge_page']) sizes.push([name, 8])
    }
    if (isOld) sizes.push(['init_mm', this.types.sizeOf('mm_struct') ?? 0])
    this.#symbols.set('_stext', stext)
    this.#symbols.set('mwriteprotect_range', stext + 0x100n)
    this.#symbols.set('pte_mkwrite', stext + 0x200n)
    this.#symbols.set('init_uts_ns', dataAt)
    let at = TEXT_MAP + BigInt(variablesAt)
    for (const [name, size] of sizes) {
      this.#symbols.set(name, at)
      at += BigInt(size)
    }
    const start = TEXT_MAP + BigInt(variablesAt + 0x100000)
    this.#symbols.set('__start_BTF', start)
    this.#symbols.set('__stop_BTF', start + BigInt(btfSize))
    return [...this.#symbols].map(([name, address]) => [name, 'D', address])
  }

  #fillVariables(): void {
    this.#zero(variablesAt, 0x8000)
    const variable = (name: string, value: bigint) =>
      this.memory.u64(this.hpa(this.symbol(name)), value)
    variable('page_offset_base', this.#bases.direct)
    variable('vmalloc_base', this.#bases.vmalloc)
    variable('vmemmap_base', this.#bases.vmemmap)
    variable('huge_zero_pfn', 2n ** 64n - 1n)
    this.ring([this.symbol('modules')])
    this.ring([this.symbol('vm_list')])
    for (let gib = 0; gib < 4; gib++) {
      const hpa = gib * 2 ** 30
      this.tables.set(this.direct(hpa), 3, page(hpa, 3))
    }
  }

  #integer(hpa: number, size: number, value: bigint): void {
    for (let i = 0; i < size; i++) this.memory.u8(hpa + i, Number((value >> BigInt(8 * i)) & 0xffn))
  }

  #zero(hpa: number, size: number): void {
    for (let at = hpa - (hpa % 4096); at < hpa + size; at += 4096) this.memory.zero(at)
  }
}
