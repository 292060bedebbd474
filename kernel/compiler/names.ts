// SPDX-License-Identifier: GPL-2.0-or-later
// The names that live on from cell to cell, and the text that brings them into the next one.
import type { ApiName } from '../frames.ts'
import type { CellText, NameKind } from './celltext.ts'

/** Where a live name comes from. */
export interface LiveName {
  /** A module specifier: `./cell-7` for a cell, an absolute path for the API. */
  readonly module: string
  readonly kind: NameKind
}

/** The live names: those of cells that have run, and beneath them those of the API. */
export class LiveNames {
  readonly #api = new Map<string, LiveName>()
  readonly #cells = new Map<string, LiveName>()

  /** The names that every cell has without an import. */
  setApi(names: readonly ApiName[]): void {
    this.#api.clear()
    for (const { name, module } of names) this.#api.set(name, { module, kind: 'import' })
  }

  /** Points the names of a cell at it. A name declared twice belongs to the later cell. */
  add(cell: string, names: Iterable<readonly [string, NameKind]>): void {
    for (const [name, kind] of names) this.#cells.set(name, { module: `./${cell}`, kind })
  }

  /** Forgets the names of cells, not those of the API. */
  forget(): void {
    this.#cells.clear()
  }

  get(name: string): LiveName | undefined {
    return this.#cells.get(name) ?? this.#api.get(name)
  }

  /** The modules of cells that live names come from; one may come more than once. */
  *modules(): Generator<string> {
    for (const { module } of this.#cells.values()) yield module
  }

  /** The cells whose names a text mentions. */
  cellsOf({ mentioned, declared }: CellText): string[] {
    const modules = [...mentioned].flatMap((name) =>
      declared.has(name) ? [] : (this.#cells.get(name)?.module ?? []),
    )
    return [...new Set(modules)].map((module) => module.slice(2))
  }

  /** Every live name with where it comes from, each once. */
  *all(): Generator<readonly [string, LiveName]> {
    yield* this.#cells
    for (const [name, origin] of this.#api) {
      if (!this.#cells.has(name)) yield [name, origin]
    }
  }
}

/**
 * The lines that stand after a cell's text and make it a module that sees older cells.
 *
 * After, never before: imports and ambient declarations hold for the whole file wherever they
 * stand, so every line and column of the cell stays its own. A name is brought in when it is
 * mentioned at all; that a property of that name was meant does no harm.
 */
export function suffixOf(text: CellText, live: LiveNames): string {
  const lines = ['', 'export {};']
  for (const name of text.mentioned) {
    const origin = text.declared.has(name) ? undefined : live.get(name)
    if (origin === undefined) continue
    const module = JSON.stringify(origin.module)
    lines.push(
      // An import could not be assigned to.
      origin.kind === 'let'
        ? `declare let ${name}: typeof import(${module}).${name};`
        : `import { ${name} } from ${module};`,
    )
  }
  const exports = [...text.declared.keys()].filter((name) => !text.exported.has(name))
  if (exports.length > 0) lines.push(`export { ${exports.join(', ')} };`)
  return lines.join('\n')
}
