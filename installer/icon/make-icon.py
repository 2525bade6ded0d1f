#!/usr/bin/env python3
"""Makes hammer2.ico from hammer2.svg (needs rsvg-convert). The result is committed; run this after changing the drawing."""
import os
import struct
import subprocess

folder = os.path.dirname(os.path.abspath(__file__))
sizes = [16, 24, 32, 48, 64, 256]
images = [
    subprocess.run(["rsvg-convert", "-w", str(size), "-h", str(size), os.path.join(folder, "hammer2.svg")],
                   check=True, capture_output=True).stdout
    for size in sizes
]
offset = 6 + 16 * len(sizes)
entries = b""
for size, image in zip(sizes, images):
    entries += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(image), offset)
    offset += len(image)
with open(os.path.join(folder, "hammer2.ico"), "wb") as icon:
    icon.write(struct.pack("<HHH", 0, 1, len(sizes)) + entries + b"".join(images))
