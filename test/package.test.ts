// SPDX-License-Identifier: GPL-2.0-or-later
// The package itself: its licence, its dependencies, and what it ships.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { root } from './place.ts'

interface Package {
  license: string
  dependencies: Record<string, string>
  files: string[]
  bin: Record<string, string>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Package

describe('the package', () => {
  it('is under GPL-2.0-or-later, and says so', () => {
    assert.equal(manifest.license, 'GPL-2.0-or-later')
    assert.match(readFileSync(join(root, 'LICENSE'), 'utf8'), /GNU GENERAL PUBLIC LICENSE/)
  })

  it('depends at run time on the packages that were decided, and on no other', () => {
    assert.deepEqual(Object.keys(manifest.dependencies).sort(), [
      '@jupyterlab/services',
      '@types/node',
      'apache-arrow',
      'fzstd',
      'hyparquet-writer',
      'ts-node',
      'typescript',
      'vega',
      'vega-lite',
      'zeromq',
    ])
  })

  it('ships no test', () => {
    const listing = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const [packed] = JSON.parse(listing) as { files: { path: string }[] }[]
    const paths = packed?.files.map((file) => file.path) ?? []
    assert.ok(paths.length > 5)
    assert.deepEqual(
      paths.filter((path) => /(^|\/)test\//.test(path)),
      [],
    )
  })

  it('locks its dependencies without the address of a registry', () => {
    assert.doesNotMatch(
      readFileSync(join(root, 'package-lock.json'), 'utf8'),
      /"resolved"|https?:[^"]*\.tgz/,
    )
  })
})

describe('the sources', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '')

  it('carry the licence in the first line of every source file', () => {
    const without = tracked
      .filter((path) => /\.(ts|js|cjs|mjs)$/.test(path))
      .filter((path) => !/SPDX-License-Identifier: GPL-2\.0-or-later/.test(firstLines(path)))
    assert.deepEqual(without, [])
  })

  it('hold no file over 5 MB', () => {
    const large = tracked.filter((path) => statSync(join(root, path)).size > 5 << 20)
    assert.deepEqual(large, [])
  })
})

/** The first two lines: a command begins with its interpreter. */
function firstLines(path: string): string {
  return readFileSync(join(root, path), 'utf8').split('\n', 2).join('\n')
}
