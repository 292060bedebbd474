// SPDX-License-Identifier: GPL-2.0-or-later
// The WebAssembly that ships is the one whose source is beside it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kernelBytes } from '../../../core/bulk/wasmbytes.ts'
import { assembled } from './assemble.ts'

test('the bytes that ship are those of kernels.wat and rarerows.wat', async () => {
  assert.deepEqual(Buffer.from(kernelBytes, 'base64'), Buffer.from(await assembled()))
})
