// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded kernel modules: where they lie, their symbols and their types.

import { CorruptError, FormatError } from '../errors.ts'
import { type Space } from '../space/space.ts'
import { type Symbols } from '../symbols/table.ts'
import { BtfTypes, readBtf } from '../types/btf.ts'
import { address, arrayLength, bytes, layout, pointer, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'
import { knownNodes, listNodes } from './list.ts'
import { ModuleSymbols } from './modulesymbols.ts'
import { type Damage, ifSound, isDamage, listOf, type PartialList } from './partial.ts'

/** What modules are read from: the kernel's memory, and its own symbols and types. */
export interface ModuleContext {
  readonly space: Space
  readonly symbols: Symbols
  readonly types: Types
  /** Types of a module out of files that the user gave, where the dump has none. */
  readonly givenModuleTypes?: ((module: string) => Types | undefined) | undefined
}

/** One module as /proc/modules lists it. */
export interface Module {
  readonly name: string
  /** The address of its `struct module`. */
  readonly address: bigint
  /** Where its code lies, the address in /proc/modules. */
  readonly base: bigint
  /** The bytes it takes in all, as in /proc/modules. */
  readonly size: number
  /** `live` is the normal one; `coming` and `unformed` are being loaded, `going` unloaded. */
  readonly state: 'live' | 'coming' | 'going' | 'unformed'
}

// enum module_state of include/linux/module.h.
const states = ['live', 'coming', 'going', 'unformed'] as const
/** Modules take at most the space behind the kernel image. */
const MAX_MODULE_BYTES = 0x80000000
/** The largest BTF of a module has some hundred KiB. */
const MAX_BTF_BYTES = 64 << 20

/** The modules of one kernel. Each part is read when it is first asked for. */
export class Modules {
  readonly #context: ModuleContext
  #known: { modules: PartialList<Module>; damage: Damage | undefined } | undefined
  readonly #symbols = new Map<string, ModuleSymbols>()
  readonly #types = new Map<string, Types | undefined>()

  constructor(context: ModuleContext) {
    this.#context = context
  }

  /**
   * All modules, the newest first as in /proc/modules; `lost` says why there can be more. Empty for a kernel that was
   * built without modules. Throws FaultError or CorruptError when not even the first can be read.
   */
  list(): PartialList<Module> {
    this.#known ??= this.#readList()
    return this.#known.modules
  }

  /** Throws when the list is not whole: what was looked for, `what`, can be in a module that cannot be read. */
  checkWhole(what: string): void {
    const { damage } = (this.#known ??= this.#readList())
    if (damage !== undefined) throw damage.neededFor(what)
  }

  /** The live module of a name, or undefined. Throws FaultError or CorruptError when it is perhaps one that cannot be read. */
  find(name: string): Module | undefined {
    // The kernel writes names with underscores, files and people also with dashes.
    const wanted = name.replaceAll('-', '_')
    const found = this.list().find((module) => module.name === wanted && module.state === 'live')
    if (found === undefined) this.checkWhole(`module ${wanted}`)
    return found
  }

  /** The address of a module's symbol; undefined when there is no such module or symbol. */
  symbol(module: string, name: string): bigint | undefined {
    return this.symbolsOf(module)?.find([name]).get(name)?.[0]
  }

  /** The symbols of a module, or undefined when it is not loaded. */
  symbolsOf(name: string): ModuleSymbols | undefined {
    const module = this.find(name)
    if (module === undefined) return undefined
    let symbols = this.#symbols.get(module.name)
    if (symbols === undefined) {
      symbols = new ModuleSymbols(this.#context.space, this.#context.types, module.address)
      this.#symbols.set(module.name, symbols)
    }
    return symbols
  }

  /**
   * The types of a module and of the kernel, the kernel's first. Undefined when the module is not loaded or the kernel
   * keeps no types of modules (before 5.11, or built without), and no file was given that does.
   */
  types(name: string): Types | undefined {
    const module = this.find(name)
    if (module === undefined) return undefined
    if (!this.#types.has(module.name)) {
      const types = this.#readTypes(module) ?? this.#context.givenModuleTypes?.(module.name)
      this.#types.set(module.name, types)
    }
    return this.#types.get(module.name)
  }

  #readList(): { modules: PartialList<Module>; damage: Damage | undefined } {
    const { space, symbols, types } = this.#context
    const head = symbols.address('modules')
    if (head === undefined) return { modules: listOf([], 'modules', undefined), damage: undefined }
    const fields = layout(types, 'module', {
      list: address('list'),
      name: bytes('name'),
      state: uint('state'),
    })
    const extent = moduleExtent(this.#context)
    const offset = BigInt(fields.offset('list'))
    const modules: Module[] = []
    let damage: Damage | undefined
    const read = (node: bigint): void => {
      const record = fields.at(space, node - offset)
      const state = states[record.state]
      if (state === undefined) {
        throw new CorruptError('module.state', record.address, `is ${record.state}`)
      }
      const name = Buffer.from(record.name).toString('utf8').replace(/\0.*$/s, '')
      modules.push(new LoadedModule(name, record.address, state, extent))
    }
    const end = ifSound(() => {
      for (const node of knownNodes(space, head, 'module.list')) {
        const problem = ifSound(() => {
          read(node)
        })
        if (isDamage(problem)) damage ??= problem
      }
    })
    if (isDamage(end)) damage ??= end
    if (damage !== undefined && modules.length === 0) throw damage
    return { modules: listOf(modules, 'modules', damage), damage }
  }

  #readTypes(module: Module): Types | undefined {
    const { space, symbols, types } = this.#context
    const head = symbols.address('btf_modules')
    if (head === undefined || !types.has('btf_module') || !(types instanceof BtfTypes)) {
      return undefined
    }
    const node = layout(types, 'btf_module', {
      list: address('list'),
      module: pointer('module'),
      btf: pointer('btf'),
    })
    const fields = layout(types, 'btf', {
      data: pointer('data'),
      size: uint('data_size'),
      firstId: uint('start_id'),
      firstString: uint('start_str_off'),
    })
    const offset = BigInt(node.offset('list'))
    for (const at of listNodes(space, head, 'btf_module.list')) {
      const entry = node.at(space, at - offset)
      if (entry.module !== module.address) continue
      const btf = fields.at(space, entry.btf)
      if (btf.size > MAX_BTF_BYTES) {
        throw new CorruptError('btf.data_size', btf.address, `is ${btf.size}`)
      }
      const { blob } = types
      const [id, string] = [blob.firstId + blob.count, blob.firstString + blob.stringBytes]
      if (id !== btf.firstId || string !== btf.firstString) {
        // Types that were made of DWARF are numbered in another way.
        if (this.#context.givenModuleTypes !== undefined) return undefined
        throw new FormatError(
          `BTF of ${module.name} counts on from type ${btf.firstId} and string ${btf.firstString}, but that of the ` +
            `kernel ends before ${id} and ${string}`,
          'btf.start_id',
          btf.address,
        )
      }
      return readBtf(space.bytes(btf.data, btf.size), module.name, types)
    }
    return undefined
  }
}

/** A module whose extent is read when it is asked for: few questions need it. */
class LoadedModule implements Module {
  readonly name: string
  readonly address: bigint
  readonly state: Module['state']
  readonly #extent: (module: bigint) => { base: bigint; size: number }

  constructor(
    name: string,
    address: bigint,
    state: Module['state'],
    extent: (module: bigint) => { base: bigint; size: number },
  ) {
    this.name = name
    this.address = address
    this.state = state
    this.#extent = extent
  }

  get base(): bigint {
    return this.#extent(this.address).base
  }

  get size(): number {
    return this.#extent(this.address).size
  }
}

/** How a module's memory is described, newest first; told by presence. */
function moduleExtent(context: ModuleContext): (module: bigint) => { base: bigint; size: number } {
  const { space, types } = context
  const module = types.struct('module')
  const check = (at: bigint, size: number): number => {
    if (size <= MAX_MODULE_BYTES) return size
    throw new CorruptError('module', at, `has ${size} bytes, more than there is room for`)
  }
  // Since 6.4 (commit ac3b43283923): an array of regions, code first.
  if (module?.member('mem') !== undefined) {
    const region = layout(types, 'module_memory', { base: pointer('base'), size: uint('size') })
    const regions = layout(types, 'module', { mem: address('mem') })
    const count = arrayLength(types, 'module', 'mem') ?? 0
    return (at) => {
      const { mem } = regions.at(space, at)
      let size = 0
      for (let i = 0; i < count; i++) size += region.at(space, mem + BigInt(i * region.size)).size
      return { base: region.at(space, mem).base, size: check(at, size) }
    }
  }
  // 4.5 to 6.3: core_layout and init_layout; before, members of the module itself.
  const fields = layout(types, 'module', {
    base: pointer('core_layout.base', 'module_core'),
    core: uint('core_layout.size', 'core_size'),
    init: uint('init_layout.size', 'init_size'),
  })
  return (at) => {
    const { base, core, init } = fields.at(space, at)
    return { base, size: check(at, core + init) }
  }
}
