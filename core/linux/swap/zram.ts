// SPDX-License-Identifier: GPL-2.0-or-later
// zram: swap devices whose pages lie compressed in the host's own memory (drivers/block/zram/zram_drv.c).

import { codecs, decode } from '../../codec/index.ts'
import { PAGE_SIZE } from '../../dump/format.ts'
import { CorruptError, DumpError, MissingError, UnsupportedError } from '../../errors.ts'
import { address, bytes, layout, optional, pointer, u64, uint } from '../../types/layout.ts'
import { type Types } from '../../types/type.ts'
import { type Host } from '../host.ts'
import { type Pages } from '../page.ts'
import { entrySize } from './zramtable.ts'
import { driverTypes } from './zramtypes.ts'
import { Zsmalloc } from './zsmalloc.ts'

/** One page out of a zram device. */
export interface ZramPage {
  readonly bytes: Uint8Array
  /** How it was kept: `zram0, lz4, 74 bytes`. */
  readonly how: string
}

/** The codec here of each name that zram knows; lz4hc is another encoder of the same format. */
const algorithms: Readonly<Record<string, string>> = {
  lzo: 'lzo',
  'lzo-rle': 'lzo-rle',
  lz4: 'lz4',
  lz4hc: 'lz4',
  zstd: 'zstd',
}

/** The zram devices of one host. What describes them is read when the first is asked. */
export class Zram {
  readonly #host: Host
  readonly #disk
  readonly #block
  readonly #pages: Pages
  readonly #devices = new Map<bigint, Device>()

  constructor(host: Host, pages: Pages) {
    this.#host = host
    this.#pages = pages
    this.#disk = layout(host.types, 'gendisk', {
      name: bytes('disk_name'),
      driver: pointer('private_data'),
    })
    this.#block = layout(host.types, 'block_device', { disk: pointer('bd_disk') })
  }

  /** The name of the zram disk behind a block device (`zram0`), or undefined when it is another driver's. */
  nameOf(blockDevice: bigint): string | undefined {
    const { disk } = this.#block.at(this.#host.space, blockDevice)
    const { name } = this.#disk.at(this.#host.space, disk)
    const text = new TextDecoder('latin1').decode(name).replace(/\0[^]*$/, '')
    return /^zram\d+$/.test(text) ? text : undefined
  }

  /**
   * Page `index` of a zram device. Throws FaultError when memory that it lies in is not in the dump, CorruptError when
   * structures contradict each other, UnsupportedError for an algorithm or a place that is not read.
   */
  read(blockDevice: bigint, name: string, index: number): ZramPage {
    const { space } = this.#host
    const { disk } = this.#block.at(space, blockDevice)
    let device = this.#devices.get(disk)
    if (device === undefined) {
      const { driver } = this.#disk.at(space, disk)
      device = new Device(this.#host, this.#pages, name, driver, disk)
      this.#devices.set(disk, device)
    }
    return device.read(index)
  }
}

/** One `struct zram`. */
class Device {
  readonly #host: Host
  readonly #name: string
  readonly #zram
  readonly #entry
  readonly #objects: Zsmalloc
  readonly #types: Types
  readonly #entrySize: number
  readonly #flags: ReadonlyMap<string, number>
  /** Flags stand from this bit on; below is the size of the object. */
  readonly #shift: number
  readonly #names = new Map<number, string>()

