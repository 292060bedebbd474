# Behind the preparations of another scenario: a first dump, then a few seconds in which the guests go on and the host swaps, brings
# back, moves and loses pages of theirs, then the dump that every scenario ends with. Addresses are those of rich-5.10.
quiesce; sleep 2
record first1; sync
log "FIRST-DUMP-NOW"
while [ ! -e /share/go-on ]; do sleep 1; done
log "after the first dump"
mon A cont >/dev/null; mon B cont >/dev/null
g A w 5050000 5080000 1000     # never touched: they appear
g A w 3000000 3010000 1000     # shared by KSM: each gets a frame of its own
g A w 5000000 5010000 1000     # the page of zeros: the same
g A c 3d00000 3e00000 1000     # swapped: they come back
g A w 5080000 5090000 1000     # never touched, and swapped below: in no frame in either dump
g B w 400000 440000 1000       # swapped: they come back
g B c 1400000 1480000 1000     # shared memory that was swapped: its entries were empty
mon A stop >/dev/null; mon B stop >/dev/null
pageout A 0x5080000 0x10000
pageout A 0x1c00000 0x200000
pageout A 0x200000 0x200000    # a huge page
pageout B 0x1800000 0x100000   # shared memory: its entries are emptied
# Out and in again, into whatever frames.
pageout A 0x2600000 0x100000
mon A cont >/dev/null; g A c 2600000 2700000 1000; mon A stop >/dev/null
# Small pages become a huge one.
labtool advise $(pid A) 25 $(hva A 0x2000000) 0x400000
labtool poison $(pid A) $(hva A 0x2580000)
dump_here
