// SPDX-License-Identifier: GPL-2.0-or-later
// The loop in C over the same words, as a process that takes turns with us.

import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Mapping } from '../../core/bulk/mapping.ts'
import { root } from '../place.ts'

/** One run: nanoseconds of processor time, and a sum over all columns modulo 2^32. */
export interface PeerRun {
  readonly nanoseconds: number
  readonly sum: number
}

/** The program in C with a mapping and addresses. */
export interface Peer {
  run(kind: 'reused' | 'fresh'): Promise<PeerRun>
  end(): void
}

/** Compiles the loop into a folder; undefined without gcc. */
export function compileLoop(folder: string): string | undefined {
  const program = join(folder, 'bulkloop')
  const source = join(root, 'test/bench/bulkloop.c')
  try {
    execFileSync('gcc', ['-O3', '-march=native', '-o', program, source], { stdio: 'pipe' })
  } catch {
    return undefined
  }
  return program
}

/** Starts the program over copies of the words and the addresses, which it reads from the folder. */
export function startPeer(
  program: string,
  folder: string,
  { memory, places }: Mapping,
  gpas: BigUint64Array,
): Peer {
  const words = join(folder, 'words')
  const addresses = join(folder, 'addresses')
  write(words, new Uint8Array(memory.wasm.buffer, 0, memory.bytes))
  write(addresses, new Uint8Array(gpas.buffer, gpas.byteOffset, gpas.byteLength))
  const numbers = [places.directory, places.slots, places.highEnd, places.outside].map(String)
  const child = spawn(program, [words, addresses, ...numbers], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const input = createInterface({ input: child.stdout })
  const lines: AsyncIterator<string, undefined> = input[Symbol.asyncIterator]()
  return {
    async run(kind) {
      child.stdin.write(`${kind}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error('the program in C has ended')
      const [nanoseconds, sum] = line.value.split(' ').map(Number)
      return { nanoseconds: nanoseconds ?? 0, sum: sum ?? 0 }
    },
    end: () => child.stdin.end(),
  }
}

/** In pieces: one write takes 2 GiB at most. */
function write(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w')
  for (let at = 0; at < bytes.length; at += 2 ** 28) {
    // Bytes that threads share have to be copied to be written.
    writeSync(file, bytes.slice(at, at + 2 ** 28))
  }
  closeSync(file)
}
