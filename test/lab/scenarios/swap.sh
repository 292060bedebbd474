# Guest A: 64 MiB anonymous memory; what zram stores in special ways: pages of one word, pages that do not compress, pages written
# back to a device; and pages of zeros on a swap partition.
dd if=/dev/urandom of=/run/random bs=4096 count=256 2>/dev/null
tr '\0' 'Z' < /dev/zero | dd of=/run/same bs=4096 count=64 iflag=fullblock 2>/dev/null
cp /run/random /share/random
modprobe zram num_devices=1
echo /dev/vda1 > /sys/block/zram0/backing_dev && log "backing device set"
echo 64M > /sys/block/zram0/disksize; mkswap /dev/zram0 >/dev/null
modprobe ext4; mount -t ext4 /dev/vdb /mnt; dd if=/dev/zero of=/mnt/swapfile bs=1M count=32 2>/dev/null; chmod 600 /mnt/swapfile; mkswap /mnt/swapfile >/dev/null
echo never > /sys/kernel/mm/transparent_hugepage/enabled
start_vm A 4146 -machine pc -m 64M -cpu qemu64 -uuid 5f0c8a10-0000-4000-8000-00000000610a \
  -device loader,file=/run/random,addr=0x2000000,force-raw=on -device loader,file=/run/same,addr=0x2200000,force-raw=on
g A w 400000 1000000 1000
g A z 2400000 2480000 1000
mon A stop >/dev/null
labtool swapon /dev/zram0 1
pageout A 0x2000000 0x80000
echo all > /sys/block/zram0/idle; echo idle > /sys/block/zram0/writeback; log "written back: $(cat /sys/block/zram0/bd_stat)"
pageout A 0x2080000 0x80000; pageout A 0x2200000 0x40000; pageout A 0x400000 0x200000
log "zram: $(cat /sys/block/zram0/mm_stat)"
labtool swapon /mnt/swapfile 2
pageout A 0x2400000 0x80000; pageout A 0x600000 0x100000
dump_here
