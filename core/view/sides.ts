// SPDX-License-Identifier: GPL-2.0-or-later
// What the two sides of a comparison are called: by what they differ in.

import { printable } from '../bytes/printable.ts'
import { type Comparison } from '../compare/comparison.ts'
import { type Vm } from '../kvm/vm.ts'

/** The names of both sides, for a bar or the head of a column, and one for the two of them. */
export interface Sides {
  /** `A vmcore.0931` and `B vmcore.1044`, or `A web01` and `B web02`; never equal. */
  readonly names: readonly [first: string, second: string]
  /** `web01 in vmcore.0931 and vmcore.1044`. */
  readonly both: string
}

/** So many letters of a name stand beside a bar; of two names, half of them each. */
const LETTERS = 30

/** Names the sides by the files of their dumps, by their guests, or by both: by what is not the same. */
export function sidesOf({ vms: [first, second] }: Pick<Comparison, 'vms'>): Sides {
  const files = filesOf(first, second)
  const guests = guestsOf(first, second)
  const isOneGuest = guests[0] === guests[1]
  const parts = files === undefined ? [guests] : isOneGuest ? [files] : [files, guests]
  const letters = Math.floor(LETTERS / parts.length)
  const name = (side: 0 | 1) => parts.map((part) => printable(part[side], letters)).join(' ')
  const [one, two] = guests
  const [a, b] = files ?? ['', '']
  const and = isOneGuest ? '' : `${two} in `
  const both = files === undefined ? `${one} and ${two}` : `${one} in ${a} and ${and}${b}`
  return { names: [`A ${name(0)}`, `B ${name(1)}`], both: printable(both, 200) }
}

/** The ends of both paths, as short as tells them apart; undefined when both are of one file, or of none. */
function filesOf(first: Vm, second: Vm): [string, string] | undefined {
  const paths = [first, second].map(
    ({ linux }) => linux.host.memory.path?.split(/[/\\]/).filter((part) => part !== '') ?? [],
  )
  const [a = [], b = []] = paths
  const most = Math.max(a.length, b.length)
  for (let parts = 1; parts <= most; parts++) {
    const ends = [a, b].map((path) => path.slice(-parts).join('/'))
    const [one = '', two = ''] = ends
    if (one !== two) return [one, two]
  }
  return undefined
}

/** Names of guests, with the process beside them where two in one dump have the same. */
function guestsOf(first: Vm, second: Vm): [string, string] {
  const pidOf = ({ task }: Vm) => `pid ${task?.pid ?? 'gone'}`
  const [a, b] = [first, second].map((vm) => vm.name ?? pidOf(vm))
  const isOneDump = first.linux === second.linux
  return a === b && isOneDump && first !== second
    ? [`${a ?? ''}, ${pidOf(first)}`, `${b ?? ''}, ${pidOf(second)}`]
    : [a ?? '', b ?? '']
}
