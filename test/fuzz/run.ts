// SPDX-License-Identifier: GPL-2.0-or-later
// The long run: npm run fuzz -- [INPUTS [SEED [NAME]]]. 200,000 inputs over all targets when nothing is said; NAME is a
// part of the names of those that are wanted.
import { inspect } from 'node:util'
import { fuzz } from './target.ts'
import { targets } from './targets.ts'

const inputs = Number(process.argv[2] ?? 200_000)
const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31)
const all = targets().filter(({ name }) => name.includes(process.argv[4] ?? ''))
// Each target gets the same time: so many inputs as its cost allows.
const share = inputs / all.reduce((sum, { cost }) => sum + 1 / cost, 0)

process.stdout.write(`${inputs} inputs, seed ${seed}\n`)
let done = 0
let broken = 0
for (const target of all) {
  const runs = Math.max(1, Math.ceil(share / target.cost))
  const start = performance.now()
  let result: string
  try {
    const deep = await fuzz(target, runs, seed)
    result = `${deep} read behind the headers`
  } catch (error) {
    broken++
    result = `BROKEN\n${inspect(error)}`
  }
  done += runs
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  process.stdout.write(`${target.name}: ${runs} inputs in ${seconds} s, ${result}\n`)
}
process.stdout.write(`${done} inputs, ${broken} of ${all.length} targets broken\n`)
process.exitCode = broken > 0 ? 1 : 0
