// SPDX-License-Identifier: GPL-2.0-or-later
// A thread that helps with large runs, and sleeps in between.

import { parentPort } from 'node:worker_threads'
import { type JobOfThread, takeBlocksIn } from './job.ts'

parentPort?.on('message', (message: JobOfThread) => {
  takeBlocksIn(message)
})
