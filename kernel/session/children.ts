// SPDX-License-Identifier: GPL-2.0-or-later
// Child processes of cells write to the raw pipes past our messages: here their output gets its
// place among them.
import childProcess from 'node:child_process'
import { syncBuiltinESMExports } from 'node:module'

type Function = (...given: unknown[]) => unknown

/**
 * Calls `barrier` before each start of a child process, and after each that is waited for: text
 * printed before stands before the child's, text printed after stands after it.
 */
export function orderChildren(barrier: () => void): void {
  for (const name of ['spawn', 'spawnSync', 'execSync', 'execFileSync'] as const) {
    const original = childProcess[name] as unknown as Function
    const ordered: Function = (...given) => {
      barrier()
      try {
        return original(...given)
      } finally {
        if (name !== 'spawn') barrier()
      }
    }
    Object.defineProperty(ordered, 'name', { value: name })
    Object.defineProperty(childProcess, name, {
      value: ordered,
      writable: true,
      configurable: true,
    })
  }
  // `import { execSync } from "node:child_process"` sees the new ones too.
  syncBuiltinESMExports()
}
