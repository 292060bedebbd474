// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's map of physical addresses (`iomem_resource`, shown as /proc/iomem): what is RAM, and what is not.

import { hex } from '../bytes/hex.ts'
import { CorruptError } from '../errors.ts'
import { type Host } from '../linux/host.ts'
import { layout, pointer, u64 } from '../types/layout.ts'

/** A host has some hundred; each memory block or device can add one. */
const MOST_RESOURCES = 1 << 16
/** Bridges behind bridges: PCI has 256 buses. */
const DEEPEST = 512

/** A range of physical addresses with its name, such as `System RAM`, `PCI ECAM 0000` or `0000:00:02.0`. */
export interface Resource {
  readonly name: string
  readonly start: number
  /** The last byte. */
  readonly end: number
}

/**
 * The resources that hold a physical address, from the widest to the narrowest; empty where nothing is. Throws
 * CorruptError when the tree is damaged (`__insert_resource` of kernel/resource.c keeps siblings in order and apart).
 */
export function resourcesAt(host: Host, hpa: number): Resource[] {
  const { space } = host
  const resource = layout(host.types, 'resource', {
    start: u64('start'),
    end: u64('end'),
    name: pointer('name'),
    sibling: pointer('sibling'),
    child: pointer('child'),
  })
  const wanted = BigInt(hpa)
  const found: Resource[] = []
  let at = resource.at(space, host.symbol('iomem_resource')).child
  for (let seen = 0; at !== 0n; seen++) {
    if (seen > MOST_RESOURCES || found.length > DEEPEST) {
      throw new CorruptError('resource.sibling', at, `more than ${seen} resources: a cycle`)
    }
    const record = resource.at(space, at)
    const { start, end } = record
    if (end < start) throw new CorruptError('resource.end', at, `${hex(end)} below its start`)
    if (wanted >= start && wanted <= end) {
      const name = record.name === 0n ? '<BAD>' : space.text(record.name, 64)
      found.push({ name, start: Number(start), end: Number(end) })
      at = record.child
    } else at = start > wanted ? 0n : record.sibling
  }
  return found
}
