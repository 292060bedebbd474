// SPDX-License-Identifier: GPL-2.0-or-later
// From a pid to its task, as the kernel itself finds it: nothing else of the host is read.

import { address, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { type Host } from './host.ts'
import { chainNodes } from './list.ts'
import { type Trees, treesOf } from './tree.ts'

/**
 * What hash_long of include/linux/hash.h multiplies by: since 4.7, and before, where the shifts of kernels without a
 * fast multiplication come to the same number.
 */
const multipliers = [0x61c8864680b583ebn, 0x9e37fffffffc0001n]
/** pidhash_init of kernel/pid.c asks for 2^4 to 2^12 chains. */
const MAX_HASH_BITS = 12

/** The numbers of one host's first pid namespace. */
export class Pids {
  readonly #host: Host
  readonly #namespace: bigint
  readonly #pid
  readonly #upid
  readonly #link: bigint
  readonly #numbers: Trees | undefined
  readonly #tree: bigint | undefined
  readonly #hash: bigint | undefined

  /** Undefined when this kernel's numbers cannot be looked up: it has neither form, or its types are known in part. */
  static of(host: Host): Pids | undefined {
    const { symbols, types } = host
    const namespace = symbols.address('init_pid_ns')
    const isKnown = ['pid', 'upid', 'pid_namespace'].every((name) => types.has(name))
    if (namespace === undefined || !isKnown || types.whyMissing !== undefined) return undefined
    return new Pids(host, namespace)
  }

  private constructor(host: Host, namespace: bigint) {
    const { symbols, types, space } = host
    this.#host = host
    this.#namespace = namespace
    this.#pid = layout(types, 'pid', {
      // PIDTYPE_PID is 0: the thread itself.
      first: pointer('tasks[0].first'),
      numbers: address('numbers[0]'),
    })
    this.#upid = layout(types, 'upid', {
      number: uint('nr'),
      namespace: u64('ns'),
      chain: optional(address('pid_chain')),
    })
    // An array of struct pid_link until 4.18.
    const links = layout(types, 'task_struct', { link: address('pid_links[0]', 'pids[0].node') })
    this.#link = BigInt(links.offset('link'))
    // An IDR since 4.15, in a radix tree until 4.19, then in an XArray; before, one hash table for all namespaces.
    const tree = layout(types, 'pid_namespace', { tree: optional(address('idr.idr_rt')) })
    this.#tree = tree.at(space, namespace).tree
    this.#numbers = this.#tree === undefined ? undefined : treesOf(space, types)
    this.#hash = this.#upid.has('chain') ? symbols.address('pid_hash') : undefined
  }

  /** The address of a pid's `task_struct`, or undefined when none is found. Throws as memory is read. */
  taskOf(pid: number): bigint | undefined {
    const found =
      this.#tree === undefined ? this.#inHash(pid) : this.#numbers?.load(this.#tree, pid)
    if (found === undefined || found === 0n || (found & 3n) !== 0n) return undefined
    const { first } = this.#pid.at(this.#host.space, found)
    return first === 0n ? undefined : first - this.#link
  }

  /** pid_hashfn of kernel/pid.c: the number and the address of its namespace. */
  #inHash(pid: number): bigint | undefined {
    const { space, symbols } = this.#host
    const shift = symbols.address('pidhash_shift')
    if (this.#hash === undefined || shift === undefined) return undefined
    const bits = space.u32(shift)
    if (bits === 0 || bits > MAX_HASH_BITS) return undefined
    const table = space.u64(this.#hash)
    const key = BigInt(pid) + this.#namespace
    for (const multiplier of multipliers) {
      const chain = BigInt.asUintN(64, key * multiplier) >> BigInt(64 - bits)
      const found = this.#inChain(space.u64(table + 8n * chain), pid)
      if (found !== undefined) return found
    }
    return undefined
  }

  #inChain(first: bigint, pid: number): bigint | undefined {
    const { space } = this.#host
    const chain = BigInt(this.#upid.offset('chain'))
    for (const node of chainNodes(space, first, 'pid_hash')) {
      const entry = this.#upid.at(space, node - chain)
      if (entry.number !== pid || entry.namespace !== this.#namespace) continue
      return entry.address - BigInt(this.#pid.offset('numbers'))
    }
    return undefined
  }
}
