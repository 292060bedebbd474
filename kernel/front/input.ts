// SPDX-License-Identifier: GPL-2.0-or-later
// Questions of the running cell to the person at the client that sent it, one at a time.
import type { RoutedMessage } from '../protocol/messages.ts'
import type { Channels } from './channels.ts'

/** Asks for a line of text; rejects with a sentence when there will be none. */
export type Ask = (prompt: string, password: boolean) => Promise<string>

interface Question {
  readonly prompt: string
  readonly password: boolean
  readonly answer: (text: string) => void
  readonly giveUp: (reason: Error) => void
}

/** The questions of one cell. */
export class Inputs {
  readonly #channels: Channels
  /** The execute_request: questions go to the client that sent it and to no other. */
  readonly #request: RoutedMessage
  readonly #questions: Question[] = []
  /** The msg_id of the input_request that was sent last. */
  #sent: string | undefined

  constructor(channels: Channels, request: RoutedMessage) {
    this.#channels = channels
    this.#request = request
  }

  readonly ask: Ask = (prompt, password) =>
    new Promise((answer, giveUp) => {
      this.#questions.push({ prompt, password, answer, giveUp })
      if (this.#questions.length === 1) this.#send()
    })

  /** Takes what came on stdin; true if it answers the question in hand. */
  take(reply: RoutedMessage): boolean {
    const [question] = this.#questions
    if (question === undefined || !this.#fits(reply)) return false
    this.#questions.shift()
    const { value } = reply.content
    if (typeof value === 'string') question.answer(value)
    else question.giveUp(new Error('the client answered without a text'))
    this.#send()
    return true
  }

  /** The cell is over: nobody waits for answers any more. */
  end(): void {
    for (const { giveUp } of this.#questions.splice(0)) {
      giveUp(new Error('the cell was over before an answer came'))
    }
  }

  #fits({ identities, header, parent_header: parent }: RoutedMessage): boolean {
    if (header.msg_type !== 'input_reply') return false
    const own = this.#request.identities
    const isSame = (identity: Uint8Array, i: number): boolean => {
      const other = own[i]
      return other !== undefined && Buffer.compare(identity, other) === 0
    }
    if (identities.length !== own.length || !identities.every(isSame)) return false
    // Not every client says which question it answers. One that does may be late.
    return parent['msg_type'] !== 'input_request' || parent['msg_id'] === this.#sent
  }

  #send(): void {
    const [question] = this.#questions
    if (question === undefined) return
    const { prompt, password } = question
    this.#sent = this.#channels.ask(this.#request, { prompt, password })
  }
}
