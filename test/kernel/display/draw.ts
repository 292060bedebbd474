// SPDX-License-Identifier: GPL-2.0-or-later
// A process of its own that prints every bundle of the samples, in the order given: `draw.ts` or `draw.ts reverse`.

import { bundlesOf } from '../../../kernel/display/bundle.ts'
import { samples, seed, someDump, someTasks, someVm } from '../../core/view/samples.ts'

const vm = { memslots: someVm.memslots }
const values: readonly (readonly [string, unknown])[] = [
  ...Object.entries(samples),
  ['with a map', { ...seed, vm }],
  ['a virtual machine', someVm],
  ['a dump', someDump],
  ['tasks', someTasks],
]
const order = process.argv.includes('reverse') ? values.toReversed() : values
const drawn: Record<string, unknown> = {}
for (const [name, value] of order) drawn[name] = await bundlesOf(value)
const sorted = Object.fromEntries(values.map(([name]) => [name, drawn[name]]))
process.stdout.write(JSON.stringify(sorted))
