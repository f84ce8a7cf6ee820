"""Files that look like MicroPython for a chip, and places that look like a board's."""

import random
import struct

ESP_CHIPS = {"esp32": 0, "esp32s3": 9, "esp32c3": 5}
FAMILIES = {"rp2040": 0xE48BFF56, "rp2350": 0xE48BFF59}
BOARD_IDS = {"rp2040": "RPI-RP2", "rp2350": "RP2350"}


def esp(chip, octets=40_000):
    """An image with a valid header, and noise behind it."""
    header = struct.pack("<BBBBI", 0xE9, 3, 2, 0x20, 0x40080000) + bytes(4)
    header += struct.pack("<H", ESP_CHIPS[chip])
    return header + random.Random(chip).randbytes(octets - len(header))


def uf2(chip, blocks=40):
    """A UF2 file for a chip."""
    noise = random.Random(chip)
    return b"".join(
        struct.pack(
            "<8I", 0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * n, 256, n, blocks, FAMILIES[chip]
        )
        + noise.randbytes(256)
        + bytes(220)
        + struct.pack("<I", 0x0AB16F30)
        for n in range(blocks)
    )


def boot_drive(folder, chip):
    """A folder like the drive that a chip's boot loader is."""
    folder.mkdir()
    (folder / "INFO_UF2.TXT").write_text(
        f"UF2 Bootloader v3.0\nModel: Raspberry Pi {chip}\nBoard-ID: {BOARD_IDS[chip]}\n"
    )
    return folder
