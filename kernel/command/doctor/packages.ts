// SPDX-License-Identifier: GPL-2.0-or-later
// Whether this Node and the packages that depend on it are those that the kernel was made for.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageFolder } from '../../client/spec.ts'
import { type Finding, messageOf } from './finding.ts'

const require = createRequire(import.meta.url)
const reinstall = `in the folder that ${packageFolder()} was installed from: npm install`

/** Whether Node is new enough. */
export function checkNode(): Promise<Finding[]> {
  const wanted = textIn(manifest(), 'engines', 'node').replace(/^>=/, '')
  const ok = !isOlder(process.versions.node, wanted)
  const found = `${process.versions.node}, ${process.execPath}; at least ${wanted} is needed`
  const mend = `install Node ${wanted} or newer, then this package again with it, then: qemu-vtop install`
  return Promise.resolve([{ name: 'Node', ok, found, ...(ok ? {} : { mend }) }])
}

/** Whether zeromq's compiled part loads: it is the one thing here that is made for one system. */
export async function checkSockets(): Promise<Finding[]> {
  const name = 'zeromq'
  try {
    const { version } = await import('zeromq')
    return [{ name, ok: true, found: `${versionOf('zeromq')}, with libzmq ${version}` }]
  } catch (error) {
    const here = `${process.platform} ${process.arch}`
    const mend =
      `the package may come from another machine or have been cut; on this one (${here}) and ` +
      reinstall
    return [{ name, ok: false, found: `does not load: ${messageOf(error)}`, mend }]
  }
}

/** Whether TypeScript and ts-node load, are of the versions that fit, and compile a line together. */
export async function checkCompiler(): Promise<Finding[]> {
  const name = 'TypeScript and ts-node'
  try {
    const versions = ['typescript', 'ts-node'].map((one) => ({
      one,
      has: versionOf(one),
      wanted: textIn(manifest(), 'dependencies', one),
    }))
    const found = versions.map(({ one, has }) => `${one} ${has}`).join(', ')
    const unfit = versions.find(({ has, wanted }) => !fits(has, wanted))
    if (unfit !== undefined) {
      const { one, wanted } = unfit
      return [{ name, ok: false, found: `${found}; ${one} must be ${wanted}`, mend: reinstall }]
    }
    const { create } = await import('ts-node')
    const compiler = require.resolve('typescript')
    const compilerOptions = { module: 'esnext', moduleResolution: 'bundler' }
    const service = create({ compiler, compilerOptions, skipProject: true, transpileOnly: true })
    const js = service.compile('const one: number = 1', 'doctor.ts')
    if (!/one = 1/.test(js)) throw new Error(`they make this of a line: ${js}`)
    return [{ name, ok: true, found }]
  } catch (error) {
    return [{ name, ok: false, found: messageOf(error), mend: reinstall }]
  }
}

function manifest(): unknown {
  return JSON.parse(readFileSync(join(packageFolder(), 'package.json'), 'utf8'))
}

function versionOf(name: string): string {
  // The path of the folder: not every package lets its package.json be required.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return textIn(JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')), 'version')
    } catch {
      // Not in this one.
    }
  }
  throw new Error(`the package ${name} is not there`)
}

function textIn(value: unknown, ...members: readonly string[]): string {
  let inner = value
  for (const member of members) {
    inner = typeof inner === 'object' && inner !== null ? Reflect.get(inner, member) : undefined
  }
  return typeof inner === 'string' ? inner : '?'
}

/** `6.0.3` or `~6.0.3`, as package.json has them: with the tilde a newer patch fits too. */
function fits(version: string, wanted: string): boolean {
  const base = wanted.replace(/^~/, '')
  if (!wanted.startsWith('~')) return version === base
  const minor = (text: string): string => text.split('.').slice(0, 2).join('.')
  return minor(version) === minor(base) && !isOlder(version, base)
}

function isOlder(version: string, than: string): boolean {
  const has = version.split('.').map((part) => parseInt(part))
  for (const [i, part] of than.split('.').map(Number).entries()) {
    const mine = has[i] ?? 0
    if (mine !== part) return mine < part
  }
  return false
}
