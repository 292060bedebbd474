// SPDX-License-Identifier: GPL-2.0-or-later
// A thread that unpacks what will be asked for.

import { parentPort } from 'node:worker_threads'
import { type AheadJob, unpackNext } from './aheadjob.ts'

parentPort?.on('message', (job: AheadJob) => {
  for (let i = 0; i < job.states.length; i++) i = unpackNext(job, i)
})
