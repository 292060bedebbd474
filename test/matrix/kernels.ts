// SPDX-License-Identifier: GPL-2.0-or-later
// The rows of the matrix: kernels, and where a host of each comes from.

import { type OpenOptions } from '../../core/index.ts'
import { swapEntry } from '../build/pagetable.ts'
import { isMade, madeHost } from '../lab/place.ts'
import { realDump } from '../place.ts'
import { type BuiltForms } from './built.ts'

/** Where the layouts of structures come from. */
export type Way = 'own types' | 'types hidden' | 'BTF in a file'

export interface Kernel {
  readonly name: string
  readonly ways: readonly Way[]
  /** The folder of a real dump, and how to come by it when it is not there. */
  readonly real?: { readonly folder: string; readonly skip: string | false }
  readonly built?: BuiltForms
}

/** Options of openDump for a way; `btf` writes the dump's own types to a file. */
export const ways: Readonly<Record<Way, (btf: () => string) => OpenOptions>> = {
  'own types': () => ({}),
  'types hidden': () => ({ types: 'inferred' }),
  'BTF in a file': (btf) => ({ types: 'given', btf: btf() }),
}

const all: readonly Way[] = ['own types', 'types hidden', 'BTF in a file']
const own: readonly Way[] = ['own types']

// __swp_entry of arch/x86/include/asm/pgtable_64.h: to 4.7, then to 4.17; later ones are inverted.
const oldest = (type: number, offset: number) => (BigInt(type) << 1n) | (BigInt(offset) << 9n)
const middle = (type: number, offset: number) => (BigInt(type) << 9n) | (BigInt(offset) << 14n)

const before = { vmas: 'rbtree', beforeL1tf: true } as const
const today = { swapEntry, hasSwapCache: true }

/** A new kernel is one more line. */
export const kernels: readonly Kernel[] = [
  {
    ...{ name: '2.6.32', ways: own },
    built: {
      ...{
        forms: { trees: '2.6.32', ...before, era: '2.6.32', memslots: 'in kvm' },
        swapEntry: oldest,
      },
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '2.6.32 of RHEL 6', ways: own },
    built: {
      forms: { trees: '2.6.32', ...before, era: '2.6.32', memslots: 'by id' },
      swapEntry: oldest,
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '3.10', ways: own },
    built: {
      forms: { trees: '3.10', ...before, era: '3.10', memslots: 'by size' },
      swapEntry: oldest,
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '4.4', ways: own },
    built: {
      ...{
        forms: { trees: '4.4', ...before, era: '3.10', memslots: 'fixed array' },
        swapEntry: oldest,
      },
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '4.9', ways: own },
    built: {
      ...{
        forms: { trees: '4.9', ...before, era: '3.10', memslots: 'fixed array' },
        swapEntry: middle,
      },
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '4.15', ways: own },
    built: {
      ...{ forms: { trees: '4.15', ...before, memslots: 'fixed array' }, swapEntry: middle },
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '4.19', ways: own },
    built: {
      forms: { trees: '4.19', vmas: 'rbtree', memslots: 'fixed array' },
      swapEntry,
      hasSwapCache: true,
    },
  },
  {
    ...{ name: '5.10', ways: all, real: realDump('5.10') },
    built: { forms: { vmas: 'rbtree', memslots: 'array' }, ...today },
  },
  { name: '6.1', ways: all, real: labDump('6.1') },
  { name: '6.12', ways: all, real: realDump('6.12'), built: { forms: {}, ...today } },
  {
    ...{ name: '7.3', ways: all, real: realDump('7.3') },
    built: { forms: { levels: 5 }, swapEntry, hasSwapCache: false },
  },
]

function labDump(key: string): { folder: string; skip: string | false } {
  const skip = isMade(key) ? false : `the lab makes its dump: npm run test:lab -- ${key}`
  return { folder: madeHost(key), skip }
}
