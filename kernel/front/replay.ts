// SPDX-License-Identifier: GPL-2.0-or-later
// What a new compiler process must be told to know what the old one knew, and no more than that.
import type { CompileResult, ToCompiler } from '../frames.ts'

type Statement = Exclude<ToCompiler, { id: number }>
type Commit = Extract<Statement, { type: 'commit' }>

/** A compilation without its number. */
export type Compile = Omit<Extract<ToCompiler, { type: 'compile' }>, 'id'>

/** What must be said again, in this order. */
export type Replayed = Statement | Compile

interface Cell {
  readonly compile: Compile
  readonly commit: Commit
  /** The cells whose names it mentions: without them it would not compile again. */
  readonly needs: readonly string[]
}

/** So many cells are taken before it is looked which are still wanted. */
const sweepEvery = 100

/**
 * The statements so far, without cells of which nothing lives any more. A cell lives while a name
 * that it declared is not declared again by a later one, or while a living cell needs it.
 */
export class Replay {
  #names: Statement | undefined
  readonly #declared = new Map<string, Statement>()
  readonly #cells = new Map<string, Cell>()
  /** By name the cells that may have declared it last: one that failed may have come that far. */
  readonly #holders = new Map<string, Set<string>>()
  #compiled:
    | {
        readonly compile: Compile
        readonly declares: readonly string[]
        readonly needs: readonly string[]
      }
    | undefined
  #sweepAt = sweepEvery

  /** Takes a cell that has been compiled; it counts when it is committed. */
  compiled(compile: Compile, result: CompileResult | undefined): void {
    this.#compiled =
      result === undefined || 'error' in result ? undefined : { compile, ...result.links }
  }

  /** Takes a statement as the compiler gets it. */
  tell(statement: Statement): void {
    switch (statement.type) {
      case 'names':
        this.#names = statement
        break
      case 'declare':
        // The text for a name is given anew when there is more to say.
        this.#declared.delete(statement.name)
        this.#declared.set(statement.name, statement)
        break
      case 'forget':
        this.#cells.clear()
        this.#holders.clear()
        // What dumps hold is forgotten too, but not the texts that describe them.
        for (const [name, told] of this.#declared) {
          if (told.type === 'declare' && told.known !== undefined) this.#declared.delete(name)
        }
        this.#compiled = undefined
        this.#sweepAt = sweepEvery
        break
      case 'commit':
        this.#commit(statement)
        break
      case 'guard':
        // Told anew by whoever started that process.
        break
    }
  }

  /** All that is to be said to a new compiler. */
  *all(): Generator<Replayed> {
    if (this.#names !== undefined) yield this.#names
    yield* this.#declared.values()
    for (const { compile, commit } of this.#cells.values()) {
      yield compile
      yield commit
    }
  }

  #commit(commit: Commit): void {
    const compiled = this.#compiled
    this.#compiled = undefined
    // Most cells only show something; they leave no name behind.
    if (compiled?.compile.cell !== commit.cell || compiled.declares.length === 0) return
    const { compile, declares, needs } = compiled
    this.#cells.set(commit.cell, { compile, commit, needs })
    for (const name of declares) {
      const holders = commit.reached === undefined ? undefined : this.#holders.get(name)
      this.#holders.set(name, new Set([...(holders ?? []), commit.cell]))
    }
    if (this.#cells.size > this.#sweepAt) this.#sweep()
  }

  #sweep(): void {
    const wanted = new Set<string>()
    const waiting = [...this.#holders.values()].flatMap((cells) => [...cells])
    for (let cell = waiting.pop(); cell !== undefined; cell = waiting.pop()) {
      if (wanted.has(cell)) continue
      wanted.add(cell)
      waiting.push(...(this.#cells.get(cell)?.needs ?? []))
    }
    for (const cell of this.#cells.keys()) if (!wanted.has(cell)) this.#cells.delete(cell)
    this.#sweepAt = this.#cells.size + sweepEvery
  }
}
