// SPDX-License-Identifier: GPL-2.0-or-later
// A dump of a host of the lab before the one that the lab itself makes: by QEMU's monitor, when the host's scenario asks.

import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

/** What the scenario says on the host's console: test/lab/scenarios/two-dumps.sh. */
const ASKED = 'FIRST-DUMP-NOW'

/**
 * Waits until the host asks, has its memory written to `first.elf` in `work`, and lets it go on. Ends without a dump
 * when `signal` says that the host has ended.
 */
export async function writeFirstDump(work: string, signal: AbortSignal): Promise<void> {
  const console = join(work, 'serial.log')
  while (!existsSync(console) || !readFileSync(console, 'latin1').includes(ASKED)) {
    if (signal.aborted) return
    await pause(500)
  }
  // The lab connects only when it dumps, and QEMU listens again after one client has left.
  const socket = createConnection(join(work, 'qmp'))
  socket.on('error', () => socket.destroy())
  const lines = createInterface({ input: socket, signal })[Symbol.asyncIterator]()
  /** One command of QEMU's machine protocol, until its answer: a line of JSON, with a greeting or events before it. */
  const command = async (execute: string, given: object = {}): Promise<void> => {
    socket.write(`${JSON.stringify({ execute, arguments: given })}\n`)
    for (;;) {
      const line = await lines.next()
      if (line.done === true) throw new Error(`${execute}: QEMU hung up`)
      const answer = JSON.parse(line.value) as { return?: object; error?: { desc: string } }
      if (answer.error !== undefined) throw new Error(`${execute}: ${answer.error.desc}`)
      if (answer.return !== undefined) return
    }
  }
  try {
    await once(socket, 'connect', { signal })
    await command('qmp_capabilities')
    await command('stop')
    const protocol = `file:${join(work, 'first.elf')}`
    await command('dump-guest-memory', { paging: false, protocol })
    await command('cont')
  } finally {
    socket.destroy()
  }
  writeFileSync(join(work, 'share', 'go-on'), '')
}
