// SPDX-License-Identifier: GPL-2.0-or-later
// The index of the way back: from a frame to the virtual pages that page tables have it at.

import { UnsupportedError } from '../errors.ts'
import { NotedFrames, MOST_NOTED } from './notedframes.ts'

/** Pages of 4 KiB in 2 MiB: a piece of virtual memory, and the unit in which large pages are noted. */
const PIECE = 512

/** A virtual page that has a frame. */
export interface MappedPage {
  /** The number of its range, as the caller counts them. */
  readonly range: number
  /** The virtual page number: the address divided by 4096. */
  readonly vpn: number
}

/**
 * Pages of 4 KiB are noted frame by frame, 2 MiB and more as pieces of 2 MiB. A piece has a range and a place; what is
 * noted for a frame is the number of the piece and, for small pages, the page in it.
 */
export class MappedFrames {
  readonly #small = new NotedFrames()
  readonly #large = new NotedFrames()
  /** Two words for each piece: its range, and its virtual page number divided by 512. */
  #pieces = new Uint32Array(2 * 1024)
  #pieceCount = 0
  #range = 0
  /** The place of the piece that small pages are noted in, or -1. */
  #place = -1
  #piece = 0
  /** What `look` found. */
  foundRange = -1
  foundVpn = -1

  /** Notes what follows for another range. */
  beginRange(range: number): void {
    this.#range = range
    this.#place = -1
  }

  /** Notes `count` pages from `vpn` on, with frames that follow each other. Pieces of 2 MiB are noted as one. */
  add(vpn: number, count: number, frame: number, isLarge: boolean): void {
    for (let done = 0; done < count;) {
      const page = vpn + done
      const isWhole = isLarge && page % PIECE === 0 && (frame + done) % PIECE === 0
      if (isWhole && count - done >= PIECE) {
        this.#large.add((frame + done) / PIECE, this.#newPiece(page / PIECE))
        done += PIECE
      } else {
        const place = Math.floor(page / PIECE)
        if (place !== this.#place) {
          this.#piece = this.#newPiece(place)
          this.#place = place
        }
        this.#small.add(frame + done, this.#piece * PIECE + (page % PIECE))
        done++
      }
    }
  }

  /** How many virtual pages have a frame; one of them goes to `foundRange` and `foundVpn`. Makes nothing. */
  look(frame: number): number {
    const small = this.#small.count(frame)
    const large = this.#large.count(Math.floor(frame / PIECE))
    if (small > 0) {
      const noted = this.#small.last(frame)
      this.#found(Math.floor(noted / PIECE), noted % PIECE)
    } else if (large > 0) {
      this.#found(this.#large.last(Math.floor(frame / PIECE)), frame % PIECE)
    }
    return small + large
  }

  /** All virtual pages that have a frame. */
  all(frame: number): MappedPage[] {
    const small = this.#small.all(frame).map((noted) => {
      return this.#pageOf(Math.floor(noted / PIECE), noted % PIECE)
    })
    const large = this.#large.all(Math.floor(frame / PIECE)).map((piece) => {
      return this.#pageOf(piece, frame % PIECE)
    })
    return [...large, ...small]
  }

  /** Every frame that has a virtual page, once for small and once for large pages; `isLarge` frames stand for 512. */
  *frames(): Generator<{ frame: number; isLarge: boolean; count: number }> {
    for (const frame of this.#small.frames()) {
      yield { frame, isLarge: false, count: this.#small.count(frame) }
    }
    for (const number of this.#large.frames()) {
      yield { frame: number * PIECE, isLarge: true, count: this.#large.count(number) }
    }
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#small.bytes + this.#large.bytes + this.#pieces.byteLength
  }

  #found(piece: number, page: number): void {
    this.foundRange = this.#pieces[2 * piece] ?? -1
    this.foundVpn = (this.#pieces[2 * piece + 1] ?? 0) * PIECE + page
  }

  #pageOf(piece: number, page: number): MappedPage {
    const vpn = (this.#pieces[2 * piece + 1] ?? 0) * PIECE + page
    return { range: this.#pieces[2 * piece] ?? -1, vpn }
  }

  #newPiece(place: number): number {
    const piece = this.#pieceCount++
    if (piece * PIECE >= MOST_NOTED - PIECE) {
      throw new UnsupportedError(
        'more than 4 Mi tables of 4 KiB pages (8 TiB) are mapped: the index of the way back holds no more',
        'an index of more than 8 TiB of 4 KiB pages',
      )
    }
    if (2 * piece === this.#pieces.length) {
      const grown = new Uint32Array(2 * this.#pieces.length)
      grown.set(this.#pieces)
      this.#pieces = grown
    }
    this.#pieces[2 * piece] = this.#range
    this.#pieces[2 * piece + 1] = place
    return piece
  }
}
