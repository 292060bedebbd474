// SPDX-License-Identifier: GPL-2.0-or-later
// The kernels of the real dumps, opened once for all tests of a file.

import { Host } from '../../../core/linux/host.ts'
import { openPages } from '../../../core/dump/open.ts'
import { PhysicalMemory } from '../../../core/space/physical.ts'
import { BtfTypes } from '../../../core/types/btf.ts'
import { realDump } from '../../place.ts'

const hosts = new Map<string, Host>()

/** The kernel of a real dump. */
export function realHost(kernel: string): Host {
  let host = hosts.get(kernel)
  if (host === undefined) {
    host = new Host(new PhysicalMemory(openPages(realDump(kernel).path)))
    hosts.set(kernel, host)
  }
  return host
}

/** Its types. */
export function realTypes(kernel: string): BtfTypes {
  const { types } = realHost(kernel)
  if (types instanceof BtfTypes) return types
  throw new Error('the types of a real dump come from BTF')
}
