#!/usr/bin/env node
// SPDX-License-Identifier: GPL-2.0-or-later
// The front process: node main.js CONNECTION_FILE [MODULE-OF-CORE]. It speaks the protocol and never runs user code.
import { randomUUID } from 'node:crypto'
import { readConnectionFile } from '../protocol/connection.ts'
import { Channels, log } from './channels.ts'
import { Kernel } from './kernel.ts'
import { Notebook } from './notebook.ts'

/** How often the parent is looked for. */
const parentMs = 1000

async function main(connectionFile: string, core?: string): Promise<void> {
  const channels = new Channels(readConnectionFile(connectionFile), randomUUID())
  const notebook = new Notebook(core)
  let ending = false
  const end = async (): Promise<void> => {
    if (ending) return
    ending = true
    await notebook.end()
    await channels.close()
    process.exit(0)
  }
  const endNow = (): void => {
    void end()
  }
  const kernel = new Kernel(channels, notebook, endNow)

  // Ctrl+C in the terminal of the server goes to everyone; interrupts come as messages.
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', endNow)
  process.on('SIGHUP', endNow)
  const parent = process.ppid
  setInterval(() => {
    if (process.ppid !== parent) endNow()
  }, parentMs)

  await channels.open((channel, request) => {
    kernel.take(channel, request)
  })
  channels.publish('status', { execution_state: 'starting' }, {})
}

const [, , connectionFile, core] = process.argv
if (connectionFile === undefined) {
  log('which connection file? Usage: node main.js CONNECTION_FILE')
  process.exitCode = 2
} else {
  main(connectionFile, core).catch((error: unknown) => {
    log(error instanceof Error ? error.message : String(error))
    process.exit(1)
  })
}
