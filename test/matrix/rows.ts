// SPDX-License-Identifier: GPL-2.0-or-later
// The rows that the matrix has: each kernel in each of its ways.

import { type Kernel, kernels, type Way } from './kernels.ts'

/** A row before it is run. */
export interface Case {
  readonly name: string
  readonly kernel: Kernel
  readonly way: Way
}

/** All rows, in their order. */
export const cases: readonly Case[] = kernels.flatMap((kernel) =>
  kernel.ways.map((way) => {
    const name = way === 'own types' ? kernel.name : `${kernel.name}, ${way}`
    return { name, kernel, way }
  }),
)