  constructor(host: Host, pages: Pages, name: string, zram: bigint, disk: bigint) {
    this.#host = host
    this.#name = name
    const { types, isAssumed } = driverTypes(host, 'zram')
    this.#types = types
    const fields = layout(types, 'zram', {
      // Before 4.15 in a zram_meta of its own, which is not read.
      table: pointer('table'),
      pool: pointer('mem_pool'),
      // Several algorithms since 6.2.
      comps: address('comps', 'comp'),
      disk: pointer('disk'),
      size: optional(u64('disksize')),
    })
    this.#zram = fields.at(host.space, zram)
    // The way back: whatever lies there, it is the zram of this disk.
    if (this.#zram.disk !== disk) {
      const more = isAssumed ? ': its module has no BTF, and it is not like the known ones' : ''
      throw new CorruptError('zram.disk', zram, `is not the disk that led here${more}`)
    }
    this.#entry = layout(types, 'zram_table_entry', {
      handle: u64('handle'),
      flags: uint('attr.flags', 'flags', 'value'),
    })
    const flags = types.enumerators('zram_pageflags')
    if (flags === undefined) throw new MissingError('type', 'enum zram_pageflags', types.name)
    this.#flags = flags
    this.#shift = Math.min(...flags.values())
    this.#objects = new Zsmalloc(host, pages, driverTypes(host, 'zsmalloc').types)
    this.#entrySize = isAssumed
      ? entrySize(host.space, this.#zram.table, this.#shift, flags.size)
      : this.#entry.size
  }

  read(index: number): ZramPage {
    const { table, pool, size } = this.#zram
    if (size !== undefined && BigInt(index) >= size / BigInt(PAGE_SIZE)) {
      const problem = `is ${size} bytes, but page ${index} is asked for`
      throw new CorruptError('zram.disksize', this.#zram.address, problem)
    }
    const at = table + BigInt(index * this.#entrySize)
    const { handle, flags } = this.#entry.at(this.#host.space, at)
    if (this.#has(flags, 'ZRAM_WB')) {
      const problem = `page ${index} of ${this.#name} was written back to its backing device`
      throw new UnsupportedError(problem, 'write-back of zram')
    }
    if (this.#has(flags, 'ZRAM_SAME')) {
      // element, in a union with handle.
      const filled = new BigUint64Array(PAGE_SIZE / 8).fill(handle)
      const how = `${this.#name}, filled with 0x${handle.toString(16)}`
      return { bytes: new Uint8Array(filled.buffer), how }
    }
    const length = flags % 2 ** this.#shift
    const isHuge = this.#has(flags, 'ZRAM_HUGE') || length === PAGE_SIZE
    if (handle === 0n || length > PAGE_SIZE || (length === 0 && !isHuge)) {
      const problem = `page ${index} of ${this.#name} holds nothing (handle 0x${handle.toString(16)}, ${length} bytes)`
      throw new CorruptError('zram_table_entry', at, problem)
    }
    if (isHuge) {
      const whole = this.#objects.read(pool, handle, PAGE_SIZE)
      return { bytes: whole, how: `${this.#name}, not compressed` }
    }
    return this.#unpack(this.#objects.read(pool, handle, length), flags, index)
  }

  #unpack(data: Uint8Array, flags: number, index: number): ZramPage {
    const algorithm = this.#algorithm(flags)
    const codec = codecs.get(algorithms[algorithm] ?? '')
    if (codec === undefined) {
      const problem = `page ${index} of ${this.#name} is compressed by ${algorithm}, which is not read`
      throw new UnsupportedError(problem, `zram pages of ${algorithm}`)
    }
    try {
      const how = `${this.#name}, ${algorithm}, ${data.length} bytes`
      return { bytes: decode(codec, data, PAGE_SIZE), how }
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      throw new DumpError('codec', `page ${index} of ${this.#name}: ${error.message}`, {
        cause: error,
      })
    }
  }

  /** The name of the algorithm of a page: which of up to four stands in two bits of its flags. */
  #algorithm(flags: number): string {
    const bit = this.#flags.get('ZRAM_COMP_PRIORITY_BIT1')
    const which = bit === undefined ? 0 : Math.floor(flags / 2 ** bit) % 4
    let name = this.#names.get(which)
    if (name === undefined) {
      name = this.#readAlgorithm(this.#host.space.u64(this.#zram.comps + BigInt(which * 8)))
      this.#names.set(which, name)
    }
    return name
  }

  #readAlgorithm(comp: bigint): string {
    const { space } = this.#host
    // Behind its operations since 6.12, when parameters came too.
    const fields = layout(this.#types, 'zcomp', {
      name: optional(pointer('name')),
      operations: optional(pointer('ops')),
      parameters: optional(pointer('params')),
    })
    const { name, operations, parameters } = fields.at(space, comp)
    if (parameters !== undefined && parameters !== 0n) {
      const { dictionary } = layout(this.#types, 'zcomp_params', {
        dictionary: pointer('dict'),
      }).at(space, parameters)
      if (dictionary !== 0n) {
        const problem = `${this.#name} compresses with a dictionary, which is not read`
        throw new UnsupportedError(problem, 'zram with a dictionary')
      }
    }
    const at =
      operations === undefined
        ? name
        : layout(this.#types, 'zcomp_ops', { name: pointer('name') }).at(space, operations).name
    if (at === undefined) throw new MissingError('member', 'zcomp.name', this.#types.name)
    return space.text(at, 32)
  }

  #has(flags: number, name: string): boolean {
    const bit = this.#flags.get(name)
    return bit !== undefined && Math.floor(flags / 2 ** bit) % 2 === 1
  }
}
