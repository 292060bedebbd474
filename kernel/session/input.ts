// SPDX-License-Identifier: GPL-2.0-or-later
// Questions of cells to the person at the notebook: answered to a promise, or waited for on the spot.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { FromSession, ToSession } from '../frames.ts'

/** What the front answers. */
export type Answer = Extract<ToSession, { type: 'answer' }>

/** There is nobody to ask, or no answer will come. */
export class InputError extends Error {
  override name = 'InputError'
}

/** The questions that wait. */
export class Questions {
  readonly #send: (message: FromSession) => void
  /** Answers come here from the watcher thread, which then counts `count` up. */
  readonly #answers: MessagePort
  readonly #count: Int32Array
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  #lastId = 0

  constructor(send: (message: FromSession) => void, answers: MessagePort, count: Int32Array) {
    this.#send = send
    this.#answers = answers
    this.#count = count
    answers.on('message', (answer: Answer) => {
      this.#take(answer)
    })
  }

  /** Asks on behalf of `cell`; the promise rejects with an InputError. */
  ask(cell: string, prompt: string, password: boolean): Promise<string> {
    // Made here and not at the answer: its stack is that of the caller.
    const error = new InputError()
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#waiting.set(id, ({ value, failure = '' }) => {
        error.message = failure
        if (value === undefined) reject(error)
        else resolve(value)
      })
      this.#send({ type: 'ask', cell, id, prompt, password })
    })
  }

  /**
   * Asks and blocks this thread until the answer is there. An interrupt ends the wait: the watcher
   * terminates what this thread runs.
   */
  askNow(cell: string, prompt: string, password: boolean): string {
    let given: Answer | undefined
    const id = ++this.#lastId
    this.#waiting.set(id, (answer) => {
      given = answer
    })
    this.#send({ type: 'ask', cell, id, prompt, password })
    while (given === undefined) {
      const seen = Atomics.load(this.#count, 0)
      const received = receiveMessageOnPort(this.#answers) as { message: Answer } | undefined
      if (received === undefined) Atomics.wait(this.#count, 0, seen)
      else this.#take(received.message)
    }
    if (given.value === undefined) throw new InputError(given.failure)
    return given.value
  }

  #take(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    waiting?.(answer)
  }
}
