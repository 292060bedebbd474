// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the command as a user does, in a process of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../../place.ts'

/** The compiled command. */
export const commandFile = join(root, 'dist', 'kernel', 'command', 'main.js')

/** What the command did. */
export interface Done {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** How to run it. */
export interface CommandOptions {
  readonly input?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Gets the process and all that stderr has said so far, whenever it says something. */
  readonly onStderr?: (child: ChildProcess, stderr: string) => void
}

/** Runs `qemu-vtop ARGS` to its end. */
export function command(args: readonly string[], options: CommandOptions = {}): Promise<Done> {
  const child = spawn(process.execPath, [commandFile, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    options.onStderr?.(child, stderr)
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr })
    })
  })
}
