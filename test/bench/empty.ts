// SPDX-License-Identifier: GPL-2.0-or-later
// What a process of Node takes that does nothing: the floor under every figure.
process.stdout.write('nothing\n')
