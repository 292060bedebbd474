// SPDX-License-Identifier: GPL-2.0-or-later
// The compiler process as it starts without a snapshot.
import { setImmediate } from 'node:timers/promises'
import { writeFrame } from '../frames.ts'
import { Compiler } from './compiler.ts'
import { serve } from './serve.ts'

const compiler = new Compiler(process.cwd())
serve(compiler)

// Before a cell waits for it. Questions that need no types are answered between the steps.
const steps = compiler.service.parseLibraries()
while (steps.next().done !== true) await setImmediate()
compiler.compile('warm-up', 'process.pid')
writeFrame(3, { type: 'ready' })
