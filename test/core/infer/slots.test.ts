// SPDX-License-Identifier: GPL-2.0-or-later
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ground } from '../../../core/infer/ground.ts'
import { Mapped, slotForms } from '../../../core/infer/slots.ts'
import { guestHva, smallHost, withDump } from '../../build/smallhost.ts'

describe('the numbers of memslots', () => {
  it('are found where the page before a slot is not in the dump', () => {
    // As on a host with Debian's 6.1 for real time: the slot lies at the start of a page, its node near that.
    const built = smallHost()
    const { kernel } = built
    const [before, page] = [kernel.newPage(), kernel.newPage()]
    const words = [0x100n, 0x20n, guestHva]
    words.forEach((word, i) => kernel.memory.u64(page + 0x50 + 8 * i, word))
    built.without(before)
    withDump(built, (dump) => {
      const address = 0n
      const mapped = new Mapped([{ address, start: guestHva, end: guestHva + 0x20000n }])
      const range = { from: -0x100, end: 0x100 }
      const forms = slotForms(new Ground(dump.host), [kernel.direct(page + 0x40)], mapped, range)
      assert.ok(forms.some(({ gfn, pages, hva }) => gfn === 16 && pages === 24 && hva === 32))
    })
  })
})
