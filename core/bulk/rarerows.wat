;; SPDX-License-Identifier: GPL-2.0-or-later
;; Rows of bulk translation that are told one by one: those in no slot, or in a region of several slots.
;; The other half of kernels.wat, which says what the names mean.

;; A row without slot, host virtual and host physical address. Gives bit N for state N above 9.
(func $nothing (param $at i32) (param $slot i32) (param $state i32) (param $code i32) (result i32)
  (i64.store offset=131072 (local.get $at) (i64.const -1))
  (i64.store offset=262144 (local.get $at) (i64.const -1))
  (i32.store8 (local.get $state) (local.get $code))
  (i32.store8 offset=16448 (local.get $state) (i32.const 0))
  (i32.store16 (local.get $slot) (i32.const -1))
  (i32.shl (i32.gt_u (local.get $code) (i32.const 9)) (local.get $code)))

;; The two words of the region of an address, with the highest bit set when it is of no or several slots.
(func $region (param $g i64) (result i64)
  (if (i64.ge_u (i64.shr_u (local.get $g) (i64.const 30)) (global.get $gibs))
    (then (return (i64.const 0x8000000000000000))))
  (i64.load
    (i32.add
      (i32.shl
        (i32.load
          (i32.add
            (global.get $directory)
            (i32.shl (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 30))) (i32.const 2))))
        (i32.const 2))
      (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 18))) (i32.const 0xff8)))))

;; A row in no slot, or of a wide leaf. Gives as $nothing.
(func $other (param $at i32) (param $slot i32) (param $state i32) (result i32)
  (local $g i64) (local $region i64) (local $kind i32) (local $key i32) (local $index i32) (local $code i32)
  (local $more i32)
  (local.set $g (i64.load (local.get $at)))
  (if (i64.ge_u (i64.shr_u (local.get $g) (i64.const 30)) (global.get $gibs))
    (then
      (return
        (call $nothing (local.get $at) (local.get $slot) (local.get $state)
          (select (i32.const 9) (global.get $outside) (i64.ge_u (local.get $g) (i64.const 0x10000000000000)))))))
  (local.set $region (call $region (local.get $g)))
  (local.set $kind (i32.wrap_i64 (i64.shr_u (local.get $region) (i64.const 32))))
  (if (i32.eqz (i32.and (local.get $kind) (i32.const 1)))
    (then
      (return
        (call $nothing (local.get $at) (local.get $slot) (local.get $state)
          (i32.and (i32.shr_u (local.get $kind) (i32.const 2)) (i32.const 15))))))
  (local.set $key
    (i32.shl
      (i32.add
        (i32.wrap_i64 (local.get $region))
        (i32.and (i32.wrap_i64 (i64.shr_u (local.get $g) (i64.const 12))) (i32.const 511)))
      (i32.const 2)))
  (local.set $more (i32.load offset=2048 (local.get $key)))
  (local.set $code (i32.and (i32.shr_u (local.get $more) (i32.const 20)) (i32.const 15)))
  (local.set $index (i32.and (local.get $more) (i32.const 0xffff)))
  (if (i32.eq (local.get $index) (i32.const 0xffff))
    (then
      (return (call $nothing (local.get $at) (local.get $slot) (local.get $state) (local.get $code)))))
  (local.set $index (i32.add (global.get $slots) (i32.shl (local.get $index) (i32.const 4))))
  (i64.store offset=131072 (local.get $at) (i64.add (local.get $g) (i64.load (local.get $index))))
  (i64.store offset=262144 (local.get $at)
    (select
      (i64.or
        (i64.or
          (i64.shl (i64.load32_u (local.get $key)) (i64.const 12))
          (i64.shl
            (i64.extend_i32_u (i32.shr_u (local.get $more) (i32.const 24)))
            (i64.const 44)))
        (i64.and (local.get $g) (i64.const 0xfff)))
      (i64.const -1)
      (i32.and (local.get $more) (i32.const 0x40000))))
  (i32.store8 (local.get $state) (local.get $code))
  (i32.store8 offset=16448 (local.get $state)
    (select
      (i32.const 0)
      (i32.add
        (i32.const 12)
        (i32.mul (i32.const 9) (i32.and (i32.shr_u (local.get $more) (i32.const 16)) (i32.const 3))))
      (local.get $code)))
  (i32.store16 (local.get $slot) (i32.load16_u offset=8 (local.get $index)))
  (i32.shl (i32.gt_u (local.get $code) (i32.const 9)) (local.get $code)))

;; The rare ones of eight rows, by the regions of two rows each. Rows behind the end are of nobody.
(func $others (param $a v128) (param $b v128) (param $c v128) (param $d v128)
  (param $at i32) (param $end i32) (param $slot i32) (param $state i32) (result i32)
  (local $mask i32) (local $i i32) (local $left i32) (local $seen i32)
  (local.set $mask
    (i32.or
      (i32.or (i64x2.bitmask (local.get $a)) (i32.shl (i64x2.bitmask (local.get $b)) (i32.const 2)))
      (i32.or
        (i32.shl (i64x2.bitmask (local.get $c)) (i32.const 4))
        (i32.shl (i64x2.bitmask (local.get $d)) (i32.const 6)))))
  (local.set $left (i32.shr_u (i32.sub (local.get $end) (local.get $at)) (i32.const 3)))
  (loop $row
    (local.set $i (i32.ctz (local.get $mask)))
    (if (i32.ge_u (local.get $i) (local.get $left)) (then (return (local.get $seen))))
    (local.set $mask (i32.and (local.get $mask) (i32.sub (local.get $mask) (i32.const 1))))
    (local.set $seen
      (i32.or
        (local.get $seen)
        (call $other
          (i32.add (local.get $at) (i32.shl (local.get $i) (i32.const 3)))
          (i32.add (local.get $slot) (i32.shl (local.get $i) (i32.const 1)))
          (i32.add (local.get $state) (local.get $i)))))
    (br_if $row (local.get $mask)))
  (local.get $seen))
