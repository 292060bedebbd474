// SPDX-License-Identifier: GPL-2.0-or-later
// What the startup snapshot holds: a compiler that has compiled, and how the process goes on from there.
import { startupSnapshot } from 'node:v8'
import { writeFrame } from '../../frames.ts'
import { Compiler } from '../compiler.ts'
import { serve } from '../serve.ts'

const warm = new Compiler(process.cwd())
const steps = warm.service.parseLibraries()
while (steps.next().done !== true) {
  // The kernel that wants the snapshot has gone, and perhaps the compiler too that would have ended this process.
  if (process.ppid !== Number(process.argv[2])) throw new Error('nobody waits for the snapshot')
}
warm.compile('warm-up', 'process.pid')

startupSnapshot.setDeserializeMainFunction(() => {
  // In the notebook's folder. The parsed files are kept by the modules, not by `warm`.
  serve(new Compiler(process.cwd()))
  writeFrame(3, { type: 'ready' })
})
