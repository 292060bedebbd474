// SPDX-License-Identifier: GPL-2.0-or-later
// Damage of everything that is read: a short part with a known start, and each input that ever broke something.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { found } from './found.ts'
import { damage } from './mutate.ts'
import { fuzz, survive } from './target.ts'
import { targets } from './targets.ts'

const seed = 20_260_101
const all = targets()

describe('damaged bytes', () => {
  for (const target of all) {
    const runs = Math.max(3, Math.round(400 / target.cost))
    it(`end in an answer or a DumpError, soon: ${target.name}`, async () => {
      const deep = await fuzz(target, runs, seed)
      // Else the damage would never reach what lies behind the headers.
      assert.ok(deep > 0 || target.checksummed === true, 'nothing was read behind the headers')
    })
  }

  for (const { target: name, what, changes } of found) {
    it(`that once broke ${name} do not any more: ${what}`, async () => {
      const target = all.find((one) => one.name === name)
      assert.ok(target, `no target ${name}`)
      await survive(target, damage(target.seed, changes))
    })
  }
})
