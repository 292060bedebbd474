// SPDX-License-Identifier: GPL-2.0-or-later
// Which live functions look into which names when they are called, and what they take them for.
import type { BoxUse } from './boxes.ts'
import type { CellText, NameKind } from './celltext.ts'
import type { Expectation, Misfit } from './misfits.ts'
import type { LiveNames } from './names.ts'

/** A live name whose functions use others, with the module that each of those came from then. */
interface User {
  readonly cell: string
  readonly modules: ReadonlyMap<string, string>
  /** The names that it has been warned of, until they fit again. */
  readonly warned: Set<string>
}

/** The functions of older cells: a name declared again is the same box, and they see the new value. */
export class Users {
  readonly #users = new Map<string, User>()
  readonly #live: LiveNames

  constructor(live: LiveNames) {
    this.#live = live
  }

  /** Notes a cell that has run; to be called before its names live. */
  add(cell: string, names: readonly (readonly [string, NameKind])[], use: BoxUse): void {
    const own = new Set(names.map(([name]) => name))
    for (const name of own) {
      this.#users.delete(name)
      const modules = new Map<string, string>()
      for (const used of use.later.get(name) ?? []) {
        const module = own.has(used) ? `./${cell}` : this.#live.get(used)?.module
        if (module !== undefined && used !== name) modules.set(used, module)
      }
      if (modules.size > 0) this.#users.set(name, { cell, modules, warned: new Set() })
    }
  }

  forget(): void {
    this.#users.clear()
  }

  /** The modules whose types are still wanted, whether or not a name of theirs lives. */
  *modules(): Generator<string> {
    for (const { modules } of this.#users.values()) yield* modules.values()
  }

  /** What live functions take the names for that a cell declares. */
  expectations({ declared }: CellText): Expectation[] {
    const found = new Map<string, Expectation>()
    for (const [name, kind] of declared) {
      if (kind === 'type') continue
      for (const [, user] of this.#usersOf(name, declared)) {
        const module = user.modules.get(name) ?? ''
        found.set(`${name} ${module}`, { name, module })
      }
    }
    return [...found.values()]
  }

  /** The warning for each name that does not fit, once for each function that uses it. */
  warnings(
    { declared }: CellText,
    expectations: readonly Expectation[],
    misfits: readonly Misfit[],
  ): string {
    const lines: string[] = []
    for (const { name, module } of expectations) {
      const misfit = misfits.find((one) => one.name === name && one.module === module)
      const functions: string[] = []
      for (const [user, { cell, modules, warned }] of this.#usersOf(name, declared)) {
        if (modules.get(name) !== module) continue
        if (misfit === undefined) warned.delete(name)
        else if (!warned.has(name)) {
          warned.add(name)
          functions.push(`${user} (${cell})`)
        }
      }
      if (misfit === undefined || functions.length === 0) continue
      const same = misfit.is === misfit.was
      lines.push(
        `Warning: '${name}' is now ${same ? `another ${misfit.is}` : misfit.is}; ` +
          `${listed(functions)} still ${functions.length > 1 ? 'take' : 'takes'} it for ` +
          `${same ? 'the old one' : misfit.was}.\n`,
      )
    }
    return lines.join('')
  }

  /** The functions that look into `name` and are not themselves declared again. */
  *#usersOf(name: string, declared: ReadonlyMap<string, unknown>): Generator<[string, User]> {
    for (const [user, use] of this.#users) {
      if (use.modules.has(name) && !declared.has(user)) yield [user, use]
    }
  }
}

/** Names in a row, the first few. */
function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ')
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown
}
