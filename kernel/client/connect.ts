// SPDX-License-Identifier: GPL-2.0-or-later
// Puts a KernelConnection of @jupyterlab/services on a kernel that runs, with no server between.
import { randomUUID } from 'node:crypto'
import { type Kernel } from '@jupyterlab/services'
import { bridgeTo } from './bridge.ts'
import { KernelError, type RunningKernel } from './launch.ts'
import { kernelName } from './spec.ts'

/** The part of @jupyterlab/services' KernelConnection that a run needs. */
export type Connection = Kernel.IKernelConnection

/** A connection, and the promise that rejects with a KernelError when the kernel cannot answer any more. */
export interface Connected {
  readonly connection: Connection
  readonly lost: Promise<never>
  readonly close: () => void
}

/** Connects to a kernel. The package is loaded here, so that nothing else has to wait for it. */
export async function connect(kernel: RunningKernel): Promise<Connected> {
  const { KernelConnection, ServerConnection } = await import('@jupyterlab/services')
  const quiet = silenceDebug()
  let fail: (error: Error) => void = () => undefined
  const broken = new Promise<never>((_resolve, reject) => {
    fail = reject
  })
  const dead = kernel.ended.then(async (how) => {
    // What it published before it died may still be on its way.
    await new Promise((resolve) => setTimeout(resolve, 200))
    throw new KernelError(`the kernel died: ${how}`)
  })
  const lost = Promise.race([broken, dead, kernel.channels.failed])
  lost.catch(() => undefined)

  const serverSettings = ServerConnection.makeSettings({
    // Nothing is ever fetched: the addresses only have to be well-formed.
    baseUrl: 'http://kernel.invalid/',
    wsUrl: 'ws://kernel.invalid/',
    token: '',
    // The bridge has the members that a KernelConnection uses, not all that a WebSocket has.
    WebSocket: bridgeTo(kernel.channels, fail) as unknown as typeof WebSocket,
    fetch: () => Promise.reject(new KernelError('the kernel has no server to ask')),
  })
  const connection = new KernelConnection({
    model: { id: randomUUID(), name: kernelName },
    serverSettings,
    handleComms: false,
  })
  return {
    connection,
    lost,
    close: () => {
      connection.dispose()
      quiet.restore()
    },
  }
}

/** The package tells each opened socket by console.debug, which Node prints among the results. */
function silenceDebug(): { readonly restore: () => void } {
  const { debug } = console
  console.debug = () => undefined
  return {
    restore: () => {
      console.debug = debug
    },
  }
}
