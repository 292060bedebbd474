// SPDX-License-Identifier: GPL-2.0-or-later
// What the compiler process does: requests come on stdin, answers go to fd 3; it ends when stdin does.
import { FrameReader, type FromCompiler, type ToCompiler, writeFrame } from '../frames.ts'
import { complete } from './complete.ts'
import type { Compiler } from './compiler.ts'
import { inspect } from './inspect.ts'
import { isComplete } from './iscomplete.ts'

type Answer = Omit<Extract<FromCompiler, { type: 'answer' }>, 'type' | 'id'>

/** What the front told to guard. */
let guarded = 0

/** The table of requests: what to do, and what to answer where an answer is awaited. */
function handle(compiler: Compiler, request: ToCompiler): Answer | undefined {
  switch (request.type) {
    case 'names':
      compiler.setApi(request.names)
      return undefined
    case 'declare':
      compiler.declare(request)
      return undefined
    case 'commit':
      compiler.commit(request.cell, request.reached)
      return undefined
    case 'forget':
      compiler.forget()
      return undefined
    case 'guard':
      guarded = request.pid
      return undefined
    case 'compile':
      return { compiled: compiler.compile(request.cell, request.code) }
    case 'complete':
      return { completion: complete(compiler, request.code, request.cursor) }
    case 'inspect':
      return { inspection: inspect(compiler, request.code, request.cursor, request.detail) }
    case 'is_complete':
      return { completeness: isComplete(request.code) }
  }
}

/** Takes requests from now on. */
export function serve(compiler: Compiler): void {
  const reader = new FrameReader<ToCompiler>((request) => {
    let answer: Answer | undefined
    try {
      answer = handle(compiler, request)
    } catch (error) {
      // A fault of the compiler must not take the types of all cells with it.
      answer = { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    }
    if ('id' in request) writeFrame(3, { type: 'answer', id: request.id, ...answer })
    else if (answer?.failure !== undefined) process.stderr.write(`compiler: ${answer.failure}\n`)
  })

  // An interrupt from a terminal is for the session.
  process.on('SIGINT', () => undefined)
  process.stdin.on('data', (chunk: Buffer) => {
    reader.push(chunk)
  })
  process.stdin.on('end', () => {
    if (guarded > 0) kill(guarded)
    process.exit(0)
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}
