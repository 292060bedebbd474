// SPDX-License-Identifier: GPL-2.0-or-later
// What a codec is: a name, and one block of data to bytes of a known size.

/** A way to compress a page. A new codec is a file that exports this, and one line in the table of `index.ts`. */
export interface Codec {
  readonly name: string
  /**
   * Decodes one block that holds at most `size` bytes, in memory of that order, whatever the block says.
   * May throw any error; `decode` of `index.ts` makes one kind of it and checks the length.
   */
  decode(data: Uint8Array, size: number): Uint8Array
}
