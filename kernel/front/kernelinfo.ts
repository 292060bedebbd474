// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel says about itself.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type JsonObject, protocolVersion } from '../protocol/messages.ts'

const require = createRequire(import.meta.url)

/** The content of a kernel_info_reply. TypeScript is not loaded for it: only its version is read. */
export function kernelInfo(): JsonObject {
  const own = versionOf(new URL('../../../package.json', import.meta.url))
  const language = versionOf(require.resolve('typescript/package.json'))
  return {
    status: 'ok',
    protocol_version: protocolVersion,
    implementation: 'qemu-vtop',
    implementation_version: own,
    language_info: {
      name: 'typescript',
      version: language,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      codemirror_mode: { name: 'javascript', typescript: true },
      pygments_lexer: 'typescript',
      nbconvert_exporter: 'script',
    },
    banner:
      `qemu-vtop ${own}, TypeScript ${language}, Node ${process.versions.node}\n` +
      'openDump(path) opens a dump; help() lists what else there is.',
    help_links: [
      { text: 'TypeScript handbook', url: 'https://www.typescriptlang.org/docs/handbook/' },
    ],
    supported_features: [],
  }
}

function versionOf(packageJson: string | URL): string {
  const { version } = JSON.parse(readFileSync(packageJson, 'utf8')) as { version?: unknown }
  return typeof version === 'string' ? version : 'unknown'
}
