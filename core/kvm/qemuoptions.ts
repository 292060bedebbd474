// SPDX-License-Identifier: GPL-2.0-or-later
// What QEMU's command line says of its guest.

/** The guest's name (`-name guest=web01,…` or `-name web01`), or null. */
export function guestName(words: readonly string[] | null): string | null {
  const parts = optionOf(words, '-name')?.split(',')
  const named = parts?.find((part) => part.startsWith('guest='))
  return named?.slice('guest='.length) ?? parts?.[0] ?? null
}

/** The guest's UUID (`-uuid`), or null. */
export function guestUuid(words: readonly string[] | null): string | null {
  return optionOf(words, '-uuid')
}

/** The value behind an option, which may have one dash or two. */
function optionOf(words: readonly string[] | null, option: string): string | null {
  const at = words?.findIndex((word) => word === option || word === `-${option}`) ?? -1
  return at < 0 ? null : (words?.[at + 1] ?? null)
}
