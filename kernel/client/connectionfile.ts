// SPDX-License-Identifier: GPL-2.0-or-later
// Makes the connection file of a kernel that we start: addresses and a key that nobody else can know.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { capability } from 'zeromq'
import { type ConnectionFile } from '../protocol/connection.ts'

/** A connection file on the disk, in a folder that only this user can enter. */
export interface WrittenConnection {
  readonly connection: ConnectionFile
  readonly path: string
  /** Removes the folder with everything in it; does nothing the second time. */
  readonly remove: () => void
}

/** `sun_path` of a Unix socket holds 108 bytes on Linux and 104 on macOS, with the ending zero. */
const longestSocketPath = 100

/**
 * Writes a connection file with mode 0600 into a new temporary folder with mode 0700. Where zeromq
 * can do it the sockets are files in that folder: their names are free, and no other user of the
 * machine can connect. Otherwise they are ports of 127.0.0.1, which were free a moment ago.
 */
export async function writeConnection(
  transport: 'ipc' | 'tcp' = capability.ipc === true ? 'ipc' : 'tcp',
): Promise<WrittenConnection> {
  const folder = mkdtempSync(join(tmpdir(), 'qemu-vtop-'))
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const socket = join(folder, 'socket')
    const useIpc = transport === 'ipc' && Buffer.byteLength(`${socket}-5`) < longestSocketPath
    const ports = useIpc ? [1, 2, 3, 4, 5] : await freePorts(5)
    const [shell, control, iopub, stdin, hb] = ports
    const connection: ConnectionFile = {
      transport: useIpc ? 'ipc' : 'tcp',
      ip: useIpc ? socket : '127.0.0.1',
      shell_port: shell ?? 0,
      control_port: control ?? 0,
      iopub_port: iopub ?? 0,
      stdin_port: stdin ?? 0,
      hb_port: hb ?? 0,
      key: randomBytes(32).toString('hex'),
      signature_scheme: 'hmac-sha256',
    }
    const path = join(folder, 'connection.json')
    writeFileSync(path, JSON.stringify(connection, null, 2), { mode: 0o600 })
    return { connection, path, remove }
  } catch (error) {
    remove()
    throw error
  }
}

/** Ports of 127.0.0.1 that nobody listens on; all are held until the last is known, so they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  try {
    const ports: number[] = []
    for (let i = 0; i < count; i++) {
      const server = createServer()
      servers.push(server)
      ports.push(await listen(server))
    }
    return ports
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port: 0, host: '127.0.0.1' }, () => {
      const address = server.address()
      if (typeof address === 'object' && address !== null) resolve(address.port)
      else reject(new Error('a listening socket has no port'))
    })
  })
}
