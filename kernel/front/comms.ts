// SPDX-License-Identifier: GPL-2.0-or-later
// Comms as the front knows them: which targets cells have registered, and which comms are open.
import type { CommMessage } from '../frames.ts'
import type { JsonObject } from '../protocol/messages.ts'

/** The comms of one session; messages themselves go through. */
export class Comms {
  readonly #targets = new Set<string>()
  /** Comm id to target name. */
  readonly #open = new Map<string, string>()

  /** A cell has registered (or given up) a target. */
  setTarget(name: string, known: boolean): void {
    if (known) this.#targets.add(name)
    else this.#targets.delete(name)
  }

  /** Takes note of what passes, from either side; false if there is nobody for it. */
  note(
    { action, comm, target }: Pick<CommMessage, 'action' | 'comm' | 'target'>,
    own: boolean,
  ): boolean {
    if (action === 'open') {
      if (!own && !this.#targets.has(target)) return false
      this.#open.set(comm, target)
      return true
    }
    const known = this.#open.has(comm)
    if (action === 'close') this.#open.delete(comm)
    return known
  }

  /** The content of a comm_info_reply: all open comms, or those of one target. */
  list(target: unknown): JsonObject {
    const open = [...this.#open].filter(([, name]) => typeof target !== 'string' || name === target)
    return Object.fromEntries(open.map(([comm, name]) => [comm, { target_name: name }]))
  }

  /** The session is gone, and all with it. */
  forget(): void {
    this.#targets.clear()
    this.#open.clear()
  }
}
