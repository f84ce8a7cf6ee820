"""Programs of a few instructions for an RP2040, and a boot ROM with nothing in it but the table of its functions."""

import struct

FLASH = 0x10000000
UART0 = 0x40034000
_TABLE = 0x100
ERASE, PROGRAM = 0x200, 0x204
_RP2040 = 0xE48BFF56


def bootrom():
    """The ROM: its mark, and where the functions that write to flash are."""
    rom = bytearray(16 << 10)
    struct.pack_into("<II", rom, 0, 0x20042000, FLASH | 1)
    rom[0x10:0x14] = b"Mu\x01\x02"
    struct.pack_into("<H", rom, 0x14, _TABLE)
    # (code, address) each; the lowest bit says that it is Thumb.
    struct.pack_into("<2sH2sHH", rom, _TABLE, b"RE", ERASE | 1, b"RP", PROGRAM | 1, 0)
    return bytes(rom)


def uf2_of(program):
    """A UF2 file with a program at the beginning of flash."""
    blocks = [program[at : at + 256].ljust(256, b"\0") for at in range(0, len(program), 256)]
    return b"".join(
        struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, FLASH + 256 * n, 256, n, len(blocks), _RP2040)
        + block
        + bytes(220)
        + struct.pack("<I", 0x0AB16F30)
        for n, block in enumerate(blocks)
    )


def echo():
    """Each octet that comes to UART0 goes back."""
    return struct.pack(
        "<8HI",
        0x4803,  # ldr r0, =UART0
        0x6981,  # again: ldr r1, [r0, #0x18]   UARTFR
        0x2210,  # movs r2, #0x10               RXFE
        0x4211,  # tst r1, r2
        0xD1FB,  # bne again
        0x6803,  # ldr r3, [r0]                 UARTDR
        0x6003,  # str r3, [r0]
        0xE7F8,  # b again
        UART0,
    )


def write_to_flash(address):
    """Tell an octet of flash to UART0: as it is, when its sector was erased, and when it was written, twice.

    Args:
        address: from the beginning of flash.
    """
    page = address & ~0xFF
    sources = 0x1000
    program = _Program()
    program.load(4, UART0)
    program.tell(FLASH + address)
    program.call(ERASE, address & ~0xFFF, 0x1000, 0)
    program.tell(FLASH + address)
    for source in (sources, sources + 256):
        program.call(PROGRAM, page, FLASH + source, 256)
        program.tell(FLASH + address)
    code = program.octets()
    # What is written: a page of each.
    return code.ljust(sources, b"\0") + b"\x5a" * 256 + b"\x0f" * 256


class _Program:
    # Instructions, and the numbers that they load, behind them.
    def __init__(self):
        self._code = []
        self._numbers = []

    def load(self, register, number):
        """ldr register, =number"""
        self._code.append((register, number))
        self._numbers.append(number)

    def tell(self, address):
        """ldrb r6, [address]; str r6, [r4]"""
        self.load(5, address)
        self._code += [0x782E, 0x6026]

    def call(self, function, *arguments):
        """Load r0 to r2, blx r5"""
        for register, argument in enumerate(arguments):
            self.load(register, argument)
        self.load(5, function | 1)
        self._code.append(0x47A8)

    def octets(self):
        """The program, which ends in a loop."""
        code = [*self._code, 0xE7FE]
        code += [0xBF00] * (len(code) % 2)
        pool = 2 * len(code)
        made = b""
        for at, instruction in enumerate(code):
            if isinstance(instruction, tuple):
                register, _ = instruction
                number = sum(isinstance(one, tuple) for one in code[:at])
                offset = pool + 4 * number - ((2 * at + 4) & ~3)
                made += struct.pack("<H", 0x4800 | register << 8 | offset // 4)
            else:
                made += struct.pack("<H", instruction)
        return made + struct.pack(f"<{len(self._numbers)}I", *self._numbers)
