// SPDX-License-Identifier: GPL-2.0-or-later
// Waits until a kernel that was just started answers, and until its outputs reach us.
import { type KernelChannels } from './channels.ts'

/**
 * Asks for kernel_info until the reply has come and something has come on iopub. The reply alone is
 * not enough: a subscription takes its own time, and what is published before it is lost. Rejects
 * after `patience` milliseconds.
 */
export function waitUntilReady(channels: KernelChannels, patience: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let replied = false
    let heard = false
    let asking: NodeJS.Timeout | undefined
    const ask = (): void => {
      channels.request('shell', 'kernel_info_request', {})
      // The first request waits in the socket until the kernel listens, so a second is seldom
      // needed. With the reply here and iopub still silent, it makes the kernel publish again.
      asking = setTimeout(ask, replied ? 100 : 2_000)
    }
    const finish = (): void => {
      clearTimeout(asking)
      clearTimeout(tooLate)
      channels.receive(() => undefined)
    }
    const tooLate = setTimeout(() => {
      finish()
      const missing = replied ? 'publishes nothing on iopub' : 'does not answer kernel_info_request'
      reject(new Error(`it ${missing} within ${patience / 1000} s`))
    }, patience)
    channels.receive((channel) => {
      if (channel === 'iopub') heard = true
      if (channel === 'shell' && !replied) {
        replied = true
        clearTimeout(asking)
        asking = setTimeout(ask, 100)
      }
      if (replied && heard) {
        finish()
        resolve()
      }
    })
    ask()
  })
}
