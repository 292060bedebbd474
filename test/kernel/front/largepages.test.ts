// SPDX-License-Identifier: GPL-2.0-or-later
// What a session's environment says of large pages.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withLargePages } from '../../../kernel/front/largepages.ts'

const rows: readonly (readonly [set: string | undefined, wanted: string])[] = [
  [undefined, 'glibc.malloc.hugetlb=1'],
  ['', 'glibc.malloc.hugetlb=1'],
  ['glibc.malloc.arena_max=2', 'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1'],
  ['glibc.malloc.hugetlb=0', 'glibc.malloc.hugetlb=0'],
]

for (const [set, wanted] of rows) {
  test(`GLIBC_TUNABLES ${set ?? 'not set'} becomes ${wanted}, and the rest stays`, () => {
    const given = { HOME: '/home', ...(set === undefined ? {} : { GLIBC_TUNABLES: set }) }
    assert.deepEqual(withLargePages(given), { HOME: '/home', GLIBC_TUNABLES: wanted })
  })
}
