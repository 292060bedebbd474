// SPDX-License-Identifier: GPL-2.0-or-later
// Makes core/bulk/wasmbytes.ts of kernels.wat and rarerows.wat beside it. Run by itself it writes the file.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import wabt from 'wabt'
import { root } from '../../place.ts'

const sources = ['kernels.wat', 'rarerows.wat'].map((name) => join(root, 'core/bulk', name))
const target = join(root, 'core/bulk/wasmbytes.ts')

/** The module of which the sources hold the parts. */
export async function assembled(): Promise<Uint8Array> {
  const tools = await wabt()
  const parts = sources.map((source) => readFileSync(source, 'utf8')).join('\n')
  const parsed = tools.parseWat('kernels.wat', `(module\n${parts})`, { threads: true, simd: true })
  try {
    return parsed.toBinary({}).buffer
  } finally {
    parsed.destroy()
  }
}

if (process.argv[1] === import.meta.filename) {
  const text = Buffer.from(await assembled()).toString('base64')
  const lines = text.match(/.{1,92}/g) ?? []
  writeFileSync(
    target,
    `// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of kernels.wat and rarerows.wat, made by \`node dist/test/core/bulk/assemble.js\`; a test makes them anew and compares.

/** A WebAssembly module in base64. */
export const kernelBytes: string = [
${lines.map((line) => `  '${line}',`).join('\n')}
].join('')
`,
  )
}
